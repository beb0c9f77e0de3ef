//! Results of tasks: what is added to what a module returned, how loops are summed up, what is hidden.

use rustle_formats::event::Status;
use rustle_formats::order;
use rustle_formats::{Map, Value};

use crate::outcome::{ModuleResult, Outcome};

/// What is shown in place of a result under `no_log`.
const CENSORED: &str =
    "the output has been hidden due to the fact that 'no_log: true' was specified for this result";

/// What is shown in place of a loop's item under `no_log`.
pub(crate) const CENSORED_LABEL: &str = "(censored due to no_log)";

/// A failure of the task itself, before or around the module.
pub(crate) fn task_failed(message: &str) -> Map {
    failed(&format!("Task failed: {message}"))
}

/// A failure with this message.
pub(crate) fn failed(message: &str) -> Map {
    let mut map = Map::new();
    map.insert("failed".into(), true.into());
    map.insert("msg".into(), message.into());
    map.insert("changed".into(), false.into());
    explain(&mut map);
    map
}

/// What Ansible says of a failure's origin where it keeps no traceback.
const NO_TRACEBACK: &str = "(traceback unavailable)";

/// Every failure has an `exception`; one that a condition has taken back keeps it under another name.
pub(crate) fn explain(map: &mut Map) {
    if is(map, "failed") {
        map.entry("exception".into())
            .or_insert_with(|| NO_TRACEBACK.into());
    } else if let Some(exception) = map.shift_remove("exception") {
        map.insert("failed_when_suppressed_exception".into(), exception);
    }
}

/// What events tell of a result: an `exception` that says nothing is left out.
pub(crate) fn told(map: &Map) -> Map {
    let silent = |map: &Map| map.get("exception").and_then(Value::as_str) == Some(NO_TRACEBACK);
    let mut told = map.clone();
    if silent(map) {
        told.shift_remove("exception");
    }
    if let Some(Value::List(results)) = told.get_mut("results") {
        for result in results {
            if let Value::Map(one) = result
                && silent(one)
            {
                one.shift_remove("exception");
            }
        }
    }
    told
}

/// The result of a module on a host that cannot be reached.
pub(crate) fn unreachable(why: &str) -> Map {
    let mut map = failed(why);
    map.shift_remove("failed");
    map.insert("unreachable".into(), true.into());
    map
}

/// A task that a condition kept from being done.
pub(crate) fn skipped(condition: &Value) -> Map {
    let mut map = Map::new();
    map.insert("changed".into(), false.into());
    map.insert("skipped".into(), true.into());
    map.insert("skip_reason".into(), "Conditional result was False".into());
    map.insert("false_condition".into(), condition.clone());
    map
}

/// A module's result as a mapping, with what Ansible adds to every result.
pub(crate) fn of_module(result: ModuleResult) -> Map {
    let mut map = result.unwrap_or_else(Outcome::from).into_map();
    if !map.contains_key("failed") {
        let rc = map.get("rc").and_then(Value::as_i64).unwrap_or(0);
        map.insert("failed".into(), (rc != 0).into());
    }
    for (stream, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        if map.contains_key(lines) {
            continue;
        }
        if let Some(Value::Str(text)) = map.get(stream) {
            let split: Vec<Value> = split_lines(text).map(Value::from).collect();
            map.insert(lines.into(), Value::List(split));
        }
    }
    if is(&map, "failed") {
        explain(&mut map);
    }
    map
}

/// Lines as Python's `splitlines` sees them, for the ends of line that commands print.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    let mut parts = (!text.is_empty()).then(|| text.split('\n'));
    std::iter::from_fn(move || {
        parts
            .as_mut()?
            .next()
            .map(|l| l.strip_suffix('\r').unwrap_or(l))
    })
}

/// Whether a key is there and true.
pub(crate) fn is(map: &Map, key: &str) -> bool {
    matches!(map.get(key), Some(Value::Bool(true)))
}

/// How a result counts.
pub(crate) fn status(map: &Map) -> Status {
    if is(map, "unreachable") {
        Status::Unreachable
    } else if is(map, "failed") {
        Status::Failed
    } else if is(map, "skipped") {
        Status::Skipped
    } else if is(map, "changed") {
        Status::Changed
    } else {
        Status::Ok
    }
}

/// What a variable gets of a result: without what is said to the display alone (`_ansible_…`).
pub(crate) fn registered(map: &Map) -> Value {
    let kept = map.iter().filter(|(key, _)| !key.starts_with("_ansible_"));
    Value::Map(kept.map(|(k, v)| (k.clone(), v.clone())).collect())
}

/// The result of a loop.
pub(crate) fn of_loop(items: Vec<Map>) -> Map {
    let mut map = Map::new();
    if items.is_empty() {
        map.insert("changed".into(), false.into());
        map.insert("skipped".into(), true.into());
        map.insert("skipped_reason".into(), "No items in the list".into());
        map.insert("results".into(), Value::List(Vec::new()));
        return map;
    }
    let any = |key: &str| items.iter().any(|m| is(m, key));
    let all_skipped = items.iter().all(|m| is(m, "skipped"));
    let (changed, some_failed, unreachable) = (any("changed"), any("failed"), any("unreachable"));
    #[cfg(feature = "full")]
    let items = items.into_iter().map(|mut item| {
        item.shift_remove(crate::report::UNSHOWN_DIFF);
        item
    });
    #[cfg(not(feature = "full"))]
    let items = items.into_iter();
    map.insert(
        "results".into(),
        Value::List(items.map(Value::Map).collect()),
    );
    map.insert("skipped".into(), all_skipped.into());
    if some_failed {
        map.insert("failed".into(), true.into());
    }
    if unreachable {
        map.insert("unreachable".into(), true.into());
    }
    let message = if some_failed {
        "One or more items failed"
    } else if all_skipped {
        "All items skipped"
    } else {
        "All items completed"
    };
    map.insert("msg".into(), message.into());
    map.insert("changed".into(), changed.into());
    map
}

/// What events show of a result under `no_log`.
pub(crate) fn censored(map: &Map) -> Map {
    let mut out = Map::new();
    out.insert("censored".into(), CENSORED.into());
    if let Some(changed) = map.get("changed") {
        out.insert("changed".into(), changed.clone());
    }
    for key in ["failed", "skipped", "attempts", "retries"] {
        if let Some(value) = map.get(key) {
            out.insert(key.into(), value.clone());
        }
    }
    if let Some(Value::List(results)) = map.get("results") {
        let hidden = results
            .iter()
            .filter_map(Value::as_map)
            .map(|item| Value::Map(censored(item)))
            .collect();
        out.insert("results".into(), Value::List(hidden));
    }
    out
}

/// What Ansible shows in place of a whole value that an argument marked secret had.
const NO_LOG_VALUE: &str = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";

/// Takes texts out of a result: whole values become [`NO_LOG_VALUE`], parts of longer texts stars.
fn hide(value: &mut Value, texts: &[&str]) {
    match value {
        Value::Str(text) | Value::Unsafe(text) => {
            if texts.contains(&text.as_str()) {
                NO_LOG_VALUE.clone_into(text);
                return;
            }
            for secret in texts.iter().filter(|t| !t.is_empty()) {
                if text.contains(secret) {
                    *text = text.replace(secret, "********");
                }
            }
        }
        Value::List(list) => list.iter_mut().for_each(|v| hide(v, texts)),
        Value::Map(map) => {
            hide_keys(map, texts);
            map.values_mut().for_each(|v| hide(v, texts));
        }
        Value::Pairs(pairs) => pairs.iter_mut().for_each(|(k, v)| {
            hide(k, texts);
            hide(v, texts);
        }),
        Value::Int(n) if texts.contains(&n.to_string().as_str()) => {
            *value = Value::Str(NO_LOG_VALUE.to_owned());
        }
        _ => {}
    }
}

fn hide_keys(map: &mut Map, texts: &[&str]) {
    if map
        .keys()
        .any(|k| texts.iter().any(|t| !t.is_empty() && k.contains(t)))
    {
        *map = std::mem::take(map)
            .into_iter()
            .map(|(mut k, v)| {
                for secret in texts.iter().filter(|t| !t.is_empty()) {
                    k = k.replace(secret, "********");
                }
                (k, v)
            })
            .collect();
    }
}

/// Takes the values of arguments marked secret out of a result, as Ansible's modules do before they answer.
pub(crate) fn hide_arguments(map: &mut Map, texts: &[String]) {
    if texts.is_empty() {
        return;
    }
    let texts: Vec<&str> = longest_first(texts.iter().map(String::as_str));
    for value in map.values_mut() {
        hide(value, &texts);
    }
}

/// Longer secrets first: one may be a part of another.
fn longest_first<'t>(texts: impl Iterator<Item = &'t str>) -> Vec<&'t str> {
    let mut texts: Vec<&str> = texts.filter(|t| !t.is_empty()).collect();
    order::sort_by_key(&mut texts, |t| std::cmp::Reverse(t.len()));
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn loops_are_summed_up() {
        let done = of_loop(vec![
            map(r#"{"changed":true,"failed":false}"#),
            map(r#"{"skipped":true}"#),
        ]);
        assert_eq!(
            Value::Map(done).to_string(),
            r#"{"results":[{"changed":true,"failed":false},{"skipped":true}],"skipped":false,"msg":"All items completed","changed":true}"#
        );
        assert_eq!(
            of_loop(vec![map(r#"{"failed":true}"#)])["msg"],
            "One or more items failed".into()
        );
    }

    #[test]
    fn lines_are_split_as_python_does() {
        for (text, lines) in [
            ("", vec![]),
            ("a", vec!["a"]),
            ("a\n\nb\r\n", vec!["a", "", "b"]),
        ] {
            assert_eq!(split_lines(text).collect::<Vec<_>>(), lines);
        }
    }

    #[test]
    fn secret_arguments_are_hidden_wherever_they_stand() {
        let mut value: Map =
            serde_json::from_str(r#"{"a":"pw","b":["x pw y"],"kpwk":1,"n":1234}"#).unwrap();
        hide_arguments(&mut value, &["pw".into(), "1234".into()]);
        assert_eq!(
            Value::Map(value).to_string(),
            r#"{"a":"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER","b":["x ******** y"],"kpwk":1,"n":"VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"}"#
        );
    }
}
