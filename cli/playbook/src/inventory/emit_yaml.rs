//! YAML as ansible-inventory prints it: PyYAML's block style, with anchors for what is shared.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::Arc;

use rustle_template::{BigInt, Value, yaml_scalar};

use crate::yaml::{Node, NodeValue};

/// A part of a document.
pub(super) enum Item {
    /// A mapping in the order in which it is printed.
    Map(Vec<(String, Item)>),
    /// A value.
    Node(Node),
}

/// A value as a YAML document.
pub fn to_yaml(node: &Node) -> String {
    document(&Item::Node(node.clone()))
}

/// A document.
pub(super) fn document(item: &Item) -> String {
    let mut emitter = Emitter::default();
    emitter.count_item(item);
    match item {
        Item::Map(entries) if entries.is_empty() => emitter.out.push_str("{}\n"),
        Item::Map(entries) => emitter.entries(entries, 0, false),
        Item::Node(node) => emitter.root(node),
    }
    emitter.out
}

/// How far a level is indented.
const STEP: usize = 2;
/// Where long text is folded.
const WIDTH: usize = 80;

/// What a shared value is told apart by: where it lies in memory.
type Place = usize;

#[derive(Default)]
struct Emitter {
    out: String,
    /// Values that were seen; those that were seen twice, with their numbers.
    anchors: HashMap<Place, Option<usize>>,
    named: usize,
    /// Anchored values that were printed already.
    printed: HashMap<Place, ()>,
}

impl Emitter {
    fn count_item(&mut self, item: &Item) {
        match item {
            Item::Map(entries) => entries.iter().for_each(|(_, i)| self.count_item(i)),
            Item::Node(node) => self.count(node),
        }
    }

    /// A value gets its number when it is seen for the second time.
    fn count(&mut self, node: &Node) {
        if let Some(place) = place(node) {
            match self.anchors.get_mut(&place) {
                Some(number) => {
                    if number.is_none() {
                        self.named += 1;
                        *number = Some(self.named);
                    }
                    return;
                }
                None => {
                    self.anchors.insert(place, None);
                }
            }
        }
        match &node.value {
            NodeValue::List(items) => items.iter().for_each(|n| self.count(n)),
            NodeValue::Map(_) => sorted(node).iter().for_each(|(k, v)| {
                self.count(k);
                self.count(v);
            }),
            _ => {}
        }
    }

    fn root(&mut self, node: &Node) {
        match &node.value {
            NodeValue::List(items) if !items.is_empty() => self.list(node, 0, false),
            NodeValue::Map(map) if !map.is_empty() => self.map(node, 0, false),
            _ => {
                self.value(node, 0, 0);
                let text = self.out.trim_start().to_owned();
                self.out = text;
            }
        }
    }

    /// The entries of a mapping. `inline`: the first stands behind a dash.
    fn entries(&mut self, entries: &[(String, Item)], indent: usize, mut inline: bool) {
        for (key, item) in entries {
            let column = self.key(&Value::str(key.as_str()), indent, &mut inline);
            match item {
                Item::Map(inner) if inner.is_empty() => self.out.push_str(" {}\n"),
                Item::Map(inner) => {
                    self.out.push('\n');
                    self.entries(inner, indent + STEP, false);
                }
                Item::Node(node) => self.value(node, indent, column),
            }
        }
    }

    /// Writes a key and its colon; gives the column behind it.
    fn key(&mut self, key: &Value, indent: usize, inline: &mut bool) -> usize {
        if !std::mem::take(inline) {
            self.indent(indent);
        }
        let text = yaml_scalar(key, indent, indent, true).unwrap_or_default();
        if text.contains('\n') || text.chars().count() >= 128 {
            // A long key needs a mark of its own; its value then stands on a line of its own.
            let _ = write!(self.out, "? {text}\n{:indent$}:", "");
            return indent + 1;
        }
        self.out.push_str(&text);
        self.out.push(':');
        indent + text.chars().count() + 1
    }

    /// Writes a value behind `key:` or `-`, and the end of its line.
    fn value(&mut self, node: &Node, indent: usize, column: usize) {
        if let Some(place) = place(node)
            && let Some(Some(number)) = self.anchors.get(&place).copied()
        {
            if self.printed.insert(place, ()).is_some() {
                let _ = writeln!(self.out, " *id{number:03}");
                return;
            }
            let _ = write!(self.out, " &id{number:03}");
        }
        match &node.value {
            NodeValue::List(items) if items.is_empty() => self.out.push_str(" []\n"),
            NodeValue::Map(map) if map.is_empty() => self.out.push_str(" {}\n"),
            NodeValue::List(_) => {
                self.out.push('\n');
                self.list(node, indent, false);
            }
            NodeValue::Map(_) => {
                self.out.push('\n');
                self.map(node, indent + STEP, false);
            }
            NodeValue::Vault(vault) => {
                self.out.push_str(" !vault |\n");
                for line in vault.ciphertext.lines() {
                    self.indent(indent + STEP);
                    self.out.push_str(line);
                    self.out.push('\n');
                }
            }
            NodeValue::Time(text) => {
                let _ = writeln!(self.out, " {text}");
            }
            _ => {
                let text = yaml_scalar(&scalar(node), indent, column, false).unwrap_or_default();
                if text.starts_with(" \"") {
                    self.double_quoted(&text, indent + STEP, column);
                } else {
                    self.out.push_str(&text);
                }
                self.out.push('\n');
            }
        }
    }

    /// Text in double quotes, folded as libyaml folds it: at a space beyond the width, without a backslash unless another
    /// space follows. PyYAML's own emitter, which made `text`, has other rules for this kind alone.
    fn double_quoted(&mut self, text: &str, indent: usize, column: usize) {
        let chars: Vec<char> = unfolded(text).chars().collect();
        let mut column = column + 2;
        self.out.push_str(" \"");
        let last = chars.len().saturating_sub(2);
        let mut after_space = false;
        for at in 2..chars.len().saturating_sub(1) {
            let c = chars[at];
            if c == ' ' && !after_space && column > WIDTH && at > 2 && at < last {
                self.out.push('\n');
                self.indent(indent);
                column = indent;
                if chars[at + 1] == ' ' {
                    self.out.push('\\');
                    column += 1;
                }
            } else {
                self.out.push(c);
                column += 1;
            }
            after_space = c == ' ';
        }
        self.out.push('"');
    }

    /// A list in a mapping is not indented; one in a list is.
    fn list(&mut self, node: &Node, indent: usize, mut inline: bool) {
        for item in node.as_list().unwrap_or_default() {
            if !std::mem::take(&mut inline) {
                self.indent(indent);
            }
            self.out.push('-');
            self.item(item, indent);
        }
    }

    fn item(&mut self, item: &Node, indent: usize) {
        let anchored = place(item).is_some_and(|p| matches!(self.anchors.get(&p), Some(Some(_))));
        match &item.value {
            NodeValue::Map(map) if !map.is_empty() && !anchored => {
                self.out.push(' ');
                self.map(item, indent + STEP, true);
            }
            NodeValue::List(items) if !items.is_empty() && !anchored => {
                self.out.push(' ');
                self.list(item, indent + STEP, true);
            }
            NodeValue::List(items) if !items.is_empty() => {
                // Behind an anchor a nested list begins on a line of its own.
                self.value(item, indent + STEP, indent + 1);
            }
            _ => self.value(item, indent, indent + 1),
        }
    }

    fn map(&mut self, node: &Node, indent: usize, mut inline: bool) {
        for (key, value) in sorted(node) {
            let column = self.key(&scalar(key), indent, &mut inline);
            self.value(value, indent, column);
        }
    }

    fn indent(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent));
    }
}

/// A text in double quotes on one line again: without the backslashes, line breaks and indentation of folding.
fn unfolded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('\n') => {
                while chars.next_if_eq(&' ').is_some() {}
                // A space that begins a line is escaped.
                let mut ahead = chars.clone();
                if ahead.next() == Some('\\') && ahead.next() == Some(' ') {
                    chars.next();
                }
            }
            Some(escaped) => out.extend(['\\', escaped]),
            None => out.push('\\'),
        }
    }
    out
}

/// Where a value that can be shared lies.
fn place(node: &Node) -> Option<Place> {
    match &node.value {
        NodeValue::List(items) => Some(Arc::as_ptr(items).cast::<u8>() as Place),
        NodeValue::Map(map) => Some(Arc::as_ptr(map) as Place),
        NodeValue::Vault(vault) => Some(Arc::as_ptr(vault) as Place),
        _ => None,
    }
}

/// The entries by their keys, where these can be compared.
fn sorted(node: &Node) -> Vec<(&Node, &Node)> {
    let mut entries: Vec<(&Node, &Node)> = node
        .as_map()
        .into_iter()
        .flatten()
        .map(|(k, v)| (k, v))
        .collect();
    let number = |n: &Node| match n.value {
        NodeValue::Int(i) => Some(i as f64),
        NodeValue::Float(f) => Some(f),
        NodeValue::Bool(b) => Some(f64::from(u8::from(b))),
        _ => None,
    };
    if entries.iter().all(|(k, _)| k.as_str().is_some()) {
        entries.sort_by(|a, b| a.0.as_str().cmp(&b.0.as_str()));
    } else if entries.iter().all(|(k, _)| number(k).is_some()) {
        entries.sort_by(|a, b| {
            number(a.0)
                .partial_cmp(&number(b.0))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    entries
}

fn scalar(node: &Node) -> Value {
    match &node.value {
        NodeValue::Bool(b) => Value::Bool(*b),
        NodeValue::Int(i) => Value::Int(*i),
        NodeValue::Big(big) => Value::Big(Rc::new(BigInt::clone(big))),
        NodeValue::Float(f) => Value::Float(*f),
        NodeValue::Str(text) => Value::str(&*text.text),
        NodeValue::Time(text) => Value::str(&**text),
        _ => Value::None,
    }
}
