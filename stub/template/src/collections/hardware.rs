//! Hardware addresses: `hwaddr`, `macaddr`, `slaac`.

use super::address::Net;
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::filters::{Filter, filter};
use crate::value::{Value, to_text};

pub(super) const TABLE: &[Filter] = &[
    filter("hwaddr", |_, v, args| hwaddr(&v, args, "hwaddr")),
    filter("macaddr", |_, v, args| hwaddr(&v, args, "macaddr")),
    filter("slaac", slaac),
];

/// The bytes of a hardware address, in any of its notations.
pub(super) fn bytes_of(text: &str) -> Option<[u8; 6]> {
    let groups: Vec<&str> = text.split([':', '-', '.']).collect();
    let width = match groups.len() {
        1 => 12,
        2 => 6,
        3 => 4,
        6 => 2,
        _ => return None,
    };
    let mut digits = String::with_capacity(12);
    for group in groups {
        if group.is_empty() || group.len() > width {
            return None;
        }
        digits.push_str(&format!("{group:0>width$}"));
    }
    <[u8; 6]>::try_from(hex::decode(digits).ok()?).ok()
}

fn joined(bytes: &[u8; 6], width: usize, separator: &str) -> String {
    let digits = hex::encode(bytes);
    let groups: Vec<&str> = (0..12)
        .step_by(width)
        .map(|at| &digits[at..at + width])
        .collect();
    groups.join(separator)
}

fn hwaddr(value: &Value, args: Args, name: &str) -> Result<Value, Error> {
    let [query] = args.bind(name, ["query"], 0)?;
    let (text, query) = (to_text(value)?, query.text_or("")?);
    let Some(bytes) = bytes_of(&text) else {
        return match query.as_str() {
            "" => Ok(Value::None),
            "bool" => Ok(Value::Bool(false)),
            _ => Err(Error::value(format!(
                "{name}: not a hardware address: {text}"
            ))),
        };
    };
    Ok(match query.as_str() {
        "" => Value::from(text),
        "bool" => Value::Bool(true),
        "int" => Value::Int(
            bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | i64::from(*byte)),
        ),
        "unix" | "linux" => Value::from(joined(&bytes, 2, ":")),
        "win" | "eui48" => Value::from(joined(&bytes, 2, "-").to_uppercase()),
        "cisco" => Value::from(joined(&bytes, 4, ".")),
        "bare" => Value::from(joined(&bytes, 12, "").to_uppercase()),
        "pgsql" | "postgresql" | "psql" => Value::from(joined(&bytes, 6, ":")),
        other => {
            return Err(Error::value(format!(
                "{name}: unknown filter type: {other}"
            )));
        }
    })
}

fn slaac(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [query] = args.bind("slaac", ["query"], 0)?;
    let (Some(net), Some(mac)) = (
        Net::from_value(&value).filter(|net| net.six),
        bytes_of(&query.text_or("")?),
    ) else {
        return Ok(Value::Bool(false));
    };
    let [a, b, c, d, e, f] = mac;
    let host = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    Ok(Value::from(net.show(net.first() | u128::from(host))))
}
