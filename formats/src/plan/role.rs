//! Roles: what one consists of, and how a play or another role uses it.
//!
//! A plan has each role once, however often it is used. A use is a [`Block`](super::Block) with
//! [`use_role`](super::Block::use_role) (`roles:`, `import_role`, a dependency), or a task of the module `include_role`,
//! which finds its role when it runs.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::{Block, Item, Task};
use crate::value::{Map, Value};

/// The name under which a role keeps what it uses where nothing else is asked for (`tasks/main.yml`).
pub const MAIN: &str = "main";

/// A role. Its files are kept by the names that `tasks_from` and the like ask for, without an ending; [`MAIN`] is the
/// one that is used otherwise.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RolePlan {
    /// The name that is printed before its tasks' names, and by which `include_role` finds it besides its key. With
    /// its collection, if it has one. Default: its key.
    pub name: String,
    /// The collection that it comes from.
    pub collection: Option<String>,
    /// Its folder: absolute, or below the plan's `base_dir`. Names in its tasks are looked for there first.
    pub path: String,
    /// `defaults/NAME.yml`, read.
    pub defaults: IndexMap<String, Map>,
    /// `vars/NAME.yml`, read.
    pub vars: IndexMap<String, Map>,
    /// `tasks/NAME.yml`: those that a use can name. Files that are included by `include_tasks` stand in the plan's
    /// `task_files`.
    pub tasks: IndexMap<String, Vec<Item>>,
    /// `handlers/NAME.yml`.
    pub handlers: IndexMap<String, Vec<Task>>,
    /// The roles that run before it (`meta/main.yml`), each a block with `use_role`.
    pub dependencies: Vec<Block>,
    /// Whether it runs again where it ran with the same parameters before. Default: no.
    pub allow_duplicates: Option<bool>,
    /// What its entry points take, by name of the entry point (`meta/argument_specs.yml`).
    pub argument_specs: IndexMap<String, Value>,
}

/// A use of a role, resolved when planning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RoleUse {
    /// The role's key in the plan's `roles`.
    pub role: String,
    /// Whether it is an `import_role`. Default: an entry of `roles:` or a dependency.
    pub imported: Option<bool>,
    /// The parameters: keys of the entry that are no keywords. Stronger than everything but extra variables.
    pub params: Map,
    /// The tasks to run. Default: `main`.
    pub tasks_from: Option<String>,
    /// The variables to read. Default: `main`.
    pub vars_from: Option<String>,
    /// The defaults to read. Default: `main`.
    pub defaults_from: Option<String>,
    /// The handlers to add. Default: `main`.
    pub handlers_from: Option<String>,
    /// Whether the whole play sees its defaults and variables. Default: yes.
    pub public: Option<bool>,
    /// Whether it runs again where it ran before. Default: what the role says; yes for `import_role`.
    pub allow_duplicates: Option<bool>,
    /// Whether parameters are checked against the role's `argument_specs`. Default: yes.
    pub rolespec_validate: Option<bool>,
}

impl RolePlan {
    /// All tasks of its files, handlers last.
    pub(super) fn collect<'a>(&'a self, out: &mut Vec<&'a Task>) {
        for item in self.tasks.values().flatten() {
            item.collect(out);
        }
        out.extend(self.handlers.values().flatten());
    }

    /// How many handlers its files have.
    pub(super) fn handler_count(&self) -> usize {
        self.handlers.values().map(Vec::len).sum()
    }
}
