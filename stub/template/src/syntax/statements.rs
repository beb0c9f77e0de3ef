//! Statements: what stands between `{%` and `%}`.

use std::rc::Rc;

use super::ast::{BlockDef, Expr, ExprKind, For, MacroDef, Node, Target};
use super::lexer::Tok;
use super::parser::{Mentions, Parser};
use crate::Error;
use crate::value::Value;

/// A macro's parameter and its default.
type Parameter = (Rc<str>, Option<Expr>);

impl Parser<'_> {
    /// A whole template.
    pub(super) fn body(&mut self) -> Result<Vec<Node>, Error> {
        let (body, _) = self.nodes(&[])?;
        Ok(body)
    }

    /// Nodes up to one of the tags in `until`, whose name is taken and returned.
    fn nodes(&mut self, until: &[&'static str]) -> Result<(Vec<Node>, &'static str), Error> {
        let depth = self.depth();
        self.deeper()?;
        let mut nodes = Vec::new();
        loop {
            match self.peek() {
                Tok::Data(_) => {
                    if let Tok::Data(text) = self.next() {
                        nodes.push(Node::Text(Value::from(text)));
                    }
                }
                Tok::VariableBegin => {
                    self.next();
                    let value = self.tuple(true, false, None)?;
                    self.expect(&Tok::VariableEnd)?;
                    nodes.push(Node::Output(value));
                }
                Tok::BlockBegin => {
                    self.next();
                    if let Some(end) = until.iter().copied().find(|tag| self.is_name(tag)) {
                        self.next();
                        self.back_to(depth);
                        return Ok((nodes, end));
                    }
                    self.statement(&mut nodes)?;
                    self.expect(&Tok::BlockEnd)?;
                }
                Tok::End if until.is_empty() => {
                    self.back_to(depth);
                    return Ok((nodes, ""));
                }
                _ => return Err(self.missing_end(None)),
            }
        }
    }

    fn missing_end(&self, tag: Option<&str>) -> Error {
        let mut message = match tag {
            None => "Unexpected end of template.".to_owned(),
            Some(tag) => format!("Encountered unknown tag '{tag}'."),
        };
        if let Some((open, ends)) = self.open.last() {
            if let Some(tag) = tag.filter(|tag| ends.contains(tag)) {
                message = format!("Unexpected end of block tag '{tag}'.");
            }
            let ends: Vec<String> = ends.iter().map(|end| format!("'{end}'")).collect();
            message.push_str(&format!(
                " Jinja was looking for the following tags: {}. The innermost block that needs to be closed is '{open}'.",
                ends.join(" or ")
            ));
        }
        self.error(message)
    }

    /// The inside of a statement, after its tag was read, up to one of its end tags.
    fn inside(
        &mut self,
        tag: &'static str,
        until: &[&'static str],
    ) -> Result<(Vec<Node>, &'static str), Error> {
        self.expect(&Tok::BlockEnd)?;
        self.open.push((tag, until.to_vec()));
        let inside = self.nodes(until)?;
        self.open.pop();
        Ok(inside)
    }

    fn statement(&mut self, nodes: &mut Vec<Node>) -> Result<(), Error> {
        let pos = self.pos();
        let Tok::Name(tag) = self.peek().clone() else {
            return Err(self.error("tag name expected"));
        };
        let unknown = self.missing_end(Some(&tag));
        self.next();
        nodes.push(match tag.as_str() {
            "if" => self.if_statement()?,
            "for" => self.for_statement()?,
            "set" => self.set()?,
            "with" => self.with()?,
            "macro" => self.macro_statement()?,
            "call" => self.call_block()?,
            "filter" => self.filter_block()?,
            "block" => self.block()?,
            "extends" => Node::Extends(self.expression()?),
            "include" => self.include()?,
            "import" => self.import()?,
            "from" => self.import_names()?,
            "autoescape" => {
                self.expression()?;
                Node::Scoped(self.inside("autoescape", &["endautoescape"])?.0)
            }
            "print" => {
                while !matches!(self.peek(), Tok::BlockEnd | Tok::End) {
                    nodes.push(Node::Output(self.expression()?));
                    if !self.skip_op(",") {
                        break;
                    }
                }
                return Ok(());
            }
            "do" if self.syntax.do_statement => Node::Do(self.tuple(true, false, None)?),
            "break" if self.syntax.loop_controls && self.loops > 0 => Node::Break,
            "continue" if self.syntax.loop_controls && self.loops > 0 => Node::Continue,
            _ => return Err(unknown.at(pos.line, pos.column)),
        });
        Ok(())
    }

    fn if_statement(&mut self) -> Result<Node, Error> {
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        let mut condition = self.tuple(false, false, None)?;
        loop {
            let (body, end) = self.inside("if", &["elif", "else", "endif"])?;
            match end {
                "elif" => {
                    let next = self.tuple(false, false, None)?;
                    branches.push((std::mem::replace(&mut condition, next), body));
                }
                "else" => {
                    branches.push((condition, body));
                    otherwise = self.inside("if", &["endif"])?.0;
                    break;
                }
                _ => {
                    branches.push((condition, body));
                    break;
                }
            }
        }
        Ok(Node::If {
            branches,
            otherwise,
        })
    }

    fn for_statement(&mut self) -> Result<Node, Error> {
        let pos = self.pos();
        let target = self.target(true)?;
        self.expect_name("in")?;
        let iterable = self.tuple(false, false, Some("recursive"))?;
        let filter = if self.skip_name("if") {
            Some(self.expression()?)
        } else {
            None
        };
        let recursive = self.skip_name("recursive");
        self.loops += 1;
        let (body, end) = self.inside("for", &["endfor", "else"])?;
        self.loops -= 1;
        let otherwise = if end == "else" {
            self.inside("for", &["endfor"])?.0
        } else {
            Vec::new()
        };
        Ok(Node::For(Rc::new(For {
            target,
            iterable,
            filter,
            body,
            otherwise,
            recursive,
            pos,
        })))
    }

    /// What is assigned to: a name, names with commas, or (for `set`) an attribute of a namespace.
    fn target(&mut self, names_only: bool) -> Result<Target, Error> {
        let depth = self.depth();
        self.deeper()?;
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if matches!(self.peek(), Tok::Op(")" | "=") | Tok::BlockEnd) || self.is_name("in") {
                break;
            }
            targets.push(self.one_target(names_only)?);
            if !self.skip_op(",") {
                break;
            }
            is_tuple = true;
        }
        self.back_to(depth);
        match targets.pop() {
            None => Err(self.error(format!(
                "Expected an expression, got '{}'",
                self.peek().describe()
            ))),
            Some(only) if !is_tuple => Ok(only),
            Some(last) => {
                targets.push(last);
                Ok(Target::Tuple(targets))
            }
        }
    }

    fn one_target(&mut self, names_only: bool) -> Result<Target, Error> {
        if self.skip_op("(") {
            let inner = self.target(names_only)?;
            self.expect_op(")")?;
            return Ok(inner);
        }
        if !matches!(self.peek(), Tok::Name(_)) {
            return Err(match self.peek() {
                Tok::Int(_) | Tok::Float(_) | Tok::Str(_) => self.error("can't assign to 'const'"),
                other => self.error(format!("unexpected '{}'", other.describe())),
            });
        }
        let name = self.name()?;
        if matches!(
            &*name,
            "true" | "false" | "none" | "True" | "False" | "None"
        ) {
            return Err(self.error("can't assign to 'const'"));
        }
        if !names_only && self.skip_op(".") {
            return Ok(Target::Attr(name, self.name()?));
        }
        Ok(Target::Name(name))
    }

    fn set(&mut self) -> Result<Node, Error> {
        let pos = self.pos();
        let target = self.target(false)?;
        if self.skip_op("=") {
            let value = self.tuple(true, false, None)?;
            return Ok(Node::Set { target, value, pos });
        }
        let filter = match self.is_op("|") {
            true => Some(self.filter_chain()?),
            false => None,
        };
        let (body, _) = self.inside("set", &["endset"])?;
        Ok(Node::SetBlock {
            target,
            filter,
            body,
            pos,
        })
    }

    /// `| a | b(1)`, applied to what a block yields.
    fn filter_chain(&mut self) -> Result<Expr, Error> {
        let pos = self.pos();
        self.next();
        let first = self.filter(None, pos)?;
        self.filters_and_tests(first)
    }

    fn with(&mut self) -> Result<Node, Error> {
        let mut bindings = Vec::new();
        while !matches!(self.peek(), Tok::BlockEnd) {
            if !bindings.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.one_target(true)?;
            self.expect_op("=")?;
            bindings.push((target, self.expression()?));
        }
        let (body, _) = self.inside("with", &["endwith"])?;
        Ok(Node::With { bindings, body })
    }

    fn signature(&mut self) -> Result<Vec<Parameter>, Error> {
        self.expect_op("(")?;
        let mut parameters: Vec<Parameter> = Vec::new();
        while !self.is_op(")") {
            if !parameters.is_empty() {
                self.expect_op(",")?;
            }
            let name = self.name()?;
            let default = match self.skip_op("=") {
                true => Some(self.expression()?),
                false
                    if parameters
                        .last()
                        .is_some_and(|(_, default)| default.is_some()) =>
                {
                    return Err(self.error("non-default argument follows default argument"));
                }
                false => None,
            };
            parameters.push((name, default));
        }
        self.expect_op(")")?;
        Ok(parameters)
    }

    fn macro_body(
        &mut self,
        name: Rc<str>,
        parameters: Vec<Parameter>,
        tag: &'static str,
        end: &'static str,
    ) -> Result<Rc<MacroDef>, Error> {
        let pos = self.pos();
        let outer = std::mem::take(&mut self.mentions);
        let loops = std::mem::take(&mut self.loops);
        let (body, _) = self.inside(tag, &[end])?;
        self.loops = loops;
        let used = std::mem::replace(&mut self.mentions, outer);
        // A macro inside a macro may mention what belongs to the outer one.
        self.mentions = Mentions {
            caller: outer.caller || used.caller,
            varargs: outer.varargs || used.varargs,
            kwargs: outer.kwargs || used.kwargs,
        };
        let declared = |special: &str| parameters.iter().any(|(name, _)| &**name == special);
        Ok(Rc::new(MacroDef {
            uses_caller: used.caller || declared("caller"),
            uses_varargs: used.varargs && !declared("varargs"),
            uses_kwargs: used.kwargs && !declared("kwargs"),
            name,
            parameters,
            body,
            pos,
        }))
    }

    fn macro_statement(&mut self) -> Result<Node, Error> {
        let name = self.name()?;
        let parameters = self.signature()?;
        if self.is_name("endmacro") {
            return Err(self.error("expected token 'end of statement block'"));
        }
        Ok(Node::Macro(
            self.macro_body(name, parameters, "macro", "endmacro")?,
        ))
    }

    fn call_block(&mut self) -> Result<Node, Error> {
        let parameters = if self.is_op("(") {
            self.signature()?
        } else {
            Vec::new()
        };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(self.error("expected call"));
        }
        let caller = self.macro_body("caller".into(), parameters, "call", "endcall")?;
        Ok(Node::CallBlock { caller, call })
    }

    fn filter_block(&mut self) -> Result<Node, Error> {
        let pos = self.pos();
        let first = self.filter(None, pos)?;
        let filter = self.filters_and_tests(first)?;
        let (body, _) = self.inside("filter", &["endfilter"])?;
        Ok(Node::FilterBlock { filter, body })
    }

    fn block(&mut self) -> Result<Node, Error> {
        let name = self.name()?;
        let scoped = self.skip_name("scoped");
        let required = self.skip_name("required");
        if self.blocks.iter().any(|block| block.name == name) {
            return Err(self.error(format!("block '{name}' defined twice")));
        }
        let loops = std::mem::take(&mut self.loops);
        let (body, _) = self.inside("block", &["endblock"])?;
        self.loops = loops;
        if self.is_name(&name) {
            self.next();
        }
        let only_space = |node: &Node| match node {
            Node::Text(text) => text.as_str().is_some_and(|text| text.trim().is_empty()),
            _ => false,
        };
        if required && !body.iter().all(only_space) {
            return Err(self.error("Required blocks can only contain comments or whitespace"));
        }
        if self.blocks.iter().any(|block| block.name == name) {
            return Err(self.error(format!("block '{name}' defined twice")));
        }
        let block = Rc::new(BlockDef {
            name,
            body,
            scoped,
            required,
        });
        self.blocks.push(block.clone());
        Ok(Node::Block(block))
    }

    /// `with context` or `without context`, if it is here.
    fn context(&mut self, default: bool) -> Result<bool, Error> {
        let named = matches!(self.peek_at(1), Tok::Name(name) if name == "context");
        let with = self.is_name("with");
        if named && (with || self.is_name("without")) {
            self.next();
            self.next();
            return Ok(with);
        }
        Ok(default)
    }

    fn include(&mut self) -> Result<Node, Error> {
        let names = self.expression()?;
        let ignore_missing =
            self.is_name("ignore") && matches!(self.peek_at(1), Tok::Name(n) if n == "missing");
        if ignore_missing {
            self.next();
            self.next();
        }
        let with_context = self.context(true)?;
        Ok(Node::Include {
            names,
            ignore_missing,
            with_context,
        })
    }

    fn import(&mut self) -> Result<Node, Error> {
        let name = self.expression()?;
        self.expect_name("as")?;
        let target = self.name()?;
        let with_context = self.context(false)?;
        Ok(Node::Import {
            name,
            target,
            with_context,
        })
    }

    fn import_names(&mut self) -> Result<Node, Error> {
        let name = self.expression()?;
        self.expect_name("import")?;
        let mut names = Vec::new();
        let mut with_context = None;
        loop {
            let named = matches!(self.peek_at(1), Tok::Name(name) if name == "context");
            if named && (self.is_name("with") || self.is_name("without")) {
                with_context = Some(self.context(false)?);
                break;
            }
            let imported = self.name()?;
            if imported.starts_with('_') {
                return Err(self.error("names starting with an underline can not be imported"));
            }
            let alias = if self.skip_name("as") {
                self.name()?
            } else {
                imported.clone()
            };
            names.push((imported, alias));
            let more = self.skip_op(",");
            if !more {
                with_context = Some(self.context(false)?);
                break;
            }
            if !matches!(self.peek(), Tok::Name(_)) {
                break;
            }
        }
        Ok(Node::FromImport {
            name,
            names,
            with_context: with_context.unwrap_or(false),
        })
    }
}
