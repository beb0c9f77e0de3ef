//! The execution plan: what is to be done, on which hosts, with which data.
//!
//! `plan.json` is this in JSON (`rustle schema plan` prints its schema); the artifact carries it as postcard. Postcard
//! does not describe itself: fields are told apart by their order alone, so no field here may be skipped, flattened or
//! untagged, and [`PLAN_VERSION`] changes with every change of shape. JSON readers take missing fields as their
//! defaults and refuse unknown ones.
//!
//! The nouns are those of the project's seed documents: ExecutionPlan, PlayPlan, TaskBatch, BinaryDeployment,
//! RuntimeConfig.

mod asset_name;
mod carried;
mod choice;
mod conditions;
mod deployment;
mod foreign;
pub mod fuzz;
pub mod json;
mod role;
mod runtime;
mod span;
mod task;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

pub use asset_name::{asset_candidates, asset_name};
pub use carried::{Carried, PYTHON_BUNDLE, Way, carried};
pub use choice::VarsChoice;
pub use conditions::Conditions;
pub use deployment::{BinaryDeployment, EmbeddedData, StaticFile};
pub use role::{MAIN, RolePlan, RoleUse};
pub use runtime::RuntimeConfig;
pub use span::Span;
pub use task::{ARGS_TEMPLATE, Block, Item, LoopControl, Source, Task};

use crate::value::{Map, Value};

/// The version of the plan's shape. An artifact with any other is refused; documents of older versions are read, since
/// each version only added fields.
pub const PLAN_VERSION: u32 = 5;

/// A whole plan.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionPlan {
    /// The version of this shape: [`PLAN_VERSION`].
    pub version: u32,
    /// Where the plan comes from.
    pub metadata: PlanMetadata,
    /// The plays, in order.
    pub plays: Vec<PlayPlan>,
    /// Hosts by inventory name, with their own variables and groups.
    pub hosts: IndexMap<String, HostPlan>,
    /// Groups by name, with their variables, children and priority.
    pub groups: IndexMap<String, GroupPlan>,
    /// Variables that win over all others (`--extra-vars` of the plan's author).
    pub extra_vars: Map,
    /// The folder of the controller that names of task files and folders of roles are relative to: it is printed before
    /// them, and `role_path` begins with it. Default: they are printed as they are.
    pub base_dir: Option<String>,
    /// The roles by key: what a [`RoleUse`] names, and what `include_role` may ask for.
    pub roles: IndexMap<String, RolePlan>,
    /// The files that `include_tasks` may ask for, by path below `base_dir` (`roles/web/tasks/debian.yml`).
    pub task_files: IndexMap<String, Vec<Item>>,
    /// Modules by group, for `module_defaults` with `group/NAME`.
    pub action_groups: IndexMap<String, Vec<String>>,
    /// Files that the tasks name, beyond those found from the tasks themselves.
    pub assets: Vec<AssetSpec>,
    /// Secrets by name: where their text comes from when packing. The text itself is never in the plan.
    pub secrets: Vec<SecretSpec>,
    /// How tasks were grouped for binary deployment.
    pub binary_deployments: Vec<BinaryDeployment>,
    /// How the run behaves as a whole.
    pub runtime: RuntimeConfig,
    /// How many tasks there are, handlers apart. Checked when given.
    pub total_tasks: Option<u64>,
    /// The planner's guess of the run's length.
    pub estimated_duration: Option<Span>,
    /// The planner's guess of the time to compile, for the generated-source mode.
    pub estimated_compilation_time: Option<Span>,
    /// 0 to 1: how much of the plan can run in parallel.
    pub parallelism_score: Option<f64>,
    /// 0 to 1: how many round trips the plan saves.
    pub network_efficiency_score: Option<f64>,
}

/// Where a plan comes from. Informative: nothing here changes what a run does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PlanMetadata {
    /// A short name for people.
    pub name: Option<String>,
    /// A sentence for people.
    pub description: Option<String>,
    /// An identifier of the author's choosing.
    pub plan_id: Option<String>,
    /// Who wrote it.
    pub author: Option<String>,
    /// When it was made, RFC 3339.
    pub created_at: Option<String>,
    /// The version of the tool that made it.
    pub rustle_plan_version: Option<String>,
    /// The author's version of the plan.
    pub version: Option<String>,
    /// A hash of the playbook that it was made from.
    pub playbook_hash: Option<String>,
    /// A hash of the inventory that it was made from.
    pub inventory_hash: Option<String>,
    /// The options that the planner was given.
    pub planning_options: Option<Value>,
    /// Labels.
    pub tags: Vec<String>,
}

/// A host of the inventory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HostPlan {
    /// Its own variables. They go into that host's overlay only.
    pub vars: Map,
    /// The groups that it belongs to directly.
    pub groups: Vec<String>,
}

/// A group of the inventory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct GroupPlan {
    /// Its variables.
    pub vars: Map,
    /// Its direct hosts.
    pub hosts: Vec<String>,
    /// Its child groups.
    pub children: Vec<String>,
    /// `ansible_group_priority`: the higher wins among groups of one depth.
    pub priority: i64,
}

/// One play.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PlayPlan {
    /// An identifier, unique in the plan; made from the position when empty.
    pub play_id: String,
    /// The name that is printed.
    pub name: String,
    /// The hosts that it runs on, by name; empty: every host of the plan, or the machine itself.
    pub hosts: Vec<String>,
    /// `linear`, `free`, `host_pinned`, or one of the seeds' `Linear`, `Rolling`, `BinaryHybrid`, …
    pub strategy: Option<String>,
    /// `serial`: a number, a percentage, or a list of them.
    pub serial: Option<Value>,
    /// The tasks, in batches. Tasks of a later batch follow those of an earlier one.
    pub batches: Vec<TaskBatch>,
    /// The play's own handlers, in the order in which they run. Those of roles come from the roles. A block among
    /// handlers is no more than its tasks: what it hands down is written on each.
    pub handlers: Vec<Task>,
    /// Whether facts are gathered first. Default: no.
    pub gather_facts: Option<bool>,
    /// What to gather, as for the module `setup`.
    pub gather_subset: Option<Value>,
    /// Seconds that gathering may take for each part of the facts.
    pub gather_timeout: Option<Value>,
    /// The folder of local facts.
    pub fact_path: Option<Value>,
    /// Play variables.
    pub vars: Map,
    /// Contents of `vars_files`, already read, in order.
    pub vars_files: Vec<Map>,
    /// Those of them that each host chooses while it runs, each as [`VarsChoice`] reads it.
    pub vars_choices: Vec<Map>,
    /// Environment for every task: a mapping, or a list of mappings.
    pub environment: Option<Value>,
    /// Defaults by module name.
    pub module_defaults: Option<Value>,
    /// Tags that every task inherits.
    pub tags: Vec<String>,
    /// Conditions that every task inherits.
    pub when: Conditions,
    /// `become` for every task.
    #[serde(rename = "become")]
    pub become_: Option<Value>,
    /// The user to become.
    pub become_user: Option<Value>,
    /// How: `sudo`, `su`, `doas`.
    pub become_method: Option<Value>,
    /// Flags for the method.
    pub become_flags: Option<Value>,
    /// The program of the method.
    pub become_exe: Option<Value>,
    /// The user of the connection.
    pub remote_user: Option<Value>,
    /// The kind of connection.
    pub connection: Option<Value>,
    /// The port of the connection.
    pub port: Option<Value>,
    /// `check_mode` for every task.
    pub check_mode: Option<Value>,
    /// `diff` for every task.
    pub diff: Option<Value>,
    /// `no_log` for every task.
    pub no_log: Option<Value>,
    /// `ignore_errors` for every task.
    pub ignore_errors: Option<Value>,
    /// `ignore_unreachable` for every task.
    pub ignore_unreachable: Option<Value>,
    /// Whether handlers run even when a task failed.
    pub force_handlers: Option<bool>,
    /// Whether one failed host ends the play for all.
    pub any_errors_fatal: Option<Value>,
    /// The share of failed hosts, in percent, that ends the play.
    pub max_fail_percentage: Option<Value>,
    /// The order of the hosts.
    pub order: Option<String>,
    /// How many hosts at once.
    pub throttle: Option<Value>,
    /// Seconds that one task may take.
    pub timeout: Option<Value>,
    /// Whether assets of this play are staged and checked together before the first is renamed into place. Their names and,
    /// for templates, their variables must then be known when the play begins, after its facts.
    pub atomic: Option<bool>,
    /// The planner's guess of the play's length.
    pub estimated_duration: Option<Span>,
    /// Where it was written.
    pub source: Option<Source>,
}

/// Tasks that run one after the other.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TaskBatch {
    /// An identifier, unique in the play.
    pub batch_id: String,
    /// The hosts of the batch; empty: those of the play.
    pub hosts: Vec<String>,
    /// Tasks and blocks.
    pub tasks: Vec<Item>,
    /// Whether notified handlers run when the batch is done (after `pre_tasks`, and after `roles` and `tasks`). They run
    /// at the end of the play in any case.
    pub flush_handlers: Option<bool>,
    /// Tasks that may run at the same time, by id. Informative.
    pub parallel_groups: Vec<Value>,
    /// Batches that must be done before, by id.
    pub dependencies: Vec<String>,
    /// The planner's guess of the batch's length.
    pub estimated_duration: Option<Span>,
}

/// A file or tree that goes into the artifact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AssetSpec {
    /// The name under which tasks find it (`src: NAME`), relative, with `/`.
    pub name: String,
    /// Where it lies when packing, relative to the plan or to `--asset-root`. Default: the name.
    pub source: Option<String>,
    /// SHA-256 of the content in hexadecimal: packing refuses another content.
    pub sha256: Option<String>,
    /// Size in bytes: packing refuses another size.
    pub size: Option<u64>,
    /// Content given in place of a file.
    pub content: Option<String>,
}

/// A secret: its name, and where packing finds its text.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SecretSpec {
    /// The name that `{"__rustle_secret": NAME}` refers to, also a variable of that name.
    pub name: String,
    /// A file that holds it, relative to the plan. A final newline is not part of it.
    pub file: Option<String>,
    /// An environment variable that holds it when packing.
    pub env: Option<String>,
    /// The only hosts that receive it; empty: all.
    pub hosts: Vec<String>,
}

impl ExecutionPlan {
    /// Every task, blocks opened: play after play, its handlers last; then those of roles; then those of task files.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        let plays = self.plays.iter().flat_map(|play| {
            let mut out: Vec<&Task> = Vec::new();
            for batch in &play.batches {
                for item in &batch.tasks {
                    item.collect(&mut out);
                }
            }
            out.extend(&play.handlers);
            out
        });
        let roles = self.roles.values().flat_map(|role| {
            let mut out = Vec::new();
            role.collect(&mut out);
            out
        });
        let files = self.task_files.values().flatten().flat_map(|item| {
            let mut out = Vec::new();
            item.collect(&mut out);
            out
        });
        plays.chain(roles).chain(files)
    }

    /// Whether a task may bring a file to the controller (`fetch`); a module whose name is a template may be any.
    #[cfg(feature = "pack")]
    pub fn fetches(&self) -> bool {
        self.tasks().any(|task| {
            let short = task.module.rsplit('.').next();
            short == Some("fetch") || task.module.contains("{{")
        })
    }

    /// How many of [`ExecutionPlan::tasks`] are handlers.
    pub(crate) fn handler_count(&self) -> usize {
        let plays = self.plays.iter().map(|p| p.handlers.len());
        let roles = self.roles.values().map(RolePlan::handler_count);
        plays.chain(roles).sum()
    }
}
