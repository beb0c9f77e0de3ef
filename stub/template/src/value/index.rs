//! Looking into values: attributes, items, slices. What is missing gives an undefined value that says what
//! was missing from what; it does not fail.

use std::rc::Rc;

use super::object::Method;
use super::{Undefined, Value, str_repr};
use crate::Error;
use crate::eval::Interp;

/// Jinja's `value.name`: an attribute if there is one, else an item.
pub(crate) fn get_attr(
    interp: &mut Interp<'_>,
    value: &Value,
    name: &Rc<str>,
) -> Result<Value, Error> {
    if let Value::Undefined(_) = value {
        return undefined_inside(value);
    }
    if crate::methods::exists(value, name) {
        return Ok(Value::object(Method {
            receiver: value.clone(),
            name: name.clone(),
        }));
    }
    let found = match value {
        Value::Dict(dict) => dict.get_str(name),
        Value::Int(_) | Value::Big(_) | Value::Bool(_) | Value::Float(_) => {
            crate::methods::number_attribute(value, name)
        }
        Value::Object(object) => match object.get_attr(interp, name)? {
            Some(found) => Some(found),
            None => object.get_item(interp, &Value::str(name.clone()))?,
        },
        _ => None,
    };
    match found {
        Some(found) => interp.resolve(found),
        None if is_unsafe(name) => Ok(unsafe_attr(value, name)),
        None => Ok(missing_attr(value, name)),
    }
}

/// An undefined value looked into stays the same undefined value; the lenient kind is an error at once.
fn undefined_inside(value: &Value) -> Result<Value, Error> {
    match value {
        Value::Undefined(u) if u.is_lenient() => Err(Error::type_error(
            "the inline if-expression evaluated to false and no else section was defined.",
        )),
        other => Ok(other.clone()),
    }
}

fn is_unsafe(name: &str) -> bool {
    name.starts_with("__")
}

fn unsafe_attr(value: &Value, name: &Rc<str>) -> Value {
    let message = format!(
        "access to attribute '{name}' of '{}' object is unsafe.",
        value.type_name()
    );
    Value::Undefined(Rc::new(Undefined::message_only(
        Some(name.clone()),
        message,
    )))
}

/// The undefined value for a missing attribute.
pub(crate) fn missing_attr(value: &Value, name: &Rc<str>) -> Value {
    let message = format!(
        "object of type '{}' has no attribute {}",
        value.type_name(),
        str_repr(name)
    );
    Value::Undefined(Rc::new(Undefined::message_only(
        Some(name.clone()),
        message,
    )))
}

fn missing_item(value: &Value, key: &Value) -> Result<Value, Error> {
    let key = super::repr(key)?;
    let message = format!(
        "object of type '{}' has no attribute {key}",
        value.type_name()
    );
    Ok(Value::Undefined(Rc::new(Undefined::message_only(
        Some(key.into()),
        message,
    ))))
}

/// Jinja's `value[key]`: an item if there is one, else an attribute of that name.
pub(crate) fn get_item(
    interp: &mut Interp<'_>,
    value: &Value,
    key: &Value,
) -> Result<Value, Error> {
    if let Value::Undefined(_) = value {
        return undefined_inside(value);
    }
    if let Value::Undefined(_) = key {
        return Ok(key.clone());
    }
    let found = match value {
        Value::Dict(dict) => match key {
            Value::List(_) | Value::Dict(_) => None,
            key => dict.get(key)?,
        },
        Value::List(list) => position(key, list.len()).and_then(|i| list.get(i)),
        Value::Tuple(items) => position(key, items.len()).map(|i| items[i].clone()),
        Value::Str(text) => position(key, char_len(text))
            .and_then(|i| text.chars().nth(i))
            .map(|c| Value::from(c.to_string())),
        Value::Bytes(bytes) => position(key, bytes.len()).map(|i| Value::Int(i64::from(bytes[i]))),
        Value::Object(object) => object.get_item(interp, key)?,
        _ => None,
    };
    match (found, key) {
        (Some(found), _) => interp.resolve(found),
        (None, Value::Str(name))
            if matches!(value, Value::Object(_)) || crate::methods::exists(value, name) =>
        {
            get_attr(interp, value, &name.shared())
        }
        (None, Value::Str(name)) if is_unsafe(name) && !matches!(value, Value::Dict(_)) => {
            Ok(unsafe_attr(value, &name.shared()))
        }
        (None, key) => missing_item(value, key),
    }
}

/// The number of characters.
pub(crate) fn char_len(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

/// A Python index (negative ones count from the end) as a position.
fn position(key: &Value, len: usize) -> Option<usize> {
    let index = key.as_int()?;
    let index = if index < 0 {
        index.checked_add(len as i64)?
    } else {
        index
    };
    usize::try_from(index).ok().filter(|i| *i < len)
}

/// Jinja's `value[start:stop:step]`.
pub(crate) fn slice(
    value: &Value,
    start: &Value,
    stop: &Value,
    step: &Value,
) -> Result<Value, Error> {
    if let Value::Undefined(_) = value {
        return undefined_inside(value);
    }
    let bound = |v: &Value| -> Result<Option<i64>, Error> {
        match v {
            Value::None => Ok(None),
            Value::Big(b) => Ok(Some(if b.is_negative() { i64::MIN } else { i64::MAX })),
            other => other.as_int().map(Some).ok_or_else(|| {
                Error::type_error(
                    "slice indices must be integers or None or have an __index__ method",
                )
            }),
        }
    };
    let (start, stop, step) = (bound(start)?, bound(stop)?, bound(step)?.unwrap_or(1));
    if step == 0 {
        return Err(Error::value("slice step cannot be zero"));
    }
    let picked = |len: usize| positions(len, start, stop, step);
    match value {
        Value::List(list) => Ok(Value::list(
            picked(list.len()).filter_map(|i| list.get(i)).collect(),
        )),
        Value::Tuple(items) => Ok(Value::tuple(
            picked(items.len()).map(|i| items[i].clone()).collect(),
        )),
        Value::Bytes(bytes) => Ok(Value::Bytes(
            picked(bytes.len()).map(|i| bytes[i]).collect(),
        )),
        Value::Str(text) if text.is_ascii() => {
            let bytes = text.as_bytes();
            Ok(Value::from(
                picked(bytes.len())
                    .map(|i| bytes[i] as char)
                    .collect::<String>(),
            ))
        }
        Value::Str(text) => {
            let chars: Vec<char> = text.chars().collect();
            Ok(Value::from(
                picked(chars.len()).map(|i| chars[i]).collect::<String>(),
            ))
        }
        Value::Object(object) => match object.as_any().downcast_ref::<super::Range>() {
            Some(range) => Ok(Value::list(
                picked(range.count())
                    .map(|i| Value::Int(range.nth(i)))
                    .collect(),
            )),
            None => Err(Error::type_error(format!(
                "'{}' object is not subscriptable",
                value.type_name()
            ))),
        },
        Value::Dict(_) => Err(Error::type_error("unhashable type: 'slice'")),
        other => Err(Error::type_error(format!(
            "'{}' object is not subscriptable",
            other.type_name()
        ))),
    }
}

/// The positions that a slice picks from a sequence of that length.
fn positions(
    len: usize,
    start: Option<i64>,
    stop: Option<i64>,
    step: i64,
) -> impl Iterator<Item = usize> {
    let len = len as i64;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |bound: i64| {
        (if bound < 0 {
            bound.saturating_add(len)
        } else {
            bound
        })
        .clamp(low, high)
    };
    let start = start.map_or(if step > 0 { low } else { high }, clamp);
    let stop = stop.map_or(if step > 0 { high } else { low }, clamp);
    let mut at = Some(start);
    std::iter::from_fn(move || {
        let now = at.filter(|i| if step > 0 { *i < stop } else { *i > stop })?;
        at = now.checked_add(step);
        usize::try_from(now).ok()
    })
}

/// A Python index for methods that take one, such as `insert` and `pop`.
pub(crate) fn wrap_index(index: i64, len: usize) -> i64 {
    if index < 0 {
        index.saturating_add(len as i64)
    } else {
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(start: Option<i64>, stop: Option<i64>, step: i64) -> String {
        positions(5, start, stop, step)
            .map(|i| char::from(b'a' + i as u8))
            .collect()
    }

    #[test]
    fn slices_are_pythons() {
        assert_eq!(cut(None, None, 1), "abcde");
        assert_eq!(cut(None, None, -1), "edcba");
        assert_eq!(cut(Some(-2), None, 1), "de");
        assert_eq!(cut(Some(1), Some(100), 2), "bd");
        assert_eq!(cut(Some(3), Some(0), -1), "dcb");
        assert_eq!(cut(Some(9), None, 1), "");
        assert_eq!(cut(Some(i64::MIN), Some(i64::MAX), i64::MAX), "a");
    }
}
