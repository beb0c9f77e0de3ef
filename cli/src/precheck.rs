//! What the command line asks about a plan before it packs: modules and arguments by their SPECs, ids, dependencies.

use std::collections::HashMap;

use rustle_formats::nearest;
use rustle_formats::plan::{ExecutionPlan, Item, Source, Task};
use rustle_runtime::args::{ArgError, Args, Moment};
use rustle_runtime::modules::{MODULES, find};

use crate::checks::Problem;

/// A task and where it stands.
pub(crate) struct Placed<'p> {
    /// Its JSON pointer.
    pub(crate) pointer: String,
    /// The task.
    pub(crate) task: &'p Task,
    /// The number of its play.
    pub(crate) play: usize,
}

/// All tasks of a plan with their places, in the order of the document.
pub(crate) fn tasks(plan: &ExecutionPlan) -> Vec<Placed<'_>> {
    let mut out = Vec::new();
    for (p, play) in plan.plays.iter().enumerate() {
        for (b, batch) in play.batches.iter().enumerate() {
            walk(
                &batch.tasks,
                &format!("/plays/{p}/batches/{b}/tasks"),
                p,
                &mut out,
            );
        }
        for (h, task) in play.handlers.iter().enumerate() {
            out.push(Placed {
                pointer: format!("/plays/{p}/handlers/{h}"),
                task,
                play: p,
            });
        }
    }
    out
}

fn walk<'p>(items: &'p [Item], at: &str, play: usize, out: &mut Vec<Placed<'p>>) {
    for (i, item) in items.iter().enumerate() {
        let pointer = format!("{at}/{i}");
        match item {
            Item::Task(task) => out.push(Placed {
                pointer,
                task,
                play,
            }),
            Item::Block(block) => {
                for (name, part) in [
                    ("block", &block.block),
                    ("rescue", &block.rescue),
                    ("always", &block.always),
                ] {
                    walk(part, &format!("{pointer}/{name}"), play, out);
                }
            }
        }
    }
}

/// Everything that is wrong.
pub(crate) fn check(plan: &ExecutionPlan) -> Vec<Problem> {
    let tasks = tasks(plan);
    let mut out = Vec::new();
    for placed in &tasks {
        check_module(placed, &mut out);
        check_notify(plan, placed, &mut out);
    }
    check_order(&tasks, &mut out);
    out
}

fn problem(placed: &Placed<'_>, below: &str, key: bool, message: String) -> Problem {
    Problem {
        pointer: format!("{}{below}", placed.pointer),
        key,
        source: placed.task.source.clone().filter(|s: &Source| s.line > 0),
        message,
        notes: Vec::new(),
        hint: None,
    }
}

/// A task as messages name it.
pub(crate) fn label(task: &Task) -> String {
    match (task.id.as_str(), task.name.as_str()) {
        ("", "") => format!("a task of module `{}`", task.module),
        ("", name) => format!("task `{name}`"),
        (id, "") => format!("task `{id}`"),
        (id, name) => format!("task `{id}` ({name})"),
    }
}

fn check_module(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let task = placed.task;
    if task.module.is_empty() {
        out.push(problem(
            placed,
            "",
            false,
            format!("{} has no module", label(task)),
        ));
        return;
    }
    if task.module.contains("{{") {
        return;
    }
    let Some(module) = find(&task.module) else {
        let names: Vec<&str> = MODULES.iter().map(|m| m.spec().name).collect();
        let mut found = problem(
            placed,
            "/module",
            false,
            format!("unknown module `{}`", task.module),
        );
        found.notes.push(format!("{} cannot run", label(task)));
        found.hint = Some(match nearest(&task.module, &names) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => "docs/modules.md lists the modules that there are".to_owned(),
        });
        out.push(found);
        return;
    };
    let spec = module.spec();
    let mut args = task.args.clone();
    if let (Some(free), Some(text)) = (spec.free_form, args.shift_remove("_raw_params")) {
        args.entry(free.to_owned()).or_insert(text);
    }
    for error in Args::check(spec, &args, Moment::Packing)
        .err()
        .unwrap_or_default()
    {
        out.push(argument(placed, spec.name, error));
    }
}

fn argument(placed: &Placed<'_>, module: &str, error: ArgError) -> Problem {
    let hint = error.hint.map(|meant| format!("did you mean `{meant}`?"));
    let unknown = error.message.starts_with("Unsupported parameters");
    let mut found = match &error.arg {
        Some(arg) if unknown => problem(
            placed,
            &format!("/args/{}", escaped(arg)),
            true,
            format!("unknown argument `{arg}` for module `{module}`"),
        ),
        Some(arg) => problem(
            placed,
            &format!("/args/{}", escaped(arg)),
            false,
            format!("argument `{arg}` of module `{module}`: {}", error.message),
        ),
        None => problem(
            placed,
            "",
            false,
            format!("module `{module}`: {}", error.message),
        ),
    };
    found.hint = hint.or_else(|| {
        let list = error
            .message
            .split("Supported parameters include: ")
            .nth(1)?;
        unknown.then(|| format!("the arguments are {}", list.trim_end_matches('.')))
    });
    if error.arg.is_none() {
        found.notes.push(label(placed.task));
    }
    found
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn check_notify(plan: &ExecutionPlan, placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let handlers = &plan.plays[placed.play].handlers;
    let known: Vec<&str> = handlers
        .iter()
        .flat_map(|h| {
            [h.name.as_str(), h.id.as_str()]
                .into_iter()
                .chain(h.listen.iter().map(String::as_str))
        })
        .filter(|n| !n.is_empty())
        .collect();
    for (i, name) in placed.task.notify.iter().enumerate() {
        if name.contains("{{") || known.contains(&name.as_str()) {
            continue;
        }
        let mut found = problem(
            placed,
            &format!("/notify/{i}"),
            false,
            format!("no handler of the play is called `{name}`"),
        );
        found.hint = nearest(name, &known).map(|meant| format!("did you mean `{meant}`?"));
        out.push(found);
    }
}

/// Ids are unique, dependencies name tasks, and no task waits for itself.
fn check_order(tasks: &[Placed<'_>], out: &mut Vec<Problem>) {
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (i, placed) in tasks.iter().enumerate() {
        let id = placed.task.id.as_str();
        if !id.is_empty() && by_id.insert(id, i).is_some() {
            out.push(problem(
                placed,
                "/id",
                false,
                format!("two tasks have the id `{id}`"),
            ));
        }
    }
    for placed in tasks {
        for (i, dependency) in placed.task.dependencies.iter().enumerate() {
            if by_id.contains_key(dependency.as_str()) {
                continue;
            }
            let names: Vec<&str> = by_id.keys().copied().collect();
            let mut found = problem(
                placed,
                &format!("/dependencies/{i}"),
                false,
                format!(
                    "no task has the id `{dependency}`, on which {} depends",
                    label(placed.task)
                ),
            );
            if names.len() < 1000 {
                found.hint = nearest(dependency, &names).map(|m| format!("did you mean `{m}`?"));
            }
            out.push(found);
        }
    }
    if let Some(circle) = circle(tasks, &by_id) {
        let names: Vec<String> = circle
            .iter()
            .chain(circle.first())
            .map(|i| format!("`{}`", tasks[*i].task.id))
            .collect();
        let mut found = problem(
            &tasks[circle[0]],
            "/dependencies",
            true,
            format!(
                "tasks depend on each other in a circle: {}",
                names.join(" -> ")
            ),
        );
        found.hint = Some("leave one of these dependencies out".to_owned());
        out.push(found);
    }
}

/// The first circle among dependencies.
fn circle(tasks: &[Placed<'_>], by_id: &HashMap<&str, usize>) -> Option<Vec<usize>> {
    // 0: not seen; 1: on the way; 2: done.
    let mut state = vec![0u8; tasks.len()];
    for start in 0..tasks.len() {
        let mut way: Vec<(usize, usize)> = Vec::new();
        if state[start] == 0 {
            way.push((start, 0));
            state[start] = 1;
        }
        while let Some((at, next)) = way.last_mut() {
            let node = *at;
            let Some(dependency) = tasks[node].task.dependencies.get(*next) else {
                state[node] = 2;
                way.pop();
                continue;
            };
            *next += 1;
            let Some(&to) = by_id.get(dependency.as_str()) else {
                continue;
            };
            match state[to] {
                0 => {
                    state[to] = 1;
                    way.push((to, 0));
                }
                1 => {
                    let from = way.iter().position(|(i, _)| *i == to)?;
                    return Some(way[from..].iter().map(|(i, _)| *i).collect());
                }
                _ => {}
            }
        }
    }
    None
}
