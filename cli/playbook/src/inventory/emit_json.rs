//! JSON as ansible-inventory prints it: sorted keys, four spaces, `__ansible_unsafe` and `__ansible_vault` for text that
//! is more than text.

use std::fmt::Write as _;

use super::show;
use crate::yaml::{Node, NodeValue};

/// A value as JSON, as it stands at the outermost level.
pub fn to_json(node: &Node) -> String {
    let mut out = String::new();
    write(node, 0, &mut out);
    out
}

/// Writes a value; `depth`: how deep it stands.
pub(super) fn write(node: &Node, depth: usize, out: &mut String) {
    match &node.value {
        NodeValue::Null => out.push_str("null"),
        NodeValue::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        NodeValue::Int(i) => {
            let _ = write!(out, "{i}");
        }
        NodeValue::Big(big) => {
            let _ = write!(out, "{big}");
        }
        NodeValue::Float(f) => out.push_str(&number(*f)),
        NodeValue::Time(t) => string(&t.replacen(' ', "T", 1), out),
        NodeValue::Str(t) if t.is_unsafe => marked("__ansible_unsafe", &t.text, depth, out),
        NodeValue::Str(t) => string(&t.text, out),
        NodeValue::Vault(v) => marked("__ansible_vault", &v.ciphertext, depth, out),
        NodeValue::List(items) => {
            list(items.iter(), depth, out, |item, depth, out| {
                write(item, depth, out)
            });
        }
        NodeValue::Map(map) => {
            let mut entries: Vec<(String, &Node)> = map.iter().map(|(k, v)| (key(k), v)).collect();
            // Python sorts the keys before it makes text of them; of mixed kinds it cannot, and does not.
            if map.iter().all(|(k, _)| k.as_str().is_some()) {
                entries.sort_by(|a, b| a.0.cmp(&b.0));
            }
            object(
                entries.iter().map(|(k, v)| (k.as_str(), *v)),
                depth,
                out,
                |v, depth, out| {
                    write(v, depth, out);
                },
            );
        }
    }
}

/// Writes a mapping; empty ones in one line.
pub(super) fn object<'a, V>(
    entries: impl Iterator<Item = (&'a str, V)>,
    depth: usize,
    out: &mut String,
    mut each: impl FnMut(V, usize, &mut String),
) {
    out.push('{');
    let mut any = false;
    for (key, value) in entries {
        out.push_str(if any { ",\n" } else { "\n" });
        any = true;
        indent(depth + 1, out);
        string(key, out);
        out.push_str(": ");
        each(value, depth + 1, out);
    }
    if any {
        out.push('\n');
        indent(depth, out);
    }
    out.push('}');
}

/// Writes a list; empty ones in one line.
pub(super) fn list<V>(
    items: impl Iterator<Item = V>,
    depth: usize,
    out: &mut String,
    mut each: impl FnMut(V, usize, &mut String),
) {
    out.push('[');
    let mut any = false;
    for item in items {
        out.push_str(if any { ",\n" } else { "\n" });
        any = true;
        indent(depth + 1, out);
        each(item, depth + 1, out);
    }
    if any {
        out.push('\n');
        indent(depth, out);
    }
    out.push(']');
}

fn marked(mark: &str, text: &str, depth: usize, out: &mut String) {
    object(std::iter::once((mark, text)), depth, out, |t, _, out| {
        string(t, out)
    });
}

fn indent(depth: usize, out: &mut String) {
    for _ in 0..depth {
        out.push_str("    ");
    }
}

fn key(node: &Node) -> String {
    match &node.value {
        NodeValue::Null => "null".to_owned(),
        NodeValue::Bool(b) => b.to_string(),
        NodeValue::Float(f) => number(*f),
        _ => show::text(node, &mut |_| None),
    }
}

fn number(f: f64) -> String {
    if f.is_nan() {
        "NaN".to_owned()
    } else if f.is_infinite() {
        if f > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        show::float(f)
    }
}

/// Writes text: beyond ASCII as it is.
pub(super) fn string(text: &str, out: &mut String) {
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
