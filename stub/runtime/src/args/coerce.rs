//! Ansible's coercions of argument values, observed on ansible-core 2.19.

use rustle_formats::{Map, Value};

use crate::spec::{Arg, Kind};

/// Whether the value holds a template, so that its final type is not known yet.
pub(crate) fn may_be_template(value: &Value) -> bool {
    match value {
        Value::Str(s) => s.contains("{{") || s.contains("{%"),
        Value::Secret(_) => true,
        Value::List(l) => l.iter().any(may_be_template),
        Value::Map(m) => m.values().any(may_be_template),
        Value::Pairs(p) => p.iter().any(|(_, v)| may_be_template(v)),
        _ => false,
    }
}

/// The value as text, as a module that wants a string sees it.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) if f.fract() == 0.0 && f.abs() < 1e16 => format!("{f:.1}"),
        Value::Float(f) => f.to_string(),
        Value::Str(s) | Value::Unsafe(s) | Value::Secret(s) => s.clone(),
        other => other.to_string(),
    }
}

/// Ansible's words for booleans.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::Int(1) => Some(true),
        Value::Int(0) => Some(false),
        Value::Float(f) if *f == 1.0 => Some(true),
        Value::Float(f) if *f == 0.0 => Some(false),
        Value::Str(s) | Value::Unsafe(s) => match s.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" | "on" | "1" | "true" | "t" | "1.0" => Some(true),
            "n" | "no" | "off" | "0" | "false" | "f" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// Puts a value into the declared type.
pub(super) fn coerce(kind: Kind, value: &Value) -> Result<Value, String> {
    let bad = |name: &str| {
        Err(format!(
            "argument is of type {} and we were unable to convert to {name}: {}",
            type_name(value),
            shown(value)
        ))
    };
    match kind {
        Kind::Raw => Ok(value.clone()),
        Kind::Str | Kind::Path => match value {
            Value::List(_) | Value::Map(_) | Value::Pairs(_) => Ok(Value::Str(value.to_string())),
            _ => Ok(Value::Str(text(value))),
        },
        Kind::Mode => match value {
            // A number is kept as a number: YAML has read 0644 as 420, and the module must know that.
            Value::Int(_) | Value::Str(_) => Ok(value.clone()),
            _ => Ok(Value::Str(text(value))),
        },
        Kind::Bool => match boolean(value) {
            Some(b) => Ok(Value::Bool(b)),
            None => Err(format!(
                "argument is of type {} and we were unable to convert to bool: The value '{}' is not a valid boolean.",
                type_name(value),
                text(value)
            )),
        },
        Kind::Int => match value {
            Value::Int(_) => Ok(value.clone()),
            Value::Bool(_) => bad("int"),
            Value::Float(f) if f.fract() == 0.0 => Ok(Value::Int(*f as i64)),
            Value::Str(s) | Value::Unsafe(s) => match s.trim().parse::<i64>() {
                Ok(i) => Ok(Value::Int(i)),
                Err(_) => bad("int"),
            },
            _ => bad("int"),
        },
        Kind::Float => match value {
            Value::Int(i) => Ok(Value::Float(*i as f64)),
            Value::Float(_) => Ok(value.clone()),
            Value::Str(s) | Value::Unsafe(s) => match s.trim().parse::<f64>() {
                Ok(f) => Ok(Value::Float(f)),
                Err(_) => bad("float"),
            },
            _ => bad("float"),
        },
        Kind::List(element) => list(*element, value),
        Kind::Dict => dict(value),
        Kind::Bytes => match value {
            Value::Int(_) => Ok(value.clone()),
            _ => match bytes(&text(value)) {
                Some(n) => Ok(Value::Int(n)),
                None => bad("bytes"),
            },
        },
        Kind::Json => match value {
            Value::Str(_) => Ok(value.clone()),
            _ => Ok(Value::Str(value.to_string())),
        },
    }
}

/// Refuses a value that is not one of the argument's choices.
pub(super) fn check_choice(arg: &Arg, value: Value) -> Result<Value, String> {
    if arg.choices.is_empty() {
        return Ok(value);
    }
    let allowed = |v: &Value| -> Option<Value> {
        let t = text(v);
        if arg.choices.contains(&t.as_str()) {
            return Some(v.clone());
        }
        // YAML reads `state: yes` as a boolean; Ansible finds the word that was meant.
        let b = v.as_bool()?;
        let words: Vec<&&str> = arg
            .choices
            .iter()
            .filter(|c| boolean(&Value::Str((**c).to_owned())) == Some(b))
            .collect();
        match words.as_slice() {
            [word] => Some(Value::Str((**word).to_owned())),
            _ => None,
        }
    };
    let refuse = |got: &str| {
        let one_or_more = if matches!(value, Value::List(_)) {
            "one or more of"
        } else {
            "one of"
        };
        Err(format!(
            "value of {} must be {one_or_more}: {}, got: {got}",
            arg.name,
            arg.choices.join(", ")
        ))
    };
    match &value {
        Value::List(elements) => {
            let wrong: Vec<String> = elements
                .iter()
                .filter(|e| allowed(e).is_none())
                .map(text)
                .collect();
            if wrong.is_empty() {
                Ok(value)
            } else {
                refuse(&wrong.join(", "))
            }
        }
        one => match allowed(one) {
            Some(v) => Ok(v),
            None => refuse(&text(one)),
        },
    }
}

fn list(element: Kind, value: &Value) -> Result<Value, String> {
    let elements: Vec<Value> = match value {
        Value::List(l) => l.clone(),
        Value::Str(s) | Value::Unsafe(s) => {
            s.split(',').map(|p| Value::Str(p.to_owned())).collect()
        }
        Value::Int(_) | Value::Float(_) => vec![Value::Str(text(value))],
        _ => {
            return Err(format!(
                "argument is of type {} and we were unable to convert to list: {}",
                type_name(value),
                shown(value)
            ));
        }
    };
    elements
        .iter()
        .map(|e| coerce(element, e))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::List)
}

fn dict(value: &Value) -> Result<Value, String> {
    match value {
        Value::Map(_) | Value::Pairs(_) => Ok(value.clone()),
        Value::Str(s) | Value::Unsafe(s) if s.trim_start().starts_with('{') => {
            serde_json::from_str(s)
                .map_err(|e| format!("unable to evaluate string as dictionary: {e}"))
        }
        Value::Str(s) | Value::Unsafe(s) if s.contains('=') => {
            let mut map = Map::new();
            for field in s.split([',', ' ']).map(str::trim).filter(|f| !f.is_empty()) {
                let (k, v) = field
                    .split_once('=')
                    .ok_or("unable to evaluate string in the \"key=value\" format as dictionary")?;
                map.insert(k.to_owned(), Value::Str(v.to_owned()));
            }
            Ok(Value::Map(map))
        }
        _ => Err(format!(
            "argument is of type {} and we were unable to convert to dict: {}",
            type_name(value),
            shown(value)
        )),
    }
}

/// A number of bytes with an optional unit (`10M`, `1.5 GB`).
fn bytes(s: &str) -> Option<i64> {
    let s = s.trim();
    let end = s
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(s.len());
    let number: f64 = s[..end].parse().ok()?;
    let exponent = match s[end..].trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" => 1,
        "M" | "MB" => 2,
        "G" | "GB" => 3,
        "T" | "TB" => 4,
        "P" | "PB" => 5,
        _ => return None,
    };
    Some((number * 1024f64.powi(exponent)).round() as i64)
}

/// The name of a value's type in Python.
pub(crate) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "NoneType",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) | Value::Unsafe(_) | Value::Secret(_) => "str",
        Value::List(_) => "list",
        Value::Map(_) | Value::Pairs(_) => "dict",
    }
}

fn type_name(value: &Value) -> String {
    format!("<class '{}'>", type_of(value))
}

fn shown(value: &Value) -> String {
    format!("'{}'", text(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_units() {
        assert_eq!(boolean(&"Yes".into()), Some(true));
        assert_eq!(boolean(&"maybe".into()), None);
        assert_eq!(bytes("1.5 K"), Some(1536));
        assert_eq!(
            coerce(Kind::List(&Kind::Int), &"1,2".into()),
            Ok(Value::List(vec![Value::Int(1), Value::Int(2)]))
        );
    }
}
