//! `rustle push`: sends an artifact to machines over ssh, runs it there, and shows what happens as it happens.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustle_controller::Destination;
use rustle_controller::offer::PushArtifact;
use rustle_controller::push::{Progress, PushError, PushOptions, Pushed, push};
use rustle_controller::ssh::{ConnectError, Question, SshConnection, SshOptions};
use rustle_formats::session::{Key, Start};
use rustle_formats::{Map, Value};
use rustle_runtime::report::{Stream, TextOptions, TextReporter};
use zeroize::Zeroizing;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{self, Failure};
use crate::progress::Bar;

/// Pushes an artifact and runs it.
#[derive(Debug, clap::Args)]
pub(crate) struct Push {
    /// The artifact.
    artifact: PathBuf,
    /// Where to: [user@]host[:port], one or several.
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

    /// Send it only if one of these keys signed it (site.key.pub). May be given several times.
    #[arg(long, value_name = "FILE", help_heading = "Trust and secrets")]
    trusted: Vec<PathBuf>,
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
    /// Accept and keep the key of a host of which nothing is known.
    #[arg(long, help_heading = "Connection")]
    accept_new: bool,
    /// The file of known host keys, in place of ~/.ssh/known_hosts.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    known_hosts: Option<PathBuf>,
    /// Seconds that connecting may take.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 10,
        help_heading = "Connection"
    )]
    connect_timeout: u64,
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

    /// Write the report (JSON) here; for several hosts a folder, with one file a host.
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    report: Option<PathBuf>,
    /// Write the events (JSON lines) here; for several hosts a folder, with one file a host.
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    events: Option<PathBuf>,
}

/// How it went on one host.
type Outcome = Result<Pushed, HostError>;

/// Why it did not go.
enum HostError {
    Connect(ConnectError),
    Push(PushError),
    Machine(String),
}

impl HostError {
    fn message(&self) -> String {
        match self {
            HostError::Connect(e) => e.to_string(),
            HostError::Push(e) => e.to_string(),
            HostError::Machine(e) => e.clone(),
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
            HostError::Machine(_) => Exit::Machine as u8,
        }
    }
}

impl Push {
    /// Pushes and runs; gives the exit code, the worst of all hosts'.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let destinations = self.destinations()?;
        self.check_signature()?;
        let artifact = PushArtifact::open(&self.artifact, self.cache_limit << 20)
            .map_err(|e| failure::artifact(&self.artifact, &e))?;
        let start = self.start(console)?;
        let ssh = self.ssh_options()?;
        self.prepare_outputs(destinations.len())?;
        let outcomes = self.all(console, &destinations, &artifact, &start, &ssh);
        Ok(self.conclude(console, &destinations, &outcomes))
    }

    fn destinations(&self) -> Result<Vec<Destination>, Failure> {
        let mut out: Vec<Destination> = Vec::new();
        for host in &self.hosts {
            let to: Destination = host
                .parse()
                .map_err(|e: String| Failure::text(Exit::Usage, e))?;
            if out.contains(&to) {
                return Err(Failure::text(
                    Exit::Usage,
                    format!("the host `{host}` is named twice"),
                ));
            }
            out.push(to);
        }
        Ok(out)
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
            host: self.host.clone(),
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
            wait_lock: self.wait_lock,
        })
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

    fn ssh_options(&self) -> Result<SshOptions, Failure> {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let ssh_folder = home.map(|h| h.join(".ssh"));
        let key_files = if self.ssh_key.is_empty() {
            ssh_folder
                .iter()
                .flat_map(|f| ["id_ed25519", "id_ecdsa", "id_rsa"].map(|n| f.join(n)))
                .collect()
        } else {
            self.ssh_key.clone()
        };
        let known_hosts = match (&self.known_hosts, ssh_folder) {
            (Some(file), _) => vec![file.clone()],
            (None, Some(folder)) => vec![
                folder.join("known_hosts"),
                folder.join("known_hosts2"),
                PathBuf::from("/etc/ssh/ssh_known_hosts"),
            ],
            (None, None) => vec![PathBuf::from("/etc/ssh/ssh_known_hosts")],
        };
        let password = match &self.password_file {
            Some(file) => Some(secret_file(file)?),
            None => None,
        };
        Ok(SshOptions {
            user: self.user.clone().unwrap_or_else(own_name),
            key_files,
            agent: !self.no_agent,
            known_hosts,
            accept_new: self.accept_new,
            timeout: Duration::from_secs(self.connect_timeout.max(1)),
            compress: false,
            ask: Some(Arc::new(move |question: Question<'_>| {
                ask(question, password.as_ref())
            })),
        })
    }

    fn prepare_outputs(&self, hosts: usize) -> Result<(), Failure> {
        if hosts < 2 {
            return Ok(());
        }
        for folder in [&self.report, &self.events].into_iter().flatten() {
            std::fs::create_dir_all(folder).map_err(Failure::io("create", folder))?;
        }
        Ok(())
    }

    fn output_path(&self, base: &Path, to: &Destination, several: bool, ending: &str) -> PathBuf {
        if several {
            base.join(format!("{to}.{ending}"))
        } else {
            base.to_owned()
        }
    }

    /// Runs on all hosts, so many at a time.
    fn all(
        &self,
        console: &Console,
        destinations: &[Destination],
        artifact: &PushArtifact,
        start: &Start,
        ssh: &SshOptions,
    ) -> BTreeMap<usize, Outcome> {
        let interrupted = Arc::new(AtomicBool::new(false));
        catch_interrupt(&interrupted);
        let next = AtomicUsize::new(0);
        let outcomes = Mutex::new(BTreeMap::new());
        let several = destinations.len() > 1;
        std::thread::scope(|scope| {
            for _ in 0..self.parallel.clamp(1, destinations.len()) {
                scope.spawn(|| {
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(to) = destinations.get(index) else {
                            return;
                        };
                        let outcome = if interrupted.load(Ordering::Relaxed) {
                            Err(HostError::Push(PushError::Cancelled))
                        } else {
                            self.one(console, to, several, artifact, start, ssh, &interrupted)
                        };
                        outcomes
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .insert(index, outcome);
                    }
                });
            }
        });
        outcomes
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    #[allow(clippy::too_many_arguments)]
    fn one(
        &self,
        console: &Console,
        to: &Destination,
        several: bool,
        artifact: &PushArtifact,
        start: &Start,
        ssh: &SshOptions,
        interrupted: &AtomicBool,
    ) -> Outcome {
        let mut connection = SshConnection::open(to, ssh).map_err(HostError::Connect)?;
        let mut events = match &self.events {
            Some(base) => {
                let path = self.output_path(base, to, several, "jsonl");
                let file = std::fs::File::create(&path).map_err(|e| {
                    HostError::Machine(format!("cannot write {}: {e}", path.display()))
                })?;
                Some(std::io::BufWriter::new(file))
            }
            None => None,
        };
        let mut screen = Screen::new(console, to, several);
        let options = PushOptions {
            start: start.clone(),
            cancelled: &|| interrupted.load(Ordering::Relaxed),
        };
        let mut progress = |p: Progress<'_>| match p {
            Progress::Event(event) => {
                screen.event(event);
                if let (Some(out), Ok(line)) = (&mut events, event.to_json_line()) {
                    let _ = writeln!(out, "{line}");
                }
            }
            Progress::Stderr(bytes) => screen.stderr(bytes),
            Progress::Sending { sent, total } => screen.sending(sent, total),
            Progress::Host { system, machine } => {
                console.detail(&format!("{to}: {system} on {machine}"));
            }
        };
        let pushed = push(&mut connection, artifact, &options, &mut progress);
        screen.end();
        if let Some(mut out) = events {
            out.flush()
                .map_err(|e| HostError::Machine(format!("the events: {e}")))?;
        }
        let pushed = pushed.map_err(HostError::Push)?;
        if let Some(base) = &self.report {
            let path = self.output_path(base, to, several, "json");
            std::fs::write(&path, &pushed.report)
                .map_err(|e| HostError::Machine(format!("cannot write {}: {e}", path.display())))?;
        }
        Ok(pushed)
    }

    /// Says what went wrong, and gives the exit code: the first of 4 (unreachable), 2 (failed), or another's.
    fn conclude(
        &self,
        console: &Console,
        destinations: &[Destination],
        outcomes: &BTreeMap<usize, Outcome>,
    ) -> u8 {
        let mut code = 0u8;
        for (index, outcome) in outcomes {
            let to = &destinations[*index];
            let this = match outcome {
                Ok(pushed) => {
                    console.detail(&format!("{to}: {} bytes sent", pushed.sent));
                    pushed.exit_code
                }
                Err(e) => {
                    console.say(&crate::diagnostic::Diagnostic::error(format!(
                        "{to}: {}",
                        e.message()
                    )));
                    e.code()
                }
            };
            code = worse(code, this);
        }
        code
    }
}

/// Failed tasks (2) and unreachable hosts (4) add up as bits do with ansible-playbook; another code is kept as it is.
fn worse(a: u8, b: u8) -> u8 {
    match (a, b) {
        (0, x) | (x, 0) => x,
        (a, b) if a < 64 && b < 64 => a | b,
        (a, b) => a.max(b),
    }
}

/// What is printed for one host. For several hosts every line names its own.
struct Screen<'a> {
    console: &'a Console,
    reporter: TextReporter,
    prefix: Option<String>,
    partial: String,
    bar: Option<Bar>,
}

impl<'a> Screen<'a> {
    fn new(console: &'a Console, to: &Destination, several: bool) -> Screen<'a> {
        use std::io::IsTerminal as _;
        let terminal = std::io::stdout().is_terminal();
        Screen {
            console,
            reporter: TextReporter::new(TextOptions {
                verbosity: console.verbose,
                colour: terminal && console.color(),
                terminal: None,
            }),
            prefix: several.then(|| format!("{to} | ")),
            partial: String::new(),
            bar: None,
        }
    }

    fn event(&mut self, event: &rustle_formats::event::Event) {
        self.bar = None;
        let (prefix, partial) = (&self.prefix, &mut self.partial);
        self.reporter
            .event(event, &mut |stream, text| match stream {
                Stream::Out => emit(prefix.as_deref(), partial, text),
                Stream::Err => {
                    let _ = std::io::stderr().write_all(text.as_bytes());
                }
            });
    }

    fn stderr(&self, bytes: &[u8]) {
        let _ = std::io::stderr().write_all(bytes);
    }

    fn sending(&mut self, sent: u64, total: u64) {
        if self.console.interactive() && self.prefix.is_none() {
            let console = self.console;
            self.bar
                .get_or_insert_with(|| Bar::new(console))
                .set("sending", sent, total);
        }
    }

    fn end(&mut self) {
        self.bar = None;
        if !self.partial.is_empty() {
            emit(self.prefix.as_deref(), &mut self.partial, "\n");
        }
    }
}

/// Prints whole lines, so that those of several hosts do not mix.
fn emit(prefix: Option<&str>, partial: &mut String, text: &str) {
    let mut out = std::io::stdout().lock();
    let Some(prefix) = prefix else {
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        return;
    };
    partial.push_str(text);
    while let Some(end) = partial.find('\n') {
        let line: String = partial.drain(..=end).collect();
        let _ = write!(out, "{prefix}{line}");
    }
    let _ = out.flush();
}

/// Extra variables: `@FILE`, JSON, or `k=v` words.
fn extra(text: &str) -> Result<Map, Failure> {
    let wrong = |why: String| Failure::text(Exit::Usage, format!("--extra-vars: {why}"));
    let (json, from) = match text.strip_prefix('@') {
        Some(file) => (
            std::fs::read_to_string(file).map_err(|e| wrong(format!("{file}: {e}")))?,
            file,
        ),
        None => (text.to_owned(), "the value"),
    };
    if text.starts_with('@') || json.trim_start().starts_with('{') {
        return match serde_json::from_str(&json) {
            Ok(Value::Map(map)) => Ok(map),
            Ok(_) => Err(wrong(format!("{from} is no JSON object"))),
            Err(e) => Err(wrong(format!("{from}: {e}"))),
        };
    }
    json.split_whitespace()
        .map(|word| {
            word.split_once('=')
                .map(|(k, v)| (k.to_owned(), Value::Str(v.to_owned())))
                .ok_or_else(|| wrong(format!("`{word}` is not KEY=VALUE")))
        })
        .collect()
}

/// A file with a secret in it, without the final end of line.
fn secret_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text =
        Zeroizing::new(std::fs::read_to_string(path).map_err(Failure::io("read", path))?);
    while text.ends_with(['\n', '\r']) {
        text.pop();
    }
    Ok(text)
}

fn own_name() -> String {
    std::env::var("USER")
        .or_else(|_| std::env::var("LOGNAME"))
        .unwrap_or_else(|_| "root".to_owned())
}

/// Asks on the terminal, or answers with the password that was given.
fn ask(question: Question<'_>, password: Option<&Zeroizing<String>>) -> Option<Zeroizing<String>> {
    if let (Question::Password { .. }, Some(password)) = (&question, password) {
        return Some(password.clone());
    }
    let text = match question {
        Question::Password { of } => format!("Password of {of}: "),
        Question::Passphrase { file } => format!("Passphrase of {file}: "),
        Question::Prompt { text, .. } => text.to_owned(),
    };
    crate::terminal::ask(&text)
}

/// The first Ctrl-C asks the hosts to stop; the second ends the program.
fn catch_interrupt(flag: &Arc<AtomicBool>) {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where a handler cannot be set, Ctrl-C ends the program at once, as ever.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 99, Arc::clone(flag));
        let _ = signal_hook::flag::register(signal, Arc::clone(flag));
    }
}
