//! Python's `json.dumps`.

use crate::Error;
use crate::value::{MAX_DATA_DEPTH, Value, float_repr, key_text, to_text};

/// How JSON is written.
pub(crate) struct JsonStyle {
    /// The width of one level, or everything on one line.
    pub(crate) indent: Option<usize>,
    /// Between items.
    pub(crate) item_separator: String,
    /// Between a key and its value.
    pub(crate) key_separator: String,
    /// Keys in order.
    pub(crate) sort_keys: bool,
    /// Everything but ASCII as escapes.
    pub(crate) ascii: bool,
}

/// Appends a value as JSON.
pub(crate) fn write_json(
    out: &mut String,
    value: &Value,
    style: &JsonStyle,
    level: usize,
) -> Result<(), Error> {
    if level > MAX_DATA_DEPTH {
        return Err(Error::value("Circular reference detected"));
    }
    match value {
        Value::Undefined(u) => return Err(u.error()),
        Value::None | Value::Omit => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(_) | Value::Big(_) => out.push_str(&to_text(value)?),
        Value::Float(f) => out.push_str(&json_float(*f)),
        Value::Str(text) => write_string(out, text, style.ascii),
        Value::Bytes(bytes) => write_string(out, &String::from_utf8_lossy(bytes), style.ascii),
        Value::List(list) => write_list(out, &list.to_vec(), style, level)?,
        Value::Tuple(items) => write_list(out, items, style, level)?,
        Value::Dict(dict) => write_dict(out, dict.pairs(), style, level)?,
        Value::Object(object) => match object.to_data() {
            Some(data) => write_json(out, &data, style, level + 1)?,
            None => {
                return Err(Error::type_error(format!(
                    "Object of type {} is not JSON serializable",
                    value.type_name()
                )));
            }
        },
    }
    Ok(())
}

fn json_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        float_repr(value)
    }
}

fn newline(out: &mut String, style: &JsonStyle, level: usize) {
    if let Some(indent) = style.indent {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent * level));
    }
}

fn write_list(
    out: &mut String,
    items: &[Value],
    style: &JsonStyle,
    level: usize,
) -> Result<(), Error> {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(&style.item_separator);
        }
        newline(out, style, level + 1);
        write_json(out, item, style, level + 1)?;
    }
    if !items.is_empty() {
        newline(out, style, level);
    }
    out.push(']');
    Ok(())
}

fn write_dict(
    out: &mut String,
    mut pairs: Vec<(Value, Value)>,
    style: &JsonStyle,
    level: usize,
) -> Result<(), Error> {
    if style.sort_keys {
        let keyed = pairs
            .into_iter()
            .map(|(key, value)| (key.clone(), Value::tuple(vec![key, value])))
            .collect();
        pairs = crate::filters::sort_keyed(keyed, false)?
            .into_iter()
            .filter_map(|pair| match pair {
                Value::Tuple(pair) => Some((pair[0].clone(), pair[1].clone())),
                _ => None,
            })
            .collect();
    }
    out.push('{');
    for (index, (key, value)) in pairs.iter().enumerate() {
        if index > 0 {
            out.push_str(&style.item_separator);
        }
        newline(out, style, level + 1);
        write_string(out, &key_text(key)?, style.ascii);
        out.push_str(&style.key_separator);
        write_json(out, value, style, level + 1)?;
    }
    if !pairs.is_empty() {
        newline(out, style, level);
    }
    out.push('}');
    Ok(())
}

fn write_string(out: &mut String, text: &str, ascii: bool) {
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
            c if (c as u32) < 0x20 || ascii && !c.is_ascii() || c == '\u{7f}' && ascii => {
                if c == '\u{7f}' {
                    out.push(c);
                    continue;
                }
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
