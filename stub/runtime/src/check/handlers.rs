//! Who is notified must exist in the play: as a handler, or as a topic that one listens to.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use rustle_formats::nearest;
use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, PlayPlan, Task};

use super::places::Tree;
use super::{Problem, did_you_mean};

/// The names that handlers answer to.
#[derive(Default)]
struct Known<'p> {
    names: HashSet<Cow<'p, str>>,
    /// Ids, which nobody answers to, with the name that was probably meant.
    ids: HashMap<&'p str, &'p str>,
}

impl<'p> Known<'p> {
    /// What the handlers of all roles answer to: which roles a play comes to use is known only when it runs.
    fn of_roles(plan: &'p ExecutionPlan) -> Known<'p> {
        let mut known = Known::default();
        for (key, role) in &plan.roles {
            for handler in role.handlers.values().flatten() {
                known.add(handler, &[key, &role.name]);
            }
        }
        known
    }

    /// What the handlers of plays answer to.
    fn of_plays(plays: &'p [PlayPlan]) -> Known<'p> {
        let mut known = Known::default();
        for handler in plays.iter().flat_map(|play| &play.handlers) {
            let role: Vec<&str> = handler.role.as_deref().into_iter().collect();
            known.add(handler, &role);
        }
        known
    }

    fn add(&mut self, handler: &'p Task, roles: &[&str]) {
        let listen = handler.listen.iter().map(|topic| topic.as_str().into());
        self.names.extend(listen);
        for role in roles {
            let full = format!("{role} : {}", handler.name);
            self.names.insert(full.into());
        }
        self.names.insert(handler.name.as_str().into());
        self.ids.insert(&handler.id, &handler.name);
    }

    fn has(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// A problem with what would have helped.
fn explained(problem: Problem, name: &str, all: &[&Known<'_>]) -> Problem {
    let texts = all.iter().flat_map(|known| &known.names);
    let mut names: Vec<&str> = texts.map(AsRef::as_ref).collect();
    order::sort(&mut names);
    names.dedup();
    let mut ids = all.iter().filter_map(|known| known.ids.get(name));
    let hint = match ids.find(|meant| !meant.is_empty()) {
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

fn message(name: &str) -> String {
    format!("no handler of the play is called `{name}`")
}

/// Looks at what tasks and blocks notify.
pub(super) fn check(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    let roles = Known::of_roles(plan);
    let plays: Vec<Known<'_>> = plan.plays.chunks(1).map(Known::of_plays).collect();
    let everywhere = Known::of_plays(&plan.plays);
    let mut missing = |play: usize, shared: bool, name: &str, problem: &dyn Fn() -> Problem| {
        if name.contains("{{") || name.contains("{%") || roles.has(name) {
            return;
        }
        // Any play may run what is shared.
        if shared && (plan.plays.is_empty() || everywhere.has(name)) {
            return;
        }
        if !plays[play].has(name) {
            out.push(explained(problem(), name, &[&plays[play], &roles]));
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
