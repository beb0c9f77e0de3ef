//! The host's variables: where each comes from, which wins, and templating with them.
//!
//! Variables stay in the layers that they came in; a lookup asks the layers from the strongest to the weakest. Nothing
//! is merged or copied per task, so a task costs nothing for the variables that it does not use. Only where the plan wants
//! mappings merged (`merge_hashes`) are the values of a name laid over each other when it is looked up.

mod about;
#[cfg(feature = "full")]
mod choices;
mod first_found;
mod groups;
mod hostvars;
pub mod inventory;
mod lookups;
mod machine;
mod magic;
mod merge;
mod names;
mod scope;
mod store;
mod templar;
mod template;

pub(crate) use about::about_template;
#[cfg(feature = "full")]
pub(crate) use choices::choose;
pub(crate) use groups::Groups;
pub use lookups::CONTROLLER as CONTROLLER_LOOKUPS;
pub(crate) use lookups::NAMES as LOOKUPS;
pub(crate) use magic::NAMES as MAGIC_NAMES;
pub(crate) use names::is_variable_name;
pub(crate) use scope::{TaskScope, TaskVars, untagged};
pub(crate) use store::{PlayVars, Store, inventory_of};
pub(crate) use templar::{Templar, Templates, apply_options};
