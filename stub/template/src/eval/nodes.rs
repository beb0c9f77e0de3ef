//! Running statements.

use std::rc::Rc;

use super::Interp;
use crate::syntax::{Expr, ExprKind, Node, Pos, Target};
use crate::value::{Value, iterate};
use crate::{Error, ErrorKind};

/// What a statement does to the loop around it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl Interp<'_> {
    /// Runs statements in order.
    pub(super) fn run(&mut self, nodes: &[Node]) -> Result<Flow, Error> {
        self.check_stack()?;
        for node in nodes {
            let flow = self.node(node)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    /// Runs statements where `break` and `continue` have no meaning.
    pub(super) fn run_all(&mut self, nodes: &[Node]) -> Result<(), Error> {
        self.run(nodes).map(|_| ())
    }

    fn node(&mut self, node: &Node) -> Result<Flow, Error> {
        match node {
            Node::Text(_) | Node::Output(_) if self.discarding => {}
            Node::Text(text) => self.out.push(text.clone())?,
            Node::Output(expr) => self.print(expr)?,
            Node::If {
                branches,
                otherwise,
            } => {
                for (condition, body) in branches {
                    if self.truth(condition)? {
                        return self.run(body);
                    }
                }
                return self.run(otherwise);
            }
            Node::For(for_loop) => self.for_loop(for_loop)?,
            Node::Set { target, value, pos } => {
                let value = self.eval(value)?;
                self.assign(target, value, *pos)?;
            }
            Node::SetBlock {
                target,
                filter,
                body,
                pos,
            } => {
                let value = self.block_value(filter.as_ref(), body)?;
                self.assign(target, value, *pos)?;
            }
            Node::With { bindings, body } => return self.with(bindings, body),
            Node::Macro(definition) => self.define_macro(definition),
            Node::FilterBlock { filter, body } => {
                let value = self.block_value(Some(filter), body)?;
                self.emit(value)?;
            }
            Node::CallBlock { caller, call } => {
                let value = self.call_block(caller, call)?;
                self.emit(value)?;
            }
            Node::Scoped(body) => return self.scoped(|this| this.run(body)),
            Node::Do(expr) => {
                self.eval(expr)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
            other => self.composition(other)?,
        }
        Ok(Flow::Next)
    }

    fn composition(&mut self, node: &Node) -> Result<(), Error> {
        match node {
            Node::Block(block) => self.block(block),
            Node::Extends(name) => self.extends(name),
            Node::Include {
                names,
                ignore_missing,
                with_context,
            } => self.include(names, *ignore_missing, *with_context),
            Node::Import {
                name,
                target,
                with_context,
            } => self.import(name, target, *with_context),
            Node::FromImport {
                name,
                names,
                with_context,
            } => self.import_names(name, names, *with_context),
            _ => Ok(()),
        }
    }

    fn print(&mut self, expr: &Expr) -> Result<(), Error> {
        let value = self.eval(expr)?;
        let several = matches!(self.out, super::Out::Text { .. });
        let value = if several { self.whole(value)? } else { value };
        self.out
            .push(value)
            .map_err(|error| self.place(error, expr.pos))
    }

    /// Prints a computed value.
    pub(super) fn emit(&mut self, value: Value) -> Result<(), Error> {
        if self.discarding {
            Ok(())
        } else {
            self.out.push(value)
        }
    }

    /// What a block prints, through its filters.
    fn block_value(&mut self, filter: Option<&Expr>, body: &[Node]) -> Result<Value, Error> {
        let printed = self.scoped(|this| this.capture_or_undefined(body))?;
        match filter.map(|filter| &filter.kind) {
            Some(ExprKind::Filter(call)) => self.filter(call, Some(printed)),
            _ => Ok(printed),
        }
    }

    /// What statements print; if something in them is undefined, so is the whole.
    pub(super) fn capture_or_undefined(&mut self, body: &[Node]) -> Result<Value, Error> {
        super::calls::undefined_as_value(self.capture(|this| this.run_all(body)))
    }

    fn with(&mut self, bindings: &[(Target, Expr)], body: &[Node]) -> Result<Flow, Error> {
        let mut values = Vec::with_capacity(bindings.len());
        for (_, value) in bindings {
            values.push(self.eval(value)?);
        }
        self.scoped(|this| {
            for ((target, expr), value) in bindings.iter().zip(values) {
                this.assign(target, value, expr.pos)?;
            }
            this.run(body)
        })
    }

    /// Assigns to a name, several names, or an attribute of a namespace.
    pub(super) fn assign(&mut self, target: &Target, value: Value, pos: Pos) -> Result<(), Error> {
        match target {
            Target::Name(name) => {
                self.frame.set(name, value);
                Ok(())
            }
            Target::Tuple(targets) => {
                let items = self
                    .unpack(value, targets.len())
                    .map_err(|error| self.place(error, pos))?;
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item, pos)?;
                }
                Ok(())
            }
            Target::Attr(name, attribute) => {
                let holder = match self.frame.get(name) {
                    Some(holder) => holder,
                    None => self.templar.variable(name)?,
                };
                match holder {
                    Value::Object(object) if object.set_attr(attribute, value) => Ok(()),
                    _ => Err(self.place(
                        Error::type_error("cannot assign attribute on non-namespace object"),
                        pos,
                    )),
                }
            }
        }
    }

    fn unpack(&mut self, value: Value, count: usize) -> Result<Vec<Value>, Error> {
        let value = value.strict()?;
        let iterable = match &value {
            Value::List(_) | Value::Tuple(_) | Value::Dict(_) | Value::Str(_) | Value::Bytes(_) => {
                true
            }
            Value::Object(object) => object.iterate().is_some(),
            _ => false,
        };
        if !iterable {
            return Err(Error::type_error(format!(
                "cannot unpack non-iterable {} object",
                value.type_name()
            )));
        }
        let mut items = iterate(&value)?;
        if items.len() > count {
            return Err(Error::value(format!(
                "too many values to unpack (expected {count})"
            )));
        }
        if items.len() < count {
            let got = items.len();
            return Err(Error::value(format!(
                "not enough values to unpack (expected {count}, got {got})"
            )));
        }
        for item in &mut items {
            let taken = std::mem::replace(item, Value::None);
            *item = self.resolve_or_undefined(taken)?;
        }
        Ok(items)
    }

    /// An element of a container; one whose template uses something undefined is undefined itself.
    pub(crate) fn resolve_or_undefined(&mut self, value: Value) -> Result<Value, Error> {
        super::calls::undefined_as_value(self.resolve(value))
    }

    /// The names to look for: one, or several to try in turn.
    pub(super) fn template_names(&mut self, names: &Expr) -> Result<Vec<Rc<str>>, Error> {
        let value = self.eval(names)?.strict()?;
        let value = self.whole(value)?;
        match &value {
            Value::Str(name) => Ok(vec![name.shared()]),
            Value::List(_) | Value::Tuple(_) => iterate(&value)?
                .into_iter()
                .map(|name| match name {
                    Value::Str(name) => Ok(name.shared()),
                    other => Err(not_a_name(&other)),
                })
                .collect(),
            other => Err(not_a_name(other)),
        }
    }
}

fn not_a_name(value: &Value) -> Error {
    Error::new(
        ErrorKind::TemplateNotFound,
        format!("a template name must be text, not {}", value.type_name()),
    )
}
