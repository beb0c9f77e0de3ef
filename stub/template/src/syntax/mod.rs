//! From text to a syntax tree: the lexer, the parser, and what can be said about a template without running it.

mod analysis;
mod ast;
mod delimiters;
mod expressions;
mod lexer;
mod literals;
mod parser;
mod statements;

pub use analysis::Analysis;
pub(crate) use analysis::{analyse_expression, analyse_template};
pub(crate) use ast::*;
pub use delimiters::Syntax;
pub(crate) use parser::{parse_expression, parse_template};
