//! Scalars of all styles, over as many lines as they have.

use super::Parser;
use crate::Error;

/// A quoted or plain piece, and whether it was plain.
pub(super) struct Text {
    pub(super) text: String,
    pub(super) plain: bool,
}

impl Parser<'_> {
    /// A plain or quoted scalar, over several lines if they are indented enough.
    pub(super) fn scalar(&mut self, indent: isize, in_flow: bool) -> Result<Text, Error> {
        match self.rest().chars().next() {
            Some(quote @ ('\'' | '"')) => self.quoted(quote),
            Some('@' | '`' | '%') => Err(self.error("found character that cannot start any token")),
            _ => self.plain(indent, in_flow),
        }
    }

    fn plain(&mut self, indent: isize, in_flow: bool) -> Result<Text, Error> {
        let mut text = String::new();
        let mut breaks = 0;
        loop {
            let rest = self.rest();
            let end = plain_end(rest, in_flow).unwrap_or(rest.len());
            let piece = rest[..end].trim_end();
            if !text.is_empty() {
                text.push_str(&if breaks > 1 {
                    "\n".repeat(breaks - 1)
                } else {
                    " ".to_owned()
                });
            }
            text.push_str(piece);
            self.column += piece.len();
            let tail = self.rest().trim_start_matches([' ', '\t']);
            if !tail.is_empty() {
                break;
            }
            let (line, column) = (self.at, self.column);
            breaks = 0;
            loop {
                self.next_line();
                breaks += 1;
                if self.at_end() || !self.rest().trim().is_empty() {
                    break;
                }
            }
            let rest = self.rest();
            let inside = rest.len() - rest.trim_start_matches(' ').len();
            let stops = self.at_end()
                || self.at_document_mark()
                || inside as isize <= indent && !in_flow
                || rest.trim_start().starts_with('#')
                || in_flow && rest.trim_start().starts_with([',', ']', '}', '[', '{']);
            if stops {
                (self.at, self.column) = (line, column);
                break;
            }
            self.column = inside;
            if !in_flow && self.key_here()?.is_some() {
                return Err(self.error("mapping values are not allowed here"));
            }
        }
        Ok(Text { text, plain: true })
    }

    fn quoted(&mut self, quote: char) -> Result<Text, Error> {
        self.column += 1;
        let mut raw = String::new();
        loop {
            if self.at_end() {
                return Err(
                    self.error("found unexpected end of stream while scanning a quoted scalar")
                );
            }
            let rest = self.rest();
            if let Some(end) = quoted_end(rest, quote) {
                raw.push_str(&rest[..end]);
                self.column += end + 1;
                break;
            }
            raw.push_str(rest);
            raw.push('\n');
            self.next_line();
        }
        let folded = fold_quoted(&raw, quote == '"');
        let text = if quote == '"' {
            self.unescape(&folded)?
        } else {
            folded.replace("''", "'")
        };
        Ok(Text { text, plain: false })
    }

    pub(super) fn unescape(&self, raw: &str) -> Result<String, Error> {
        let mut out = String::with_capacity(raw.len());
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            let Some(escape) = chars.next() else { break };
            let digits = match escape {
                'x' => 2,
                'u' => 4,
                'U' => 8,
                _ => 0,
            };
            out.push(match escape {
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'r' => '\r',
                'e' => '\u{1b}',
                ' ' | '"' | '\\' | '/' => escape,
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                '\n' => continue,
                _ if digits > 0 => {
                    let code: String = chars.by_ref().take(digits).collect();
                    u32::from_str_radix(&code, 16)
                        .ok()
                        .filter(|_| code.len() == digits)
                        .and_then(char::from_u32)
                        .ok_or_else(|| {
                            self.error("expected escape sequence of hexadecimal numbers")
                        })?
                }
                other => {
                    return Err(self.error(&format!("found unknown escape character '{other}'")));
                }
            });
        }
        Ok(out)
    }

    /// `|` and `>`.
    pub(super) fn literal(&mut self, indent: isize) -> Result<String, Error> {
        let header = self.rest();
        let folded = header.starts_with('>');
        let (mut chomp, mut explicit) = (' ', None);
        for c in header[1..].split('#').next().unwrap_or("").trim().chars() {
            match c {
                '+' | '-' => chomp = c,
                '1'..='9' => explicit = c.to_digit(10).map(|d| d as isize),
                _ => return Err(self.error("expected chomping or indentation indicators")),
            }
        }
        self.next_line();
        let base = indent.max(0);
        let mut width = explicit.map(|explicit| base + explicit);
        let mut lines: Vec<&str> = Vec::new();
        while !self.at_end() {
            let line = self.rest();
            let spaces = line.len() - line.trim_start_matches(' ').len();
            if line.trim_matches(' ').is_empty() {
                lines.push(
                    line.get(width.unwrap_or(isize::MAX).max(0) as usize..)
                        .unwrap_or(""),
                );
                self.next_line();
                continue;
            }
            let needed = *width.get_or_insert(spaces as isize);
            if (spaces as isize) < needed || spaces as isize <= indent || self.at_document_mark() {
                break;
            }
            lines.push(&line[needed as usize..]);
            self.next_line();
        }
        // The text ends with a newline, which `split` shows as one more empty line at the end.
        if self.at_end() && lines.last() == Some(&"") {
            lines.pop();
        }
        Ok(join_literal(&lines, folded, chomp))
    }
}

/// Where a plain scalar ends on its line; `None` if at the line's end.
pub(super) fn plain_end(line: &str, in_flow: bool) -> Option<usize> {
    let bytes = line.as_bytes();
    (0..bytes.len()).find(|at| {
        let next = bytes.get(at + 1);
        let next_blank = next.is_none_or(|b| matches!(b, b' ' | b'\t'));
        match bytes[*at] {
            b':' => next_blank || in_flow && next.is_some_and(|b| b",[]{}".contains(b)),
            b'#' => *at > 0 && matches!(bytes[at - 1], b' ' | b'\t'),
            b',' | b'[' | b']' | b'{' | b'}' => in_flow,
            _ => false,
        }
    })
}

/// The offset of the closing quote.
fn quoted_end(text: &str, quote: char) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote == '"' => at += 2,
            b'\'' if quote == '\'' && bytes.get(at + 1) == Some(&b'\'') => at += 2,
            byte if byte == quote as u8 => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// Line breaks in quotes: one is a space, more are one less; an escaped one is nothing.
fn fold_quoted(raw: &str, escapes: bool) -> String {
    if !raw.contains('\n') {
        return raw.to_owned();
    }
    let lines: Vec<&str> = raw.split('\n').collect();
    let mut out = String::new();
    let mut empty = 0;
    for (index, line) in lines.iter().enumerate() {
        let (first, last) = (index == 0, index + 1 == lines.len());
        let mut line = *line;
        if !first {
            line = line.trim_start_matches([' ', '\t']);
        }
        if !(last || escapes && line.ends_with('\\')) {
            line = line.trim_end_matches([' ', '\t']);
        }
        if !first && !last && line.is_empty() {
            empty += 1;
            continue;
        }
        if !first {
            let escaped = escapes
                && out.ends_with('\\')
                && (out.len() - out.trim_end_matches('\\').len()) % 2 == 1;
            if escaped {
                out.pop();
                out.push_str(&"\n".repeat(empty));
            } else {
                out.push_str(&if empty > 0 {
                    "\n".repeat(empty)
                } else {
                    " ".to_owned()
                });
            }
            empty = 0;
        }
        out.push_str(line);
    }
    out
}

fn join_literal(lines: &[&str], folded: bool, chomp: char) -> String {
    let content = lines
        .iter()
        .rposition(|line| !line.is_empty())
        .map_or(0, |last| last + 1);
    let mut out = String::new();
    for (index, line) in lines[..content].iter().enumerate() {
        if index > 0 {
            let previous = lines[index - 1];
            let indented = |line: &str| line.starts_with([' ', '\t']);
            // Folding joins neighbours; empty lines and more indented ones keep their breaks.
            if !folded || line.is_empty() || indented(line) || indented(previous) {
                out.push('\n');
            } else if previous.is_empty() {
                let before = lines[..index].iter().rev().find(|line| !line.is_empty());
                if before.is_none_or(|line| indented(line)) {
                    out.push('\n');
                }
            } else {
                out.push(' ');
            }
        }
        out.push_str(line);
    }
    match chomp {
        '-' => {}
        '+' => out.push_str(&"\n".repeat(lines.len() - content + usize::from(content > 0))),
        _ if content > 0 => out.push('\n'),
        _ => {}
    }
    out
}

/// The length of a quoted scalar that ends on its line, quotes included.
pub(super) fn quoted_length(text: &str, quote: char) -> Option<usize> {
    quoted_end(&text[1..], quote).map(|end| end + 2)
}
