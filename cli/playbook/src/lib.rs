//! The language: what a repository of playbooks says, read exactly as Ansible reads it, with the place of every value.
//!
//! Nothing here prints, reads the environment or ends the process: what the process knows is handed in, and what is
//! wrong comes back as [`Problem`]s.

mod collections;
pub mod config;
mod files;
pub mod inventory;
pub mod pattern;
pub mod play;
mod problem;
pub mod refactor;
pub mod roles;
mod source;
pub mod vars;
pub mod vault;
pub mod words;
pub mod yaml;

pub use files::{Files, Kind};
pub use problem::{Fault, Problem, Severity};
pub use source::{FileId, Position, Sources};
