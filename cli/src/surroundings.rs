//! What the libraries are told about this process: its environment, its configuration file, and the terminal.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustle_playbook::config::{Concern, Config, Environment};
use rustle_playbook::vault::Prompt;
use rustle_playbook::{Fault, Position, Problem, Severity, Sources};
use zeroize::Zeroizing;

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level, Location};
use crate::exit::Exit;
use crate::failure::Failure;

/// How vaulted files begin.
const VAULT: &[u8; 14] = b"$ANSIBLE_VAULT";

/// The configuration of this process, and the files that were read.
pub(crate) struct Surroundings {
    /// The settings.
    pub(crate) config: Config,
    /// The files.
    pub(crate) sources: Sources,
}

impl Surroundings {
    /// Reads the environment and ansible.cfg.
    pub(crate) fn load(console: &Console) -> Result<Surroundings, Failure> {
        let sources = Sources::default();
        let environment = environment()?;
        let (config, warnings) = Config::load(&environment, &sources).map_err(|p| Failure {
            diagnostics: vec![diagnostic(&p, &sources)],
            exit: Exit::Options,
        })?;
        let out = Surroundings { config, sources };
        out.say(console, &warnings);
        Ok(out)
    }

    /// Names the settings that somebody set and that mean nothing here, for a command that plans or runs.
    pub(crate) fn say_unhonoured(&self, console: &Console) {
        self.say(console, &self.config.unhonoured(Concern::Run));
    }

    /// Prints problems.
    pub(crate) fn say(&self, console: &Console, problems: &[Problem]) {
        for problem in problems {
            console.say(&diagnostic(problem, &self.sources));
        }
    }
}

/// The end of a command for what is wrong with what was read. The first mistake says how it ends.
pub(crate) fn refused(problems: &[Problem], sources: &Sources) -> Failure {
    let exit = match problems.first().map(|p| p.fault) {
        Some(Fault::General) => Exit::Plan,
        Some(Fault::Option) => Exit::Options,
        Some(Fault::Wording) | None => Exit::Refused,
    };
    Failure {
        diagnostics: problems.iter().map(|p| diagnostic(p, sources)).collect(),
        exit,
    }
}

/// A problem as a message.
pub(crate) fn diagnostic(problem: &Problem, sources: &Sources) -> Diagnostic {
    let level = match problem.severity {
        Severity::Error => Level::Error,
        Severity::Warning => Level::Warning,
    };
    let mut out = Diagnostic::new(level, problem.message.clone())
        .at(problem.at.map(|at| location(at, problem.length, sources)));
    out.notes.clone_from(&problem.notes);
    out.hint.clone_from(&problem.hint);
    out
}

fn location(at: Position, length: u32, sources: &Sources) -> Location {
    Location {
        file: sources.path(at.file).display().to_string(),
        line: at.line as usize,
        column: at.column as usize,
        length: length as usize,
        text: sources
            .line(at)
            .filter(|_| !is_vaulted(&sources.path(at.file))),
    }
}

/// Whether a file is vaulted as a whole: what was in it must not be shown.
fn is_vaulted(path: &Path) -> bool {
    let mut start = [0; VAULT.len()];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    read.is_ok() && start == *VAULT
}

fn environment() -> Result<Environment, Failure> {
    let directory = std::env::current_dir()
        .map_err(|e| Failure::text(Exit::Machine, format!("there is no working directory: {e}")))?;
    let variables: std::collections::HashMap<String, String> = std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect();
    let home = variables
        .get("HOME")
        .filter(|h| !h.is_empty())
        .map(Into::into);
    Ok(Environment {
        variables,
        directory,
        home,
    })
}

/// Asks on the terminal.
pub(crate) struct Terminal;

impl Prompt for Terminal {
    fn ask(&mut self, prompt: &str) -> Option<Zeroizing<String>> {
        crate::terminal::ask(prompt)
    }
}
