//! Plans of other tools, converted to ours.
//!
//! Two public tools wrote plans before this project: rustle-plan 0.1.0 and rustle-deploy. What their authors meant is
//! kept; what cannot be honoured is named in a warning, once for each field, and a task that would do something else
//! than its author meant is refused.

mod condition;
mod pattern;
mod rustle_deploy;
mod rustle_plan;

use std::ops::Range;

use indexmap::IndexMap;
use serde::Deserialize;

use super::ExecutionPlan;
use super::json::{Fault, Kind, Member, Node};

pub(super) use rustle_deploy::rustle_deploy;
pub(super) use rustle_plan::rustle_plan;

/// A conversion of one shape.
pub(super) type Convert = fn(Node<'_>) -> Result<Converted, Vec<Fault>>;

/// A converted plan.
pub(super) struct Converted {
    pub(super) plan: ExecutionPlan,
    pub(super) warnings: Vec<Unused>,
    pub(super) origins: Origins,
}

/// A field without effect.
#[derive(Debug)]
pub(super) struct Unused {
    pub(super) message: String,
    pub(super) count: usize,
    pub(super) span: Range<usize>,
}

/// From places in the plan to places in the document that it was converted from. The default: they are the same.
#[derive(Debug, Default)]
pub(super) struct Origins {
    /// The plan's list of tasks, and the document's.
    lists: Option<(&'static str, &'static str)>,
    /// For each task of the plan: which of the document's it was.
    positions: Vec<usize>,
}

impl Origins {
    /// The pointer into the document for one into the plan.
    pub(super) fn locate(&self, pointer: &str) -> String {
        let moved = self.lists.and_then(|(ours, theirs)| {
            let rest = pointer.strip_prefix(ours)?.strip_prefix('/')?;
            let (index, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let position = self.positions.get(index.parse::<usize>().ok()?)?;
            Some(format!("{theirs}/{position}{rest}"))
        });
        moved.unwrap_or_else(|| pointer.to_owned())
    }
}

/// What a conversion finds on its way.
#[derive(Default)]
struct Findings {
    unused: IndexMap<String, Unused>,
    faults: Vec<Fault>,
}

impl Findings {
    /// Notes a field that has no effect.
    fn unused(&mut self, span: &Range<usize>, field: &str, why: &str) {
        let message = format!("{field} has no effect: {why}");
        self.unused
            .entry(message)
            .and_modify(|u| u.count += 1)
            .or_insert_with_key(|message| Unused {
                message: message.clone(),
                count: 1,
                span: span.clone(),
            });
    }

    /// Decodes a typed part. Fields that the type does not know are noted as without effect.
    fn decode<T: for<'de> Deserialize<'de>>(
        &mut self,
        mut node: Node<'_>,
        what: &str,
    ) -> Option<T> {
        loop {
            let fault = match T::deserialize(&node) {
                Ok(value) => return Some(value),
                Err(fault) => fault,
            };
            let dropped = fault
                .message
                .starts_with("unknown field")
                .then(|| fault.span.as_ref().and_then(|span| node.remove(span)))
                .flatten();
            match dropped {
                Some((key, span)) => {
                    self.unused(
                        &span,
                        &format!("the field `{key}` of {what}"),
                        "it is unknown",
                    );
                }
                None => {
                    self.faults.push(fault);
                    return None;
                }
            }
        }
    }

    /// Notes all fields that are left of an object from which the known ones were taken.
    fn rest(&mut self, node: &Node<'_>, what: &str, why: &str) {
        if let Kind::Map(members) = &node.kind {
            for member in members {
                if !matters(&member.value) {
                    continue;
                }
                self.unused(
                    &member.key_span,
                    &format!("the field `{}` of {what}", member.key),
                    why,
                );
            }
        }
    }

    fn finish(self, plan: ExecutionPlan, origins: Origins) -> Result<Converted, Vec<Fault>> {
        if self.faults.is_empty() {
            Ok(Converted {
                plan,
                warnings: self.unused.into_values().collect(),
                origins,
            })
        } else {
            Err(self.faults)
        }
    }
}

/// Whether a value says anything: `null`, and empty texts, lists and mappings do not.
fn matters(node: &Node<'_>) -> bool {
    match &node.kind {
        Kind::Null => false,
        Kind::Text(t) => !t.is_empty(),
        Kind::List(l) => !l.is_empty(),
        Kind::Map(m) => !m.is_empty(),
        Kind::Bool(_) | Kind::Number(_) => true,
    }
}

impl<'t> Node<'t> {
    /// Takes the value of a key out of an object; the last one where it is repeated.
    fn take(&mut self, key: &str) -> Option<Node<'t>> {
        let Kind::Map(members) = &mut self.kind else {
            return None;
        };
        let at = members.iter().rposition(|m| m.key == key)?;
        Some(members.remove(at).value)
    }

    /// Takes the value of a key, if it says anything.
    fn take_some(&mut self, key: &str) -> Option<Node<'t>> {
        self.take(key).filter(matters)
    }

    /// Puts a value into an object.
    fn put(&mut self, key: &'static str, value: Node<'t>) {
        if let Kind::Map(members) = &mut self.kind {
            members.push(Member {
                key_span: value.span.clone(),
                key: key.into(),
                value,
            });
        }
    }

    /// Removes the member whose key stands at this place, at any depth.
    fn remove(&mut self, key_span: &Range<usize>) -> Option<(String, Range<usize>)> {
        match &mut self.kind {
            Kind::Map(members) => {
                if let Some(at) = members.iter().position(|m| m.key_span == *key_span) {
                    let member = members.remove(at);
                    return Some((member.key.into_owned(), member.key_span));
                }
                members.iter_mut().find_map(|m| m.value.remove(key_span))
            }
            Kind::List(items) => items.iter_mut().find_map(|n| n.remove(key_span)),
            _ => None,
        }
    }

    /// The elements of a list; nothing of anything else.
    fn into_items(self) -> Vec<Node<'t>> {
        match self.kind {
            Kind::List(items) => items,
            _ => Vec::new(),
        }
    }

    /// The members of an object; nothing of anything else.
    fn into_members(self) -> Vec<Member<'t>> {
        match self.kind {
            Kind::Map(members) => members,
            _ => Vec::new(),
        }
    }

    /// The single key of an object, and its value: how serde writes an enum's variant. A text is a variant alone.
    fn variant(&self) -> Option<(&str, Option<&Node<'t>>)> {
        match &self.kind {
            Kind::Text(name) => Some((name, None)),
            Kind::Map(members) => match members.as_slice() {
                [one] => Some((&one.key, Some(&one.value))),
                _ => None,
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
