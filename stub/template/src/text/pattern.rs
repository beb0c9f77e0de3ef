//! Python's `re` on top of a backtracking engine for Rust: the syntax is translated, replacement templates are
//! expanded here.

use std::fmt::Write;

use fancy_regex::{Captures, Regex, RegexBuilder};

use crate::Error;

/// How much backtracking one match may do.
const BACKTRACK_LIMIT: usize = 2_000_000;

/// A compiled pattern.
pub(crate) struct Pattern {
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern with Python's flags as letters: `i`, `m`, `s`, `x`.
    pub(crate) fn new(pattern: &str, flags: &str) -> Result<Pattern, Error> {
        let mut translated = String::with_capacity(pattern.len() + 8);
        if !flags.is_empty() {
            let _ = write!(translated, "(?{flags})");
        }
        translate(pattern, &mut translated);
        let regex = RegexBuilder::new(&translated)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map_err(|error| {
                Error::value(format!("Invalid regular expression '{pattern}': {error}"))
            })?;
        Ok(Pattern { regex })
    }

    /// The first match from a byte offset on.
    pub(crate) fn search<'t>(
        &self,
        text: &'t str,
        from: usize,
    ) -> Result<Option<Captures<'t, str>>, Error> {
        self.regex
            .captures_from_pos(text, from)
            .map_err(|error| failed(&error))
    }

    /// A match at the very beginning, which need not reach the end.
    pub(crate) fn matches_start(&self, text: &str) -> Result<bool, Error> {
        // The leftmost match is at the start if there is any there.
        Ok(self
            .search(text, 0)?
            .and_then(|found| found.get(0))
            .is_some_and(|whole| whole.start() == 0))
    }

    /// All matches, one after the other.
    pub(crate) fn find_all<'t>(&self, text: &'t str) -> Result<Vec<Captures<'t, str>>, Error> {
        self.regex
            .captures_iter(text)
            .map(|found| found.map_err(|error| failed(&error)))
            .collect()
    }

    /// The number of groups, the whole match not counted.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len().saturating_sub(1)
    }

    /// The number of a named group.
    pub(crate) fn group_index(&self, name: &str) -> Option<usize> {
        self.regex
            .capture_names()
            .position(|known| known == Some(name))
    }
}

fn failed(error: &fancy_regex::Error) -> Error {
    Error::value(format!("regular expression failed: {error}"))
}

/// Translates what Python writes differently: `(?P=name)`, `\Z`, `$` before a last newline, braces that are no
/// repetition, and brackets that need no escape inside brackets in Python.
fn translate(pattern: &str, out: &mut String) {
    let mut chars = pattern.char_indices().peekable();
    let mut in_class: Option<usize> = None;
    while let Some((at, c)) = chars.next() {
        let rest = &pattern[at..];
        match c {
            '\\' => {
                let Some((_, escaped)) = chars.next() else {
                    out.push('\\');
                    break;
                };
                match escaped {
                    'Z' => out.push_str("\\z"),
                    '"' | '\'' | '/' | ':' | ';' | ',' | '=' | '<' | '>' | '@' | '%' | '!'
                    | '`' | '_' | ' '
                        if in_class.is_none() =>
                    {
                        push_literal(out, escaped);
                    }
                    'e' | 'h' | 'H' | 'R' | 'K' | 'G' | 'z' | 'O' | 'N' => {
                        push_literal(out, escaped)
                    }
                    other => {
                        out.push('\\');
                        out.push(other);
                    }
                }
            }
            '[' if in_class.is_some() => out.push_str("\\["),
            '[' => {
                out.push('[');
                // A bracket right at the beginning is one of the characters.
                if chars.next_if(|(_, c)| *c == '^').is_some() {
                    out.push('^');
                }
                if chars.next_if(|(_, c)| *c == ']').is_some() {
                    out.push_str("\\]");
                }
                in_class = Some(at);
            }
            ']' if in_class.is_some() => {
                out.push(']');
                in_class = None;
            }
            '&' | '~' if in_class.is_some() => {
                out.push('\\');
                out.push(c);
            }
            _ if in_class.is_some() => out.push(c),
            '(' if rest.starts_with("(?P=") => {
                let name = rest[4..].split(')').next().unwrap_or("");
                let _ = write!(out, "\\k<{name}>");
                for _ in 0.."?P=)".len() + name.chars().count() {
                    chars.next();
                }
            }
            // Without the multi-line flag Python's `$` also matches before a newline at the very end.
            '$' => out.push_str("(?:(?=\\n\\z)|$)"),
            '{' if !is_repetition(rest) => out.push_str("\\{"),
            '}' if !closes_repetition(&pattern[..at]) => out.push_str("\\}"),
            other => out.push(other),
        }
    }
}

fn push_literal(out: &mut String, c: char) {
    if regex_syntax_special(c) {
        out.push('\\');
    }
    out.push(c);
}

fn regex_syntax_special(c: char) -> bool {
    "\\.+*?()|[]{}^$#&-~".contains(c)
}

fn is_repetition(text: &str) -> bool {
    let Some(end) = text.find('}') else {
        return false;
    };
    let inside = &text[1..end];
    let (low, high) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    !inside.is_empty() && inside != "," && digits(low) && digits(high)
}

fn closes_repetition(before: &str) -> bool {
    before.rfind('{').is_some_and(|open| {
        !before[..open].ends_with('\\') && is_repetition(&format!("{}}}", &before[open..]))
    })
}

/// Python's `re.escape`.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\u{b}\u{c}".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Expands a replacement: `\1`, `\g<1>`, `\g<name>`, `\n` and the like.
pub(crate) fn expand(
    pattern: &Pattern,
    replacement: &str,
    found: &Captures<'_, str>,
    out: &mut String,
) -> Result<(), Error> {
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let Some(c) = after.chars().next() else {
            return Err(Error::value("bad escape (end of pattern)"));
        };
        let mut used = c.len_utf8();
        match c {
            'g' => {
                let name = after[1..]
                    .strip_prefix('<')
                    .and_then(|text| text.split_once('>'))
                    .map(|(name, _)| name);
                let name = name.ok_or_else(|| Error::value("missing group name"))?;
                let group = name.parse().ok().or_else(|| pattern.group_index(name));
                push_group(pattern, found, group, name, out)?;
                used = 3 + name.len();
            }
            '0' => out.push('\0'),
            '1'..='9' => {
                let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
                push_group(
                    pattern,
                    found,
                    after[..digits].parse().ok(),
                    &after[..digits],
                    out,
                )?;
                used = digits;
            }
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'v' => out.push('\u{b}'),
            '\\' => out.push('\\'),
            other if other.is_ascii_alphabetic() => {
                return Err(Error::value(format!("bad escape \\{other}")));
            }
            other => {
                out.push('\\');
                out.push(other);
            }
        }
        rest = &after[used..];
    }
    out.push_str(rest);
    Ok(())
}

fn push_group(
    pattern: &Pattern,
    found: &Captures<'_, str>,
    group: Option<usize>,
    name: &str,
    out: &mut String,
) -> Result<(), Error> {
    match group {
        Some(group) if group <= pattern.groups() => {
            out.push_str(found.get(group).map_or("", |text| text.as_str()));
            Ok(())
        }
        Some(_) => Err(Error::value(format!("invalid group reference {name}"))),
        None => Err(Error::value(format!("unknown group name '{name}'"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replaced(pattern: &str, replacement: &str, text: &str) -> String {
        let pattern = Pattern::new(pattern, "").unwrap();
        let found = pattern.search(text, 0).unwrap().unwrap();
        let mut out = String::new();
        expand(&pattern, replacement, &found, &mut out).unwrap();
        out
    }

    #[test]
    fn replacements() {
        assert_eq!(
            replaced(r"(?P<a>\w+)=(\d+)", r"\g<a>:\2\n\g<2>", "x=12"),
            "x:12\n12"
        );
        assert_eq!(replaced(r"(a)|b", r"[\1]", "b"), "[]");
    }

    #[test]
    fn python_syntax() {
        assert!(
            Pattern::new(r"^a{b}$", "")
                .unwrap()
                .matches_start("a{b}\n")
                .unwrap()
        );
        assert!(
            Pattern::new(r"(?P<q>['\x22]).*(?P=q)", "")
                .unwrap()
                .matches_start("'a'")
                .unwrap()
        );
        assert!(
            Pattern::new(r"[][&&]+\Z", "")
                .unwrap()
                .matches_start("][&")
                .unwrap()
        );
        assert!(
            Pattern::new(r"a\/b\-c\ d", "")
                .unwrap()
                .matches_start("a/b-c d")
                .unwrap()
        );
        assert!(
            !Pattern::new(r"a$", "")
                .unwrap()
                .matches_start("ab")
                .unwrap()
        );
        assert!(Pattern::new("(", "").is_err());
    }

    #[test]
    fn escapes_like_python() {
        assert_eq!(escape("a.b c_d/é"), "a\\.b\\ c_d/é");
    }
}
