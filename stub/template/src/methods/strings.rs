//! Methods of `str` and `bytes`.

use super::splitting::{lines, partition, split};
use crate::Error;
use crate::eval::{Args, Given, Interp};
use crate::text::brace_format;
use crate::value::{Dict, Key, MAX_TEXT, Str, Value, char_len, iterate};

pub(super) const NAMES: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "maketrans",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "translate",
    "upper",
    "zfill",
];

pub(super) fn call(
    interp: &mut Interp<'_>,
    text: &Str,
    name: &str,
    args: Args,
) -> Result<Value, Error> {
    match name {
        "capitalize" | "casefold" | "lower" | "upper" | "swapcase" | "title" => {
            args.none(name)?;
            Ok(Value::from(recase(text, name)))
        }
        "center" | "ljust" | "rjust" | "zfill" => pad_text(text, name, args),
        "strip" | "lstrip" | "rstrip" => strip(text, name, args),
        "split" | "rsplit" => split(text, name == "rsplit", args),
        "startswith" | "endswith" => affix(text, name, args),
        "find" | "rfind" | "index" | "rindex" | "count" => search(text, name, args),
        "partition" | "rpartition" => partition(text, name, args),
        "format" => brace_format(interp, text, &args).map(Value::from),
        _ if name.starts_with("is") => {
            args.none(name)?;
            Ok(Value::Bool(is_kind(text, name)))
        }
        _ => call_more(interp, text, name, args),
    }
}

fn call_more(interp: &mut Interp<'_>, text: &Str, name: &str, args: Args) -> Result<Value, Error> {
    match name {
        "join" => {
            let [items] = args.bind("join", ["iterable"], 1)?;
            join(text, &items.or_none())
        }
        "replace" => {
            let [old, new, count] = args.bind("replace", ["old", "new", "count"], 2)?;
            let (old, new) = (
                text_argument("replace", old)?,
                text_argument("replace", new)?,
            );
            let limit = usize::try_from(count.int_or(-1)?).unwrap_or(usize::MAX);
            replace(text, &old, &new, limit).map(Value::from)
        }
        "splitlines" => {
            let [keep] = args.bind("splitlines", ["keepends"], 0)?;
            Ok(Value::list(
                lines(text, keep.truth_or(false)?)
                    .into_iter()
                    .map(Value::from)
                    .collect(),
            ))
        }
        "removeprefix" => {
            let [prefix] = args.bind(name, ["prefix"], 1)?;
            let prefix = text_argument(name, prefix)?;
            Ok(Value::str(
                text.strip_prefix(prefix.as_str()).unwrap_or(text),
            ))
        }
        "removesuffix" => {
            let [suffix] = args.bind(name, ["suffix"], 1)?;
            let suffix = text_argument(name, suffix)?;
            Ok(Value::str(
                text.strip_suffix(suffix.as_str()).unwrap_or(text),
            ))
        }
        "expandtabs" => {
            let [size] = args.bind(name, ["tabsize"], 0)?;
            Ok(Value::from(expand_tabs(
                text,
                size.int_or(8)?.clamp(0, 1000) as usize,
            )))
        }
        "encode" => {
            let [encoding, errors] = args.bind(name, ["encoding", "errors"], 0)?;
            encode(
                text,
                &encoding.text_or("utf-8")?,
                &errors.text_or("strict")?,
            )
        }
        "format_map" => {
            let [mapping] = args.bind(name, ["mapping"], 1)?;
            let Value::Dict(dict) = mapping.or_none() else {
                return Err(Error::type_error("format_map() argument must be a mapping"));
            };
            let keywords = dict
                .pairs()
                .into_iter()
                .filter_map(|(k, v)| Some((k.as_str()?.into(), v)))
                .collect();
            brace_format(
                interp,
                text,
                &Args {
                    positional: Vec::new(),
                    keywords,
                },
            )
            .map(Value::from)
        }
        "maketrans" => make_translation(args),
        _ => {
            let [table] = args.bind("translate", ["table"], 1)?;
            translate(text, &table.or_none())
        }
    }
}

pub(super) fn text_argument(function: &str, value: Option<Value>) -> Result<String, Error> {
    match value {
        Some(Value::Str(text)) => Ok(text.as_str().to_owned()),
        other => {
            let kind = other.or_none();
            Err(Error::type_error(format!(
                "{function}() argument must be str, not {}",
                kind.type_name()
            )))
        }
    }
}

/// The text in another case.
/// The letter as the first of a word: of those that stand for two, only the first is a capital.
fn title_case(c: char) -> impl Iterator<Item = char> {
    let double = match c {
        'Ǆ' | 'ǅ' | 'ǆ' => Some('ǅ'),
        'Ǉ' | 'ǈ' | 'ǉ' => Some('ǈ'),
        'Ǌ' | 'ǋ' | 'ǌ' => Some('ǋ'),
        'Ǳ' | 'ǲ' | 'ǳ' => Some('ǲ'),
        _ => None,
    };
    let one = double.into_iter();
    let mut upper = c.to_uppercase();
    let first = if double.is_some() { None } else { upper.next() };
    let rest = if double.is_some() {
        None
    } else {
        Some(upper.flat_map(char::to_lowercase))
    };
    one.chain(first).chain(rest.into_iter().flatten())
}

/// Whether the character is a digit of a number in base 10.
fn is_decimal(c: char) -> bool {
    crate::value::decimal_digit(c).is_some()
}

pub(crate) fn recase(text: &str, how: &str) -> String {
    match how {
        "upper" => text.to_uppercase(),
        "swapcase" => text
            .chars()
            .flat_map(|c| {
                if c.is_uppercase() {
                    c.to_lowercase().collect::<Vec<_>>()
                } else {
                    c.to_uppercase().collect()
                }
            })
            .collect(),
        "capitalize" => {
            let mut chars = text.chars();
            match chars.next() {
                Some(first) => title_case(first)
                    .chain(chars.as_str().to_lowercase().chars())
                    .collect(),
                None => String::new(),
            }
        }
        "title" => {
            let mut after_letter = false;
            let mut out = String::with_capacity(text.len());
            for c in text.chars() {
                if after_letter {
                    out.extend(c.to_lowercase())
                } else {
                    out.extend(title_case(c))
                }
                after_letter = c.is_alphabetic();
            }
            out
        }
        "casefold" => text.replace('ß', "ss").to_lowercase(),
        _ => text.to_lowercase(),
    }
}

/// `center`, `ljust`, `rjust` and `zfill`.
pub(crate) fn pad_text(text: &str, name: &str, args: Args) -> Result<Value, Error> {
    let [width, fill] = args.bind(name, ["width", "fillchar"], 1)?;
    let width = width.int_or(0)?.max(0) as usize;
    if width > MAX_TEXT {
        return Err(Error::limit("the width is too large"));
    }
    let missing = width.saturating_sub(char_len(text));
    if name == "zfill" {
        let (sign, digits) = match text.strip_prefix(['+', '-']) {
            Some(digits) => (&text[..1], digits),
            None => ("", text),
        };
        return Ok(Value::from(format!(
            "{sign}{}{digits}",
            "0".repeat(missing)
        )));
    }
    let fill = fill.text_or(" ")?;
    let mut fill_chars = fill.chars();
    let (Some(fill), None) = (fill_chars.next(), fill_chars.next()) else {
        return Err(Error::type_error(
            "The fill character must be exactly one character long",
        ));
    };
    let before = match name {
        "ljust" => 0,
        "rjust" => missing,
        // Python puts the odd one to the left if the width is odd.
        _ => missing / 2 + (missing & width & 1),
    };
    let pad = |count| std::iter::repeat_n(fill, count);
    Ok(Value::from(
        pad(before)
            .chain(text.chars())
            .chain(pad(missing - before))
            .collect::<String>(),
    ))
}

fn strip(text: &str, name: &str, args: Args) -> Result<Value, Error> {
    let [chars] = args.bind(name, ["chars"], 0)?;
    let chars = match chars {
        None | Some(Value::None) => None,
        Some(Value::Str(chars)) => Some(chars),
        Some(_) => return Err(Error::type_error(format!("{name} arg must be None or str"))),
    };
    let matches = |c: char| match &chars {
        Some(chars) => chars.contains(c),
        None => c.is_whitespace(),
    };
    let stripped = match name {
        "lstrip" => text.trim_start_matches(matches),
        "rstrip" => text.trim_end_matches(matches),
        _ => text.trim_matches(matches),
    };
    Ok(Value::str(stripped))
}

/// Part of the text by Python's `start` and `end` in characters, and its offset in characters.
fn window<'t>(
    text: &'t str,
    start: &Option<Value>,
    end: &Option<Value>,
) -> Result<Option<(&'t str, usize)>, Error> {
    let length = char_len(text) as i64;
    let bound = |value: &Option<Value>, default: i64| -> Result<i64, Error> {
        let index = value.int()?.unwrap_or(default);
        Ok(if index < 0 {
            index.saturating_add(length).max(0)
        } else {
            index
        })
    };
    let (start, end) = (bound(start, 0)?, bound(end, length)?.min(length));
    if start > length || start > end {
        return Ok(None);
    }
    let byte = |chars: i64| {
        text.char_indices()
            .nth(chars as usize)
            .map_or(text.len(), |(at, _)| at)
    };
    Ok(Some((&text[byte(start)..byte(end)], start as usize)))
}

fn affix(text: &str, name: &str, args: Args) -> Result<Value, Error> {
    let [affix, start, end] = args.bind(name, ["affix", "start", "end"], 1)?;
    let Some((text, _)) = window(text, &start, &end)? else {
        return Ok(Value::Bool(false));
    };
    let matches = |affix: &Value| match affix {
        Value::Str(affix) if name == "startswith" => Ok(text.starts_with(affix.as_str())),
        Value::Str(affix) => Ok(text.ends_with(affix.as_str())),
        other => Err(Error::type_error(format!(
            "{name} first arg must be str or a tuple of str, not {}",
            other.type_name()
        ))),
    };
    match affix.or_none() {
        Value::Tuple(choices) => {
            for choice in choices.iter() {
                if matches(choice)? {
                    return Ok(Value::Bool(true));
                }
            }
            Ok(Value::Bool(false))
        }
        other => matches(&other).map(Value::Bool),
    }
}

fn search(text: &str, name: &str, args: Args) -> Result<Value, Error> {
    let [part, start, end] = args.bind(name, ["sub", "start", "end"], 1)?;
    let part = text_argument(name, part)?;
    let found = match window(text, &start, &end)? {
        None => None,
        Some((text, offset)) => match name {
            "count" if part.is_empty() => return Ok(Value::count(char_len(text) + 1)),
            "count" => return Ok(Value::count(text.matches(part.as_str()).count())),
            "find" | "index" => text.find(&part),
            _ => text.rfind(&part),
        }
        .map(|at| offset + char_len(&text[..at])),
    };
    match found {
        Some(index) => Ok(Value::count(index)),
        None if name == "count" => Ok(Value::Int(0)),
        None if name.ends_with("find") => Ok(Value::Int(-1)),
        None => Err(Error::value("substring not found")),
    }
}

fn is_kind(text: &str, name: &str) -> bool {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    match name {
        "isalnum" => all(char::is_alphanumeric),
        "isalpha" => all(char::is_alphabetic),
        "isascii" => text.is_ascii(),
        "isdecimal" => all(is_decimal),
        "isdigit" => all(|c| {
            // Superscripts, subscripts and digits in circles count as digits, too.
            is_decimal(c)
                || matches!(c, '²' | '³' | '¹' | '⁰' | '⁴'..='⁹' | '₀'..='₉' | '①'..='⑨' | '⓪')
        }),
        "isnumeric" => all(char::is_numeric),
        "isidentifier" => {
            text.starts_with(|c: char| c == '_' || c.is_alphabetic())
                && text.chars().all(|c| c == '_' || c.is_alphanumeric())
        }
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        "isprintable" => text
            .chars()
            .all(|c| c == ' ' || !c.is_control() && !c.is_whitespace()),
        "isspace" => all(char::is_whitespace),
        _ => text.chars().any(char::is_alphabetic) && recase(text, "title") == text,
    }
}

fn join(separator: &str, items: &Value) -> Result<Value, Error> {
    let mut out = String::new();
    for (index, item) in iterate(items)?.into_iter().enumerate() {
        let Value::Str(piece) = item.strict()? else {
            return Err(Error::type_error(format!(
                "sequence item {index}: expected str instance"
            )));
        };
        if index > 0 {
            out.push_str(separator);
        }
        out.push_str(&piece);
        if out.len() > MAX_TEXT {
            return Err(Error::limit("the text is too long"));
        }
    }
    Ok(Value::from(out))
}

/// Python's `replace`.
pub(crate) fn replace(text: &str, old: &str, new: &str, limit: usize) -> Result<String, Error> {
    let growth = text.len().saturating_add(1).saturating_mul(new.len());
    if old.len() < new.len()
        && growth > MAX_TEXT
        && text.matches(old).count().saturating_mul(new.len()) > MAX_TEXT
    {
        return Err(Error::limit("the text is too long"));
    }
    Ok(text.replacen(old, new, limit))
}

fn expand_tabs(text: &str, size: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let count = if size == 0 { 0 } else { size - column % size };
                out.extend(std::iter::repeat_n(' ', count));
                column += count;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

/// Bytes of a text. `errors` says what becomes of characters that the encoding does not have.
fn encode(text: &str, encoding: &str, errors: &str) -> Result<Value, Error> {
    let narrow = match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "ascii" | "us-ascii" => Some(0x80),
        "latin-1" | "latin1" | "iso-8859-1" => Some(0x100),
        _ => None,
    };
    if let Some(limit) = narrow {
        let known = |c: &char| (*c as u32) < limit;
        let text: String = match errors {
            "ignore" => text.chars().filter(known).collect(),
            "replace" => text
                .chars()
                .map(|c| if known(&c) { c } else { '?' })
                .collect(),
            _ => text.to_owned(),
        };
        if let Some(at) = text.chars().position(|c| !known(&c)) {
            return Err(Error::value(format!(
                "'{encoding}' codec can't encode character at position {at}: ordinal not in range({limit})"
            )));
        }
        let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
        return Ok(Value::Bytes(bytes.into()));
    }
    let bytes = match encoding.to_ascii_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => text.as_bytes().to_vec(),
        "utf-16-le" | "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "utf-16-be" | "utf-16be" => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        _ => return Err(Error::value(format!("unknown encoding: {encoding}"))),
    };
    Ok(Value::Bytes(bytes.into()))
}

fn make_translation(args: Args) -> Result<Value, Error> {
    let [from, to, remove] = args.bind("maketrans", ["x", "y", "z"], 1)?;
    let table = Dict::new();
    let code = |c: char| Key::new(Value::Int(i64::from(c as u32)));
    match (from.or_none(), to) {
        (Value::Dict(dict), None) => {
            for (key, value) in dict.pairs() {
                let key = match &key {
                    Value::Str(text) => code(text.chars().next().unwrap_or('\0'))?,
                    other => Key::new(other.clone())?,
                };
                table.insert(key, value);
            }
        }
        (Value::Str(from), Some(Value::Str(to))) if char_len(&from) == char_len(&to) => {
            for (a, b) in from.chars().zip(to.chars()) {
                table.insert(code(a)?, Value::Int(i64::from(b as u32)));
            }
            for c in remove.text_or("")?.chars() {
                table.insert(code(c)?, Value::None);
            }
        }
        (_, None) => {
            return Err(Error::type_error(
                "if you give only one argument to maketrans it must be a dict",
            ));
        }
        _ => {
            return Err(Error::value(
                "the first two maketrans arguments must have equal length",
            ));
        }
    }
    Ok(Value::Dict(table))
}

fn translate(text: &str, table: &Value) -> Result<Value, Error> {
    let Value::Dict(table) = table else {
        return Err(Error::type_error("translate() needs a table"));
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match table.get(&Value::Int(i64::from(c as u32)))? {
            None => out.push(c),
            Some(Value::None) => {}
            Some(Value::Str(other)) => out.push_str(&other),
            Some(other) => match other
                .as_int()
                .and_then(|i| char::from_u32(u32::try_from(i).ok()?))
            {
                Some(other) => out.push(other),
                None => {
                    return Err(Error::type_error(
                        "character mapping must return integer, None or str",
                    ));
                }
            },
        }
    }
    Ok(Value::from(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_and_lines() {
        assert_eq!(recase("they're BILL's", "title"), "They'Re Bill'S");
        assert_eq!(lines("a\r\nb\n\nc", false), ["a", "b", "", "c"]);
        assert_eq!(lines("a\n", true), ["a\n"]);
    }
}
