//! What can be said about a template without running it: which variables it cannot do without, which filters,
//! tests and lookups it names that nobody knows.

use std::rc::Rc;

use super::ast::{CallArgs, Expr, ExprKind, MacroDef, Node, Target, Template};
use crate::value::Value;

/// The result of looking at a template.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// Variables that must exist: used outside `default`, `is defined` and conditions that ask for them.
    pub required: Vec<Rc<str>>,
    /// Variables that are used in any way, the required ones among them.
    pub mentioned: Vec<Rc<str>>,
    /// Filters that do not exist, with line and column.
    pub unknown_filters: Vec<(Rc<str>, u32, u32)>,
    /// Tests that do not exist, with line and column.
    pub unknown_tests: Vec<(Rc<str>, u32, u32)>,
    /// Lookups named by literal text, with line and column.
    pub lookups: Vec<(Rc<str>, u32, u32)>,
    /// Templates included, imported or extended by literal name.
    pub templates: Vec<Rc<str>>,
    /// Where each of `required` is used first.
    places: Vec<(u32, u32)>,
}

impl Analysis {
    /// The line and column where a required variable is used first.
    pub fn place_of(&self, name: &str) -> Option<(u32, u32)> {
        let index = self.required.iter().position(|known| &**known == name)?;
        self.places.get(index).copied()
    }
}

/// Looks at a whole template.
pub(crate) fn analyse_template(template: &Template) -> Analysis {
    let mut walk = Walk::default();
    walk.scope(|walk| walk.nodes(&template.body));
    walk.found
}

/// Looks at an expression.
pub(crate) fn analyse_expression(expr: &Expr) -> Analysis {
    let mut walk = Walk::default();
    walk.result(expr);
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Analysis,
    /// Names that the template sets itself, by scope.
    local: Vec<Vec<Rc<str>>>,
    /// Names that a condition around has asked for.
    asked: Vec<Rc<str>>,
    /// Above 0 inside something that may not be evaluated, or where undefined is fine.
    lenient: usize,
}

fn note<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}

/// Names that exist without anybody setting them.
fn is_global(name: &str) -> bool {
    crate::globals::find(name).is_some()
        || matches!(
            name,
            "vars" | "self" | "loop" | "caller" | "varargs" | "kwargs" | "super"
        )
}

/// The variable that a path such as `a.b[c]` starts from.
fn root_name(expr: &Expr) -> Option<&Rc<str>> {
    match &expr.kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Attr(inner, _) | ExprKind::Item(inner, _) => root_name(inner),
        _ => None,
    }
}

impl Walk {
    fn scope(&mut self, walk: impl FnOnce(&mut Self)) {
        self.local.push(Vec::new());
        walk(self);
        self.local.pop();
    }

    fn define(&mut self, name: &Rc<str>) {
        match self.local.last_mut() {
            Some(scope) => scope.push(name.clone()),
            None => self.local.push(vec![name.clone()]),
        }
    }

    fn define_target(&mut self, target: &Target) {
        match target {
            Target::Name(name) => self.define(name),
            Target::Tuple(targets) => targets.iter().for_each(|target| self.define_target(target)),
            Target::Attr(..) => {}
        }
    }

    fn name(&mut self, name: &Rc<str>, at: (u32, u32)) {
        if self.local.iter().flatten().any(|known| known == name) || is_global(name) {
            return;
        }
        note(&mut self.found.mentioned, name.clone());
        if self.lenient == 0 && !self.asked.contains(name) && !self.found.required.contains(name) {
            self.found.required.push(name.clone());
            self.found.places.push(at);
        }
    }

    fn leniently(&mut self, walk: impl FnOnce(&mut Self)) {
        self.lenient += 1;
        walk(self);
        self.lenient -= 1;
    }

    /// The names that are known to be defined where this condition holds.
    fn asked_by(condition: &Expr, asked: &mut Vec<Rc<str>>) {
        match &condition.kind {
            ExprKind::And(a, b) => {
                Self::asked_by(a, asked);
                Self::asked_by(b, asked);
            }
            ExprKind::Test { input, name, .. }
                if super::super::lookups::short_name(name) == "defined" =>
            {
                asked.extend(root_name(input).cloned());
            }
            _ => {}
        }
    }

    fn expr(&mut self, expr: &Expr) {
        let at = (expr.pos.line, expr.pos.column);
        match &expr.kind {
            ExprKind::Const(_) => {}
            ExprKind::Name(name) => self.name(name, at),
            // An undefined element does no harm until somebody looks at it: `[a, b] | select('defined')`.
            ExprKind::List(_) | ExprKind::Tuple(_) | ExprKind::Dict(_) => {
                self.leniently(|walk| walk.elements(expr))
            }
            ExprKind::Concat(items) => items.iter().for_each(|item| self.expr(item)),
            ExprKind::Sign(_, inner) | ExprKind::Not(inner) | ExprKind::Attr(inner, _) => {
                self.expr(inner)
            }
            ExprKind::And(a, b) => self.and(a, b),
            // `a is not defined or a == 1`: the right side may never be looked at.
            ExprKind::Or(a, b) => {
                self.expr(a);
                self.leniently(|walk| walk.expr(b));
            }
            ExprKind::Binary(_, a, b) | ExprKind::Item(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Compare(first, others) => {
                self.expr(first);
                others.iter().for_each(|(_, other)| self.expr(other));
            }
            ExprKind::Slice(inner, bounds) => {
                self.expr(inner);
                bounds.iter().flatten().for_each(|bound| self.expr(bound));
            }
            ExprKind::Ternary {
                condition,
                then,
                otherwise,
            } => {
                self.expr(condition);
                self.leniently(|walk| {
                    walk.expr(then);
                    otherwise.iter().for_each(|otherwise| walk.expr(otherwise));
                });
            }
            ExprKind::Call(function, args) => self.call(function, args, at),
            ExprKind::Filter(call) => {
                if call.filter.is_none() {
                    note(
                        &mut self.found.unknown_filters,
                        (call.name.clone(), at.0, at.1),
                    );
                }
                let lenient = call.filter.is_none_or(|filter| filter.takes_undefined);
                if let Some(input) = &call.input {
                    if lenient {
                        self.leniently(|walk| walk.expr(input))
                    } else {
                        self.expr(input)
                    }
                }
                self.leniently(|walk| walk.args(&call.args));
            }
            ExprKind::Test {
                input,
                name,
                test,
                args,
            } => {
                if test.is_none() {
                    note(&mut self.found.unknown_tests, (name.clone(), at.0, at.1));
                }
                let lenient = test.is_none_or(|test| test.takes_undefined);
                if lenient {
                    self.leniently(|walk| walk.expr(input))
                } else {
                    self.expr(input)
                }
                self.args(args);
            }
        }
    }

    /// The elements of a list or mapping that is written out.
    fn elements(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::List(items) | ExprKind::Tuple(items) => {
                items.iter().for_each(|item| self.result(item))
            }
            ExprKind::Dict(items) => {
                for (key, value) in items {
                    self.expr(key);
                    self.result(value);
                }
            }
            _ => self.expr(expr),
        }
    }

    /// An expression whose value is the result: every element of it is looked at.
    fn result(&mut self, expr: &Expr) {
        match expr.kind {
            ExprKind::List(_) | ExprKind::Tuple(_) | ExprKind::Dict(_) => self.elements(expr),
            _ => self.expr(expr),
        }
    }

    /// In `a is defined and a.b`, the right side is safe.
    fn and(&mut self, a: &Expr, b: &Expr) {
        self.expr(a);
        let before = self.asked.len();
        Self::asked_by(a, &mut self.asked);
        self.leniently(|walk| walk.expr(b));
        self.asked.truncate(before);
    }

    fn args(&mut self, args: &CallArgs) {
        let named = args.keywords.iter().map(|(_, value)| value);
        let spread = args
            .star
            .iter()
            .chain(&args.double_star)
            .map(|value| &**value);
        args.positional
            .iter()
            .chain(named)
            .chain(spread)
            .for_each(|value| self.expr(value));
    }

    fn call(&mut self, function: &Expr, args: &CallArgs, at: (u32, u32)) {
        if let ExprKind::Name(name) = &function.kind
            && matches!(&**name, "lookup" | "query" | "q")
            && let Some(ExprKind::Const(Value::Str(plugin))) =
                args.positional.first().map(|first| &first.kind)
        {
            note(&mut self.found.lookups, (plugin.shared(), at.0, at.1));
        }
        self.expr(function);
        // A macro may ask whether its arguments are defined; so may some functions.
        let strict = match &function.kind {
            ExprKind::Name(name) => crate::globals::find(name)
                .is_some_and(|known| !crate::globals::takes_undefined(&known)),
            _ => false,
        };
        if strict {
            self.args(args)
        } else {
            self.leniently(|walk| walk.args(args))
        }
    }

    fn template_name(&mut self, name: &Expr) {
        match &name.kind {
            ExprKind::Const(Value::Str(name)) => note(&mut self.found.templates, name.shared()),
            ExprKind::List(names) => names.iter().for_each(|name| self.template_name(name)),
            _ => self.expr(name),
        }
    }

    fn macro_def(&mut self, definition: &MacroDef) {
        self.leniently(|walk| {
            walk.scope(|walk| {
                for (name, default) in &definition.parameters {
                    default.iter().for_each(|default| walk.expr(default));
                    walk.define(name);
                }
                walk.nodes(&definition.body);
            });
        });
    }

    fn nodes(&mut self, nodes: &[Node]) {
        nodes.iter().for_each(|node| self.node(node));
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Text(_) | Node::Break | Node::Continue => {}
            Node::Output(expr) => self.result(expr),
            Node::Do(expr) => self.expr(expr),
            Node::If {
                branches,
                otherwise,
            } => self.branches(branches, otherwise),
            Node::For(def) => {
                self.expr(&def.iterable);
                self.leniently(|walk| {
                    walk.scope(|walk| {
                        walk.define_target(&def.target);
                        def.filter.iter().for_each(|filter| walk.expr(filter));
                        walk.nodes(&def.body);
                    });
                    walk.scope(|walk| walk.nodes(&def.otherwise));
                });
            }
            Node::Set { target, value, .. } => {
                self.leniently(|walk| walk.expr(value));
                self.define_target(target);
            }
            Node::SetBlock {
                target,
                filter,
                body,
                ..
            } => {
                filter.iter().for_each(|filter| self.expr(filter));
                self.scope(|walk| walk.nodes(body));
                self.define_target(target);
            }
            Node::With { bindings, body } => {
                self.leniently(|walk| bindings.iter().for_each(|(_, value)| walk.expr(value)));
                self.scope(|walk| {
                    bindings
                        .iter()
                        .for_each(|(target, _)| walk.define_target(target));
                    walk.nodes(body);
                });
            }
            Node::Macro(definition) => {
                self.define(&definition.name);
                self.macro_def(definition);
            }
            Node::CallBlock { caller, call } => {
                self.expr(call);
                self.macro_def(caller);
            }
            Node::FilterBlock { filter, body } => {
                self.expr(filter);
                self.scope(|walk| walk.nodes(body));
            }
            Node::Block(block) => self.scope(|walk| walk.nodes(&block.body)),
            Node::Scoped(body) => self.scope(|walk| walk.nodes(body)),
            Node::Extends(name) | Node::Include { names: name, .. } => self.template_name(name),
            Node::Import { name, target, .. } => {
                self.template_name(name);
                self.define(target);
            }
            Node::FromImport { name, names, .. } => {
                self.template_name(name);
                names.iter().for_each(|(_, alias)| self.define(alias));
            }
        }
    }

    fn branches(&mut self, branches: &[(Expr, Vec<Node>)], otherwise: &[Node]) {
        if let Some((first, _)) = branches.first() {
            self.expr(first);
        }
        self.leniently(|walk| {
            branches
                .iter()
                .skip(1)
                .for_each(|(condition, _)| walk.expr(condition));
            branches.iter().for_each(|(_, body)| walk.nodes(body));
            walk.nodes(otherwise);
        });
    }
}
