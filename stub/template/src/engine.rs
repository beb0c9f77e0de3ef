//! The engine: what all renderings share.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::host::{Host, PlainHost};
use crate::lookups::Lookups;
use crate::plugins::Plugins;
use crate::syntax::{self, Analysis, Expr, Syntax, Template};
use crate::templar::Templar;
use crate::value::Value;
use crate::{Error, ErrorKind};

/// Where variables come from. Values may hold templates ([`Value::trusted`] text): they are rendered when they
/// are reached.
pub trait Scope {
    /// The raw value of a variable.
    fn get(&self, name: &str) -> Result<Option<Value>, Error>;

    /// The names of all variables, for `varnames` and `vars`.
    fn names(&self) -> Vec<String>;
}

impl Scope for indexmap::IndexMap<String, Value> {
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        Ok(indexmap::IndexMap::get(self, name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

impl Scope for HashMap<String, Value> {
    fn get(&self, name: &str) -> Result<Option<Value>, Error> {
        Ok(HashMap::get(self, name).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.keys().cloned().collect()
    }
}

/// Finds the templates that `include`, `import` and `extends` name.
pub trait Loader {
    /// The text of a template, or `None` if there is none of that name. `from` is the template that asks.
    fn load(&self, name: &str, from: Option<&str>) -> Result<Option<String>, Error>;
}

/// How a template file is rendered.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// Delimiters and white space. A `#jinja2:` line at the top of the file overrides it.
    pub syntax: Syntax,
}

impl Default for FileOptions {
    /// The `template` module's defaults: blocks trimmed, escapes in strings.
    fn default() -> Self {
        FileOptions {
            syntax: Syntax {
                raw_backslashes: false,
                ..Syntax::default()
            },
        }
    }
}

/// How many parsed templates are kept.
const CACHE_SIZE: usize = 2048;

/// Plug-ins and parsed templates.
pub struct Engine<'e> {
    syntax: Syntax,
    host: Rc<dyn Host + 'e>,
    loader: Option<Rc<dyn Loader + 'e>>,
    lookups: Option<Rc<dyn Lookups + 'e>>,
    plugins: Option<Rc<dyn Plugins + 'e>>,
    templates: RefCell<HashMap<Rc<str>, Rc<Template>>>,
    expressions: RefCell<HashMap<Rc<str>, Rc<Expr>>>,
    conditions: RefCell<HashMap<Rc<str>, Rc<Expr>>>,
}

impl Default for Engine<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'e> Engine<'e> {
    /// An engine with Ansible's defaults and without plug-ins.
    pub fn new() -> Self {
        Engine {
            syntax: Syntax::default(),
            host: Rc::new(PlainHost),
            loader: None,
            lookups: None,
            plugins: None,
            templates: RefCell::default(),
            expressions: RefCell::default(),
            conditions: RefCell::default(),
        }
    }

    /// Sets the machine that file tests, `now()` and the like ask.
    pub fn with_host(mut self, host: Rc<dyn Host + 'e>) -> Self {
        self.host = host;
        self
    }

    /// Sets where included templates come from.
    pub fn with_loader(mut self, loader: Rc<dyn Loader + 'e>) -> Self {
        self.loader = Some(loader);
        self
    }

    /// Sets the lookups beyond those that need nothing but their arguments.
    pub fn with_lookups(mut self, lookups: Rc<dyn Lookups + 'e>) -> Self {
        self.lookups = Some(lookups);
        self
    }

    /// Sets the filters and tests beyond those of this crate.
    pub fn with_plugins(mut self, plugins: Rc<dyn Plugins + 'e>) -> Self {
        self.plugins = Some(plugins);
        self
    }

    /// Sets how strings in playbooks are read (the `do` statement, loop controls).
    pub fn with_syntax(mut self, syntax: Syntax) -> Self {
        self.syntax = syntax;
        self
    }

    pub(crate) fn host(&self) -> &(dyn Host + 'e) {
        &*self.host
    }

    pub(crate) fn lookups(&self) -> Option<&(dyn Lookups + 'e)> {
        self.lookups.as_deref()
    }

    pub(crate) fn plugins(&self) -> Option<&(dyn Plugins + 'e)> {
        self.plugins.as_deref()
    }

    pub(crate) fn loader(&self) -> Option<&(dyn Loader + 'e)> {
        self.loader.as_deref()
    }

    /// The parsed form of a string of a playbook.
    pub(crate) fn template(&self, text: &str) -> Result<Rc<Template>, Error> {
        if let Some(known) = self.templates.borrow().get(text) {
            return Ok(known.clone());
        }
        let template =
            Rc::new(syntax::parse_template(text, None, &self.syntax).map_err(in_template)?);
        remember(&mut self.templates.borrow_mut(), text, &template);
        Ok(template)
    }

    /// The parsed form of a bare expression.
    pub(crate) fn expression(&self, text: &str) -> Result<Rc<Expr>, Error> {
        self.parsed(&self.expressions, text, false)
    }

    /// The parsed form of a condition.
    pub(crate) fn condition(&self, text: &str) -> Result<Rc<Expr>, Error> {
        self.parsed(&self.conditions, text, true)
    }

    /// Bare expressions have escapes in their string literals, unlike the templates of a playbook.
    fn parsed(
        &self,
        cache: &RefCell<HashMap<Rc<str>, Rc<Expr>>>,
        text: &str,
        embedded_templates: bool,
    ) -> Result<Rc<Expr>, Error> {
        if let Some(known) = cache.borrow().get(text) {
            return Ok(known.clone());
        }
        let syntax = Syntax {
            raw_backslashes: false,
            embedded_templates,
            ..self.syntax.clone()
        };
        let expression =
            Rc::new(syntax::parse_expression(text, &syntax).map_err(in_expression(text))?);
        remember(&mut cache.borrow_mut(), text, &expression);
        Ok(expression)
    }

    /// Renders trusted text. A template that is one expression keeps its type; others become text.
    pub fn render_str(&self, scope: &dyn Scope, text: &str) -> Result<Value, Error> {
        Templar::new(self, scope).render(text)
    }

    /// Renders a template file.
    pub fn render_file(
        &self,
        scope: &dyn Scope,
        source: &str,
        name: &str,
        options: &FileOptions,
    ) -> Result<String, Error> {
        Templar::new(self, scope).render_file(source, name, options)
    }

    /// Evaluates a bare expression.
    pub fn eval_expr(&self, scope: &dyn Scope, expression: &str) -> Result<Value, Error> {
        Templar::new(self, scope).eval_expr(expression)
    }

    /// Evaluates a condition (`when`, `until`, `failed_when` …) by Ansible's rules.
    pub fn eval_condition(&self, scope: &dyn Scope, condition: &Value) -> Result<bool, Error> {
        Templar::new(self, scope).eval_condition(condition)
    }

    /// Renders every template in a structure; elements that are `omit` are left out, and a value that is
    /// `omit` as a whole gives [`Value::Omit`].
    pub fn template_value(&self, scope: &dyn Scope, value: &Value) -> Result<Value, Error> {
        Templar::new(self, scope).template_value(value)
    }

    /// What a template needs, or why it is none.
    pub fn check_syntax(&self, text: &str) -> Result<Analysis, Error> {
        Ok(syntax::analyse_template(&*self.template(text)?))
    }

    /// What a template file needs, or why it is none.
    pub fn check_file(
        &self,
        source: &str,
        name: &str,
        options: &FileOptions,
    ) -> Result<Analysis, Error> {
        let template = parse_file(source, name, options)?;
        Ok(syntax::analyse_template(&template))
    }

    /// What a bare expression needs, or why it is none.
    pub fn check_expr(&self, expression: &str) -> Result<Analysis, Error> {
        Ok(syntax::analyse_expression(&*self.expression(expression)?))
    }
}

/// Reads a template file with its header line.
pub(crate) fn parse_file(
    source: &str,
    name: &str,
    options: &FileOptions,
) -> Result<Template, Error> {
    let mut syntax = options.syntax.clone();
    let body = crate::header::read(source, &mut syntax)?;
    let mut template =
        syntax::parse_template(body, Some(name.into()), &syntax).map_err(in_template)?;
    // The lines that are restored at the end are as the task says, whatever the header does.
    template.newline = options.syntax.newline_sequence.as_str().into();
    Ok(template)
}

fn remember<T>(cache: &mut HashMap<Rc<str>, Rc<T>>, text: &str, parsed: &Rc<T>) {
    if cache.len() >= CACHE_SIZE {
        cache.clear();
    }
    cache.insert(text.into(), parsed.clone());
}

fn in_template(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Syntax => error.context("Syntax error in template: "),
        _ => error,
    }
}

fn in_expression(text: &str) -> impl Fn(Error) -> Error {
    let delimited = ["{{", "{%", "{#"].iter().any(|d| text.contains(d));
    move |error| match error.kind() {
        ErrorKind::Syntax if delimited => error.context(
            "Syntax error in expression. Template delimiters are not supported in expressions: ",
        ),
        ErrorKind::Syntax => error.context("Syntax error in expression: "),
        _ => error,
    }
}
