//! Who is notified must exist in the play: as a handler, or as a topic that one listens to.

use std::collections::{HashMap, HashSet};

use rustle_formats::nearest;
use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, PlayPlan};

use super::places::Tree;
use super::{Problem, did_you_mean};

/// The names that the handlers of a play answer to.
struct Known<'p> {
    names: HashSet<String>,
    /// Ids, which nobody answers to, with the name that was probably meant.
    ids: HashMap<&'p str, &'p str>,
}

impl<'p> Known<'p> {
    fn of(plan: &'p ExecutionPlan, play: &'p PlayPlan) -> Known<'p> {
        let mut known = Known {
            names: HashSet::new(),
            ids: HashMap::new(),
        };
        // Which roles a play comes to use is known only when it runs.
        for (key, role) in &plan.roles {
            for handler in role.handlers.values().flatten() {
                known.names.extend(handler.listen.iter().cloned());
                for role in [key, &role.name] {
                    known.names.insert(format!("{role} : {}", handler.name));
                }
                known.names.insert(handler.name.clone());
                known.ids.insert(&handler.id, &handler.name);
            }
        }
        for handler in &play.handlers {
            known.names.extend(handler.listen.iter().cloned());
            if let Some(role) = &handler.role {
                known.names.insert(format!("{role} : {}", handler.name));
            }
            known.names.insert(handler.name.clone());
            known.ids.insert(&handler.id, &handler.name);
        }
        known
    }

    fn has(&self, name: &str) -> bool {
        name.contains("{{") || name.contains("{%") || self.names.contains(name)
    }

    fn problem(&self, problem: Problem, name: &str) -> Problem {
        let mut names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        order::sort(&mut names);
        let hint = match self.ids.get(name).filter(|n| !n.is_empty()) {
            Some(meant) => Some(format!("a handler is notified by its name: `{meant}`")),
            None if names.len() > 1000 => None,
            None => did_you_mean(nearest(name, &names)),
        };
        let problem = problem.hint(hint);
        if names.is_empty() {
            problem.note("the play has no handlers")
        } else {
            problem
        }
    }
}

fn message(name: &str) -> String {
    format!("no handler of the play is called `{name}`")
}

/// Looks at what tasks and blocks notify.
pub(super) fn check(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    let mut plays: Vec<Option<Known<'_>>> = plan.plays.iter().map(|_| None).collect();
    let mut missing = |play: usize, shared: bool, name: &str, problem: &dyn Fn() -> Problem| {
        if shared {
            // Any play may run it.
            let mut all = plan.plays.iter();
            if plan.plays.is_empty() || all.any(|play| Known::of(plan, play).has(name)) {
                return;
            }
        }
        let known = plays[play].get_or_insert_with(|| Known::of(plan, &plan.plays[play]));
        if !known.has(name) {
            out.push(known.problem(problem(), name));
        }
    };
    for placed in &tree.tasks {
        for (i, name) in placed.task.notify.iter().enumerate() {
            missing(placed.play, placed.home.is_shared(), name, &|| {
                Problem::of(placed, &format!("/notify/{i}"), message(name))
            });
        }
    }
    for placed in &tree.blocks {
        for (i, name) in placed.block.notify.iter().enumerate() {
            missing(placed.play, placed.home.is_shared(), name, &|| {
                Problem::new(format!("{}/notify/{i}", placed.pointer), message(name))
            });
        }
    }
}
