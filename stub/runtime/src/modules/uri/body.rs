//! What `uri` sends: JSON, forms, files.

use std::fmt::Write;

use rustle_formats::Value;

use crate::assets::AssetKind;
use crate::context::Context;
use crate::outcome::Failure;
use crate::process::expand;

/// How large a file may be that is sent.
const FILE_LIMIT: u64 = 256 << 20;

/// The body's bytes and, where the format has one, its type.
pub(super) fn encode(
    value: &Value,
    format: &str,
    ctx: &Context<'_>,
) -> Result<(Vec<u8>, Option<String>), Failure> {
    match (format, value) {
        ("json", Value::Str(text)) => {
            Ok((text.clone().into_bytes(), Some("application/json".into())))
        }
        ("json", other) => {
            let mut out = String::new();
            json(other, &mut out);
            Ok((out.into_bytes(), Some("application/json".into())))
        }
        ("form-urlencoded", Value::Str(text)) => Ok((text.clone().into_bytes(), None)),
        ("form-urlencoded", other) => Ok((form(other)?.into_bytes(), None)),
        ("form-multipart", other) => multipart(other, ctx),
        (_, other) => Ok((text_of(other).into_bytes(), None)),
    }
}

/// The content of a file of the plan's or the target's.
pub(super) fn file(src: &str, remote: bool, ctx: &Context<'_>) -> Result<Vec<u8>, Failure> {
    if remote {
        let path = expand(ctx, src);
        return std::fs::read(&path).map_err(|e| {
            Failure::new(format!(
                "Unable to open source file {}: {e}",
                path.display()
            ))
        });
    }
    let entry = ctx.find_asset(src, "files")?;
    if !matches!(entry.kind, AssetKind::File { .. }) {
        return Err(Failure::new(format!("src: {src} is not a file")));
    }
    ctx.assets
        .read_to_vec(&entry.path, FILE_LIMIT)
        .map_err(|e| Failure::new(format!("Unable to open source file {src}: {e}")))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => other
            .as_str()
            .map_or_else(|| other.to_string(), str::to_owned),
    }
}

/// JSON with a space after commas and colons and all but ASCII escaped, as Python writes it.
fn json(value: &Value, out: &mut String) {
    match value {
        Value::List(list) => {
            out.push('[');
            for (i, item) in list.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                json(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, (key, item)) in map.iter().enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                quoted(key, out);
                out.push_str(": ");
                json(item, out);
            }
            out.push('}');
        }
        other => match other.as_str() {
            Some(text) => quoted(text, out),
            None => out.push_str(&other.to_string()),
        },
    }
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            ' '..='~' => out.push(c),
            other => {
                let mut units = [0u16; 2];
                for unit in other.encode_utf16(&mut units) {
                    // Writing into a String cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// Fields, and those of lists repeated.
fn form(value: &Value) -> Result<String, Failure> {
    let mut pairs = Vec::new();
    let mut add = |key: &str, value: &Value| match value.as_list() {
        Some(list) => pairs.extend(list.iter().map(|v| (key.to_owned(), text_of(v)))),
        None => pairs.push((key.to_owned(), text_of(value))),
    };
    match value {
        Value::Map(map) => map.iter().for_each(|(k, v)| add(k, v)),
        Value::List(list) => {
            for item in list {
                match item.as_list() {
                    Some([key, value]) => add(&text_of(key), value),
                    _ => {
                        return Err(Failure::new(
                            "failed to parse body as form_urlencoded: not a list of pairs",
                        ));
                    }
                }
            }
        }
        _ => {
            return Err(Failure::new(
                "failed to parse body as form_urlencoded: neither a mapping nor pairs",
            ));
        }
    }
    let encoded: Vec<String> = pairs
        .iter()
        .map(|(k, v)| format!("{}={}", escape(k), escape(v)))
        .collect();
    Ok(encoded.join("&"))
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'~' => {
                out.push(byte as char)
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// Parts: text, or mappings with content or a file.
fn multipart(value: &Value, ctx: &Context<'_>) -> Result<(Vec<u8>, Option<String>), Failure> {
    let Value::Map(map) = value else {
        return Err(Failure::new(
            "failed to parse body as form-multipart: body must be a mapping",
        ));
    };
    let mut random = [0u8; 16];
    getrandom::fill(&mut random)
        .map_err(|e| Failure::new(format!("no randomness for a boundary: {e}")))?;
    let boundary = hex::encode(random);
    let mut out = Vec::new();
    for (name, part) in map {
        let get = |key: &str| part.get(key).map(text_of);
        let simple = !matches!(part, Value::Map(_));
        let filename = get("filename").filter(|_| !simple);
        let content = match (simple, get("content"), &filename) {
            (true, ..) => text_of(part).into_bytes(),
            (false, Some(content), _) => content.into_bytes(),
            (false, None, Some(path)) => {
                file(path, false, ctx).or_else(|_| file(path, true, ctx))?
            }
            (false, None, None) => {
                return Err(Failure::new(format!(
                    "at least one of filename or content must be provided for {name}"
                )));
            }
        };
        let mut head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"",
            plain(name)
        );
        if let Some(filename) = &filename {
            let base = filename.rsplit('/').next().unwrap_or(filename);
            let kind = get("mime_type").unwrap_or_else(|| "application/octet-stream".into());
            let _ = write!(
                head,
                "; filename=\"{}\"\r\nContent-Type: {}",
                plain(base),
                plain(&kind)
            );
        } else if let Some(kind) = get("mime_type").filter(|_| !simple) {
            let _ = write!(head, "\r\nContent-Type: {}", plain(&kind));
        }
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(b"\r\n\r\n");
        out.extend_from_slice(&content);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Ok((
        out,
        Some(format!("multipart/form-data; boundary={boundary}")),
    ))
}

/// A header's parameter without what would end it.
fn plain(text: &str) -> String {
    text.replace('"', "%22").replace(['\r', '\n'], " ")
}
