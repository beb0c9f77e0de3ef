//! Methods of `bytes`.

use super::strings::recase;
use crate::Error;
use crate::eval::{Args, Given};
use crate::value::Value;

/// A method of text for bytes: what is not ASCII is left alone.
fn as_text(bytes: &[u8], name: &str, args: Args) -> Result<Value, Error> {
    let latin = |bytes: &[u8]| bytes.iter().map(|b| *b as char).collect::<String>();
    let given = match args.positional.first() {
        None | Some(Value::None) => None,
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        Some(other) => {
            return Err(Error::type_error(format!(
                "a bytes-like object is required, not '{}'",
                other.type_name()
            )));
        }
    };
    let stripped = |b: &u8| match &given {
        Some(set) => set.contains(b),
        None => b.is_ascii_whitespace(),
    };
    let start = bytes
        .iter()
        .position(|b| !stripped(b))
        .unwrap_or(bytes.len());
    let end = bytes
        .iter()
        .rposition(|b| !stripped(b))
        .map_or(start, |i| i + 1);
    let part = |from: usize, to: usize| Ok(Value::Bytes(bytes[from..to].into()));
    match name {
        "strip" => part(start, end),
        "lstrip" => part(start, bytes.len()),
        "rstrip" => part(0, end),
        "startswith" => Ok(Value::Bool(
            bytes.starts_with(given.as_deref().unwrap_or(b"")),
        )),
        "endswith" => Ok(Value::Bool(
            bytes.ends_with(given.as_deref().unwrap_or(b"")),
        )),
        "lower" => Ok(Value::Bytes(bytes.to_ascii_lowercase().into())),
        "upper" => Ok(Value::Bytes(bytes.to_ascii_uppercase().into())),
        _ => {
            let text = recase(&latin(&bytes.to_ascii_lowercase()), name);
            let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
            Ok(Value::Bytes(bytes.into()))
        }
    }
}

pub(super) fn call(bytes: &[u8], name: &str, args: Args) -> Result<Value, Error> {
    if name == "hex" {
        args.none("hex")?;
        return Ok(Value::from(hex::encode(bytes)));
    }
    if name != "decode" {
        return as_text(bytes, name, args);
    }
    let [encoding, _errors] = args.bind("decode", ["encoding", "errors"], 0)?;
    match encoding.text_or("utf-8")?.to_ascii_lowercase().as_str() {
        "utf-8" | "utf8" | "ascii" => std::str::from_utf8(bytes)
            .map(Value::from)
            .map_err(|_| Error::value("'utf-8' codec can't decode the bytes")),
        "latin-1" | "latin1" | "iso-8859-1" => Ok(Value::from(
            bytes.iter().map(|b| *b as char).collect::<String>(),
        )),
        other => Err(Error::value(format!("unknown encoding: {other}"))),
    }
}
