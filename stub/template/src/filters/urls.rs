//! Addresses: quoting and taking apart.

use rustle_formats::order;

use super::{Filter, filter, of_text};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, iterate, to_text};

pub(super) const TABLE: &[Filter] = &[
    of_text("urldecode", urldecode),
    filter("urlencode", urlencode),
    filter("urlize", urlize),
    of_text("urlsplit", urlsplit),
];

fn percent_encode(text: &str, safe: &str, plus: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(byte as char)
            }
            b' ' if plus => out.push('+'),
            byte if safe.as_bytes().contains(&byte) => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn urlencode(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("urlencode")?;
    let pairs = match &value {
        Value::Dict(dict) => dict.pairs(),
        Value::List(_) | Value::Tuple(_) => iterate(&value)?
            .iter()
            .map(|pair| match iterate(pair)?.as_slice() {
                [key, value] => Ok((key.clone(), value.clone())),
                other => Err(Error::value(format!(
                    "not enough values to unpack (expected 2, got {})",
                    other.len()
                ))),
            })
            .collect::<Result<_, _>>()?,
        other => return Ok(Value::from(percent_encode(&to_text(other)?, "/", false))),
    };
    let mut parts = Vec::with_capacity(pairs.len());
    for (key, value) in pairs {
        let part = |value: &Value| to_text(value).map(|text| percent_encode(&text, "", true));
        parts.push(format!("{}={}", part(&key)?, part(&value)?));
    }
    Ok(Value::from(parts.join("&")))
}

fn urldecode(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    args.none("urldecode")?;
    let text = to_text(&value)?.replace('+', " ");
    Ok(Value::from(percent_decode(&text)))
}

fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                out.push(code);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn urlsplit(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let [query] = args.bind("urlsplit", ["query"], 0)?;
    let text = to_text(&value)?;
    let url = text.trim_start_matches(|c: char| c <= ' ');
    let (url, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (url, search) = url.split_once('?').unwrap_or((url, ""));
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match url.split_once(':') {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme.to_lowercase(), rest),
        _ => (String::new(), url),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (user, host) = match netloc.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, netloc),
    };
    let (username, password) = match user.map(|user| {
        user.split_once(':')
            .map_or((user, None), |(u, p)| (u, Some(p)))
    }) {
        Some((name, password)) => (Value::str(name), password.map_or(Value::None, Value::str)),
        None => (Value::None, Value::None),
    };
    let (hostname, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        None => host
            .rsplit_once(':')
            .map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.filter(|port| !port.is_empty()) {
        None => Value::None,
        Some(port) => match port.parse::<u16>() {
            Ok(port) => Value::Int(i64::from(port)),
            Err(_) => {
                return Err(Error::value(format!(
                    "Port could not be cast to integer value as '{port}'"
                )));
            }
        },
    };
    let hostname = if hostname.is_empty() {
        Value::None
    } else {
        Value::from(hostname.to_lowercase())
    };
    let result = Value::dict([
        ("fragment", Value::str(fragment)),
        ("hostname", hostname),
        ("netloc", Value::str(netloc)),
        ("password", password),
        ("path", Value::str(path)),
        ("port", port),
        ("query", Value::str(search)),
        ("scheme", Value::from(scheme)),
        ("username", username),
    ]);
    let wanted = query.text_or("")?;
    match (&result, wanted.as_str()) {
        (_, "") => Ok(result),
        (Value::Dict(parts), wanted) => parts
            .get_str(wanted)
            .ok_or_else(|| Error::value(format!("urlsplit: unknown URL component: {wanted}"))),
        _ => Ok(result),
    }
}

/// Makes links of addresses in text.
fn urlize(_: &mut Interp<'_>, value: Value, args: Args) -> Result<Value, Error> {
    let names = [
        "trim_url_limit",
        "nofollow",
        "target",
        "rel",
        "extra_schemes",
    ];
    let [limit, nofollow, target, rel, _] = args.bind("urlize", names, 0)?;
    let limit = limit.int()?.and_then(|limit| usize::try_from(limit).ok());
    let mut rels: Vec<String> = rel
        .text_or("")?
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    if nofollow.truth_or(false)? {
        rels.push("nofollow".into());
    }
    rels.push("noopener".into());
    order::sort(&mut rels);
    rels.dedup();
    let target = match target.text()? {
        Some(target) => format!(" target=\"{}\"", super::strings::html(&target)),
        None => String::new(),
    };
    let rel = format!(" rel=\"{}\"", super::strings::html(&rels.join(" ")));
    let text = super::strings::html(&to_text(&value)?);
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive(char::is_whitespace) {
        let word = piece.trim_end();
        let core = word.trim_matches(|c: char| "().,;:!?".contains(c));
        let start = word.find(core).unwrap_or(0);
        let address = if core.starts_with("http://") || core.starts_with("https://") {
            Some(core.to_owned())
        } else if core.starts_with("www.") {
            Some(format!("https://{core}"))
        } else {
            None
        };
        match address.filter(|_| !core.is_empty()) {
            Some(address) => {
                let shown: String = match limit {
                    Some(limit) if core.chars().count() > limit => {
                        core.chars().take(limit).chain("...".chars()).collect()
                    }
                    _ => core.to_owned(),
                };
                out.push_str(&word[..start]);
                out.push_str(&format!("<a href=\"{address}\"{rel}{target}>{shown}</a>"));
                out.push_str(&word[start + core.len()..]);
            }
            None => out.push_str(word),
        }
        out.push_str(&piece[word.len()..]);
    }
    Ok(Value::from(out))
}
