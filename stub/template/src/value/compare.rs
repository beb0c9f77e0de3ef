//! Equality, order and membership, as Python defines them across types.

use std::cmp::Ordering;

use super::containers::MAX_DATA_DEPTH;
use super::{Value, number};
use crate::{Error, ErrorKind};

/// Python's `a == b`. Undefined values cannot be compared.
pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, Error> {
    equal_within(a, b, 0)
}

fn equal_within(a: &Value, b: &Value, depth: usize) -> Result<bool, Error> {
    if depth > MAX_DATA_DEPTH {
        return Err(too_deep());
    }
    let all = |a: &[Value], b: &[Value]| -> Result<bool, Error> {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (x, y) in a.iter().zip(b) {
            if !equal_within(x, y, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    Ok(match (a, b) {
        (Value::Undefined(u), other) | (other, Value::Undefined(u)) => {
            if !u.is_lenient() {
                return Err(u.error());
            }
            matches!(other, Value::Undefined(o) if o.is_lenient())
        }
        (Value::Str(a), Value::Str(b)) => a.as_str() == b.as_str(),
        (Value::None, Value::None) | (Value::Omit, Value::Omit) => true,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::List(a), Value::List(b)) => {
            a.address() == b.address() || all(&a.to_vec(), &b.to_vec())?
        }
        (Value::Tuple(a), Value::Tuple(b)) => all(a, b)?,
        (Value::Dict(a), Value::Dict(b)) => {
            if a.address() == b.address() {
                return Ok(true);
            }
            if a.len() != b.len() {
                return Ok(false);
            }
            for (key, value) in a.pairs() {
                match b.get(&key)? {
                    Some(other) if equal_within(&value, &other, depth + 1)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        (Value::Object(a), Value::Object(b)) => std::rc::Rc::ptr_eq(a, b) || a.equals(b.as_ref()),
        (a, b) => numbers(a, b) == Some(Ordering::Equal),
    })
}

/// The order of two numbers; `None` if one is none, or not a number in the other sense.
fn numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Float(f), _) => float_against(*f, b),
        (_, Value::Float(f)) => float_against(*f, a).map(Ordering::reverse),
        _ => Some(number::as_big(a)?.cmp(&number::as_big(b)?)),
    }
}

/// Exact, as Python's: an integer is never rounded to be compared.
fn float_against(float: f64, other: &Value) -> Option<Ordering> {
    let integer = number::as_big(other)?;
    if !float.is_finite() {
        return float.partial_cmp(&0.0);
    }
    let floor = super::BigInt::from_f64(float.floor());
    Some(floor.cmp(&integer).then(if float.fract() == 0.0 {
        Ordering::Equal
    } else {
        Ordering::Greater
    }))
}

/// The order of two values for `<`, sorting, `min` and `max`; `operator` is for the message.
pub(crate) fn order(a: &Value, b: &Value, operator: &str) -> Result<Option<Ordering>, Error> {
    order_within(a, b, operator, 0)
}

fn order_within(
    a: &Value,
    b: &Value,
    operator: &str,
    depth: usize,
) -> Result<Option<Ordering>, Error> {
    if depth > MAX_DATA_DEPTH {
        return Err(too_deep());
    }
    let sequences = |a: &[Value], b: &[Value]| -> Result<Option<Ordering>, Error> {
        for (x, y) in a.iter().zip(b) {
            if !equal_within(x, y, depth + 1)? {
                return order_within(x, y, operator, depth + 1);
            }
        }
        Ok(Some(a.len().cmp(&b.len())))
    };
    let is_number = |v: &Value| {
        matches!(
            v,
            Value::Bool(_) | Value::Int(_) | Value::Big(_) | Value::Float(_)
        )
    };
    match (a, b) {
        (Value::Undefined(u), _) | (_, Value::Undefined(u)) if !u.is_lenient() => Err(u.error()),
        (Value::Str(a), Value::Str(b)) => Ok(Some(a.as_str().cmp(b.as_str()))),
        (Value::Bytes(a), Value::Bytes(b)) => Ok(Some(a.cmp(b))),
        (Value::List(a), Value::List(b)) => sequences(&a.to_vec(), &b.to_vec()),
        (Value::Tuple(a), Value::Tuple(b)) => sequences(a, b),
        (Value::Object(x), Value::Object(y)) => match x.order(y.as_ref()) {
            Some(ordering) => Ok(Some(ordering)),
            None => Err(unordered(a, b, operator)),
        },
        _ if is_number(a) && is_number(b) => Ok(numbers(a, b)),
        _ => Err(unordered(a, b, operator)),
    }
}

fn unordered(a: &Value, b: &Value, operator: &str) -> Error {
    Error::type_error(format!(
        "'{operator}' not supported between instances of '{}' and '{}'",
        a.type_name(),
        b.type_name()
    ))
}

fn too_deep() -> Error {
    Error::new(
        ErrorKind::Recursion,
        "maximum recursion depth exceeded in comparison",
    )
}

/// One of Python's comparison operators.
pub(crate) fn compare(operator: &str, a: &Value, b: &Value) -> Result<bool, Error> {
    Ok(match operator {
        "==" => equal(a, b)?,
        "!=" => !equal(a, b)?,
        "in" => contains(b, a)?,
        "not in" => !contains(b, a)?,
        _ => {
            let ordering = order(a, b, operator)?;
            match operator {
                "<" => ordering == Some(Ordering::Less),
                "<=" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
                ">" => ordering == Some(Ordering::Greater),
                _ => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            }
        }
    })
}

/// Python's `item in container`.
pub(crate) fn contains(container: &Value, item: &Value) -> Result<bool, Error> {
    let among = |items: &[Value]| -> Result<bool, Error> {
        for candidate in items {
            if equal(candidate, item)? {
                return Ok(true);
            }
        }
        Ok(false)
    };
    if let Value::Undefined(u) = item
        && !u.is_lenient()
    {
        return Err(u.error());
    }
    match container {
        Value::Str(text) => match item {
            Value::Str(part) => Ok(text.contains(part.as_str())),
            other => Err(Error::type_error(format!(
                "'in <string>' requires string as left operand, not {}",
                other.type_name()
            ))),
        },
        Value::Dict(dict) => Ok(dict.get(item)?.is_some()),
        Value::List(list) => among(&list.to_vec()),
        Value::Tuple(items) => among(items),
        Value::Bytes(bytes) => match item {
            Value::Bytes(part) => {
                Ok(part.is_empty() || bytes.windows(part.len()).any(|w| w == part.as_ref()))
            }
            other => Ok(other
                .as_int()
                .is_some_and(|i| bytes.iter().any(|b| i64::from(*b) == i))),
        },
        Value::Object(object) => match object.contains(item) {
            Some(found) => Ok(found),
            None => match object.iterate() {
                Some(items) => among(&items?),
                None => Err(not_iterable(container)),
            },
        },
        Value::Undefined(u) if !u.is_lenient() => Err(u.error()),
        Value::Undefined(_) => Ok(false),
        other => Err(not_iterable(other)),
    }
}

fn not_iterable(value: &Value) -> Error {
    Error::type_error(format!(
        "argument of type '{}' is not iterable",
        value.type_name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_across_types() {
        assert!(equal(&Value::Bool(true), &Value::Float(1.0)).unwrap());
        assert!(!equal(&Value::Int(i64::MAX), &Value::Float(9223372036854775807.0)).unwrap());
        assert!(compare("<", &Value::Int(1), &Value::Float(1.5)).unwrap());
        assert!(compare("<", &Value::str("a"), &Value::Int(1)).is_err());
    }

    #[test]
    fn endless_lists_are_an_error() {
        let make = || {
            let list = super::super::List::new(vec![]);
            list.edit(|items| items.push(Value::List(list.clone())));
            list
        };
        let (a, b) = (make(), make());
        assert!(equal(&Value::List(a.clone()), &Value::List(b.clone())).is_err());
        a.edit(Vec::clear);
        b.edit(Vec::clear);
    }
}
