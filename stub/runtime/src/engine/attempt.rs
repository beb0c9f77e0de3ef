//! One item of a task: its conditions, its arguments, and trying until it is right.

use indexmap::IndexMap;
use rustle_formats::event::EventKind;
use rustle_formats::plan::{ARGS_TEMPLATE, Conditions, ExecutionPlan, Task};
use rustle_formats::{Map, Value};

use super::keywords::{self, Keywords};
use super::play::PlayRun;
use super::runner::{Abort, Run};
use super::task::Ended;
use super::{Frame, includes, invoke, result};
use crate::args::text;
use crate::spec::Spec;
use crate::vars::{Templar, inventory_of};

/// What a result says that nobody must see.
pub(crate) const HIDDEN: &str = "_ansible_no_log";

/// Whether events hide the task's results. Who cannot tell hides them.
pub(crate) fn no_log(frame: &Frame<'_>, templar: &Templar<'_, '_>) -> bool {
    keywords::flag(templar, "no_log", frame.no_log()).map_or(true, |hidden| hidden == Some(true))
}

/// Does a task for one item, or the one time that it has.
pub(crate) fn once<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
    modes: (bool, bool),
    loop_error: Option<String>,
) -> Result<Ended, Abort> {
    let hidden = keywords::flag(templar, "no_log", frame.no_log());
    let no_log = hidden.as_ref().map_or(true, |h| *h == Some(true));
    let ended = |map: Map, delegated_to: Option<String>| Ended {
        map,
        looped: false,
        no_log,
        delegated_to,
        hidden: Vec::new(),
        ignored: None,
    };
    for condition in frame.when() {
        match templar.condition(condition) {
            Ok(true) => {}
            Ok(false) => return Ok(ended(result::skipped(condition), None)),
            Err(e) => return Ok(ended(result::task_failed(&e.message), None)),
        }
    }
    if let Some(message) = loop_error {
        return Ok(ended(result::task_failed(&message), None));
    }
    if let Err(message) = hidden {
        play.run.warn(format!(
            "Invalid no_log value for task, output will be masked: {message}"
        ));
        return Ok(ended(result::task_failed(&message), None));
    }
    let keywords = match Keywords::evaluate(templar, frame, modes, &|text| play.run.warn(text)) {
        Ok(keywords) => keywords,
        Err(message) => {
            // Where a delegation leads cannot be known then: it is shown as it is written.
            let written = frame.delegate_to().and_then(Value::as_str);
            let written = written.map(str::to_owned);
            return Ok(ended(result::task_failed(&message), written));
        }
    };
    let delegated_to = keywords.delegate_to.clone();
    if includes::is_include(&frame.task.module) {
        return Ok(ended(
            includes::ask(play, frame, templar, no_log),
            delegated_to,
        ));
    }
    if let Some(host) = &delegated_to {
        let vars = templar.vars();
        let store = vars.store();
        let known = inventory_of(store.plan, &store.groups.borrow(), host);
        let known = Map::from_iter([(host.clone(), Value::Map(known))]);
        vars.set_top("ansible_delegated_vars", Value::Map(known));
    }
    let chosen = module_of(frame, templar)?;
    if let Some(name) = chosen
        .as_ref()
        .filter(|name| play.run.store.module(name).is_none())
    {
        let message = format!("Cannot resolve '{name}' to an action or module.");
        return Ok(ended(result::task_failed(&message), None));
    }
    let chosen = chosen.map(|module| Task {
        module,
        ..frame.task.clone()
    });
    let task = chosen.as_ref().unwrap_or(frame.task);
    let frame = &Frame {
        task,
        ..frame.clone()
    };
    let args = match arguments(frame, templar) {
        Ok(args) => args,
        Err(message) => return Ok(ended(result::task_failed(&message), None)),
    };
    let call = invoke::Call {
        play,
        frame,
        templar,
        keywords: &keywords,
        args,
        no_log,
    };
    let ignored = Some(keywords.ignored);
    let mut map = tries(&call)?;
    // An action plugin may say that nobody must see what it did.
    let hidden = map.shift_remove(HIDDEN).is_some();
    Ok(Ended {
        ignored,
        no_log: no_log || hidden,
        ..ended(map, delegated_to)
    })
}

/// The module that the task's template names; none where the name is written out.
pub(crate) fn module_of(
    frame: &Frame<'_>,
    templar: &Templar<'_, '_>,
) -> Result<Option<String>, Abort> {
    let written = &frame.task.module;
    if !written.contains("{{") {
        return Ok(None);
    }
    let found = templar.value(&Value::Str(written.clone()));
    let found = found.map_err(|e| Abort::Error(e.message))?;
    Ok(Some(found.as_ref().map(text).unwrap_or_default()))
}

/// The task's templated arguments, on top of the defaults for its module.
pub(crate) fn arguments(frame: &Frame<'_>, templar: &Templar<'_, '_>) -> Result<Map, String> {
    let module = templar.vars().store().module(&frame.task.module);
    let full_name = module.map_or_else(|| frame.task.module.clone(), |m| m.spec().full_name());
    let resolve = |name: &str, value: &Value| -> Result<Option<Value>, String> {
        if module.is_some_and(|m| m.spec().arg(name).is_some_and(|a| a.raw)) {
            return Ok(Some(value.clone()));
        }
        let expression = name == "var" && full_name == "ansible.builtin.debug";
        let made = match expression {
            true => templar.expression_text(value),
            false => templar.value(value),
        };
        made.map_err(|e| match expression && e.message == rustle_template::UNTRUSTED {
            true => format!("Error while resolving `var` expression: {}", e.message),
            false => format!(
                "Finalization of task args for '{full_name}' failed: Error while resolving value for '{name}': {}",
                e.message
            ),
        })
    };
    let mut args = Map::new();
    if let Some(module) = module {
        let plan = templar.vars().store().plan;
        for (key, value) in with_defaults(plan, frame, module.spec()) {
            if let Some(value) = resolve(&key, &value)? {
                args.insert(key, value);
            }
        }
    }
    if let Some(written) = frame.task.args.get(ARGS_TEMPLATE) {
        let failed =
            |why: String| format!("Finalization of task args for '{full_name}' failed: {why}");
        match templar.value(written).map_err(|e| failed(e.message))? {
            Some(Value::Map(map)) => args.extend(map),
            None => {}
            Some(other) => {
                return Err(failed(format!(
                    "Task args must resolve to a 'dict' not '{}'.",
                    crate::args::type_of(&other)
                )));
            }
        }
    }
    let written = frame.task.args.iter();
    for (key, value) in written.filter(|(key, _)| *key != ARGS_TEMPLATE) {
        let key = if module.is_some_and(|m| m.spec().open) && key.contains("{{") {
            let made = templar.value(&Value::Str(key.clone()));
            match made.map_err(|e| e.message)? {
                Some(Value::Str(key)) => key,
                None => continue,
                Some(other) => {
                    return Err(format!(
                        "Invalid variable name '{}' of type '{}'.",
                        text(&other),
                        crate::args::type_of(&other)
                    ));
                }
            }
        } else {
            key.clone()
        };
        match resolve(&key, value)? {
            Some(value) => {
                args.insert(key, value);
            }
            None => {
                args.shift_remove(&key);
            }
        }
    }
    if let Some(module) = module {
        // `add_host: "{{ host }}"`: a mapping where text might stand is the arguments, of this module alone.
        let name = module.spec().name;
        if let ("add_host", Some(Value::Map(map))) = (name, args.get("_raw_params")) {
            let map = map.clone();
            args.shift_remove("_raw_params");
            args.extend(map);
        }
        name_free_form(module.spec(), &mut args);
    }
    Ok(args)
}

/// The defaults for a module (`module_defaults`), not templated: of each name those nearest to the task, as a whole; the
/// module's own on top of those of its groups.
pub(crate) fn with_defaults(plan: &ExecutionPlan, frame: &Frame<'_>, spec: &Spec) -> Map {
    let mut own = Map::new();
    let mut groups: IndexMap<&str, &Map> = IndexMap::new();
    for part in frame.module_defaults() {
        let Value::Map(by_module) = part else {
            continue;
        };
        for (name, defaults) in by_module {
            let Value::Map(defaults) = defaults else {
                continue;
            };
            if spec.is_called(name) {
                own = defaults.clone();
            } else if let Some(group) = name.strip_prefix("group/") {
                groups.insert(group, defaults);
            }
        }
    }
    let mut found = Map::new();
    for (group, defaults) in groups {
        let members = plan.action_groups.get(group);
        if members.is_some_and(|members| members.iter().any(|m| spec.is_called(m))) {
            found.extend(defaults.clone());
        }
    }
    found.extend(own);
    found
}

/// Gives free-form text (`command: ls -l`) the name of the argument that it is.
pub(crate) fn name_free_form(spec: &Spec, args: &mut Map) {
    if let Some(name) = spec.free_form
        && name != "_raw_params"
        && let Some(text) = args.shift_remove("_raw_params")
    {
        args.entry(name.to_owned()).or_insert(text);
    }
}

/// Calls the module until `until` holds or the tries are used up.
fn tries(call: &invoke::Call<'_, '_, '_>) -> Result<Map, Abort> {
    let task = call.frame.task;
    let play = call.play;
    let repeated = !task.until.is_empty() || call.keywords.retries.is_some();
    let total = if repeated {
        call.keywords.retries.unwrap_or(3).saturating_add(1)
    } else {
        1
    };
    let mut attempt = 1;
    loop {
        let mut map = invoke::invoke(call)?;
        if total > 1 {
            map.insert("attempts".into(), count(attempt));
        }
        judge(call, &mut map);
        if total == 1 {
            return Ok(map);
        }
        let satisfied = if task.until.is_empty() {
            !result::is(&map, "failed")
        } else {
            show_result(call, &map);
            match all(call.templar, &task.until) {
                Ok(satisfied) => satisfied,
                Err(message) => return Ok(result::task_failed(&message)),
            }
        };
        if satisfied {
            return Ok(map);
        }
        if attempt >= total {
            // The tries that were made beyond the first, as Ansible counts them here.
            map.insert("attempts".into(), count(total - 1));
            // Who says what a failure is has said so.
            if task.failed_when.is_empty() {
                map.insert("failed".into(), true.into());
                result::explain(&mut map);
            }
            return Ok(map);
        }
        map.insert("retries".into(), count(total));
        play.run.emit(EventKind::Retry {
            task: task.id.clone(),
            name: call.templar.lenient_text(&call.frame.written_name()),
            host: play.run.store.host.to_owned(),
            left: total - attempt,
            result: Run::told(&map, call.no_log),
        });
        attempt += 1;
        play.run.sleep(call.keywords.delay)?;
    }
}

fn count(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Lets conditions see the result under the name that it will be registered by.
fn show_result(call: &invoke::Call<'_, '_, '_>, map: &Map) {
    if let Some(name) = &call.frame.task.register {
        call.templar.vars().set_top(name, result::registered(map));
    }
}

/// Applies `changed_when` and `failed_when`.
fn judge(call: &invoke::Call<'_, '_, '_>, map: &mut Map) {
    let task = call.frame.task;
    if task.changed_when.is_empty() && task.failed_when.is_empty() {
        return;
    }
    if result::is(map, "skipped") {
        return;
    }
    show_result(call, map);
    if !task.changed_when.is_empty() {
        match all(call.templar, &task.changed_when) {
            Ok(changed) => {
                map.insert("changed".into(), changed.into());
            }
            Err(message) => {
                map.insert("failed".into(), true.into());
                map.insert("changed_when_result".into(), message.into());
            }
        }
    }
    if !task.failed_when.is_empty() {
        show_result(call, map);
        match all(call.templar, &task.failed_when) {
            Ok(failed) => {
                map.insert("failed".into(), failed.into());
                map.insert("failed_when_result".into(), failed.into());
            }
            Err(message) => {
                map.insert("failed".into(), true.into());
                map.insert("failed_when_result".into(), message.into());
            }
        }
    }
    result::explain(map);
}

fn all(templar: &Templar<'_, '_>, conditions: &Conditions) -> Result<bool, String> {
    for condition in &conditions.0 {
        if !templar.condition(condition).map_err(|e| e.message)? {
            return Ok(false);
        }
    }
    Ok(true)
}
