//! Attributes and methods of `int` and `float`.

use crate::Error;
use crate::eval::Args;
use crate::value::{Value, as_big};
#[cfg(feature = "full")]
use crate::value::{as_f64, binary};

/// The methods that only few plans call.
#[cfg(feature = "full")]
const RARE: [&str; 3] = ["as_integer_ratio", "conjugate", "hex"];
#[cfg(not(feature = "full"))]
const RARE: [&str; 0] = [];

pub(super) fn exists(value: &Value, name: &str) -> bool {
    match value {
        Value::Float(_) => name == "is_integer" || RARE.contains(&name),
        _ => {
            matches!(name, "bit_length" | "is_integer" | "bit_count")
                || name != "hex" && RARE.contains(&name)
                || cfg!(feature = "full") && name == "to_bytes"
        }
    }
}

/// An attribute that is no method.
pub(crate) fn attribute(value: &Value, name: &str) -> Option<Value> {
    let whole = match value {
        Value::Bool(b) => Value::Int(i64::from(*b)),
        number => number.clone(),
    };
    match (value, name) {
        (_, "real") => Some(whole),
        (Value::Float(_), "imag") => Some(Value::Float(0.0)),
        (_, "imag") => Some(Value::Int(0)),
        (Value::Float(_), _) => None,
        (_, "numerator") => Some(whole),
        (_, "denominator") => Some(Value::Int(1)),
        _ => None,
    }
}

pub(super) fn call(value: &Value, name: &str, args: Args) -> Result<Value, Error> {
    #[cfg(feature = "full")]
    if name == "to_bytes" {
        return to_bytes(value, args);
    }
    args.none(name)?;
    match (value, name) {
        #[cfg(feature = "full")]
        (_, "conjugate") => Ok(attribute(value, "real").unwrap_or(Value::None)),
        #[cfg(feature = "full")]
        (Value::Float(f), "hex") => Ok(Value::from(float_hex(*f))),
        #[cfg(feature = "full")]
        (Value::Float(f), "as_integer_ratio") => ratio(*f),
        #[cfg(feature = "full")]
        (_, "as_integer_ratio") => Ok(Value::tuple(vec![
            attribute(value, "real").unwrap_or(Value::None),
            Value::Int(1),
        ])),
        (Value::Float(f), _) => Ok(Value::Bool(f.fract() == 0.0)),
        (_, "is_integer") => Ok(Value::Bool(true)),
        (number, name) => {
            let digits = as_big(number)
                .map(|number| number.digits().to_vec())
                .unwrap_or_default();
            if name == "bit_count" {
                let ones: u32 = digits.iter().map(|digit| digit.count_ones()).sum();
                return Ok(Value::Int(i64::from(ones)));
            }
            let bits = match digits.split_last() {
                Some((last, rest)) => rest.len() * 32 + (32 - last.leading_zeros() as usize),
                None => 0,
            };
            Ok(Value::count(bits))
        }
    }
}

/// The mantissa, which is odd or 0, and the power of two that it is multiplied with.
#[cfg(feature = "full")]
fn parts(f: f64) -> (i64, i64) {
    let bits = f.to_bits();
    let exponent = (bits >> 52) as i64 & 0x7ff;
    let fraction = (bits & ((1 << 52) - 1)) as i64;
    let (mut mantissa, mut exponent) = match exponent {
        0 => (fraction, -1074),
        exponent => (fraction | 1 << 52, exponent - 1075),
    };
    if mantissa == 0 {
        return (0, 0);
    }
    let zeros = mantissa.trailing_zeros();
    mantissa >>= zeros;
    exponent += i64::from(zeros);
    (if f < 0.0 { -mantissa } else { mantissa }, exponent)
}

#[cfg(feature = "full")]
fn ratio(f: f64) -> Result<Value, Error> {
    if !f.is_finite() {
        return Err(Error::value(format!(
            "cannot convert {} to integer ratio",
            if f.is_nan() { "NaN" } else { "Infinity" }
        )));
    }
    let (mantissa, exponent) = parts(f);
    let power = binary("**", &Value::Int(2), &Value::Int(exponent.abs()))?;
    Ok(Value::tuple(match exponent >= 0 {
        true => vec![binary("*", &Value::Int(mantissa), &power)?, Value::Int(1)],
        false => vec![Value::Int(mantissa), power],
    }))
}

#[cfg(feature = "full")]
fn float_hex(f: f64) -> String {
    if !f.is_finite() {
        return crate::value::float_repr(f);
    }
    let sign = if f.is_sign_negative() { "-" } else { "" };
    if f == 0.0 {
        return format!("{sign}0x0.0p+0");
    }
    let bits = f.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let (lead, exponent) = match (bits >> 52) as i64 & 0x7ff {
        0 => (0, -1022),
        exponent => (1, exponent - 1023),
    };
    format!("{sign}0x{lead}.{fraction:013x}p{exponent:+}")
}

#[cfg(feature = "full")]
fn to_bytes(value: &Value, args: Args) -> Result<Value, Error> {
    use crate::eval::Given as _;
    let [length, order, signed] = args.bind("to_bytes", ["length", "byteorder", "signed"], 0)?;
    let length = usize::try_from(length.int_or(1)?)
        .ok()
        .filter(|length| *length <= 1 << 16)
        .ok_or_else(|| Error::value("length argument must be non-negative"))?;
    let little = match order.text_or("big")?.as_str() {
        "big" => false,
        "little" => true,
        _ => return Err(Error::value("byteorder must be either 'little' or 'big'")),
    };
    let negative = as_f64(value).is_some_and(|f| f < 0.0);
    let signed = signed.truth_or(false)?;
    if negative && !signed {
        return Err(Error::value("can't convert negative int to unsigned"));
    }
    let digits = as_big(value)
        .map(|n| n.digits().to_vec())
        .unwrap_or_default();
    let mut bytes: Vec<u8> = digits
        .iter()
        .flat_map(|digit| digit.to_le_bytes())
        .collect();
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    let fits = bytes.len() <= length;
    bytes.resize(length.max(bytes.len()), 0);
    if negative {
        let mut carry = true;
        for byte in &mut bytes {
            let (turned, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = turned;
            carry = over;
        }
    }
    let top = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    if !fits || signed && top != negative && bytes.iter().any(|b| *b != 0) {
        return Err(Error::value("int too big to convert"));
    }
    if !little {
        bytes.reverse();
    }
    Ok(Value::Bytes(bytes.into()))
}
