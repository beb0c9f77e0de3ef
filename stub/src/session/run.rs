//! Runs what a session brought: the same run as by hand, watched by the controller.

use std::cell::RefCell;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use rustle_formats::Value;
use rustle_formats::artifact::Container;
use rustle_formats::event::{Event, EventKind};
use rustle_formats::seal::KeySource;
use rustle_formats::session::{Key, Start, Up, encode_frame};
use rustle_runtime::engine::{Reply, Request};
use rustle_runtime::report::ReportBuilder;
use zeroize::Zeroizing;

use super::link::Link;
use super::{Ended, Myself, Ready as Arrived, serve};
use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::exit::{self, Failure};
use crate::journal::Journal;
use crate::payload::{self, Payload};
use crate::places::Surroundings;
use crate::policy::Policy;
use crate::run::{Outside, Ready, new_run_id, now_ms};
use crate::{keys, lock, signals};

/// The runner's side of a session, with the cache in this folder: gives the exit code.
pub(crate) fn main(folder: &Path) -> u8 {
    signals::catch();
    let program = match payload::own_file() {
        Ok((file, _)) => file,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "rustle: {}", failure.message);
            return failure.code;
        }
    };
    let myself = Myself {
        version: env!("CARGO_PKG_VERSION"),
        target: payload::TARGET,
        program: &program,
        failure_code: exit::IO,
    };
    serve(folder, &myself, |arrived, link| {
        match run(folder, arrived, link) {
            Ok((exit_code, report)) => Ended::Finished { exit_code, report },
            Err(failure) => Ended::Refused {
                exit_code: failure.code,
                message: failure.message,
            },
        }
    })
}

fn run(folder: &Path, arrived: Arrived, link: &Link) -> Result<(u8, String), Failure> {
    let file =
        File::open(&arrived.artifact).map_err(|e| Failure::io(arrived.artifact.display(), &e))?;
    let mut payload = Payload {
        container: Container::open_file(file)?,
        program: Some(arrived.artifact.clone()),
    };
    payload.attach_sidecar(arrived.sidecar.as_deref())?;
    let policy = Policy::of_machine()?;
    if let Some(policy) = &policy {
        policy.admits(&payload.container)?;
    }
    let command = command(&arrived.start, folder);
    let overlay = open_overlay(&payload, &arrived.start, policy.as_ref())?;
    let mut ready = Ready::new(
        payload,
        overlay.0,
        overlay.1.as_deref(),
        command.host.as_deref(),
        arrived.start.attended,
    )?;

    let answered = arrived.start.attended || !arrived.start.extra_vars.is_empty();
    ready.permitted(policy.as_ref(), answered)?;
    if let Some(Key::Passphrase(text)) = &arrived.start.become_password {
        ready.take_password(Some(Zeroizing::new(text.clone())));
    }
    if arrived.start.attended {
        let summary = ready.run(&command, &new_run_id()?, &Attended { link })?;
        return Ok((summary.exit_code, String::new()));
    }
    let surroundings = Surroundings::of_process();
    let run_id = new_run_id()?;
    let _lock = lock::take(
        &surroundings,
        None,
        &run_id,
        Duration::from_secs(command.wait_lock),
    )?;
    let journal = Journal::begin(
        &surroundings,
        command.journal_dir.as_deref(),
        &run_id,
        now_ms(),
    )
    .map_err(|e| Failure::io("the journal", &e))?;
    let endpoint =
        Endpoint::begin(&ready.plan.runtime, &run_id).map_err(|e| Failure::new(exit::ERROR, e))?;
    let watched = Watched {
        link,
        report: RefCell::new(ReportBuilder::new()),
        journal: RefCell::new(journal),
        endpoint: RefCell::new(endpoint),
    };
    let summary = ready.run(&command, &run_id, &watched)?;
    let report = serde_json::to_string(watched.report.borrow_mut().report())
        .map_err(|e| Failure::new(exit::ERROR, format!("the report: {e}")))?;
    for sentence in watched.end(&report) {
        let _ = writeln!(std::io::stderr(), "[WARNING]: {sentence}");
    }
    Ok((summary.exit_code, report))
}

/// The options of a run by hand that mean what the controller said.
fn command(start: &Start, folder: &Path) -> Command {
    Command {
        check: start.check,
        diff: start.diff,
        tags: start.tags.clone(),
        skip_tags: start.skip_tags.clone(),
        start_at: start.start_at_task.clone(),
        extra_vars: start.extra_vars.clone(),
        force_handlers: start.force_handlers,
        timeout: start.timeout,
        host: start.host.clone(),
        wait_lock: start.wait_lock,
        verbosity: start.verbosity,
        unreachable: start.unreachable.clone(),
        unknown_handlers: start.unknown_handlers,
        broken_conditionals: start.broken_conditionals,
        step: start.step,
        apart: start.apart,
        near: start.near.clone(),
        forks: (start.forks > 0).then_some(i64::from(start.forks)),
        // A push leaves nothing but the cache.
        journal_dir: Some(folder.join("journal")),
        ..Command::default()
    }
}

/// Opens the overlay that came beside the artifact, or in it, with the keys that came over the channel. Whether its signer is trusted was
/// checked by the controller, before anything was sent; here it is held against the base's.
fn open_overlay(
    payload: &Payload,
    start: &Start,
    policy: Option<&Policy>,
) -> Result<keys::Opened, Failure> {
    let container = &payload.container;
    let bytes = match &start.overlay {
        Some(bytes) => Some(bytes.clone()),
        None => keys::overlay_bytes(container, None)?,
    };
    let Some(bytes) = bytes else {
        return Ok((None, None));
    };
    let trusted = policy.map_or(&[][..], |policy| &policy.trusted);
    let overlay = keys::accept(&bytes, container, start.host.as_deref(), trusted)?;
    let sources = start
        .keys
        .iter()
        .map(KeySource::from_session)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| Failure::new(exit::LOCKED_SECRETS, e.to_string()))?;
    let host = overlay.host().to_owned();
    let open = overlay.open(&sources).map_err(keys::refused)?;
    Ok((Some(open.into_owned()), Some(host)))
}

/// A controller that watches and can be asked.
struct Watched<'a> {
    link: &'a Link,
    report: RefCell<ReportBuilder>,
    journal: RefCell<Option<Journal>>,
    endpoint: RefCell<Option<Endpoint>>,
}

impl Outside for Watched<'_> {
    fn emit(&self, event: &Event) {
        if let Some(journal) = self.journal.borrow_mut().as_mut() {
            journal.add(event);
        }
        let mut report = self.report.borrow_mut();
        report.add(event);
        if let Some(endpoint) = self.endpoint.borrow_mut().as_mut()
            && endpoint.wants_report()
            && let Ok(json) = serde_json::to_vec(report.report())
        {
            endpoint.interim(json);
        }
        tell(self.link, event);
    }

    fn cancelled(&self) -> bool {
        signals::caught() || self.link.cancelled()
    }

    fn ask(&self, request: Request) -> Reply {
        ask(self.link, &request)
    }
}

impl Watched<'_> {
    /// Ends journal and endpoint, the local copy of the report first. Gives what went wrong, as sentences.
    fn end(self, report: &str) -> Vec<String> {
        let endpoint = self.endpoint.into_inner();
        let mut wrong = Vec::new();
        if let Some(journal) = self.journal.into_inner() {
            if endpoint.is_some()
                && let Err(e) = journal.keep_report(report.as_bytes())
            {
                wrong.push(format!("the report's local copy: {e}"));
            }
            if let Err(e) = journal.end() {
                wrong.push(format!("the journal: {e}"));
            }
        }
        if let Some(endpoint) = endpoint
            && let Err(e) = endpoint.end(report.as_bytes().to_vec())
        {
            wrong.push(format!(
                "the controller endpoint did not take the report: {e}"
            ));
        }
        wrong
    }
}

/// A controller that has several hosts in its care, keeps what they tell, and answers for the others.
struct Attended<'a> {
    link: &'a Link,
}

impl Outside for Attended<'_> {
    fn emit(&self, event: &Event) {
        tell(self.link, event);
    }

    fn cancelled(&self) -> bool {
        signals::caught() || self.link.cancelled()
    }

    fn attended(&self) -> bool {
        true
    }

    fn ask(&self, request: Request) -> Reply {
        ask(self.link, &request)
    }
}

fn tell(link: &Link, event: &Event) {
    let message = Up::Event(event.clone());
    if encode_frame(&message).is_ok() {
        link.send(&message);
    } else {
        link.send(&Up::Event(shortened(event)));
    }
}

fn ask(link: &Link, request: &Request) -> Reply {
    let asked = postcard::to_stdvec(request)
        .map_err(|e| e.to_string())
        .and_then(|body| link.ask(body))
        .and_then(|answer| postcard::from_bytes(&answer).map_err(|e| e.to_string()));
    asked.unwrap_or_else(Reply::Refused)
}

/// The event without its result, which is longer than a frame may be. The journal and the report have all of it.
fn shortened(event: &Event) -> Event {
    let mut event = event.clone();
    match &mut event.kind {
        EventKind::ItemResult { result, .. }
        | EventKind::TaskResult { result, .. }
        | EventKind::Retry { result, .. } => {
            let mut map = rustle_formats::Map::new();
            map.insert(
                "msg".to_owned(),
                Value::Str(
                    "the result is longer than a session's frame; it is in the report on the host"
                        .to_owned(),
                ),
            );
            *result = Value::Map(map);
        }
        _ => {}
    }
    event
}
