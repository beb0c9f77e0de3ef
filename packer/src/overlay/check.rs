//! Checks that every reference to a secret can be resolved on every host that meets it, before anything is packed.

use std::collections::{BTreeSet, HashMap, HashSet};

use rustle_formats::plan::{ExecutionPlan, Item, PlayPlan, SecretSpec, Source, Task};
use rustle_formats::seal::{MAX_NAME, find_secrets};
use serde::Serialize;

use super::error::SecretProblem;

/// The most problems that are collected. A plan with more is not helped by a longer list.
const MAX_PROBLEMS: usize = 100;

/// Finds what in a plan cannot work with the secrets that it declares: names that are there twice, secrets without a
/// source, references to undeclared secrets, and references on hosts that do not receive the secret.
///
/// Empty: all is well. At most 100 problems are given, in the order of the document.
pub fn check_secrets(plan: &ExecutionPlan) -> Vec<SecretProblem> {
    let mut checker = Checker {
        plan,
        specs: HashMap::with_capacity(plan.secrets.len()),
        problems: Vec::new(),
    };
    checker.declarations();
    checker.variables();
    for play in &plan.plays {
        checker.play(play);
    }
    checker.shared();
    checker.problems
}

struct Checker<'p> {
    plan: &'p ExecutionPlan,
    specs: HashMap<&'p str, &'p SecretSpec>,
    problems: Vec<SecretProblem>,
}

/// The first list that names anybody, as it applies to an item inside an item.
fn narrower<'a>(own: &'a [String], outer: &'a [String]) -> &'a [String] {
    if own.is_empty() { outer } else { own }
}

/// `(site.yml:3:7)`, as far as it is known.
fn place(source: Option<&Source>) -> String {
    match source {
        Some(s) if s.line > 0 => format!(" ({}:{}:{})", s.file, s.line, s.column),
        Some(s) if !s.file.is_empty() => format!(" ({})", s.file),
        _ => String::new(),
    }
}

fn task_name(task: &Task) -> String {
    let name = [&task.name, &task.id, &task.module]
        .into_iter()
        .find(|n| !n.is_empty());
    let name = name.map_or("", String::as_str);
    format!("the task {name:?}{}", place(task.source.as_ref()))
}

impl<'p> Checker<'p> {
    fn report(&mut self, problem: SecretProblem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    fn declarations(&mut self) {
        let known: HashSet<&str> = self.host_names();
        for spec in &self.plan.secrets {
            if spec.name.is_empty() || spec.name.len() > MAX_NAME {
                self.report(SecretProblem::Name(spec.name.clone()));
            }
            if spec.file.is_some() == spec.env.is_some() {
                self.report(SecretProblem::Source(spec.name.clone()));
            }
            if self.specs.insert(&spec.name, spec).is_some() {
                self.report(SecretProblem::Twice(spec.name.clone()));
            }
            for host in spec
                .hosts
                .iter()
                .filter(|host| !known.contains(host.as_str()))
            {
                self.report(SecretProblem::UnknownHost {
                    secret: spec.name.clone(),
                    host: host.clone(),
                });
            }
        }
    }

    /// Every host that the plan names anywhere.
    fn host_names(&self) -> HashSet<&'p str> {
        let plan = self.plan;
        let of_plays = plan.plays.iter().flat_map(|play| {
            let of_batches = play.batches.iter().flat_map(|batch| &batch.hosts);
            play.hosts.iter().chain(of_batches)
        });
        let of_groups = plan.groups.values().flat_map(|group| &group.hosts);
        plan.hosts
            .keys()
            .chain(of_plays)
            .chain(of_groups)
            .map(String::as_str)
            .collect()
    }

    fn variables(&mut self) {
        let plan = self.plan;
        self.look(&plan.extra_vars, &[], &[], || {
            "the plan's extra_vars".to_owned()
        });
        for (name, group) in &plan.groups {
            let hosts = self.expand(std::slice::from_ref(name));
            let hosts: Vec<String> = hosts.into_iter().map(str::to_owned).collect();
            // A group without hosts is met by none.
            if !hosts.is_empty() {
                self.look(&group.vars, &[], &hosts, || {
                    format!("the variables of the group {name:?}")
                });
            }
        }
        for (name, host) in &plan.hosts {
            let own = std::slice::from_ref(name);
            self.look(&host.vars, &[], own, || {
                format!("the variables of the host {name:?}")
            });
        }
    }

    fn play(&mut self, play: &'p PlayPlan) {
        let name = || format!("the play {:?}{}", play.name, place(play.source.as_ref()));
        self.look(play, &["batches", "handlers"], &play.hosts, name);
        for batch in &play.batches {
            let hosts = narrower(&batch.hosts, &play.hosts);
            for item in &batch.tasks {
                self.item(item, hosts);
            }
        }
        for handler in &play.handlers {
            self.task(handler, &play.hosts);
        }
    }

    /// Roles, and files of tasks that may be included. Which hosts come to run them is known only in the run, which then
    /// says what a host did not receive; here their secrets must be declared.
    fn shared(&mut self) {
        for (key, role) in &self.plan.roles {
            self.declared(role, || format!("the role {key:?}"));
        }
        for (file, tasks) in &self.plan.task_files {
            self.declared(tasks, || format!("the tasks of {file:?}"));
        }
    }

    fn declared<T: Serialize>(&mut self, item: &T, name: impl Fn() -> String) {
        let mut used = BTreeSet::new();
        find_secrets(item, &[], &mut |secret| {
            used.insert(secret.to_owned());
        });
        for secret in used {
            if !self.specs.contains_key(secret.as_str()) {
                self.report(SecretProblem::Undeclared {
                    user: name(),
                    secret,
                });
            }
        }
    }

    fn item(&mut self, item: &'p Item, hosts: &'p [String]) {
        match item {
            Item::Task(task) => self.task(task, hosts),
            Item::Block(block) => {
                let name = || format!("the block {:?}{}", block.name, place(block.source.as_ref()));
                self.look(&**block, &["block", "rescue", "always"], hosts, name);
                for inner in block.block.iter().chain(&block.rescue).chain(&block.always) {
                    self.item(inner, hosts);
                }
            }
        }
    }

    fn task(&mut self, task: &'p Task, hosts: &'p [String]) {
        self.look(task, &[], narrower(&task.hosts, hosts), || task_name(task));
    }

    /// Looks at every reference in `item`, which is met by `hosts` (empty: all of the plan's).
    fn look<T: Serialize>(
        &mut self,
        item: &T,
        skip: &[&str],
        hosts: &[String],
        name: impl Fn() -> String,
    ) {
        let mut used = BTreeSet::new();
        find_secrets(item, skip, &mut |secret| {
            used.insert(secret.to_owned());
        });
        for secret in used {
            let problem = match self.specs.get(secret.as_str()) {
                None => Some(SecretProblem::Undeclared {
                    user: name(),
                    secret,
                }),
                Some(spec) => self
                    .first_without(spec, hosts)
                    .map(|host| SecretProblem::Withheld {
                        user: name(),
                        secret,
                        host,
                    }),
            };
            if let Some(problem) = problem {
                self.report(problem);
            }
        }
    }

    /// The first of `hosts` that does not receive a secret.
    fn first_without(&self, spec: &SecretSpec, hosts: &[String]) -> Option<String> {
        if spec.hosts.is_empty() {
            return None;
        }
        let receives = |host: &str| spec.hosts.iter().any(|h| h == host);
        if !hosts.is_empty() {
            return self
                .expand(hosts)
                .into_iter()
                .find(|h| !receives(h))
                .map(str::to_owned);
        }
        if self.plan.hosts.is_empty() {
            return Some(String::new());
        }
        self.plan.hosts.keys().find(|h| !receives(h)).cloned()
    }

    /// Names of hosts and groups as hosts, each once. A name that is neither stands for itself.
    fn expand<'a>(&'a self, names: &'a [String]) -> Vec<&'a str> {
        let mut seen = HashSet::new();
        let mut open: Vec<&str> = names.iter().rev().map(String::as_str).collect();
        let mut out = Vec::new();
        while let Some(name) = open.pop() {
            if !seen.insert(name) {
                continue;
            }
            match self.plan.groups.get(name) {
                _ if self.plan.hosts.contains_key(name) => out.push(name),
                Some(group) => {
                    let member_of = |host: &rustle_formats::plan::HostPlan| {
                        host.groups.iter().any(|g| g == name)
                    };
                    let others = self.plan.hosts.iter().filter(|(_, host)| member_of(host));
                    open.extend(group.children.iter().map(String::as_str));
                    open.extend(others.map(|(host, _)| host.as_str()));
                    open.extend(group.hosts.iter().map(String::as_str));
                }
                None if name == "all" && !self.plan.hosts.is_empty() => {
                    open.extend(self.plan.hosts.keys().map(String::as_str));
                }
                None => out.push(name),
            }
        }
        out
    }
}
