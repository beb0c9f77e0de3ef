//! Digests, encodings and identifiers.

use base64::Engine as _;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::{Filter, filter};
use crate::eval::{Args, Given, Interp};
use crate::text::crypt;
use crate::value::{Value, to_text};
use crate::{Error, ErrorKind};

pub(super) const TABLE: &[Filter] = &[
    filter("b64decode", b64decode),
    filter("b64encode", b64encode),
    filter("checksum", |_, v, args| {
        digest(&v, args, "checksum", "sha1")
    }),
    filter("hash", hash),
    filter("md5", |_, v, args| digest(&v, args, "md5", "md5")),
    filter("password_hash", password_hash),
    filter("sha1", |_, v, args| digest(&v, args, "sha1", "sha1")),
    filter("to_uuid", to_uuid),
    filter("unvault", |interp, v, args| {
        vault(interp, &v, &args, "unvault")
    }),
    filter("vault", |interp, v, args| vault(interp, &v, &args, "vault")),
];

fn bytes_of(value: &Value) -> Result<Vec<u8>, Error> {
    match value {
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        other => to_text(other).map(String::into_bytes),
    }
}

/// The digest of bytes in hexadecimal; `None` for an unknown algorithm.
fn hex_digest(algorithm: &str, bytes: &[u8]) -> Option<String> {
    Some(match algorithm {
        "md5" => hex::encode(Md5::digest(bytes)),
        "sha1" => hex::encode(Sha1::digest(bytes)),
        "sha224" => hex::encode(Sha224::digest(bytes)),
        "sha256" => hex::encode(Sha256::digest(bytes)),
        "sha384" => hex::encode(Sha384::digest(bytes)),
        "sha512" => hex::encode(Sha512::digest(bytes)),
        _ => return None,
    })
}

fn digest(value: &Value, args: Args, name: &str, algorithm: &str) -> Result<Value, Error> {
    args.none(name)?;
    Ok(hex_digest(algorithm, &bytes_of(value)?).map_or(Value::None, Value::from))
}

fn hash(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [algorithm] = args.bind("hash", ["hashtype"], 0)?;
    let algorithm = algorithm.text_or("sha1")?;
    hex_digest(&algorithm, &bytes_of(&value)?)
        .map(Value::from)
        .ok_or_else(|| Error::value(format!("unsupported hash type {algorithm}")))
}

fn b64encode(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [encoding, urlsafe] = args.bind("b64encode", ["encoding", "urlsafe"], 0)?;
    let bytes = match (&value, encoding.text_or("utf-8")?.as_str()) {
        (Value::Str(_), "utf-8" | "utf8") => bytes_of(&value)?,
        (Value::Str(_), encoding) => {
            let args = Args::of(vec![Value::str(encoding)]);
            match crate::methods::call(interp, &value, "encode", args) {
                Some(encoded) => bytes_of(&encoded?)?,
                None => bytes_of(&value)?,
            }
        }
        (other, _) => bytes_of(other)?,
    };
    let engine = &base64::engine::general_purpose::STANDARD;
    let url_engine = &base64::engine::general_purpose::URL_SAFE;
    Ok(Value::from(if urlsafe.truth_or(false)? {
        url_engine.encode(bytes)
    } else {
        engine.encode(bytes)
    }))
}

fn b64decode(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [encoding, urlsafe] = args.bind("b64decode", ["encoding", "urlsafe"], 0)?;
    let text = to_text(&value)?;
    let urlsafe = urlsafe.truth_or(false)?;
    // Python skips what does not belong to the alphabet.
    let plain: String = text
        .chars()
        .map(|c| match (c, urlsafe) {
            ('-', true) => '+',
            ('_', true) => '/',
            (c, _) => c,
        })
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/'))
        .collect();
    let config = base64::engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let padded = text.chars().filter(|c| *c == '=').count() >= (4 - plain.len() % 4) % 4;
    if !padded {
        return Err(Error::value("Incorrect padding"));
    }
    let bytes = base64::engine::GeneralPurpose::new(&base64::alphabet::STANDARD, config)
        .decode(plain)
        .map_err(|_| Error::value("Incorrect padding"))?;
    match encoding.text_or("utf-8")?.to_ascii_lowercase().as_str() {
        "utf-16-le" | "utf-16le" => {
            let units: Vec<u16> = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            String::from_utf16(&units)
                .map(Value::from)
                .map_err(|_| Error::value("the text is not valid UTF-16"))
        }
        "latin-1" | "latin1" | "iso-8859-1" => Ok(Value::from(
            bytes.iter().map(|b| *b as char).collect::<String>(),
        )),
        _ => String::from_utf8(bytes)
            .map(Value::from)
            .map_err(|_| Error::value("the decoded bytes are not valid UTF-8")),
    }
}

/// Ansible's namespace for names that have none of their own.
const NAMESPACE: [u8; 16] = [
    0x36, 0x1e, 0x6d, 0x51, 0xfa, 0xec, 0x44, 0x4a, 0x90, 0x79, 0x34, 0x13, 0x86, 0xda, 0x8e, 0x2e,
];

fn to_uuid(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [namespace] = args.bind("to_uuid", ["namespace"], 0)?;
    let namespace = match namespace.text()? {
        None => NAMESPACE.to_vec(),
        Some(text) => hex::decode(text.replace('-', ""))
            .ok()
            .filter(|bytes| bytes.len() == 16)
            .ok_or_else(|| {
                Error::value(format!(
                    "Invalid value '{text}' for 'namespace': badly formed hexadecimal UUID string"
                ))
            })?,
    };
    let mut bytes: Vec<u8> = Sha1::new()
        .chain_update(&namespace)
        .chain_update(bytes_of(&value)?)
        .finalize()[..16]
        .to_vec();
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    Ok(Value::from(parts.join("-")))
}

fn password_hash(interp: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [scheme, salt, salt_size, rounds, _ident] = args.bind(
        "password_hash",
        ["hashtype", "salt", "salt_size", "rounds", "ident"],
        0,
    )?;
    let scheme = scheme.text_or("sha512")?;
    let method = match scheme.as_str() {
        "sha512" | "sha512_crypt" => crypt::Method::Sha512,
        "sha256" | "sha256_crypt" => crypt::Method::Sha256,
        other => {
            return Err(Error::value(format!(
                "password_hash: the algorithm '{other}' is not available in this build"
            )));
        }
    };
    let salt = match salt.text()? {
        Some(salt) => salt,
        None => random_salt(
            interp,
            usize::try_from(salt_size.int_or(16)?)
                .unwrap_or(16)
                .clamp(1, 16),
        ),
    };
    if salt.len() > 16
        || !salt
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/')
    {
        return Err(Error::value(
            "invalid characters in salt, or more than 16 of them",
        ));
    }
    // passlib's defaults; 5000 is what the format means when it names no number.
    let default = if method == crypt::Method::Sha512 {
        656_000
    } else {
        535_000
    };
    let rounds = rounds.int_or(default)?;
    if !(1000..=999_999_999).contains(&rounds) {
        return Err(Error::value("rounds must be between 1000 and 999999999"));
    }
    Ok(Value::from(crypt::hash(
        method,
        &bytes_of(&value)?,
        salt.as_bytes(),
        rounds as u32,
    )))
}

fn random_salt(interp: &Interp<'_>, length: usize) -> String {
    let alphabet = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./";
    let host = interp.templar.engine().host();
    (0..length)
        .map(|_| alphabet[(host.entropy() % 64) as usize] as char)
        .collect()
}

/// Passwords are the controller's: there, the caller has these filters.
fn vault(interp: &mut Interp<'_>, value: &Value, args: &Args, name: &str) -> Result<Value, Error> {
    let plugins = interp.templar.engine().plugins();
    let done = plugins.and_then(|plugins| plugins.filter(name, value, args));
    done.unwrap_or_else(|| {
        Err(Error::new(
            ErrorKind::Plugin,
            "vault secrets are opened when the plan is made: the filters vault and unvault cannot run on the target",
        ))
    })
}
