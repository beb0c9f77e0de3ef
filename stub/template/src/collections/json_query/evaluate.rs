//! Evaluating JMESPath.

use super::functions;
use super::syntax::Node;
use crate::Error;
use crate::value::{Dict, Key, Value, equal, iterate};

/// What a query finds; what is not there is `None`.
pub(super) fn search(node: &Node, value: &Value) -> Result<Value, Error> {
    match node {
        Node::Current => Ok(value.clone()),
        Node::Field(name) => Ok(match value {
            Value::Dict(dict) => dict.get_str(name).unwrap_or(Value::None),
            _ => Value::None,
        }),
        Node::Literal(value) => Ok(value.clone()),
        Node::Index(index) => Ok(list_of(value)?.map_or(Value::None, |items| {
            let at = match *index {
                0.. => usize::try_from(*index).ok(),
                _ => usize::try_from(index.unsigned_abs())
                    .ok()
                    .and_then(|back| items.len().checked_sub(back)),
            };
            at.and_then(|at| items.get(at).cloned())
                .unwrap_or(Value::None)
        })),
        Node::Slice(parts) => slice(value, parts),
        Node::Sub(left, right) => search(right, &search(left, value)?),
        Node::Pipe(left, right) => search(right, &search(left, value)?),
        Node::Project(left, right) => each(list_of(&search(left, value)?)?, right),
        Node::ProjectValues(left, right) => match search(left, value)? {
            Value::Dict(dict) => each(Some(dict.values()), right),
            _ => Ok(Value::None),
        },
        Node::Filter(left, right, condition) => {
            let Some(items) = list_of(&search(left, value)?)? else {
                return Ok(Value::None);
            };
            let mut kept = Vec::new();
            for item in items {
                if truth(&search(condition, &item)?) {
                    kept.push(item);
                }
            }
            each(Some(kept), right)
        }
        Node::Flatten(inner) => flatten(&search(inner, value)?),
        Node::List(nodes) if matches!(value, Value::None) => {
            let _ = nodes;
            Ok(Value::None)
        }
        Node::List(nodes) => {
            let found: Result<Vec<_>, _> = nodes.iter().map(|node| search(node, value)).collect();
            found.map(Value::list)
        }
        Node::Hash(_) if matches!(value, Value::None) => Ok(Value::None),
        Node::Hash(pairs) => {
            let dict = Dict::new();
            for (key, node) in pairs {
                dict.insert(Key::from_str(key.as_str()), search(node, value)?);
            }
            Ok(Value::Dict(dict))
        }
        Node::Or(left, right) => match search(left, value)? {
            found if truth(&found) => Ok(found),
            _ => search(right, value),
        },
        Node::And(left, right) => match search(left, value)? {
            found if truth(&found) => search(right, value),
            found => Ok(found),
        },
        Node::Not(inner) => Ok(Value::Bool(!truth(&search(inner, value)?))),
        Node::Compare(operator, left, right) => {
            compare(operator, &search(left, value)?, &search(right, value)?)
        }
        Node::Call(name, args) => functions::call(name, args, value),
        Node::Reference(_) => Err(Error::value("an expression is for functions only")),
    }
}

/// JMESPath's truth: what is empty is false, and 0 is not.
pub(super) fn truth(value: &Value) -> bool {
    match value {
        Value::Int(_) | Value::Big(_) | Value::Float(_) => true,
        other => other.truth().unwrap_or(false),
    }
}

/// The elements of a list; `None` for what is none.
pub(super) fn list_of(value: &Value) -> Result<Option<Vec<Value>>, Error> {
    match value {
        Value::List(_) | Value::Tuple(_) => iterate(value).map(Some),
        _ => Ok(None),
    }
}

fn each(items: Option<Vec<Value>>, node: &Node) -> Result<Value, Error> {
    let Some(items) = items else {
        return Ok(Value::None);
    };
    let mut out = Vec::new();
    for item in items {
        let found = search(node, &item)?;
        if !matches!(found, Value::None) {
            out.push(found);
        }
    }
    Ok(Value::list(out))
}

fn flatten(value: &Value) -> Result<Value, Error> {
    let Some(items) = list_of(value)? else {
        return Ok(Value::None);
    };
    let mut out = Vec::new();
    for item in items {
        match list_of(&item)? {
            Some(inner) => out.extend(inner),
            None => out.push(item),
        }
    }
    Ok(Value::list(out))
}

fn slice(value: &Value, [start, stop, step]: &[Option<i64>; 3]) -> Result<Value, Error> {
    let Some(items) = list_of(value)? else {
        return Ok(Value::None);
    };
    let (length, step) = (items.len() as i64, step.unwrap_or(1));
    let (low, high) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let bound = |given: Option<i64>, default: i64| match given {
        None => default,
        Some(at) if at < 0 => (at.saturating_add(length)).clamp(low, high),
        Some(at) => at.clamp(low, high),
    };
    let (start, stop) = if step > 0 {
        (bound(*start, 0), bound(*stop, length))
    } else {
        (bound(*start, length - 1), bound(*stop, -1))
    };
    let mut out = Vec::new();
    let mut at = start;
    while if step > 0 { at < stop } else { at > stop } {
        out.extend(usize::try_from(at).ok().and_then(|i| items.get(i).cloned()));
        at = match at.checked_add(step) {
            Some(at) => at,
            None => break,
        };
    }
    Ok(Value::list(out))
}

/// Whether two values are the same; `true` is not 1.
pub(super) fn same(left: &Value, right: &Value) -> Result<bool, Error> {
    if matches!(left, Value::Bool(_)) != matches!(right, Value::Bool(_)) {
        return Ok(false);
    }
    equal(left, right)
}

fn compare(operator: &str, left: &Value, right: &Value) -> Result<Value, Error> {
    match operator {
        "==" => return same(left, right).map(Value::Bool),
        "!=" => return same(left, right).map(|same| Value::Bool(!same)),
        _ => {}
    }
    let number = |value: &Value| match value {
        Value::Int(_) | Value::Big(_) | Value::Float(_) => crate::value::as_f64(value),
        _ => None,
    };
    // Only numbers, and in Python also texts, have an order.
    let order = match (left, right) {
        (Value::Str(a), Value::Str(b)) => Some(a.as_str().cmp(b.as_str())),
        _ => number(left)
            .zip(number(right))
            .and_then(|(a, b)| a.partial_cmp(&b)),
    };
    Ok(order.map_or(Value::None, |order| {
        Value::Bool(match operator {
            "<" => order.is_lt(),
            "<=" => order.is_le(),
            ">" => order.is_gt(),
            _ => order.is_ge(),
        })
    }))
}
