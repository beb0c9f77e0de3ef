//! ansible.cfg and the ANSIBLE_* environment variables, in Ansible's order of precedence.
//!
//! `environment` is what the process knows, handed in; `ini` reads the file; `table` lists all settings of ansible-core;
//! `settings` finds the file and joins the three.

mod environment;
mod ini;
mod settings;
mod table;

pub use environment::Environment;
pub use settings::{Concern, Config, Origin};
