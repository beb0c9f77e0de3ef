//! Values as Python shows them: items and labels of loops are printed that way.

use std::fmt::Write as _;

use rustle_formats::Value;

/// Python's `str()`: text as it is, all else as [`python_repr`].
pub fn python_str(value: &Value) -> String {
    match value {
        Value::Str(s) | Value::Unsafe(s) => s.clone(),
        other => python_repr(other),
    }
}

/// Python's `repr()`.
pub fn python_repr(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value);
    out
}

fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(b) => out.push_str(if *b { "True" } else { "False" }),
        Value::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Value::Float(f) => float(out, *f),
        Value::Str(s) | Value::Unsafe(s) => text(out, s),
        Value::Secret(_) => text(out, "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"),
        Value::List(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                comma(out, i);
                write(out, value);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (key, value)) in map.iter().enumerate() {
                comma(out, i);
                text(out, key);
                out.push_str(": ");
                write(out, value);
            }
            out.push('}');
        }
        Value::Pairs(pairs) => {
            out.push('{');
            for (i, (key, value)) in pairs.iter().enumerate() {
                comma(out, i);
                write(out, key);
                out.push_str(": ");
                write(out, value);
            }
            out.push('}');
        }
    }
}

fn comma(out: &mut String, index: usize) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// The shortest digits that read back, with an exponent outside of 1e-4 to 1e16.
fn float(out: &mut String, value: f64) {
    if value.is_nan() {
        out.push_str("nan");
        return;
    }
    if value.is_infinite() {
        out.push_str(if value > 0.0 { "inf" } else { "-inf" });
        return;
    }
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        let _ = write!(out, "{value:?}");
        return;
    }
    let written = format!("{value:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(rest) => ('-', rest),
        None => ('+', exponent),
    };
    let _ = write!(out, "{digits}e{sign}{exponent:0>2}");
}

fn text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if printable(c) => out.push(c),
            c => {
                let _ = match c as u32 {
                    code @ 0..=0xff => write!(out, "\\x{code:02x}"),
                    code @ 0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    code => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// Whether Python's `repr` shows the character as it is: not a control, a format character, a separator other than the
/// space, or for private use.
fn printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let hidden = matches!(c as u32,
        0x80..=0xa0 | 0xad | 0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x1680 | 0x180e
        | 0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f | 0x3000
        | 0xe000..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xfffe..=0xffff | 0xe0000..=0x10_ffff);
    !hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_python_shows_it() {
        for (json, expected) in [
            (r#""it's""#, r#"it's"#),
            (r#"{"k": "it's"}"#, r#"{'k': "it's"}"#),
            (
                r#"{"k": "it's \"q\" \n \t \\ é ✓ \u0001 \u200b"}"#,
                r#"{'k': 'it\'s "q" \n \t \\ é ✓ \x01 \u200b'}"#,
            ),
            ("[null, true, 1.0, 1.5, 7]", "[None, True, 1.0, 1.5, 7]"),
            ("1e20", "1e+20"),
            ("1.5e-7", "1.5e-07"),
            ("123456789012345680.0", "1.2345678901234568e+17"),
        ] {
            let value: Value = serde_json::from_str(json).unwrap();
            assert_eq!(python_str(&value), expected, "{json}");
        }
    }
}
