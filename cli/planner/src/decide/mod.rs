//! Where each task runs: natively on its target, with the help of the controller, or not at all; and why.
//!
//! What modules there are is the runtime's knowledge and is handed in ([`Knowledge`]). Nothing is run: what only a run can tell
//! (which host a template of `delegate_to` means) counts as needing the controller.

mod asks;
mod deploy;
mod explain;
mod walk;

use std::collections::HashMap;

use rustle_formats::plan::{ExecutionPlan, Source};
use serde::Serialize;

pub use deploy::{Deploying, Strategy, deploy, target_of};
pub use explain::{Counts, explain};

/// What the runtime has of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Module {
    /// It runs on the target. `local`: nobody outside of the host can tell when.
    Native {
        /// Whether effects and observations stay on the host.
        local: bool,
    },
    /// It comes with the plan, in another language: how it is run there, as part of a sentence.
    Carried(&'static str),
    /// It is a part of the engine: `meta`, `include_tasks`, `include_role`.
    Flow,
    /// Only the controller can do it, and why.
    Controller(String),
    /// There is none.
    Unknown {
        /// What is wrong, as a sentence.
        message: String,
        /// What may help.
        hint: Option<String>,
    },
}

/// What the decisions are made from besides the plan.
pub struct Knowledge<'a> {
    /// What there is of a module.
    pub module: &'a dyn Fn(&str) -> Module,
    /// The lookups that only a controller can answer.
    pub controller_lookups: &'a [&'a str],
    /// The texts of the template files that the task of this id names, as far as they are known.
    pub templates: &'a dyn Fn(&str) -> Vec<String>,
    /// Tasks that are refused for another reason than their module, by id: what is wrong, and what may help.
    pub refused: HashMap<String, (String, Option<String>)>,
}

/// Where a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "where")]
pub enum Verdict {
    /// On the target, without anybody's help.
    Native,
    /// On the target, without anybody's help, by a module in another language that comes with the plan.
    Carried {
        /// How it is run there, as part of a sentence.
        how: &'static str,
    },
    /// With the controller's help.
    Controller {
        /// Why, as part of a sentence.
        why: String,
    },
    /// Nowhere.
    Refused {
        /// What is wrong.
        why: String,
        /// What may help.
        rewrite: Option<String>,
    },
}

impl Verdict {
    /// Whether the target does it without anybody's help.
    pub fn is_alone(&self) -> bool {
        matches!(self, Verdict::Native | Verdict::Carried { .. })
    }
}

/// The decision about one task of a play.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Decision {
    /// The play's index.
    pub play: usize,
    /// The task's id.
    pub task: String,
    /// Its name, or else nothing.
    pub name: String,
    /// Its module.
    pub module: String,
    /// The pattern of its hosts.
    pub pattern: String,
    /// The role that it belongs to.
    pub role: Option<String>,
    /// Whether it is a handler.
    pub handler: bool,
    /// Whether nobody outside of the host can tell when it runs.
    #[serde(skip)]
    pub local: bool,
    /// Where it was written.
    pub source: Option<Source>,
    /// Where it runs.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// The decisions about all tasks: play after play, in the order in which they stand; a role's handlers and what its tasks may
/// include follow its tasks. A task that a play reaches twice is told once. `patterns`: those of the plays.
pub fn decide(
    plan: &ExecutionPlan,
    patterns: &[String],
    knowledge: &Knowledge<'_>,
) -> Vec<Decision> {
    walk::Walk::new(plan, patterns, knowledge).run()
}
