//! The texts of a task that are templates or expressions, each with its place.

use rustle_formats::Value;
use rustle_formats::plan::{Conditions, Task};

use super::walk::escaped;
use crate::spec::Spec;

/// A text and how it is read.
pub(super) struct Text<'p> {
    /// The rest of the JSON pointer, below the task.
    pub below: String,
    /// The text.
    pub text: &'p str,
    /// Whether it is a bare expression.
    pub expression: bool,
}

/// All texts of a task.
pub(super) fn texts<'p>(task: &'p Task, spec: Option<&Spec>) -> Vec<Text<'p>> {
    let mut out = Vec::new();
    for (name, value) in &task.args {
        let below = format!("/args/{}", escaped(name));
        let raw = spec.is_some_and(|s| s.arg(name).is_some_and(|a| a.raw));
        let bare = raw || spec.is_some_and(|s| s.name == "debug" && name == "var");
        values(value, &below, bare, &mut out);
    }
    for (name, conditions) in [
        ("when", &task.when),
        ("until", &task.until),
        ("changed_when", &task.changed_when),
        ("failed_when", &task.failed_when),
    ] {
        conditions_of(conditions, &format!("/{name}"), &mut out);
    }
    if let Some(control) = &task.loop_control {
        conditions_of(&control.break_when, "/loop_control/break_when", &mut out);
        if let Some(label) = &control.label {
            values(label, "/loop_control/label", false, &mut out);
        }
    }
    for (name, value) in [
        ("loop", &task.loop_),
        ("environment", &task.environment),
        ("become", &task.become_),
        ("become_user", &task.become_user),
        ("delegate_to", &task.delegate_to),
        ("retries", &task.retries),
        ("delay", &task.delay),
        ("timeout", &task.timeout),
        ("async", &task.async_),
        ("poll", &task.poll),
        ("ignore_errors", &task.ignore_errors),
        ("no_log", &task.no_log),
        ("check_mode", &task.check_mode),
        ("diff", &task.diff),
    ] {
        if let Some(value) = value {
            values(value, &format!("/{name}"), false, &mut out);
        }
    }
    out
}

/// The texts of conditions.
pub(super) fn conditions_of<'p>(conditions: &'p Conditions, below: &str, out: &mut Vec<Text<'p>>) {
    for (i, condition) in conditions.0.iter().enumerate() {
        if let Value::Str(text) = condition {
            let below = if conditions.0.len() == 1 {
                below.to_owned()
            } else {
                format!("{below}/{i}")
            };
            out.push(Text {
                below,
                text,
                expression: true,
            });
        }
    }
}

/// The texts in a value, at any depth.
pub(super) fn values<'p>(value: &'p Value, below: &str, expression: bool, out: &mut Vec<Text<'p>>) {
    match value {
        Value::Str(text) => out.push(Text {
            below: below.to_owned(),
            text,
            expression,
        }),
        Value::List(list) => {
            for (i, item) in list.iter().enumerate() {
                values(item, &format!("{below}/{i}"), expression, out);
            }
        }
        Value::Map(map) => {
            for (key, item) in map {
                values(item, &format!("{below}/{}", escaped(key)), expression, out);
            }
        }
        _ => {}
    }
}
