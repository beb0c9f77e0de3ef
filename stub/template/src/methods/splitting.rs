//! Cutting text apart as Python's `split`, `partition` and `splitlines` do.

use super::strings::text_argument;
use crate::Error;
use crate::eval::{Args, Given};
use crate::value::Value;

pub(super) fn split(text: &str, from_right: bool, args: Args) -> Result<Value, Error> {
    let name = if from_right { "rsplit" } else { "split" };
    let [separator, limit] = args.bind(name, ["sep", "maxsplit"], 0)?;
    let limit = usize::try_from(limit.int_or(-1)?).unwrap_or(usize::MAX);
    let separator = match separator {
        None | Some(Value::None) => None,
        Some(Value::Str(separator)) => Some(separator),
        Some(other) => {
            return Err(Error::type_error(format!(
                "must be str or None, not {}",
                other.type_name()
            )));
        }
    };
    let parts = split_text(text, separator.as_deref(), limit, from_right)?;
    Ok(Value::list(parts.into_iter().map(Value::from).collect()))
}

/// Python's `split` and `rsplit`; without a separator, at runs of white space.
pub(crate) fn split_text<'t>(
    text: &'t str,
    separator: Option<&str>,
    limit: usize,
    from_right: bool,
) -> Result<Vec<&'t str>, Error> {
    let Some(separator) = separator else {
        return Ok(if from_right {
            rsplit_space(text, limit)
        } else {
            split_space(text, limit)
        });
    };
    if separator.is_empty() {
        return Err(Error::value("empty separator"));
    }
    let pieces = limit.saturating_add(1);
    if from_right {
        let mut parts: Vec<&str> = text.rsplitn(pieces, separator).collect();
        parts.reverse();
        return Ok(parts);
    }
    Ok(text.splitn(pieces, separator).collect())
}

fn split_space(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        parts.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    parts
}

fn rsplit_space(text: &str, limit: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        if parts.len() == limit {
            parts.push(rest);
            break;
        }
        let start = rest
            .char_indices()
            .rev()
            .find(|(_, c)| c.is_whitespace())
            .map_or(0, |(at, c)| at + c.len_utf8());
        parts.push(&rest[start..]);
        rest = rest[..start].trim_end();
    }
    parts.reverse();
    parts
}

pub(super) fn partition(text: &str, name: &str, args: Args) -> Result<Value, Error> {
    let [separator] = args.bind(name, ["sep"], 1)?;
    let separator = text_argument(name, separator)?;
    if separator.is_empty() {
        return Err(Error::value("empty separator"));
    }
    let parts = match (
        name,
        text.split_once(&separator),
        text.rsplit_once(&separator),
    ) {
        ("partition", Some((before, after)), _) | ("rpartition", _, Some((before, after))) => {
            [before, separator.as_str(), after]
        }
        ("partition", ..) => [text, "", ""],
        _ => ["", "", text],
    };
    Ok(Value::tuple(parts.into_iter().map(Value::from).collect()))
}

pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    let is_break = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    while !rest.is_empty() {
        let (end, after) = match rest.find(is_break) {
            None => (rest.len(), rest.len()),
            Some(at) if rest[at..].starts_with("\r\n") => (at, at + 2),
            Some(at) => (at, at + rest[at..].chars().next().map_or(1, char::len_utf8)),
        };
        lines.push(&rest[..if keep_ends { after } else { end }]);
        rest = &rest[after..];
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitting() {
        assert_eq!(
            split_text(" a  b c ", None, 1, false).unwrap(),
            ["a", "b c "]
        );
        assert_eq!(
            split_text(" a  b c ", None, 1, true).unwrap(),
            [" a  b", "c"]
        );
        assert_eq!(
            split_text("a,b,,c", Some(","), 2, false).unwrap(),
            ["a", "b", ",c"]
        );
        assert_eq!(
            split_text("a,b,c", Some(","), 1, true).unwrap(),
            ["a,b", "c"]
        );
        assert!(split_text("a", Some(""), 1, true).is_err());
    }
}
