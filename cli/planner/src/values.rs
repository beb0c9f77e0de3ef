//! Values of YAML as a plan's values. What is vaulted becomes a reference to a secret.

use rustle_formats::{Map, Value, lay};
use rustle_playbook::yaml::Node;

use crate::lowering::Lowering;
use crate::vaulted;

impl Lowering<'_> {
    /// A value. A ciphertext that cannot be opened is noted as a problem.
    pub(crate) fn value(&mut self, node: &Node) -> Value {
        let hidden = self.is_vaulted(node.at);
        let made = vaulted::value(node, hidden, &mut self.secrets, self.request.decrypt);
        made.unwrap_or_else(|problem| {
            self.problems.push(problem);
            Value::Null
        })
    }

    /// A mapping of variables. Anything else is empty: the reader has refused it.
    pub(crate) fn map(&mut self, node: Option<&Node>) -> Map {
        if let Some(variables) = node.and_then(Node::as_map) {
            self.warn_reserved(variables);
        }
        match node.map(|node| self.value(node)) {
            Some(Value::Map(map)) => map,
            _ => Map::new(),
        }
    }

    /// Lays variables over others of the same level.
    pub(crate) fn lay(&self, under: &mut Map, over: Map) {
        lay(
            under,
            &over,
            self.request.runtime.merge_hashes == Some(true),
        );
    }

    /// Entries of a mapping.
    pub(crate) fn entries_map(&mut self, entries: &[(Node, Node)]) -> Map {
        entries
            .iter()
            .filter_map(|(key, value)| Some((key.as_str()?.to_owned(), self.value(value))))
            .collect()
    }
}
