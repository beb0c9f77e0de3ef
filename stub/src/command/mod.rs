//! The artifact's own command line.
//!
//! Written by hand over one table: an argument-parser framework costs more bytes than everything here.

mod table;
mod vars;

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use rustle_formats::session::Near;
use rustle_formats::{Map, nearest};

use crate::exit::{self, Failure};
use table::{Id, OPTIONS, Opt};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Action {
    /// Run the plan.
    #[default]
    Run,
    /// List tasks.
    ListTasks,
    /// List tags.
    ListTags,
    /// Say what is inside.
    Inspect,
    /// Check everything.
    Verify,
    /// Unpack the assets.
    Extract(PathBuf),
    /// Print the help.
    Help,
    /// Print the version.
    Version,
}

/// The command line, understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct Command {
    /// What to do.
    pub action: Action,
    /// Change nothing.
    pub check: bool,
    /// Show differences.
    pub diff: bool,
    /// JSON in place of text.
    pub json: bool,
    /// Only these tags.
    pub tags: Vec<String>,
    /// Not these tags.
    pub skip_tags: Vec<String>,
    /// The task to begin with.
    pub start_at: Option<String>,
    /// Variables that win over all others.
    pub extra_vars: Map,
    /// Handlers run even after a failure.
    pub force_handlers: bool,
    /// Seconds that the run may take.
    pub timeout: Option<u64>,
    /// The host to be.
    pub host: Option<String>,
    /// Check everything before the first task.
    pub check_first: bool,
    /// Seconds to wait for another run.
    pub wait_lock: u64,
    /// Why the host cannot be reached; sessions alone say so.
    pub unreachable: Option<String>,
    /// Whether notifying what is no handler is a warning; sessions alone say so.
    pub unknown_handlers: bool,
    /// Whether conditions may have results that are no booleans.
    pub broken_conditionals: bool,
    /// Whether somebody is asked before every task, over a session.
    pub step: bool,
    /// Whether the engine runs apart from the host's machine.
    pub apart: bool,
    /// How many hosts work at a time; sessions alone say so.
    pub forks: Option<i64>,
    /// What the payload has of the controller's files.
    pub near: Option<Near>,
    /// Files with keys.
    pub key_files: Vec<PathBuf>,
    /// Files with X25519 identities.
    pub identities: Vec<PathBuf>,
    /// A file with a passphrase.
    pub passphrase_file: Option<PathBuf>,
    /// Whether to ask for the password for becoming another user.
    pub ask_become_pass: bool,
    /// A file with that password.
    pub become_password_file: Option<PathBuf>,
    /// A host's overlay.
    pub overlay: Option<PathBuf>,
    /// The sidecar.
    pub sidecar: Option<PathBuf>,
    /// Trusted public keys.
    pub trusted: Option<PathBuf>,
    /// Refuse what is not signed by a trusted key.
    pub require_signature: bool,
    /// Where the report goes.
    pub report: Option<PathBuf>,
    /// Where events go.
    pub events: Option<PathBuf>,
    /// How many `-v`.
    pub verbosity: u8,
    /// Colours, if the user said.
    pub colour: Option<bool>,
    /// Where temporary files go.
    pub work_dir: Option<PathBuf>,
    /// Where the journal goes.
    pub journal_dir: Option<PathBuf>,
    /// The lock.
    pub lock_file: Option<PathBuf>,
}

fn usage(message: impl Into<String>) -> Failure {
    Failure::new(exit::USAGE, message)
}

impl Command {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// A sentence with the exit code for a wrong command line.
    pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
        let mut command = Command::default();
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let bytes = arg.as_bytes();
            if let Some(long) = bytes.strip_prefix(b"--") {
                command.long(long, &mut args)?;
            } else if bytes.len() > 1 && bytes[0] == b'-' {
                command.short(&arg, &mut args)?;
            } else {
                return Err(usage(format!(
                    "unexpected argument '{}': an artifact takes options only (--help)",
                    arg.to_string_lossy()
                )));
            }
        }
        command.consistent()
    }

    fn long(
        &mut self,
        text: &[u8],
        args: &mut dyn Iterator<Item = OsString>,
    ) -> Result<(), Failure> {
        let (name, given) = match text.iter().position(|b| *b == b'=') {
            Some(at) => (
                &text[..at],
                Some(OsStr::from_bytes(&text[at + 1..]).to_owned()),
            ),
            None => (text, None),
        };
        let name = String::from_utf8_lossy(name).into_owned();
        let Some(opt) = OPTIONS.iter().find(|o| o.long == name) else {
            let names: Vec<&str> = OPTIONS.iter().map(|o| o.long).collect();
            let hint = nearest(&name, &names)
                .map_or_else(String::new, |n| format!("; did you mean --{n}?"));
            return Err(usage(format!("unknown option --{name}{hint}")));
        };
        let value = match (opt.value, given) {
            (None, Some(_)) => return Err(usage(format!("--{name} takes no value"))),
            (None, None) => OsString::new(),
            (Some(_), Some(value)) => value,
            (Some(what), None) => args
                .next()
                .ok_or_else(|| usage(format!("--{name} needs a value: --{name} {what}")))?,
        };
        self.set(opt, value)
    }

    /// `-v`, `-vv`, `-CD`, `-t web`, `-tweb`.
    fn short(
        &mut self,
        arg: &OsStr,
        args: &mut dyn Iterator<Item = OsString>,
    ) -> Result<(), Failure> {
        let bytes = &arg.as_bytes()[1..];
        for (at, byte) in bytes.iter().enumerate() {
            let c = char::from(*byte);
            let Some(opt) = OPTIONS.iter().find(|o| o.short == Some(c)) else {
                return Err(usage(format!(
                    "unknown option -{c} (in {})",
                    arg.to_string_lossy()
                )));
            };
            let Some(what) = opt.value else {
                self.set(opt, OsString::new())?;
                continue;
            };
            let rest = &bytes[at + 1..];
            let value = if rest.is_empty() {
                args.next()
                    .ok_or_else(|| usage(format!("-{c} needs a value: -{c} {what}")))?
            } else {
                OsStr::from_bytes(rest.strip_prefix(b"=").unwrap_or(rest)).to_owned()
            };
            return self.set(opt, value);
        }
        Ok(())
    }

    fn set(&mut self, opt: &Opt, value: OsString) -> Result<(), Failure> {
        let path = || Some(PathBuf::from(&value));
        match opt.id {
            Id::Check => self.check = true,
            Id::Diff => self.diff = true,
            Id::Json => self.json = true,
            Id::Tags => self.tags.extend(list(&text(opt, &value)?)),
            Id::SkipTags => self.skip_tags.extend(list(&text(opt, &value)?)),
            Id::StartAt => self.start_at = Some(text(opt, &value)?),
            Id::ExtraVars => self.extra_vars.extend(vars::read(&text(opt, &value)?)?),
            Id::ForceHandlers => self.force_handlers = true,
            Id::Timeout => self.timeout = Some(seconds(opt, &value)?),
            Id::Host => self.host = Some(text(opt, &value)?),
            Id::AskBecomePass => self.ask_become_pass = true,
            Id::BecomePasswordFile => self.become_password_file = path(),
            Id::CheckFirst => self.check_first = true,
            Id::WaitLock => self.wait_lock = seconds(opt, &value)?,
            Id::KeyFile => self.key_files.push(value.into()),
            Id::Identity => self.identities.push(value.into()),
            Id::PassphraseFile => self.passphrase_file = path(),
            Id::Overlay => self.overlay = path(),
            Id::Sidecar => self.sidecar = path(),
            Id::Trusted => self.trusted = path(),
            Id::RequireSignature => self.require_signature = true,
            Id::Report => self.report = path(),
            Id::Events => self.events = path(),
            Id::Verbose => self.verbosity = self.verbosity.saturating_add(1),
            Id::Colour => self.colour = Some(true),
            Id::NoColour => self.colour = Some(false),
            Id::WorkDir => self.work_dir = path(),
            Id::JournalDir => self.journal_dir = path(),
            Id::LockFile => self.lock_file = path(),
            Id::ListTasks => self.act(Action::ListTasks)?,
            Id::ListTags => self.act(Action::ListTags)?,
            Id::Inspect => self.act(Action::Inspect)?,
            Id::Verify => self.act(Action::Verify)?,
            Id::Extract => self.act(Action::Extract(value.into()))?,
            Id::Help => self.action = Action::Help,
            Id::Version if self.action != Action::Help => self.action = Action::Version,
            Id::Version => {}
        }
        Ok(())
    }

    fn act(&mut self, action: Action) -> Result<(), Failure> {
        match self.action {
            Action::Run => self.action = action,
            Action::Help | Action::Version => {}
            _ if self.action == action => {}
            _ => {
                return Err(usage(
                    "only one of --list-tasks, --list-tags, --inspect, --verify and --extract",
                ));
            }
        }
        Ok(())
    }

    /// Checks what holds between options.
    fn consistent(self) -> Result<Command, Failure> {
        if self.json
            && !matches!(
                self.action,
                Action::Inspect | Action::Help | Action::Version
            )
        {
            return Err(usage("--json goes with --inspect"));
        }
        if self.require_signature && self.trusted.is_none() {
            return Err(usage(
                "--require-signature needs --trusted FILE: whom to trust is for the verifier to say",
            ));
        }
        let dash = |p: &Option<PathBuf>| p.as_deref() == Some("-".as_ref());
        if dash(&self.report) && dash(&self.events) {
            return Err(usage(
                "--report - and --events - would mix on standard output",
            ));
        }
        Ok(self)
    }
}

fn text(opt: &Opt, value: &OsStr) -> Result<String, Failure> {
    value
        .to_str()
        .map(str::to_owned)
        .ok_or_else(|| usage(format!("--{}: not valid UTF-8", opt.long)))
}

fn seconds(opt: &Opt, value: &OsStr) -> Result<u64, Failure> {
    text(opt, value)?
        .parse()
        .map_err(|_| usage(format!("--{} takes a whole number of seconds", opt.long)))
}

/// A list with commas.
fn list(text: &str) -> impl Iterator<Item = String> {
    text.split(',')
        .map(str::trim)
        .filter(|t| !t.is_empty())
        .map(str::to_owned)
}

/// The help, made from the table.
pub(crate) fn help(program: &str) -> String {
    let mut out = format!(
        "Usage: {program} [OPTIONS]\n\nConfigures this machine: runs the plan that is packed into this file.\n"
    );
    let mut group = "";
    for opt in OPTIONS {
        if opt.group != group {
            group = opt.group;
            out.push_str(&format!("\n{group}:\n"));
        }
        let short = opt
            .short
            .map_or_else(|| "    ".to_owned(), |c| format!("-{c}, "));
        let value = opt.value.map_or_else(String::new, |v| format!(" {v}"));
        let left = format!("  {short}--{}{value}", opt.long);
        out.push_str(&format!("{left:<32}{}\n", opt.help));
    }
    out.push_str("\nExit codes:\n");
    for (code, meaning) in exit::MEANINGS {
        out.push_str(&format!("  {code:>3}  {meaning}\n"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Command, Failure> {
        Command::parse(args.iter().map(OsString::from))
    }

    #[test]
    fn all_ways_of_writing_an_option() {
        let c = parse(&[
            "-CDvv",
            "-t",
            "a,b",
            "-tc",
            "--tags=d",
            "--skip-tags",
            "e",
            "-e",
            "k=v",
            "--timeout=5",
        ])
        .unwrap();
        assert!(c.check && c.diff);
        assert_eq!(c.verbosity, 2);
        assert_eq!(c.tags, ["a", "b", "c", "d"]);
        assert_eq!(c.skip_tags, ["e"]);
        assert_eq!(c.extra_vars["k"].as_str(), Some("v"));
        assert_eq!((c.timeout, c.action), (Some(5), Action::Run));
    }

    #[test]
    fn mistakes_are_named() {
        for (args, said) in [
            (
                &["--chek"][..],
                "unknown option --chek; did you mean --check?",
            ),
            (&["-x"], "unknown option -x (in -x)"),
            (&["--tags"], "--tags needs a value: --tags TAGS"),
            (&["--check=1"], "--check takes no value"),
            (
                &["site.yml"],
                "unexpected argument 'site.yml': an artifact takes options only (--help)",
            ),
            (
                &["--timeout", "x"],
                "--timeout takes a whole number of seconds",
            ),
            (
                &["--verify", "--inspect"],
                "only one of --list-tasks, --list-tags, --inspect, --verify and --extract",
            ),
            (&["--json"], "--json goes with --inspect"),
        ] {
            let failure = parse(args).unwrap_err();
            assert_eq!(
                (failure.code, failure.message.as_str()),
                (exit::USAGE, said)
            );
        }
    }

    #[test]
    fn the_help_names_every_option_once() {
        let help = help("./site");
        for opt in OPTIONS {
            assert_eq!(
                help.matches(&format!("--{} ", opt.long)).count(),
                1,
                "--{}",
                opt.long
            );
        }
    }
}
