//! Methods of `int` and `float`.

use crate::Error;
use crate::eval::Args;
use crate::value::{Value, as_big};

pub(super) fn exists(value: &Value, name: &str) -> bool {
    match value {
        Value::Float(_) => name == "is_integer",
        _ => matches!(name, "bit_length" | "is_integer"),
    }
}

pub(super) fn call(value: &Value, name: &str, args: Args) -> Result<Value, Error> {
    args.none(name)?;
    match (value, name) {
        (Value::Float(f), _) => Ok(Value::Bool(f.fract() == 0.0)),
        (_, "is_integer") => Ok(Value::Bool(true)),
        (number, _) => {
            let digits = as_big(number)
                .map(|number| number.digits().to_vec())
                .unwrap_or_default();
            let bits = match digits.split_last() {
                Some((last, rest)) => rest.len() * 32 + (32 - last.leading_zeros() as usize),
                None => 0,
            };
            Ok(Value::count(bits))
        }
    }
}
