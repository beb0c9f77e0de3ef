//! Template text as tokens.

use std::cell::Cell;

use super::ast::Pos;
use super::delimiters::Syntax;
use super::literals::{float_length, int_length, is_space, unescape};
use crate::{Error, ErrorKind};

/// What a token is. Operators are kept as their text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tok {
    /// Text between statements and expressions.
    Data(String),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(String),
    Str(String),
    /// Digits, with their prefix and underscores.
    Int(String),
    Float(f64),
    Op(&'static str),
    End,
}

impl Tok {
    /// How messages name the token.
    pub(crate) fn describe(&self) -> String {
        match self {
            Tok::Data(_) => "template data / text".into(),
            Tok::VariableBegin => "begin of print statement".into(),
            Tok::VariableEnd => "end of print statement".into(),
            Tok::BlockBegin => "begin of statement block".into(),
            Tok::BlockEnd => "end of statement block".into(),
            Tok::Name(name) => name.clone(),
            Tok::Str(_) => "string".into(),
            Tok::Int(_) => "integer".into(),
            Tok::Float(_) => "float".into(),
            Tok::Op(op) => (*op).into(),
            Tok::End => "end of template".into(),
        }
    }
}

/// A token and where it begins.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) tok: Tok,
    pub(crate) pos: Pos,
}

/// Longest first, so that `//` is not two `/`.
const OPERATORS: &[&str] = &[
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}",
    ">", "<", "=", ".", ":", "|", ",", ";",
];

struct Lexer<'s> {
    source: &'s str,
    at: usize,
    line: u32,
    line_start: usize,
    /// An offset on the current line and its column.
    counted: Cell<(usize, u32)>,
    syntax: &'s Syntax,
    tokens: Vec<Token>,
    /// Where the last data token may be stripped back to.
    strip_next: bool,
    trim_next_newline: bool,
}

/// Splits a whole template. `source` has had its newlines normalised.
pub(crate) fn tokenize(source: &str, syntax: &Syntax) -> Result<Vec<Token>, Error> {
    let mut lexer = Lexer::new(source, syntax);
    lexer.template()?;
    Ok(lexer.finish())
}

/// Splits a bare expression.
pub(crate) fn tokenize_expression(source: &str, syntax: &Syntax) -> Result<Vec<Token>, Error> {
    let mut lexer = Lexer::new(source, syntax);
    lexer.code(None)?;
    Ok(lexer.finish())
}

#[derive(Clone, Copy, PartialEq)]
enum Opening {
    Variable,
    Block,
    Comment,
}

impl<'s> Lexer<'s> {
    fn new(source: &'s str, syntax: &'s Syntax) -> Self {
        Lexer {
            source,
            at: 0,
            line: 1,
            line_start: 0,
            counted: Cell::new((0, 1)),
            syntax,
            tokens: Vec::new(),
            strip_next: false,
            trim_next_newline: false,
        }
    }

    fn finish(mut self) -> Vec<Token> {
        let pos = self.pos();
        self.tokens.push(Token { tok: Tok::End, pos });
        self.tokens
    }

    fn rest(&self) -> &'s str {
        &self.source[self.at..]
    }

    fn pos(&self) -> Pos {
        // Counted on from the last place asked for, so that long lines cost no more than short ones.
        let (mut from, mut column) = self.counted.get();
        if from < self.line_start || from > self.at {
            (from, column) = (self.line_start, 1);
        }
        column += self.source[from..self.at].chars().count() as u32;
        self.counted.set((self.at, column));
        Pos {
            line: self.line,
            column,
        }
    }

    fn advance(&mut self, length: usize) {
        let end = self.at + length;
        let passed = &self.source.as_bytes()[self.at..end];
        for (offset, byte) in passed.iter().enumerate() {
            if *byte == b'\n' {
                self.line += 1;
                self.line_start = self.at + offset + 1;
            }
        }
        self.at = end;
    }

    fn push(&mut self, tok: Tok, length: usize) {
        let pos = self.pos();
        self.tokens.push(Token { tok, pos });
        self.advance(length);
    }

    fn error(&self, message: impl Into<String>) -> Error {
        let pos = self.pos();
        Error::new(ErrorKind::Syntax, message).at(pos.line, pos.column)
    }

    /// Text, statements, expressions and comments in turn.
    fn template(&mut self) -> Result<(), Error> {
        loop {
            let Some((offset, opening)) = self.next_opening() else {
                let rest = self.rest();
                self.data(rest, false, None);
                return Ok(());
            };
            let text = &self.rest()[..offset];
            let delimiter = self.delimiter(opening).len();
            let sign = self.rest()[offset + delimiter..].bytes().next();
            self.data(
                text,
                sign == Some(b'-'),
                (sign != Some(b'+')).then_some(opening),
            );
            match opening {
                Opening::Comment => self.comment(delimiter)?,
                Opening::Block => match self.raw_opening(delimiter) {
                    Some((length, strip)) => self.raw(length, strip)?,
                    None => {
                        self.push(
                            Tok::BlockBegin,
                            delimiter + usize::from(matches!(sign, Some(b'-' | b'+'))),
                        );
                        self.code(Some(Opening::Block))?;
                    }
                },
                Opening::Variable => {
                    self.push(
                        Tok::VariableBegin,
                        delimiter + usize::from(matches!(sign, Some(b'-'))),
                    );
                    self.code(Some(Opening::Variable))?;
                }
            }
        }
    }

    fn delimiter(&self, opening: Opening) -> &'s str {
        match opening {
            Opening::Variable => &self.syntax.variable_start,
            Opening::Block => &self.syntax.block_start,
            Opening::Comment => &self.syntax.comment_start,
        }
    }

    /// The nearest opening delimiter; of two at one place, the longer.
    fn next_opening(&self) -> Option<(usize, Opening)> {
        let rest = self.rest();
        [Opening::Variable, Opening::Block, Opening::Comment]
            .into_iter()
            .filter_map(|opening| Some((rest.find(self.delimiter(opening))?, opening)))
            .min_by_key(|(offset, opening)| (*offset, usize::MAX - self.delimiter(*opening).len()))
    }

    /// Takes text up to the next opening (already measured), with white space removed as its neighbours ask.
    fn data(&mut self, text: &'s str, strip_end: bool, before: Option<Opening>) {
        let mut kept = text;
        if std::mem::take(&mut self.trim_next_newline) {
            kept = kept.strip_prefix('\n').unwrap_or(kept);
        }
        let at_line_start = self.at == 0 && kept.len() == text.len();
        if std::mem::take(&mut self.strip_next) {
            kept = kept.trim_start_matches(is_space);
        }
        if strip_end {
            kept = kept.trim_end_matches(is_space);
        } else if self.syntax.lstrip_blocks
            && matches!(before, Some(Opening::Block | Opening::Comment))
        {
            // Only white space since the line began, and the line did not begin with something else.
            let line = text.rfind('\n').map_or(0, |i| i + 1);
            let whole_line = line > 0 || at_line_start || self.source[..self.at].ends_with('\n');
            if whole_line && text[line..].chars().all(is_space) {
                kept = &kept[..kept.len().saturating_sub(text.len() - line)];
            }
        }
        if !kept.is_empty() {
            let kept = match self.syntax.newline_sequence.as_str() {
                "\n" => kept.to_owned(),
                other => kept.replace('\n', other),
            };
            let pos = self.pos();
            self.tokens.push(Token {
                tok: Tok::Data(kept),
                pos,
            });
        }
        self.advance(text.len());
    }

    fn comment(&mut self, delimiter: usize) -> Result<(), Error> {
        let end = &self.syntax.comment_end;
        let Some(length) = self.rest()[delimiter..].find(end.as_str()) else {
            return Err(self.error("Missing end of comment tag"));
        };
        let body = &self.rest()[delimiter..delimiter + length];
        self.after_end(body.ends_with('-'), body.ends_with('+'));
        self.advance(delimiter + length + end.len());
        Ok(())
    }

    /// Remembers what the end of a statement does to the text that follows.
    fn after_end(&mut self, strip: bool, keep: bool) {
        self.strip_next = strip;
        self.trim_next_newline = !strip && !keep && self.syntax.trim_blocks;
    }

    /// The length of a `{% raw %}` here, and whether it strips what follows.
    fn raw_opening(&self, delimiter: usize) -> Option<(usize, bool)> {
        let rest = &self.rest()[delimiter..];
        let inner = rest
            .strip_prefix(['-', '+'])
            .unwrap_or(rest)
            .trim_start_matches(is_space);
        let after = inner.strip_prefix("raw")?.trim_start_matches(is_space);
        let (after, strip) = match after.strip_prefix('-') {
            Some(after) => (after, true),
            None => (after, false),
        };
        let after = after.strip_prefix(self.syntax.block_end.as_str())?;
        Some((self.rest().len() - after.len(), strip))
    }

    fn raw(&mut self, length: usize, strip: bool) -> Result<(), Error> {
        let start = self.pos();
        self.advance(length);
        self.strip_next = strip;
        self.trim_next_newline = false;
        let mut from = 0;
        loop {
            let Some(found) = self.rest()[from..].find(self.syntax.block_start.as_str()) else {
                let error = Error::new(ErrorKind::Syntax, "Missing end of raw directive");
                return Err(error.at(start.line, start.column));
            };
            let offset = from + found;
            let open = offset + self.syntax.block_start.len();
            if let Some((end, sign, strip, keep)) = self.raw_closing(open) {
                let text = &self.rest()[..offset];
                self.data(
                    text,
                    sign == Some(b'-'),
                    (sign != Some(b'+')).then_some(Opening::Block),
                );
                self.after_end(strip, keep);
                self.advance(end - offset);
                return Ok(());
            }
            from = open;
        }
    }

    /// If `endraw` is here: where it ends, the sign before it, and what it does to the text that follows.
    fn raw_closing(&self, open: usize) -> Option<(usize, Option<u8>, bool, bool)> {
        let rest = &self.rest()[open..];
        let sign = rest.bytes().next().filter(|b| matches!(b, b'-' | b'+'));
        let inner = rest[usize::from(sign.is_some())..].trim_start_matches(is_space);
        let after = inner.strip_prefix("endraw")?.trim_start_matches(is_space);
        let strip = after.starts_with('-');
        let keep = after.starts_with('+');
        let after =
            after[usize::from(strip || keep)..].strip_prefix(self.syntax.block_end.as_str())?;
        Some((self.rest().len() - after.len(), sign, strip, keep))
    }

    /// The inside of a statement or an expression, up to and with its end; without an opening, up to the end.
    fn code(&mut self, opening: Option<Opening>) -> Result<(), Error> {
        let mut open: Vec<&'static str> = Vec::new();
        loop {
            let space = self.rest().len() - self.rest().trim_start_matches(is_space).len();
            self.advance(space);
            if self.rest().is_empty() {
                return Ok(());
            }
            if let (Some(opening), true) = (opening, open.is_empty())
                && self.code_end(opening)
            {
                return Ok(());
            }
            if !(self.number()? || self.name() || self.string()?) {
                self.operator(&mut open)?;
            }
        }
    }

    /// Takes the end of the statement or the expression, if it is here.
    fn code_end(&mut self, opening: Opening) -> bool {
        let (end, tok) = match opening {
            Opening::Variable => (self.syntax.variable_end.as_str(), Tok::VariableEnd),
            _ => (self.syntax.block_end.as_str(), Tok::BlockEnd),
        };
        let rest = self.rest();
        let sign = rest.bytes().next();
        let signed = match sign {
            Some(b'-') => rest[1..].starts_with(end),
            Some(b'+') if opening == Opening::Block => rest[1..].starts_with(end),
            _ => false,
        };
        if !signed && !rest.starts_with(end) {
            return false;
        }
        if opening == Opening::Block {
            self.after_end(signed && sign == Some(b'-'), signed && sign == Some(b'+'));
        } else {
            self.strip_next = signed;
        }
        self.push(tok, end.len() + usize::from(signed));
        true
    }

    fn name(&mut self) -> bool {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c == '_' || c.is_alphabetic()) {
            return false;
        }
        let length = rest
            .find(|c: char| !(c == '_' || c.is_alphanumeric()))
            .unwrap_or(rest.len());
        self.push(Tok::Name(rest[..length].to_owned()), length);
        true
    }

    fn string(&mut self) -> Result<bool, Error> {
        let rest = self.rest();
        let quote = match rest.as_bytes().first() {
            Some(q @ (b'\'' | b'"')) => *q,
            _ => return Ok(false),
        };
        let mut bytes = rest.bytes().enumerate().skip(1);
        while let Some((offset, byte)) = bytes.next() {
            if byte == b'\\' {
                bytes.next();
            } else if byte == quote {
                let raw = &rest[1..offset];
                let text = if self.syntax.raw_backslashes {
                    raw.to_owned()
                } else {
                    unescape(raw).map_err(|message| self.error(message))?
                };
                let text = match self.syntax.newline_sequence.as_str() {
                    "\n" => text,
                    other => text.replace('\n', other),
                };
                self.push(Tok::Str(text), offset + 1);
                return Ok(true);
            }
        }
        Err(self.unexpected())
    }

    fn unexpected(&self) -> Error {
        let c = self.rest().chars().next().unwrap_or(' ');
        let shown = crate::value::str_repr(&c.to_string());
        self.error(format!(
            "unexpected char {shown} at {}",
            self.source[..self.at].chars().count()
        ))
    }

    fn number(&mut self) -> Result<bool, Error> {
        let rest = self.rest();
        if !rest.starts_with(|c: char| c.is_ascii_digit()) {
            return Ok(false);
        }
        let after_dot = self.source[..self.at].ends_with('.');
        if let (Some(length), false) = (float_length(rest), after_dot) {
            let digits = rest[..length].replace('_', "");
            let value = digits.parse().map_err(|_| self.error("invalid number"))?;
            self.push(Tok::Float(value), length);
            return Ok(true);
        }
        let length = int_length(rest);
        if length > 10_000 {
            return Err(self.error("integer literal too long"));
        }
        self.push(Tok::Int(rest[..length].to_owned()), length);
        Ok(true)
    }

    fn operator(&mut self, open: &mut Vec<&'static str>) -> Result<(), Error> {
        let rest = self.rest();
        let Some(op) = OPERATORS.iter().copied().find(|op| rest.starts_with(op)) else {
            return Err(self.unexpected());
        };
        match op {
            "(" => open.push(")"),
            "[" => open.push("]"),
            "{" => open.push("}"),
            ")" | "]" | "}" => match open.pop() {
                None => return Err(self.error(format!("unexpected '{op}'"))),
                Some(expected) if expected != op => {
                    return Err(self.error(format!("unexpected '{op}', expected '{expected}'")));
                }
                Some(_) => {}
            },
            _ => {}
        }
        self.push(Tok::Op(op), op.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str, syntax: &Syntax) -> String {
        let tokens = tokenize(source, syntax).unwrap();
        tokens
            .iter()
            .map(|t| match &t.tok {
                Tok::Data(d) => format!("{d:?}"),
                other => other.describe(),
            })
            .filter(|t| !t.contains(" of "))
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn white_space_control() {
        let plain = Syntax {
            trim_blocks: false,
            ..Syntax::default()
        };
        let trim = Syntax::default();
        let both = Syntax {
            lstrip_blocks: true,
            ..Syntax::default()
        };
        let text = "a\n  {% x %}\nb";
        assert_eq!(shown(text, &plain), r#""a\n  " x "\nb""#);
        assert_eq!(shown(text, &trim), r#""a\n  " x "b""#);
        assert_eq!(shown(text, &both), r#""a\n" x "b""#);
        assert_eq!(shown("a\n  {%+ x +%}\nb", &both), r#""a\n  " x "\nb""#);
        assert_eq!(shown("a\n  {%- x -%}\n b", &plain), r#""a" x "b""#);
        assert_eq!(shown("a {{- x -}} b", &plain), r#""a" x "b""#);
        assert_eq!(
            shown("{% raw %}{{ x }}{% endraw %}\nc", &trim),
            r#""{{ x }}" "c""#
        );
        assert_eq!(shown("a {#- x -#} b{# y #}\nc", &trim), r#""a" "b" "c""#);
    }

    #[test]
    fn numbers() {
        assert_eq!(
            shown("{{ 1.5e3 0x1f l.0.1 1_0 }}", &Syntax::default()),
            "float integer l . integer . integer integer"
        );
    }

    #[test]
    fn braces_nest() {
        assert_eq!(
            shown("{{ {'a': {}}}}", &Syntax::default()),
            "{ string : { } }"
        );
    }
}
