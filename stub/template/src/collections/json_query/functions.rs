//! JMESPath's functions.

use super::evaluate::{list_of, same, search};
use super::syntax::Node;
use crate::Error;
use crate::filters::{sort_keyed, sort_values};
use crate::value::{Dict, Key, Value, as_f64, binary, to_text};

/// Calls a function.
pub(super) fn call(name: &str, args: &[Node], value: &Value) -> Result<Value, Error> {
    if let ("map", [Node::Reference(key), items]) = (name, args) {
        return map(key, items, value);
    }
    if let Some(Node::Reference(key)) = args.last() {
        return by_expression(name, args, key, value);
    }
    if name == "map" || name.ends_with("_by") {
        return Err(Error::value(format!("{name}() takes an expression, &NAME")));
    }
    let given: Vec<Value> = args
        .iter()
        .map(|arg| search(arg, value))
        .collect::<Result<_, _>>()?;
    match (name, given.as_slice()) {
        ("merge", dicts) => merge(dicts),
        ("not_null", given) => Ok(given
            .iter()
            .find(|value| !matches!(value, Value::None))
            .cloned()
            .unwrap_or(Value::None)),
        (_, [one]) => of_one(name, one),
        (_, [a, b]) => of_two(name, a, b),
        _ => Err(unknown(name)),
    }
}

fn unknown(name: &str) -> Error {
    Error::value(format!(
        "Unknown function, or wrong number of arguments: {name}()"
    ))
}

fn wrong(name: &str, value: &Value) -> Error {
    Error::type_error(format!(
        "In function {name}(), invalid type for value: received type: {}",
        kind(value)
    ))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Int(_) | Value::Big(_) | Value::Float(_) => "number",
        Value::Str(_) => "string",
        Value::List(_) | Value::Tuple(_) => "array",
        Value::Dict(_) => "object",
        _ => "null",
    }
}

fn list(name: &str, value: &Value) -> Result<Vec<Value>, Error> {
    list_of(value)?.ok_or_else(|| wrong(name, value))
}

fn of_one(name: &str, value: &Value) -> Result<Value, Error> {
    let float = || {
        as_f64(value)
            .filter(|_| kind(value) == "number")
            .ok_or_else(|| wrong(name, value))
    };
    Ok(match (name, value) {
        ("length", Value::Str(text)) => Value::count(text.chars().count()),
        ("length", Value::Dict(dict)) => Value::count(dict.len()),
        ("length", other) => Value::count(list(name, other)?.len()),
        ("keys", Value::Dict(dict)) => Value::list(dict.pairs().into_iter().map(|p| p.0).collect()),
        ("values", Value::Dict(dict)) => Value::list(dict.values()),
        ("abs", Value::Int(i)) => Value::Int(i.saturating_abs()),
        ("abs", _) => Value::Float(float()?.abs()),
        ("ceil", _) => Value::Int(float()?.ceil() as i64),
        ("floor", _) => Value::Int(float()?.floor() as i64),
        ("avg", _) => {
            let items = list(name, value)?;
            if items.is_empty() {
                return Ok(Value::None);
            }
            binary("/", &sum(&items)?, &Value::count(items.len()))?
        }
        ("sum", _) => sum(&list(name, value)?)?,
        ("max" | "min", _) => {
            let sorted = sort_values(list(name, value)?, false)?;
            let at = if name == "max" {
                sorted.last()
            } else {
                sorted.first()
            };
            at.cloned().unwrap_or(Value::None)
        }
        ("sort", _) => Value::list(sort_values(list(name, value)?, false)?),
        ("reverse", Value::Str(text)) => Value::from(text.chars().rev().collect::<String>()),
        ("reverse", _) => {
            let mut items = list(name, value)?;
            items.reverse();
            Value::list(items)
        }
        ("to_array", Value::List(_)) => value.clone(),
        ("to_array", other) => Value::list(vec![other.clone()]),
        ("to_string", Value::Str(_)) => value.clone(),
        ("to_string", other) => Value::from(json(other)?),
        ("to_number", Value::Int(_) | Value::Float(_) | Value::Big(_)) => value.clone(),
        ("to_number", Value::Str(text)) => crate::value::parse_int(text, 10)
            .or_else(|| crate::value::parse_float(text).map(Value::Float))
            .unwrap_or(Value::None),
        ("to_number", _) => Value::None,
        ("type", other) => Value::str(kind(other)),
        ("keys" | "values", other) => return Err(wrong(name, other)),
        _ => return Err(unknown(name)),
    })
}

fn sum(items: &[Value]) -> Result<Value, Error> {
    let mut total = Value::Int(0);
    for item in items {
        total = binary("+", &total, item)?;
    }
    Ok(total)
}

fn json(value: &Value) -> Result<String, Error> {
    let style = crate::text::JsonStyle {
        indent: None,
        item_separator: ",".into(),
        key_separator: ":".into(),
        sort_keys: false,
        ascii: true,
    };
    let mut out = String::new();
    crate::text::write_json(&mut out, value, &style, 0)?;
    Ok(out)
}

fn of_two(name: &str, a: &Value, b: &Value) -> Result<Value, Error> {
    Ok(Value::Bool(match (name, a, b) {
        ("contains", Value::Str(text), Value::Str(part)) => text.contains(part.as_str()),
        ("contains", Value::Str(_), _) => false,
        ("contains", _, _) => {
            for item in list(name, a)? {
                if same(&item, b)? {
                    return Ok(Value::Bool(true));
                }
            }
            false
        }
        ("starts_with", Value::Str(text), Value::Str(part)) => text.starts_with(part.as_str()),
        ("ends_with", Value::Str(text), Value::Str(part)) => text.ends_with(part.as_str()),
        ("starts_with" | "ends_with", Value::Str(_), other) => return Err(wrong(name, other)),
        ("starts_with" | "ends_with", other, _) => return Err(wrong(name, other)),
        ("join", Value::Str(separator), items) => {
            let texts: Vec<String> = list(name, items)?
                .iter()
                .map(|item| match item {
                    Value::Str(_) => to_text(item),
                    other => Err(wrong(name, other)),
                })
                .collect::<Result<_, _>>()?;
            return Ok(Value::from(texts.join(separator)));
        }
        _ => return Err(unknown(name)),
    }))
}

fn merge(dicts: &[Value]) -> Result<Value, Error> {
    let out = Dict::new();
    for value in dicts {
        let Value::Dict(dict) = value else {
            return Err(wrong("merge", value));
        };
        for (key, value) in dict.pairs() {
            out.insert(Key::new(key)?, value);
        }
    }
    Ok(Value::Dict(out))
}

/// `sort_by`, `max_by` and `min_by`.
fn by_expression(name: &str, args: &[Node], key: &Node, value: &Value) -> Result<Value, Error> {
    let [items, _] = args else {
        return Err(unknown(name));
    };
    let items = list(name, &search(items, value)?)?;
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let by = search(key, &item)?;
        if !matches!(kind(&by), "number" | "string") {
            return Err(wrong(name, &by));
        }
        keyed.push((by, item));
    }
    let sorted = sort_keyed(keyed, false)?;
    match name {
        "sort_by" => Ok(Value::list(sorted)),
        "max_by" => Ok(sorted.last().cloned().unwrap_or(Value::None)),
        "min_by" => Ok(sorted.first().cloned().unwrap_or(Value::None)),
        _ => Err(unknown(name)),
    }
}

/// `map(&expression, list)`.
fn map(key: &Node, items: &Node, value: &Value) -> Result<Value, Error> {
    let items = list("map", &search(items, value)?)?;
    let found: Result<Vec<_>, _> = items.iter().map(|item| search(key, item)).collect();
    found.map(Value::list)
}
