//! What a template prints. A string in a playbook may yield a value of any type; a template file yields text.

use crate::Error;
use crate::value::{Dict, MAX_DATA_DEPTH, MAX_TEXT, Value, to_text, write_text};

/// Where output goes.
pub(crate) enum Out {
    /// Pieces, to be joined when the template is done.
    Native(Vec<Value>),
    /// Text only.
    Text {
        /// What was printed.
        text: String,
        /// Anything but one value of another type was printed.
        is_text: bool,
    },
}

impl Out {
    pub(crate) fn native() -> Out {
        Out::Native(Vec::new())
    }

    pub(crate) fn text(capacity: usize) -> Out {
        Out::Text {
            text: String::with_capacity(capacity),
            is_text: false,
        }
    }

    pub(crate) fn push(&mut self, value: Value) -> Result<(), Error> {
        match self {
            Out::Native(pieces) => {
                if !matches!(value, Value::None) {
                    pieces.push(value.strict()?);
                }
            }
            Out::Text { text, is_text } => {
                if !matches!(value, Value::None | Value::Omit) {
                    *is_text |= matches!(value, Value::Str(_)) || !text.is_empty();
                    write_text(text, &without_tuples(value))?;
                    if text.len() > MAX_TEXT {
                        return Err(too_long());
                    }
                }
            }
        }
        Ok(())
    }

    pub(crate) fn into_value(self) -> Result<Value, Error> {
        match self {
            Out::Native(pieces) => concat(pieces),
            Out::Text { text, .. } => Ok(Value::from(text)),
        }
    }
}

/// Printed data has lists where it had tuples.
fn without_tuples(value: Value) -> Value {
    if matches!(value, Value::List(_) | Value::Tuple(_) | Value::Dict(_)) && has_tuples(&value, 0) {
        return replace_tuples(&value, 0);
    }
    value
}

fn has_tuples(value: &Value, depth: usize) -> bool {
    depth < MAX_DATA_DEPTH
        && match value {
            Value::Tuple(_) => true,
            Value::List(list) => list.borrow().iter().any(|item| has_tuples(item, depth + 1)),
            Value::Dict(dict) => dict
                .borrow()
                .values()
                .any(|item| has_tuples(item, depth + 1)),
            _ => false,
        }
}

fn replace_tuples(value: &Value, depth: usize) -> Value {
    if depth > MAX_DATA_DEPTH {
        return value.clone();
    }
    let all = |items: &[Value]| {
        Value::list(
            items
                .iter()
                .map(|item| replace_tuples(item, depth + 1))
                .collect(),
        )
    };
    match value {
        Value::List(list) => all(&list.to_vec()),
        Value::Tuple(items) => all(items),
        Value::Dict(dict) => Value::Dict(Dict::from_map(
            dict.borrow()
                .iter()
                .map(|(key, item)| (key.clone(), replace_tuples(item, depth + 1)))
                .collect(),
        )),
        other => other.clone(),
    }
}

fn too_long() -> Error {
    Error::limit(format!("output too long: more than {MAX_TEXT} bytes"))
}

/// Joins what a template printed: nothing is `None`, one piece keeps its type, several become text.
pub(crate) fn concat(mut pieces: Vec<Value>) -> Result<Value, Error> {
    match pieces.len() {
        0 => Ok(Value::None),
        1 => Ok(pieces.pop().unwrap_or(Value::None)),
        _ => {
            let mut text = String::new();
            for piece in pieces {
                match piece {
                    Value::Omit => {}
                    Value::Str(part) => text.push_str(&part),
                    other => text.push_str(&to_text(&without_tuples(other))?),
                }
                if text.len() > MAX_TEXT {
                    return Err(too_long());
                }
            }
            Ok(Value::from(text))
        }
    }
}
