//! What templates may ask of the machine: its environment, homes and current folder, as the driver told them.

use std::path::Path;

use indexmap::IndexMap;
use rustle_template::Host;

use crate::accounts::Accounts;
use crate::engine::Machine;

/// The machine as templates see it.
pub(super) struct Seen {
    env: IndexMap<String, String>,
    cwd: String,
}

impl Seen {
    pub(super) fn of(machine: &Machine) -> Seen {
        Seen {
            env: machine.env.clone(),
            cwd: machine.cwd.to_string_lossy().into_owned(),
        }
    }
}

impl Host for Seen {
    fn env(&self, name: &str) -> Option<String> {
        self.env.get(name).cloned()
    }

    fn home(&self, user: Option<&str>) -> Option<String> {
        match user {
            None => self.env.get("HOME").cloned(),
            Some(name) => Accounts::load(Path::new("/"))
                .ok()?
                .user(name)
                .map(|u| u.home.clone()),
        }
    }

    fn current_dir(&self) -> Option<String> {
        Some(self.cwd.clone())
    }
}
