//! Tasks that bring in a file of tasks or a role while the plan runs: `include_tasks` and `include_role`.
//!
//! Such a task runs like any other, once or for each item, and only notes what it wants. What is wanted follows when
//! the task is done.

use std::rc::Rc;

use rustle_formats::event::{EventKind, Status};
use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, Item};
use rustle_formats::{Map, Value};

use super::level::{Included, Level};
use super::play::{Flow, PlayRun};
use super::role::{Role, Wanted, below, stem};
use super::runner::{Abort, Run};
use super::task::TaskEnd;
use super::{Frame, applied, result};
use crate::args::{boolean, text};
use crate::vars::Templar;

/// How many files of tasks and roles may be in each other.
pub(crate) const MAX_DEPTH: usize = 300;

/// What a task asked for.
pub(crate) struct Wish {
    /// The file's or the role's name.
    what: String,
    /// The other arguments, templated.
    args: Map,
    /// The variables of its loop.
    data: Map,
    /// The item, as it is printed.
    label: Option<Value>,
}

/// Whether a module is `include_tasks`.
pub(crate) fn is_include_tasks(module: &str) -> bool {
    names(module, "include_tasks")
}

/// Whether a module is `include_role`.
pub(crate) fn is_include_role(module: &str) -> bool {
    names(module, "include_role")
}

/// Whether a module is one of the two.
pub(crate) fn is_include(module: &str) -> bool {
    is_include_tasks(module) || is_include_role(module)
}

fn names(module: &str, short: &str) -> bool {
    match module.rsplit_once('.') {
        None => module == short,
        Some((collection, name)) => {
            name == short && matches!(collection, "ansible.builtin" | "ansible.legacy")
        }
    }
}

/// Notes what a task (or one item of its loop) wants, and gives its result.
pub(crate) fn ask<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
    no_log: bool,
) -> Map {
    match wish(frame, templar, no_log) {
        Ok((wish, args)) => {
            let mut map = Map::new();
            if is_include_tasks(&frame.task.module) {
                map.insert("include".into(), wish.what.as_str().into());
            }
            map.insert("include_args".into(), Value::Map(args));
            play.wishes.borrow_mut().push(wish);
            map
        }
        Err(message) => result::task_failed(&message),
    }
}

fn wish<'r>(
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
    no_log: bool,
) -> Result<(Wish, Map), String> {
    let task = frame.task;
    let role = is_include_role(&task.module);
    let mut args = Map::new();
    for (key, value) in &task.args {
        // What is applied to the tasks is templated with each of them.
        if key == "apply" {
            continue;
        }
        let value = templar.value(value).map_err(|e| {
            let module = if role { "include_role" } else { "include_tasks" };
            format!(
                "Finalization of task args for 'ansible.builtin.{module}' failed: Error while resolving value for '{key}': {}",
                e.message
            )
        })?;
        if let Some(value) = value {
            args.insert(key.clone(), value);
        }
    }
    let keys: &[&str] = if role {
        &["name", "role"]
    } else {
        &["file", "_raw_params"]
    };
    let what = keys.iter().find_map(|key| args.get(*key)).map(text);
    let Some(what) = what.filter(|w| !w.is_empty()) else {
        return Err(if role {
            "'name' is a required field for include_role.".into()
        } else {
            "No file specified for include_tasks".into()
        });
    };
    let data = templar.vars().top();
    let label = (task.loop_.is_some() || no_log).then(|| {
        let control = task.loop_control.as_ref();
        let item = data
            .get("ansible_loop_var")
            .and_then(Value::as_str)
            .unwrap_or("item");
        if no_log {
            return result::CENSORED_LABEL.into();
        }
        control
            .and_then(|c| c.label.as_ref())
            .and_then(|label| templar.value(label).ok().flatten())
            .or_else(|| data.get(item).cloned())
            .unwrap_or_default()
    });
    let mut shown = args.clone();
    shown.extend(
        task.args
            .get_key_value("apply")
            .map(|(k, v)| (k.clone(), v.clone())),
    );
    shown.retain(|key, _| role || !matches!(key.as_str(), "_raw_params" | "file"));
    Ok((
        Wish {
            what,
            args,
            data,
            label,
        },
        shown,
    ))
}

/// Runs what the task that has just ended wanted.
pub(crate) fn follow<'r>(play: &PlayRun<'_, 'r>, frame: &Frame<'r>) -> Result<Flow, Abort> {
    let wishes = play.wishes.take();
    if wishes.is_empty() {
        return Ok(Flow::Next);
    }
    if frame.around.len() > MAX_DEPTH {
        return Err(Abort::Error(format!(
            "task '{}' includes files of tasks within each other more than {MAX_DEPTH} deep: does one include itself?",
            frame.written_name()
        )));
    }
    let mut all = Vec::new();
    for wish in wishes {
        match find(play, frame, &wish) {
            Ok(found) => {
                play.run.stats.borrow_mut().ok += 1;
                play.run.emit(EventKind::Included {
                    task: frame.task.id.clone(),
                    host: play.run.store.host.to_owned(),
                    what: found.printed.clone(),
                    label: wish.label,
                });
                all.push(found);
            }
            Err(reason) => return fail(play, frame, wish, &reason),
        }
    }
    let keys = all.iter().map(|found| found.key.clone()).collect();
    let order = play.order(keys)?;
    let mut all: Vec<(u32, Found<'r>)> = order.into_iter().zip(all).collect();
    order::sort_by_key(&mut all, |(step, _)| *step);
    for (step, found) in all {
        let mut around = frame.around.clone();
        around.push(found.level);
        play.enter(step);
        let flow = match found.content {
            Content::Tasks(items) => {
                play.learn(items, &around)?;
                play.items(items, &mut around)?
            }
            Content::Role(role) => play.role(&role, &mut around)?,
        };
        play.leave();
        if flow != Flow::Next {
            return Ok(flow);
        }
    }
    Ok(Flow::Next)
}

/// Tells that what was wanted cannot be had. No keyword of the task forgives it.
fn fail<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    wish: Wish,
    reason: &str,
) -> Result<Flow, Abort> {
    let mut map = Map::new();
    if is_include_tasks(&frame.task.module) {
        map.insert("include".into(), wish.what.into());
    }
    map.insert("failed".into(), true.into());
    map.insert("changed".into(), false.into());
    map.insert("reason".into(), reason.into());
    let host = play.run.store.host;
    play.run.stats.borrow_mut().failed += 1;
    play.run.emit(EventKind::TaskResult {
        task: frame.task.id.clone(),
        host: host.to_owned(),
        status: Status::Failed,
        ignored: false,
        looped: false,
        result: Run::told(&map, false),
        duration_ms: 0,
        delegated_to: None,
    });
    play.settle(
        frame,
        TaskEnd::Failed {
            result: map,
            unreachable: false,
        },
    )
}

/// What was brought in.
pub(crate) enum Content<'r> {
    Tasks(&'r [Item]),
    Role(Rc<Role<'r>>),
}

/// Something that an including task found.
pub(crate) struct Found<'r> {
    /// What the task hands down.
    pub level: Level<'r>,
    /// What was brought in.
    pub content: Content<'r>,
    printed: String,
    /// What tells it from what other hosts or items bring in with the same task.
    key: String,
}

/// What a task (or one item of its loop) would bring in as things stand.
///
/// # Errors
/// Where the name cannot be known yet, or the plan does not have it.
pub(crate) fn look<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
) -> Result<Found<'r>, String> {
    let (wish, _) = wish(frame, templar, true)?;
    find(play, frame, &wish)
}

fn find<'r>(play: &PlayRun<'_, 'r>, frame: &Frame<'r>, wish: &Wish) -> Result<Found<'r>, String> {
    let apply = match frame.task.args.get("apply") {
        None | Some(Value::Null) => None,
        Some(apply) => Some(applied::block(apply)?),
    };
    let plan = play.run.store.plan;
    let mut included = Included {
        vars: frame.task.vars.clone(),
        data: wish.data.clone(),
        apply,
        file: None,
    };
    if is_include_role(&frame.task.module) {
        let role = wanted_role(play, frame, wish, &included)?;
        included.data.extend(parents(frame));
        return Ok(Found {
            level: Level::Include(Rc::new(included)),
            content: Content::Role(role),
            printed: wish.what.clone(),
            key: key(wish),
        });
    }
    let candidates = candidates(frame, &wish.what, plan.base_dir.as_deref());
    let found = candidates
        .iter()
        .find_map(|name| plan.task_files.get_key_value(name.as_str()));
    let Some((name, items)) = found else {
        let mut looked: Vec<String> = Vec::new();
        for name in &candidates {
            let name = below(plan, name);
            if !looked.contains(&name) {
                looked.push(name);
            }
        }
        return Err(format!(
            "Could not find or access '{}': the plan has none of {}",
            wish.what,
            looked.join(", ")
        ));
    };
    included.file = Some(name.clone());
    Ok(Found {
        level: Level::Include(Rc::new(included)),
        content: Content::Tasks(items),
        printed: below(plan, name),
        key: key(wish),
    })
}

/// What tells a wish from others of the same task: what is included, and with which variables.
fn key(wish: &Wish) -> String {
    let told = [Value::Map(wish.args.clone()), Value::Map(wish.data.clone())];
    format!("{} {told:?}", wish.what)
}

/// The names under which the plan may have the file that a task includes.
pub(crate) fn included_files(plan: &ExecutionPlan, frame: &Frame<'_>, name: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for candidate in candidates(frame, name, plan.base_dir.as_deref()) {
        if !out.contains(&candidate) {
            out.push(candidate);
        }
    }
    out
}

/// The names under which the plan may have the file that is meant: beside the files that are being read from the
/// innermost outwards, in the role's folder, in the task's folders, and from the root.
fn candidates(frame: &Frame<'_>, name: &str, base: Option<&str>) -> Vec<String> {
    let base = base.map(|b| b.trim_end_matches('/'));
    let inside = base.and_then(|b| name.strip_prefix(b)?.strip_prefix('/'));
    if let Some(inside) = inside {
        return vec![clean(inside)];
    }
    if name.starts_with('/') {
        return vec![clean(name)];
    }
    let mut out = Vec::new();
    let part = if frame.handler { "handlers" } else { "tasks" };
    if let Some(role) = frame.role() {
        let path = &role.plan.path;
        for folder in [part, "tasks"] {
            out.push(clean(&format!("{path}/{folder}/{name}")));
        }
    }
    for level in frame.around.iter().rev() {
        if matches!(level, Level::Role(_)) {
            break;
        }
        if let Some(file) = level.file() {
            let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
            out.push(clean(&format!("{folder}/{name}")));
        }
    }
    for folder in &frame.task.asset_paths {
        out.push(clean(&format!("{folder}/tasks/{name}")));
        out.push(clean(&format!("{folder}/{name}")));
    }
    if let Some(role) = frame.role() {
        out.push(clean(&format!("{}/{name}", role.plan.path)));
        out.push(clean(&format!("{part}/{name}")));
    }
    out.push(clean(name));
    out
}

/// A path without empty components, `.` and `..`.
pub(crate) fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('/') { "/" } else { "" };
    format!("{root}{}", parts.join("/"))
}

/// The role that an `include_role` means.
fn wanted_role<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    wish: &Wish,
    included: &Included,
) -> Result<Rc<Role<'r>>, String> {
    let plan = play.run.store.plan;
    let collection = frame.role().and_then(|r| r.plan.collection.as_deref());
    let Some(found) = Role::find(plan, &wish.what, collection) else {
        let mut names: Vec<&str> = plan.roles.keys().map(String::as_str).collect();
        order::sort(&mut names);
        return Err(format!(
            "the role '{}' was not found; the plan has {}",
            wish.what,
            if names.is_empty() {
                "no roles".to_owned()
            } else {
                names.join(", ")
            }
        ));
    };
    let from = |key: &str| wish.args.get(key).map(|v| stem(&text(v)).to_owned());
    let flag = |key: &str| wish.args.get(key).and_then(boolean);
    let (tasks, vars) = (from("tasks_from"), from("vars_from"));
    let (defaults, handlers) = (from("defaults_from"), from("handlers_from"));
    let wanted = Wanted {
        tasks_from: tasks.as_deref(),
        vars_from: vars.as_deref(),
        defaults_from: defaults.as_deref(),
        handlers_from: handlers.as_deref(),
        public: flag("public") == Some(true),
        validate: flag("rolespec_validate") != Some(false),
        allow_duplicates: flag("allow_duplicates"),
        called: true,
    };
    let mut told = included.vars.clone();
    told.extend(included.data.clone());
    Role::new(
        plan,
        found,
        Role::no_params(),
        &wanted,
        &Value::Map(told),
        0,
    )
}

/// What a role that another role calls knows of the roles above.
pub(crate) fn parents(frame: &Frame<'_>) -> Map {
    let mut out = Map::new();
    let Some(parent) = frame.role() else {
        return out;
    };
    for (key, own) in [
        ("ansible_parent_role_names", parent.name.to_owned()),
        ("ansible_parent_role_paths", parent.path.clone()),
    ] {
        let mut list = vec![Value::Str(own)];
        let above = frame.around.iter().rev().find_map(|level| match level {
            Level::Include(included) => included.data.get(key),
            _ => None,
        });
        if let Some(Value::List(above)) = above {
            list.extend(above.clone());
        }
        out.insert(key.into(), Value::List(list));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_cleaned() {
        for (path, expected) in [
            ("a//b/./c", "a/b/c"),
            ("a/../b", "b"),
            ("../b", "../b"),
            ("/a/../b", "/b"),
            ("roles/a/tasks/../handlers/x.yml", "roles/a/handlers/x.yml"),
        ] {
            assert_eq!(clean(path), expected);
        }
    }
}
