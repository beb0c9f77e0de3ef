//! `rustle extract`: the files that an artifact carries, into a folder.
//!
//! The folder must be new or empty, so that no file of the user's is replaced and no link in it leads elsewhere. A new one
//! appears when all is in it, and every byte is checked on its way.

use std::path::PathBuf;

use rustle_packer::open_artifact;
use rustle_runtime::extract::{ExtractError, ExtractOptions, extract_all};

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{self, Failure};

/// Extracts the assets.
#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    /// The artifact.
    artifact: PathBuf,
    /// The folder to extract into: a new one, or an empty one.
    #[arg(short = 'C', long = "directory", value_name = "DIR")]
    directory: PathBuf,
    /// Leave it to the system when the files reach the disk: sooner done, and lost if the power fails soon after.
    #[arg(long)]
    no_sync: bool,
}

impl Extract {
    /// Extracts them.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let artifact = open_artifact(&self.artifact)?;
        let options = ExtractOptions {
            owners: rustix::process::geteuid().is_root(),
            sync: !self.no_sync,
            ..ExtractOptions::default()
        };
        // A signal ends this program at once; what it left is replaced by the next extraction.
        let done = extract_all(&artifact, &self.directory, options, &|| false);
        let report = done.map_err(|e| match e {
            ExtractError::Artifact(e) => failure::artifact(&self.artifact, &e),
            ExtractError::NotEmpty(_) => Failure::text(Exit::Usage, e.to_string())
                .hint("extract into a new folder, so that nothing is replaced"),
            e => Failure::text(Exit::Machine, e.to_string()),
        })?;
        console.info(&format!(
            "{} files in {}",
            report.files,
            self.directory.display()
        ));
        Ok(Exit::Done)
    }
}
