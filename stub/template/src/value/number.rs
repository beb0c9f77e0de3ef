//! Numbers: Python's integers of any size and floats, and how text becomes one.

use std::rc::Rc;

use super::{BigInt, Value};

impl From<BigInt> for Value {
    fn from(number: BigInt) -> Self {
        match number.to_i64() {
            Some(word) => Value::Int(word),
            None => Value::Big(Rc::new(number)),
        }
    }
}

/// The value as an integer of any size, if it is one.
pub(crate) fn as_big(value: &Value) -> Option<BigInt> {
    match value {
        Value::Big(b) => Some(b.as_ref().clone()),
        other => other.as_int().map(BigInt::from_i64),
    }
}

/// The value as a float, if it is a number.
pub(crate) fn as_f64(value: &Value) -> Option<f64> {
    match value {
        Value::Float(f) => Some(*f),
        Value::Big(b) => Some(b.to_f64()),
        other => other.as_int().map(|i| i as f64),
    }
}

/// Bits that are the same for numbers that are equal.
pub(crate) fn hash_bits(value: &Value) -> u64 {
    let float = as_f64(value).unwrap_or(0.0);
    if float == 0.0 { 0 } else { float.to_bits() }
}

/// Python's `int(text, base)`: surrounding space, a sign, single underscores between digits, and a prefix where
/// the base allows one.
pub(crate) fn parse_int(text: &str, base: u32) -> Option<Value> {
    let text = text.trim();
    let (negative, text) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = strip_prefix(text, base)?;
    if digits.is_empty()
        || digits.starts_with('_')
        || digits.ends_with('_')
        || digits.contains("__")
    {
        return None;
    }
    let digits: String = digits
        .chars()
        .filter(|c| *c != '_')
        .map(|c| match decimal_digit(c) {
            Some(digit) => char::from_digit(digit, 10).unwrap_or(c),
            None => c,
        })
        .collect();
    let number = BigInt::parse(&digits, base)?;
    Some(Value::from(if negative {
        number.negated()
    } else {
        number
    }))
}

fn strip_prefix(text: &str, base: u32) -> Option<(u32, &str)> {
    let prefix = text.get(..2).map(str::to_ascii_lowercase);
    let implied = match prefix.as_deref() {
        Some("0x") => 16,
        Some("0o") => 8,
        Some("0b") => 2,
        _ => 0,
    };
    match (base, implied) {
        (0, 0) => {
            let zeros_only = text.bytes().all(|b| b == b'0' || b == b'_');
            (zeros_only || !text.starts_with('0')).then_some((10, text))
        }
        (0, implied) => Some((implied, text[2..].strip_prefix('_').unwrap_or(&text[2..]))),
        (base, implied) if base == implied => {
            Some((base, text[2..].strip_prefix('_').unwrap_or(&text[2..])))
        }
        (base, _) => (2..=36).contains(&base).then_some((base, text)),
    }
}

/// The value of a digit of base 10 in any script, as far as scripts that are in use go.
pub(crate) fn decimal_digit(c: char) -> Option<u32> {
    const ZEROS: [u32; 14] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
        0xff10,
    ];
    if c.is_ascii() {
        return c.to_digit(10);
    }
    let code = c as u32;
    ZEROS
        .iter()
        .find_map(|zero| code.checked_sub(*zero).filter(|digit| *digit < 10))
}

/// Python's `float(text)`.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        let negative = text.starts_with('-');
        let value = match plain.to_ascii_lowercase().as_str() {
            "inf" | "infinity" => f64::INFINITY,
            "nan" => f64::NAN,
            _ => return None,
        };
        return Some(if negative { -value } else { value });
    }
    let bytes = plain.as_bytes();
    let stray_underscore = bytes.iter().enumerate().any(|(i, b)| {
        let digit = |at: Option<&u8>| at.is_some_and(u8::is_ascii_digit);
        *b == b'_' && !(i > 0 && digit(bytes.get(i - 1)) && digit(bytes.get(i + 1)))
    });
    if stray_underscore {
        return None;
    }
    text.replace('_', "").parse().ok()
}

/// Python's `int(value)` for numbers and text in base 10.
pub(crate) fn to_int(value: &Value) -> Option<Value> {
    match value {
        Value::Int(_) | Value::Big(_) => Some(value.clone()),
        Value::Bool(b) => Some(Value::Int(i64::from(*b))),
        Value::Float(f) if f.is_finite() => Some(Value::from(BigInt::from_f64(f.trunc()))),
        Value::Str(s) => parse_int(s, 10),
        _ => None,
    }
}

/// Python's `float(value)`.
pub(crate) fn to_float(value: &Value) -> Option<f64> {
    match value {
        Value::Str(s) => parse_float(s),
        other => as_f64(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_numbers_as_in_python() {
        assert_eq!(parse_int(" -1_000 ", 10), Some(Value::Int(-1000)));
        assert_eq!(parse_int("0x1F", 16), Some(Value::Int(31)));
        assert_eq!(parse_int("010", 0), None);
        assert_eq!(parse_int("1__0", 10), None);
        assert_eq!(
            parse_int("ffffffffffffffffffff", 16).map(|v| format!("{v:?}")),
            Some("1208925819614629174706175".into())
        );
        assert_eq!(parse_float("1_0.5e3"), Some(10500.0));
        assert_eq!(parse_float("1_.5"), None);
        assert_eq!(parse_float("-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_float("infinite"), None);
    }
}
