//! Methods of Python's types, as templates call them.

mod bytes;
mod dicts;
mod lists;
mod numbers;
mod splitting;
mod strings;

pub(crate) use numbers::attribute as number_attribute;
pub(crate) use strings::{pad_text, recase, replace};

use crate::Error;
use crate::eval::{Args, Interp};
use crate::value::Value;

/// The methods of text that bytes have too, for ASCII.
const BYTES: [&str; 9] = [
    "capitalize",
    "endswith",
    "lower",
    "lstrip",
    "rstrip",
    "startswith",
    "strip",
    "swapcase",
    "upper",
];

/// True if values of this type have a method of that name.
pub(crate) fn exists(value: &Value, name: &str) -> bool {
    match value {
        Value::Str(_) => strings::NAMES.contains(&name),
        Value::List(_) => lists::NAMES.contains(&name),
        Value::Tuple(_) => matches!(name, "count" | "index"),
        Value::Dict(_) => dicts::NAMES.contains(&name),
        Value::Int(_) | Value::Big(_) | Value::Bool(_) | Value::Float(_) => {
            numbers::exists(value, name)
        }
        Value::Bytes(_) => {
            matches!(name, "decode" | "hex") || cfg!(feature = "full") && BYTES.contains(&name)
        }
        _ => false,
    }
}

/// True if the method changes the value in place.
pub(crate) fn changes(value: &Value, name: &str) -> bool {
    match value {
        Value::List(_) => {
            matches!(
                name,
                "append" | "clear" | "extend" | "insert" | "pop" | "remove" | "reverse" | "sort"
            )
        }
        Value::Dict(_) => matches!(name, "clear" | "pop" | "popitem" | "setdefault" | "update"),
        _ => false,
    }
}

/// True if the method compares the elements of a list, which must be rendered then.
pub(crate) fn looks_at_elements(value: &Value, name: &str) -> bool {
    matches!(value, Value::List(_)) && matches!(name, "count" | "index" | "remove" | "sort")
}

/// Calls a method; `None` if there is none of that name.
pub(crate) fn call(
    interp: &mut Interp<'_>,
    value: &Value,
    name: &str,
    args: Args,
) -> Option<Result<Value, Error>> {
    if !exists(value, name) {
        return None;
    }
    Some(match value {
        Value::Str(text) => strings::call(interp, text, name, args),
        Value::List(list) => lists::call(interp, list, name, args),
        Value::Tuple(items) => lists::call_tuple(items, name, args),
        Value::Dict(dict) => dicts::call(interp, dict, name, args),
        Value::Bytes(bytes) => bytes::call(bytes, name, args),
        number => numbers::call(number, name, args),
    })
}
