//! A run: everything between an opened payload and the exit code.
//!
//! What is outside of it (who watches, who can be asked, when to stop) comes through [`Outside`], so that a run by hand and
//! a run in a session are the same code.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use indexmap::IndexMap;
use rustle_formats::artifact::flags;
use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::redact::Redactor;
use rustle_formats::seal::OpenOverlay;
use rustle_runtime::assets::Assets;
use rustle_runtime::engine::{
    self, Asked, Controller, Driver, Machine, Options, Reply, Request, RunSummary, Runner,
};
use rustle_runtime::{BECOME_PASSWORD, Worker};
use zeroize::Zeroizing;

use crate::command::Command;
use crate::distant::DistantFiles;
use crate::exit::{self, Failure};
use crate::files::PayloadFiles;
use crate::look::hex;
use crate::payload::Payload;
use crate::places::Surroundings;
use crate::policy::{self, Policy};
use crate::work::WorkDir;

/// What a run has around it.
pub(crate) trait Outside {
    /// Takes an event, in order.
    fn emit(&self, event: &Event);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
    /// Whether a controller answers for the files, the secrets and the other hosts of the run.
    fn attended(&self) -> bool {
        false
    }
    /// Answers what only a controller can.
    fn ask(&self, request: Request) -> Reply;
}

/// A plan that is ready to be run or listed: opened, with the host's own part in it.
pub(crate) struct Ready {
    /// The plan.
    pub plan: ExecutionPlan,
    /// The host to be.
    pub host: String,
    /// The files.
    pub files: PayloadFiles,
    secrets: IndexMap<String, Zeroizing<String>>,
    redactor: Redactor,
    program: Option<PathBuf>,
}

impl Ready {
    /// Puts plan and overlay together.
    ///
    /// # Errors
    /// A plan that cannot be read; an overlay that is needed and not there; several hosts and none chosen.
    pub(crate) fn new(
        payload: Payload,
        overlay: Option<OpenOverlay<'static>>,
        overlay_host: Option<&str>,
        wanted: Option<&str>,
        attended: bool,
    ) -> Result<Ready, Failure> {
        if payload.container.header().has(flags::NEEDS_OVERLAY) && overlay.is_none() {
            return Err(Failure::new(
                exit::LOCKED_SECRETS,
                "this artifact runs only with a host's overlay (--overlay FILE)",
            ));
        }
        let mut plan = payload.container.plan()?;
        let name = machine_name();
        let wanted = wanted.or(overlay_host.filter(|h| !h.is_empty()));
        let host = match wanted {
            // A host that a task added is in no plan: the controller knows it.
            Some(wanted) if attended => wanted.to_owned(),
            wanted => engine::choose_host(&plan, wanted, name.as_deref())
                .map_err(|e| Failure::new(exit::USAGE, format!("{e} (--host NAME)")))?,
        };
        let mut secrets = IndexMap::new();
        let mut redactor = Redactor::default();
        if let Some(overlay) = &overlay {
            redactor = Redactor::of(overlay.secrets());
            for (name, bytes) in overlay.secrets().iter() {
                let text = std::str::from_utf8(bytes).map_err(|_| {
                    Failure::new(exit::ERROR, format!("the secret '{name}' is not text"))
                })?;
                secrets.insert(name.to_owned(), Zeroizing::new(text.to_owned()));
            }
            let vars = overlay.vars().as_map().clone();
            if !vars.is_empty() {
                plan.hosts
                    .entry(host.clone())
                    .or_default()
                    .vars
                    .extend(vars);
            }
        }
        Ok(Ready {
            plan,
            host,
            files: PayloadFiles::new(payload.container, overlay),
            secrets,
            redactor,
            program: payload.program,
        })
    }

    /// Whether it may run here and now; `unsigned_words`: somebody answers meanwhile, or gives variables, who signed nothing.
    ///
    /// # Errors
    /// See [`policy::permits`].
    pub(crate) fn permitted(
        &self,
        policy: Option<&Policy>,
        unsigned_words: bool,
    ) -> Result<(), Failure> {
        let machine = machine_name();
        policy::permits(
            policy,
            &policy::Wanted {
                runtime: &self.plan.runtime,
                machine: machine.as_deref(),
                now: now_ms() / 1000,
                unsigned_words,
            },
        )
    }

    /// Takes the password for becoming another user, if there is one.
    pub(crate) fn take_password(&mut self, password: Option<Zeroizing<String>>) {
        let named = password.map(|password| (BECOME_PASSWORD.to_owned(), password));
        self.secrets.extend(named);
    }

    /// Where this program lies, if it can be known.
    pub(crate) fn program(&self) -> Option<&Path> {
        self.program.as_deref()
    }

    /// Whether a task needs a folder from which programs can be started.
    fn executes(&self) -> bool {
        self.plan.tasks().any(|t| {
            let short = t.module.rsplit('.').next().unwrap_or_default();
            short == "script"
        })
    }

    /// Runs the plan.
    ///
    /// # Errors
    /// Where it cannot begin. Once it has begun, failures are in the summary.
    pub(crate) fn run(
        self,
        command: &Command,
        run_id: &str,
        outside: &dyn Outside,
    ) -> Result<RunSummary, Failure> {
        let surroundings = Surroundings::of_process();
        let work = WorkDir::create(
            &surroundings,
            command.work_dir.as_deref(),
            run_id,
            self.executes(),
        )?;
        let options = Options {
            attended: outside.attended(),
            unreachable: command.unreachable.clone(),
            unknown_handlers: command.unknown_handlers,
            broken_conditionals: command.broken_conditionals,
            step: command.step,
            apart: command.apart,
            forks: command.forks,
            ..options(command, &self, run_id)
        };
        let distant = DistantFiles::new(&self.files, command.near.as_ref(), outside);
        let ask = |question| outside.ask(Request::Ask(Box::new(question)));
        let controller = Asked(ask);
        let driver = Offline {
            outside,
            files: if outside.attended() {
                &distant
            } else {
                &self.files
            },
            controller: outside.attended().then_some(&controller),
            secrets: &self.secrets,
            redactor: &self.redactor,
            machine: Machine {
                env: environment(),
                cwd: std::env::current_dir().unwrap_or_else(|_| "/".into()),
                work_dir: work.path().to_owned(),
                async_dir: None,
                program: self.program.clone(),
                image: Some(self.files.container().slot().payload_offset),
            },
        };
        Ok(Runner::new(&self.plan, &self.host, options, &driver).run())
    }
}

/// Serves a run that became this user: gives the exit code.
pub(crate) fn worker() -> u8 {
    let place =
        new_run_id().and_then(|id| WorkDir::create(&Surroundings::of_process(), None, &id, true));
    match place {
        Ok(work) => Worker {
            env: environment(),
            work_dir: work.path(),
        }
        .serve(),
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "{}", failure.message);
            failure.code
        }
    }
}

/// The engine's options from the command line's.
pub(crate) fn options(command: &Command, ready: &Ready, run_id: &str) -> Options {
    Options {
        check: command.check,
        diff: command.diff,
        tags: command.tags.clone(),
        skip_tags: command.skip_tags.clone(),
        start_at_task: command.start_at.clone(),
        extra_vars: command.extra_vars.clone(),
        verbosity: command.verbosity,
        force_handlers: command.force_handlers,
        facts: rustle_formats::Map::new(),
        unknown_handlers: false,
        broken_conditionals: false,
        apart: false,
        own_vars: rustle_formats::Map::new(),
        timeout: command.timeout.map(Duration::from_secs),
        task_timeout: None,
        forks: None,
        step: false,
        become_same: false,
        attended: false,
        unreachable: None,
        run_id: run_id.to_owned(),
        root: Some(hex(&ready.files.container().root())),
        runner: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// A new run's name: 32 hexadecimal digits that no other run has.
///
/// # Errors
/// Where the system gives no random bytes.
pub(crate) fn new_run_id() -> Result<String, Failure> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|e| Failure::new(exit::IO, format!("no random bytes: {e}")))?;
    Ok(hex(&bytes))
}

/// The process's environment, as far as it is text. What is not cannot be named in a plan either.
fn environment() -> IndexMap<String, String> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

fn machine_name() -> Option<String> {
    let names = rustix::system::uname();
    names.nodename().to_str().ok().map(str::to_owned)
}

/// The engine's driver: the payload's files and secrets, the rest from outside.
struct Offline<'a> {
    outside: &'a dyn Outside,
    files: &'a dyn Assets,
    controller: Option<&'a dyn Controller>,
    secrets: &'a IndexMap<String, Zeroizing<String>>,
    redactor: &'a Redactor,
    machine: Machine,
}

impl Driver for Offline<'_> {
    fn emit(&self, mut event: Event) {
        // The engine masks what it knows to be secret; this catches what a program printed in another form.
        if !self.redactor.is_empty() {
            self.redactor.event(&mut event);
        }
        self.outside.emit(&event);
    }

    fn assets(&self) -> &dyn Assets {
        self.files
    }

    fn secret(&self, name: &str) -> Result<Zeroizing<String>, String> {
        if let Some(text) = self.secrets.get(name) {
            return Ok(text.clone());
        }
        if self.outside.attended() {
            let name = name.to_owned();
            match self.outside.ask(Request::Secret { name }) {
                Reply::Text(text) => return Ok(Zeroizing::new(text)),
                Reply::Refused(why) => return Err(why),
                _ => {}
            }
        }
        Err(format!("there is no secret '{name}' for this host"))
    }

    fn ask(&self, request: Request) -> Reply {
        self.outside.ask(request)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn cancelled(&self) -> bool {
        self.outside.cancelled()
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn controller(&self) -> Option<&dyn Controller> {
        self.controller
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
