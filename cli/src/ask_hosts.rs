//! The facts of hosts that are other machines, gathered by a runner there as a playbook's are.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;
use rustle_controller::local::DiskFiles;
use rustle_controller::survival::Patience;
use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::plan::{
    ExecutionPlan, HostPlan, Item, PLAN_VERSION, PlayPlan, Task, TaskBatch,
};
use rustle_formats::session::Start;
use rustle_formats::{Map, Value};
use rustle_lookups::OnController;
use rustle_playbook::vault::Vault;
use rustle_runtime::report::python_str;

use crate::expiry::Signing;
use crate::failure::Failure;
use crate::on_hosts::OnHosts;
use crate::plan_roster::PlanRoster;
use crate::reach::Reach;

/// What a host said: its facts, or why there are none.
pub(crate) type Answers = IndexMap<String, Result<Map, String>>;

/// Asks hosts for facts of these subsets. `folder`: a private one for this.
///
/// # Errors
/// Where nothing could be begun; what one host lacks is among the answers.
pub(crate) fn ask(
    hosts: IndexMap<String, HostPlan>,
    subsets: &[&str],
    reach: Reach<'_>,
    vault: &Vault,
    forks: Option<usize>,
    folder: &Path,
    signing: Option<Signing>,
) -> Result<Answers, Failure> {
    let plan = plan(hosts, subsets);
    let answers: RefCell<Answers> = RefCell::default();
    let emit = |event: &Event| {
        let EventKind::TaskResult {
            host,
            status,
            result,
            ..
        } = &event.kind
        else {
            return;
        };
        let facts = result.get("ansible_facts");
        let answer = match (status, facts) {
            (Status::Ok | Status::Changed, Some(Value::Map(facts))) => Ok(facts.clone()),
            _ => Err(result.get("msg").map(python_str).unwrap_or_default()),
        };
        answers.borrow_mut().insert(host.clone(), answer);
    };
    let config = reach.config;
    let secrets = reach.secrets.clone();
    OnHosts {
        plan: &plan,
        assets: Vec::new(),
        start: Start::default(),
        forks,
        files: DiskFiles::at(folder.to_owned(), None),
        controller: &OnController::new(config, vault),
        secrets,
        folder,
        confirm: None,
        emit: &emit,
        stop: Arc::new(AtomicBool::new(false)),
        run_id: String::new(),
        patience: Patience::default(),
        signing,
        unfinished: None,
    }
    .run(&mut PlanRoster::new(&plan, reach))?;
    Ok(answers.into_inner())
}

/// A plan of one task, for all of the hosts.
fn plan(hosts: IndexMap<String, HostPlan>, subsets: &[&str]) -> ExecutionPlan {
    let subsets = subsets.iter().map(|s| Value::from(*s)).collect();
    let mut task = Task {
        id: "t1".to_owned(),
        module: "setup".to_owned(),
        ..Task::default()
    };
    task.args
        .insert("gather_subset".to_owned(), Value::List(subsets));
    let play = PlayPlan {
        play_id: "p1".to_owned(),
        hosts: hosts.keys().cloned().collect(),
        // No host waits for another.
        strategy: Some("free".to_owned()),
        gather_facts: Some(false),
        batches: vec![TaskBatch {
            batch_id: "tasks".to_owned(),
            tasks: vec![Item::Task(Box::new(task))],
            ..TaskBatch::default()
        }],
        ..PlayPlan::default()
    };
    ExecutionPlan {
        version: PLAN_VERSION,
        plays: vec![play],
        hosts,
        ..ExecutionPlan::default()
    }
}
