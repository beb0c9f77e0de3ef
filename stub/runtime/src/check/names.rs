//! The variables that somebody could define, anywhere in a plan.
//!
//! A name that is used and in none of these places is undefined on every machine. Nothing is said about order: a
//! variable that is registered too late is found by the run.

use std::collections::HashSet;

use rustle_formats::plan::ExecutionPlan;
use rustle_formats::{Map, Value};

use super::walk::Placed;
use crate::modules;

/// Names that modules set as facts without the prefix `ansible_`.
const FACTS: &[&str] = &["services", "packages", "module_setup", "gather_subset"];

/// The variables that somebody could define.
pub(super) struct Names {
    known: HashSet<String>,
    /// Names whose value is only known when running: registered, set, gathered, or given then.
    dynamic: HashSet<String>,
    /// Some names are made while running, so that nothing can be said.
    open: bool,
}

impl Names {
    pub(super) fn of(plan: &ExecutionPlan, placed: &[Placed<'_>], given: &[String]) -> Names {
        let mut names = Names {
            known: HashSet::new(),
            dynamic: HashSet::new(),
            open: false,
        };
        names.fixed(plan);
        names.dynamic.extend(given.iter().cloned());
        for task in placed {
            names.task(task);
        }
        names.known.extend(names.dynamic.iter().cloned());
        names
    }

    fn fixed(&mut self, plan: &ExecutionPlan) {
        let magic = crate::vars::MAGIC_NAMES.iter().chain(FACTS);
        self.known.extend(magic.map(|n| (*n).to_owned()));
        for word in [
            "hostvars",
            "vars",
            "omit",
            "inventory_file",
            "inventory_dir",
            "playbook_dir",
            "role_path",
            "item",
        ] {
            self.known.insert(word.to_owned());
        }
        self.add(&plan.extra_vars);
        for vars in plan.hosts.values().map(|h| &h.vars) {
            self.add(vars);
        }
        for vars in plan.groups.values().map(|g| &g.vars) {
            self.add(vars);
        }
        for play in &plan.plays {
            self.add(&play.vars);
            play.vars_files.iter().for_each(|v| self.add(v));
        }
        self.known
            .extend(plan.secrets.iter().map(|s| s.name.clone()));
    }

    fn add(&mut self, vars: &Map) {
        self.known.extend(vars.keys().cloned());
    }

    fn task(&mut self, placed: &Placed<'_>) {
        let task = placed.frame.task;
        self.add(&task.vars);
        for block in &placed.frame.blocks {
            self.add(&block.vars);
        }
        self.dynamic.extend(task.register.clone());
        if let Some(control) = &task.loop_control {
            self.dynamic.extend(control.loop_var.clone());
            self.dynamic.extend(control.index_var.clone());
        }
        let Some(module) = modules::find(&task.module) else {
            self.open = true;
            return;
        };
        match module.spec().name {
            "set_fact" => {
                for name in task.args.keys() {
                    if name.contains("{{") {
                        self.open = true;
                    }
                    self.dynamic.insert(name.clone());
                }
            }
            "include_vars" => match task.args.get("name").and_then(Value::as_str) {
                Some(name) => {
                    self.dynamic.insert(name.to_owned());
                }
                None => self.open = true,
            },
            // Facts of the machine's own folder may have any name below `ansible_local` only.
            "setup" | "async_status" => {}
            _ => {}
        }
    }

    /// Whether nobody can define this name.
    pub(super) fn is_undefined(&self, name: &str) -> bool {
        !self.open
            && !name.starts_with("ansible_")
            && !name.starts_with("template_")
            && !name.starts_with("rustle_")
            && !self.known.contains(name)
    }

    /// Whether a name's value can only be known when running.
    pub(super) fn is_dynamic(&self, name: &str) -> bool {
        self.open || name.starts_with("ansible_") || self.dynamic.contains(name)
    }

    /// A known name that is close to a misspelt one.
    pub(super) fn near(&self, name: &str) -> Option<&str> {
        if self.known.len() > 5000 {
            return None;
        }
        let all: Vec<&str> = self.known.iter().map(String::as_str).collect();
        rustle_formats::nearest(name, &all)
    }
}
