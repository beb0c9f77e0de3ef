//! One engine, one set of variables, one moment. Variables that are templates are rendered when they are first
//! reached, and once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use crate::engine::{Engine, FileOptions, Scope, parse_file};
use crate::eval::{Args, Context, Frame, Interp, Out};
use crate::syntax::Template;
use crate::value::{
    Dict, Key, MAX_DATA_DEPTH, Method, Object, Str, Undefined, Value, freeze, has_templates,
    unstorable,
};
use crate::{Error, ErrorKind};

/// Renders with the variables of one moment. What it has looked up it keeps: make a new one when variables change.
pub struct Templar<'a> {
    engine: &'a Engine<'a>,
    scope: &'a dyn Scope,
    variables: RefCell<HashMap<Rc<str>, Value>>,
    in_progress: RefCell<Vec<Rc<str>>>,
    elements_in_progress: RefCell<Vec<Rc<str>>>,
    /// By address: a container (kept, so that its address stays its own) and the same without templates.
    forced: RefCell<HashMap<usize, (Value, Value)>>,
    loaded: RefCell<HashMap<Rc<str>, Rc<Template>>>,
    /// Frames that macros hold on to, to be emptied in the end: frames and macros hold each other.
    frames: RefCell<Vec<Rc<Frame>>>,
    nesting: Cell<usize>,
    stack_base: Cell<usize>,
    file_options: RefCell<FileOptions>,
    /// Whether undefined elements of lists are left out.
    forgiving: Cell<bool>,
}

impl<'a> Templar<'a> {
    /// Joins an engine with variables.
    pub fn new(engine: &'a Engine<'a>, scope: &'a dyn Scope) -> Self {
        Templar {
            engine,
            scope,
            variables: RefCell::default(),
            in_progress: RefCell::default(),
            elements_in_progress: RefCell::default(),
            forced: RefCell::default(),
            loaded: RefCell::default(),
            frames: RefCell::default(),
            nesting: Cell::new(0),
            stack_base: Cell::new(0),
            file_options: RefCell::default(),
            forgiving: Cell::new(false),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &'a Engine<'a> {
        self.engine
    }

    /// The variables as they are stored.
    pub fn scope(&self) -> &'a dyn Scope {
        self.scope
    }

    pub(crate) fn stack_base(&self) -> usize {
        self.stack_base.get()
    }

    /// Runs one rendering; the outermost one cleans up.
    fn enter<R>(&self, run: impl FnOnce() -> R) -> R {
        if self.nesting.get() == 0 {
            let here = 0u8;
            self.stack_base.set(std::ptr::from_ref(&here) as usize);
        }
        self.nesting.set(self.nesting.get() + 1);
        let result = run();
        self.nesting.set(self.nesting.get() - 1);
        if self.nesting.get() == 0 {
            for frame in self.frames.take() {
                frame.clear();
            }
        }
        result
    }

    pub(crate) fn keep_frame(&self, frame: &Rc<Frame>) {
        self.frames.borrow_mut().push(frame.clone());
    }

    /// A variable, rendered; `None` if there is none of that name.
    pub fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        match self.variable(&name.into())? {
            Value::Undefined(u) if u.name().is_some_and(|missing| &**missing == name) => Ok(None),
            value => Ok(Some(value)),
        }
    }

    /// A variable, rendered, or undefined.
    pub(crate) fn variable(&self, name: &Rc<str>) -> Result<Value, Error> {
        if let Some(known) = self.variables.borrow().get(name) {
            return Ok(known.clone());
        }
        let Some(raw) = self.scope.get(name)? else {
            return Ok(match &**name {
                "vars" => Value::object(AllVariables {
                    names: self.scope.names(),
                }),
                _ => crate::globals::find(name).unwrap_or_else(|| Value::undefined(name.clone())),
            });
        };
        let value = match &raw {
            Value::Str(text) if text.is_template() => {
                self.guarded(&self.in_progress, name, || self.render_text(text))?
            }
            _ => raw,
        };
        freeze(&value, 0);
        self.variables
            .borrow_mut()
            .insert(name.clone(), value.clone());
        Ok(value)
    }

    /// Puts a value in a variable's place for the rest of this templar's life.
    pub(crate) fn replace(&self, name: &Rc<str>, value: Value) {
        self.variables.borrow_mut().insert(name.clone(), value);
    }

    /// Runs something that must not need itself.
    fn guarded<R>(
        &self,
        running: &RefCell<Vec<Rc<str>>>,
        key: &Rc<str>,
        run: impl FnOnce() -> Result<R, Error>,
    ) -> Result<R, Error> {
        if running.borrow().iter().any(|other| other == key) {
            return Err(Error::new(
                ErrorKind::Recursion,
                "Recursive loop detected in template: ",
            )
            .context_after(key));
        }
        running.borrow_mut().push(key.clone());
        let result = run();
        running.borrow_mut().pop();
        result
    }

    /// Renders text that was read out of a container.
    pub(crate) fn render_element(&self, text: &Str) -> Result<Value, Error> {
        self.enter(|| {
            self.guarded(&self.elements_in_progress, &text.shared(), || {
                self.render_text(text)
            })
        })
    }

    /// Renders text inside a rendering: the result may be undefined.
    fn render_text(&self, text: &Str) -> Result<Value, Error> {
        let template = self.engine.template(text)?;
        match self.run(&template) {
            Err(error) if error.is_undefined() => Ok(Value::Undefined(Rc::new(
                Undefined::from_error(error.without_place()),
            ))),
            Err(error) => Err(error.without_place()),
            Ok(value) => Ok(value),
        }
    }

    fn run(&self, template: &Rc<Template>) -> Result<Value, Error> {
        self.run_in(template, Frame::root(false))
    }

    fn run_in(&self, template: &Rc<Template>, root: Rc<Frame>) -> Result<Value, Error> {
        self.enter(|| {
            let mut interp = Interp::new(self, Context::new(template, root.clone()), root);
            let value = interp.native_result(template)?;
            Ok(match value {
                Value::Str(text) if template.trailing_newlines > 0 => {
                    let mut text = text.as_str().to_owned();
                    restore_newlines(&mut text, template);
                    Value::from(text)
                }
                value => value,
            })
        })
    }

    /// Renders trusted text. A template that is one expression keeps its type; others become text.
    pub fn render(&self, text: &str) -> Result<Value, Error> {
        self.enter(|| {
            let template = self.engine.template(text)?;
            let value = self.run(&template)?;
            self.finish(value)
        })
    }

    /// Renders a template file.
    pub fn render_file(
        &self,
        source: &str,
        name: &str,
        options: &FileOptions,
    ) -> Result<String, Error> {
        self.enter(|| {
            let template = Rc::new(parse_file(source, name, options)?);
            self.file_options.replace(options.clone());
            let root = Frame::root(false);
            let mut interp = Interp::new(self, Context::new(&template, root.clone()), root);
            interp.text_result(&template)
        })
    }

    /// Renders a template file for a value, as the lookup `template` does: one that is a single expression keeps its
    /// type. `own` are variables that only this rendering sees.
    pub fn render_native(
        &self,
        source: &str,
        name: &str,
        options: &FileOptions,
        own: Vec<(String, Value)>,
    ) -> Result<Value, Error> {
        self.enter(|| {
            let template = Rc::new(parse_file(source, name, options)?);
            let outer = self.file_options.replace(options.clone());
            let root = Frame::root(false);
            for (name, value) in own {
                root.set(&name.into(), value);
            }
            let result = self.run_in(&template, root);
            self.file_options.replace(outer);
            result
        })
    }

    /// Evaluates a bare expression.
    pub fn eval_expr(&self, expression: &str) -> Result<Value, Error> {
        self.enter(|| {
            let value = self.eval_raw(expression)?;
            self.finish(value)
        })
    }

    /// Calls a lookup, as loops do (`with_NAME`): the terms are data, the result is a list.
    pub fn lookup(&self, name: &str, terms: Vec<Value>) -> Result<Value, Error> {
        self.enter(|| {
            let root = Frame::root(false);
            let context = Context::new(&Template::empty(), root.clone());
            let mut interp = Interp::new(self, context, root);
            let found = crate::lookups::find(&mut interp, name, Args::of(terms))?;
            self.finish(Value::list(found))
        })
    }

    /// Evaluates a bare expression; the result may be undefined.
    pub(crate) fn eval_raw(&self, expression: &str) -> Result<Value, Error> {
        self.enter(|| self.eval_parsed(&*self.engine.expression(expression)?))
    }

    /// Evaluates a condition, in which text literals may hold templates.
    pub(crate) fn eval_condition_text(&self, expression: &str) -> Result<Value, Error> {
        self.enter(|| {
            let value = self.eval_parsed(&*self.engine.condition(expression)?)?;
            self.finish(value)
        })
    }

    fn eval_parsed(&self, parsed: &crate::syntax::Expr) -> Result<Value, Error> {
        self.enter(|| {
            let root = Frame::root(false);
            let context = Context::new(&Template::empty(), root.clone());
            Interp::new(self, context, root).eval(parsed)
        })
    }

    /// Renders every template in a structure.
    pub fn template_value(&self, value: &Value) -> Result<Value, Error> {
        match value {
            Value::Str(text) if text.is_template() => match self.render(text) {
                Err(error) if *error.kind() == ErrorKind::Omitted => Ok(Value::Omit),
                other => other,
            },
            Value::Omit => Ok(Value::Omit),
            other => self.enter(|| self.finish(other.clone())),
        }
    }

    /// As [`Templar::template_value`], without those elements of lists that are undefined.
    pub fn template_defined(&self, value: &Value) -> Result<Value, Error> {
        self.forgiving.set(true);
        let made = self.template_value(value);
        self.forgiving.set(false);
        made
    }

    /// A result as it may leave the engine: rendered all the way down, without undefined values and `omit`.
    fn finish(&self, value: Value) -> Result<Value, Error> {
        match value {
            Value::Omit => Err(Error::new(
                ErrorKind::Omitted,
                "A template was resolved to an Omit scalar.",
            )),
            value => self.finish_within(value, 0),
        }
    }

    fn finish_within(&self, value: Value, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DATA_DEPTH {
            return Err(Error::new(
                ErrorKind::Recursion,
                "data is nested too deeply, or contains itself",
            ));
        }
        let all = |items: Vec<Value>| -> Result<Value, Error> {
            let mut finished = Vec::with_capacity(items.len());
            for item in items {
                match self.finish_within(item, depth + 1) {
                    Ok(Value::Omit) => {}
                    Err(e) if self.forgiving.get() && e.is_undefined() => {}
                    item => finished.push(item?),
                }
            }
            Ok(Value::list(finished))
        };
        match value {
            Value::Str(text) if text.is_template() => {
                let rendered = self.render_element(&text)?;
                self.finish_within(rendered, depth + 1)
            }
            Value::Str(text) if text.is_safe() => Ok(Value::Str(text.untrusted())),
            Value::Undefined(u) if u.is_lenient() => Err(unstorable(&Value::Undefined(u))),
            Value::Undefined(u) => Err(u.error()),
            Value::List(list) => all(list.to_vec()),
            Value::Tuple(items) => all(items.to_vec()),
            Value::Dict(dict) => {
                let finished = Dict::new();
                let entries: Vec<_> = dict
                    .borrow()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                finished.edit(|map| map.reserve(entries.len()));
                for (key, item) in entries {
                    match self.finish_within(item, depth + 1)? {
                        Value::Omit => {}
                        item => finished.insert(key, item),
                    }
                }
                Ok(Value::Dict(finished))
            }
            Value::Object(object) if object.is_storable() => Ok(Value::Object(object)),
            Value::Object(object) => object
                .to_data()
                .ok_or_else(|| unstorable(&Value::Object(object))),
            other => Ok(other),
        }
    }

    /// A container without templates. What cannot be rendered is undefined in it.
    pub(crate) fn force(&self, value: &Value) -> Result<Value, Error> {
        self.enter(|| self.force_within(value, 0))
    }

    fn force_within(&self, value: &Value, depth: usize) -> Result<Value, Error> {
        if depth > MAX_DATA_DEPTH {
            return Err(Error::new(
                ErrorKind::Recursion,
                "data is nested too deeply",
            ));
        }
        let address = match value {
            Value::Str(text) if text.is_template() => {
                return Ok(self.render_element(text).unwrap_or_else(|error| {
                    Value::Undefined(Rc::new(Undefined::from_error(error)))
                }));
            }
            Value::List(list) => list.address(),
            Value::Dict(dict) => dict.address(),
            Value::Tuple(items) => {
                let forced: Result<Vec<_>, _> = items
                    .iter()
                    .map(|item| self.force_within(item, depth + 1))
                    .collect();
                return Ok(Value::tuple(forced?));
            }
            other => return Ok(other.clone()),
        };
        if !has_templates(value, 0) {
            return Ok(value.clone());
        }
        if let Some((_, forced)) = self.forced.borrow().get(&address) {
            return Ok(forced.clone());
        }
        let forced = match value {
            Value::Dict(dict) => {
                let entries: Vec<_> = dict
                    .borrow()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect();
                let copy = Dict::new();
                for (key, item) in entries {
                    copy.insert(key, self.force_within(&item, depth + 1)?);
                }
                Value::Dict(copy)
            }
            other => {
                let items = crate::value::iterate(other)?;
                let forced: Result<Vec<_>, _> = items
                    .iter()
                    .map(|item| self.force_within(item, depth + 1))
                    .collect();
                Value::list(forced?)
            }
        };
        freeze(&forced, 0);
        self.forced
            .borrow_mut()
            .insert(address, (value.clone(), forced.clone()));
        Ok(forced)
    }

    /// A template that another names.
    pub(crate) fn load(&self, name: &Rc<str>) -> Result<Option<Rc<Template>>, Error> {
        if let Some(known) = self.loaded.borrow().get(name) {
            return Ok(Some(known.clone()));
        }
        let Some(loader) = self.engine.loader() else {
            return Ok(None);
        };
        let Some(source) = loader.load(name, None)? else {
            return Ok(None);
        };
        let options = self.file_options.borrow().clone();
        let template = Rc::new(parse_file(&source, name, &options)?);
        self.loaded
            .borrow_mut()
            .insert(name.clone(), template.clone());
        Ok(Some(template))
    }
}

impl Interp<'_> {
    /// Runs a template for a value of any type.
    fn native_result(&mut self, template: &Rc<Template>) -> Result<Value, Error> {
        self.run_template(template)?;
        self.take_output()
    }

    /// Runs a template for text.
    fn text_result(&mut self, template: &Rc<Template>) -> Result<String, Error> {
        self.replace_output(Out::text(template.size_hint.get()));
        self.run_template(template)?;
        match self.replace_output(Out::native()) {
            Out::Text { mut text, is_text } => {
                // A file that is one expression of another type ends without a newline, as before.
                if is_text {
                    restore_newlines(&mut text, template);
                }
                template.size_hint.set(text.len());
                Ok(text)
            }
            Out::Native(_) => Ok(String::new()),
        }
    }
}

/// Gives text as many newlines at its end as the template had, unless it has them already.
fn restore_newlines(text: &mut String, template: &Template) {
    let has = text.len() - text.trim_end_matches('\n').len();
    for _ in has..template.trailing_newlines {
        text.push_str(&template.newline);
    }
}

/// `vars`: all variables by name.
struct AllVariables {
    names: Vec<String>,
}

impl AllVariables {
    fn variable(&self, interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        if !self.names.iter().any(|known| known == name) {
            return Ok(None);
        }
        interp.templar.variable(&name.into()).map(Some)
    }

    /// The variables as a mapping, for its methods. What cannot be rendered fails only where it is asked for by name: here it
    /// is left out, and `keys` asks for no values at all.
    fn mapping(&self, interp: &mut Interp<'_>, values: bool) -> Result<Value, Error> {
        let dict = Dict::new();
        for name in &self.names {
            let value = match values {
                true => self.variable(interp, name).unwrap_or_default(),
                false => Some(Value::None),
            };
            if let Some(value) = value {
                dict.insert(Key::from_str(name.clone()), value);
            }
        }
        Ok(Value::Dict(dict))
    }
}

impl Object for AllVariables {
    fn type_name(&self) -> &str {
        "dict"
    }

    fn as_any(&self) -> &dyn std::any::Any {
        self
    }

    fn get_attr(&self, interp: &mut Interp<'_>, name: &str) -> Result<Option<Value>, Error> {
        if matches!(name, "keys" | "items" | "values" | "get") {
            let receiver = self.mapping(interp, name != "keys")?;
            let name = name.into();
            return Ok(Some(Value::object(Method { receiver, name })));
        }
        self.variable(interp, name)
    }

    fn get_item(&self, interp: &mut Interp<'_>, key: &Value) -> Result<Option<Value>, Error> {
        key.as_str()
            .map_or(Ok(None), |name| self.variable(interp, name))
    }

    fn iterate(&self) -> Option<Result<Vec<Value>, Error>> {
        Some(Ok(self
            .names
            .iter()
            .map(|name| Value::str(name.as_str()))
            .collect()))
    }

    fn contains(&self, item: &Value) -> Option<bool> {
        Some(
            item.as_str()
                .is_some_and(|name| self.names.iter().any(|known| known == name)),
        )
    }

    fn len(&self) -> Option<usize> {
        Some(self.names.len())
    }

    fn text(&self) -> String {
        "<all variables>".to_owned()
    }
}
