//! `--extract DIR`: the payload's files, without running anything.
//!
//! The folder must be new or empty; a new one appears when all is in it. What an earlier `--extract` left there that was
//! killed is replaced.

use std::fs::File;
use std::path::Path;

use rustle_formats::artifact::Container;
use rustle_runtime::extract::{ExtractError, ExtractOptions, extract_all};

use crate::exit::{self, Failure};
use crate::signals;

/// Unpacks all assets and says how many there were. Owners that were recorded are restored where root does it.
///
/// # Errors
/// A folder that is not empty, damage, a full disk, a signal.
pub(crate) fn all(container: &Container<File>, dir: &Path) -> Result<u32, Failure> {
    let options = ExtractOptions {
        owners: rustix::process::geteuid().is_root(),
        ..ExtractOptions::default()
    };
    match extract_all(container, dir, options, &signals::caught) {
        Ok(_) => Ok(container.asset_count()),
        Err(ExtractError::Artifact(e)) => Err(e.into()),
        Err(ExtractError::Stopped) => {
            let (name, code) = signals::ended_by().unwrap_or(("a signal", exit::IO));
            Err(Failure::new(code, format!("ended by {name}")))
        }
        Err(e) => Err(Failure::new(exit::IO, e.to_string())),
    }
}
