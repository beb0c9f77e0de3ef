//! The parser's frame: tokens in hand, what is expected, and how deep things may nest. Expressions and
//! statements have files of their own.

use std::cell::Cell;
use std::rc::Rc;

use super::ast::{BlockDef, Expr, Pos, Template};
use super::delimiters::Syntax;
use super::lexer::{Tok, Token, tokenize, tokenize_expression};
use crate::{Error, ErrorKind};

/// How deep expressions and statements may nest. The evaluator and the destructor follow the tree by recursion.
const MAX_DEPTH: u32 = 200;

/// How much stack the parser itself may use for that.
const MAX_STACK: usize = 512 << 10;

/// Where the stack is now.
fn stack_here() -> usize {
    let here = 0u8;
    std::ptr::from_ref(&here) as usize
}

pub(super) struct Parser<'s> {
    tokens: Vec<Token>,
    at: usize,
    depth: u32,
    stack_base: usize,
    pub(super) syntax: &'s Syntax,
    pub(super) blocks: Vec<Rc<BlockDef>>,
    /// The statements that are open, and the tags that would continue or end them.
    pub(super) open: Vec<(&'static str, Vec<&'static str>)>,
    /// Which of `caller`, `varargs` and `kwargs` the macro being read mentions.
    pub(super) mentions: Mentions,
    /// How many loops are open, for `break` and `continue`.
    pub(super) loops: u32,
}

/// The special names of a macro that its body mentions.
#[derive(Default, Clone, Copy)]
pub(super) struct Mentions {
    pub(super) caller: bool,
    pub(super) varargs: bool,
    pub(super) kwargs: bool,
}

/// Reads a template.
pub(crate) fn parse_template(
    source: &str,
    name: Option<Rc<str>>,
    syntax: &Syntax,
) -> Result<Template, Error> {
    let normalised;
    let mut source = source;
    if source.contains('\r') {
        normalised = source.replace("\r\n", "\n").replace('\r', "\n");
        source = &normalised;
    }
    let trailing_newlines = source.len() - source.trim_end_matches('\n').len();
    if !syntax.keep_trailing_newline {
        source = source.strip_suffix('\n').unwrap_or(source);
    }
    let in_template = |error: Error| match &name {
        Some(name) => error.in_template(name),
        None => error,
    };
    let mut parser = Parser::new(tokenize(source, syntax).map_err(in_template)?, syntax);
    let body = parser.body().map_err(in_template)?;
    Ok(Template {
        name: name.clone(),
        body,
        blocks: parser.blocks,
        trailing_newlines,
        newline: syntax.newline_sequence.as_str().into(),
        size_hint: Cell::new(0),
    })
}

/// Reads a bare expression, such as a condition.
pub(crate) fn parse_expression(source: &str, syntax: &Syntax) -> Result<Expr, Error> {
    let mut parser = Parser::new(tokenize_expression(source, syntax)?, syntax);
    let expression = parser.expression()?;
    if !matches!(parser.peek(), Tok::End) {
        return Err(parser.error("chunk after expression"));
    }
    Ok(expression)
}

impl<'s> Parser<'s> {
    fn new(tokens: Vec<Token>, syntax: &'s Syntax) -> Self {
        Parser {
            tokens,
            at: 0,
            depth: 0,
            stack_base: stack_here(),
            syntax,
            blocks: Vec::new(),
            open: Vec::new(),
            mentions: Mentions::default(),
            loops: 0,
        }
    }

    pub(super) fn peek(&self) -> &Tok {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Tok {
        self.tokens
            .get(self.at + ahead)
            .map_or(&Tok::End, |token| &token.tok)
    }

    pub(super) fn pos(&self) -> Pos {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .map(|token| token.pos)
            .unwrap_or_default()
    }

    /// Takes the next token; the end can be taken again and again.
    pub(super) fn next(&mut self) -> Tok {
        match self.tokens.get_mut(self.at) {
            Some(token) if token.tok != Tok::End => {
                self.at += 1;
                std::mem::replace(&mut token.tok, Tok::End)
            }
            _ => Tok::End,
        }
    }

    pub(super) fn error(&self, message: impl Into<String>) -> Error {
        let pos = self.pos();
        Error::new(ErrorKind::Syntax, message).at(pos.line, pos.column)
    }

    pub(super) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Tok::Op(found) if *found == op)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Tok::Name(found) if found == name)
    }

    pub(super) fn skip_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        if found {
            self.next();
        }
        found
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        if found {
            self.next();
        }
        found
    }

    fn expected(&self, what: &str) -> Error {
        match self.peek() {
            Tok::End => self.error(format!("unexpected end of template, expected '{what}'.")),
            other => self.error(format!(
                "expected token '{what}', got '{}'",
                other.describe()
            )),
        }
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Result<(), Error> {
        if self.skip_op(op) {
            Ok(())
        } else {
            Err(self.expected(op))
        }
    }

    pub(super) fn expect_name(&mut self, name: &str) -> Result<(), Error> {
        if self.skip_name(name) {
            Ok(())
        } else {
            Err(self.expected(name))
        }
    }

    pub(super) fn expect(&mut self, tok: &Tok) -> Result<(), Error> {
        if self.peek() != tok {
            return Err(self.expected(&tok.describe()));
        }
        self.next();
        Ok(())
    }

    /// Takes any name.
    pub(super) fn name(&mut self) -> Result<Rc<str>, Error> {
        match self.peek() {
            Tok::Name(_) => match self.next() {
                Tok::Name(name) => Ok(name.into()),
                _ => Err(self.expected("name")),
            },
            _ => Err(self.expected("name")),
        }
    }

    /// One level deeper, for things inside things and for chains that become a tall tree.
    pub(super) fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH || stack_here().abs_diff(self.stack_base) > MAX_STACK {
            return Err(self.error("the template is nested too deeply"));
        }
        Ok(())
    }

    /// Back to a depth that `depth` gave.
    pub(super) fn back_to(&mut self, depth: u32) {
        self.depth = depth;
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }
}
