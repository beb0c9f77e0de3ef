//! Evaluating expressions.

use super::Interp;
use super::frame::Frame;
use crate::Error;
use crate::syntax::{Expr, ExprKind};
use crate::value::{
    Dict, Key, Undefined, Value, binary, compare, get_attr, get_item, negate, slice, write_text,
};
use std::rc::Rc;

impl Interp<'_> {
    /// The value of an expression. May be undefined: that is an error only where it is used.
    pub(crate) fn eval(&mut self, expr: &Expr) -> Result<Value, Error> {
        match &expr.kind {
            ExprKind::Const(value) => self.resolve(value.clone()),
            ExprKind::Name(name) => match self.frame.get(name) {
                Some(value) => Ok(value),
                None => self
                    .variable(name)
                    .map_err(|error| self.place(error, expr.pos)),
            },
            _ => {
                self.check_stack()?;
                self.eval_compound(expr)
                    .map_err(|error| self.place(error, expr.pos))
            }
        }
    }

    fn variable(&mut self, name: &Rc<str>) -> Result<Value, Error> {
        if self.frame.is_isolated() {
            return Ok(crate::globals::find(name).unwrap_or_else(|| Value::undefined(name.clone())));
        }
        if &**name == "self" {
            return Ok(self.self_reference());
        }
        self.templar.variable(name)
    }

    fn eval_compound(&mut self, expr: &Expr) -> Result<Value, Error> {
        match &expr.kind {
            ExprKind::Attr(inner, name) => {
                let value = self.eval(inner)?;
                get_attr(self, &value, name)
            }
            ExprKind::Item(inner, key) => {
                let value = self.eval(inner)?;
                let key = self.eval(key)?;
                get_item(self, &value, &key.strict()?)
            }
            ExprKind::Slice(inner, bounds) => {
                let value = self.eval(inner)?;
                let value = self.whole(value)?;
                let mut evaluated = [Value::None, Value::None, Value::None];
                for (slot, bound) in evaluated.iter_mut().zip(bounds) {
                    if let Some(bound) = bound {
                        *slot = self.eval(bound)?;
                    }
                }
                slice(&value, &evaluated[0], &evaluated[1], &evaluated[2])
            }
            ExprKind::Filter(call) => self.filter(call, None),
            ExprKind::Test {
                input,
                name,
                test,
                args,
            } => self.test(input, name, *test, args),
            ExprKind::Call(function, args) => self.call(function, args),
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => {
                if self.truth(condition)? {
                    return self.eval(then);
                }
                match otherwise {
                    Some(otherwise) => self.eval(otherwise),
                    None => Ok(Value::Undefined(Rc::new(Undefined::lenient()))),
                }
            }
            _ => self.eval_operation(expr),
        }
    }

    fn eval_operation(&mut self, expr: &Expr) -> Result<Value, Error> {
        match &expr.kind {
            ExprKind::And(a, b) => {
                let left = self.eval(a)?;
                if left.truth()? {
                    self.eval(b)
                } else {
                    Ok(left)
                }
            }
            ExprKind::Or(a, b) => {
                let left = self.eval(a)?;
                if left.truth()? {
                    Ok(left)
                } else {
                    self.eval(b)
                }
            }
            ExprKind::Not(inner) => Ok(Value::Bool(!self.truth(inner)?)),
            ExprKind::Compare(first, others) => self.comparison(first, others),
            ExprKind::Binary(operator, a, b) => {
                let a = self.operand(a)?;
                let b = self.operand(b)?;
                binary(operator, &a, &b)
            }
            ExprKind::Sign(sign, inner) => {
                let value = self.eval(inner)?;
                negate(&value, *sign)
            }
            ExprKind::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    let value = self.operand(part)?;
                    write_text(&mut text, &value)?;
                }
                Ok(Value::from(text))
            }
            ExprKind::List(items) => Ok(Value::list(self.eval_all(items)?)),
            ExprKind::Tuple(items) => Ok(Value::tuple(self.eval_all(items)?)),
            ExprKind::Dict(items) => {
                let dict = Dict::new();
                for (key, item) in items {
                    let key = self.eval(key)?;
                    let item = self.eval(item)?;
                    dict.insert(Key::new(key)?, item);
                }
                Ok(Value::Dict(dict))
            }
            _ => Ok(Value::None),
        }
    }

    fn eval_all(&mut self, items: &[Expr]) -> Result<Vec<Value>, Error> {
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            values.push(self.eval(item)?);
        }
        Ok(values)
    }

    /// A value for an operation that looks at all of it.
    fn operand(&mut self, expr: &Expr) -> Result<Value, Error> {
        let value = self.eval(expr)?;
        self.whole(value)
    }

    pub(super) fn truth(&mut self, expr: &Expr) -> Result<bool, Error> {
        self.eval(expr)?.truth()
    }

    fn comparison(
        &mut self,
        first: &Expr,
        others: &[(&'static str, Expr)],
    ) -> Result<Value, Error> {
        let mut left = self.operand(first)?;
        for (operator, right) in others {
            let right = self.operand(right)?;
            if !compare(operator, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    /// A copy of a variable that a method is about to change, put in the variable's place for this rendering.
    pub(super) fn thaw_root(&mut self, receiver: &Expr) -> Result<(), Error> {
        let mut root = receiver;
        while let ExprKind::Attr(inner, _) | ExprKind::Item(inner, _) = &root.kind {
            root = inner;
        }
        if let ExprKind::Name(name) = &root.kind {
            let frozen = self.eval(root)?;
            let copy = crate::value::thaw(&frozen, 0);
            if !Frame::replace(&self.frame, name, &copy) {
                self.templar.replace(name, copy);
            }
        }
        Ok(())
    }
}
