//! What is wrong with a plan, as far as it can be known before it runs: asked when packing, so that nothing that can
//! only fail is shipped.
//!
//! Each finding says which task, where in the plan document and where in the playbook. What depends on the machine, or
//! on variables that only exist there, is left to the run.

mod assets;
mod expressions;
mod names;
mod order;
mod scan;
mod tasks;
mod walk;

use rustle_formats::plan::{ExecutionPlan, Source};

pub use assets::{AssetRequest, Wanted, asset_requests};

/// One finding.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The task's id, where one is concerned.
    pub task: Option<String>,
    /// The task's name.
    pub name: Option<String>,
    /// Where the task was written in a playbook.
    pub source: Option<Source>,
    /// The place in the plan document, a JSON pointer: `/plays/0/batches/0/tasks/3/args/onwer`.
    pub pointer: String,
    /// Whether the pointer means the key rather than its value.
    pub key: bool,
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub hint: Option<String>,
}

/// Gives the text of a file that a task names, where the caller has it.
pub type TextOf<'a> = dyn Fn(&AssetRequest) -> Option<String> + 'a;

/// What the check may take for granted.
#[derive(Default)]
pub struct CheckOptions<'a> {
    /// Variables that will be given when the artifact is started.
    pub known_variables: Vec<String>,
    /// Whether there will be a controller: then nothing is refused for want of one.
    pub attached: bool,
    /// The text of a template file that a task names, where the caller has it.
    pub template_text: Option<&'a TextOf<'a>>,
}

/// Everything that is wrong with a plan, in the order of the document.
pub fn check(plan: &ExecutionPlan, options: &CheckOptions<'_>) -> Vec<Problem> {
    let mut out = Vec::new();
    let placed = walk::tasks(plan);
    let names = names::Names::of(plan, &placed, &options.known_variables);
    let expressions = expressions::Expressions::new(names);
    tasks::check(plan, &placed, options, &expressions, &mut out);
    order::check(plan, &placed, &mut out);
    if let Some(text) = options.template_text {
        expressions.files(&placed, plan, text, &mut out);
    }
    out
}

#[cfg(test)]
mod tests;
