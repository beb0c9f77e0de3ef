//! A driver for tests: keeps the events, answers from what the test gave it.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustle_formats::Value;
use rustle_formats::event::{Event, EventKind};
use rustle_formats::plan::ExecutionPlan;
use rustle_runtime::assets::{AssetEntry, AssetKind, Assets};
use rustle_runtime::engine::{Driver, Machine, Options, Reply, Request, RunSummary, Runner};
use zeroize::Zeroizing;

/// Assets in memory.
#[derive(Default)]
pub struct Files(pub HashMap<String, Vec<u8>>);

impl Assets for Files {
    fn entry(&self, path: &[u8]) -> std::io::Result<Option<AssetEntry>> {
        let name = String::from_utf8_lossy(path).into_owned();
        let folder = format!("{name}/");
        let kind = match self.0.get(&name) {
            Some(bytes) => AssetKind::File {
                size: bytes.len() as u64,
            },
            None if self.0.keys().any(|k| k.starts_with(&folder)) => AssetKind::Dir,
            None => return Ok(None),
        };
        Ok(Some(AssetEntry {
            path: path.to_vec(),
            kind,
            mode: 0o644,
        }))
    }
    fn below(&self, path: &[u8]) -> std::io::Result<Vec<AssetEntry>> {
        let folder = format!("{}/", String::from_utf8_lossy(path));
        let mut names: Vec<String> = Vec::new();
        for name in self.0.keys().filter(|k| k.starts_with(&folder)) {
            let inside = &name[folder.len()..];
            for (i, _) in inside.match_indices('/') {
                names.push(format!("{folder}{}", &inside[..i]));
            }
            names.push(name.clone());
        }
        names.sort_unstable();
        names.dedup();
        let entries = names.iter().map(|name| self.entry(name.as_bytes()));
        entries.filter_map(Result::transpose).collect()
    }
    fn read(&self, path: &[u8], out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let name = String::from_utf8_lossy(path).into_owned();
        match self.0.get(&name) {
            Some(bytes) => out.write_all(bytes),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

/// The driver.
pub struct Fake {
    pub events: RefCell<Vec<Event>>,
    pub files: Files,
    pub secrets: HashMap<String, String>,
    pub asked: RefCell<Vec<Request>>,
    /// Cancels when so many events were told.
    pub cancel_after: Cell<usize>,
    machine: Machine,
    folder: PathBuf,
}

impl Fake {
    pub fn new(folder: &Path) -> Fake {
        let work_dir = folder.join("work");
        std::fs::create_dir_all(&work_dir).expect("a work folder");
        let env = [
            ("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"),
            ("HOME", "/root"),
        ];
        Fake {
            events: RefCell::default(),
            files: Files::default(),
            secrets: HashMap::new(),
            asked: RefCell::default(),
            cancel_after: Cell::new(usize::MAX),
            machine: Machine {
                env: env
                    .iter()
                    .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                    .collect(),
                cwd: folder.to_owned(),
                work_dir,
                async_dir: Some(folder.join("async")),
                ..Machine::default()
            },
            folder: folder.to_owned(),
        }
    }

    pub fn run(&self, plan: &ExecutionPlan, options: Options) -> RunSummary {
        Runner::new(plan, "localhost", options, self).run()
    }

    /// The results of tasks, as `name: status`.
    pub fn outline(&self) -> Vec<String> {
        let mut name = String::new();
        let mut out = Vec::new();
        for event in self.events.borrow().iter() {
            match &event.kind {
                EventKind::TaskStarted { name: n, .. } => name.clone_from(n),
                EventKind::TaskResult {
                    status, ignored, ..
                } => {
                    let ignored = if *ignored { " ignored" } else { "" };
                    out.push(format!("{name}: {status:?}{ignored}"));
                }
                _ => {}
            }
        }
        out
    }

    /// The result of the task of this name.
    pub fn result(&self, wanted: &str) -> Value {
        let mut name = String::new();
        let mut found = Value::Null;
        for event in self.events.borrow().iter() {
            match &event.kind {
                EventKind::TaskStarted { name: n, .. } => name.clone_from(n),
                EventKind::TaskResult { result, .. } if name == wanted => found = result.clone(),
                _ => {}
            }
        }
        found
    }
}

impl Driver for Fake {
    fn emit(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }
    fn assets(&self) -> &dyn Assets {
        &self.files
    }
    fn secret(&self, name: &str) -> Result<Zeroizing<String>, String> {
        self.secrets
            .get(name)
            .map(|s| Zeroizing::new(s.clone()))
            .ok_or_else(|| format!("no secret '{name}'"))
    }
    fn ask(&self, request: Request) -> Reply {
        self.asked.borrow_mut().push(request);
        Reply::Refused("there is no controller".into())
    }
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
    fn cancelled(&self) -> bool {
        self.events.borrow().len() >= self.cancel_after.get()
    }
    fn machine(&self) -> &Machine {
        &self.machine
    }
}

/// A plan with one play of these tasks (JSON).
pub fn plan(tasks: serde_json::Value) -> ExecutionPlan {
    play(serde_json::json!({"name": "test", "batches": [{"tasks": tasks}]}))
}

/// A plan with this play (JSON).
pub fn play(play: serde_json::Value) -> ExecutionPlan {
    serde_json::from_value(serde_json::json!({"version": 1, "plays": [play]})).expect("a plan")
}
