//! Python's regular expressions, as arguments of modules have them, on the engines that we have.
//!
//! The pattern is translated where the two dialects differ: `$` before a final newline, `\Z`, `{` and `[` as plain
//! characters, escapes that mean nothing, ASCII classes for byte patterns. Bytes that are no UTF-8 are matched one by one
//! as Python does, by giving every byte a character of its own.

use std::borrow::Cow;

use fancy_regex::{Captures, Regex};

/// What a pattern is matched against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// Bytes: `\w` and its kin know ASCII only. Text goes through [`from_bytes`].
    Bytes,
    /// Text.
    Text,
}

/// Flags from outside the pattern.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    /// `^` and `$` match at every line.
    pub(crate) multiline: bool,
    /// `.` matches newlines.
    pub(crate) dotall: bool,
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct PyRegex(Regex);

impl PyRegex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(pattern: &str, flavor: Flavor, flags: Flags) -> Result<PyRegex, String> {
        let mapped = match flavor {
            Flavor::Bytes => from_bytes(pattern.as_bytes()),
            Flavor::Text => Cow::Borrowed(pattern),
        };
        let translated = Translator::new(&mapped, flavor, flags).run();
        Regex::new(&translated)
            .map(PyRegex)
            .map_err(|e| format!("the regular expression {pattern:?} is wrong: {e}"))
    }

    /// Whether it matches somewhere. One that runs away counts as no match.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text).unwrap_or(false)
    }

    /// The groups of the first match at or after a position.
    ///
    /// # Errors
    /// Where it takes too many steps.
    pub(crate) fn captures_from<'t>(
        &self,
        text: &'t str,
        at: usize,
    ) -> Result<Option<Captures<'t, str>>, String> {
        self.0
            .captures_from_pos(text, at)
            .map_err(|e| format!("the regular expression cannot be matched: {e}"))
    }

    #[cfg(feature = "full")]
    /// All matches, as ranges of bytes.
    ///
    /// # Errors
    /// Where it takes too many steps.
    pub(crate) fn find_all(&self, text: &str) -> Result<Vec<(usize, usize)>, String> {
        let mut found = Vec::new();
        self.each(text, |c| {
            found.extend(c.get(0).map(|m| (m.start(), m.end())));
        })?;
        Ok(found)
    }

    /// Replaces all matches; says how many there were.
    ///
    /// # Errors
    /// Where it takes too many steps.
    #[cfg(feature = "full")]
    pub(crate) fn replace_all(
        &self,
        text: &str,
        template: &Template,
    ) -> Result<(String, usize), String> {
        let mut out = String::with_capacity(text.len());
        let (mut last, mut count) = (0, 0);
        self.each(text, |c| {
            if let Some(m) = c.get(0) {
                out.push_str(text.get(last..m.start()).unwrap_or_default());
                template.expand(c, &mut out);
                last = m.end();
                count += 1;
            }
        })?;
        out.push_str(text.get(last..).unwrap_or_default());
        Ok((out, count))
    }

    #[cfg(feature = "full")]
    /// Visits the matches as Python's `sub` does: an empty one may follow a longer one directly.
    fn each<'t>(
        &self,
        text: &'t str,
        mut visit: impl FnMut(&Captures<'t, str>),
    ) -> Result<(), String> {
        let (mut at, mut after_empty) = (0, false);
        while at <= text.len() {
            let Some(captures) = self.captures_from(text, at)? else {
                break;
            };
            let Some((start, end)) = captures.get(0).map(|m| (m.start(), m.end())) else {
                break;
            };
            if after_empty && start == at && end == at {
                at += text
                    .get(at..)
                    .and_then(|t| t.chars().next())
                    .map_or(1, char::len_utf8);
                after_empty = false;
                continue;
            }
            visit(&captures);
            after_empty = start == end;
            at = end;
        }
        Ok(())
    }

    /// Compiles what replaces a match: `\1`, `\g<name>`, `\n`.
    ///
    /// # Errors
    /// A group that the pattern does not have, or an escape that means nothing, in Python's words.
    pub(crate) fn template(&self, text: &str, flavor: Flavor) -> Result<Template, String> {
        let mapped = match flavor {
            Flavor::Bytes => from_bytes(text.as_bytes()),
            Flavor::Text => Cow::Borrowed(text),
        };
        Template::parse(&mapped, &self.0)
    }
}

/// A replacement with references to groups.
#[derive(Debug)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug)]
enum Part {
    Text(String),
    Group(usize),
}

impl Template {
    fn parse(text: &str, regex: &Regex) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let chars: Vec<char> = text.chars().collect();
        let mut i = 0;
        let group = |number: usize, at: usize| {
            if number < regex.captures_len() {
                Ok(Part::Group(number))
            } else {
                Err(format!("invalid group reference {number} at position {at}"))
            }
        };
        while let Some(&c) = chars.get(i) {
            i += 1;
            if c != '\\' {
                plain.push(c);
                continue;
            }
            let Some(&escape) = chars.get(i) else {
                return Err(format!("bad escape (end of pattern) at position {}", i - 1));
            };
            i += 1;
            let part = match escape {
                'g' => {
                    let end = (i..chars.len()).find(|j| chars.get(*j) == Some(&'>'));
                    let (Some(&'<'), Some(end)) = (chars.get(i), end) else {
                        return Err(format!("missing group name at position {i}"));
                    };
                    let name: String = chars.get(i + 1..end).unwrap_or_default().iter().collect();
                    let at = i + 1;
                    i = end + 1;
                    match name.parse::<usize>() {
                        Ok(number) => Some(group(number, at)?),
                        Err(_) => Some(named(regex, &name)?),
                    }
                }
                '0' => {
                    plain.push('\0');
                    None
                }
                '1'..='9' => {
                    let mut number = escape.to_digit(10).unwrap_or_default() as usize;
                    let at = i - 1;
                    if let Some(digit) = chars.get(i).and_then(|c| c.to_digit(10)) {
                        number = number * 10 + digit as usize;
                        i += 1;
                    }
                    Some(group(number, at)?)
                }
                other => {
                    plain
                        .push_str(&simple_escape(other).ok_or_else(|| {
                            format!("bad escape \\{other} at position {}", i - 2)
                        })?);
                    None
                }
            };
            if let Some(part) = part {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(part);
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template(parts))
    }

    /// Writes the replacement for one match. A group that took no part is empty.
    pub(crate) fn expand(&self, captures: &Captures<'_, str>, out: &mut String) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(n) => out.push_str(captures.get(*n).map_or("", |m| m.as_str())),
            }
        }
    }
}

fn named(regex: &Regex, name: &str) -> Result<Part, String> {
    regex
        .capture_names()
        .position(|n| n == Some(name))
        .map(Part::Group)
        .ok_or_else(|| format!("unknown group name '{name}'"))
}

/// What an escape in a replacement stands for; `None` for a letter that means nothing.
fn simple_escape(c: char) -> Option<String> {
    Some(match c {
        'n' => "\n".into(),
        't' => "\t".into(),
        'r' => "\r".into(),
        'a' => "\u{7}".into(),
        'b' => "\u{8}".into(),
        'f' => "\u{c}".into(),
        'v' => "\u{b}".into(),
        '\\' => "\\".into(),
        c if c.is_ascii_alphabetic() => return None,
        c => format!("\\{c}"),
    })
}

/// A character for every byte: for ASCII, the text itself.
pub(crate) fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.is_ascii()
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    Cow::Owned(bytes.iter().map(|b| char::from(*b)).collect())
}

/// The bytes that [`from_bytes`] was given.
pub(crate) fn to_bytes(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?'))
        .collect()
}

struct Translator<'a> {
    chars: Vec<char>,
    at: usize,
    out: String,
    bytes: bool,
    flags: Flags,
    pattern: &'a str,
}

impl<'a> Translator<'a> {
    fn new(pattern: &'a str, flavor: Flavor, flags: Flags) -> Translator<'a> {
        Translator {
            chars: pattern.chars().collect(),
            at: 0,
            out: String::with_capacity(pattern.len() + 8),
            bytes: flavor == Flavor::Bytes,
            flags,
            pattern,
        }
    }

    fn run(mut self) -> String {
        self.leading_flags();
        if self.flags.multiline {
            self.out.push_str("(?m)");
        }
        if self.flags.dotall {
            self.out.push_str("(?s)");
        }
        while let Some(c) = self.next() {
            match c {
                '\\' => self.escape(false),
                '[' => self.class(),
                '$' if self.flags.multiline => self.out.push('$'),
                '$' => self.out.push_str(r"(?=\n?\z)"),
                '{' if !self.is_quantifier() => self.out.push_str(r"\{"),
                '{' if self.peek() == Some(',') => self.out.push_str("{0"),
                c => self.out.push(c),
            }
        }
        self.out
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// `(?ims…)` at the beginning; those that say nothing here are left out.
    fn leading_flags(&mut self) {
        let Some(end) = self.pattern.strip_prefix("(?").and_then(|p| p.find(')')) else {
            return;
        };
        let letters: Vec<char> = self.chars.get(2..2 + end).unwrap_or_default().to_vec();
        if letters.is_empty() || !letters.iter().all(|c| "aiLmsux".contains(*c)) {
            return;
        }
        for letter in &letters {
            match letter {
                'm' => self.flags.multiline = true,
                's' => self.flags.dotall = true,
                'i' | 'x' => self.out.push_str(&format!("(?{letter})")),
                'a' => self.bytes = true,
                _ => {}
            }
        }
        self.at = end + 3;
    }

    /// Whether `{` begins a count: `{2}`, `{2,}`, `{,3}`, `{2,3}`.
    fn is_quantifier(&self) -> bool {
        let rest = self.chars.get(self.at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|c| *c == '}') else {
            return false;
        };
        let inner = rest.get(..end).unwrap_or_default();
        inner.iter().all(|c| c.is_ascii_digit() || *c == ',')
            && inner.iter().any(char::is_ascii_digit)
            && inner.iter().filter(|c| **c == ',').count() <= 1
    }

    fn escape(&mut self, in_class: bool) {
        let Some(c) = self.next() else {
            self.out.push('\\');
            return;
        };
        let ascii = match c {
            'w' => Some("0-9A-Za-z_"),
            'd' => Some("0-9"),
            's' => Some(r" \t\n\r\x0b\x0c"),
            _ => None,
        };
        match (c, ascii) {
            (_, Some(class)) if self.bytes && in_class => self.out.push_str(class),
            (_, Some(class)) if self.bytes => self.out.push_str(&format!("[{class}]")),
            ('W', _) if self.bytes && !in_class => self.out.push_str("[^0-9A-Za-z_]"),
            ('D', _) if self.bytes && !in_class => self.out.push_str("[^0-9]"),
            ('S', _) if self.bytes && !in_class => self.out.push_str(r"[^ \t\n\r\x0b\x0c]"),
            ('Z', _) => self.out.push_str(r"\z"),
            ('b', _) if in_class => self.out.push_str(r"\x08"),
            ('b', _) if self.bytes => self.out.push_str(r"(?-u:\b)"),
            ('0', _) => self.out.push_str(r"\x00"),
            (c, _) if c.is_ascii_alphanumeric() => self.out.extend(['\\', c]),
            (c, _) if r"\.+*?()|[]{}^$#&-~".contains(c) => self.out.extend(['\\', c]),
            (' ', _) => self.out.push_str(r"\x20"),
            (c, _) => self.out.push(c),
        }
    }

    fn class(&mut self) {
        self.out.push('[');
        if self.peek() == Some('^') {
            self.at += 1;
            self.out.push('^');
        }
        if self.peek() == Some(']') {
            self.at += 1;
            self.out.push_str(r"\]");
        }
        while let Some(c) = self.next() {
            match c {
                ']' => {
                    self.out.push(']');
                    return;
                }
                '\\' => self.escape(true),
                '[' | '&' | '~' => self.out.extend(['\\', c]),
                '-' if self.peek() == Some('-') => self.out.push_str(r"\-"),
                c => self.out.push(c),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(pattern: &str, text: &str) -> bool {
        PyRegex::new(pattern, Flavor::Bytes, Flags::default())
            .unwrap()
            .is_match(&from_bytes(text.as_bytes()))
    }

    #[test]
    fn dialect() {
        assert!(search("^two$", "two\n"));
        assert!(!search("^two$", "two\r\n"));
        assert!(search(r"a{b", "a{b"));
        assert!(search(r"^[[]x[]]$", "[x]"));
        assert!(search(r"^\<tag\>\'$", "<tag>'"));
        assert!(!search(r"^\w$", "é"));
        assert!(search(r"^caf\xc3\xa9", "café"));
        assert!(search("(?i)^FOO", "foo"));
        assert!(search(r"foo(?!bar)", "foobaz"));
        assert!(PyRegex::new("(", Flavor::Text, Flags::default()).is_err());
    }

    #[test]
    fn replacements() {
        let sub = |pattern: &str, template: &str, text: &str| {
            let re = PyRegex::new(
                pattern,
                Flavor::Text,
                Flags {
                    multiline: true,
                    dotall: false,
                },
            )?;
            let template = re.template(template, Flavor::Text)?;
            re.replace_all(text, &template)
        };
        assert_eq!(sub("x*", "-", "axb"), Ok(("-a--b-".into(), 4)));
        assert_eq!(sub(r"(\w)(z)?", r"<\1\2>", "a"), Ok(("<a>".into(), 1)));
        assert_eq!(
            sub("x", r"\9", "x"),
            Err("invalid group reference 9 at position 1".into())
        );
        assert_eq!(
            sub("x", r"\q", "x"),
            Err(r"bad escape \q at position 0".into())
        );
    }
}
