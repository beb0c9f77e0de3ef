//! `vars_files` whose names depend on the run.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::PlayPlan;
use crate::value::{Map, Value};

/// An entry of `vars_files` that only a host can choose, before each of its tasks: its names are templates of facts, or of
/// what the inventory says of the host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct VarsChoice {
    /// Which of the play's `vars_files` it stands for; what is there counts where nothing is chosen.
    pub place: u64,
    /// What was written: a name, or a list of names of which the first that there is a file for counts.
    pub names: Value,
    /// The folder that names are looked for in, and before that in its `vars`; below `base_dir`.
    pub folder: String,
    /// The contents of all files that may be meant, by path below `base_dir`.
    pub files: IndexMap<String, Map>,
}

impl PlayPlan {
    /// All variables that files of `vars_files` may set, those of files that only a run chooses among them. The strongest
    /// come last.
    pub fn all_vars_files(&self) -> impl DoubleEndedIterator<Item = &Map> {
        let chosen = self.vars_choices.iter().flat_map(|c| c.files.values());
        chosen.chain(&self.vars_files)
    }
}
