//! What can be said about a text of the plan that is a template or an expression: worked out once however many tasks
//! hold it.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rustle_formats::nearest;
use rustle_template::{Analysis, Engine, Error, FileOptions, names};

use super::{HasPlugin, did_you_mean};
use crate::vars::{CONTROLLER_LOOKUPS, LOOKUPS};

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Text with templates in it.
    Template,
    /// An expression, or a template that gives one, as `when` takes it.
    Condition,
}

/// Something wrong with a text.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) message: String,
    /// Line and column in the text, from 1; 0: unknown.
    pub(super) at: (u32, u32),
    pub(super) hint: Option<String>,
}

/// What is known about a text.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub(super) analysis: Analysis,
    pub(super) faults: Vec<Fault>,
}

/// All texts that were looked at.
pub(super) struct Texts<'a> {
    engine: Engine<'static>,
    templates: HashMap<Rc<str>, Rc<Looked>>,
    expressions: HashMap<Rc<str>, Rc<Looked>>,
    filters: Vec<&'static str>,
    tests: Vec<&'static str>,
    lookups: Vec<&'static str>,
    /// The variables that any text uses, in whatever way.
    pub(super) mentioned: HashSet<Rc<str>>,
    /// Whether the controller has a filter, test or lookup.
    plugin: Option<&'a HasPlugin<'a>>,
}

impl<'a> Texts<'a> {
    pub(super) fn new(plugin: Option<&'a HasPlugin<'a>>) -> Texts<'a> {
        Texts {
            engine: Engine::new(),
            templates: HashMap::new(),
            expressions: HashMap::new(),
            filters: names::filters().collect(),
            tests: names::tests().collect(),
            lookups: names::lookups().chain(LOOKUPS.iter().copied()).collect(),
            mentioned: HashSet::new(),
            plugin,
        }
    }

    /// Looks at a text; nothing where it is no template.
    pub(super) fn look(&mut self, text: &str, reading: Reading) -> Option<Rc<Looked>> {
        let template = match reading {
            Reading::Template => true,
            Reading::Condition => names::is_template(text) && text.trim_start().starts_with('{'),
        };
        if text.is_empty() || (reading == Reading::Template && !names::is_template(text)) {
            return None;
        }
        let cache = match template {
            true => &self.templates,
            false => &self.expressions,
        };
        if let Some(known) = cache.get(text) {
            return Some(known.clone());
        }
        let result = match template {
            true => self.engine.check_syntax(text),
            false => self.engine.check_expr(text),
        };
        let looked = Rc::new(self.judge(result));
        let cache = match template {
            true => &mut self.templates,
            false => &mut self.expressions,
        };
        cache.insert(text.into(), looked.clone());
        Some(looked)
    }

    /// Looks at a template file.
    pub(super) fn look_file(&mut self, source: &str, name: &str, options: &FileOptions) -> Looked {
        let result = self.engine.check_file(source, name, options);
        self.judge(result)
    }

    fn judge(&mut self, result: Result<Analysis, Error>) -> Looked {
        let analysis = match result {
            Ok(analysis) => analysis,
            Err(error) => {
                let fault = Fault {
                    message: error.message().to_owned(),
                    at: (error.line(), error.column()),
                    hint: None,
                };
                return Looked {
                    analysis: Analysis::default(),
                    faults: vec![fault],
                };
            }
        };
        self.mentioned.extend(analysis.mentioned.iter().cloned());
        let mut faults = Vec::new();
        let has = |kind: &str, name: &str| self.plugin.is_some_and(|known| known(kind, name));
        let unknown_filters = analysis.unknown_filters.iter();
        for (name, line, column) in unknown_filters.filter(|(name, ..)| !has("filter", name)) {
            faults.push(unknown("filter", name, (*line, *column), &self.filters));
        }
        let unknown_tests = analysis.unknown_tests.iter();
        for (name, line, column) in unknown_tests.filter(|(name, ..)| !has("test", name)) {
            faults.push(unknown("test", name, (*line, *column), &self.tests));
        }
        for (name, line, column) in &analysis.lookups {
            let short = names::without_collection(name);
            if self.lookups.contains(&short) || has("lookup", short) {
                continue;
            }
            if CONTROLLER_LOOKUPS.contains(&short) {
                faults.push(Fault {
                    message: format!(
                        "the lookup `{name}` needs the controller, and an artifact runs without one"
                    ),
                    at: (*line, *column),
                    hint: None,
                });
            } else {
                faults.push(unknown("lookup", name, (*line, *column), &self.lookups));
            }
        }
        Looked { analysis, faults }
    }
}

fn unknown(what: &str, name: &str, at: (u32, u32), known: &[&str]) -> Fault {
    Fault {
        message: format!("unknown {what} `{name}`"),
        at,
        hint: did_you_mean(nearest(names::without_collection(name), known)),
    }
}

/// A place in a text, as messages end with it.
pub(super) fn place((line, column): (u32, u32)) -> String {
    match (line, column) {
        (0, _) => String::new(),
        (line, 0) => format!(" (line {line})"),
        (line, column) => format!(" (line {line}, column {column})"),
    }
}

/// Whether the runner has a lookup of this name by itself.
pub fn is_native_lookup(name: &str) -> bool {
    let mut all = names::lookups().chain(LOOKUPS.iter().copied());
    all.any(|known| known == names::without_collection(name))
}
