//! What a plain scalar means in YAML 1.1, as PyYAML reads it.

use crate::value::{BigInt, Value};

/// Python reads no longer integers, and neither do we: the time grows with the square of the length.
const MAX_DIGITS: usize = 4300;
const TOO_LONG: &str = "it is a number of more than 4300 digits";

/// The meaning of a plain (unquoted) scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Empty, `~`, `null`.
    Null,
    /// `yes`, `on`, `true` and their opposites.
    Bool(bool),
    /// A whole number that fits a machine word: `12`, `0644`, `0x1f`, `0b101`, `1_000`, `1:30`.
    Int(i64),
    /// A whole number that does not.
    Big(BigInt),
    /// `1.5`, `1.0e+3`, `.inf`, `1:30.5`. (`1e3` is text.)
    Float(f64),
    /// A date, or a date with a time, as Python's `str()` shows it.
    Time(String),
    /// `<<`.
    Merge,
    /// `=`.
    Default,
    /// It looks like a number or a date, but cannot be one: what is wrong with it.
    Invalid(&'static str),
    /// Anything else.
    Text,
}

impl Scalar {
    /// The meaning of a plain scalar.
    pub fn resolve(text: &str) -> Scalar {
        let Some(first) = text.bytes().next() else {
            return Scalar::Null;
        };
        match first {
            b'~' | b'n' | b'N' | b'y' | b'Y' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => {
                return word(text);
            }
            b'<' if text == "<<" => return Scalar::Merge,
            b'=' if text == "=" => return Scalar::Default,
            b'0'..=b'9' | b'+' | b'-' | b'.' => {}
            _ => return Scalar::Text,
        }
        integer(text)
            .or_else(|| float(text))
            .or_else(|| super::timestamp::resolve(text))
            .unwrap_or(Scalar::Text)
    }

    /// What the tag `!!bool` makes of a text, in any case.
    pub fn boolean(text: &str) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" => Some(true),
            "no" | "false" | "off" => Some(false),
            _ => None,
        }
    }
}

/// The value of a plain scalar. Dates stay text.
pub(super) fn resolve(text: &str) -> Value {
    match Scalar::resolve(text) {
        Scalar::Null => Value::None,
        Scalar::Bool(b) => Value::Bool(b),
        Scalar::Int(i) => Value::Int(i),
        Scalar::Big(big) => Value::from(big),
        Scalar::Float(f) => Value::Float(f),
        _ => Value::str(text),
    }
}

/// True if the text, written plainly, would be read as something else than text.
pub(super) fn is_ambiguous(text: &str) -> bool {
    !matches!(Scalar::resolve(text), Scalar::Text)
}

fn word(text: &str) -> Scalar {
    match text {
        "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Scalar::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Scalar::Bool(false)
        }
        _ => Scalar::Text,
    }
}

/// The sign, and what follows it.
fn signed(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn integer(text: &str) -> Option<Scalar> {
    let (negative, digits) = signed(text);
    let all = |digits: &str, test: fn(&u8) -> bool| {
        !digits.is_empty() && digits.bytes().all(|b| b == b'_' || test(&b))
    };
    let (base, digits) = if let Some(rest) = digits.strip_prefix("0b") {
        all(rest, |b| matches!(b, b'0' | b'1')).then_some((2, rest))?
    } else if let Some(rest) = digits.strip_prefix("0x") {
        all(rest, u8::is_ascii_hexdigit).then_some((16, rest))?
    } else if digits == "0" {
        (10, digits)
    } else if let Some(rest) = digits.strip_prefix('0') {
        all(rest, |b| (b'0'..=b'7').contains(b)).then_some((8, rest))?
    } else if digits.contains(':') {
        return sexagesimal(digits, negative);
    } else if digits.as_bytes().first()?.is_ascii_digit() && all(digits, u8::is_ascii_digit) {
        (10, digits)
    } else {
        return None;
    };
    let clean: String = digits.chars().filter(|c| *c != '_').collect();
    // `0_` is zero, while PyYAML fails at `0x_`.
    if clean.is_empty() {
        return Some(if base == 8 {
            Scalar::Int(0)
        } else {
            Scalar::Invalid("it has a prefix of a number, but no digits")
        });
    }
    if clean.len() > MAX_DIGITS {
        return Some(Scalar::Invalid(TOO_LONG));
    }
    let number = BigInt::parse(&clean, base)?;
    let number = if negative { number.negated() } else { number };
    Some(number.to_i64().map_or(Scalar::Big(number), Scalar::Int))
}

/// True for `5`, `05` and `59`: what may stand after a colon.
fn is_sixtieth(part: &str) -> bool {
    match part.as_bytes() {
        [a] => a.is_ascii_digit(),
        [a, b] => (b'0'..=b'5').contains(a) && b.is_ascii_digit(),
        _ => false,
    }
}

/// `1:30` is 90 in YAML 1.1.
fn sexagesimal(digits: &str, negative: bool) -> Option<Scalar> {
    let mut parts = digits.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        || !parts.clone().all(is_sixtieth)
    {
        return None;
    }
    if digits.len() > MAX_DIGITS {
        return Some(Scalar::Invalid(TOO_LONG));
    }
    let sixty = BigInt::from_i64(60);
    let mut total = BigInt::parse(&first.replace('_', ""), 10)?;
    for part in parts {
        total = total.times(&sixty).plus(&BigInt::parse(part, 10)?);
    }
    let total = if negative { total.negated() } else { total };
    Some(total.to_i64().map_or(Scalar::Big(total), Scalar::Int))
}

fn float(text: &str) -> Option<Scalar> {
    let (negative, plain) = signed(text);
    let sign = if negative { -1.0 } else { 1.0 };
    match plain {
        ".inf" | ".Inf" | ".INF" => return Some(Scalar::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" if plain.len() == text.len() => {
            return Some(Scalar::Float(f64::NAN));
        }
        _ => {}
    }
    if plain.contains(':') {
        return sexagesimal_float(plain).map(|value| Scalar::Float(sign * value));
    }
    let (mantissa, exponent) = plain
        .find(['e', 'E'])
        .map_or((plain, None), |at| (&plain[..at], Some(&plain[at + 1..])));
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
    // Without a digit before the point, PyYAML allows no sign.
    let begins = if whole.is_empty() {
        starts(fraction) && plain.len() == text.len()
    } else {
        starts(whole)
    };
    if !begins || !digits(whole) || !digits(fraction) {
        return None;
    }
    if let Some(exponent) = exponent {
        let rest = exponent.strip_prefix(['+', '-'])?;
        if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let number: String = plain.chars().filter(|c| *c != '_').collect();
    number
        .parse::<f64>()
        .ok()
        .map(|value| Scalar::Float(sign * value))
}

/// `1:30.5` is 90.5.
fn sexagesimal_float(plain: &str) -> Option<f64> {
    let (whole, fraction) = plain.split_once('.')?;
    let mut parts = whole.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        || !parts.clone().all(is_sixtieth)
        || !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_')
    {
        return None;
    }
    let last = parts.next_back()?;
    let fraction = fraction.replace('_', "");
    let mut places = vec![format!("{last}.{fraction}").parse::<f64>().ok()?];
    places.extend(parts.rev().filter_map(|part| part.parse::<f64>().ok()));
    places.push(first.replace('_', "").parse().ok()?);
    // From the right, as PyYAML adds them: the sum's last bit depends on the order.
    let mut base = 1.0;
    let mut total = 0.0;
    for place in places {
        total += place * base;
        base *= 60.0;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_1_1() {
        assert_eq!(resolve("0644"), Value::Int(420));
        assert_eq!(resolve("yes"), Value::Bool(true));
        assert_eq!(resolve("1:30"), Value::Int(90));
        assert_eq!(resolve("1.5e+3"), Value::Float(1500.0));
        assert_eq!(resolve("1e3"), Value::str("1e3"));
        assert_eq!(resolve("0o17"), Value::str("0o17"));
        assert_eq!(resolve("-.5"), Value::str("-.5"));
        assert_eq!(resolve("190:20:30.15"), Value::Float(685_230.15));
        assert_eq!(resolve("01:30"), Value::str("01:30"));
        assert_eq!(resolve("_1"), Value::str("_1"));
        assert_eq!(resolve("1."), Value::Float(1.0));
        assert!(is_ambiguous("2024-01-02"));
        assert!(!is_ambiguous("1.2.3"));
    }
}
