//! The event stream: what a run tells while it happens.
//!
//! Events are the truth. What is printed, the JSON report, the journal and the exit code are folds over them; a run
//! that was watched over ssh and one that ran alone differ in who reads the events, in nothing else.
//!
//! On the wire an event is postcard; in files and for other programs it is one JSON object a line, see
//! [`Event::to_json_line`].

mod json;
#[cfg(feature = "schema")]
mod schema;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::plan::Source;
use crate::value::Value;

/// The version of the events' shape.
pub const EVENT_VERSION: u32 = 3;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1 in a run, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970, by the clock of the machine that ran the task.
    pub time_ms: u64,
    /// What happened.
    pub kind: EventKind,
}

/// How a task (or one item of its loop) ended on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Done, nothing was changed.
    Ok,
    /// Done, something was changed (or would be, in check mode).
    Changed,
    /// Not done, because a condition did not hold.
    Skipped,
    /// Failed.
    Failed,
    /// The host could not be reached.
    Unreachable,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum EventKind {
    /// The run begins.
    RunStarted {
        /// [`EVENT_VERSION`].
        version: u32,
        /// Random, 32 hexadecimal digits.
        run_id: String,
        /// The plan's name, if it has one.
        plan: Option<String>,
        /// The artifact's root in hexadecimal, if it runs from one.
        root: Option<String>,
        /// The version of the runner.
        runner: String,
        /// The hosts of the run by inventory name.
        hosts: Vec<String>,
        /// Whether nothing is changed.
        check: bool,
        /// Whether differences are shown.
        diff: bool,
    },
    /// A play begins.
    PlayStarted {
        /// Its id.
        play: String,
        /// Its name.
        name: String,
        /// Its hosts.
        hosts: Vec<String>,
    },
    /// No host matched the play.
    PlaySkipped {
        /// Its name.
        name: String,
        /// Why, as a sentence.
        reason: String,
    },
    /// A task begins; results of hosts follow.
    TaskStarted {
        /// Its id.
        task: String,
        /// The name, templated.
        name: String,
        /// The role, if any.
        role: Option<String>,
        /// The module.
        module: String,
        /// Whether it is a handler.
        handler: bool,
        /// Where it was written.
        source: Option<Source>,
    },
    /// One item of a loop ended.
    ItemResult {
        /// The task's id.
        task: String,
        /// The host.
        host: String,
        /// How it ended.
        status: Status,
        /// Whether a failure was ignored.
        ignored: bool,
        /// The item's label, as it is printed.
        label: Value,
        /// The module's result, without secrets; `{"censored": …}` under no_log.
        result: Value,
        /// Milliseconds it took.
        duration_ms: u64,
        /// The host that it was delegated to.
        delegated_to: Option<String>,
    },
    /// A task ended on a host.
    TaskResult {
        /// The task's id.
        task: String,
        /// The host.
        host: String,
        /// How it ended.
        status: Status,
        /// Whether a failure was ignored.
        ignored: bool,
        /// Whether it was a loop, whose items were told before.
        looped: bool,
        /// The result as it is registered, without secrets; `{"censored": …}` under no_log.
        result: Value,
        /// Milliseconds it took.
        duration_ms: u64,
        /// The host that it was delegated to.
        delegated_to: Option<String>,
    },
    /// A task brought in a file of tasks or a role, whose tasks follow.
    Included {
        /// The task's id.
        task: String,
        /// The host.
        host: String,
        /// The file, or the role's name, as it is printed.
        what: String,
        /// The item that it was brought in for, as it is printed.
        label: Option<Value>,
    },
    /// A try failed and another follows.
    Retry {
        /// The task's id.
        task: String,
        /// The task's name.
        name: String,
        /// The host.
        host: String,
        /// Tries that remain.
        left: u64,
        /// The result of the try.
        result: Value,
    },
    /// A handler was notified.
    Notified {
        /// The host.
        host: String,
        /// The handler's name.
        handler: String,
    },
    /// A failure was caught by a rescue.
    Rescued {
        /// The host.
        host: String,
    },
    /// All hosts have failed: nothing follows.
    NoMoreHosts {},
    /// Something that the reader should know.
    Warning {
        /// The sentence.
        message: String,
        /// The host, if it is about one.
        host: Option<String>,
    },
    /// The run is alive.
    Heartbeat {},
    /// The run ended.
    RunFinished {
        /// What was counted, by host.
        stats: IndexMap<String, Stats>,
        /// The process's exit code, see `docs/FORMAT.md`.
        exit_code: u8,
        /// Why it ended early, if it did.
        aborted: Option<String>,
        /// Milliseconds it took.
        duration_ms: u64,
    },
    /// A `meta` task did something.
    Steered {
        /// The host.
        host: String,
        /// What was done, in Ansible's words.
        message: String,
    },
}

/// What is counted for a host: the numbers of the recap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Stats {
    /// Tasks that ended without failure, changed ones among them.
    pub ok: u64,
    /// Tasks that changed something.
    pub changed: u64,
    /// 1 where the host could not be reached.
    pub unreachable: u64,
    /// Tasks that failed.
    pub failed: u64,
    /// Tasks that were skipped.
    pub skipped: u64,
    /// Failures caught by a rescue.
    pub rescued: u64,
    /// Failures that were ignored.
    pub ignored: u64,
}

impl Stats {
    /// Counts one result. A failure that is ignored counts as done, and as changed where the module had changed
    /// something (`changed`).
    pub fn count(&mut self, status: Status, ignored: bool, changed: bool) {
        match status {
            Status::Ok => self.ok += 1,
            Status::Changed => {
                self.ok += 1;
                self.changed += 1;
            }
            Status::Skipped => self.skipped += 1,
            Status::Failed | Status::Unreachable if ignored => {
                self.ok += 1;
                self.ignored += 1;
                self.changed += u64::from(changed);
            }
            Status::Failed => self.failed += 1,
            Status::Unreachable => self.unreachable += 1,
        }
    }
}
