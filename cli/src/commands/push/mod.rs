//! `rustle push`: sends an artifact to machines over ssh, runs it there, and shows what happens as it happens.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustle_controller::fleet::Way;
use rustle_controller::offer::PushArtifact;
use rustle_controller::push::{Progress, PushError, PushOptions, Pushed, push};
use rustle_controller::ssh::{ConnectError, Question, SshConnection};
use rustle_controller::survival::{Patience, Survival, new_key};
use rustle_controller::{Connection, Destination};
use rustle_formats::Map;
use rustle_formats::session::{Key, Start};
use rustle_formats::sign::PublicKey;
use rustle_packer::keys::load_trusted_keys;

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::failure::{self, Failure};
use crate::reconnect::ReconnectOptions;
use crate::several_at_once::several_at_once;
use crate::ssh_way::{Here, Wanted};
use crate::terminal;

mod inputs;
mod outputs;
mod screen;
mod target;

pub(crate) use inputs::own_name;
use inputs::{Given, ask, extra, secret_file};
use outputs::{HostReport, Outputs};
use screen::Screen;
use target::{Choice, Target};

/// Pushes an artifact and runs it.
#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    /// The artifact.
    artifact: PathBuf,
    /// Where to: [NAME=][user@]host[:port], one or several. NAME is the plan's name of the host; without it, that of the
    /// plan's host which is called like the machine.
    #[arg(required = true, value_name = "HOST")]
    hosts: Vec<String>,
    /// Change nothing; tell what would change.
    #[arg(short = 'C', long, help_heading = "Run")]
    check: bool,
    /// Show differences of files.
    #[arg(short = 'D', long, help_heading = "Run")]
    diff: bool,
    /// Only tasks with one of these tags.
    #[arg(
        short,
        long,
        value_delimiter = ',',
        value_name = "TAGS",
        help_heading = "Run"
    )]
    tags: Vec<String>,
    /// No tasks with one of these tags.
    #[arg(long, value_delimiter = ',', value_name = "TAGS", help_heading = "Run")]
    skip_tags: Vec<String>,
    /// Begin with the task of this name.
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    start_at_task: Option<String>,
    /// Variables that win over all others: KEY=VALUE, JSON, or @FILE with JSON.
    #[arg(short, long, value_name = "VARS", help_heading = "Run")]
    extra_vars: Vec<String>,
    /// Run handlers even after a failure.
    #[arg(long, help_heading = "Run")]
    force_handlers: bool,
    /// Seconds that the run may take.
    #[arg(long, value_name = "SECONDS", help_heading = "Run")]
    timeout: Option<u64>,
    /// Seconds to wait for another run on the machine to end.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 0,
        hide_default_value = true,
        help_heading = "Run"
    )]
    wait_lock: u64,
    /// The host of the plan to be, if it has several.
    #[arg(long, value_name = "NAME", help_heading = "Run")]
    host: Option<String>,

    /// Ask for the password for becoming another user.
    #[arg(
        short = 'K',
        long,
        conflicts_with = "become_password_file",
        help_heading = "Run"
    )]
    ask_become_pass: bool,
    /// A file with the password for becoming another user.
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    become_password_file: Option<PathBuf>,
    /// Send it only if one of these keys signed it (site.key.pub). May be given several times.
    #[arg(long, value_name = "FILE", help_heading = "Trust and secrets")]
    trusted: Vec<PathBuf>,
    /// A host's overlay. Default: ARTIFACT.overlays/NAME.overlay, where there is none in the artifact. It stays in the
    /// host's memory.
    #[arg(long, value_name = "FILE", help_heading = "Trust and secrets")]
    overlay: Option<PathBuf>,
    /// A file with the key of the secrets. RUSTLE_ENCRYPTION_KEY counts too.
    #[arg(long, value_name = "FILE", help_heading = "Trust and secrets")]
    key_file: Vec<PathBuf>,
    /// A file with an X25519 identity that opens the secrets.
    #[arg(long, value_name = "FILE", help_heading = "Trust and secrets")]
    identity: Vec<PathBuf>,
    /// A file with the passphrase of the secrets.
    #[arg(long, value_name = "FILE", help_heading = "Trust and secrets")]
    passphrase_file: Option<PathBuf>,

    /// A private key for ssh, in place of those in ~/.ssh. May be given several times.
    #[arg(
        short = 'i',
        long = "ssh-key",
        value_name = "FILE",
        help_heading = "Connection"
    )]
    ssh_key: Vec<PathBuf>,
    /// The user, where HOST names none. Default: your own name.
    #[arg(short, long, value_name = "USER", help_heading = "Connection")]
    user: Option<String>,
    /// Do not ask the ssh agent.
    #[arg(long, help_heading = "Connection")]
    no_agent: bool,
    /// A file with the password for ssh. Without it, you are asked when a host wants one.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    password_file: Option<PathBuf>,
    /// A file with the passphrase of the private keys for ssh. Without it, you are asked.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    ssh_passphrase_file: Option<PathBuf>,
    /// Accept and keep the key of a host of which nothing is known.
    #[arg(long, help_heading = "Connection")]
    accept_new: bool,
    /// The file of known host keys, in place of ~/.ssh/known_hosts.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    known_hosts: Option<PathBuf>,
    /// Seconds that connecting may take; otherwise what ssh_config says, or 10.
    #[arg(long, value_name = "SECONDS", help_heading = "Connection")]
    connect_timeout: Option<u64>,
    #[command(flatten)]
    reconnect: ReconnectOptions,
    /// How many hosts at once.
    #[arg(
        long,
        value_name = "N",
        default_value_t = 10,
        help_heading = "Connection"
    )]
    parallel: usize,
    /// How many MiB the cache on a host may hold.
    #[arg(
        long,
        value_name = "MIB",
        default_value_t = 2048,
        help_heading = "Connection"
    )]
    cache_limit: u64,

    /// Write the report (JSON) here. For several hosts it is one document: `hosts` has, by name, `destination`,
    /// `exit_code`, `error` and `report` of each.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    report: Option<PathBuf>,
    /// Write the events (JSON lines) here as they happen; - is standard output. For several hosts it is one stream: every
    /// line begins with `target`, the host's name, and `seq` counts for each host.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    events: Option<PathBuf>,
}

/// How it went on one host.
type Outcome = Result<Pushed, HostError>;

/// Why it did not go.
enum HostError {
    Connect(ConnectError),
    Push(PushError),
}

impl HostError {
    fn message(&self) -> String {
        match self {
            HostError::Connect(e) => e.to_string(),
            HostError::Push(e) => e.to_string(),
        }
    }

    /// The exit code: unreachable hosts are 4, as with ansible-playbook.
    fn code(&self) -> u8 {
        match self {
            HostError::Connect(_) => 4,
            HostError::Push(PushError::Refused { exit_code, .. }) => *exit_code,
            HostError::Push(PushError::Cancelled) => 99,
            HostError::Push(PushError::WrongTarget(_)) => Exit::Unfit as u8,
            HostError::Push(PushError::Host(_) | PushError::Lost(_)) => 4,
        }
    }
}

impl Push {
    /// Pushes and runs; gives the exit code, the worst of all hosts'.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        self.check_signature()?;
        let mut trusted: Vec<PublicKey> = Vec::new();
        for file in &self.trusted {
            trusted.extend(load_trusted_keys(file)?);
        }
        let targets = Choice {
            artifact: &self.artifact,
            host: self.host.as_deref(),
            overlay: self.overlay.as_deref(),
            trusted: &trusted,
        }
        .targets(&self.hosts)?;
        let artifact = PushArtifact::open(&self.artifact, self.cache_limit << 20)
            .map_err(|e| failure::artifact(&self.artifact, &e))?;
        let start = self.start(console)?;
        let given = Arc::new(self.given()?);
        // For the socket by which the system's ssh gets the password.
        let folder = tempfile::tempdir()
            .map_err(|e| Failure::text(Exit::Machine, format!("no temporary folder: {e}")))?;
        let ways: Vec<_> = targets
            .iter()
            .map(|target| self.way(&target.to, &given, folder.path()))
            .collect::<Result<_, _>>()
            .map_err(|why| Failure::text(Exit::Usage, why))?;
        let (events, report) = (self.events.as_deref(), self.report.as_deref());
        let outputs = Outputs::open(events, report, targets.len() > 1)?;
        let outcomes = self.all(console, &targets, &artifact, &start, &ways, &outputs);
        self.conclude(console, &targets, &outcomes, &outputs)
    }

    /// With trusted keys: every byte is checked, and who signed them, before anything is sent.
    fn check_signature(&self) -> Result<(), Failure> {
        if self.trusted.is_empty() {
            return Ok(());
        }
        super::verify::trusted_and_intact(&self.artifact, &self.trusted)
    }

    fn start(&self, console: &Console) -> Result<Start, Failure> {
        let mut extra_vars = Map::new();
        for text in &self.extra_vars {
            extra_vars.extend(extra(text)?);
        }
        Ok(Start {
            host: None,
            overlay: None,
            check: self.check,
            diff: self.diff,
            verbosity: console.verbose,
            tags: self.tags.clone(),
            skip_tags: self.skip_tags.clone(),
            start_at_task: self.start_at_task.clone(),
            extra_vars,
            force_handlers: self.force_handlers,
            timeout: self.timeout,
            keys: self.keys()?,
            become_password: self.become_password()?,
            wait_lock: self.wait_lock,
            ..Start::default()
        })
    }

    fn become_password(&self) -> Result<Option<Key>, Failure> {
        let given = match &self.become_password_file {
            Some(file) => Some(secret_file(file)?),
            None if self.ask_become_pass => terminal::ask("BECOME password: "),
            None => None,
        };
        Ok(given.map(|text| Key::Passphrase(text.to_string())))
    }

    fn keys(&self) -> Result<Vec<Key>, Failure> {
        let mut keys = Vec::new();
        for file in &self.key_file {
            keys.push(Key::Raw(secret_file(file)?.to_string()));
        }
        for file in &self.identity {
            keys.push(Key::Identity(secret_file(file)?.to_string()));
        }
        if let Some(file) = &self.passphrase_file {
            keys.push(Key::Passphrase(secret_file(file)?.to_string()));
        }
        if let Ok(text) = std::env::var("RUSTLE_ENCRYPTION_KEY")
            && !text.trim().is_empty()
        {
            keys.push(Key::Raw(text));
        }
        Ok(keys)
    }

    /// How a host is reached.
    fn way(&self, to: &Destination, given: &Arc<Given>, folder: &Path) -> Result<Way, String> {
        let given = Arc::clone(given);
        let wanted = Wanted {
            host: to.host.clone(),
            user: to.user.clone().or_else(|| self.user.clone()),
            port: to.port,
            keys: self.ssh_key.clone(),
            no_agent: self.no_agent,
            known_hosts: self.known_hosts.clone(),
            accept_new: self.accept_new.then_some(true),
            timeout: self.connect_timeout.map(|n| n.max(1)),
            password: given.password.clone(),
            ask: Some(Arc::new(move |question: Question<'_>| {
                ask(question, &given)
            })),
            folder: Some(folder.to_owned()),
            ..Wanted::default()
        };
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = std::env::var("PATH").ok();
        wanted.way(&Here {
            home: home.as_deref(),
            user: &own_name(),
            path: path.as_deref(),
        })
    }

    fn given(&self) -> Result<Given, Failure> {
        Ok(Given {
            password: self.password_file.as_deref().map(secret_file).transpose()?,
            passphrase: self
                .ssh_passphrase_file
                .as_deref()
                .map(secret_file)
                .transpose()?,
        })
    }

    /// Runs on all hosts, so many at a time.
    fn all(
        &self,
        console: &Console,
        targets: &[Target],
        artifact: &PushArtifact,
        start: &Start,
        ways: &[Way],
        outputs: &Outputs,
    ) -> BTreeMap<usize, Outcome> {
        let interrupted = Arc::new(AtomicBool::new(false));
        super::catch_interrupt(&interrupted);
        let run = One {
            console,
            several: targets.len() > 1,
            silent: self.events.as_deref() == Some("-".as_ref()),
            artifact,
            outputs,
            interrupted: &interrupted,
            patience: self.reconnect.patience(),
        };
        let pairs: Vec<_> = targets.iter().zip(ways).collect();
        let outcomes = several_at_once(&pairs, self.parallel, |(target, way)| {
            match interrupted.load(Ordering::Relaxed) {
                true => Err(HostError::Push(PushError::Cancelled)),
                false => run.push(target, way, start),
            }
        });
        outcomes.into_iter().enumerate().collect()
    }

    /// Says what went wrong, writes the report, and gives the exit code: the first of 4 (unreachable), 2 (failed), or
    /// another's.
    fn conclude(
        &self,
        console: &Console,
        targets: &[Target],
        outcomes: &BTreeMap<usize, Outcome>,
        outputs: &Outputs,
    ) -> Result<u8, Failure> {
        let mut code = 0u8;
        let mut reports = Vec::new();
        for (index, outcome) in outcomes {
            let target = &targets[*index];
            let (exit_code, error, report) = match outcome {
                Ok(pushed) => {
                    console.detail(&format!("{}: {} bytes sent", target.to, pushed.sent));
                    (pushed.exit_code, None, Some(pushed.report.clone()))
                }
                Err(e) => {
                    let message = e.message();
                    console.say(&Diagnostic::error(format!("{}: {message}", target.to)));
                    (e.code(), Some(message), None)
                }
            };
            code = worse(code, exit_code);
            reports.push(HostReport {
                label: target.label(),
                destination: target.to.to_string(),
                exit_code,
                error,
                report,
            });
        }
        if let (Some(path), Err(e)) = (&self.report, outputs.finish(&reports, code)) {
            return Err(Failure::io("write", path)(e));
        }
        Ok(code)
    }
}

/// What a push to one host shares with those to the others.
struct One<'a> {
    console: &'a Console,
    several: bool,
    silent: bool,
    artifact: &'a PushArtifact,
    outputs: &'a Outputs,
    interrupted: &'a AtomicBool,
    patience: Patience,
}

impl One<'_> {
    fn push(&self, target: &Target, way: &Way, start: &Start) -> Outcome {
        let (to, label) = (&target.to, target.label());
        let mut connection = connect(way)?;
        let mut screen = Screen::new(self.console, &label, self.several, self.silent);
        let reconnect = || connect(way).map_err(|e| e.message());
        let key = new_key().map_err(|e| HostError::Push(PushError::Host(e.to_string())))?;
        let survival = Survival {
            key,
            patience: self.patience,
            reconnect: &reconnect,
            note: &|_| {},
        };
        let options = PushOptions {
            orders: None,
            survival: Some(survival).filter(|_| !self.patience.seek.is_zero()),
            place_only: false,
            // Each host is given its own overlay and no other's.
            start: Start {
                host: target.name.clone(),
                overlay: target.overlay.clone(),
                ..start.clone()
            },
            cancelled: &|| self.interrupted.load(Ordering::Relaxed),
        };
        let mut progress = |p: Progress<'_>| match p {
            Progress::Event(event) => {
                screen.event(event);
                self.outputs.event(&label, event);
            }
            // It gives no orders, so nobody asks.
            Progress::Ask { .. } | Progress::Starting => {}
            Progress::Stderr(bytes) => screen.stderr(bytes),
            Progress::Lost(why) => {
                let seconds = self.patience.seek.as_secs();
                let text = format!(
                    "{to}: {why}; trying again for {seconds} seconds, while the host goes on"
                );
                self.console.say(&Diagnostic::new(Level::Warning, text));
            }
            Progress::Sending { sent, total } => screen.sending(sent, total),
            Progress::Host { system, machine } => {
                self.console.detail(&format!("{to}: {system} on {machine}"));
            }
        };
        let pushed = push(connection.as_mut(), self.artifact, &options, &mut progress);
        screen.end();
        pushed.map_err(HostError::Push)
    }
}

/// Opens a connection to a host.
fn connect(way: &Way) -> Result<Box<dyn Connection>, HostError> {
    Ok(match way {
        Way::Ssh(to) => {
            let (destination, options) = &**to;
            Box::new(SshConnection::open(destination, options).map_err(HostError::Connect)?)
        }
        Way::Program(program) => program.clone(),
        Way::Child => {
            return Err(HostError::Push(PushError::Host(
                "a push goes to other machines".to_owned(),
            )));
        }
    })
}

/// Failed tasks (2) and unreachable hosts (4) add up as bits do with ansible-playbook; another code is kept as it is.
fn worse(a: u8, b: u8) -> u8 {
    match (a, b) {
        (0, x) | (x, 0) => x,
        (a, b) if a < 64 && b < 64 => a | b,
        (a, b) => a.max(b),
    }
}
