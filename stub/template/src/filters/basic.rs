//! Filters that look at one value: defaults, conversions, length.

use super::{Filter, filter, lazy, lenient};
use crate::eval::{Args, Given, Interp};
use crate::value::{
    BigInt, Dict, Value, char_len, iterate, parse_float, parse_int, repr, to_float, to_int, to_text,
};
use crate::{Error, ErrorKind};

pub(super) const TABLE: &[Filter] = &[
    filter("abs", abs),
    filter("attr", attr),
    filter("bool", to_bool),
    lazy("count", length),
    lenient("d", default),
    lenient("default", default),
    filter("float", float),
    filter("int", int),
    lazy("length", length),
    filter("list", list),
    lenient("mandatory", mandatory),
    filter("pprint", pprint),
    filter("round", round),
    filter("string", string),
    lenient("ternary", ternary),
    lenient("type_debug", type_debug),
    filter("items", items),
];

fn default(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [fallback, falsy] = args.bind("default", ["default_value", "boolean"], 0)?;
    let missing = match &value {
        Value::Undefined(u) if u.is_failure() => return Err(u.error()),
        Value::Undefined(u) => !u.is_lenient(),
        _ => false,
    };
    if missing || falsy.truth_or(false)? && !value.truth()? {
        return Ok(fallback.unwrap_or_else(|| Value::str("")));
    }
    Ok(value)
}

fn mandatory(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [message] = args.bind("mandatory", ["msg"], 0)?;
    let Value::Undefined(u) = &value else {
        return Ok(value);
    };
    let message = match (message.text()?, u.name()) {
        (Some(message), _) => message,
        (None, Some(name)) => format!("Mandatory variable '{name}' not defined."),
        (None, None) => "Mandatory variable not defined.".to_owned(),
    };
    Err(Error::new(ErrorKind::Mandatory, message))
}

fn type_debug(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("type_debug")?;
    Ok(Value::str(value.type_name()))
}

fn length(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("length")?;
    let count = match &value {
        Value::Str(text) => Some(char_len(text)),
        Value::List(list) => Some(list.len()),
        Value::Tuple(items) => Some(items.len()),
        Value::Dict(dict) => Some(dict.len()),
        Value::Bytes(bytes) => Some(bytes.len()),
        Value::Object(object) => object.len(),
        Value::Undefined(u) if u.is_lenient() => Some(0),
        _ => None,
    };
    count.map(Value::count).ok_or_else(|| {
        Error::type_error(format!(
            "object of type '{}' has no len()",
            value.type_name()
        ))
    })
}

fn string(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("string")?;
    match value {
        Value::Str(text) => Ok(Value::Str(text)),
        other => to_text(&other).map(Value::from),
    }
}

fn list(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("list")?;
    let items = iterate(&value)?;
    let undefined = items
        .iter()
        .find(|item| matches!(item, Value::Undefined(u) if !u.is_lenient()));
    Ok(undefined.cloned().unwrap_or_else(|| Value::list(items)))
}

fn items(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("items")?;
    match &value {
        Value::Dict(dict) => Ok(pairs(dict)),
        Value::Undefined(_) => Ok(Value::list(Vec::new())),
        _ => Err(Error::type_error("Can only get item pairs from a mapping.")),
    }
}

/// The entries of a dictionary as tuples.
pub(crate) fn pairs(dict: &Dict) -> Value {
    Value::list(
        dict.pairs()
            .into_iter()
            .map(|(key, value)| Value::tuple(vec![key, value]))
            .collect(),
    )
}

fn int(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [default, base] = args.bind("int", ["default", "base"], 0)?;
    let default = default.unwrap_or(Value::Int(0));
    let base = u32::try_from(base.int_or(10)?).unwrap_or(10);
    let direct = match &value {
        Value::Str(text) => parse_int(text, base),
        other => to_int(other),
    };
    let by_float = || match &value {
        Value::Str(text) => parse_float(text)
            .filter(|f| f.is_finite())
            .map(|f| Value::from(BigInt::from_f64(f))),
        _ => None,
    };
    Ok(direct.or_else(by_float).unwrap_or(default))
}

fn float(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [default] = args.bind("float", ["default"], 0)?;
    Ok(to_float(&value)
        .map(Value::Float)
        .or(default)
        .unwrap_or(Value::Float(0.0)))
}

fn abs(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("abs")?;
    match &value {
        Value::Float(f) => Ok(Value::Float(f.abs())),
        other => match crate::value::as_big(other) {
            Some(number) if number.is_negative() => Ok(Value::from(number.negated())),
            Some(number) => Ok(Value::from(number)),
            None => Err(Error::type_error(format!(
                "bad operand type for abs(): '{}'",
                value.type_name()
            ))),
        },
    }
}

fn round(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [precision, method] = args.bind("round", ["precision", "method"], 0)?;
    let precision = precision.int_or(0)?.clamp(-400, 400) as i32;
    let method = method.text_or("common")?;
    let number = crate::value::as_f64(&value).ok_or_else(|| {
        Error::type_error(format!(
            "type {} doesn't define __round__ method",
            value.type_name()
        ))
    })?;
    let whole = !matches!(value, Value::Float(_));
    let factor = 10f64.powi(precision);
    match method.as_str() {
        "common" if whole && precision >= 0 => Ok(to_int(&value).unwrap_or(value)),
        "common" => {
            let rounded = round_half_even(number, precision);
            Ok(if whole {
                Value::from(BigInt::from_f64(rounded))
            } else {
                Value::Float(rounded)
            })
        }
        "ceil" => Ok(Value::Float((number * factor).ceil() / factor)),
        "floor" => Ok(Value::Float((number * factor).floor() / factor)),
        _ => Err(Error::value("method must be common, ceil or floor")),
    }
}

/// Python's `round`: the decimal digits decide, ties go to the even digit.
fn round_half_even(number: f64, precision: i32) -> f64 {
    if !number.is_finite() {
        return number;
    }
    if let Ok(digits) = usize::try_from(precision) {
        // Formatting rounds the exact binary value, ties to even, as Python does.
        return format!("{number:.digits$}").parse().unwrap_or(number);
    }
    let factor = 10f64.powi(-precision);
    let scaled = number / factor;
    let rounded = scaled.round();
    let tie = (scaled - scaled.trunc()).abs() == 0.5;
    (if tie {
        2.0 * (scaled / 2.0).round()
    } else {
        rounded
    }) * factor
}

/// Ansible's idea of truth in text.
pub(crate) fn truth_of(value: &Value) -> Option<bool> {
    let text = match value {
        Value::Bool(b) => return Some(*b),
        Value::Int(1) => return Some(true),
        Value::Int(0) => return Some(false),
        Value::Float(f) if *f == 1.0 => return Some(true),
        Value::Float(f) if *f == 0.0 => return Some(false),
        Value::Str(text) => text.to_lowercase(),
        _ => return None,
    };
    match text.as_str() {
        "yes" | "on" | "1" | "true" | "t" | "y" | "1.0" => Some(true),
        "no" | "off" | "0" | "false" | "f" | "n" | "0.0" => Some(false),
        _ => None,
    }
}

fn to_bool(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("bool")?;
    Ok(Value::Bool(truth_of(&value).unwrap_or(false)))
}

fn ternary(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [yes, no, none] = args.bind("ternary", ["true_val", "false_val", "none_val"], 2)?;
    if let Value::Undefined(u) = &value
        && !u.is_lenient()
    {
        return Ok(value);
    }
    let chosen = match (&value, none) {
        (Value::None, Some(none)) if !matches!(none, Value::None) => return Ok(none),
        (value, _) if value.truth()? => yes,
        _ => no,
    };
    Ok(chosen.or_none())
}

fn attr(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [name] = args.bind("attr", ["name"], 1)?;
    let name = name.text_or("")?;
    match &value {
        // Unlike a dot, the filter never looks at items.
        Value::Dict(_) if !crate::methods::exists(&value, &name) => Ok(Value::Undefined(
            std::rc::Rc::new(crate::Undefined::message_only(
                Some(name.as_str().into()),
                format!(
                    "object of type 'dict' has no attribute {}",
                    crate::value::str_repr(&name)
                ),
            )),
        )),
        _ => crate::value::get_attr(interp, &value, &name.into()),
    }
}

fn pprint(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("pprint")?;
    repr(&value).map(Value::from)
}
