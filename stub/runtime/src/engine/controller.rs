//! What a run has where its driver sits on the controller: lookups that only a controller can answer, and the plugins
//! of its repositories.

use std::path::PathBuf;

use rustle_formats::Map;
use rustle_template::{Error, LookupCall, Plugins, Value};

/// The controller of a run.
pub trait Controller: Plugins {
    /// Runs a lookup; `None` if it has none of that name. `folders` are those in which the current task's files are
    /// looked for, absolute, the nearest first.
    ///
    /// # Errors
    /// Why the lookup failed, without the lookup's name.
    fn lookup(
        &self,
        name: &str,
        call: &LookupCall<'_>,
        folders: &[PathBuf],
    ) -> Result<Option<Vec<Value>>, Error>;

    /// Runs the part of a module that is an action plugin in Python: `told` has its `name`, `args`, `variables` and how
    /// the task is run, and the `connection` by which it reaches the host: `local` where it is not told. Default: there is
    /// nobody who could.
    ///
    /// # Errors
    /// A sentence: why it was not run.
    fn action(&self, _told: &Map) -> Result<Map, String> {
        Err("there is none that could run it".to_owned())
    }

    /// The plain text of what is encrypted as ansible-vault does.
    ///
    /// # Errors
    /// A sentence, where no password fits.
    fn decrypt(&self, ciphertext: &str) -> Result<zeroize::Zeroizing<String>, String>;
}
