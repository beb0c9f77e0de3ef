//! Tests of text and collections: patterns, membership, addresses.

use super::{Predicate, test};
use crate::Error;
use crate::eval::{Args, Given};
use crate::filters::truth_of;
use crate::text::Pattern;
use crate::value::{Value, contains, iterate, to_text};

pub(super) const TABLE: &[Predicate] = &[
    test("all", |_, v, args| every(v, args)),
    test("any", |_, v, args| some(v, args)),
    test("contains", |_, v, args| {
        let [item] = args.bind("contains", ["value"], 1)?;
        contains(v, &item.or_none())
    }),
    test("falsy", |_, v, args| truthy(v, args).map(|truth| !truth)),
    test("issubset", |_, v, args| subset(v, args, false)),
    test("issuperset", |_, v, args| subset(v, args, true)),
    test("match", |_, v, args| matches(v, args, Some("match"))),
    test("nan", |_, v, args| {
        args.none("nan")
            .map(|()| matches!(v, Value::Float(f) if f.is_nan()))
    }),
    test("isnan", |_, v, args| {
        args.none("nan")
            .map(|()| matches!(v, Value::Float(f) if f.is_nan()))
    }),
    test("regex", |_, v, args| matches(v, args, None)),
    test("search", |_, v, args| matches(v, args, Some("search"))),
    test("subset", |_, v, args| subset(v, args, false)),
    test("superset", |_, v, args| subset(v, args, true)),
    test("truthy", |_, v, args| truthy(v, args)),
    test("uri", |_, v, args| address(v, args, "uri")),
    test("url", |_, v, args| address(v, args, "url")),
    test("urn", |_, v, args| address(v, args, "urn")),
    test("vault_encrypted", |_, v, _| {
        Ok(v.as_str()
            .is_some_and(|text| text.starts_with("$ANSIBLE_VAULT")))
    }),
];

fn every(value: &Value, args: Args) -> Result<bool, Error> {
    args.none("all")?;
    for item in iterate(value)? {
        if !item.truth()? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn some(value: &Value, args: Args) -> Result<bool, Error> {
    args.none("any")?;
    for item in iterate(value)? {
        if item.truth()? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn subset(value: &Value, args: Args, reversed: bool) -> Result<bool, Error> {
    let [other] = args.bind("subset", ["b"], 1)?;
    let other = other.or_none();
    let (small, large) = if reversed {
        (&other, value)
    } else {
        (value, &other)
    };
    let large = Value::list(iterate(large)?);
    for item in iterate(small)? {
        if !contains(&large, &item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn truthy(value: &Value, args: Args) -> Result<bool, Error> {
    let [convert] = args.bind("truthy", ["convert_bool"], 0)?;
    match convert.truth_or(false)?.then(|| truth_of(value)).flatten() {
        Some(truth) => Ok(truth),
        None => value.truth(),
    }
}

/// `match` looks at the beginning, `search` anywhere; `regex` is told which.
fn matches(value: &Value, args: Args, kind: Option<&str>) -> Result<bool, Error> {
    let (pattern, ignorecase, multiline, kind) = match kind {
        Some(kind) => {
            let [pattern, ignorecase, multiline] =
                args.bind(kind, ["pattern", "ignorecase", "multiline"], 0)?;
            (pattern, ignorecase, multiline, kind.to_owned())
        }
        None => {
            let names = ["pattern", "ignorecase", "multiline", "match_type"];
            let kind_first = matches!(args.positional.get(1), Some(Value::Str(_)));
            let [pattern, a, b, kind] = args.bind("regex", names, 0)?;
            if kind_first {
                let truthy = a.clone();
                (pattern, truthy, b, kind.text_or("search")?)
            } else {
                (pattern, a, b, kind.text_or("search")?)
            }
        }
    };
    let text = &to_text(value)?;
    let mut flags = String::new();
    if ignorecase.truth_or(false)? {
        flags.push('i');
    }
    if multiline.truth_or(false)? {
        flags.push('m');
    }
    let pattern = Pattern::new(&pattern.text_or("")?, &flags)?;
    match kind.as_str() {
        "match" => pattern.matches_start(text),
        "fullmatch" => {
            let found = pattern.search(text, 0)?;
            Ok(found
                .and_then(|found| found.get(0))
                .is_some_and(|whole| whole.as_str() == text.as_str()))
        }
        _ => Ok(pattern.search(text, 0)?.is_some()),
    }
}

fn address(value: &Value, args: Args, kind: &str) -> Result<bool, Error> {
    let [schemes] = args.bind(kind, ["schemes"], 0)?;
    let text = match value {
        Value::Str(text) => text.as_str(),
        // Python's urlsplit finds nothing wrong with `none`.
        Value::None => "",
        _ => return Ok(false),
    };
    let is_scheme = |scheme: &&str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let found = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme));
    let (scheme, rest) = found.unwrap_or(("", text));
    let scheme = scheme.to_lowercase();
    if let Some(schemes) = schemes.filter(|schemes| !matches!(schemes, Value::None)) {
        let allowed = iterate(&schemes)?
            .iter()
            .any(|allowed| allowed.as_str() == Some(&scheme));
        if !allowed {
            return Ok(false);
        }
    }
    let location = rest
        .strip_prefix("//")
        .map(|rest| rest.split(['/', '?', '#']).next().unwrap_or(""));
    Ok(match kind {
        "url" => location.is_some_and(|location| !location.is_empty()),
        "urn" => scheme == "urn",
        _ => true,
    })
}
