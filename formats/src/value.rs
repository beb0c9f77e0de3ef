//! Plain data: what a plan's arguments and variables, and an event's results, are made of.
//!
//! `serde_json::Value` cannot be written as postcard (it needs a self-describing format), and it cannot tell a template
//! from a string that must never be templated. This type does both: JSON in the documents, a tagged enum on the wire.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A mapping with text keys, in the order in which it was written.
pub type Map = IndexMap<String, Value>;

/// The key that marks, in JSON, a string which is data and never a template (YAML's `!unsafe`).
pub const UNSAFE_KEY: &str = "__ansible_unsafe";
/// The key that marks, in JSON, a reference to a sealed secret by its name.
pub const SECRET_KEY: &str = "__rustle_secret";
/// The key that marks, in JSON, a mapping whose keys are not all text, as a list of pairs.
pub const PAIRS_KEY: &str = "__rustle_pairs";

/// How deep a value may nest. Deeper input is refused, so that no recursion over a value overflows a stack.
pub const MAX_DEPTH: usize = 128;

/// Plain data with Ansible's types.
///
/// A [`Value::Str`] that comes from a plan is *trusted*: it may be a template. One that comes from a result or a fact
/// is data; who holds it must know which. [`Value::Unsafe`] is data wherever it stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    /// YAML's `null`, Python's `None`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Str(String),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping with text keys.
    Map(Map),
    /// A mapping with keys of other types (`{1: a}`), as pairs in order.
    Pairs(Vec<(Value, Value)>),
    /// Text that is never a template.
    Unsafe(String),
    /// The name of a secret that the overlay holds sealed; the runtime puts its text in place of it.
    Secret(String),
}

impl Value {
    /// The text of a string, trusted or not.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) | Value::Unsafe(s) => Some(s),
            _ => None,
        }
    }

    /// The boolean, if it is one. Ansible's words (`yes`, `on`, …) are the caller's affair.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(*i),
            _ => None,
        }
    }

    /// The mapping with text keys, if it is one.
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Value::Map(m) => Some(m),
            _ => None,
        }
    }

    /// The sequence, if it is one.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(l) => Some(l),
            _ => None,
        }
    }

    /// Looks a key up in a mapping with text keys.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map().and_then(|m| m.get(key))
    }

    /// Whether this is `Null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Puts a mapping that carries one of the marker keys into the form that it stands for.
    fn from_map(mut map: Map) -> Value {
        if map.len() == 1 {
            match map.get_index(0) {
                Some((k, Value::Str(_))) if k == UNSAFE_KEY || k == SECRET_KEY => {
                    if let Some((key, Value::Str(text))) = map.swap_remove_index(0) {
                        return if key == UNSAFE_KEY {
                            Value::Unsafe(text)
                        } else {
                            Value::Secret(text)
                        };
                    }
                }
                Some((k, Value::List(pairs))) if k == PAIRS_KEY => {
                    let mut out = Vec::with_capacity(pairs.len());
                    for pair in pairs {
                        match pair {
                            Value::List(kv) if kv.len() == 2 => {
                                out.push((kv[0].clone(), kv[1].clone()));
                            }
                            _ => return Value::Map(map),
                        }
                    }
                    return Value::Pairs(out);
                }
                _ => {}
            }
        }
        Value::Map(map)
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Str(s.to_owned())
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Str(s)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}
impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}
impl From<f64> for Value {
    fn from(f: f64) -> Self {
        Value::Float(f)
    }
}
impl From<Map> for Value {
    fn from(m: Map) -> Self {
        Value::Map(m)
    }
}
impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(l: Vec<T>) -> Self {
        Value::List(l.into_iter().map(Into::into).collect())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(o: Option<T>) -> Self {
        o.map_or(Value::Null, Into::into)
    }
}

/// The form on the wire, where the enum's tag is written.
#[derive(Serialize, Deserialize)]
enum Wire<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(std::borrow::Cow<'a, str>),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    Pairs(Vec<(Value, Value)>),
    Unsafe(std::borrow::Cow<'a, str>),
    Secret(std::borrow::Cow<'a, str>),
}

/// Borrowed twin of [`Wire`], so that writing copies nothing. The variants stand in the same order.
#[derive(Serialize)]
enum WireRef<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(&'a str),
    List(&'a [Value]),
    Map(WireMap<'a>),
    Pairs(&'a [(Value, Value)]),
    Unsafe(&'a str),
    Secret(&'a str),
}

struct WireMap<'a>(&'a Map);

impl Serialize for WireMap<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut seq = s.serialize_seq(Some(self.0.len()))?;
        for pair in self.0 {
            seq.serialize_element(&pair)?;
        }
        seq.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if !s.is_human_readable() {
            return match self {
                Value::Null => WireRef::Null,
                Value::Bool(b) => WireRef::Bool(*b),
                Value::Int(i) => WireRef::Int(*i),
                Value::Float(f) => WireRef::Float(*f),
                Value::Str(t) => WireRef::Str(t),
                Value::List(l) => WireRef::List(l),
                Value::Map(m) => WireRef::Map(WireMap(m)),
                Value::Pairs(p) => WireRef::Pairs(p),
                Value::Unsafe(t) => WireRef::Unsafe(t),
                Value::Secret(t) => WireRef::Secret(t),
            }
            .serialize(s);
        }
        let marked = |s: S, key: &str, text: &str| {
            let mut map = s.serialize_map(Some(1))?;
            map.serialize_entry(key, text)?;
            map.end()
        };
        match self {
            Value::Null => s.serialize_unit(),
            Value::Bool(b) => s.serialize_bool(*b),
            Value::Int(i) => s.serialize_i64(*i),
            Value::Float(f) => s.serialize_f64(*f),
            Value::Str(t) => s.serialize_str(t),
            Value::List(l) => l.serialize(s),
            Value::Map(m) => m.serialize(s),
            Value::Pairs(p) => {
                let mut map = s.serialize_map(Some(1))?;
                map.serialize_entry(PAIRS_KEY, p)?;
                map.end()
            }
            Value::Unsafe(t) => marked(s, UNSAFE_KEY, t),
            Value::Secret(t) => marked(s, SECRET_KEY, t),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            return d.deserialize_any(JsonVisitor);
        }
        let _level = crate::depth::Level::enter().map_err(de::Error::custom)?;
        Ok(match Wire::deserialize(d)? {
            Wire::Null => Value::Null,
            Wire::Bool(b) => Value::Bool(b),
            Wire::Int(i) => Value::Int(i),
            Wire::Float(f) => Value::Float(f),
            Wire::Str(t) => Value::Str(t.into_owned()),
            Wire::List(l) => Value::List(l),
            Wire::Map(m) => {
                let count = m.len();
                let map: Map = m.into_iter().collect();
                if map.len() != count {
                    return Err(de::Error::custom("a mapping has a key twice"));
                }
                Value::Map(map)
            }
            Wire::Pairs(p) => Value::Pairs(p),
            Wire::Unsafe(t) => Value::Unsafe(t.into_owned()),
            Wire::Secret(t) => Value::Secret(t.into_owned()),
        })
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }
    fn visit_i64<E>(self, i: i64) -> Result<Value, E> {
        Ok(Value::Int(i))
    }
    fn visit_u64<E>(self, u: u64) -> Result<Value, E> {
        Ok(i64::try_from(u).map_or(Value::Float(u as f64), Value::Int))
    }
    fn visit_f64<E>(self, f: f64) -> Result<Value, E> {
        Ok(Value::Float(f))
    }
    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::Str(s.to_owned()))
    }
    fn visit_string<E>(self, s: String) -> Result<Value, E> {
        Ok(Value::Str(s))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(v) = seq.next_element()? {
            list.push(v);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((k, v)) = access.next_entry::<String, Value>()? {
            map.insert(k, v);
        }
        Ok(Value::from_map(map))
    }
}

impl fmt::Display for Value {
    /// Compact JSON.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_survive_both_forms() {
        let json = r#"{"a":{"__ansible_unsafe":"{{ x }}"},"b":{"__rustle_secret":"db"},"c":{"__rustle_pairs":[[1,"one"]]},"d":[1,2.5,null,true]}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(value.get("a"), Some(&Value::Unsafe("{{ x }}".into())));
        assert_eq!(value.get("b"), Some(&Value::Secret("db".into())));
        assert_eq!(serde_json::to_string(&value).unwrap(), json);
        let wire = postcard::to_stdvec(&value).unwrap();
        assert_eq!(postcard::from_bytes::<Value>(&wire).unwrap(), value);
    }
}
