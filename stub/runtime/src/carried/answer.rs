//! What a module has printed, as a result: JSON, perhaps with lines before and after it that something else has printed.

use rustle_formats::{Map, Value};

use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::Done;
use crate::report::UNSHOWN_DIFF;

/// The result of a module that ended.
/// Differences are shown where they are `wanted`.
pub(super) fn read(done: &Done, wanted: bool) -> ModuleResult {
    let text = done.out();
    let (json, junk) = match json_of(&text) {
        Some(found) => found,
        None => return Err(unreadable(done, "No start of json char found")),
    };
    let mut map: Map = serde_json::from_str(json).map_err(|e| unreadable(done, &e.to_string()))?;
    let mut outcome = of_map(&mut map, wanted);
    if !junk.is_empty() {
        outcome.warnings.push(format!(
            "Module invocation had junk after the JSON data: {junk}"
        ));
    }
    Ok(outcome)
}

/// The lines from the first that begins JSON to the last that ends it, and what comes after.
fn json_of(text: &str) -> Option<(&str, &str)> {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with(['{', '[']) {
            break;
        }
        start += line.len();
    }
    let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
    let close = if rest.trim_start().starts_with('{') {
        '}'
    } else {
        ']'
    };
    let mut end = rest.len();
    for line in rest.split_inclusive('\n').rev() {
        if line.trim_end().ends_with(close) {
            break;
        }
        end -= line.len();
    }
    if end == 0 {
        end = rest.len();
    }
    Some((&rest[..end], rest[end..].trim()))
}

fn unreadable(done: &Done, why: &str) -> Failure {
    Failure::new(format!("Module result deserialization failed: {why}"))
        .with("module_stdout", done.out())
        .with("module_stderr", done.err())
        .with("rc", i64::from(done.rc))
}

/// A module's own result, its difference, which is shown where it is `wanted`, without what is only meant for its starter.
pub(super) fn of_map(map: &mut Map, wanted: bool) -> Outcome {
    let mut out = Outcome::ok();
    // What it was given is the caller's to show; a traceback is shown by nobody.
    for told in ["invocation", "exception"] {
        map.shift_remove(told);
    }
    internal(map);
    let flag = |value: Option<Value>| value.is_some_and(|v| crate::args::boolean(&v) == Some(true));
    out.changed = flag(map.shift_remove("changed"));
    out.skipped = flag(map.shift_remove("skipped"));
    // A false one has its say over an exit code.
    if map
        .get("failed")
        .is_some_and(|v| crate::args::boolean(v) == Some(true))
    {
        map.shift_remove("failed");
        out.failed = true;
    }
    if let Some(Value::Str(_)) = map.get("msg")
        && let Some(Value::Str(text)) = map.shift_remove("msg")
    {
        out.msg = Some(text);
    }
    out.diff = map.shift_remove("diff");
    if out.diff.is_some() && !wanted {
        // It is registered, and nobody is shown it.
        map.insert(UNSHOWN_DIFF.to_owned(), true.into());
    }
    if let Some(Value::Map(_)) = map.get("ansible_facts")
        && let Some(Value::Map(facts)) = map.shift_remove("ansible_facts")
    {
        out.facts = facts;
    }
    let warnings = match map.shift_remove("warnings") {
        Some(Value::List(list)) => list,
        Some(Value::Str(text)) => vec![Value::Str(text)],
        _ => Vec::new(),
    };
    out.warnings.extend(warnings.iter().map(message));
    if let Some(Value::List(list)) = map.get_mut("deprecations") {
        list.iter_mut().for_each(deprecation);
    }
    out.fields = std::mem::take(map);
    out
}

/// The text of a warning, which newer modules wrap.
fn message(warning: &Value) -> String {
    let inner = warning.get("event").and_then(|e| e.get("msg"));
    crate::args::text(inner.unwrap_or(warning))
}

/// A deprecation in the shape that is registered.
fn deprecation(value: &mut Value) {
    let Some(event) = value.get("event") else {
        return;
    };
    let mut out = Map::new();
    out.insert("msg".into(), event.get("msg").cloned().unwrap_or_default());
    for key in ["version", "date"] {
        if let Some(given) = value.get(key).filter(|v| !v.is_null()) {
            out.insert(key.into(), given.clone());
        }
    }
    if let Some(Value::Map(who)) = value.get("deprecator") {
        let mut who = who.clone();
        who.shift_remove("__ansible_type");
        if let Some(kind) = who.get("type").and_then(|t| t.get("value")).cloned() {
            who.insert("type".into(), kind);
        }
        let name = who.get("resolved_name").and_then(Value::as_str);
        if let Some((collection, _)) = name.and_then(|n| n.rsplit_once('.')) {
            out.insert("collection_name".into(), collection.into());
        }
        out.insert("deprecator".into(), Value::Map(who));
    }
    *value = Value::Map(out);
}

/// Takes out what modules and their starters say to each other.
fn internal(map: &mut Map) {
    map.retain(|key, _| !key.starts_with("_ansible_"));
    for value in map.values_mut() {
        within(value);
    }
}

fn within(value: &mut Value) {
    match value {
        Value::Map(map) => internal(map),
        Value::List(list) => list.iter_mut().for_each(within),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn done(out: &str, rc: i32) -> Done {
        Done {
            rc,
            stdout: out.into(),
            stderr: b"e".to_vec(),
            elapsed: Duration::ZERO,
        }
    }

    #[test]
    fn junk_around_json_is_no_harm() {
        let read = read(
            &done("hello\n {\"changed\": true,\n \"a\": 1}\nbye\n", 0),
            true,
        )
        .unwrap();
        assert!(read.changed);
        assert_eq!(read.fields["a"], 1.into());
        assert_eq!(
            read.warnings,
            ["Module invocation had junk after the JSON data: bye"]
        );
    }

    #[test]
    fn what_is_no_json_is_told_with_both_outputs() {
        for (text, why) in [
            ("nothing", "No start of json char found"),
            ("{x}", "key must be a string"),
        ] {
            let failure = read(&done(text, 3), true).unwrap_err();
            assert!(failure.msg.contains(why), "{}", failure.msg);
            assert_eq!(failure.fields["module_stdout"], text.into());
            assert_eq!(failure.fields["rc"], 3.into());
        }
    }

    #[test]
    fn what_is_said_to_the_starter_stays_there() {
        let text = r#"{"failed": false, "rc": 2, "invocation": {}, "got": {"_ansible_x": 1, "y": 2},
            "warnings": [{"event": {"msg": "careful"}}, "plain"],
            "deprecations": [{"event": {"msg": "old"}, "version": "9", "deprecator": {"resolved_name": "a.b.c", "type": "module"}}]}"#;
        let read = read(&done(text, 2), true).unwrap();
        let shown = Value::Map(read.clone().into_map()).to_string();
        assert_eq!(read.warnings, ["careful", "plain"]);
        assert_eq!(read.fields["got"].to_string(), r#"{"y":2}"#);
        assert_eq!(read.fields["failed"], false.into());
        assert!(
            shown.contains(r#""deprecations":[{"msg":"old","version":"9","collection_name":"a.b""#),
            "{shown}"
        );
    }
}
