//! Modules exist, and their arguments are those that their SPECs declare.

use std::collections::HashSet;

use rustle_formats::plan::{ARGS_TEMPLATE, ExecutionPlan, carried};
use rustle_formats::{Map, Value, nearest};

use super::places::Tree;
use super::{CheckOptions, Missing, Placed, Problem, Severity, did_you_mean, escaped, offline};
use crate::args::{ArgError, Args, Moment};
use crate::engine::{
    Frame, META_ACTIONS, is_include, is_meta, meta_action, name_free_form, with_defaults,
};
use crate::modules::{MODULES, find};
use crate::spec::Spec;
use crate::vars::is_variable_name;

/// Looks at every task's module and arguments.
pub(super) fn check(
    plan: &ExecutionPlan,
    tree: &Tree<'_>,
    options: &CheckOptions<'_>,
    out: &mut Vec<Problem>,
) {
    let as_reached = options.as_reached;
    let carried: HashSet<&str> = carried(plan).map(|module| module.name).collect();
    for placed in &tree.tasks {
        let task = placed.task;
        if carried.contains(task.module.as_str()) {
            // It says itself what is wrong with its arguments.
        } else if task.module.is_empty() {
            out.push(Problem::of(placed, "", "the task has no module"));
        } else if is_meta(&task.module) {
            check_meta(placed, out);
        } else if let Some(module) = find(&task.module) {
            if let Some(frame) = tree.frame(plan, placed) {
                check_args(plan, placed, &frame, (module.spec(), as_reached), out);
            }
        } else if as_reached && task.module.contains("{{") {
            // The run knows which one it is.
        } else if !is_include(&task.module) {
            let mut problem = unknown(placed, options.missing);
            // Behind a condition it may never be reached, as what is for another distribution.
            let frame = || tree.frame(plan, placed);
            if as_reached && frame().is_some_and(|f| f.when().next().is_some()) {
                problem.severity = Severity::Warning;
            }
            out.push(problem);
        }
    }
    check_defaults(plan, tree, out);
}

fn unknown(placed: &Placed<'_>, missing: Option<&Missing<'_>>) -> Problem {
    let module = &placed.task.module;
    let problem = |message: String| Problem::of(placed, "/module", message).refused();
    if module.contains("{{") {
        return problem(format!("`{module}` is no name of a module"))
            .note("which module a task runs must be known when packing");
    }
    if let Some(why) = offline::reason(module) {
        return problem(format!(
            "an artifact cannot run the module `{module}`: {why}"
        ));
    }
    if let Some((message, hint)) = missing.and_then(|why| why(module)) {
        return problem(message).hint(hint);
    }
    let names: Vec<&str> = MODULES
        .iter()
        .map(|m| m.spec().name)
        .chain(["meta", "include_tasks", "include_role"])
        .collect();
    let short = module.rsplit('.').next().unwrap_or(module);
    problem(format!("unknown module `{module}`")).hint(
        did_you_mean(nearest(short, &names))
            .or_else(|| Some("docs/modules.md lists the modules that there are".to_owned())),
    )
}

fn check_meta(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let action = meta_action(&placed.task.args);
    if META_ACTIONS.contains(&action) {
        return;
    }
    let problem = match action {
        "" => Problem::of(placed, "", "`meta` needs an action"),
        _ => {
            let below = if placed.task.args.contains_key("_raw_params") {
                "/args/_raw_params"
            } else {
                "/args/free_form"
            };
            Problem::of(placed, below, format!("`meta` has no action `{action}`"))
        }
    };
    let hint = did_you_mean(nearest(action, META_ACTIONS))
        .unwrap_or_else(|| format!("the actions are {}", META_ACTIONS.join(", ")));
    out.push(problem.hint(Some(hint)));
}

/// A mapping, or the mappings of a list.
fn mappings(value: &Value) -> impl Iterator<Item = &Map> {
    let list = match value {
        Value::List(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    list.iter().filter_map(Value::as_map)
}

fn check_args(
    plan: &ExecutionPlan,
    placed: &Placed<'_>,
    frame: &Frame<'_>,
    (spec, as_reached): (&Spec, bool),
    out: &mut Vec<Problem>,
) {
    if placed.task.args.contains_key(ARGS_TEMPLATE) {
        // Only the run knows them.
        if !as_reached && spec.all_args().any(|arg| arg.asset) {
            let message = format!(
                "the files of module `{}` must be known when packing, and its arguments are a template",
                spec.name
            );
            let below = format!("/args/{ARGS_TEMPLATE}");
            let hint = "write the arguments out, each with its own template".to_owned();
            out.push(Problem::of(placed, &below, message).hint(Some(hint)));
        }
        return;
    }
    let mut args = with_defaults(plan, frame, spec);
    args.extend(placed.task.args.clone());
    name_free_form(spec, &mut args);
    if let Err(errors) = Args::check(spec, &args, Moment::Packing) {
        out.extend(errors.into_iter().map(|e| argument(placed, spec, e)));
    }
    if spec.name == "set_fact" {
        for name in placed.task.args.keys() {
            if name != "cacheable" && !name.contains("{{") && !is_variable_name(name) {
                let below = format!("/args/{}", escaped(name));
                let message = format!("`set_fact` sets variables, and `{name}` is no name of one");
                out.push(Problem::of(placed, &below, message).at_key());
            }
        }
    }
}

fn argument(placed: &Placed<'_>, spec: &Spec, error: ArgError) -> Problem {
    let module = spec.name;
    let unknown = error.message.starts_with("Unsupported parameters");
    let hint = did_you_mean(error.hint.as_deref()).or_else(|| {
        let list = error
            .message
            .split("Supported parameters include: ")
            .nth(1)?;
        unknown.then(|| format!("the arguments are {}", list.trim_end_matches('.')))
    });
    let Some(arg) = &error.arg else {
        let message = format!("module `{module}`: {}", error.message);
        return Problem::of(placed, "", message).hint(hint);
    };
    let given = &placed.task.args;
    let free = spec.free_form == Some(arg.as_str()) && given.contains_key("_raw_params");
    // What a default brought in is blamed on the task, which is where it has no place.
    let own = given.contains_key(arg) || free;
    let below = match own {
        true if given.contains_key(arg) => format!("/args/{}", escaped(arg)),
        true => "/args/_raw_params".to_owned(),
        false => String::new(),
    };
    let message = if unknown {
        format!("unknown argument `{arg}` for module `{module}`")
    } else {
        format!("argument `{arg}` of module `{module}`: {}", error.message)
    };
    let mut problem = Problem::of(placed, &below, message).hint(hint);
    problem.key = unknown && own;
    if own {
        problem
    } else {
        problem.note("`module_defaults` gives it")
    }
}

/// The modules that `module_defaults` names.
fn check_defaults(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    let plays = plan.plays.iter().enumerate();
    for (p, play) in plays {
        let new =
            |below: &str, message: String| Problem::new(format!("/plays/{p}{below}"), message);
        named_defaults(plan, play.module_defaults.as_ref(), &new, out);
    }
    for placed in &tree.blocks {
        let new = |below: &str, message: String| {
            Problem::new(format!("{}{below}", placed.pointer), message)
        };
        named_defaults(plan, placed.block.module_defaults.as_ref(), &new, out);
    }
    for placed in &tree.tasks {
        let new = |below: &str, message: String| Problem::of(placed, below, message);
        named_defaults(plan, placed.task.module_defaults.as_ref(), &new, out);
    }
}

fn named_defaults(
    plan: &ExecutionPlan,
    value: Option<&Value>,
    new: &dyn Fn(&str, String) -> Problem,
    out: &mut Vec<Problem>,
) {
    let Some(value) = value else { return };
    let list = matches!(value, Value::List(_));
    for (i, by_module) in mappings(value).enumerate() {
        for name in by_module.keys() {
            let below = match list {
                true => format!("/module_defaults/{i}/{}", escaped(name)),
                false => format!("/module_defaults/{}", escaped(name)),
            };
            if let Some(group) = name.strip_prefix("group/") {
                if !plan.action_groups.contains_key(group) {
                    let message = format!("the plan does not say which modules `{name}` has");
                    out.push(new(&below, message).at_key().hint(Some(
                        "name each module, or list the group in `action_groups`".into(),
                    )));
                }
            } else if !name.contains("{{")
                && find(name).is_none()
                && !is_meta(name)
                && carried(plan).all(|m| m.name != *name)
            {
                let names: Vec<&str> = MODULES.iter().map(|m| m.spec().name).collect();
                let message = format!("`module_defaults` for the unknown module `{name}`");
                out.push(
                    new(&below, message)
                        .at_key()
                        .warning()
                        .hint(did_you_mean(nearest(name, &names))),
                );
            }
        }
    }
}
