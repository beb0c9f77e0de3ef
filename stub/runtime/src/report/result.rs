//! Which part of a task's result people see, and how.

use rustle_formats::event::Status;
use rustle_formats::{Map, Value};

use super::display::Display;
use super::trouble::is_early;

/// A result that is going to be shown.
pub(super) struct Shown<'a> {
    /// The result.
    pub(super) result: &'a Value,
    /// The module's short name.
    pub(super) module: &'a str,
    /// How it ended.
    pub(super) status: Status,
    /// Whether it is the result of a loop as a whole.
    pub(super) looped: bool,
    /// How many `-v`.
    pub(super) verbosity: u8,
}

/// A result without what is told elsewhere. `module`: its short name.
pub fn visible(result: &Value, module: &str, status: Status, verbosity: u8) -> Map {
    Shown {
        result,
        module,
        status,
        looped: false,
        verbosity,
    }
    .visible()
}

impl Shown<'_> {
    /// What stands behind ` => `, where there is to be any. Failures always show theirs; others with `-v`, or where showing
    /// something is what the module is for.
    pub(super) fn text(&self, display: Display) -> Option<String> {
        let failure = matches!(self.status, Status::Failed | Status::Unreachable);
        let always = self.always();
        if !failure && !always && (self.verbosity == 0 || self.quiet()) {
            return None;
        }
        Some(display.data(&self.visible(), always))
    }

    /// Whether the module is there to show something: `debug`, and `assert` unless it was asked to be quiet. What failed
    /// before the module ran is not its showing.
    fn always(&self) -> bool {
        if let Some(told) = self.flag("_ansible_verbose_always") {
            return told;
        }
        let msg = self.result.get("msg").and_then(Value::as_str);
        match self.module {
            _ if self.result.get("censored").is_some() || self.looped => false,
            "debug" | "assert" => {
                self.status != Status::Skipped
                    && !(self.status == Status::Failed && msg.is_some_and(is_early))
            }
            _ => false,
        }
    }

    /// Whether `-v` alone does not make it show its result: facts are long.
    fn quiet(&self) -> bool {
        self.flag("_ansible_verbose_override")
            .unwrap_or(matches!(self.module, "setup" | "gather_facts"))
            && self.verbosity < 2
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.result.get(name).and_then(Value::as_bool)
    }

    /// The result without what is told elsewhere.
    fn visible(&self) -> Map {
        let Value::Map(result) = self.result else {
            return Map::new();
        };
        let mut out: Map = result
            .iter()
            .filter(|(key, _)| !self.hidden(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if self.module == "debug" && (!self.looped || self.status == Status::Failed) {
            debug_only(&mut out, result, self.status == Status::Skipped);
        }
        out
    }

    fn hidden(&self, key: &str) -> bool {
        match key {
            "failed" | "skipped" | "exception" | "warnings" | "deprecations" | "diff" => true,
            "invocation" => self.verbosity < 3,
            "results" => self.looped && self.status != Status::Unreachable,
            other => other.starts_with("_ansible_"),
        }
    }
}

/// What `debug` shows is its message or its variable, without the bookkeeping around it.
fn debug_only(shown: &mut Map, result: &Map, skipped: bool) {
    if let Some(msg) = shown.shift_remove("msg") {
        shown.clear();
        shown.insert("msg".to_owned(), msg);
        return;
    }
    let text = |key: &str, default: &str| {
        result
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or(default)
            .to_owned()
    };
    let extra = [
        text("ansible_loop_var", "ansible_loop_var"),
        text("ansible_index_var", "ansible_index_var"),
        "ansible_loop_var".to_owned(),
        "ansible_index_var".to_owned(),
        "ansible_loop".to_owned(),
        "changed".to_owned(),
        "skip_reason".to_owned(),
        "failed_when_result".to_owned(),
    ];
    let rest: Map = shown
        .iter()
        // Of an item that was skipped the item is told.
        .filter(|(key, _)| !extra[usize::from(skipped)..].contains(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    // `debug: var=item` in a loop: the variable is itself the bookkeeping.
    if rest.is_empty() {
        shown.retain(|key, _| *key == extra[0]);
    } else {
        *shown = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(module: &str, status: Status, verbosity: u8, result: &str) -> Option<String> {
        let result = serde_json::from_str(result).unwrap();
        let shown = Shown {
            result: &result,
            module,
            status,
            looped: false,
            verbosity,
        };
        shown.text(Display::default())
    }

    #[test]
    fn results_are_for_failures_and_v() {
        let result = r#"{"failed": true, "changed": false, "msg": "m", "invocation": {}}"#;
        assert_eq!(json("stat", Status::Ok, 0, result), None);
        let line = r#"{"changed": false, "msg": "m"}"#.to_owned();
        assert_eq!(json("stat", Status::Ok, 1, result), Some(line.clone()));
        assert_eq!(json("stat", Status::Failed, 0, result), Some(line));
        assert_eq!(json("setup", Status::Ok, 1, result), None);
    }

    #[test]
    fn debug_shows_its_message_or_variable() {
        let msg = "{\n    \"msg\": \"hey\"\n}".to_owned();
        for result in [
            r#"{"msg": "hey", "changed": false}"#,
            r#"{"msg": "hey", "item": 1, "ansible_loop_var": "item", "failed_when_result": true}"#,
        ] {
            assert_eq!(json("debug", Status::Ok, 0, result), Some(msg.clone()));
        }
        assert_eq!(
            json(
                "debug",
                Status::Ok,
                0,
                r#"{"item": 2, "ansible_loop_var": "item", "changed": false}"#
            ),
            Some("{\n    \"item\": 2\n}".to_owned())
        );
        assert_eq!(
            json(
                "debug",
                Status::Skipped,
                1,
                r#"{"changed": false, "false_condition": "z", "skip_reason": "s"}"#
            ),
            Some(r#"{"false_condition": "z"}"#.to_owned())
        );
    }

    #[test]
    fn what_failed_before_the_module_ran_is_one_line() {
        assert_eq!(
            json("debug", Status::Failed, 0, r#"{"msg": "Task failed: x"}"#),
            Some(r#"{"msg": "Task failed: x"}"#.to_owned())
        );
    }
}
