//! What an include's `apply` says: the keywords of a block that stands around the included tasks.
//!
//! Read by hand and not by serde, although a block can be read so: a second reader of blocks, tasks and all in them,
//! for data that is no document, would be a fiftieth of the stub.

use rustle_formats::plan::{Block, Conditions};
use rustle_formats::{Map, Value};

/// The block that the keywords make. The error is a sentence.
pub(super) fn block(apply: &Value) -> Result<Block, String> {
    let keywords = apply
        .as_map()
        .ok_or_else(|| format!("'apply' cannot be used: {apply} is not a mapping of keywords"))?;
    let mut block = Block::default();
    for (name, value) in keywords {
        set(&mut block, name, value).map_err(|e| format!("'apply' cannot be used: {e}"))?;
    }
    Ok(block)
}

/// Sets one keyword.
fn set(block: &mut Block, name: &str, value: &Value) -> Result<(), String> {
    let wrong = |kind: &str| format!("'{name}' is {value}, where {kind} is expected");
    match name {
        "name" => block.name = value.as_str().ok_or_else(|| wrong("text"))?.to_owned(),
        "when" => block.when = conditions(value),
        "vars" => block.vars = variables(value).ok_or_else(|| wrong("a mapping"))?,
        "tags" => block.tags = words(value).ok_or_else(|| wrong("a list of words"))?,
        "notify" => block.notify = words(value).ok_or_else(|| wrong("a list of names"))?,
        _ => {
            let place = keyword(block, name)
                .ok_or_else(|| format!("'{name}' is not a keyword that a block has"))?;
            *place = Some(value.clone()).filter(|v| !v.is_null());
        }
    }
    Ok(())
}

/// The keywords of a block that take any value, since templates may give it.
fn keyword<'b>(block: &'b mut Block, name: &str) -> Option<&'b mut Option<Value>> {
    Some(match name {
        "become" => &mut block.become_,
        "become_user" => &mut block.become_user,
        "become_method" => &mut block.become_method,
        "become_flags" => &mut block.become_flags,
        "become_exe" => &mut block.become_exe,
        "remote_user" => &mut block.remote_user,
        "connection" => &mut block.connection,
        "port" => &mut block.port,
        "environment" => &mut block.environment,
        "check_mode" => &mut block.check_mode,
        "diff" => &mut block.diff,
        "no_log" => &mut block.no_log,
        "ignore_errors" => &mut block.ignore_errors,
        "ignore_unreachable" => &mut block.ignore_unreachable,
        "delegate_to" => &mut block.delegate_to,
        "delegate_facts" => &mut block.delegate_facts,
        "run_once" => &mut block.run_once,
        "timeout" => &mut block.timeout,
        "throttle" => &mut block.throttle,
        "any_errors_fatal" => &mut block.any_errors_fatal,
        "module_defaults" => &mut block.module_defaults,
        _ => return None,
    })
}

/// One condition or a list of them.
fn conditions(value: &Value) -> Conditions {
    Conditions(match value {
        Value::List(all) => all.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    })
}

fn variables(value: &Value) -> Option<Map> {
    match value {
        Value::Null => Some(Map::new()),
        _ => value.as_map().cloned(),
    }
}

/// A list of words, or words with commas between them.
fn words(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Null => Some(Vec::new()),
        Value::List(all) => all.iter().map(|w| Some(w.as_str()?.to_owned())).collect(),
        _ => {
            let text = value.as_str()?;
            Some(text.split(',').map(|w| w.trim().to_owned()).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    /// What the plan's reader makes of the same keywords.
    fn read(json: &str) -> Block {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn every_keyword_is_what_it_is_on_a_block() {
        // All that a block has, found by writing one, but for what is in it and where it stands.
        let serde_json::Value::Object(all) = serde_json::to_value(Block::default()).unwrap() else {
            panic!("a block is an object");
        };
        let own = ["block", "rescue", "always", "use_role", "file", "source"];
        for name in all.keys().filter(|n| !own.contains(&n.as_str())) {
            let given = match name.as_str() {
                "name" => r#""n""#,
                "vars" => r#"{"a": [1, "{{ b }}"]}"#,
                "when" | "tags" | "notify" => r#"["x", "y"]"#,
                _ => r#"{"k": ["{{ v }}", 2]}"#,
            };
            let json = format!("{{\"{name}\": {given}}}");
            assert_eq!(block(&value(&json)), Ok(read(&json)), "{name}");
        }
        for name in own {
            assert!(block(&value(&format!("{{\"{name}\": []}}"))).is_err());
        }
    }

    #[test]
    fn short_forms() {
        let made = block(&value(
            r#"{"tags": "a, b", "notify": "h", "when": "x", "become": null, "vars": null}"#,
        ))
        .unwrap();
        assert_eq!(made.tags, ["a", "b"]);
        assert_eq!(made.notify, ["h"]);
        assert_eq!(made.when.0, [Value::from("x")]);
        assert_eq!(made.become_, None);
        assert!(made.vars.is_empty());
    }

    #[test]
    fn what_cannot_be_used() {
        for (json, said) in [
            (
                r#"[1]"#,
                "'apply' cannot be used: [1] is not a mapping of keywords",
            ),
            (
                r#"{"loop": [1]}"#,
                "'apply' cannot be used: 'loop' is not a keyword that a block has",
            ),
            (
                r#"{"tags": [{"a": 1}]}"#,
                r#"'apply' cannot be used: 'tags' is [{"a":1}], where a list of words is expected"#,
            ),
            (
                r#"{"vars": 3}"#,
                "'apply' cannot be used: 'vars' is 3, where a mapping is expected",
            ),
            (
                r#"{"name": 3}"#,
                "'apply' cannot be used: 'name' is 3, where text is expected",
            ),
        ] {
            assert_eq!(block(&value(json)).unwrap_err(), said);
        }
    }
}
