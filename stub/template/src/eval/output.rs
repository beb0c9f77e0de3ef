//! What a template prints. A string in a playbook may yield a value of any type; a template file yields text.

use crate::value::{MAX_TEXT, Value, to_text, write_text};
use crate::Error;

/// Where output goes.
pub(crate) enum Out {
    /// Pieces, to be joined when the template is done.
    Native(Vec<Value>),
    /// Text only.
    Text(String),
}

impl Out {
    pub(crate) fn native() -> Out {
        Out::Native(Vec::new())
    }

    pub(crate) fn push(&mut self, value: Value) -> Result<(), Error> {
        match self {
            Out::Native(pieces) => {
                if !matches!(value, Value::None) {
                    pieces.push(value.strict()?);
                }
            }
            Out::Text(text) => {
                if !matches!(value, Value::None | Value::Omit) {
                    write_text(text, &value)?;
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
            Out::Text(text) => Ok(Value::from(text)),
        }
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
                    other => text.push_str(&to_text(&other)?),
                }
                if text.len() > MAX_TEXT {
                    return Err(too_long());
                }
            }
            Ok(Value::from(text))
        }
    }
}
