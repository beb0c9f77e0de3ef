//! `rustle report`: what a recorded run did, for people and programs that were not there.

use std::path::PathBuf;

use rustle_runtime::report::ReportBuilder;

use super::runs::{failure, when};
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::recording::store;
use crate::replace::replace;

/// Makes a report of a recorded run.
#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    /// The run, by the beginning of its name. Default: the latest.
    run: Option<String>,
    /// One page that needs nothing else: hosts and tasks over time, the slowest tasks, changes, failures.
    #[arg(long)]
    html: bool,
    /// JUnit's XML, for build servers.
    #[arg(long, conflicts_with = "html")]
    junit: bool,
    /// Where to write it. Default: standard output; a page into the file RUN.html.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Report {
    /// Writes it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let found = store()?.find(self.run.as_deref()).map_err(failure)?;
        let events = found.events().map_err(failure)?;
        let meta = &found.meta;
        let mut builder = ReportBuilder::new();
        let text = if self.html {
            rustle_runs::page::page(&meta.asked.what, &when(meta.started_ms), &events)
        } else {
            events.iter().for_each(|event| builder.add(event));
            match self.junit {
                true => rustle_runs::junit(builder.report()),
                false => super::json(builder.report())?,
            }
        };
        let short = meta.run.get(..12).unwrap_or(&meta.run);
        let own = self.html.then(|| PathBuf::from(format!("{short}.html")));
        let Some(path) = self.output.clone().or(own) else {
            print(&text)?;
            return Ok(Exit::Done);
        };
        if path.as_os_str() == "-" {
            print(&text)?;
            return Ok(Exit::Done);
        }
        replace(&path, text.as_bytes(), None).map_err(Failure::io("write", &path))?;
        console.info(&format!("wrote {}", path.display()));
        Ok(Exit::Done)
    }
}
