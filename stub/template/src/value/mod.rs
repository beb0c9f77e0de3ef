//! The values that templates compute with: Python's, as far as playbooks can see them.

mod bigint;
mod compare;
mod containers;
mod convert;
mod index;
mod iterate;
mod number;
mod object;
mod operators;
mod repr;
mod text;
mod undefined;

use std::rc::Rc;

pub use bigint::BigInt;
pub(crate) use compare::{compare, contains, equal, order};
pub use containers::{Dict, Key, List, StrKey};
pub(crate) use containers::{MAX_DATA_DEPTH, freeze, has_templates, thaw};
pub(crate) use convert::{key_text, unstorable};
pub(crate) use index::{char_len, get_attr, get_item, slice, wrap_index};
pub(crate) use iterate::iterate;
pub(crate) use number::{as_big, as_f64, decimal_digit, parse_float, parse_int, to_float, to_int};
pub(crate) use object::{Function, MAX_ITEMS, Method};
pub use object::{Object, Range};
pub(crate) use operators::{MAX_TEXT, binary, negate};
pub(crate) use repr::{float_repr, repr, str_repr, to_text, write_text};
pub use text::Str;
pub(crate) use text::looks_like_template;
pub use undefined::Undefined;

use crate::Error;

/// A value of the template language. Cheap to clone: everything large is shared, as in Python.
#[derive(Clone)]
#[non_exhaustive]
pub enum Value {
    /// Something that does not exist; an error as soon as it is really used.
    Undefined(Rc<Undefined>),
    /// Python's `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer that fits a machine word.
    Int(i64),
    /// An integer that does not.
    Big(Rc<BigInt>),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(Str),
    /// Python's `bytes`.
    Bytes(Rc<[u8]>),
    /// A mutable list.
    List(List),
    /// A tuple.
    Tuple(Rc<[Value]>),
    /// A mutable dictionary in insertion order.
    Dict(Dict),
    /// Anything else: functions, macros, `loop`, namespaces, dates.
    Object(Rc<dyn Object>),
    /// Ansible's `omit`: the parameter or the element that holds it shall be left out.
    Omit,
}

impl Value {
    /// Plain (untrusted) text.
    pub fn str(text: impl Into<Rc<str>>) -> Value {
        Value::Str(Str::plain(text))
    }

    /// Text from a playbook or an inventory: a template, if it contains one.
    pub fn trusted(text: impl Into<Rc<str>>) -> Value {
        Value::Str(Str::trusted(text))
    }

    /// A new list.
    pub fn list(items: Vec<Value>) -> Value {
        Value::List(List::new(items))
    }

    /// A new tuple.
    pub fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(items.into())
    }

    /// A new dictionary from pairs with text keys.
    pub fn dict<K: Into<Rc<str>>>(pairs: impl IntoIterator<Item = (K, Value)>) -> Value {
        let dict = Dict::new();
        for (key, value) in pairs {
            dict.insert(Key::from_str(key), value);
        }
        Value::Dict(dict)
    }

    /// An object.
    pub fn object(object: impl Object + 'static) -> Value {
        Value::Object(Rc::new(object))
    }

    /// A number of things. Never negative, never more than memory holds.
    pub(crate) fn count(number: usize) -> Value {
        Value::Int(number as i64)
    }

    /// The text, if the value is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The integer, if the value is one (booleans are integers, as in Python).
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(*i),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    /// True for the undefined value.
    pub fn is_undefined(&self) -> bool {
        matches!(self, Value::Undefined(_))
    }

    /// Python's name of the value's type.
    pub fn type_name(&self) -> &str {
        match self {
            Value::Undefined(u) if u.is_lenient() => "Undefined",
            Value::Undefined(_) => "UndefinedMarker",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) | Value::Big(_) => "int",
            Value::Float(_) => "float",
            Value::Str(s) if s.is_safe() => "Markup",
            Value::Str(_) => "str",
            Value::Bytes(_) => "bytes",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Object(o) => o.type_name(),
            Value::Omit => "Omit",
        }
    }

    /// Python's truth of a value; undefined is an error.
    pub fn truth(&self) -> Result<bool, Error> {
        Ok(match self {
            Value::Undefined(u) if u.is_lenient() => false,
            Value::Undefined(u) => return Err(u.error()),
            Value::None => false,
            Value::Bool(b) => *b,
            Value::Int(i) => *i != 0,
            Value::Big(_) | Value::Omit => true,
            Value::Float(f) => *f != 0.0,
            Value::Str(s) => !s.is_empty(),
            Value::Bytes(b) => !b.is_empty(),
            Value::List(l) => !l.is_empty(),
            Value::Tuple(t) => !t.is_empty(),
            Value::Dict(d) => !d.is_empty(),
            Value::Object(o) => o.truth(),
        })
    }

    /// The value itself, or the error that its use is.
    pub fn strict(self) -> Result<Value, Error> {
        match &self {
            Value::Undefined(u) if !u.is_lenient() => Err(u.error()),
            _ => Ok(self),
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Value::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Value::Int(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Value::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Value::str(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Value::str(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(value: Vec<Value>) -> Self {
        Value::list(value)
    }
}

impl PartialEq for Value {
    /// Python's `==`; what Python refuses to compare (undefined values) is unequal.
    fn eq(&self, other: &Self) -> bool {
        equal(self, other).unwrap_or(false)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Undefined(u) => write!(f, "Undefined({})", u.message()),
            other => f.write_str(&repr(other).unwrap_or_else(|error| error.message().to_owned())),
        }
    }
}
