//! A set of variables, each with its place.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::yaml::{Mapping, Node, NodeValue};

/// What happens to a mapping that is set twice (Ansible's `DEFAULT_HASH_BEHAVIOUR`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashBehaviour {
    /// The second takes the place of the first.
    #[default]
    Replace,
    /// Their keys are joined, at every depth.
    Merge,
}

/// Variables in the order in which they were set first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Variables {
    map: IndexMap<String, Node>,
}

impl Variables {
    /// Those of a mapping. Keys that are no text are left out and handed back.
    pub fn from_mapping(mapping: &Mapping) -> (Variables, Vec<Node>) {
        let mut out = Variables::default();
        let mut refused = Vec::new();
        for (key, value) in mapping.iter() {
            match key.as_str() {
                Some(name) => {
                    out.map.insert(name.to_owned(), value.clone());
                }
                None => refused.push(key.clone()),
            }
        }
        (out, refused)
    }

    /// The same as a mapping; none where there are no variables.
    pub fn to_mapping(&self) -> Option<Arc<Mapping>> {
        let at = self.map.values().next()?.at;
        let entries = self.map.iter();
        let entries =
            entries.map(|(name, value)| (Node::text(name.as_str(), value.at), value.clone()));
        match Node::map(entries.collect(), at).value {
            NodeValue::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: Node, behaviour: HashBehaviour) {
        match self.map.get_mut(name) {
            Some(old) => *old = combine(old, &value, behaviour),
            None => {
                self.map.insert(name.to_owned(), value);
            }
        }
    }

    /// Sets all of another set.
    pub fn merge(&mut self, other: &Variables, behaviour: HashBehaviour) {
        for (name, value) in &other.map {
            self.set(name, value.clone(), behaviour);
        }
    }

    /// One of them.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.map.get(name)
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) -> Option<Node> {
        self.map.shift_remove(name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.map.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

/// What a variable is after it was set a second time.
pub fn combine(old: &Node, new: &Node, behaviour: HashBehaviour) -> Node {
    let (Some(a), Some(b), HashBehaviour::Merge) = (old.as_map(), new.as_map(), behaviour) else {
        return new.clone();
    };
    let mut entries: Vec<(Node, Node)> = a.iter().cloned().collect();
    for (key, value) in b.iter() {
        match entries.iter_mut().find(|(k, _)| k.value == key.value) {
            Some((_, existing)) => *existing = combine(existing, value, behaviour),
            None => entries.push((key.clone(), value.clone())),
        }
    }
    Node::map(entries, new.at)
}
