//! Between template values and data: the plan's and results' `rustle_formats::Value`, and JSON.

use std::rc::Rc;

use rustle_formats::Value as Data;
use serde_json::Value as Json;

use super::containers::MAX_DATA_DEPTH;
use super::{BigInt, Dict, Key, List, Str, Value, repr};
use crate::{Error, ErrorKind, Undefined};

impl Value {
    /// Plan data as values. `trusted` says whether plain text in it may be a template: true for what somebody
    /// wrote into a playbook or an inventory, false for results and facts.
    pub fn from_formats(data: &Data, trusted: bool) -> Value {
        match data {
            Data::Null => Value::None,
            Data::Bool(b) => Value::Bool(*b),
            Data::Int(i) => Value::Int(*i),
            Data::Float(f) => Value::Float(*f),
            Data::Str(s) if trusted => Value::trusted(s.as_str()),
            Data::Str(s) | Data::Unsafe(s) => Value::str(s.as_str()),
            Data::List(items) => Value::List(List::new(
                items
                    .iter()
                    .map(|item| Value::from_formats(item, trusted))
                    .collect(),
            )),
            Data::Map(map) => Value::dict(
                map.iter()
                    .map(|(key, item)| (key.as_str(), Value::from_formats(item, trusted))),
            ),
            Data::Pairs(pairs) => {
                let dict = Dict::new();
                for (key, item) in pairs {
                    let key = Value::from_formats(key, false);
                    let key =
                        Key::new(key.clone()).unwrap_or_else(|_| Key::from_str(format!("{key:?}")));
                    dict.insert(key, Value::from_formats(item, trusted));
                }
                Value::Dict(dict)
            }
            Data::Secret(name) => Value::Undefined(Rc::new(Undefined::message_only(
                Some(name.as_str().into()),
                format!("the secret '{name}' has not been unsealed"),
            ))),
        }
    }

    /// The value as data that is no template any more, for module arguments, results and events.
    pub fn to_formats(&self) -> Result<Data, Error> {
        to_formats(self, false, 0)
    }

    /// The value as data that keeps the difference between what the playbook wrote and text that came out of a template,
    /// for variables that are stored and read again.
    pub fn to_formats_keeping_trust(&self) -> Result<Data, Error> {
        to_formats(self, true, 0)
    }

    /// JSON as values; `trusted` as in [`Value::from_formats`].
    pub fn from_json(json: &Json, trusted: bool) -> Value {
        match json {
            Json::Null => Value::None,
            Json::Bool(b) => Value::Bool(*b),
            Json::Number(n) => match (n.as_i64(), n.as_u64(), n.as_f64()) {
                (Some(i), _, _) => Value::Int(i),
                (None, Some(u), _) => {
                    BigInt::parse(&u.to_string(), 10).map_or(Value::None, Value::from)
                }
                (None, None, Some(f)) => Value::Float(f),
                _ => Value::None,
            },
            Json::String(s) if trusted => Value::trusted(s.as_str()),
            Json::String(s) => Value::str(s.as_str()),
            Json::Array(items) => Value::List(List::new(
                items
                    .iter()
                    .map(|item| Value::from_json(item, trusted))
                    .collect(),
            )),
            Json::Object(map) => Value::dict(
                map.iter()
                    .map(|(key, item)| (key.as_str(), Value::from_json(item, trusted))),
            ),
        }
    }

    /// An undefined variable of that name.
    pub fn undefined(name: impl Into<Rc<str>>) -> Value {
        Value::Undefined(Rc::new(Undefined::variable(name.into())))
    }

    /// Text that is escaped for HTML already.
    pub(crate) fn markup(text: String) -> Value {
        Value::Str(Str::safe(text))
    }
}

impl From<&Data> for Value {
    /// Data from a playbook or an inventory: its text is trusted.
    fn from(data: &Data) -> Self {
        Value::from_formats(data, true)
    }
}

fn to_formats(value: &Value, keep_trust: bool, depth: usize) -> Result<Data, Error> {
    if depth > MAX_DATA_DEPTH {
        return Err(Error::new(
            ErrorKind::Recursion,
            "data is nested too deeply",
        ));
    }
    let all = |items: &[Value]| -> Result<Data, Error> {
        items
            .iter()
            .map(|item| to_formats(item, keep_trust, depth + 1))
            .collect::<Result<_, _>>()
            .map(Data::List)
    };
    Ok(match value {
        Value::Undefined(u) => return Err(u.error()),
        Value::None | Value::Omit => Data::Null,
        Value::Bool(b) => Data::Bool(*b),
        Value::Int(i) => Data::Int(*i),
        // Data has no larger integers: digits are better than a rounded number.
        Value::Big(b) => Data::Str(b.to_string()),
        Value::Float(f) => Data::Float(*f),
        Value::Str(s) if keep_trust && !s.is_trusted() => Data::Unsafe(s.as_str().to_owned()),
        Value::Str(s) => Data::Str(s.as_str().to_owned()),
        Value::Bytes(bytes) => Data::Str(String::from_utf8_lossy(bytes).into_owned()),
        Value::List(list) => all(&list.to_vec())?,
        Value::Tuple(items) => all(items)?,
        Value::Dict(dict) => dict_to_formats(&dict.pairs(), keep_trust, depth)?,
        Value::Object(object) => match object.to_data() {
            Some(data) => to_formats(&data, keep_trust, depth + 1)?,
            None => return Err(unstorable(value)),
        },
    })
}

fn dict_to_formats(
    pairs: &[(Value, Value)],
    keep_trust: bool,
    depth: usize,
) -> Result<Data, Error> {
    if pairs.iter().all(|(key, _)| matches!(key, Value::Str(_))) {
        return pairs
            .iter()
            .map(|(key, item)| {
                let key = key.as_str().unwrap_or_default().to_owned();
                Ok((key, to_formats(item, keep_trust, depth + 1)?))
            })
            .collect::<Result<_, _>>()
            .map(Data::Map);
    }
    pairs
        .iter()
        .map(|(key, item)| {
            Ok((
                to_formats(key, false, depth + 1)?,
                to_formats(item, keep_trust, depth + 1)?,
            ))
        })
        .collect::<Result<_, _>>()
        .map(Data::Pairs)
}

/// The error for values that live inside templates only.
pub(crate) fn unstorable(value: &Value) -> Error {
    Error::type_error(format!(
        "Type '{}' is unsupported for variable storage.",
        value.type_name()
    ))
}

/// A dictionary key as JSON wants it.
pub(crate) fn key_text(key: &Value) -> Result<String, Error> {
    Ok(match key {
        Value::Str(s) => s.as_str().to_owned(),
        Value::None => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        other => repr(other)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_survives_the_round_trip() {
        let data = Data::Map(
            [
                (
                    "a".to_owned(),
                    Data::List(vec![
                        Data::Int(1),
                        Data::Null,
                        Data::Bool(true),
                        Data::Float(0.5),
                    ]),
                ),
                ("b".to_owned(), Data::Unsafe("{{ x }}".into())),
                ("c".to_owned(), Data::Str("{{ x }}".into())),
                (
                    "d".to_owned(),
                    Data::Pairs(vec![(Data::Int(1), Data::Str("x".into()))]),
                ),
            ]
            .into_iter()
            .collect(),
        );
        assert_eq!(Value::from(&data).to_formats_keeping_trust().unwrap(), data);
    }
}
