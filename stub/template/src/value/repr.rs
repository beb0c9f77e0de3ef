//! Python's `str()` and `repr()`: what values look like in text.

use std::fmt::Write;

use super::Value;
use super::containers::MAX_DATA_DEPTH;
use crate::{Error, ErrorKind};

/// Python's `str(value)`; undefined is an error.
pub(crate) fn to_text(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_text(&mut out, value)?;
    Ok(out)
}

/// Appends Python's `str(value)`.
pub(crate) fn write_text(out: &mut String, value: &Value) -> Result<(), Error> {
    match value {
        Value::Str(text) => out.push_str(text),
        Value::Undefined(u) if u.is_lenient() => {}
        Value::Int(i) => push(out, i),
        Value::Object(object) => out.push_str(&object.text()),
        other => write_repr(out, other, &mut Vec::new())?,
    }
    Ok(())
}

/// Python's `repr(value)`.
pub(crate) fn repr(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_repr(&mut out, value, &mut Vec::new())?;
    Ok(out)
}

/// Writing to a `String` cannot fail.
fn push(out: &mut String, shown: impl std::fmt::Display) {
    let _ = write!(out, "{shown}");
}

fn write_repr(out: &mut String, value: &Value, parents: &mut Vec<usize>) -> Result<(), Error> {
    match value {
        Value::Undefined(u) if u.is_lenient() => out.push_str("Undefined"),
        Value::Undefined(u) => return Err(u.error()),
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(i) => push(out, i),
        Value::Big(b) => push(out, b),
        Value::Float(f) => out.push_str(&float_repr(*f)),
        Value::Str(text) if text.is_safe() => {
            out.push_str("Markup(");
            write_str_repr(out, text);
            out.push(')');
        }
        Value::Str(text) => write_str_repr(out, text),
        Value::Bytes(bytes) => write_bytes_repr(out, bytes),
        Value::Omit => out.push_str("<<Omit>>"),
        Value::Object(object) => out.push_str(&object.repr()),
        Value::List(list) => {
            within(out, list.address(), "[...]", parents, |out, parents| {
                out.push('[');
                write_items(out, &list.to_vec(), parents)?;
                out.push(']');
                Ok(())
            })?;
        }
        Value::Tuple(items) => {
            within(
                out,
                items.as_ptr() as usize,
                "(...)",
                parents,
                |out, parents| {
                    out.push('(');
                    write_items(out, items, parents)?;
                    out.push_str(if items.len() == 1 { ",)" } else { ")" });
                    Ok(())
                },
            )?;
        }
        Value::Dict(dict) => {
            within(out, dict.address(), "{...}", parents, |out, parents| {
                out.push('{');
                for (index, (key, value)) in dict.pairs().iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    write_repr(out, key, parents)?;
                    out.push_str(": ");
                    write_repr(out, value, parents)?;
                }
                out.push('}');
                Ok(())
            })?;
        }
    }
    Ok(())
}

fn write_items(out: &mut String, items: &[Value], parents: &mut Vec<usize>) -> Result<(), Error> {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        write_repr(out, item, parents)?;
    }
    Ok(())
}

/// Writes a container, or a placeholder if it is inside itself.
fn within(
    out: &mut String,
    address: usize,
    again: &str,
    parents: &mut Vec<usize>,
    write: impl FnOnce(&mut String, &mut Vec<usize>) -> Result<(), Error>,
) -> Result<(), Error> {
    if parents.contains(&address) {
        out.push_str(again);
        return Ok(());
    }
    if parents.len() > MAX_DATA_DEPTH {
        return Err(Error::new(
            ErrorKind::Recursion,
            "maximum recursion depth exceeded while getting the repr of an object",
        ));
    }
    parents.push(address);
    write(out, parents)?;
    parents.pop();
    Ok(())
}

/// Python's `repr` of text.
pub(crate) fn str_repr(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_str_repr(&mut out, text);
    out
}

fn write_str_repr(out: &mut String, text: &str) {
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
            c if is_printable(c) => out.push(c),
            c => match c as u32 {
                code @ 0..=0xff => push(out, format_args!("\\x{code:02x}")),
                code @ 0x100..=0xffff => push(out, format_args!("\\u{code:04x}")),
                code => push(out, format_args!("\\U{code:08x}")),
            },
        }
    }
    out.push(quote);
}

/// What Python shows as it is: everything but controls, separators other than the space, formatting characters,
/// private use and what is not assigned (approximated by the ranges that occur).
fn is_printable(c: char) -> bool {
    match c as u32 {
        0x20..=0x7e => true,
        0..=0xa0 | 0xad => false,
        0x600..=0x605 | 0x61c | 0x6dd | 0x70f | 0x180e | 0x1680 => false,
        0x2000..=0x200f | 0x2028..=0x202f | 0x205f..=0x206f => false,
        0x3000 | 0xd800..=0xf8ff | 0xfeff | 0xfff0..=0xfffb | 0xfffe | 0xffff => false,
        0xe0000..=0x10ffff => false,
        _ => !c.is_control(),
    }
}

fn write_bytes_repr(out: &mut String, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        b'"'
    } else {
        b'\''
    };
    out.push('b');
    out.push(quote as char);
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if *byte == quote => {
                out.push('\\');
                out.push(quote as char);
            }
            0x20..=0x7e => out.push(*byte as char),
            byte => push(out, format_args!("\\x{byte:02x}")),
        }
    }
    out.push(quote as char);
}

/// Python's `repr` of a float: the shortest digits that read back the same, with an exponent outside
/// 1e-4 to 1e16.
pub(crate) fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        if plain.contains('.') {
            plain
        } else {
            plain + ".0"
        }
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_like_pythons() {
        for (value, shown) in [
            (1.0, "1.0"),
            (1e16, "1e+16"),
            (1.5e-7, "1.5e-07"),
            (0.0001, "0.0001"),
            (123456789.125, "123456789.125"),
            (-0.0, "-0.0"),
            (1e300, "1e+300"),
        ] {
            assert_eq!(float_repr(value), shown);
        }
    }

    #[test]
    fn text_is_quoted_like_pythons() {
        assert_eq!(str_repr("it's"), "\"it's\"");
        assert_eq!(str_repr("'\""), "'\\'\"'");
        assert_eq!(str_repr("é\u{1}\u{200b}\n"), "'é\\x01\\u200b\\n'");
    }

    #[test]
    fn containers_nest_and_recurse() {
        let list = super::super::List::new(vec![Value::Int(1)]);
        list.edit(|items| items.push(Value::List(list.clone())));
        assert_eq!(repr(&Value::List(list.clone())).unwrap(), "[1, [...]]");
        list.edit(Vec::clear);
        assert_eq!(
            repr(&Value::tuple(vec![Value::str("a")])).unwrap(),
            "('a',)"
        );
    }
}
