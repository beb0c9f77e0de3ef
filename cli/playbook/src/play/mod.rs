//! Playbooks: every keyword, every form of a task, all static includes resolved, everything with its place.

mod action;
mod dynamic;
mod entries;
mod include;
mod keywords;
mod kinds;
mod model;
mod names;
mod outline;
mod plays;
mod prompts;
mod reader;
mod split;
mod tags;

pub use crate::collections::plugins::PluginFile;
pub use dynamic::Site;
pub use keywords::{KEYWORDS, Keyword, Keywords, Kind, Place, Templating, Written, find};
pub use model::{
    Action, Block, Entry, ImportRole, ImportTasks, Loop, Play, Playbook, PlaybookImport, RoleUse,
    Task, Validation,
};
pub use outline::{Outline, OutlineTask, listing, outline};
pub use prompts::Question;
pub use reader::{Options, Reader};
pub use split::{Shorthand, Unbalanced, split};
pub use tags::{Selection, written as written_tags};

pub(crate) use model::text_of;
pub(crate) use plays::{meta_keyword, role_folders};
pub(crate) use reader::Scope;

#[cfg(test)]
mod tests;
