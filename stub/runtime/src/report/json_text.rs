//! JSON as Python's `json.dumps` writes it with sorted keys: what people see behind ` => ` and pipe into other tools.

use std::fmt::Write as _;

use rustle_formats::order;
use rustle_formats::{Map, Value};

use super::python::python_str;

/// On one line, with `, ` and `: `.
pub fn compact(map: &Map) -> String {
    let mut out = String::new();
    write_map(&mut out, map, None);
    out
}

/// Over several lines, four spaces a level.
pub fn pretty(map: &Map) -> String {
    let mut out = String::new();
    write_map(&mut out, map, Some(0));
    out
}

fn write_map(out: &mut String, map: &Map, level: Option<usize>) {
    let mut entries: Vec<(&str, &Value)> = map.iter().map(|(k, v)| (k.as_str(), v)).collect();
    order::sort_by(&mut entries, |a, b| a.0.cmp(b.0));
    write_entries(out, &entries, level);
}

fn write_entries(out: &mut String, entries: &[(&str, &Value)], level: Option<usize>) {
    sequence(out, ('{', '}'), entries.len(), level, |out, i, inner| {
        let (key, value) = entries[i];
        write_text(out, key);
        out.push_str(": ");
        write_value(out, value, inner);
    });
}

fn write_value(out: &mut String, value: &Value, level: Option<usize>) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Float(f) if f.is_nan() => out.push_str("NaN"),
        Value::Float(f) if f.is_infinite() => {
            out.push_str(if *f > 0.0 { "Infinity" } else { "-Infinity" });
        }
        Value::Int(_) | Value::Float(_) => out.push_str(&python_str(value)),
        Value::Str(s) | Value::Unsafe(s) => write_text(out, s),
        Value::Secret(_) => write_text(out, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"),
        Value::List(list) => sequence(out, ('[', ']'), list.len(), level, |out, i, inner| {
            write_value(out, &list[i], inner);
        }),
        Value::Map(map) => write_map(out, map, level),
        Value::Pairs(pairs) => {
            let keys: Vec<String> = pairs.iter().map(|(k, _)| key_text(k)).collect();
            let mut entries: Vec<(&str, &Value)> = keys
                .iter()
                .zip(pairs)
                .map(|(key, (_, value))| (key.as_str(), value))
                .collect();
            order::sort_by(&mut entries, |a, b| a.0.cmp(b.0));
            write_entries(out, &entries, level);
        }
    }
}

/// JSON knows text keys only: numbers, booleans and null become text.
fn key_text(key: &Value) -> String {
    match key {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        other => python_str(other),
    }
}

fn sequence(
    out: &mut String,
    (open, close): (char, char),
    len: usize,
    level: Option<usize>,
    mut each: impl FnMut(&mut String, usize, Option<usize>),
) {
    out.push(open);
    let inner = level.map(|l| l + 1);
    for i in 0..len {
        match inner {
            Some(depth) => {
                out.push_str(if i > 0 { ",\n" } else { "\n" });
                indent(out, depth);
            }
            None if i > 0 => out.push_str(", "),
            None => {}
        }
        each(out, i, inner);
    }
    if let (Some(depth), true) = (level, len > 0) {
        out.push('\n');
        indent(out, depth);
    }
    out.push(close);
}

fn indent(out: &mut String, depth: usize) {
    for _ in 0..depth {
        out.push_str("    ");
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn one_line() {
        assert_eq!(
            compact(&map(
                r#"{"b":1,"a":[1.0,null,{}],"é":"x\t\"\u0001</","c":[]}"#
            )),
            "{\"a\": [1.0, null, {}], \"b\": 1, \"c\": [], \"é\": \"x\\t\\\"\\u0001</\"}"
        );
    }

    #[test]
    fn several_lines() {
        assert_eq!(
            pretty(&map(r#"{"msg":{"b":1,"a":[1,{"c":null}],"e":{},"f":[]}}"#)),
            "{\n    \"msg\": {\n        \"a\": [\n            1,\n            {\n                \"c\": null\n            }\n        ],\n        \"b\": 1,\n        \"e\": {},\n        \"f\": []\n    }\n}"
        );
    }
}
