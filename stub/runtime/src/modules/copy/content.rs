//! Text out of whatever `content` holds. Mappings and lists become JSON in Python's layout, which is what existing
//! files hold: `{"a": [1, 2]}`, with everything beyond ASCII escaped.

use rustle_formats::Value;

/// The text.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Str(s) | Value::Unsafe(s) | Value::Secret(s) => s.clone(),
        Value::Null => String::new(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) => float(*f),
        other => {
            let mut out = String::new();
            json(other, &mut out);
            out
        }
    }
}

fn float(f: f64) -> String {
    if f.fract() == 0.0 && f.abs() < 1e16 {
        format!("{f:.1}")
    } else {
        f.to_string()
    }
}

fn json(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&float(*f)),
        Value::Str(s) | Value::Unsafe(s) | Value::Secret(s) => string(s, out),
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                json(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => members(map.iter().map(|(k, v)| (k.clone(), v)), out),
        Value::Pairs(pairs) => members(pairs.iter().map(|(k, v)| (key(k), v)), out),
    }
}

/// A key that is no text, as Python's json writes it.
fn key(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        other => text(other),
    }
}

fn members<'a>(members: impl Iterator<Item = (String, &'a Value)>, out: &mut String) {
    out.push('{');
    for (i, (key, value)) in members.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        string(&key, out);
        out.push_str(": ");
        json(value, out);
    }
    out.push('}');
}

fn string(text: &str, out: &mut String) {
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
            c if c.is_ascii() && !c.is_ascii_control() => out.push(c),
            c => {
                let mut units = [0u16; 2];
                for unit in c.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_writes_it() {
        let value: Value = serde_json::from_str(r#"{"b":[1,2.0,true,null],"ä":"😀\""}"#).unwrap();
        assert_eq!(
            text(&value),
            r#"{"b": [1, 2.0, true, null], "\u00e4": "\ud83d\ude00\""}"#
        );
    }
}
