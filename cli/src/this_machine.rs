//! The facts of this machine, and what an inventory says of others.

use std::cell::RefCell;
use std::process::ExitCode;

use indexmap::IndexMap;

use rustle_controller::local::{DiskFiles, LocalRun};
use rustle_formats::event::{Event, EventKind};
use rustle_formats::plan::{
    ExecutionPlan, HostPlan, Item, PLAN_VERSION, PlayPlan, Task, TaskBatch,
};
use rustle_formats::{Map, Value};
use rustle_planner::documents::ArchitectureFacts;
use rustle_runtime::Worker;
use rustle_runtime::engine::{Machine, Options};

use crate::exit::Exit;
use crate::failure::Failure;

/// The facts that the module `setup` gathers here, of these subsets.
pub(crate) fn facts(subsets: &[String]) -> Result<Map, Failure> {
    let failed = |message: String| Failure::text(Exit::Machine, message);
    let mut task = Task {
        id: "t1".to_owned(),
        module: "setup".to_owned(),
        ..Task::default()
    };
    if !subsets.is_empty() {
        let list = subsets.iter().map(|s| Value::from(s.as_str())).collect();
        task.args
            .insert("gather_subset".to_owned(), Value::List(list));
    }
    let batch = TaskBatch {
        batch_id: "tasks".to_owned(),
        tasks: vec![Item::Task(Box::new(task))],
        ..TaskBatch::default()
    };
    let play = PlayPlan {
        play_id: "p1".to_owned(),
        batches: vec![batch],
        ..PlayPlan::default()
    };
    let plan = ExecutionPlan {
        version: PLAN_VERSION,
        plays: vec![play],
        ..ExecutionPlan::default()
    };
    let work = crate::failure::work_folder("facts")?;
    let told: RefCell<Option<Value>> = RefCell::new(None);
    LocalRun {
        plan: &plan,
        host: "localhost".to_owned(),
        options: Options::default(),
        files: DiskFiles::at(work.path().to_owned(), std::env::home_dir()),
        controller: None,
        secrets: Default::default(),
        machine: Machine {
            env: environment(),
            cwd: std::env::current_dir().unwrap_or_default(),
            work_dir: work.path().to_owned(),
            async_dir: None,
            program: std::env::current_exe().ok(),
            image: None,
        },
        others: &|_| Map::new(),
        emit: &|event: &Event| {
            if let EventKind::TaskResult { result, .. } = &event.kind {
                told.replace(Some(result.clone()));
            }
        },
        cancelled: &|| false,
        confirm: &|_| rustle_runtime::engine::Confirm::Yes,
    }
    .run();
    let result = told.into_inner();
    match result.as_ref().and_then(|r| r.get("ansible_facts")) {
        Some(Value::Map(facts)) => Ok(facts.clone()),
        _ => {
            let message = result
                .as_ref()
                .and_then(|r| r.get("msg"))
                .and_then(Value::as_str);
            let message = message.unwrap_or("`setup` gave no facts");
            Err(failed(format!(
                "the facts of this machine cannot be gathered: {message}"
            )))
        }
    }
}

/// The environment of this process, as far as it is text.
fn environment() -> IndexMap<String, String> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

/// Serves a run that became this user, see [`Worker`].
pub(crate) fn worker() -> ExitCode {
    // What it is told may be secret. What the system refuses is no reason not to work.
    let _ = rustle_runtime::hardening::harden();
    let folder = tempfile::Builder::new().prefix(".rustle-run-").tempdir();
    match folder {
        Ok(folder) => Worker {
            env: environment(),
            work_dir: folder.path(),
        }
        .serve()
        .into(),
        Err(e) => {
            eprintln!("no folder for temporary files: {e}");
            Exit::Machine.into()
        }
    }
}

/// What decides which runner a machine needs, of its facts.
pub(crate) fn architecture(facts: &Map) -> Option<ArchitectureFacts> {
    let text = |name: &str| facts.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(ArchitectureFacts {
        ansible_architecture: text("ansible_architecture")?,
        ansible_system: text("ansible_system").unwrap_or_else(|| "Linux".to_owned()),
        ansible_os_family: text("ansible_os_family").unwrap_or_default(),
        ansible_distribution: text("ansible_distribution"),
    })
}

/// Whether a host of the inventory is this machine.
pub(crate) fn is_here(host: &HostPlan) -> bool {
    let connection = host.vars.get("ansible_connection").and_then(Value::as_str);
    connection.is_some_and(|c| c.rsplit('.').next() == Some("local"))
}

/// What is known of a host without asking it: what its variables say, or what kind of machine this is.
pub(crate) fn known(name: &str, host: &HostPlan) -> Option<ArchitectureFacts> {
    let told = architecture(&host.vars);
    let here = is_here(host) || matches!(name, "localhost" | "127.0.0.1" | "::1");
    told.or_else(|| {
        here.then(|| {
            let uname = rustix::system::uname();
            ArchitectureFacts {
                ansible_architecture: uname.machine().to_string_lossy().into_owned(),
                ansible_system: uname.sysname().to_string_lossy().into_owned(),
                ..ArchitectureFacts::default()
            }
        })
    })
}
