//! The layers that variables live in, from the weakest to the strongest: inventory, facts, play, files of the play,
//! (blocks and the task, see [`super::scope`]), `include_vars`, `set_fact` and `register`, extra variables.

use std::cell::{Cell, RefCell};

use rustle_formats::plan::{ExecutionPlan, PlayPlan};
use rustle_formats::{Map, Value};

use super::Groups;
use crate::engine::{Driver, Options};

/// What a run knows about its host besides one task's own variables.
pub(crate) struct Store<'r> {
    pub plan: &'r ExecutionPlan,
    pub host: &'r str,
    pub options: &'r Options,
    pub driver: &'r dyn Driver,
    pub groups: Groups,
    pub inventory: Map,
    pub extra: Map,
    /// Facts under the names that they were gathered by (`ansible_distribution`).
    pub facts: RefCell<Map>,
    /// `set_fact` and `register`: data, never templates.
    pub fresh: RefCell<Map>,
    /// `include_vars`: text in it may be a template.
    pub included: RefCell<Map>,
    /// Texts of secrets that were used, to be kept out of events.
    pub secrets: RefCell<Vec<zeroize::Zeroizing<String>>>,
    /// Counts changes, so that what was computed from variables can tell whether it is still right.
    pub generation: Cell<u64>,
}

/// A play's variables.
#[derive(Default)]
pub(crate) struct PlayVars<'r> {
    pub play: Option<&'r PlayPlan>,
    /// The play's hosts, by name.
    pub hosts: Vec<String>,
    /// Those that failed in it.
    pub failed: Cell<bool>,
}

impl<'r> Store<'r> {
    pub(crate) fn new(
        plan: &'r ExecutionPlan,
        host: &'r str,
        options: &'r Options,
        driver: &'r dyn Driver,
    ) -> Store<'r> {
        let groups = Groups::of(plan);
        let mut inventory = Map::new();
        for (_, group) in groups.order_for(plan, host) {
            inventory.extend(group.vars.clone());
        }
        if let Some(own) = plan.hosts.get(host) {
            inventory.extend(own.vars.clone());
        }
        let mut extra = plan.extra_vars.clone();
        extra.extend(options.extra_vars.clone());
        Store {
            plan,
            host,
            options,
            driver,
            groups,
            inventory,
            extra,
            facts: RefCell::default(),
            fresh: RefCell::default(),
            included: RefCell::default(),
            secrets: RefCell::default(),
            generation: Cell::new(0),
        }
    }

    /// Keeps facts that a module returned.
    pub(crate) fn add_facts(&self, facts: &Map) {
        self.touch();
        self.facts.borrow_mut().extend(facts.clone());
    }

    /// Keeps variables that `set_fact` or `register` set.
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.touch();
        self.fresh.borrow_mut().insert(name.to_owned(), value);
    }

    /// Keeps variables that `include_vars` read.
    pub(crate) fn include(&self, vars: &Map) {
        self.touch();
        self.included.borrow_mut().extend(vars.clone());
    }

    /// Forgets gathered facts (`meta: clear_facts`).
    pub(crate) fn clear_facts(&self) {
        self.touch();
        self.facts.borrow_mut().clear();
    }

    pub(super) fn touch(&self) {
        self.generation.set(self.generation.get() + 1);
    }

    /// The text of a secret; it is kept out of events from now on.
    pub(crate) fn secret(&self, name: &str) -> Result<String, String> {
        let text = self.driver.secret(name)?;
        let out = text.as_str().to_owned();
        let mut known = self.secrets.borrow_mut();
        if !known.contains(&text) {
            known.push(text);
        }
        Ok(out)
    }
}
