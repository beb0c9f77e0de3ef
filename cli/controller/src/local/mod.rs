//! `connection: local`: the same engine, driven in this process, with the files where they lie.

mod child;
mod files;
mod keep;

use std::time::SystemTime;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::redact::Redactor;
use rustle_runtime::assets::Assets;
use rustle_runtime::engine::{
    Confirm, Controller, Driver, Machine, Options, Reply, Request, RunSummary, Runner,
};
use zeroize::Zeroizing;

pub use child::ChildConnection;
pub use files::DiskFiles;

/// A run on this machine.
pub struct LocalRun<'a> {
    /// The plan.
    pub plan: &'a ExecutionPlan,
    /// The inventory host that this machine is.
    pub host: String,
    /// How to run.
    pub options: Options,
    /// The files that tasks name.
    pub files: DiskFiles,
    /// The texts of secrets by name.
    pub secrets: IndexMap<String, Zeroizing<String>>,
    /// What the process knows.
    pub machine: Machine,
    /// The controller's lookups and plugins.
    pub controller: Option<&'a dyn Controller>,
    /// The facts that are known of other hosts.
    pub others: &'a dyn Fn(&str) -> Map,
    /// Takes every event, in order.
    pub emit: &'a dyn Fn(&Event),
    /// Whether the user wants to stop.
    pub cancelled: &'a dyn Fn() -> bool,
    /// Asks the user whether to do a task, under [`Options::step`].
    pub confirm: &'a dyn Fn(&str) -> Confirm,
}

impl LocalRun<'_> {
    /// Runs it.
    pub fn run(self) -> RunSummary {
        let driver = Local {
            redactor: Redactor::new(self.secrets.values().map(|text| text.as_bytes())),
            emit: self.emit,
            controller: self.controller,
            others: self.others,
            cancelled: self.cancelled,
            confirm: self.confirm,
            files: self.files,
            secrets: self.secrets,
            machine: self.machine,
        };
        Runner::new(self.plan, self.host, self.options, &driver).run()
    }
}

/// The engine's driver: files and secrets of this machine, and nobody to ask but itself.
struct Local<'a> {
    emit: &'a dyn Fn(&Event),
    cancelled: &'a dyn Fn() -> bool,
    confirm: &'a dyn Fn(&str) -> Confirm,
    controller: Option<&'a dyn Controller>,
    others: &'a dyn Fn(&str) -> Map,
    files: DiskFiles,
    secrets: IndexMap<String, Zeroizing<String>>,
    redactor: Redactor,
    machine: Machine,
}

impl Driver for Local<'_> {
    fn emit(&self, mut event: Event) {
        if !self.redactor.is_empty() {
            self.redactor.event(&mut event);
        }
        (self.emit)(&event);
    }

    fn assets(&self) -> &dyn Assets {
        &self.files
    }

    fn secret(&self, name: &str) -> Result<Zeroizing<String>, String> {
        self.secrets
            .get(name)
            .cloned()
            .ok_or_else(|| format!("there is no secret '{name}' for this host"))
    }

    fn ask(&self, request: Request) -> Reply {
        match request {
            Request::HostVars { host } => Reply::Vars {
                inventory: None,
                facts: (self.others)(&host),
                vars: Map::new(),
            },
            Request::Keep(delivery) => self.files.keep(&delivery),
            Request::Action(action) => Reply::Refused(format!(
                "{} cannot be done on {}: this run has one host",
                action.module, action.delegate_to
            )),
            _ => Reply::Refused("this run has one host".to_owned()),
        }
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn cancelled(&self) -> bool {
        (self.cancelled)()
    }

    fn confirm(&self, task: &str) -> Confirm {
        (self.confirm)(task)
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn controller(&self) -> Option<&dyn Controller> {
        self.controller
    }
}
