//! Going through a value, as Python's `for` and `list()` do.

use super::Value;
use crate::Error;

/// The elements of anything that can be gone through.
pub(crate) fn iterate(value: &Value) -> Result<Vec<Value>, Error> {
    match value {
        Value::List(list) => Ok(list.to_vec()),
        Value::Tuple(items) => Ok(items.to_vec()),
        Value::Dict(dict) => Ok(dict.keys()),
        Value::Str(text) => {
            let mut buffer = [0; 4];
            Ok(text
                .chars()
                .map(|c| Value::str(&*c.encode_utf8(&mut buffer)))
                .collect())
        }
        Value::Bytes(bytes) => Ok(bytes.iter().map(|b| Value::Int(i64::from(*b))).collect()),
        Value::Object(object) => object.iterate().unwrap_or_else(|| Err(not_iterable(value))),
        Value::Undefined(u) if !u.is_lenient() => Err(u.error()),
        Value::Undefined(_) => Ok(Vec::new()),
        other => Err(not_iterable(other)),
    }
}

fn not_iterable(value: &Value) -> Error {
    Error::type_error(format!("'{}' object is not iterable", value.type_name()))
}
