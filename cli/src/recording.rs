//! Keeping what a run tells: its record, its line in the audit log, its report file. All are folds over the same events as what is
//! printed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustle_formats::Value;
use rustle_formats::event::{Event, EventKind, Stats};
use rustle_formats::redact::Redactor;
use rustle_playbook::vault::Opened;
use rustle_playbook::{Sources, yaml};
use rustle_runs::{Asked, Audit, AuditError, Deed, Recorder, Store, Who};
use rustle_runtime::accounts::Accounts;
use rustle_runtime::report::{ReportBuilder, python_str};
use zeroize::Zeroizing;

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::replace::replace;

/// How many runs are kept.
const KEEP: usize = 200;

/// The options that say what is kept of a run.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Records")]
pub(crate) struct RecordOptions {
    /// Write a report of the run here, as JSON (`rustle schema report`).
    #[arg(long, value_name = "FILE")]
    pub(crate) report_file: Option<PathBuf>,
    /// Keep no record of this run for `rustle runs`; the audit log has it all the same.
    #[arg(long)]
    pub(crate) no_record: bool,
}

/// The folder for what outlives a run: $RUSTLE_STATE_DIR, else rustle in the user's state folder.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    set("RUSTLE_STATE_DIR").map(PathBuf::from).or_else(|| {
        set("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state")))
            .map(|state| state.join("rustle"))
    })
}

/// The recorded runs.
///
/// # Errors
/// There is no folder for them.
pub(crate) fn store() -> Result<Store, Failure> {
    let state = state_folder().ok_or_else(no_state)?;
    Ok(Store::at(state.join("runs")))
}

/// The audit log.
///
/// # Errors
/// There is no folder for it.
pub(crate) fn audit() -> Result<Audit, Failure> {
    let state = state_folder().ok_or_else(no_state)?;
    Ok(Audit::at(state.join("audit.jsonl")))
}

fn no_state() -> Failure {
    Failure::text(Exit::Machine, "there is no folder for what is kept of runs")
        .hint("set RUSTLE_STATE_DIR, XDG_STATE_HOME or HOME")
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Takes out of events what was vaulted: shown as Ansible shows it, it is not to lie in files for that.
struct Mask {
    opened: Opened,
    known: usize,
    redactor: Redactor,
}

impl Mask {
    fn apply(&mut self, event: &Event) -> Event {
        let mut event = event.clone();
        if self.opened.count() != self.known {
            let texts = self.opened.texts();
            self.known = texts.len();
            let secrets: Vec<Zeroizing<Vec<u8>>> = texts.iter().flat_map(|t| parts(t)).collect();
            self.redactor = Redactor::new(secrets.iter().map(|secret| secret.as_slice()));
        }
        self.redactor.event(&mut event);
        event
    }
}

/// The values of a file of variables; of all else the text itself.
fn parts(text: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let whole = || vec![Zeroizing::new(text.to_vec())];
    let read = yaml::read(
        &Sources::default(),
        Path::new("vaulted"),
        text,
        &yaml::Options::default(),
    );
    // What is vaulted within was decrypted by itself.
    let read = read.and_then(|d| d.root.to_value(&mut |_, _| Ok(Value::Null)));
    match read {
        Ok(value @ (Value::Map(_) | Value::List(_))) => {
            let mut out = Vec::new();
            scalars(&value, &mut out);
            out
        }
        _ => whole(),
    }
}

/// The texts and numbers within a value.
fn scalars(value: &Value, out: &mut Vec<Zeroizing<Vec<u8>>>) {
    match value {
        Value::Map(map) => map.values().for_each(|inner| scalars(inner, out)),
        Value::List(list) => list.iter().for_each(|inner| scalars(inner, out)),
        Value::Null | Value::Bool(_) => {}
        other => out.push(Zeroizing::new(python_str(other).into_bytes())),
    }
}

/// What is kept of one run while it happens.
pub(crate) struct Recording<'r> {
    mask: Mask,
    asked: Asked,
    options: &'r RecordOptions,
    state: Option<PathBuf>,
    recorder: Option<Recorder>,
    /// The run, once it has begun.
    run: String,
    audit: Option<(Audit, Who)>,
    report: Option<ReportBuilder>,
    /// What could not be kept, as sentences.
    wrong: Vec<String>,
}

impl<'r> Recording<'r> {
    /// Nothing is written before the run begins, but that the report's place can be written is known now.
    ///
    /// # Errors
    /// It cannot.
    pub(crate) fn prepare(
        asked: Asked,
        options: &'r RecordOptions,
        opened: Opened,
    ) -> Result<Self, Failure> {
        if let Some(path) = &options.report_file {
            let folder = path.parent().filter(|f| !f.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            // A file of that folder is what will become the report.
            tempfile::tempfile_in(folder).map_err(Failure::io("write a report in", folder))?;
        }
        Ok(Recording {
            mask: Mask {
                opened,
                known: 0,
                redactor: Redactor::default(),
            },
            asked,
            options,
            state: state_folder(),
            recorder: None,
            run: String::new(),
            audit: None,
            report: options.report_file.as_ref().map(|_| ReportBuilder::new()),
            wrong: Vec::new(),
        })
    }

    /// Takes one event in.
    pub(crate) fn event(&mut self, event: &Event) {
        let event = &self.mask.apply(event);
        if let EventKind::RunStarted { run_id, .. } = &event.kind {
            self.run.clone_from(run_id);
            self.begin(run_id);
        }
        if let Some(recorder) = &mut self.recorder {
            recorder.event(event);
        }
        if let Some(report) = &mut self.report {
            report.add(event);
        }
        if let Some(deed) = deed(event, &self.run, &self.asked) {
            self.note(deed);
        }
        if let EventKind::RunStarted { .. } = &event.kind {
            self.sweep();
        }
    }

    fn begin(&mut self, id: &str) {
        let Some(state) = &self.state else {
            return;
        };
        self.audit = Some((Audit::at(state.join("audit.jsonl")), who()));
        if self.options.no_record {
            return;
        }
        match Recorder::begin(&state.join("runs"), id, now_ms(), self.asked.clone()) {
            Ok(recorder) => self.recorder = Some(recorder),
            Err(e) => self.wrong.push(format!(
                "this run is not recorded in {}: {e}",
                state.join("runs").display()
            )),
        }
    }

    fn note(&mut self, deed: Deed) {
        let Some((audit, who)) = &self.audit else {
            return;
        };
        if let Err(e) = audit.append(now_ms(), who, deed) {
            let why = match e {
                AuditError::Io(e) => e.to_string(),
                AuditError::Broken { line, why } => format!("line {line} is broken: {why}"),
            };
            self.wrong
                .push(format!("the audit log {}: {why}", audit.path().display()));
            // Said once.
            self.audit = None;
        }
    }

    fn sweep(&self) {
        if let Some(state) = &self.state {
            // What cannot be swept now is swept by a later run.
            let _ = Store::at(state.join("runs")).sweep(KEEP, now_ms());
        }
    }

    /// Ends all of it, and warns of what could not be kept.
    ///
    /// # Errors
    /// The report that was asked for could not be written.
    pub(crate) fn end(mut self, console: &Console) -> Result<(), Failure> {
        if let Some(Err(e)) = self.recorder.take().map(Recorder::end) {
            self.wrong.push(format!("the record of this run: {e}"));
        }
        for sentence in self.wrong {
            console.say(&Diagnostic::new(Level::Warning, sentence));
        }
        if let (Some(path), Some(mut builder)) = (&self.options.report_file, self.report) {
            let mut json = Vec::new();
            serde_json::to_writer_pretty(&mut json, builder.report())
                .map_err(std::io::Error::from)
                .and_then(|()| writeln!(json))
                .and_then(|()| replace(path, &json, None))
                .map_err(Failure::io("write", path))?;
        }
        Ok(())
    }
}

/// What the audit log says of an event.
fn deed(event: &Event, run: &str, asked: &Asked) -> Option<Deed> {
    match &event.kind {
        EventKind::RunStarted {
            check, hosts, root, ..
        } => Some(Deed::Started {
            run: run.to_owned(),
            what: format!("{} {}", asked.command, asked.what),
            check: *check,
            hosts: hosts.clone(),
            root: root.clone(),
        }),
        EventKind::RunFinished {
            stats, exit_code, ..
        } => Some(Deed::Ended {
            run: run.to_owned(),
            exit_code: *exit_code,
            hosts: stats
                .iter()
                .map(|(host, stats)| (host.clone(), verdict(stats).to_owned()))
                .collect(),
        }),
        _ => None,
    }
}

/// How it went on a host, in one word.
pub(crate) fn verdict(stats: &Stats) -> &'static str {
    match stats {
        s if s.unreachable > 0 => "unreachable",
        s if s.failed > 0 => "failed",
        s if s.changed > 0 => "changed",
        _ => "ok",
    }
}

fn who() -> Who {
    let uid = rustix::process::getuid().as_raw();
    // What the environment says of the user, anybody can write.
    let accounts = Accounts::load(Path::new("/")).ok();
    let own = accounts.as_ref().and_then(|a| a.user_by_id(uid));
    let machine = rustix::system::uname();
    Who {
        user: own.map(|user| user.name.clone()).unwrap_or_default(),
        uid,
        sudo_user: std::env::var("SUDO_USER").ok().filter(|u| !u.is_empty()),
        machine: machine.nodename().to_string_lossy().into_owned(),
    }
}
