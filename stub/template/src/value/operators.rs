//! Arithmetic, as Python does it: integers of any size, floor division, text that repeats, lists that join.

use super::bigint::MAX_BITS;
use super::number::{as_big, as_f64};
use super::object::MAX_ITEMS;
use super::{BigInt, Str, Value};
use crate::Error;

/// The longest text that an operation may build.
pub(crate) const MAX_TEXT: usize = 256 << 20;

/// Python's `a operator b` for `+ - * / // % **`.
pub(crate) fn binary(operator: &str, a: &Value, b: &Value) -> Result<Value, Error> {
    for side in [a, b] {
        if let Value::Undefined(u) = side {
            return Err(u.error());
        }
    }
    match operator {
        "+" => add(a, b),
        "-" => match (a, b) {
            (Value::Object(object), other) => object
                .add(other, true)
                .ok_or_else(|| unsupported("-", a, b)),
            _ => arithmetic("-", a, b),
        },
        "*" => multiply(a, b),
        "%" => match a {
            Value::Str(format) => crate::text::percent_format(format, b).map(Value::from),
            _ => arithmetic("%", a, b),
        },
        _ => arithmetic(operator, a, b),
    }
}

fn add(a: &Value, b: &Value) -> Result<Value, Error> {
    match (a, b) {
        (Value::Str(x), Value::Str(y)) => {
            bounded_text(x.len() + y.len())?;
            Ok(Value::Str(Str::plain([x.as_str(), y.as_str()].concat())))
        }
        (Value::Str(_), other) => Err(concatenate("str", other)),
        (Value::List(x), Value::List(y)) => {
            Ok(Value::list([&x.borrow()[..], &y.borrow()[..]].concat()))
        }
        (Value::List(_), other) => Err(concatenate("list", other)),
        (Value::Tuple(x), Value::Tuple(y)) => Ok(Value::tuple([&x[..], &y[..]].concat())),
        (Value::Tuple(_), other) => Err(concatenate("tuple", other)),
        (Value::Bytes(x), Value::Bytes(y)) => Ok(Value::Bytes([&x[..], &y[..]].concat().into())),
        (Value::Object(object), other) | (other, Value::Object(object)) => object
            .add(other, false)
            .ok_or_else(|| unsupported("+", a, b)),
        _ => arithmetic("+", a, b),
    }
}

fn concatenate(kind: &str, other: &Value) -> Error {
    Error::type_error(format!(
        "can only concatenate {kind} (not \"{}\") to {kind}",
        other.type_name()
    ))
}

fn bounded_text(length: usize) -> Result<(), Error> {
    if length > MAX_TEXT {
        return Err(Error::limit(format!(
            "text too long: more than {MAX_TEXT} bytes"
        )));
    }
    Ok(())
}

fn multiply(a: &Value, b: &Value) -> Result<Value, Error> {
    let (sequence, times) = match (a, b) {
        (Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Bytes(_), _) => (a, b),
        (_, Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Bytes(_)) => (b, a),
        _ => return arithmetic("*", a, b),
    };
    let Some(times) = times.as_int() else {
        return Err(Error::type_error(format!(
            "can't multiply sequence by non-int of type '{}'",
            times.type_name()
        )));
    };
    let times = usize::try_from(times).unwrap_or(0);
    let items = |len: usize| -> Result<(), Error> {
        match len.checked_mul(times) {
            Some(total) if total <= MAX_ITEMS => Ok(()),
            _ => Err(Error::limit(format!(
                "list too long: more than {MAX_ITEMS} elements"
            ))),
        }
    };
    match sequence {
        Value::Str(text) => {
            bounded_text(text.len().saturating_mul(times))?;
            Ok(Value::from(text.repeat(times)))
        }
        Value::List(list) => {
            items(list.len())?;
            Ok(Value::list(list.borrow().repeat_clone(times)))
        }
        Value::Tuple(tuple) => {
            items(tuple.len())?;
            Ok(Value::tuple(tuple.repeat_clone(times)))
        }
        Value::Bytes(bytes) => {
            bounded_text(bytes.len().saturating_mul(times))?;
            Ok(Value::Bytes(bytes.repeat(times).into()))
        }
        _ => Err(unsupported("*", a, b)),
    }
}

/// `[T]::repeat` for types that are `Clone` only.
trait RepeatClone {
    fn repeat_clone(&self, times: usize) -> Vec<Value>;
}

impl RepeatClone for [Value] {
    fn repeat_clone(&self, times: usize) -> Vec<Value> {
        std::iter::repeat_n(self, times)
            .flatten()
            .cloned()
            .collect()
    }
}

fn unsupported(operator: &str, a: &Value, b: &Value) -> Error {
    let shown = if operator == "**" {
        "** or pow()"
    } else {
        operator
    };
    Error::type_error(format!(
        "unsupported operand type(s) for {shown}: '{}' and '{}'",
        a.type_name(),
        b.type_name()
    ))
}

fn arithmetic(operator: &str, a: &Value, b: &Value) -> Result<Value, Error> {
    if let (Some(x), Some(y)) = (a.as_int(), b.as_int())
        && let Some(result) = words(operator, x, y)?
    {
        return Ok(result);
    }
    let is_float = matches!(a, Value::Float(_)) || matches!(b, Value::Float(_));
    if !is_float && let (Some(x), Some(y)) = (as_big(a), as_big(b)) {
        return integers(operator, &x, &y);
    }
    match (as_f64(a), as_f64(b)) {
        (Some(x), Some(y)) if operator == "**" && x < 0.0 && y.fract() != 0.0 => Err(
            Error::type_error("Type 'complex' is unsupported for variable storage."),
        ),
        (Some(x), Some(y)) => floats(operator, x, y).map(Value::Float),
        _ => Err(unsupported(operator, a, b)),
    }
}

/// The usual case: both fit a word. `None` when the result does not.
fn words(operator: &str, x: i64, y: i64) -> Result<Option<Value>, Error> {
    Ok(match operator {
        "+" => x.checked_add(y),
        "-" => x.checked_sub(y),
        "*" => x.checked_mul(y),
        "//" if y != 0 => x
            .checked_div(y)
            .map(|q| q - i64::from(x % y != 0 && (x < 0) != (y < 0))),
        "%" if y != 0 => x.checked_rem(y).map(|r| {
            if r != 0 && (r < 0) != (y < 0) {
                r + y
            } else {
                r
            }
        }),
        "//" => return Err(zero_division("integer division or modulo by zero")),
        "%" => return Err(zero_division("integer modulo by zero")),
        "/" => return Ok(Some(Value::Float(floats("/", x as f64, y as f64)?))),
        "**" if y < 0 => return Ok(Some(Value::Float(floats("**", x as f64, y as f64)?))),
        "**" => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
        _ => None,
    }
    .map(Value::Int))
}

fn zero_division(message: &str) -> Error {
    Error::value(message)
}

fn integers(operator: &str, x: &BigInt, y: &BigInt) -> Result<Value, Error> {
    let too_big = || Error::limit("integer too large");
    if x.bits() + y.bits() > MAX_BITS * 2 {
        return Err(too_big());
    }
    Ok(Value::from(match operator {
        "+" => x.plus(y),
        "-" => x.plus(&y.clone().negated()),
        "*" => x.times(y),
        "//" => {
            x.divide(y)
                .ok_or_else(|| zero_division("integer division or modulo by zero"))?
                .0
        }
        "%" => {
            x.divide(y)
                .ok_or_else(|| zero_division("integer modulo by zero"))?
                .1
        }
        "**" if !y.is_negative() => {
            let exponent = y
                .to_i64()
                .and_then(|e| u32::try_from(e).ok())
                .ok_or_else(too_big)?;
            if x.bits().saturating_mul(exponent as usize) > MAX_BITS * 32 {
                return Err(too_big());
            }
            power(x, exponent, MAX_BITS).ok_or_else(too_big)?
        }
        _ => return floats(operator, x.to_f64(), y.to_f64()).map(Value::Float),
    }))
}

fn power(base: &BigInt, mut exponent: u32, max_bits: usize) -> Option<BigInt> {
    let mut result = BigInt::from_i64(1);
    let mut square = base.clone();
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.times(&square);
        }
        exponent >>= 1;
        if exponent > 0 {
            square = square.times(&square.clone());
        }
        if result.bits() > max_bits || square.bits() > max_bits * 2 {
            return None;
        }
    }
    Some(result)
}

fn floats(operator: &str, x: f64, y: f64) -> Result<f64, Error> {
    Ok(match operator {
        "+" => x + y,
        "-" => x - y,
        "*" => x * y,
        "/" if y == 0.0 => return Err(zero_division("division by zero")),
        "/" => x / y,
        "//" if y == 0.0 => return Err(zero_division("float floor division by zero")),
        "//" => ((x - modulo(x, y)) / y).round(),
        "%" if y == 0.0 => return Err(zero_division("float modulo")),
        "%" => modulo(x, y),
        "**" if x == 0.0 && y < 0.0 => {
            return Err(zero_division("0.0 cannot be raised to a negative power"));
        }
        _ => {
            let result = x.powf(y);
            if result.is_infinite() && x.is_finite() && y.is_finite() {
                return Err(Error::value("(34, 'Numerical result out of range')"));
            }
            result
        }
    })
}

fn modulo(x: f64, y: f64) -> f64 {
    let rest = x % y;
    if rest != 0.0 && (rest < 0.0) != (y < 0.0) {
        rest + y
    } else {
        rest
    }
}

/// Python's `-value`.
pub(crate) fn negate(value: &Value, operator: char) -> Result<Value, Error> {
    let negative = operator == '-';
    match value {
        Value::Undefined(u) => Err(u.error()),
        Value::Float(f) => Ok(Value::Float(if negative { -f } else { *f })),
        other => match (as_big(other), negative) {
            (Some(number), true) => Ok(Value::from(number.negated())),
            (Some(number), false) => Ok(Value::from(number)),
            (None, _) => Err(Error::type_error(format!(
                "bad operand type for unary {operator}: '{}'",
                value.type_name()
            ))),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compute(operator: &str, a: impl Into<Value>, b: impl Into<Value>) -> String {
        match binary(operator, &a.into(), &b.into()) {
            Ok(value) => format!("{value:?}"),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn division_rounds_down() {
        assert_eq!(compute("//", -7, 2), "-4");
        assert_eq!(compute("%", -7, 3), "2");
        assert_eq!(compute("//", 7.5, 2), "3.0");
        assert_eq!(compute("/", 4, 2), "2.0");
        assert_eq!(compute("%", 1, 0), "integer modulo by zero");
    }

    #[test]
    fn integers_grow() {
        assert_eq!(compute("**", 2, 100), "1267650600228229401496703205376");
        assert_eq!(compute("+", i64::MAX, 1), "9223372036854775808");
        assert_eq!(compute("//", i64::MIN, -1), "9223372036854775808");
        assert_eq!(compute("**", 2, 10_000_000), "integer too large");
    }

    #[test]
    fn text_and_numbers_do_not_add() {
        assert_eq!(
            compute("+", "a", 1),
            "can only concatenate str (not \"int\") to str"
        );
        assert_eq!(compute("*", "ab", 2), "'abab'");
    }
}
