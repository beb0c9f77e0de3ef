//! The report of a run: what happened, task by task and host by host, as one document.
//!
//! A fold over the event stream, for programs that want the whole and not the stream: `--report FILE`, the controller
//! endpoint, `rustle push`. The nouns are those of the project's seed documents: ExecutionReport, its plays' results and
//! their task results.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::event::{Stats, Status};
use crate::plan::Source;
use crate::value::Value;

/// The version of the report's shape.
pub const REPORT_VERSION: u32 = 1;

/// A whole run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ExecutionReport {
    /// [`REPORT_VERSION`].
    pub version: u32,
    /// The run, 32 hexadecimal digits.
    pub run_id: String,
    /// The plan's name, if it has one.
    pub plan: Option<String>,
    /// The artifact's root in hexadecimal, if it ran from one.
    pub root: Option<String>,
    /// The version of the runner.
    pub runner: String,
    /// The hosts of the run by inventory name.
    pub hosts: Vec<String>,
    /// Whether nothing was changed.
    pub check: bool,
    /// Whether the run ended, and without failures that were neither ignored nor rescued.
    pub success: bool,
    /// Whether the run has ended; an interim report says no.
    pub finished: bool,
    /// The process's exit code, once it has ended.
    pub exit_code: Option<u8>,
    /// Why it ended early, if it did.
    pub aborted: Option<String>,
    /// When it began: milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took, or has taken so far, in milliseconds.
    pub execution_time_ms: u64,
    /// What was counted, by host.
    pub stats: IndexMap<String, Stats>,
    /// The plays.
    pub results: Vec<PlayResult>,
    /// Sentences that the reader should know.
    pub warnings: Vec<String>,
}

/// What `rustle deploy` did: which hosts have all that a run of the plan needs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct DeploymentReport {
    /// The version of this shape: 1.
    pub version: u32,
    /// One for each host, in the plan's order.
    pub deployed_binaries: Vec<BinaryDeploymentStatus>,
    /// Hosts that had all of it already. Nothing is compiled: the name is that of the project's seed documents.
    pub compilation_cache_hits: u64,
    /// How long all of it took, in seconds.
    pub deployment_duration: f64,
    /// The bytes of the runner with the packed plan, by target triple.
    pub binary_sizes: IndexMap<String, u64>,
}

/// Which hosts `rustle connect` reached.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ConnectionReport {
    /// The version of this shape: 1.
    pub version: u32,
    /// The hosts by inventory name, in its order.
    pub hosts: IndexMap<String, ConnectionStatus>,
}

/// How a host answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct ConnectionStatus {
    /// Whether it answered.
    pub reachable: bool,
    /// Why it did not.
    pub error: Option<String>,
    /// Its system, as `uname -s` says it.
    pub system: String,
    /// Its architecture, as `uname -m` says it.
    pub machine: String,
    /// The user there.
    pub user: String,
    /// Seconds until the first word came.
    pub connect_seconds: Option<f64>,
    /// Seconds from a word to its echo.
    pub answer_seconds: Option<f64>,
    /// For how many seconds after its last use the connection stays open; none: it is closed.
    pub held_seconds: Option<u64>,
}

/// How a deployment went on one host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct BinaryDeploymentStatus {
    /// The host by inventory name.
    pub host: String,
    /// Whether it has all of it.
    pub deployed: bool,
    /// Bytes that were sent.
    pub bytes_sent: u64,
    /// Whether a second look found nothing missing; none: it was not asked for.
    pub verified: Option<bool>,
    /// Why it has not.
    pub error: Option<String>,
}

/// A play's part of a report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct PlayResult {
    /// Its id in the plan.
    pub play_id: String,
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Whether none of its tasks failed, but for failures that were ignored or rescued.
    pub success: bool,
    /// Why it was not run, if it was not.
    pub skipped: Option<String>,
    /// Its tasks, in the order in which they began.
    pub task_results: Vec<TaskReport>,
}

/// A task's part of a report.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct TaskReport {
    /// Its id in the plan.
    pub task_id: String,
    /// Its name.
    pub name: String,
    /// The role, if any.
    pub role: Option<String>,
    /// The module.
    pub module: String,
    /// Whether it is a handler.
    pub handler: bool,
    /// Where it was written.
    pub source: Option<Source>,
    /// How it ended, by host.
    pub hosts: IndexMap<String, HostResult>,
}

/// How a task ended on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HostResult {
    /// How it ended.
    pub status: Status,
    /// Whether a failure was ignored.
    pub ignored: bool,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// The host that it was delegated to.
    pub delegated_to: Option<String>,
    /// How many tries failed before.
    pub retries: u64,
    /// The items of its loop.
    pub items: Vec<ItemReport>,
    /// The result as it is registered, without secrets; without `results` for a loop, whose items stand beside it.
    pub result: Value,
}

/// How one item of a loop ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ItemReport {
    /// The item's label.
    pub label: Value,
    /// How it ended.
    pub status: Status,
    /// Whether a failure was ignored.
    pub ignored: bool,
    /// Milliseconds it took.
    pub duration_ms: u64,
    /// The result, without secrets.
    pub result: Value,
}
