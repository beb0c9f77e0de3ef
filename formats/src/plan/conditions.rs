//! A list of expressions that must all hold: `when`, `until`, `changed_when`, `failed_when`, `that`.
//!
//! Documents write one expression, a boolean, or a list; all read as a list.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::Value;

/// Expressions that must all be true. Empty: nothing is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Conditions(pub Vec<Value>);

impl Conditions {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Conditions {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(s)
    }
}

impl<'de> Deserialize<'de> for Conditions {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if !d.is_human_readable() {
            return Vec::deserialize(d).map(Conditions);
        }
        Ok(Conditions(match Value::deserialize(d)? {
            Value::List(l) => l,
            Value::Null => Vec::new(),
            one => vec![one],
        }))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Conditions {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Conditions".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An expression, a boolean, or a list of them that must all hold.",
            "type": ["string", "boolean", "array", "null"],
            "items": {"type": ["string", "boolean"]}
        })
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Value {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "Any JSON. A string may be a template; {\"__ansible_unsafe\": TEXT} never is; {\"__rustle_secret\": NAME} stands for a sealed secret."
        })
    }
}
