//! From nodes to plain data.

use rustle_formats::{Map, Value};

use super::node::{Node, NodeValue, Text, Vault};
use crate::problem::Problem;
use crate::source::Position;

impl Node {
    /// The same as plain data. `vault` says what becomes of a ciphertext: its plaintext, a reference, or an error.
    /// Dates become text, and so do whole numbers beyond 64 bits, for which plain data has no type.
    ///
    /// # Errors
    /// Those of `vault`.
    pub fn to_value<F>(&self, vault: &mut F) -> Result<Value, Problem>
    where
        F: FnMut(&Vault, Position) -> Result<Value, Problem>,
    {
        Ok(match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Bool(b) => Value::Bool(*b),
            NodeValue::Int(i) => Value::Int(*i),
            NodeValue::Big(big) => Value::Str(big.to_string()),
            NodeValue::Float(f) => Value::Float(*f),
            NodeValue::Time(text) => Value::Str(text.to_string()),
            NodeValue::Str(text) => text.to_value(),
            NodeValue::Vault(secret) => vault(secret, self.at)?,
            NodeValue::List(items) => Value::List(
                items
                    .iter()
                    .map(|item| item.to_value(vault))
                    .collect::<Result<_, _>>()?,
            ),
            NodeValue::Map(map) if map.iter().all(|(key, _)| key.as_str().is_some()) => {
                let mut out = Map::with_capacity(map.len());
                for (key, value) in map.iter() {
                    let key = key.as_str().unwrap_or_default().to_owned();
                    out.insert(key, value.to_value(vault)?);
                }
                Value::Map(out)
            }
            NodeValue::Map(map) => Value::Pairs(
                map.iter()
                    .map(|(key, value)| Ok((key.to_value(vault)?, value.to_value(vault)?)))
                    .collect::<Result<_, Problem>>()?,
            ),
        })
    }
}

impl Text {
    /// The same as plain data.
    pub fn to_value(&self) -> Value {
        if self.is_unsafe {
            Value::Unsafe(self.text.to_string())
        } else {
            Value::Str(self.text.to_string())
        }
    }
}
