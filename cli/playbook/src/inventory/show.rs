//! Values as Python's `str()` and `repr()` show them.

use std::fmt::Write as _;

use crate::yaml::{Node, NodeValue, Vault};

/// Makes the plain text of a ciphertext; `None`: it cannot.
pub(super) type Decrypt<'a> = dyn FnMut(&Vault) -> Option<String> + 'a;

/// `str()`: text as it is, all else as `repr()`.
pub(super) fn text(node: &Node, decrypt: &mut Decrypt<'_>) -> String {
    match &node.value {
        NodeValue::Str(text) => text.text.to_string(),
        NodeValue::Time(text) => text.to_string(),
        NodeValue::Vault(vault) => decrypt(vault).unwrap_or_else(|| "<undecryptable>".to_owned()),
        _ => {
            let mut out = String::new();
            repr(node, decrypt, &mut out);
            out
        }
    }
}

fn repr(node: &Node, decrypt: &mut Decrypt<'_>, out: &mut String) {
    match &node.value {
        NodeValue::Null => out.push_str("None"),
        NodeValue::Bool(true) => out.push_str("True"),
        NodeValue::Bool(false) => out.push_str("False"),
        NodeValue::Int(i) => {
            let _ = write!(out, "{i}");
        }
        NodeValue::Big(big) => {
            let _ = write!(out, "{big}");
        }
        NodeValue::Float(f) => out.push_str(&float(*f)),
        NodeValue::Time(text) => out.push_str(&quoted(text)),
        NodeValue::Str(text) => out.push_str(&quoted(&text.text)),
        NodeValue::Vault(vault) => out.push_str(&quoted(&decrypt(vault).unwrap_or_default())),
        NodeValue::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                repr(item, decrypt, out);
            }
            out.push(']');
        }
        NodeValue::Map(map) => {
            out.push('{');
            for (at, (key, value)) in map.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                repr(key, decrypt, out);
                out.push_str(": ");
                repr(value, decrypt, out);
            }
            out.push('}');
        }
    }
}

/// A float as Python shows it: the shortest digits that give it back, with an exponent below 1e-4 and from 1e16 on.
pub(super) fn float(f: f64) -> String {
    if f.is_nan() {
        return "nan".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    if f == 0.0 || (1e-4..1e16).contains(&f.abs()) {
        let text = format!("{f}");
        return if text.contains('.') {
            text
        } else {
            format!("{text}.0")
        };
    }
    let text = format!("{f:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(e) => ('-', e),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::with_capacity(text.len() + 2);
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
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_python_s() {
        for (f, text) in [
            (1.0, "1.0"),
            (1e20, "1e+20"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(float(f), text);
        }
    }
}
