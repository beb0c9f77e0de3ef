//! `rustle resume`: goes on with a run whose process was killed.

use clap::Parser;

use super::Command;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::unfinished;

/// Goes on with a run of `rustle playbook` that was killed: comes back to its hosts, tells what they did meanwhile, and does the
/// rest.
#[derive(Debug, clap::Args)]
pub(crate) struct Resume {
    /// The run, by the beginning of its name. Default: the only one there is.
    run: Option<String>,
}

/// The arguments of the run.
#[derive(Debug, Parser)]
struct Given {
    #[command(flatten)]
    console: Console,
    #[command(subcommand)]
    command: Command,
}

impl Resume {
    /// Does it; gives ansible-playbook's exit code.
    pub(crate) fn run(&self) -> Result<u8, Failure> {
        let run = self.chosen()?;
        let given = unfinished::given(&run)?;
        std::env::set_current_dir(&given.directory)
            .map_err(Failure::io("enter", &given.directory))?;
        let parsed = Given::try_parse_from(&given.arguments)
            .map_err(|e| Failure::text(Exit::Unfit, format!("the run's arguments: {e}")))?;
        match parsed.command {
            Command::Playbook(command) => command.resume(&run, &parsed.console),
            _ => Err(Failure::text(
                Exit::Unfit,
                "only `rustle playbook` can be resumed",
            )),
        }
    }

    fn chosen(&self) -> Result<String, Failure> {
        let begins = self.run.as_deref().unwrap_or_default();
        let mut all = unfinished::all();
        all.retain(|run| run.starts_with(begins));
        match all.len() {
            1 => Ok(all.remove(0)),
            // Says that there is none.
            0 => unfinished::given(begins).map(|_| begins.to_owned()),
            _ => Err(Failure::text(
                Exit::Usage,
                format!("several runs have not ended: {}", all.join(", ")),
            )
            .hint("rustle resume RUN")),
        }
    }
}
