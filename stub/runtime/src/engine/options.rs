//! What the user asked of this run, beyond what the plan says.

use std::time::Duration;

use rustle_formats::Map;

/// Options of a run, by the names of ansible-playbook's.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Predict, change nothing.
    pub check: bool,
    /// Show differences.
    pub diff: bool,
    /// Only tasks with one of these tags. Empty: all.
    pub tags: Vec<String>,
    /// No tasks with one of these tags.
    pub skip_tags: Vec<String>,
    /// Begin with the task of this name (or pattern).
    pub start_at_task: Option<String>,
    /// Variables that win over all others, the plan's own extra variables among them.
    pub extra_vars: Map,
    /// What the inventory says of this host, where the plan does not know it: a `localhost` that no source has is in no
    /// group, and has variables all the same.
    pub own_vars: Map,
    /// How many `-v`.
    pub verbosity: u8,
    /// Run handlers even where a task failed.
    pub force_handlers: bool,
    /// Whether notifying what is no handler is a warning, and no error.
    pub unknown_handlers: bool,
    /// Whether conditions may have results that are no booleans (`allow_broken_conditionals`). Default: no.
    pub broken_conditionals: bool,
    /// Whether the engine runs apart from the host's machine: then tasks for that are asked for, as delegated ones. Default: no.
    pub apart: bool,
    /// Facts that are known of the host before the run.
    pub facts: Map,
    /// How long the whole run may take; the plan's own limit holds where this is not given.
    pub timeout: Option<Duration>,
    /// How long one task may take; a task's own limit wins.
    pub task_timeout: Option<Duration>,
    /// Identifies the run in its events: 32 hexadecimal digits.
    pub run_id: String,
    /// The artifact's root in hexadecimal, for the first event.
    pub root: Option<String>,
    /// How many hosts work at a time, as `ansible_forks` says. Default: 5.
    pub forks: Option<i64>,
    /// Whether the driver is asked before every task.
    pub step: bool,
    /// Whether a task that becomes the very user that runs it asks sudo all the same.
    pub become_same: bool,
    /// Whether the driver answers for the other hosts of the run, so that this one keeps in step with them.
    pub attended: bool,
    /// Why this host cannot be reached, where it cannot: every module that would run there says so.
    pub unreachable: Option<String>,
    /// The version of the runner, for the first event.
    pub runner: String,
}
