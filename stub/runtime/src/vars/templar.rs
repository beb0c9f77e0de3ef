//! Templating with a task's variables.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use indexmap::IndexMap;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::{Map, Value};
use rustle_template::{
    Dict, Engine, Error, ErrorKind, FileOptions, Key, Templar as Inner, UNTRUSTED,
    Value as Rendered,
};

use super::hostvars::Others;
use super::lookups::{Files, Further, Plugins};
use super::{TaskVars, machine};
use crate::args::text;
use crate::context::{RenderRequest, Variables};
use crate::engine::{Driver, Frame, is_include};

/// Why something could not be templated.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TemplateError {
    /// The sentence, in Ansible's words.
    pub message: String,
    /// Whether it is that something is undefined.
    pub undefined: bool,
}

impl From<Error> for TemplateError {
    fn from(error: Error) -> TemplateError {
        TemplateError {
            message: error.message().to_owned(),
            undefined: error.is_undefined(),
        }
    }
}

/// The error of a text that is a `kind`. Ansible finds unknown filters and tests while it reads the text, before it
/// evaluates anything.
fn in_text(kind: &str) -> impl Fn(Error) -> TemplateError {
    move |error| {
        let message = error.message();
        let message = message
            .strip_prefix("Error while evaluating conditional: ")
            .unwrap_or(message);
        let begins = match error.kind() {
            ErrorKind::UnknownFilter(_) | ErrorKind::UnknownTest(_) => "Syntax error in",
            ErrorKind::Type | ErrorKind::Value if !names_a_plugin(message) => "Error rendering",
            _ => return error.into(),
        };
        TemplateError {
            message: format!("{begins} {kind}: {message}"),
            undefined: false,
        }
    }
}

/// Whether a value has no form outside of templates.
fn is_unstorable(error: &Error) -> bool {
    error
        .message()
        .ends_with("is unsupported for variable storage.")
}

/// Whether a sentence is about a filter, a test or a lookup that failed.
fn names_a_plugin(message: &str) -> bool {
    message.starts_with("The ") && message.contains(" plugin '")
}

/// What all templating of a run shares: parsed templates, lookups, the other hosts' variables.
pub(crate) struct Templates<'r> {
    engine: Engine<'r>,
    /// Folders of assets in which the current task's files are looked for.
    search: Rc<RefCell<Vec<String>>>,
    /// Whether the current task includes tasks: then files of tasks are looked for first.
    including: Rc<Cell<bool>>,
    /// The folder that the current task's files lie in.
    kind: Cell<&'static str>,
    beside: Rc<Cell<Option<&'static str>>>,
    pub(super) others: Others,
}

impl<'r> Templates<'r> {
    pub(crate) fn new(plan: &'r ExecutionPlan, driver: &'r dyn Driver) -> Templates<'r> {
        let search: Rc<RefCell<Vec<String>>> = Rc::default();
        let including: Rc<Cell<bool>> = Rc::default();
        let beside: Rc<Cell<Option<&'static str>>> = Rc::default();
        let files = Files {
            plan,
            driver,
            including: including.clone(),
            beside: beside.clone(),
            search: search.clone(),
        };
        let mut engine = Engine::new()
            .with_host(Rc::new(machine::Seen::of(driver.machine())))
            .with_loader(Rc::new(files.clone()))
            .with_lookups(Rc::new(Plugins { files }));
        if let Some(controller) = driver.controller() {
            engine = engine.with_plugins(Rc::new(Further(controller)));
        }
        Templates {
            engine,
            search,
            including,
            kind: Cell::new("files"),
            beside,
            others: Others::default(),
        }
    }

    /// Another host's variables, with templates in them rendered with themselves. What cannot be rendered so stays a
    /// template, and fails where it is used.
    pub(super) fn in_own_words(&self, vars: &IndexMap<String, Rendered>) -> Dict {
        let inner = Inner::new(&self.engine, vars);
        let dict = Dict::new();
        for (name, value) in vars {
            let value = inner
                .template_value(value)
                .unwrap_or_else(|_| value.clone());
            dict.insert(Key::from_str(name.as_str()), value);
        }
        dict
    }

    /// Says where the current task's files are looked for, and forgets what other hosts' variables were before it.
    pub(crate) fn begin_task(&self, frame: &Frame<'_>) {
        *self.search.borrow_mut() = frame.folders();
        self.including.set(is_include(&frame.task.module));
        // Ansible goes by what the action is called.
        let module = frame.task.module.as_str();
        self.kind.set(match module {
            module if module.contains("template") => "templates",
            module if module.contains("var") => "vars",
            _ => "files",
        });
        self.others.forget();
    }
}

/// Templates with a task's variables.
pub(crate) struct Templar<'t, 'r> {
    templates: &'t Templates<'r>,
    vars: &'t TaskVars<'t, 'r>,
    /// What was rendered with the variables as they were at this point of their history.
    inner: RefCell<Option<(u64, Rc<Inner<'t>>)>>,
}

impl<'t, 'r> Templar<'t, 'r> {
    pub(crate) fn new(templates: &'t Templates<'r>, vars: &'t TaskVars<'t, 'r>) -> Self {
        Templar {
            templates,
            vars,
            inner: RefCell::default(),
        }
    }

    /// The variables.
    pub(crate) fn vars(&self) -> &'t TaskVars<'t, 'r> {
        self.vars
    }

    /// Calls `work` with a template engine that sees the variables as they are now; again where it met another
    /// host's variables, which had to be asked for.
    fn with<R>(&self, work: impl Fn(&Inner<'t>) -> Result<R, Error>) -> Result<R, Error> {
        loop {
            let inner = self.inner();
            let result = work(&inner);
            match (result, self.templates.others.wanted()) {
                (result, None) => return result,
                (_, Some(host)) => {
                    let vars = self.vars.of_host(&host);
                    self.templates.others.learn(host, vars);
                    self.inner.borrow_mut().take();
                }
            }
        }
    }

    fn inner(&self) -> Rc<Inner<'t>> {
        let now = self.vars.store().generation.get();
        let mut slot = self.inner.borrow_mut();
        if let Some((then, inner)) = slot.as_ref()
            && *then == now
        {
            return inner.clone();
        }
        let inner = Rc::new(Inner::new(&self.templates.engine, self.vars));
        *slot = Some((now, inner.clone()));
        inner
    }

    /// Templates a value all the way down. `None`: it is omitted.
    pub(crate) fn value(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        if is_plain(value) {
            return Ok(Some(value.clone()));
        }
        let raw = self.vars.convert(value, true)?;
        let rendered = self
            .with(|inner| inner.template_value(&raw))
            .map_err(in_text("template"))?;
        if matches!(rendered, Rendered::Omit) {
            return Ok(None);
        }
        Ok(Some(rendered.to_formats()?))
    }

    /// The items of a loop, or the terms of its lookup (`with_NAME`; empty: none): as [`Templar::value`], with text that a
    /// template made, and no playbook wrote, as [`Value::Unsafe`]. `first_found` passes over what is undefined.
    pub(crate) fn items(
        &self,
        lookup: &str,
        value: &Value,
    ) -> Result<Option<Value>, TemplateError> {
        let raw = self.vars.convert(value, true)?;
        let rendered = self
            .with(|inner| match lookup {
                "first_found" => inner.template_defined(&raw),
                _ => inner.template_value(&raw),
            })
            .map_err(in_text("template"))?;
        if matches!(rendered, Rendered::Omit) {
            return Ok(None);
        }
        Ok(Some(rendered.to_formats_keeping_trust()?))
    }

    /// The items that a lookup makes of terms (`with_NAME`), both as [`Templar::items`] gives them.
    pub(crate) fn lookup(&self, name: &str, terms: &Value) -> Result<Value, TemplateError> {
        let terms = match Rendered::from_formats(terms, true) {
            Rendered::List(list) => list.to_vec(),
            one => vec![one],
        };
        let templates = self.templates;
        templates.beside.set(Some(templates.kind.get()));
        let found = self.with(|inner| inner.lookup(name, terms.clone()));
        templates.beside.set(None);
        Ok(found?.to_formats_keeping_trust()?)
    }

    /// Evaluates an expression.
    pub(crate) fn expression(&self, text: &str) -> Result<Value, TemplateError> {
        let rendered = self
            .with(|inner| inner.eval_expr(text))
            .map_err(in_text("expression"))?;
        Ok(rendered.to_formats()?)
    }

    /// The value of `debug`'s `var`, where it must be an expression that may be evaluated: `None` where it is omitted.
    ///
    /// # Errors
    /// Where it cannot be templated, or gives text that nobody trusts.
    pub(crate) fn expression_text(&self, written: &Value) -> Result<Option<Value>, TemplateError> {
        let raw = self.vars.convert(written, true)?;
        let rendered = self
            .with(|inner| inner.template_value(&raw))
            .map_err(in_text("template"))?;
        match &rendered {
            Rendered::Omit => Ok(None),
            Rendered::Str(text) if !text.is_trusted() => Err(TemplateError {
                message: UNTRUSTED.into(),
                undefined: false,
            }),
            other => Ok(Some(other.to_formats()?)),
        }
    }

    /// Evaluates one condition.
    pub(crate) fn condition(&self, condition: &Value) -> Result<bool, TemplateError> {
        let lenient = self.vars().store().options.broken_conditionals;
        match condition {
            Value::Bool(holds) => Ok(*holds),
            Value::Null => Ok(true),
            Value::Str(text) => {
                let condition = Rendered::trusted(text.as_str());
                self.with(|inner| match lenient {
                    true => inner.eval_truth(&condition),
                    false => inner.eval_condition(&condition),
                })
                .map_err(in_text("expression"))
            }
            Value::Unsafe(_) => Err(TemplateError {
                message: UNTRUSTED.into(),
                undefined: false,
            }),
            other if lenient => Ok(Rendered::from_formats(other, true).truth()?),
            _ => Err(TemplateError {
                message: "Conditional expressions must be strings.".into(),
                undefined: false,
            }),
        }
    }

    /// Text in which what cannot be templated is replaced by the reason, as Ansible prints names of tasks.
    pub(crate) fn lenient_text(&self, written: &str) -> String {
        if !written.contains("{{") && !written.contains("{%") {
            return written.to_owned();
        }
        if let Ok(value) = self.value(&Value::Str(written.to_owned())) {
            return text(&value.unwrap_or_default());
        }
        let mut out = String::new();
        let mut rest = written;
        let mut errors = 0;
        while let Some(start) = rest.find("{{") {
            let end = rest[start..]
                .find("}}")
                .map_or(rest.len(), |e| start + e + 2);
            out.push_str(&rest[..start]);
            match self.value(&Value::Str(rest[start..end].to_owned())) {
                Ok(value) => out.push_str(&text(&value.unwrap_or_default())),
                Err(e) => {
                    errors += 1;
                    out.push_str(&format!("<< error {errors} - {} >>", e.message));
                }
            }
            rest = &rest[end..];
        }
        out.push_str(rest);
        out
    }

    /// Renders a template file.
    pub(crate) fn render(&self, request: &RenderRequest<'_>) -> Result<String, String> {
        let mut options = FileOptions::default();
        apply_options(&request.options, &mut options)?;
        let outer = self.vars.set_file(request.about.clone());
        let rendered = self.with(|inner| inner.render_file(request.text, request.name, &options));
        self.vars.set_file(outer);
        rendered.map_err(|e| match (e.kind(), e.line()) {
            (ErrorKind::Syntax | ErrorKind::Undefined { .. }, line) if line > 0 => {
                format!("{} (line {line}, column {})", e.message(), e.column())
            }
            _ => e.to_string(),
        })
    }
}

/// Whether a value is the same after templating.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Str(text) => !text.contains('{') || !may_render(text),
        Value::Unsafe(_) | Value::Secret(_) => false,
        Value::List(list) => list.iter().all(is_plain),
        Value::Map(map) => map.values().all(is_plain),
        Value::Pairs(pairs) => pairs.iter().all(|(_, v)| is_plain(v)),
        _ => true,
    }
}

fn may_render(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

/// The options of the module `template`, by Ansible's names.
pub(crate) fn apply_options(given: &Map, options: &mut FileOptions) -> Result<(), String> {
    let syntax = &mut options.syntax;
    for (name, value) in given {
        let flag = || {
            value
                .as_bool()
                .ok_or_else(|| format!("the template option {name} is no boolean"))
        };
        match name.as_str() {
            "block_start_string" => syntax.block_start = text(value),
            "block_end_string" => syntax.block_end = text(value),
            "variable_start_string" => syntax.variable_start = text(value),
            "variable_end_string" => syntax.variable_end = text(value),
            "comment_start_string" => syntax.comment_start = text(value),
            "comment_end_string" => syntax.comment_end = text(value),
            "newline_sequence" => syntax.newline_sequence = text(value),
            "trim_blocks" => syntax.trim_blocks = flag()?,
            "lstrip_blocks" => syntax.lstrip_blocks = flag()?,
            "keep_trailing_newline" => syntax.keep_trailing_newline = flag()?,
            other => return Err(format!("unknown template option {other}")),
        }
    }
    Ok(())
}

impl Variables for Templar<'_, '_> {
    fn show(&self, expression: &str) -> Result<(Value, Option<String>), String> {
        let value = self.with(|inner| inner.eval_expr(expression));
        match value {
            Ok(value) => {
                let value = value.to_formats().map_err(|e| e.message().to_owned())?;
                Ok((value, None))
            }
            Err(e) if *e.kind() == ErrorKind::Omitted => Ok((
                "<<Omit>>".into(),
                Some("The result of the `var` expression could not be omitted; a placeholder was used instead.".into()),
            )),
            // What cannot be data (`vars`, say) is told in its place too.
            Err(e) if e.is_undefined() || is_unstorable(&e) => {
                let why = e.message();
                let warning = format!("Encountered 1 template error.\nerror 1 - {why}");
                Ok((format!("<< error 1 - {why} >>").into(), Some(warning)))
            }
            Err(e) => Err(in_text("expression")(e).message),
        }
    }

    fn get(&self, name: &str) -> Result<Option<Value>, String> {
        if !self.vars.has(name) {
            return Ok(None);
        }
        self.expression(name).map(Some).map_err(|e| e.message)
    }

    fn has(&self, name: &str) -> bool {
        self.vars.has(name)
    }

    fn conditions(&self, expression: &str) -> Result<Option<Vec<Value>>, String> {
        let value = self.with(|inner| inner.eval_expr(expression));
        let Rendered::List(list) = value.map_err(|e| in_text("expression")(e).message)? else {
            return Ok(None);
        };
        let condition = |value: &Rendered| match value {
            Rendered::Str(text) if !text.is_trusted() => Ok(Value::Unsafe(text.to_string())),
            other => other.to_formats().map_err(|e| e.message().to_owned()),
        };
        list.to_vec()
            .iter()
            .map(condition)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    fn condition(&self, condition: &Value) -> Result<bool, String> {
        Templar::condition(self, condition).map_err(|e| e.message)
    }

    fn render(&self, request: &RenderRequest<'_>) -> Result<String, String> {
        Templar::render(self, request)
    }
}
