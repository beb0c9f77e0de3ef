//! Comparing version numbers: loosely, strictly, and by semver.

use std::cmp::Ordering;

use super::{Predicate, test};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::value::{Value, to_text};

pub(super) const TABLE: &[Predicate] =
    &[test("version", version), test("version_compare", version)];

fn version(_: &mut Interp<'_>, value: &Value, args: Args) -> Result<bool, Error> {
    let [other, operator, strict, kind] = args.bind(
        "version",
        ["version", "operator", "strict", "version_type"],
        1,
    )?;
    let (a, b) = (to_text(value)?, to_text(&other.or_none())?);
    let operator = operator.text_or("eq")?;
    let kind_name = kind.text()?;
    if strict.is_some() && !matches!(strict, Some(Value::None)) && kind_name.is_some() {
        return Err(Error::value(
            "Cannot specify both 'strict' and 'version_type'",
        ));
    }
    if a.is_empty() {
        return Err(Error::value("Input version value cannot be empty"));
    }
    if b.is_empty() {
        return Err(Error::value(
            "Version parameter to compare against cannot be empty",
        ));
    }
    let kind = kind_name.unwrap_or_else(|| {
        if strict.truth_or(false).unwrap_or(false) {
            "strict"
        } else {
            "loose"
        }
        .to_owned()
    });
    let order = match kind.as_str() {
        "loose" => loose(&a, &b),
        "strict" => Ok(strict_key(&a)?.cmp(&strict_key(&b)?)),
        "semver" | "semantic" => semantic(&a, &b),
        "pep440" => pep440(&a, &b),
        other => {
            return Err(Error::value(format!(
                "Invalid version type ({other}). Must be one of loose, strict, semver, semantic, pep440"
            )));
        }
    }
    .map_err(|error| error.context("Version comparison failed: "))?;
    Ok(match operator.as_str() {
        "==" | "=" | "eq" => order == Ordering::Equal,
        "!=" | "<>" | "ne" => order != Ordering::Equal,
        "<" | "lt" => order == Ordering::Less,
        "<=" | "le" => order != Ordering::Greater,
        ">" | "gt" => order == Ordering::Greater,
        ">=" | "ge" => order != Ordering::Less,
        other => {
            return Err(Error::value(format!(
                "Invalid operator type ({other}). Must be one of '==', '=', 'eq', '<', 'lt', '<=', 'le', '>', 'gt', '>=', 'ge', '!=', '<>', 'ne'"
            )));
        }
    })
}

#[derive(PartialEq, Eq)]
enum Part {
    Number(u64),
    Word(String),
}

/// Digits and letters in turn; what is between them only separates.
fn parts(text: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let class = |c: char| match c {
            '0'..='9' => 0,
            'a'..='z' => 1,
            '.' => 2,
            _ => 3,
        };
        let end = rest
            .find(|other| class(other) != class(c))
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        match class(c) {
            0 => out.push(Part::Number(piece.parse().unwrap_or(u64::MAX))),
            2 => {}
            _ => out.push(Part::Word(piece.to_owned())),
        }
        rest = after;
    }
    out
}

fn loose(a: &str, b: &str) -> Result<Ordering, Error> {
    let (a, b) = (parts(a), parts(b));
    for (x, y) in a.iter().zip(&b) {
        let order = match (x, y) {
            (Part::Number(x), Part::Number(y)) => x.cmp(y),
            (Part::Word(x), Part::Word(y)) => x.cmp(y),
            (Part::Number(_), Part::Word(_)) => return Err(mixed("int", "str")),
            (Part::Word(_), Part::Number(_)) => return Err(mixed("str", "int")),
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

/// A version as a list that sorts as the loose comparison does.
#[cfg(feature = "full")]
pub(crate) fn loose_key(text: &str) -> Value {
    let parts = parts(text).into_iter().map(|part| match part {
        Part::Number(number) => Value::from(i64::try_from(number).unwrap_or(i64::MAX)),
        Part::Word(word) => Value::str(word.to_string()),
    });
    Value::list(parts.collect())
}

fn mixed(a: &str, b: &str) -> Error {
    Error::type_error(format!(
        "'<' not supported between instances of '{a}' and '{b}'"
    ))
}

/// Two or three numbers and perhaps `a1` or `b1`.
/// The numbers, and then: is it a release, the letter, the number after it.
type StrictKey = ([u64; 3], (bool, char, u64));

fn strict_key(text: &str) -> Result<StrictKey, Error> {
    let bad = || {
        Error::value(format!(
            "Version comparison failed: invalid version number '{text}'"
        ))
    };
    let pre_at = text.find(['a', 'b']).unwrap_or(text.len());
    let (numbers, pre) = text.split_at(pre_at);
    let numbers: Vec<u64> = numbers
        .split('.')
        .map(|n| n.parse().map_err(|_| bad()))
        .collect::<Result<_, _>>()?;
    if !(2..=3).contains(&numbers.len()) {
        return Err(bad());
    }
    let pre = match pre.chars().next() {
        None => (true, ' ', 0),
        Some(letter) => (false, letter, pre[1..].parse().map_err(|_| bad())?),
    };
    Ok((
        [numbers[0], numbers[1], numbers.get(2).copied().unwrap_or(0)],
        pre,
    ))
}

struct Semantic<'a> {
    core: [u64; 3],
    pre: Option<&'a str>,
}

fn semantic_parts(text: &str) -> Result<Semantic<'_>, Error> {
    let bad = || Error::value(format!("invalid semantic version '{text}'"));
    let (rest, _build) = text
        .split_once('+')
        .map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, pre) = rest
        .split_once('-')
        .map_or((rest, None), |(core, pre)| (core, Some(pre)));
    let number = |text: &str| -> Result<u64, Error> {
        let plain =
            text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        if plain {
            text.parse().map_err(|_| bad())
        } else {
            Err(bad())
        }
    };
    let numbers: Vec<u64> = core.split('.').map(number).collect::<Result<_, _>>()?;
    let core: [u64; 3] = numbers.try_into().map_err(|_| bad())?;
    if pre.is_some_and(|pre| pre.split('.').any(str::is_empty)) {
        return Err(bad());
    }
    Ok(Semantic { core, pre })
}

fn semantic(a: &str, b: &str) -> Result<Ordering, Error> {
    let (a, b) = (semantic_parts(a)?, semantic_parts(b)?);
    let order = a.core.cmp(&b.core);
    if order != Ordering::Equal {
        return Ok(order);
    }
    Ok(match (a.pre, b.pre) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => {
            let identifier = |text: &str| match text.parse::<u64>() {
                Ok(number) => (0, number, String::new()),
                Err(_) => (1, 0, text.to_owned()),
            };
            let key = |text: &str| text.split('.').map(identifier).collect::<Vec<_>>();
            key(a).cmp(&key(b))
        }
    })
}

/// The part of PEP 440 that versions in use need: release numbers, pre-, post- and development releases.
fn pep440(a: &str, b: &str) -> Result<Ordering, Error> {
    let key = |text: &str| -> Result<(Vec<u64>, i64, u64, i64, i64), Error> {
        let bad = || Error::value(format!("Invalid version: '{text}'"));
        let lower = text.trim().trim_start_matches('v').to_lowercase();
        let at = lower
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(lower.len());
        let (release, suffix) = lower.split_at(at);
        let mut release: Vec<u64> = release
            .trim_end_matches('.')
            .split('.')
            .map(|n| n.parse().map_err(|_| bad()))
            .collect::<Result<_, _>>()?;
        while release.last() == Some(&0) {
            release.pop();
        }
        let (mut pre, mut pre_number, mut post, mut dev) = (3, 0, -1, i64::MAX);
        for part in parts(&suffix.replace(['-', '_'], ".")).chunks(2) {
            let number = match part.get(1) {
                Some(Part::Number(number)) => *number,
                _ => 0,
            };
            match part.first() {
                Some(Part::Word(word)) => match word.as_str() {
                    "a" | "alpha" => (pre, pre_number) = (0, number),
                    "b" | "beta" => (pre, pre_number) = (1, number),
                    "rc" | "c" | "pre" | "preview" => (pre, pre_number) = (2, number),
                    "post" | "rev" | "r" => post = number as i64,
                    "dev" => dev = number as i64,
                    _ => return Err(bad()),
                },
                _ => return Err(bad()),
            }
        }
        if dev != i64::MAX && pre == 3 && post < 0 {
            pre = -1;
        }
        Ok((release, pre, pre_number, post, dev))
    };
    Ok(key(a)?.cmp(&key(b)?))
}
