//! What can be known to be wrong with a plan before it is packed: an artifact that is sure to fail on its target should
//! not be made.
//!
//! The rules are the engine's own (its modules' SPECs, its layers of variables, its order of tasks), asked without
//! running anything. What a run decides (which branch of a template, which item, which host) is left to the run; what
//! would fail in a task that may be skipped is a [`Severity::Warning`].
//!
//! All problems are reported, in time linear in the plan: what is said about a text is worked out once for all tasks
//! that hold it.

mod assets;
mod defined;
mod files;
mod handlers;
mod includes;
mod keywords;
mod modules;
mod offline;
mod order;
mod places;
mod scan;
mod texts;
mod variables;

use rustle_formats::plan::{ExecutionPlan, Source};

pub use crate::vars::CONTROLLER_LOOKUPS;
pub use assets::{AssetRequest, Wanted, asset_requests};
pub use offline::reason as controller_reason;
pub use texts::is_native_lookup;

use defined::Defined;
use places::{Placed, Tree};
use scan::Scan;

/// How sure it is that a run would fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The plan cannot run as it is meant.
    Error,
    /// It may be meant so, but probably is not.
    Warning,
}

/// When a run comes to know of something that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Class {
    /// Where it reaches it: a task that is never reached may have it.
    #[default]
    Mistake,
    /// Before anything is done: this program cannot do it, or Ansible refuses the playbook for it.
    Refused,
}

/// Something wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How grave it is.
    pub severity: Severity,
    /// Whether a run that never comes to it is right.
    pub class: Class,
    /// The task's id, where one is concerned.
    pub task: Option<String>,
    /// The task's name.
    pub name: Option<String>,
    /// Where the task was written in a playbook.
    pub source: Option<Source>,
    /// The place in the plan document, a JSON pointer: `/plays/0/batches/0/tasks/3/args/onwer`.
    pub pointer: String,
    /// Whether the key there is to blame, rather than its value.
    pub key: bool,
    /// What is wrong.
    pub message: String,
    /// More about it, a sentence each.
    pub notes: Vec<String>,
    /// What may help.
    pub hint: Option<String>,
}

impl Problem {
    /// An error that no task is to blame for.
    pub fn new(pointer: impl Into<String>, message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            class: Class::Mistake,
            task: None,
            name: None,
            source: None,
            pointer: pointer.into(),
            key: false,
            message: message.into(),
            notes: Vec::new(),
            hint: None,
        }
    }

    /// An error of a task; `below` is appended to the task's own pointer.
    fn of(placed: &Placed<'_>, below: &str, message: impl Into<String>) -> Problem {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Problem {
            task: some(&placed.task.id),
            name: some(&placed.task.name),
            source: placed.task.source.clone().filter(|s| s.line > 0),
            ..Problem::new(format!("{}{below}", placed.pointer), message)
        }
    }

    fn at_key(mut self) -> Problem {
        self.key = true;
        self
    }

    fn refused(mut self) -> Problem {
        self.class = Class::Refused;
        self
    }

    fn warning(mut self) -> Problem {
        self.severity = Severity::Warning;
        self
    }

    fn note(mut self, note: impl Into<String>) -> Problem {
        self.notes.push(note.into());
        self
    }

    fn hint(mut self, hint: Option<String>) -> Problem {
        self.hint = hint;
        self
    }
}

/// Gives the text of a file that a task names, where the caller has it.
pub type TextOf<'a> = dyn Fn(&AssetRequest) -> Option<String> + 'a;

/// Whether there is a plugin: of which kind, and of which name.
pub type HasPlugin<'a> = dyn Fn(&str, &str) -> bool + 'a;

/// Why there is no module of a name, and what may help.
pub type Missing<'a> = dyn Fn(&str) -> Option<(String, Option<String>)> + 'a;

/// What the check may take for granted.
#[derive(Default)]
pub struct CheckOptions<'a> {
    /// Variables that will be given when the artifact is started.
    pub known_variables: Vec<String>,
    /// Whether there will be a controller: then nothing is refused for want of one.
    pub attached: bool,
    /// Whether mistakes that a run notices only where it reaches them are warnings: a task that is never reached may have
    /// them. Undefined variables are then not looked for at all.
    pub as_reached: bool,
    /// The text of a template file that a task names, where the caller has it.
    pub template_text: Option<&'a TextOf<'a>>,
    /// Why a module that the runner has not cannot come with the plan, where the caller knows.
    pub missing: Option<&'a Missing<'a>>,
    /// Whether the controller has a `filter`, `test` or `lookup` (the first argument) of a name (the second).
    pub plugin: Option<&'a HasPlugin<'a>>,
}

/// Everything that is wrong with a plan.
pub fn check(plan: &ExecutionPlan, options: &CheckOptions<'_>) -> Vec<Problem> {
    let tree = Tree::of(plan);
    let mut defined = Defined::of(plan, &tree, &options.known_variables);
    defined.open |= options.as_reached;
    defined.attached = options.attached;
    let mut out = Vec::new();
    modules::check(plan, &tree, options, &mut out);
    keywords::check(plan, &tree, &mut out);
    handlers::check(plan, &tree, &mut out);
    includes::check(plan, &tree, &mut out);
    Scan::new(plan, &tree, defined, options).run(&mut out);
    if options.as_reached {
        for problem in out.iter_mut().filter(|p| p.class == Class::Mistake) {
            problem.severity = Severity::Warning;
        }
    }
    if !options.attached {
        offline::check(plan, &tree, &mut out);
    }
    order::check(plan, &tree, &mut out);
    out
}

/// A key as it stands in a JSON pointer.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The question about the name that was probably meant.
fn did_you_mean(meant: Option<&str>) -> Option<String> {
    meant.map(|meant| format!("did you mean `{meant}`?"))
}

#[cfg(test)]
mod tests;
