//! Where a push writes what happened: events as they come, and the report at the end.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustle_formats::event::Event;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// The version of the document that holds the reports of several hosts.
const REPORTS_VERSION: u32 = 1;

/// One stream of events and one report, whatever the number of hosts.
pub(super) struct Outputs {
    events: Option<Mutex<Box<dyn Write + Send>>>,
    report: Option<Mutex<File>>,
    several: bool,
}

/// How it went on one host, for the report.
pub(super) struct HostReport {
    /// The plan's name of the host, else the destination.
    pub(super) label: String,
    /// Where it was pushed to.
    pub(super) destination: String,
    /// The exit code of the push to it.
    pub(super) exit_code: u8,
    /// Why there is no report.
    pub(super) error: Option<String>,
    /// The host's report as JSON.
    pub(super) report: Option<String>,
}

impl Outputs {
    /// Opens both, private to the user, before anything is sent.
    pub(super) fn open(
        events: Option<&Path>,
        report: Option<&Path>,
        several: bool,
    ) -> Result<Outputs, Failure> {
        let create = |path: &Path| {
            OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)
                .map_err(Failure::io("write", path))
        };
        let events: Option<Box<dyn Write + Send>> = match events {
            None => None,
            Some(path) if path == Path::new("-") => Some(Box::new(io::stdout())),
            Some(path) => Some(Box::new(BufWriter::new(create(path)?))),
        };
        Ok(Outputs {
            events: events.map(Mutex::new),
            report: report.map(create).transpose()?.map(Mutex::new),
            several,
        })
    }

    /// Writes an event as a line. With several hosts every line says whose it is.
    pub(super) fn event(&self, label: &str, event: &Event) {
        let (Some(out), Ok(line)) = (&self.events, event.to_json_line()) else {
            return;
        };
        let line = match (self.several, line.strip_prefix('{')) {
            (true, Some(rest)) => format!("{{\"target\":{},{rest}", Value::from(label)),
            _ => line,
        };
        let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
        // A reader that went away does not end a run.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }

    /// Writes the report: the host's own, or one document for all.
    pub(super) fn finish(&self, hosts: &[HostReport], exit_code: u8) -> io::Result<()> {
        let Some(file) = &self.report else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        let text = match hosts {
            [only] if !self.several => match &only.report {
                Some(report) => report.clone(),
                None => one(only).to_string(),
            },
            _ => {
                let all: Map<String, Value> =
                    hosts.iter().map(|h| (h.label.clone(), one(h))).collect();
                let document =
                    json!({"version": REPORTS_VERSION, "exit_code": exit_code, "hosts": all});
                format!("{document:#}")
            }
        };
        writeln!(file, "{text}")
    }
}

fn one(host: &HostReport) -> Value {
    let report = host.report.as_deref();
    let report: Option<Value> = report.and_then(|r| serde_json::from_str(r).ok());
    json!({
        "destination": host.destination,
        "exit_code": host.exit_code,
        "error": host.error,
        "report": report,
    })
}
