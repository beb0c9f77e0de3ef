//! The syntax tree of a template.

use std::cell::Cell;
use std::rc::Rc;

use crate::filters::Filter;
use crate::predicates::Predicate;
use crate::value::Value;

/// A place in the text, both from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Pos {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// An expression and where it begins.
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) pos: Pos,
}

pub(crate) enum ExprKind {
    Const(Value),
    Name(Rc<str>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    /// `-x` and `+x`.
    Sign(char, Box<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Binary(&'static str, Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(&'static str, Expr)>),
    Concat(Vec<Expr>),
    Ternary {
        condition: Box<Expr>,
        then: Box<Expr>,
        otherwise: Option<Box<Expr>>,
    },
    Attr(Box<Expr>, Rc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, [Option<Box<Expr>>; 3]),
    Call(Box<Expr>, CallArgs),
    Filter(Box<FilterCall>),
    Test {
        input: Box<Expr>,
        name: Rc<str>,
        test: Option<Predicate>,
        args: CallArgs,
    },
}

/// A filter and what it is applied to; nothing inside a filter block, where the block's text comes in.
pub(crate) struct FilterCall {
    pub(crate) input: Option<Expr>,
    pub(crate) name: Rc<str>,
    pub(crate) filter: Option<Filter>,
    pub(crate) args: CallArgs,
}

/// The arguments of a call, a filter or a test.
#[derive(Default)]
pub(crate) struct CallArgs {
    pub(crate) positional: Vec<Expr>,
    pub(crate) keywords: Vec<(Rc<str>, Expr)>,
    pub(crate) star: Option<Box<Expr>>,
    pub(crate) double_star: Option<Box<Expr>>,
}

/// What `set`, `for` and `with` assign to.
pub(crate) enum Target {
    Name(Rc<str>),
    Tuple(Vec<Target>),
    /// An attribute of a namespace.
    Attr(Rc<str>, Rc<str>),
}

pub(crate) enum Node {
    Text(Value),
    Output(Expr),
    If {
        branches: Vec<(Expr, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
    For(Rc<For>),
    Set {
        target: Target,
        value: Expr,
        pos: Pos,
    },
    SetBlock {
        target: Target,
        filter: Option<Expr>,
        body: Vec<Node>,
        pos: Pos,
    },
    With {
        bindings: Vec<(Target, Expr)>,
        body: Vec<Node>,
    },
    Macro(Rc<MacroDef>),
    /// `call`: a call that is handed a macro made of the block.
    CallBlock {
        caller: Rc<MacroDef>,
        call: Expr,
    },
    FilterBlock {
        filter: Expr,
        body: Vec<Node>,
    },
    Block(Rc<BlockDef>),
    Extends(Expr),
    Include {
        names: Expr,
        ignore_missing: bool,
        with_context: bool,
    },
    Import {
        name: Expr,
        target: Rc<str>,
        with_context: bool,
    },
    FromImport {
        name: Expr,
        names: Vec<(Rc<str>, Rc<str>)>,
        with_context: bool,
    },
    /// A group that changes nothing but where names live (`autoescape`).
    Scoped(Vec<Node>),
    Do(Expr),
    Break,
    Continue,
}

pub(crate) struct For {
    pub(crate) target: Target,
    pub(crate) iterable: Expr,
    pub(crate) filter: Option<Expr>,
    pub(crate) body: Vec<Node>,
    pub(crate) otherwise: Vec<Node>,
    pub(crate) recursive: bool,
    pub(crate) pos: Pos,
}

pub(crate) struct MacroDef {
    pub(crate) name: Rc<str>,
    pub(crate) parameters: Vec<(Rc<str>, Option<Expr>)>,
    pub(crate) body: Vec<Node>,
    /// Whether the body uses `caller`, `varargs` and `kwargs`: only then may they be passed.
    pub(crate) uses_caller: bool,
    pub(crate) uses_varargs: bool,
    pub(crate) uses_kwargs: bool,
    pub(crate) pos: Pos,
}

pub(crate) struct BlockDef {
    pub(crate) name: Rc<str>,
    pub(crate) body: Vec<Node>,
    pub(crate) scoped: bool,
    pub(crate) required: bool,
}

/// A parsed template.
pub(crate) struct Template {
    pub(crate) name: Option<Rc<str>>,
    pub(crate) body: Vec<Node>,
    pub(crate) blocks: Vec<Rc<BlockDef>>,
    /// How many newlines the text ended with; text that it yields ends with as many.
    pub(crate) trailing_newlines: usize,
    /// What ends a line of what it makes.
    pub(crate) newline: Rc<str>,
    /// The size of the last result, to reserve memory for the next.
    pub(crate) size_hint: Cell<usize>,
}

impl Template {
    /// A template without anything in it.
    pub(crate) fn empty() -> Template {
        Template {
            name: None,
            body: Vec::new(),
            blocks: Vec::new(),
            trailing_newlines: 0,
            newline: "\n".into(),
            size_hint: Cell::new(0),
        }
    }
}
