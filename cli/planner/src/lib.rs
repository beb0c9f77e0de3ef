//! From a playbook, an inventory and what is known of the hosts to an execution plan. Pure: files are read through the
//! playbook reader, nothing is printed, nothing is run.
//!
//! `plays` makes plays, `entries` tasks and blocks, `handlers` handlers, `roles` roles, `includes` what tasks may include at run time,
//! `keywords` and `values` what they are made of, `hosts` the inventory's part; `decide` says where each task runs, `documents`
//! is what commands pass on to each other.

pub mod decide;
pub mod documents;
mod entries;
mod handlers;
mod hosts;
mod includes;
mod keywords;
mod lowering;
mod plays;
mod reserved;
mod roles;
mod values;
mod vars_files;
mod vaulted;
mod wildcard;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::plan::{ExecutionPlan, RuntimeConfig, SecretSpec};
use rustle_formats::{Map, Value};
use rustle_playbook::play::{Playbook, Reader};
use rustle_playbook::yaml::Vault;
use rustle_playbook::{Problem, Sources};
use zeroize::Zeroizing;

pub use hosts::{HostLayer, InventoryPart, inventory_part};

/// What a plan is made from.
pub struct Request<'a> {
    /// The playbook.
    pub playbook: &'a Playbook,
    /// Its path, as the user named it.
    pub path: &'a Path,
    /// The reader that it was read with: for what is included at run time.
    pub reader: &'a Reader<'a>,
    /// The files that were read.
    pub sources: &'a Sources,
    /// The hosts and groups.
    pub inventory: InventoryPart,
    /// The hosts of each play, by the play's index.
    pub hosts: Vec<Vec<String>>,
    /// The folder that relative paths start from; absolute.
    pub directory: PathBuf,
    /// Opens what is under `!vault`.
    pub decrypt: &'a dyn Fn(&Vault) -> Result<Opened, String>,
    /// Whether a file was vaulted as a whole and its texts must be secrets of the plan. Always no: they are plain values.
    pub vaulted: &'a dyn Fn(&Path) -> bool,
    /// Whether facts are gathered where a play does not say.
    pub gather: bool,
    /// `--extra-vars`.
    pub extra_vars: Map,
    /// How runs behave as a whole, as far as the settings say.
    pub runtime: RuntimeConfig,
    /// Answers to `vars_prompt`, by name.
    pub prompted: IndexMap<String, Value>,
}

/// What stood under `!vault`.
pub enum Opened {
    /// Its text.
    Text(Zeroizing<String>),
    /// There is no password for it: the reason. What uses it in a run fails with that, and nothing else does.
    Closed(String),
}

/// What came of it.
#[derive(Debug)]
pub struct Planned {
    /// The plan. Its secrets are references.
    pub plan: ExecutionPlan,
    /// The texts of its secrets by name. The plan's `secrets` say which hosts receive them.
    pub secrets: IndexMap<String, Zeroizing<String>>,
    /// The files of the modules that tasks name, by the name that the plan has for them, as far as there are any.
    pub modules: IndexMap<String, ModuleFiles>,
    /// What Ansible warns of.
    pub warnings: Vec<Problem>,
}

/// What lies on the controller of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModuleFiles {
    /// The module, in whatever language. Its path is absolute.
    pub module: Option<PathBuf>,
    /// Its part that runs on the controller. Its path is absolute.
    pub action: Option<PathBuf>,
    /// Whether it lies in no collection: beside the playbook, in a role, on the module path.
    pub in_library: bool,
}

/// Makes the plan.
///
/// # Errors
/// Everything that is wrong or not supported, with its place.
pub fn plan(request: Request<'_>) -> Result<Planned, Vec<Problem>> {
    match survey(request) {
        (planned, problems) if problems.is_empty() => Ok(planned),
        (_, problems) => Err(problems),
    }
}

/// Makes the plan as far as it can be made, and says all that is wrong or not supported. With problems the plan is only fit for
/// being looked at.
pub fn survey(request: Request<'_>) -> (Planned, Vec<Problem>) {
    lowering::run(request)
}

/// The declarations of the secrets with these names: which hosts receive them.
pub fn declarations<'a>(
    plan: &ExecutionPlan,
    names: impl Iterator<Item = &'a String>,
) -> Vec<SecretSpec> {
    vaulted::specs(plan, names)
}
