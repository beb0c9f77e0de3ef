//! Evaluates expressions as a run on the controller would, and keeps what they give.

use indexmap::IndexMap;
use rustle_controller::local::{DiskFiles, LocalRun};
use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::plan::{ExecutionPlan, Item, PlayPlan, Task, TaskBatch};
use rustle_formats::{Map, Value};
use rustle_lookups::OnController;
use rustle_runtime::check::Problem;
use rustle_runtime::engine::{Machine, Options};
use serde_json::Value as Json;
use std::cell::RefCell;
use std::path::Path;
use zeroize::Zeroizing;

use super::Wanted;
use crate::surroundings::Surroundings;

/// What expressions are evaluated with, and what came of it.
pub(in crate::commands::pack) struct Evaluating<'e> {
    /// The lookups and plugins.
    pub(in crate::commands::pack) controller: OnController<'e>,
    /// The environment.
    pub(in crate::commands::pack) surroundings: &'e Surroundings,
    /// The hosts that are packed for.
    pub(in crate::commands::pack) hosts: Vec<String>,
    /// The texts of secrets by name. New ones are added.
    pub(in crate::commands::pack) secrets: &'e mut IndexMap<String, Zeroizing<String>>,
    /// A private folder.
    pub(in crate::commands::pack) work: &'e Path,
    /// Values that are the same for all hosts.
    pub(in crate::commands::pack) shared: Map,
    /// Values by host.
    pub(in crate::commands::pack) own: IndexMap<String, Map>,
}

impl Evaluating<'_> {
    /// Whether there is a plugin in Python, or a lookup of the controller, of this name.
    pub(super) fn knows(&self, kind: &str, name: &str) -> bool {
        self.controller.knows(kind, name)
    }

    /// Evaluates an expression: once where it mentions no variable, else for each host.
    pub(super) fn evaluate(
        &mut self,
        plan: &ExecutionPlan,
        wanted: &Wanted,
        vars: Map,
    ) -> Result<(), Box<Problem>> {
        let hosts = match wanted.mentions.is_empty() {
            true => vec![self.hosts.first().cloned().unwrap_or_default()],
            false => self.hosts.clone(),
        };
        for host in hosts {
            let value = self
                .of_host(plan, wanted, vars.clone(), &host)
                .map_err(|why| {
                    Box::new(wanted.problem(format!(
                        "{} cannot be evaluated when packing: {why}",
                        wanted.what
                    )))
                })?;
            let name = match wanted.mentions.is_empty() {
                true => wanted.name.clone(),
                false => format!("{}_{host}", wanted.name),
            };
            let value = self.kept(value, wanted.secret, &name);
            let place = match wanted.mentions.is_empty() {
                true => &mut self.shared,
                false => self.own.entry(host).or_default(),
            };
            place.insert(wanted.name.clone(), value);
        }
        Ok(())
    }

    /// A value as the plan has it: a reference where it is secret, else never a template.
    fn kept(&mut self, value: Value, secret: bool, name: &str) -> Value {
        let known = self.secrets.values().any(|text| holds(&value, text));
        match value {
            Value::Str(text) | Value::Unsafe(text) if secret || known => {
                self.secrets.insert(name.to_owned(), Zeroizing::new(text));
                Value::Secret(name.to_owned())
            }
            Value::Str(text) => Value::Unsafe(text),
            Value::List(list) => {
                let numbered = list.into_iter().enumerate();
                let kept = numbered.map(|(i, v)| self.kept(v, secret, &format!("{name}_{i}")));
                Value::List(kept.collect())
            }
            Value::Map(map) => {
                let named = map.into_iter();
                let kept = named.map(|(key, v)| {
                    let kept = self.kept(v, secret, &format!("{name}_{key}"));
                    (key, kept)
                });
                Value::Map(kept.collect())
            }
            other => other,
        }
    }

    fn of_host(
        &self,
        plan: &ExecutionPlan,
        wanted: &Wanted,
        vars: Map,
        host: &str,
    ) -> Result<Value, String> {
        let mut args = Map::new();
        let expression = format!("{{{{ {} }}}}", wanted.expression);
        args.insert(wanted.name.clone(), expression.as_str().into());
        args.insert("cacheable".to_owned(), true.into());
        let task = Task {
            id: "t1".into(),
            module: "ansible.builtin.set_fact".into(),
            args,
            asset_paths: wanted.role.iter().cloned().collect(),
            ..Task::default()
        };
        let batch = TaskBatch {
            tasks: vec![Item::Task(Box::new(task))],
            ..TaskBatch::default()
        };
        let small = ExecutionPlan {
            version: plan.version,
            base_dir: plan.base_dir.clone(),
            hosts: plan.hosts.clone(),
            groups: plan.groups.clone(),
            extra_vars: plan.extra_vars.clone(),
            secrets: plan.secrets.clone(),
            runtime: plan.runtime.clone(),
            plays: vec![PlayPlan {
                source: plan.plays.first().and_then(|play| play.source.clone()),
                vars,
                batches: vec![batch],
                ..PlayPlan::default()
            }],
            ..ExecutionPlan::default()
        };
        let trouble: RefCell<Option<String>> = RefCell::default();
        let environment = self.surroundings.config.environment();
        let base = plan.base_dir.clone().unwrap_or_default();
        let summary = LocalRun {
            plan: &small,
            host: host.to_owned(),
            options: Options::default(),
            files: DiskFiles::at(base.into(), environment.home.clone()),
            controller: Some(&self.controller),
            secrets: self.secrets.clone(),
            machine: Machine {
                env: environment
                    .variables
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .collect(),
                cwd: environment.directory.clone(),
                work_dir: self.work.to_owned(),
                async_dir: None,
                program: std::env::current_exe().ok(),
                image: None,
            },
            others: &|_| Map::new(),
            emit: &|event| note(event, &trouble),
            cancelled: &|| false,
            confirm: &|_| rustle_runtime::engine::Confirm::Yes,
        }
        .run();
        if let Some(why) = trouble.into_inner().or(summary.aborted) {
            // What is told before is about the task that was made up for this.
            let inner = why.split_once(&format!("'{}': ", wanted.name));
            return Err(inner.map_or(why.as_str(), |(_, inner)| inner).to_owned());
        }
        let value = summary.facts.get(&wanted.name).cloned();
        value.ok_or_else(|| "it gives nothing".to_owned())
    }

    /// Puts the values into the plan.
    pub(super) fn store(&mut self, document: &mut Json) {
        let json = |value: &Value| serde_json::to_value(value).unwrap_or(Json::Null);
        for (name, value) in &self.shared {
            document["extra_vars"][name] = json(value);
        }
        for (host, vars) in &self.own {
            for (name, value) in vars {
                document["hosts"][host]["vars"][name] = json(value);
            }
        }
    }
}

/// Keeps the reason of a failure.
fn note(event: &Event, trouble: &RefCell<Option<String>>) {
    if let EventKind::TaskResult { result, status, .. } = &event.kind
        && matches!(status, Status::Failed | Status::Unreachable)
    {
        let message = result.get("msg").and_then(Value::as_str);
        trouble.replace(Some(message.unwrap_or("it fails").to_owned()));
    }
}

fn holds(value: &Value, secret: &str) -> bool {
    match value {
        Value::Str(text) | Value::Unsafe(text) => !secret.is_empty() && text.contains(secret),
        Value::List(list) => list.iter().any(|v| holds(v, secret)),
        Value::Map(map) => map.values().any(|v| holds(v, secret)),
        _ => false,
    }
}
