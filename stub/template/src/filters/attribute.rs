//! Attributes given as text, as `map(attribute='a.b')` and `sort(attribute='a')` take them.

use crate::Error;
use crate::eval::Interp;
use crate::value::{Value, get_item};

/// A path of names and indexes.
pub(super) struct Attribute {
    path: Vec<Value>,
    default: Option<Value>,
}

impl Attribute {
    /// Reads `a.0.b`.
    pub(super) fn parse(text: &str) -> Self {
        let part = |part: &str| match part.parse::<i64>() {
            Ok(index) if part.bytes().all(|b| b.is_ascii_digit()) => Value::Int(index),
            _ => Value::str(part),
        };
        Attribute {
            path: text.split('.').map(part).collect(),
            default: None,
        }
    }

    /// A path from an argument: text, or an index.
    pub(super) fn new(value: &Value) -> Result<Self, Error> {
        match value {
            Value::Str(text) => Ok(Self::parse(text)),
            Value::Undefined(u) => Err(u.error()),
            other => Ok(Attribute {
                path: vec![other.clone()],
                default: None,
            }),
        }
    }

    /// What stands for missing values.
    pub(super) fn with_default(mut self, default: Option<Value>) -> Self {
        self.default = default.filter(|default| !matches!(default, Value::None));
        self
    }

    /// The value at the path; may be undefined.
    pub(super) fn get(&self, interp: &mut Interp<'_>, item: &Value) -> Result<Value, Error> {
        let mut value = item.clone();
        for part in &self.path {
            value = get_item(interp, &value, part)?;
            if value.is_undefined()
                && let Some(default) = &self.default
            {
                value = default.clone();
            }
        }
        Ok(value)
    }
}
