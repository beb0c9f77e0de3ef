//! The artifact started by hand: nobody to ask, a terminal or a file to tell.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::Duration;

use rustle_formats::event::{Event, EventKind};
use rustle_runtime::engine::{Reply, Request, RunSummary};

use crate::command::Command;
use crate::exit::{self, Failure};
use crate::journal::Journal;
use crate::places::Surroundings;
use crate::run::{Outside, Ready, new_run_id, now_ms};
use crate::sinks::Sinks;
use crate::{keys, lock, signals};

/// Nobody but the sinks.
struct Alone {
    sinks: RefCell<Sinks>,
}

impl Outside for Alone {
    fn emit(&self, event: &Event) {
        let mut event = event.clone();
        if let EventKind::RunFinished {
            exit_code, aborted, ..
        } = &mut event.kind
            && let Some((name, code)) = stopped_by(*exit_code)
        {
            *exit_code = code;
            *aborted = Some(if name == "SIGINT" {
                "User interrupted execution".to_owned()
            } else {
                format!("ended by {name}")
            });
        }
        self.sinks.borrow_mut().take(&event);
    }

    fn cancelled(&self) -> bool {
        signals::caught()
    }

    fn ask(&self, request: Request) -> Reply {
        match request {
            Request::HostVars { host } => Reply::Refused(format!(
                "the variables of '{host}' are known to a controller only, and this artifact runs alone"
            )),
            Request::Action(action) => Reply::Refused(format!(
                "{} on '{}' needs a controller, and this artifact runs alone",
                action.module, action.delegate_to
            )),
            _ => Reply::Refused("this artifact runs alone".to_owned()),
        }
    }
}

/// The signal that ended the run, if one did. A run that went well was not ended by what came after its last task.
fn stopped_by(exit_code: u8) -> Option<(&'static str, u8)> {
    signals::ended_by().filter(|_| exit_code != exit::OK)
}

/// Runs the plan and gives the exit code.
///
/// # Errors
/// Where the run cannot begin.
pub(crate) fn run(mut ready: Ready, command: &Command) -> Result<u8, Failure> {
    ready.take_password(keys::become_password(command)?);
    let surroundings = Surroundings::of_process();
    let run_id = new_run_id()?;
    let _lock = lock::take(
        &surroundings,
        command.lock_file.as_deref(),
        &run_id,
        Duration::from_secs(command.wait_lock),
    )?;
    let journal = Journal::begin(
        &surroundings,
        command.journal_dir.as_deref(),
        &run_id,
        now_ms(),
    )
    .map_err(|e| Failure::io("--journal-dir", &e))?;
    let config = ready.plan.runtime.clone();
    let program = ready.program().map(std::path::Path::to_owned);
    let alone = Alone {
        sinks: RefCell::new(Sinks::open(command, &config, &run_id, journal)?),
    };
    let outcome = ready.run(command, &run_id, &alone);
    let (wrong, lacking) = alone.sinks.into_inner().end();
    for sentence in wrong {
        let _ = writeln!(std::io::stderr(), "[WARNING]: {sentence}");
    }
    let summary = outcome?;
    let code = exit_code(&summary);
    if code == exit::OK && !command.check && config.cleanup_on_completion == Some(true) {
        remove_self(program.as_deref());
    }
    // The work is done, but what was asked for beside it is not there.
    Ok(if code == exit::OK && lacking {
        exit::IO
    } else {
        code
    })
}

fn exit_code(summary: &RunSummary) -> u8 {
    stopped_by(summary.exit_code).map_or(summary.exit_code, |(_, code)| code)
}

/// The plan asks that the artifact goes after a run without failures.
fn remove_self(program: Option<&std::path::Path>) {
    if let Some(path) = program
        && let Err(e) = std::fs::remove_file(path)
    {
        let _ = writeln!(
            std::io::stderr(),
            "[WARNING]: {} cannot be removed: {e}",
            path.display()
        );
    }
}
