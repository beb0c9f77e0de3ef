//! Loops: the items, the variables that each sees, and the sum of the results.

use std::time::Instant;

use rustle_formats::event::EventKind;
use rustle_formats::plan::LoopControl;
use rustle_formats::{Map, Value};

use super::play::PlayRun;
use super::runner::{Abort, Run, millis};
use super::task::Ended;
use super::{Frame, attempt, keywords, result};
use crate::args::text;
use crate::vars::{Templar, untagged};

/// The items of a task.
pub(crate) enum Items {
    /// There is no loop.
    None,
    /// These, as [`Templar::items`] gives them.
    List(Vec<Value>),
    /// They cannot be templated: a failure unless a condition skips the task.
    Undefined(String),
    /// They are no list: this failure, whatever the conditions say.
    Wrong(Map),
}

/// Evaluates the items of a task.
pub(crate) fn items(frame: &Frame<'_>, templar: &Templar<'_, '_>) -> Items {
    let Some(written) = &frame.task.loop_ else {
        return Items::None;
    };
    let with = frame.task.loop_with.as_deref();
    let value = templar.items(with.unwrap_or_default(), written);
    if let (Some(name), Ok(Some(terms))) = (&frame.task.loop_with, &value) {
        return match templar.lookup(name, terms) {
            Ok(Value::List(list)) => Items::List(list),
            Ok(other) => Items::List(vec![other]),
            Err(e) => {
                let mut message = e.message;
                if !message.starts_with("The lookup plugin '") {
                    message.insert_str(0, &format!("The lookup plugin '{name}' failed: "));
                }
                let message = message;
                let mut map = result::failed(&message);
                map.shift_remove("changed");
                Items::Wrong(map)
            }
        };
    }
    match value {
        Ok(Some(Value::List(list))) => Items::List(list),
        Ok(None) => Items::None,
        Ok(Some(other)) => {
            let kind = match other {
                Value::Null => "NoneType",
                Value::Bool(_) => "bool",
                Value::Int(_) => "int",
                Value::Float(_) => "float",
                Value::Map(_) | Value::Pairs(_) => "dict",
                _ => "str",
            };
            let mut map = result::failed(&format!(
                "The `loop` value must resolve to a 'list', not '{kind}'."
            ));
            map.shift_remove("changed");
            Items::Wrong(map)
        }
        Err(e) if e.message.starts_with("Error rendering") => {
            let mut map = result::failed(&e.message);
            map.shift_remove("changed");
            Items::Wrong(map)
        }
        Err(e) => Items::Undefined(e.message),
    }
}

/// The names under which a loop gives its items.
struct Names {
    item: String,
    index: Option<String>,
}

impl Names {
    /// The names that the task gives, which may be templates.
    ///
    /// # Errors
    /// What is wrong with the template.
    fn of(control: Option<&LoopControl>, templar: &Templar<'_, '_>) -> Result<Names, String> {
        let name = |written: Option<&String>| -> Result<Option<String>, String> {
            let Some(written) = written.filter(|w| w.contains("{{")) else {
                return Ok(written.cloned());
            };
            let made = templar.value(&Value::Str(written.clone()));
            Ok(made.map_err(|e| e.message)?.as_ref().map(text))
        };
        Ok(Names {
            item: name(control.and_then(|c| c.loop_var.as_ref()))?.unwrap_or_else(|| "item".into()),
            index: name(control.and_then(|c| c.index_var.as_ref()))?,
        })
    }
}

/// Runs a task for each item.
pub(crate) fn run<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
    modes: (bool, bool),
    items: Vec<Value>,
) -> Result<Ended, Abort> {
    let control = frame.task.loop_control.as_ref();
    let names = match Names::of(control, templar) {
        Ok(names) => names,
        Err(message) => return attempt::once(play, frame, templar, modes, Some(message)),
    };
    let item_name = names.item.as_str();
    let vars = templar.vars();
    if vars.has(item_name) && !items.is_empty() {
        play.run.warn(format!(
            "The loop variable '{}' is already in use. You should set the `loop_var` value in the `loop_control` option for the task to something else to avoid variable collisions and unexpected behavior.",
            item_name
        ));
    }
    let pause = control.and_then(|c| c.pause.as_ref());
    let mut results: Vec<Map> = Vec::with_capacity(items.len());
    let mut no_log = false;
    let mut delegated_to = None;
    let (mut hidden, mut ignored) = (Vec::new(), None);
    let plain: Vec<Value> = items.iter().map(untagged).collect();
    for (index, (tagged, item)) in items.iter().zip(&plain).enumerate() {
        if index > 0
            && let Some(pause) = pause
        {
            let span = templar.value(pause).ok().flatten();
            play.run
                .sleep(keywords::seconds(as_seconds(span.as_ref())))?;
        }
        vars.set_item(item_name, tagged.clone());
        vars.set_top("ansible_loop_var", item_name.into());
        if let Some(name) = &names.index {
            vars.set_top(name, index_value(index));
            vars.set_top("ansible_index_var", name.as_str().into());
        }
        let extended = extended(templar, control, &plain, index);
        if let Some(extended) = &extended {
            vars.set_top("ansible_loop", extended.clone());
        }
        let started = Instant::now();
        let mut one = attempt::once(play, frame, templar, modes, None)?;
        let label = match label(frame, templar, item) {
            Ok(label) => label,
            Err(why) => {
                let message = format!("Failed to template loop_control.label: {why}");
                one.map = result::failed(&message);
                item.clone()
            }
        };
        one.map.insert(item_name.to_owned(), item.clone());
        one.map.insert("ansible_loop_var".into(), item_name.into());
        if let Some(name) = &names.index {
            one.map.insert(name.clone(), index_value(index));
            one.map
                .insert("ansible_index_var".into(), name.as_str().into());
        }
        if let Some(extended) = extended {
            one.map.insert("ansible_loop".into(), extended);
        }
        tell_item(play, frame, templar, &one, label, started);
        no_log |= one.no_log;
        hidden.push(one.no_log);
        ignored = one.ignored.or(ignored);
        delegated_to = one.delegated_to.or(delegated_to);
        if let Some(name) = &frame.task.register {
            vars.set_top(name, result::registered(&one.map));
        }
        results.push(one.map);
        play.run.check_stop()?;
        match ends(templar, control) {
            Ok(true) => break,
            Ok(false) => {}
            Err(message) => {
                let mut map = result::failed(&message);
                map.shift_remove("changed");
                return Ok(Ended {
                    map,
                    looped: false,
                    no_log,
                    delegated_to,
                    hidden: Vec::new(),
                    ignored,
                });
            }
        }
    }
    if let Some(name) = &frame.task.register {
        vars.unset_top(name);
    }
    Ok(Ended {
        looped: !results.is_empty(),
        map: result::of_loop(results),
        no_log: no_log || (items.is_empty() && attempt::no_log(frame, templar)),
        delegated_to,
        hidden,
        ignored,
    })
}

/// Calls `each` with the variables of every item set, until one fails.
pub(crate) fn each<'r>(
    frame: &Frame<'_>,
    templar: &Templar<'_, 'r>,
    items: &[Value],
    each: impl Fn(&Templar<'_, 'r>) -> Result<(), String>,
) -> Result<(), String> {
    let control = frame.task.loop_control.as_ref();
    let names = Names::of(control, templar)?;
    let vars = templar.vars();
    for (index, item) in items.iter().enumerate() {
        vars.set_item(&names.item, item.clone());
        if let Some(name) = &names.index {
            vars.set_top(name, index_value(index));
        }
        if let Some(extended) = extended(templar, control, items, index) {
            vars.set_top("ansible_loop", extended);
        }
        each(templar)?;
    }
    Ok(())
}

fn index_value(index: usize) -> Value {
    Value::Int(i64::try_from(index).unwrap_or(i64::MAX))
}

fn as_seconds(value: Option<&Value>) -> f64 {
    match value {
        Some(Value::Int(i)) => *i as f64,
        Some(Value::Float(f)) => *f,
        Some(other) => other
            .as_str()
            .and_then(|t| t.trim().parse().ok())
            .unwrap_or(0.0),
        None => 0.0,
    }
}

/// Whether the loop ends after the item that was just done.
///
/// # Errors
/// Where a condition cannot be evaluated.
fn ends(templar: &Templar<'_, '_>, control: Option<&LoopControl>) -> Result<bool, String> {
    let Some(control) = control.filter(|c| !c.break_when.is_empty()) else {
        return Ok(false);
    };
    for condition in &control.break_when.0 {
        if !templar.condition(condition).map_err(|e| e.message)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `ansible_loop`, where the task asks for it.
fn extended(
    templar: &Templar<'_, '_>,
    control: Option<&LoopControl>,
    items: &[Value],
    index: usize,
) -> Option<Value> {
    let control = control?;
    let wanted = keywords::flag(templar, "extended", control.extended.as_ref());
    if wanted != Ok(Some(true)) {
        return None;
    }
    let count = items.len();
    let mut map = Map::new();
    map.insert("index".into(), index_value(index + 1));
    map.insert("index0".into(), index_value(index));
    map.insert("first".into(), (index == 0).into());
    map.insert("last".into(), (index + 1 == count).into());
    map.insert("length".into(), index_value(count));
    map.insert("revindex".into(), index_value(count - index));
    map.insert("revindex0".into(), index_value(count - index - 1));
    let all = keywords::flag(
        templar,
        "extended_allitems",
        control.extended_allitems.as_ref(),
    );
    if all != Ok(Some(false)) {
        map.insert("allitems".into(), Value::List(items.to_vec()));
    }
    if let Some(next) = items.get(index + 1) {
        map.insert("nextitem".into(), next.clone());
    }
    if let Some(previous) = index.checked_sub(1).and_then(|i| items.get(i)) {
        map.insert("previtem".into(), previous.clone());
    }
    Some(Value::Map(map))
}

/// What is printed in place of an item.
///
/// # Errors
/// Where it cannot be templated.
fn label(frame: &Frame<'_>, templar: &Templar<'_, '_>, item: &Value) -> Result<Value, String> {
    let control = frame.task.loop_control.as_ref();
    let Some(written) = control.and_then(|c| c.label.as_ref()) else {
        return Ok(item.clone());
    };
    let label = templar.value(written).map_err(|e| e.message)?;
    Ok(label.unwrap_or_else(|| item.clone()))
}

fn tell_item(
    play: &PlayRun<'_, '_>,
    frame: &Frame<'_>,
    templar: &Templar<'_, '_>,
    one: &Ended,
    label: Value,
    started: Instant,
) {
    let run = play.run;
    let status = result::status(&one.map);
    let ignored = status == rustle_formats::event::Status::Failed
        && one.ignored.unwrap_or_else(|| {
            keywords::flag(templar, "ignore_errors", frame.ignore_errors()).unwrap_or(Some(true))
                == Some(true)
        });
    let label = if one.no_log {
        result::CENSORED_LABEL.into()
    } else {
        label
    };
    run.emit(EventKind::ItemResult {
        task: frame.task.id.clone(),
        host: run.store.host.to_owned(),
        status,
        ignored,
        label,
        result: Run::told(&one.map, one.no_log),
        duration_ms: millis(started.elapsed()),
        delegated_to: one.delegated_to.clone(),
    });
}
