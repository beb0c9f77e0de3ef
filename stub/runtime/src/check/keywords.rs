//! Keywords whose values are written out must have the type that the engine will ask for.

use rustle_formats::Value;
use rustle_formats::plan::{Conditions, ExecutionPlan, LoopControl, Task};

use super::places::Tree;
use super::{Placed, Problem};
use crate::args::{boolean, may_be_template, text};
use crate::vars::is_variable_name;

/// What a keyword takes.
#[derive(Clone, Copy)]
enum Takes {
    Flag,
    Number,
    /// A mapping, or a list of them.
    Mappings,
}

impl Takes {
    /// What is wrong with a value, if something is.
    fn refuse(self, value: &Value) -> Option<&'static str> {
        if may_be_template(value) || value.is_null() {
            return None;
        }
        let fits = match self {
            Takes::Flag => boolean(value).is_some(),
            Takes::Number => match value {
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => true,
                other => text(other).trim().parse().is_ok_and(f64::is_finite),
            },
            Takes::Mappings => match value {
                Value::Map(_) => true,
                Value::List(parts) => parts
                    .iter()
                    .all(|p| matches!(p, Value::Map(_) | Value::Null)),
                _ => false,
            },
        };
        match self {
            _ if fits => None,
            Takes::Flag => Some("a boolean"),
            Takes::Number => Some("a number"),
            Takes::Mappings => Some("a mapping"),
        }
    }
}

/// Keywords of tasks, blocks and plays by name, each with its value and what it takes.
macro_rules! keywords {
    ($of:expr; $($name:literal: $field:ident, $takes:ident;)*) => {
        [$(($name, $of.$field.as_ref(), Takes::$takes)),*]
    };
}

/// Looks at every keyword of a plan.
pub(super) fn check(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    for (p, play) in plan.plays.iter().enumerate() {
        let at = format!("/plays/{p}");
        let of = keywords! { play;
            "become": become_, Flag;
            "check_mode": check_mode, Flag;
            "diff": diff, Flag;
            "no_log": no_log, Flag;
            "ignore_errors": ignore_errors, Flag;
            "ignore_unreachable": ignore_unreachable, Flag;
            "any_errors_fatal": any_errors_fatal, Flag;
            "max_fail_percentage": max_fail_percentage, Number;
            "throttle": throttle, Number;
            "timeout": timeout, Number;
            "environment": environment, Mappings;
            "module_defaults": module_defaults, Mappings;
        };
        let new = |below: &str, message: String| Problem::new(format!("{at}{below}"), message);
        values(&of, &new, out);
        conditions("when", &play.when, &new, out);
    }
    for placed in &tree.blocks {
        let of = keywords! { placed.block;
            "become": become_, Flag;
            "check_mode": check_mode, Flag;
            "diff": diff, Flag;
            "no_log": no_log, Flag;
            "ignore_errors": ignore_errors, Flag;
            "ignore_unreachable": ignore_unreachable, Flag;
            "any_errors_fatal": any_errors_fatal, Flag;
            "delegate_facts": delegate_facts, Flag;
            "run_once": run_once, Flag;
            "throttle": throttle, Number;
            "timeout": timeout, Number;
            "environment": environment, Mappings;
            "module_defaults": module_defaults, Mappings;
        };
        let new = |below: &str, message: String| {
            Problem::new(format!("{}{below}", placed.pointer), message)
        };
        values(&of, &new, out);
        conditions("when", &placed.block.when, &new, out);
    }
    for placed in &tree.tasks {
        check_task(placed, out);
    }
}

fn check_task(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let task: &Task = placed.task;
    let of = keywords! { task;
        "become": become_, Flag;
        "check_mode": check_mode, Flag;
        "diff": diff, Flag;
        "no_log": no_log, Flag;
        "ignore_errors": ignore_errors, Flag;
        "ignore_unreachable": ignore_unreachable, Flag;
        "any_errors_fatal": any_errors_fatal, Flag;
        "delegate_facts": delegate_facts, Flag;
        "run_once": run_once, Flag;
        "async": async_, Number;
        "delay": delay, Number;
        "poll": poll, Number;
        "retries": retries, Number;
        "throttle": throttle, Number;
        "timeout": timeout, Number;
        "environment": environment, Mappings;
        "module_defaults": module_defaults, Mappings;
    };
    let new = |below: &str, message: String| Problem::of(placed, below, message);
    values(&of, &new, out);
    for (name, list) in [
        ("when", &task.when),
        ("until", &task.until),
        ("changed_when", &task.changed_when),
        ("failed_when", &task.failed_when),
    ] {
        conditions(name, list, &new, out);
    }
    if let Some(name) = &task.register {
        variable("register", name, &new, out);
    }
    if let Some(items) = &task.loop_
        && task.loop_with.is_none()
    {
        check_loop(items, &new, out);
    }
    if let Some(control) = &task.loop_control {
        check_control(control, &new, out);
    }
}

type New<'a> = dyn Fn(&str, String) -> Problem + 'a;

fn values(of: &[(&str, Option<&Value>, Takes)], new: &New<'_>, out: &mut Vec<Problem>) {
    for (name, value, takes) in of {
        if let Some(value) = value
            && let Some(wanted) = takes.refuse(value)
        {
            out.push(new(
                &format!("/{name}"),
                format!("`{name}` takes {wanted}, not {}", shown(value)),
            ));
        }
    }
}

fn conditions(name: &str, list: &Conditions, new: &New<'_>, out: &mut Vec<Problem>) {
    for (i, condition) in list.0.iter().enumerate() {
        if !matches!(condition, Value::Str(_) | Value::Bool(_) | Value::Null) {
            // Documents write one condition, or a list of them; where the list stands cannot be told any more.
            let below = if list.0.len() == 1 {
                format!("/{name}")
            } else {
                format!("/{name}/{i}")
            };
            out.push(new(
                &below,
                format!("`{name}` takes expressions, not {}", shown(condition)),
            ));
        }
    }
}

fn variable(name: &str, value: &str, new: &New<'_>, out: &mut Vec<Problem>) {
    if !is_variable_name(value) {
        out.push(
            new(
                &format!("/{name}"),
                format!("`{name}` takes the name of a variable, and `{value}` is none"),
            )
            .note("names are made of letters, digits and `_`, and begin with no digit"),
        );
    }
}

fn check_loop(items: &Value, new: &New<'_>, out: &mut Vec<Problem>) {
    let problem = match items {
        Value::List(_) | Value::Secret(_) => return,
        Value::Str(text) if text.contains("{{") || text.contains("{%") => return,
        Value::Str(text) => new(
            "/loop",
            format!("`loop` takes a list, not the text `{text}`"),
        )
        .hint(Some(format!(
            "write `[\"{text}\"]` for one item, or `{{{{ {text} }}}}` for a variable"
        ))),
        Value::Map(_) | Value::Pairs(_) => {
            new("/loop", "`loop` takes a list, not a mapping".into()).hint(Some(
                "the filter `dict2items` makes a list of a mapping".into(),
            ))
        }
        other => new(
            "/loop",
            format!("`loop` takes a list, not {}", shown(other)),
        ),
    };
    out.push(problem);
}

fn check_control(control: &LoopControl, new: &New<'_>, out: &mut Vec<Problem>) {
    let under = |below: &str, message: String| new(&format!("/loop_control{below}"), message);
    let of = keywords! { control;
        "pause": pause, Number;
        "extended": extended, Flag;
        "extended_allitems": extended_allitems, Flag;
    };
    values(&of, &under, out);
    conditions("break_when", &control.break_when, &under, out);
    for (name, value) in [
        ("loop_var", &control.loop_var),
        ("index_var", &control.index_var),
    ] {
        if let Some(value) = value {
            variable(name, value, &under, out);
        }
    }
}

/// A value as messages show it.
fn shown(value: &Value) -> String {
    match value {
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) | Value::Pairs(_) => "a mapping".to_owned(),
        other => {
            let text: String = text(other).chars().take(60).collect();
            format!("`{text}`")
        }
    }
}
