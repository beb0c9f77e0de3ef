//! Inventories: which hosts there are, in which groups, with which variables.
//!
//! `model` is what all sources give; `load` finds out which kind each source is and reads it: `ini`, `yaml_source`,
//! `script`, `host_list`, `constructed`. `literal` reads ini values, `ranges` host names. `list`, `graph`, `emit_json` and
//! `emit_yaml` print as ansible-inventory does, and `report` answers as it does.

mod constructed;
mod emit_json;
mod emit_yaml;
mod explain;
mod graph;
mod group_names;
mod host_list;
mod ini;
mod list;
mod literal;
mod load;
mod model;
mod ranges;
mod report;
mod script;
mod show;
mod toml_source;
mod yaml_source;

pub use constructed::Extra;
pub use emit_json::to_json;
pub use emit_yaml::to_yaml;
pub use explain::{Explanation, explain_variable};
pub use graph::graph;
pub use group_names::{GroupNames, Transform};
pub use list::{Tree, VarsOf, list_json, list_yaml};
pub use load::{Loaded, Options, load};
pub use model::{ALL, Group, GroupId, Host, HostId, Inventory, UNGROUPED};
pub use report::{Action, Answer, Refusal, Request, answer, behaviour, open, options, vars_files};
