//! Executes a plan on this machine: the task engine, the modules, facts, become.
//!
//! Nothing here prints, reads the environment or exits: a driver (the stub run by hand, a session over ssh, the command
//! line for `connection: local`) gives the plan, the assets and the clock in, and takes events out.

pub mod accounts;
pub mod args;
pub mod assets;
mod r#become;
#[cfg(feature = "full")]
mod carried;
pub mod check;
pub mod context;
pub mod engine;
pub mod extract;
mod facts;
#[cfg(feature = "full")]
pub mod flavour;
mod fsops;
pub mod glob;
pub mod hardening;
mod http;
mod jobs;
pub mod modules;
pub mod outcome;
pub mod process;
mod pyregex;
#[cfg(feature = "reference")]
pub mod reference;
pub mod report;
pub mod spec;
mod this_machine;
pub mod timing;
#[cfg(test)]
mod trial;
mod vars;

#[cfg(feature = "full")]
pub use r#become::with_files;
pub use r#become::{BECOME_PASSWORD, WORKER, Worker};
pub use http::{Fetch, fetch, machine_trust};
pub use this_machine::this_machine;
pub use vars::inventory;
