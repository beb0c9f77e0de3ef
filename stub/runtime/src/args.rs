//! Arguments checked and coerced by a module's SPEC.
//!
//! The same rules serve twice: when packing, where a value that is still a template is taken as it is, and when
//! running. Names, coercions and messages are Ansible's, since users search for them.

mod coerce;
pub(crate) mod described;

pub(crate) use coerce::{boolean, may_be_template, text, type_of};
pub use rustle_formats::nearest;
use rustle_formats::order;
use rustle_formats::{Map, Value};

use crate::spec::{Arg, Default, Rule, Spec};

/// A mistake in a task's arguments.
#[derive(Debug, Clone, PartialEq)]
pub struct ArgError {
    /// The argument as the user wrote it, where one is to blame.
    pub arg: Option<String>,
    /// What is wrong, in Ansible's words.
    pub message: String,
    /// The name that was probably meant.
    pub hint: Option<String>,
}

/// When arguments are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before templating: a string with `{{` or `{%` may become anything.
    Packing,
    /// After templating.
    Running,
}

/// A task's arguments by their declared names, of their declared types, with defaults.
#[derive(Debug, Clone, PartialEq, std::default::Default)]
pub struct Args {
    values: Map,
    given: Vec<String>,
}

impl Args {
    /// Checks and coerces `raw`.
    ///
    /// # Errors
    /// All mistakes that were found.
    pub fn check(spec: &Spec, raw: &Map, moment: Moment) -> Result<Args, Vec<ArgError>> {
        let mut errors = Vec::new();
        let mut args = Args::default();
        for (name, value) in raw {
            match spec.arg(name) {
                Some(arg) => args.take(arg, name, value, moment, &mut errors),
                None if spec.open => {
                    args.values.insert(name.clone(), value.clone());
                    args.given.push(name.clone());
                }
                None => errors.push(unknown(spec, name)),
            }
        }
        args.check_required(spec, &mut errors);
        args.check_rules(spec, moment, &mut errors);
        args.fill_defaults(spec);
        if errors.is_empty() {
            Ok(args)
        } else {
            Err(errors)
        }
    }

    fn take(
        &mut self,
        arg: &Arg,
        written: &str,
        value: &Value,
        moment: Moment,
        errors: &mut Vec<ArgError>,
    ) {
        if value.is_null() && !arg.required {
            return;
        }
        let template = moment == Moment::Packing && coerce::may_be_template(value);
        let coerced = if template {
            Ok(value.clone())
        } else {
            coerce::coerce(arg.kind, value).and_then(|v| coerce::check_choice(arg, v))
        };
        match coerced {
            Ok(v) => {
                self.values.insert(arg.name.to_owned(), v);
                self.given.push(arg.name.to_owned());
            }
            Err(message) => errors.push(ArgError {
                arg: Some(written.to_owned()),
                message,
                hint: None,
            }),
        }
    }

    fn check_required(&self, spec: &Spec, errors: &mut Vec<ArgError>) {
        let mut missing: Vec<&str> = spec
            .all_args()
            .filter(|a| a.required && !self.has(a.name))
            .filter(|a| {
                !errors.iter().any(|e| {
                    e.arg
                        .as_deref()
                        .is_some_and(|written| written == a.name || a.aliases.contains(&written))
                })
            })
            .map(|a| a.name)
            .collect();
        order::sort(&mut missing);
        if !missing.is_empty() {
            errors.push(ArgError {
                arg: None,
                message: format!("missing required arguments: {}", missing.join(", ")),
                hint: None,
            });
        }
    }

    fn check_rules(&self, spec: &Spec, moment: Moment, errors: &mut Vec<ArgError>) {
        let mut fail = |message: String| {
            errors.push(ArgError {
                arg: None,
                message,
                hint: None,
            });
        };
        // Before templating, what may turn out as `omit` is not surely there.
        let surely = |name: &str| {
            self.has(name)
                && !(moment == Moment::Packing && self.values.get(name).is_some_and(may_be_omitted))
        };
        for rule in spec.rules {
            match rule {
                Rule::MutuallyExclusive(names) => {
                    if names.iter().filter(|n| surely(n)).count() > 1 {
                        fail(format!(
                            "parameters are mutually exclusive: {}",
                            names.join("|")
                        ));
                    }
                }
                Rule::RequiredTogether(names) => {
                    let some = names.iter().any(|n| surely(n));
                    if some && !names.iter().all(|n| self.has(n)) {
                        fail(format!(
                            "parameters are required together: {}",
                            names.join(", ")
                        ));
                    }
                }
                Rule::RequiredOneOf(names) => {
                    if !names.iter().any(|n| self.has(n)) {
                        fail(format!(
                            "one of the following is required: {}",
                            names.join(", ")
                        ));
                    }
                }
                Rule::RequiredIf {
                    arg,
                    value,
                    needs,
                    any,
                } => {
                    let actual = self
                        .values
                        .get(*arg)
                        .map(coerce::text)
                        .or_else(|| spec.arg(arg).and_then(|a| a.default).map(default_text));
                    let unknown = moment == Moment::Packing
                        && self.values.get(*arg).is_some_and(coerce::may_be_template);
                    if unknown || actual.as_deref() != Some(*value) {
                        continue;
                    }
                    let missing: Vec<&str> =
                        needs.iter().copied().filter(|n| !self.has(n)).collect();
                    if *any && missing.len() == needs.len() {
                        fail(format!(
                            "{arg} is {value} but any of the following are missing: {}",
                            needs.join(", ")
                        ));
                    } else if !*any && !missing.is_empty() {
                        fail(format!(
                            "{arg} is {value} but all of the following are missing: {}",
                            missing.join(", ")
                        ));
                    }
                }
                Rule::RequiredBy(name, needs) => {
                    let missing: Vec<&str> =
                        needs.iter().copied().filter(|n| !self.has(n)).collect();
                    if surely(name) && !missing.is_empty() {
                        fail(format!(
                            "missing parameter(s) required by '{name}': {}",
                            missing.join(", ")
                        ));
                    }
                }
            }
        }
    }

    fn fill_defaults(&mut self, spec: &Spec) {
        for arg in spec.all_args() {
            if let (false, Some(default)) = (self.values.contains_key(arg.name), arg.default) {
                let value = match default {
                    Default::Str(s) => Value::Str(s.to_owned()),
                    Default::Bool(b) => Value::Bool(b),
                    Default::Int(i) => Value::Int(i),
                    Default::EmptyList => Value::List(Vec::new()),
                    Default::EmptyDict => Value::Map(Map::new()),
                };
                self.values.insert(arg.name.to_owned(), value);
            }
        }
    }

    /// Whether the user gave it (a default does not count).
    pub fn has(&self, name: &str) -> bool {
        self.given.iter().any(|g| g == name)
    }

    /// The value, given or default.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// All values.
    pub fn values(&self) -> &Map {
        &self.values
    }

    /// The text of a Str, Path, Mode or Json argument.
    pub fn str(&self, name: &str) -> Option<&str> {
        self.values.get(name).and_then(Value::as_str)
    }

    /// The text of an argument that is required or has a default. An empty text where it has neither.
    pub fn text(&self, name: &str) -> &str {
        self.str(name).unwrap_or_default()
    }

    /// The boolean of an argument; `false` where it is not given and has no default.
    pub fn bool(&self, name: &str) -> bool {
        self.values
            .get(name)
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// The boolean, if it is given or has a default.
    pub fn opt_bool(&self, name: &str) -> Option<bool> {
        self.values.get(name).and_then(Value::as_bool)
    }

    /// The number, if it is given or has a default.
    pub fn int(&self, name: &str) -> Option<i64> {
        self.values.get(name).and_then(Value::as_i64)
    }

    /// The number, if it is given or has a default; whole numbers too.
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.values.get(name) {
            Some(Value::Float(f)) => Some(*f),
            Some(Value::Int(i)) => Some(*i as f64),
            _ => None,
        }
    }

    /// The elements of a list as text; `None` where it is not given and has no default.
    pub fn list(&self, name: &str) -> Option<Vec<String>> {
        self.values
            .get(name)
            .and_then(Value::as_list)
            .map(|l| l.iter().map(coerce::text).collect())
    }
}

/// Whether a value is a template that may resolve to `omit`.
fn may_be_omitted(value: &Value) -> bool {
    matches!(value, Value::Str(text) if coerce::may_be_template(value) && text.contains("omit"))
}

fn default_text(default: Default) -> String {
    match default {
        Default::Str(s) => s.to_owned(),
        Default::Bool(b) => coerce::text(&Value::Bool(b)),
        Default::Int(i) => i.to_string(),
        Default::EmptyList | Default::EmptyDict => String::new(),
    }
}

/// The one sentence that a task with these mistakes fails with: Ansible tells the first one, and unknown arguments last
/// and together.
pub(crate) fn first_message(spec: &Spec, errors: &[ArgError]) -> String {
    let is_unknown = |e: &&ArgError| e.arg.as_deref().is_some_and(|a| spec.arg(a).is_none());
    if let Some(error) = errors.iter().find(|e| !is_unknown(e)) {
        return error.message.clone();
    }
    let sorted = |mut words: Vec<&str>| {
        order::sort(&mut words);
        words.join(", ")
    };
    let given = sorted(errors.iter().filter_map(|e| e.arg.as_deref()).collect());
    // `command` has it, and is what runs: Ansible refuses this one on its own.
    if spec.name == "shell" && given == "expand_argument_vars" {
        return format!("Unsupported parameters for (shell) module: {given}");
    }
    let names = sorted(spec.all_args().map(|a| a.name).collect());
    let aliases = sorted(
        spec.all_args()
            .flat_map(|a| a.aliases.iter().copied())
            .collect(),
    );
    let aliases = if aliases.is_empty() {
        aliases
    } else {
        format!(" ({aliases})")
    };
    let module = match spec.collection {
        "ansible.builtin" => spec.name.to_owned(),
        _ => spec.full_name(),
    };
    format!(
        "Unsupported parameters for ({module}) module: {given}. Supported parameters include: {names}{aliases}."
    )
}

fn unknown(spec: &Spec, name: &str) -> ArgError {
    let mut names: Vec<&str> = spec.all_args().map(|a| a.name).collect();
    order::sort(&mut names);
    let all: Vec<&str> = spec
        .all_args()
        .flat_map(|a| std::iter::once(a.name).chain(a.aliases.iter().copied()))
        .collect();
    ArgError {
        arg: Some(name.to_owned()),
        message: format!(
            "Unsupported parameters for ({}) module: {name}. Supported parameters include: {}.",
            spec.name,
            names.join(", ")
        ),
        hint: nearest(name, &all).map(str::to_owned),
    }
}
