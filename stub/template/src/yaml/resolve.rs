//! What a plain scalar means in YAML 1.1.

use crate::value::{Value, parse_int};

/// The value of a plain scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::None,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    integer(text)
        .or_else(|| float(text))
        .unwrap_or_else(|| Value::str(text))
}

/// True if the text, written plainly, would be read as something else than text.
pub(super) fn is_ambiguous(text: &str) -> bool {
    !matches!(resolve(text), Value::Str(_)) || matches!(text, "=" | "<<") || is_timestamp(text)
}

fn integer(text: &str) -> Option<Value> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    let clean: String = digits.chars().filter(|c| *c != '_').collect();
    let all = |digits: &str, test: fn(u8) -> bool| !digits.is_empty() && digits.bytes().all(test);
    let decimal = |b: u8| b.is_ascii_digit();
    let first = digits.as_bytes().first()?;
    if !first.is_ascii_digit() {
        return None;
    }
    let (base, digits) = if let Some(rest) = clean.strip_prefix("0b") {
        (2, rest.to_owned()).to_owned()
    } else if let Some(rest) = clean.strip_prefix("0x") {
        (16, rest.to_owned())
    } else if clean == "0" || !clean.starts_with('0') {
        if clean.contains(':') {
            return sexagesimal(&clean)
                .map(|value| Value::Int(if sign == "-" { -value } else { value }));
        }
        (10, clean)
    } else {
        (8, clean[1..].to_owned())
    };
    let fits = match base {
        2 => all(&digits, |b| b == b'0' || b == b'1'),
        8 => all(&digits, |b| (b'0'..=b'7').contains(&b)),
        16 => all(&digits, |b| b.is_ascii_hexdigit()),
        _ => all(&digits, decimal),
    };
    if fits {
        parse_int(&format!("{sign}{digits}"), base)
    } else {
        None
    }
}

/// `1:30` is 90 in YAML 1.1.
fn sexagesimal(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let first = parts.next()?;
    if first.starts_with('0') || !first.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut total: i64 = first.parse().ok()?;
    for part in parts {
        let number: i64 = part
            .parse()
            .ok()
            .filter(|n| (0..60).contains(n) && part.len() <= 2)?;
        total = total.checked_mul(60)?.checked_add(number)?;
    }
    Some(total)
}

fn float(text: &str) -> Option<Value> {
    let (sign, plain) = match text.as_bytes().first()? {
        b'-' => (-1.0, &text[1..]),
        b'+' => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    match plain {
        ".inf" | ".Inf" | ".INF" => return Some(Value::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" => return Some(Value::Float(f64::NAN)),
        _ => {}
    }
    let (mantissa, exponent) = plain
        .find(['e', 'E'])
        .map_or((plain, None), |at| (&plain[..at], Some(&plain[at + 1..])));
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    if !digits(whole)
        || !digits(fraction)
        || whole.starts_with('_')
        || whole.is_empty() && !fraction.starts_with(|c: char| c.is_ascii_digit())
    {
        return None;
    }
    if let Some(exponent) = exponent {
        let rest = exponent.strip_prefix(['+', '-'])?;
        if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
    }
    let number: String = plain.chars().filter(|c| *c != '_').collect();
    let number = if number.ends_with('.') {
        number + "0"
    } else {
        number
    };
    number
        .parse::<f64>()
        .ok()
        .map(|value| Value::Float(sign * value))
}

/// `2024-01-02`, with or without a time.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return false;
    }
    let parts: Vec<&str> = text.splitn(3, '-').collect();
    let [_, month, rest] = parts.as_slice() else {
        return false;
    };
    let day = rest.bytes().take_while(u8::is_ascii_digit).count();
    let number = |text: &str| {
        !text.is_empty() && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit())
    };
    number(month)
        && (1..=2).contains(&day)
        && match rest.as_bytes().get(day) {
            None => text.len() == 10,
            Some(b'T' | b't' | b' ') => {
                rest[day + 1..]
                    .trim_start()
                    .starts_with(|c: char| c.is_ascii_digit())
                    && rest[day + 1..].contains(':')
            }
            _ => false,
        }
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
        assert!(is_ambiguous("2024-01-02"));
        assert!(!is_ambiguous("1.2.3"));
    }
}
