//! `rustle replay`: a recorded run, printed as it was when it happened.

use std::io::Write as _;

use rustle_runtime::report::{Stream, TextReporter};

use super::playbook::causes::Lines;
use super::runs::failure;
use crate::console::Console;
use crate::failure::Failure;
use crate::recording::store;

/// Prints a recorded run again, and ends with its exit code.
#[derive(Debug, clap::Args)]
pub(crate) struct Replay {
    /// The run, by the beginning of its name. Default: the latest.
    run: Option<String>,
}

impl Replay {
    /// Prints it.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let found = store()?.find(self.run.as_deref()).map_err(failure)?;
        let events = found.events().map_err(failure)?;
        let mut text = TextReporter::new(console.text_options(false)).with_excerpts(Box::new(
            Lines::below(found.meta.asked.directory.clone().into()),
        ));
        let mut out = std::io::stdout().lock();
        for event in &events {
            text.event(event, &mut |stream, piece| {
                // Where nobody reads on there is nobody to tell.
                let _ = match stream {
                    Stream::Out => out.write_all(piece.as_bytes()),
                    Stream::Err => std::io::stderr().write_all(piece.as_bytes()),
                };
            });
        }
        Ok(found.meta.exit_code.unwrap_or_default())
    }
}
