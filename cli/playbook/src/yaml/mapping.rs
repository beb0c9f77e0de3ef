//! The entries of a mapping: merges first, keys that can be keys, and keys that are there twice.

use std::collections::HashMap;

use super::node::{Mapping, Node, NodeValue};
use super::{DuplicateKeys, syntax};
use crate::problem::Problem;

/// What makes two keys the same, as in Python: `1`, `1.0` and `true` are one key.
#[derive(PartialEq, Eq, Hash)]
enum Identity {
    Null,
    Whole(i64),
    Fraction(u64),
    Big(String),
    Time(std::sync::Arc<str>),
    Text(std::sync::Arc<str>),
}

/// Collects the entries of one mapping.
#[derive(Default)]
pub(super) struct Builder {
    merged: Vec<(Node, Node)>,
    own: Vec<(Node, Node)>,
}

impl Builder {
    pub(super) fn insert(&mut self, key: Node, value: Node) {
        self.own.push((key, value));
    }

    /// `<<`: the entries of other mappings come first. Of several mappings in a list, the first one wins.
    pub(super) fn merge(&mut self, from: &Node) -> Result<(), Problem> {
        match &from.value {
            NodeValue::Map(map) => self.merged.extend(map.iter().cloned()),
            NodeValue::List(list) => {
                for item in list.iter().rev() {
                    let map = item.as_map().ok_or_else(|| not_mergeable(item))?;
                    self.merged.extend(map.iter().cloned());
                }
            }
            _ => return Err(not_mergeable(from)),
        }
        Ok(())
    }

    pub(super) fn finish(
        self,
        text: &str,
        duplicates: DuplicateKeys,
        warnings: &mut Vec<Problem>,
    ) -> Result<Mapping, Problem> {
        let count = self.merged.len() + self.own.len();
        let mut places: HashMap<Identity, usize> = HashMap::with_capacity(count);
        let mut entries: Vec<(Node, Node)> = Vec::with_capacity(count);
        for (key, value) in self.merged.into_iter().chain(self.own) {
            let identity = identity(&key, text)?;
            match places.get(&identity) {
                Some(place) => {
                    let first = &mut entries[*place];
                    duplicate(&first.0, &key, duplicates, warnings)?;
                    first.1 = value;
                }
                None => {
                    places.insert(identity, entries.len());
                    entries.push((key, value));
                }
            }
        }
        Ok(Mapping::new(entries))
    }
}

fn not_mergeable(node: &Node) -> Problem {
    Problem::error(format!(
        "`<<` merges a mapping or a list of mappings, and this is {}",
        node.kind()
    ))
    .at(node.at)
}

fn duplicate(
    first: &Node,
    key: &Node,
    duplicates: DuplicateKeys,
    warnings: &mut Vec<Problem>,
) -> Result<(), Problem> {
    let shown = show(key);
    let problem = |problem: Problem| {
        problem.at(key.at).over(shown.chars().count()).note(format!(
            "it is also in line {}, column {}",
            first.at.line, first.at.column
        ))
    };
    let message = format!("Found duplicate mapping key '{shown}'");
    match duplicates {
        DuplicateKeys::Ignore => {}
        DuplicateKeys::Warn => warnings.push(
            problem(Problem::warning(message + "; the last one counts")).hint(
                "remove one of them; DUPLICATE_YAML_DICT_KEY says what Ansible does about it",
            ),
        ),
        DuplicateKeys::Error => {
            return Err(problem(Problem::error(message)).hint("remove one of them"));
        }
    }
    Ok(())
}

/// A key for a message.
fn show(key: &Node) -> String {
    match &key.value {
        NodeValue::Null => "null".to_owned(),
        NodeValue::Bool(b) => b.to_string(),
        NodeValue::Int(i) => i.to_string(),
        NodeValue::Big(big) => big.to_string(),
        NodeValue::Float(f) => f.to_string(),
        NodeValue::Time(text) => text.to_string(),
        NodeValue::Str(text) => text.text.to_string(),
        NodeValue::Vault(_) | NodeValue::List(_) | NodeValue::Map(_) => key.kind().to_owned(),
    }
}

fn identity(key: &Node, text: &str) -> Result<Identity, Problem> {
    Ok(match &key.value {
        NodeValue::Null => Identity::Null,
        NodeValue::Bool(b) => Identity::Whole(i64::from(*b)),
        NodeValue::Int(i) => Identity::Whole(*i),
        NodeValue::Big(big) => Identity::Big(big.to_string()),
        NodeValue::Float(f) if f.fract() == 0.0 && f.abs() < 9e18 => Identity::Whole(*f as i64),
        NodeValue::Float(f) => Identity::Fraction(f.to_bits()),
        NodeValue::Time(text) => Identity::Time(text.clone()),
        NodeValue::Str(text) => Identity::Text(text.text.clone()),
        NodeValue::Vault(_) => {
            return Err(Problem::error("a key cannot be vaulted")
                .at(key.at)
                .hint("vault the value, and leave the key in the clear"));
        }
        NodeValue::List(_) | NodeValue::Map(_) => return Err(syntax::unhashable(key, text)),
    })
}
