//! Templates and expressions: their syntax, their filters, tests and lookups, and the variables that they need.

use std::collections::HashSet;
use std::rc::Rc;

use rustle_formats::plan::ExecutionPlan;
use rustle_template::{Analysis, Engine, Error, ErrorKind, FileOptions};

use super::names::Names;
use super::scan::{self, Text};
use super::walk::Placed;
use super::{Problem, TextOf, Wanted};
use crate::modules;

/// Lookups that the runner has beyond those of the template engine, and those that it never will have alone.
const LOOKUPS: &[&str] = &[
    "env",
    "file",
    "unvault",
    "template",
    "fileglob",
    "first_found",
];

/// Lookups of the template engine that need nothing but their arguments.
const PLAIN_LOOKUPS: &[&str] = &[
    "items",
    "list",
    "flattened",
    "indexed_items",
    "dict",
    "nested",
    "together",
    "subelements",
    "sequence",
    "random_choice",
    "vars",
    "varnames",
];

/// Checks texts.
pub(super) struct Expressions {
    engine: Engine<'static>,
    pub names: Names,
}

impl Expressions {
    pub(super) fn new(names: Names) -> Expressions {
        Expressions {
            engine: Engine::new(),
            names,
        }
    }

    /// Checks all texts of a task.
    pub(super) fn task(&self, placed: &Placed<'_>, out: &mut Vec<Problem>) {
        let spec = modules::find(&placed.frame.task.module).map(|m| m.spec());
        let guarded = self.guards(placed);
        for text in scan::texts(placed.frame.task, spec) {
            let guarded = (!text.below.starts_with("/when")).then_some(&guarded);
            self.text(placed, &text, guarded, out);
        }
    }

    /// Names that the task's conditions look at: what is used under them may be undefined elsewhere.
    fn guards(&self, placed: &Placed<'_>) -> HashSet<Rc<str>> {
        let mut names = HashSet::new();
        for condition in placed.frame.when() {
            if let Some(text) = condition.as_str()
                && let Ok(analysis) = self.engine.check_expr(text)
            {
                names.extend(analysis.mentioned);
            }
        }
        names
    }

    fn text(
        &self,
        placed: &Placed<'_>,
        text: &Text<'_>,
        guarded: Option<&HashSet<Rc<str>>>,
        out: &mut Vec<Problem>,
    ) {
        let template = text.text.contains("{{") || text.text.contains("{%");
        let analysis = if template {
            self.engine.check_syntax(text.text)
        } else if text.expression && !text.text.trim().is_empty() {
            self.engine.check_expr(text.text)
        } else {
            return;
        };
        match analysis {
            Ok(analysis) => self.analysed(placed, &text.below, &analysis, guarded, out),
            Err(error) => out.push(placed.problem(&text.below, syntax(&error))),
        }
    }

    fn analysed(
        &self,
        placed: &Placed<'_>,
        below: &str,
        analysis: &Analysis,
        guarded: Option<&HashSet<Rc<str>>>,
        out: &mut Vec<Problem>,
    ) {
        for (name, _, _) in &analysis.unknown_filters {
            out.push(placed.problem(below, format!("there is no filter `{name}`")));
        }
        for (name, _, _) in &analysis.unknown_tests {
            out.push(placed.problem(below, format!("there is no test `{name}`")));
        }
        for (name, _, _) in &analysis.lookups {
            let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
            if !LOOKUPS.contains(&short) && !PLAIN_LOOKUPS.contains(&short) {
                out.push(placed.problem(
                    below,
                    format!("the lookup `{name}` needs a controller, or does not exist"),
                ));
            }
        }
        if placed.forgiven {
            return;
        }
        for name in &analysis.required {
            if self.names.is_undefined(name) && !guarded.is_some_and(|g| g.contains(name)) {
                let mut found = placed.problem(below, format!("`{name}` is undefined"));
                found.hint = Some(match self.names.near(name) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => {
                        "no variable, registered result, fact or loop of the plan has this name"
                            .into()
                    }
                });
                out.push(found);
            }
        }
    }

    /// Checks the template files that tasks name.
    pub(super) fn files(
        &self,
        placed: &[Placed<'_>],
        plan: &ExecutionPlan,
        text_of: &TextOf<'_>,
        out: &mut Vec<Problem>,
    ) {
        let mut seen = HashSet::new();
        for request in super::assets::requests(plan, placed, &self.names) {
            let Wanted::File(name) = &request.wanted else {
                continue;
            };
            let Some(task) = placed
                .get(request.index)
                .filter(|_| request.kind == "templates")
            else {
                continue;
            };
            if !seen.insert((name.clone(), request.folders.clone())) {
                continue;
            }
            let Some(text) = text_of(&request) else {
                continue;
            };
            let below = request.pointer[task.pointer.len()..].to_owned();
            match self.engine.check_file(&text, name, &FileOptions::default()) {
                Ok(analysis) => {
                    let guards = self.guards(task);
                    let before = out.len();
                    self.analysed(task, &below, &analysis, Some(&guards), out);
                    for found in &mut out[before..] {
                        found.message = format!("{name}: {}", found.message);
                    }
                }
                // With delimiters of its own, the file is checked by the run.
                Err(_) if task.frame.task.args.keys().any(|k| k.ends_with("_string")) => {}
                Err(error) => {
                    out.push(task.problem(&below, format!("{name}: {}", syntax(&error))));
                }
            }
        }
    }
}

fn syntax(error: &Error) -> String {
    let place = match error.line() {
        0 => String::new(),
        line => format!(" (line {line}, column {})", error.column()),
    };
    match error.kind() {
        ErrorKind::Syntax => format!("{}{place}", error.message()),
        _ => error.to_string(),
    }
}
