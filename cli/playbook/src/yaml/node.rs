//! Values with the place where they were written. Cheap to clone: what is large is shared, as aliases share it.

use std::sync::Arc;

use rustle_template::BigInt;

use crate::source::Position;

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: NodeValue,
    /// Where it begins: its tag or anchor, if it has one.
    pub at: Position,
}

/// What Ansible's reader gives.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    /// Nothing, `~`, `null`.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number that fits no machine word.
    Big(Arc<BigInt>),
    /// A number with a fraction.
    Float(f64),
    /// A date or a time, as Python's `str()` shows it.
    Time(Arc<str>),
    /// Text.
    Str(Text),
    /// A ciphertext.
    Vault(Arc<Vault>),
    /// A sequence.
    List(Arc<[Node]>),
    /// A mapping.
    Map(Arc<Mapping>),
}

/// How a text was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// `'…'`
    Single,
    /// `"…"`
    Double,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

/// Text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: Arc<str>,
    /// How it was written.
    pub style: Style,
    /// It is under `!unsafe`, and thus never a template.
    pub is_unsafe: bool,
}

/// What stands under `!vault`. It is never decrypted here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vault {
    /// The text, header included.
    pub ciphertext: String,
}

impl Vault {
    /// The vault id that the header names (`$ANSIBLE_VAULT;1.2;AES256;LABEL`).
    pub fn label(&self) -> Option<&str> {
        let header = self.ciphertext.lines().next()?;
        let label = header
            .strip_prefix("$ANSIBLE_VAULT;")?
            .splitn(3, ';')
            .nth(2)?;
        Some(label.trim()).filter(|label| !label.is_empty())
    }
}

/// The entries of a mapping, in order, each key once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapping {
    entries: Vec<(Node, Node)>,
}

impl Mapping {
    /// From entries whose keys differ.
    pub(crate) fn new(entries: Vec<(Node, Node)>) -> Mapping {
        Mapping { entries }
    }

    /// The value under a text key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and the value of an entry with a text key.
    pub fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries.iter().find(|(k, _)| k.as_str() == Some(key))
    }

    /// The entries.
    pub fn iter(&self) -> std::slice::Iter<'_, (Node, Node)> {
        self.entries.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> IntoIterator for &'a Mapping {
    type Item = &'a (Node, Node);
    type IntoIter = std::slice::Iter<'a, (Node, Node)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

impl Node {
    /// Plain text at a place.
    pub fn text(text: impl Into<Arc<str>>, at: Position) -> Node {
        Node {
            value: NodeValue::Str(Text {
                text: text.into(),
                style: Style::Plain,
                is_unsafe: false,
            }),
            at,
        }
    }

    /// A list at a place.
    pub fn list(items: Vec<Node>, at: Position) -> Node {
        Node {
            value: NodeValue::List(items.into()),
            at,
        }
    }

    /// A mapping at a place. Of entries with the same text key, the last one counts.
    pub fn map(entries: Vec<(Node, Node)>, at: Position) -> Node {
        let mut kept: Vec<(Node, Node)> = Vec::with_capacity(entries.len());
        let mut places = std::collections::HashMap::new();
        for (key, value) in entries {
            let known = key.as_str().map(str::to_owned);
            match known.as_ref().and_then(|text| places.get(text)) {
                Some(&at) => {
                    let entry: &mut (Node, Node) = &mut kept[at];
                    entry.1 = value;
                }
                None => {
                    if let Some(text) = known {
                        places.insert(text, kept.len());
                    }
                    kept.push((key, value));
                }
            }
        }
        Node {
            value: NodeValue::Map(Arc::new(Mapping::new(kept))),
            at,
        }
    }

    /// The text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Str(text) => Some(&text.text),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            NodeValue::List(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a mapping.
    pub fn as_map(&self) -> Option<&Mapping> {
        match &self.value {
            NodeValue::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.value {
            NodeValue::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The whole number, if it is one that fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.value {
            NodeValue::Int(i) => Some(i),
            _ => None,
        }
    }

    /// Whether nothing was written.
    pub fn is_null(&self) -> bool {
        matches!(self.value, NodeValue::Null)
    }

    /// What it is, for a message: "a list".
    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "nothing",
            NodeValue::Bool(_) => "a boolean",
            NodeValue::Int(_) | NodeValue::Big(_) | NodeValue::Float(_) => "a number",
            NodeValue::Time(_) => "a date",
            NodeValue::Str(_) => "text",
            NodeValue::Vault(_) => "a vaulted text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a mapping",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_of_a_vault() {
        let vault = |header: &str| Vault {
            ciphertext: format!("{header}\n6162\n"),
        };
        assert_eq!(vault("$ANSIBLE_VAULT;1.1;AES256").label(), None);
        assert_eq!(vault("$ANSIBLE_VAULT;1.2;AES256;dev").label(), Some("dev"));
    }
}
