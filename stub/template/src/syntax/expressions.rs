//! Expressions, loosest binding first.

use std::rc::Rc;

use super::ast::{CallArgs, Expr, ExprKind, FilterCall, Pos};
use super::lexer::Tok;
use super::parser::Parser;
use crate::value::{Value, parse_int};
use crate::{Error, filters, predicates};

fn expr(kind: ExprKind, pos: Pos) -> Expr {
    Expr { kind, pos }
}

impl Parser<'_> {
    /// A whole expression with `x if y else z`.
    pub(super) fn expression(&mut self) -> Result<Expr, Error> {
        let depth = self.depth();
        self.deeper()?;
        let pos = self.pos();
        let mut value = self.or_expression()?;
        while self.skip_name("if") {
            self.deeper()?;
            let condition = self.or_expression()?;
            let otherwise = match self.skip_name("else") {
                true => Some(Box::new(self.expression()?)),
                false => None,
            };
            let (condition, then) = (Box::new(condition), Box::new(value));
            value = expr(
                ExprKind::Ternary {
                    condition,
                    then,
                    otherwise,
                },
                pos,
            );
        }
        self.back_to(depth);
        Ok(value)
    }

    /// An expression without `if`, as `for … in` takes it.
    pub(super) fn or_expression(&mut self) -> Result<Expr, Error> {
        self.left_chain(Self::and_expression, |p| {
            p.skip_name("or")
                .then_some(|l, r| ExprKind::Or(Box::new(l), Box::new(r)))
        })
    }

    fn and_expression(&mut self) -> Result<Expr, Error> {
        self.left_chain(Self::not_expression, |p| {
            p.skip_name("and")
                .then_some(|l, r| ExprKind::And(Box::new(l), Box::new(r)))
        })
    }

    /// Operators of one strength, grouped to the left.
    fn left_chain<F: Fn(Expr, Expr) -> ExprKind>(
        &mut self,
        operand: fn(&mut Self) -> Result<Expr, Error>,
        operator: impl Fn(&mut Self) -> Option<F>,
    ) -> Result<Expr, Error> {
        let depth = self.depth();
        let pos = self.pos();
        let mut left = operand(self)?;
        while let Some(build) = operator(self) {
            self.deeper()?;
            let right = operand(self)?;
            left = expr(build(left, right), pos);
        }
        self.back_to(depth);
        Ok(left)
    }

    fn not_expression(&mut self) -> Result<Expr, Error> {
        if !self.is_name("not") {
            return self.comparison();
        }
        let depth = self.depth();
        let pos = self.pos();
        self.next();
        self.deeper()?;
        let inner = self.not_expression()?;
        self.back_to(depth);
        Ok(expr(ExprKind::Not(Box::new(inner)), pos))
    }

    fn comparison(&mut self) -> Result<Expr, Error> {
        let pos = self.pos();
        let first = self.sum()?;
        let mut others = Vec::new();
        loop {
            let operator = match self.peek() {
                Tok::Op(op @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => *op,
                Tok::Name(name) if name == "in" => "in",
                Tok::Name(name)
                    if name == "not" && matches!(self.peek_at(1), Tok::Name(n) if n == "in") =>
                {
                    self.next();
                    "not in"
                }
                _ => break,
            };
            self.next();
            others.push((operator, self.sum()?));
        }
        Ok(if others.is_empty() {
            first
        } else {
            expr(ExprKind::Compare(Box::new(first), others), pos)
        })
    }

    fn binary_chain(
        &mut self,
        operand: fn(&mut Self) -> Result<Expr, Error>,
        operators: &'static [&'static str],
    ) -> Result<Expr, Error> {
        self.left_chain(operand, |p| {
            let operator = operators.iter().copied().find(|op| p.is_op(op))?;
            p.next();
            Some(move |l, r| ExprKind::Binary(operator, Box::new(l), Box::new(r)))
        })
    }

    fn sum(&mut self) -> Result<Expr, Error> {
        self.binary_chain(Self::concatenation, &["+", "-"])
    }

    fn concatenation(&mut self) -> Result<Expr, Error> {
        let pos = self.pos();
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let mut parts = vec![first];
        while self.skip_op("~") {
            parts.push(self.product()?);
        }
        Ok(expr(ExprKind::Concat(parts), pos))
    }

    fn product(&mut self) -> Result<Expr, Error> {
        self.binary_chain(Self::power, &["*", "/", "//", "%"])
    }

    fn power(&mut self) -> Result<Expr, Error> {
        self.binary_chain(Self::filtered, &["**"])
    }

    fn filtered(&mut self) -> Result<Expr, Error> {
        self.unary(true)
    }

    pub(super) fn unary(&mut self, with_filters: bool) -> Result<Expr, Error> {
        let depth = self.depth();
        self.deeper()?;
        let pos = self.pos();
        let mut value = match self.peek() {
            Tok::Op(sign @ ("-" | "+")) => {
                let sign = if *sign == "-" { '-' } else { '+' };
                self.next();
                expr(ExprKind::Sign(sign, Box::new(self.unary(false)?)), pos)
            }
            _ => self.primary()?,
        };
        value = self.postfix(value)?;
        if with_filters {
            value = self.filters_and_tests(value)?;
        }
        self.back_to(depth);
        Ok(value)
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let pos = self.pos();
        let kind = match self.peek() {
            Tok::Name(_) => self.name_or_constant()?,
            Tok::Str(_) => self.string(),
            Tok::Int(_) | Tok::Float(_) => self.number()?,
            Tok::Op("(") => {
                self.next();
                let inner = self.tuple(true, true, None)?;
                self.expect_op(")")?;
                return Ok(inner);
            }
            Tok::Op("[") => self.list()?,
            Tok::Op("{") => self.dict()?,
            other => return Err(self.error(format!("unexpected '{}'", other.describe()))),
        };
        Ok(expr(kind, pos))
    }

    fn name_or_constant(&mut self) -> Result<ExprKind, Error> {
        let name = self.name()?;
        Ok(match &*name {
            "true" | "True" => ExprKind::Const(Value::Bool(true)),
            "false" | "False" => ExprKind::Const(Value::Bool(false)),
            "none" | "None" => ExprKind::Const(Value::None),
            _ => {
                self.mention(&name);
                ExprKind::Name(name)
            }
        })
    }

    fn mention(&mut self, name: &str) {
        match name {
            "caller" => self.mentions.caller = true,
            "varargs" => self.mentions.varargs = true,
            "kwargs" => self.mentions.kwargs = true,
            _ => {}
        }
    }

    /// Adjacent strings are one.
    fn string(&mut self) -> ExprKind {
        let mut text = String::new();
        while let Tok::Str(_) = self.peek() {
            if let Tok::Str(part) = self.next() {
                text.push_str(&part);
            }
        }
        if self.syntax.embedded_templates {
            return ExprKind::Const(Value::trusted(text));
        }
        ExprKind::Const(Value::from(text))
    }

    fn number(&mut self) -> Result<ExprKind, Error> {
        match self.next() {
            Tok::Float(value) => Ok(ExprKind::Const(Value::Float(value))),
            Tok::Int(digits) => match parse_int(&digits, 0) {
                Some(value) => Ok(ExprKind::Const(value)),
                None => Err(self.error("invalid integer")),
            },
            _ => Err(self.error("expected a number")),
        }
    }

    fn list(&mut self) -> Result<ExprKind, Error> {
        self.next();
        let mut items = Vec::new();
        while !self.is_op("]") {
            if !items.is_empty() {
                self.expect_op(",")?;
                if self.is_op("]") {
                    break;
                }
            }
            items.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(ExprKind::List(items))
    }

    fn dict(&mut self) -> Result<ExprKind, Error> {
        self.next();
        let mut items = Vec::new();
        while !self.is_op("}") {
            if !items.is_empty() {
                self.expect_op(",")?;
                if self.is_op("}") {
                    break;
                }
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            items.push((key, self.expression()?));
        }
        self.expect_op("}")?;
        Ok(ExprKind::Dict(items))
    }

    /// One expression, or several with commas between them as a tuple. `()` is allowed where parentheses are.
    pub(super) fn tuple(
        &mut self,
        with_condition: bool,
        in_parentheses: bool,
        end_name: Option<&str>,
    ) -> Result<Expr, Error> {
        let pos = self.pos();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.at_tuple_end(end_name) {
                break;
            }
            items.push(if with_condition {
                self.expression()?
            } else {
                self.or_expression()?
            });
            if !self.is_op(",") {
                break;
            }
            is_tuple = true;
        }
        if !is_tuple {
            if let Some(only) = items.pop() {
                return Ok(only);
            }
            if !in_parentheses {
                return Err(self.error(format!(
                    "Expected an expression, got '{}'",
                    self.peek().describe()
                )));
            }
        }
        Ok(expr(ExprKind::Tuple(items), pos))
    }

    fn at_tuple_end(&self, end_name: Option<&str>) -> bool {
        match self.peek() {
            Tok::VariableEnd | Tok::BlockEnd | Tok::Op(")") => true,
            Tok::Name(name) => Some(name.as_str()) == end_name,
            _ => false,
        }
    }

    fn postfix(&mut self, mut value: Expr) -> Result<Expr, Error> {
        let depth = self.depth();
        loop {
            let pos = value.pos;
            value = match self.peek() {
                Tok::Op(".") => self.dotted(value)?,
                Tok::Op("[") => self.subscript(value)?,
                Tok::Op("(") => expr(ExprKind::Call(Box::new(value), self.call_args()?), pos),
                _ => break,
            };
            self.deeper()?;
        }
        self.back_to(depth);
        Ok(value)
    }

    pub(super) fn filters_and_tests(&mut self, mut value: Expr) -> Result<Expr, Error> {
        let depth = self.depth();
        loop {
            let pos = value.pos;
            value = match self.peek() {
                Tok::Op("|") => {
                    self.next();
                    self.filter(Some(value), pos)?
                }
                Tok::Name(name) if name == "is" => self.test(value)?,
                Tok::Op("(") => expr(ExprKind::Call(Box::new(value), self.call_args()?), pos),
                _ => break,
            };
            self.deeper()?;
        }
        self.back_to(depth);
        Ok(value)
    }

    fn dotted(&mut self, value: Expr) -> Result<Expr, Error> {
        let pos = value.pos;
        self.next();
        match self.peek() {
            Tok::Name(_) => {
                let name = self.name()?;
                Ok(expr(ExprKind::Attr(Box::new(value), name), pos))
            }
            Tok::Int(_) => {
                let at = self.pos();
                let index = expr(self.number()?, at);
                Ok(expr(ExprKind::Item(Box::new(value), Box::new(index)), pos))
            }
            _ => Err(self.error("expected name or number")),
        }
    }

    fn subscript(&mut self, value: Expr) -> Result<Expr, Error> {
        let pos = value.pos;
        self.next();
        let at = self.pos();
        let mut parts = Vec::new();
        while !self.is_op("]") {
            if !parts.is_empty() {
                self.expect_op(",")?;
            }
            parts.push(self.subscript_part()?);
        }
        self.expect_op("]")?;
        let kind = match (parts.len(), parts.pop()) {
            (1, Some(Subscript::Item(index))) => ExprKind::Item(Box::new(value), Box::new(index)),
            (1, Some(Subscript::Slice(bounds))) => ExprKind::Slice(Box::new(value), bounds),
            (_, last) => {
                let mut items = Vec::new();
                for part in parts.into_iter().chain(last) {
                    match part {
                        Subscript::Item(item) => items.push(item),
                        Subscript::Slice(_) => {
                            return Err(self.error("a slice cannot be one of several subscripts"));
                        }
                    }
                }
                ExprKind::Item(Box::new(value), Box::new(expr(ExprKind::Tuple(items), at)))
            }
        };
        Ok(expr(kind, pos))
    }

    fn subscript_part(&mut self) -> Result<Subscript, Error> {
        let mut bounds = [None, None, None];
        if !self.is_op(":") {
            let first = self.expression()?;
            if !self.is_op(":") {
                return Ok(Subscript::Item(first));
            }
            bounds[0] = Some(Box::new(first));
        }
        for bound in &mut bounds[1..] {
            if !self.skip_op(":") {
                break;
            }
            if !(self.is_op(":") || self.is_op("]") || self.is_op(",")) {
                *bound = Some(Box::new(self.expression()?));
            }
        }
        Ok(Subscript::Slice(bounds))
    }

    /// `(a, b, *c, d=e, **f)`
    pub(super) fn call_args(&mut self) -> Result<CallArgs, Error> {
        self.expect_op("(")?;
        let mut args = CallArgs::default();
        let mut first = true;
        while !self.is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            first = false;
            let in_order = match (self.peek(), self.peek_at(1)) {
                (Tok::Op("*"), _) => {
                    self.next();
                    let fine = args.star.is_none() && args.double_star.is_none();
                    args.star = Some(Box::new(self.expression()?));
                    fine
                }
                (Tok::Op("**"), _) => {
                    self.next();
                    let fine = args.double_star.is_none();
                    args.double_star = Some(Box::new(self.expression()?));
                    fine
                }
                (Tok::Name(_), Tok::Op("=")) => {
                    let name = self.name()?;
                    self.next();
                    let fine = args.double_star.is_none();
                    args.keywords.push((name, self.expression()?));
                    fine
                }
                _ => {
                    let fine = args.star.is_none()
                        && args.double_star.is_none()
                        && args.keywords.is_empty();
                    args.positional.push(self.expression()?);
                    fine
                }
            };
            if !in_order {
                return Err(self.error("invalid syntax for function call expression"));
            }
        }
        self.expect_op(")")?;
        Ok(args)
    }

    /// A name with dots, as filters and tests of collections have.
    fn dotted_name(&mut self) -> Result<Rc<str>, Error> {
        let first = self.name()?;
        if !self.is_op(".") {
            return Ok(first);
        }
        let mut name = first.to_string();
        while self.skip_op(".") {
            name.push('.');
            name.push_str(&self.name()?);
        }
        Ok(name.into())
    }

    /// A filter's name and arguments.
    pub(super) fn filter(&mut self, input: Option<Expr>, pos: Pos) -> Result<Expr, Error> {
        let name = self.dotted_name()?;
        let args = if self.is_op("(") {
            self.call_args()?
        } else {
            CallArgs::default()
        };
        let filter = filters::find(&name);
        Ok(expr(
            ExprKind::Filter(Box::new(FilterCall {
                input,
                name,
                filter,
                args,
            })),
            pos,
        ))
    }

    fn test(&mut self, value: Expr) -> Result<Expr, Error> {
        let pos = value.pos;
        self.next();
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let mut args = CallArgs::default();
        if self.is_op("(") {
            args = self.call_args()?;
        } else if self.at_test_argument()? {
            let argument = self.primary()?;
            args.positional.push(self.postfix(argument)?);
        }
        let test = predicates::find(&name);
        let test = expr(
            ExprKind::Test {
                input: Box::new(value),
                name,
                test,
                args,
            },
            pos,
        );
        Ok(if negated {
            expr(ExprKind::Not(Box::new(test)), pos)
        } else {
            test
        })
    }

    /// True if what follows a test's name is an argument without parentheses.
    fn at_test_argument(&self) -> Result<bool, Error> {
        match self.peek() {
            Tok::Name(name) if name == "is" => {
                Err(self.error("You cannot chain multiple tests with is"))
            }
            Tok::Name(name) => Ok(!matches!(name.as_str(), "else" | "or" | "and")),
            Tok::Str(_) | Tok::Int(_) | Tok::Float(_) | Tok::Op("[" | "{") => Ok(true),
            _ => Ok(false),
        }
    }
}

enum Subscript {
    Item(Expr),
    Slice([Option<Box<Expr>>; 3]),
}
