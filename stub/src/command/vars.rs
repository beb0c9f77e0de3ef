//! `--extra-vars`: `k=v` pairs, JSON, or `@FILE`.

use std::fs;

use rustle_formats::{Map, Value};

use crate::exit::{self, Failure};

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// Reads one `--extra-vars`.
pub(super) fn read(text: &str) -> Result<Map, Failure> {
    let bad = |message: String| Failure::new(exit::USAGE, format!("--extra-vars: {message}"));
    if let Some(path) = text.strip_prefix('@') {
        let size = fs::metadata(path)
            .map_err(|e| bad(format!("{path}: {e}")))?
            .len();
        if size > LARGEST {
            return Err(bad(format!("{path} is too large")));
        }
        let content = fs::read_to_string(path).map_err(|e| bad(format!("{path}: {e}")))?;
        return document(&content).map_err(|e| bad(format!("{path}: {e}")));
    }
    if text.trim_start().starts_with(['{', '[']) {
        return document(text).map_err(bad);
    }
    pairs(text).map_err(bad)
}

/// A mapping in JSON, or in the flat part of YAML: `key: value` lines with scalars.
fn document(text: &str) -> Result<Map, String> {
    if text.trim_start().starts_with(['{', '[']) {
        return match serde_json::from_str(text) {
            Ok(Value::Map(map)) => Ok(map),
            Ok(_) => Err("not a mapping".to_owned()),
            Err(e) => Err(e.to_string()),
        };
    }
    let mut out = Map::new();
    for (number, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') || trimmed == "---" || trimmed == "..." {
            continue;
        }
        let flat = !line.starts_with([' ', '\t', '-']);
        match trimmed.split_once(':') {
            Some((key, value)) if flat && (value.is_empty() || value.starts_with(' ')) => {
                let value = scalar(value.trim()).ok_or_else(|| {
                    format!(
                        "line {}: only `key: value` is read here; write JSON",
                        number + 1
                    )
                })?;
                out.insert(unquoted(key.trim()), value);
            }
            _ => {
                return Err(format!(
                    "line {}: only `key: value` is read here; write JSON",
                    number + 1
                ));
            }
        }
    }
    Ok(out)
}

/// A YAML scalar; `None` for what is none.
fn scalar(text: &str) -> Option<Value> {
    Some(match text {
        "" => return None,
        "null" | "~" => Value::Null,
        "true" | "yes" | "on" | "True" | "Yes" | "On" => true.into(),
        "false" | "no" | "off" | "False" | "No" | "Off" => false.into(),
        _ if text.starts_with(['{', '[', '"']) => serde_json::from_str(text).ok()?,
        _ if text.starts_with('\'') => unquoted(text).into(),
        _ if text.starts_with(['|', '>', '&', '*', '!', '%', '@', '`']) || text.contains(" #") => {
            return None;
        }
        _ => match text.parse::<i64>() {
            // A leading zero is octal in YAML 1.1, and file modes are written so.
            Ok(_) if text.len() > 1 && text.starts_with('0') => {
                i64::from_str_radix(text, 8).map_or_else(|_| text.into(), Value::Int)
            }
            Ok(number) => number.into(),
            Err(_) => match text.parse::<f64>() {
                Ok(number) if text.contains('.') => number.into(),
                _ => text.into(),
            },
        },
    })
}

fn unquoted(text: &str) -> String {
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return inner.replace("''", "'");
        }
    }
    text.to_owned()
}

/// `a=1 b='two words'`: all values are text, as in Ansible.
fn pairs(text: &str) -> Result<Map, String> {
    let mut out = Map::new();
    for word in words(text)? {
        let (key, value) = word
            .split_once('=')
            .ok_or_else(|| format!("'{word}' is not key=value"))?;
        if key.is_empty() {
            return Err(format!("'{word}' has no name before the ="));
        }
        out.insert(key.to_owned(), value.into());
    }
    Ok(out)
}

/// Splits at spaces outside of quotes, and takes the quotes away.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => {
                let next = chars.next().ok_or("a lone \\ at the end")?;
                word.get_or_insert_default().push(next);
            }
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => out.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed".to_owned());
    }
    out.extend(word);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        read(text).map_or_else(|f| f.message, |m| serde_json::to_string(&m).unwrap())
    }

    #[test]
    fn all_forms() {
        assert_eq!(
            json("a=1 b='x y' c=\"q\\\"\""),
            r#"{"a":"1","b":"x y","c":"q\""}"#
        );
        assert_eq!(json(r#"{"a": [1, true]}"#), r#"{"a":[1,true]}"#);
        assert_eq!(json("[1]"), "--extra-vars: not a mapping");
        assert_eq!(json("a"), "--extra-vars: 'a' is not key=value");
        assert_eq!(json("a='x"), "--extra-vars: a quote is not closed");
    }

    #[test]
    fn flat_yaml() {
        let map =
            document("---\n# c\na: 1\nb: yes\n'c d': 'it''s'\nm: 0644\nl: [1, 2]\nt: some text\n")
                .unwrap();
        assert_eq!(
            serde_json::to_string(&map).unwrap(),
            r#"{"a":1,"b":true,"c d":"it's","m":420,"l":[1,2],"t":"some text"}"#
        );
        assert!(document("a:\n  b: 1\n").is_err());
    }
}
