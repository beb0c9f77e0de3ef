//! Where the events of a run go: the screen, the journal, files, the controller endpoint. All are folds over the same
//! stream.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustle_formats::event::{Event, EventKind};
use rustle_formats::plan::RuntimeConfig;
use rustle_runtime::report::{ReportBuilder, Stream, TextOptions, TextReporter};

use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::exit::Failure;
use crate::journal::Journal;
use crate::terminal;

/// All of them.
pub(crate) struct Sinks {
    text: Option<TextReporter>,
    events: Option<Box<dyn Write>>,
    builder: Option<ReportBuilder>,
    report: Option<Box<dyn Write>>,
    journal: Option<Journal>,
    endpoint: Option<Endpoint>,
    /// Whether standard output still takes text; a reader that went away does not end a run.
    printing: bool,
}

impl Sinks {
    /// Opens what the command line and the plan ask for. Files are opened before the first task, so that a mistake in
    /// their names changes nothing.
    ///
    /// # Errors
    /// A file that cannot be written; an endpoint that is no address.
    pub(crate) fn open(
        command: &Command,
        config: &RuntimeConfig,
        run_id: &str,
        journal: Option<Journal>,
    ) -> Result<Sinks, Failure> {
        let on_stdout = |p: &Option<std::path::PathBuf>| p.as_deref() == Some(Path::new("-"));
        let silent = on_stdout(&command.events) || on_stdout(&command.report);
        let endpoint =
            Endpoint::begin(config, run_id).map_err(|e| Failure::new(crate::exit::ERROR, e))?;
        let report = open(command.report.as_deref(), "--report")?;
        let wanted = report.is_some() || endpoint.is_some();
        let debug = config.log_level.as_deref() == Some("debug");
        Ok(Sinks {
            text: (!silent).then(|| {
                TextReporter::new(TextOptions {
                    verbosity: command.verbosity + u8::from(debug),
                    colour: terminal::colour(command.colour),
                    terminal: terminal::width(),
                })
            }),
            events: open(command.events.as_deref(), "--events")?,
            builder: wanted.then(ReportBuilder::new),
            report,
            journal,
            endpoint,
            printing: true,
        })
    }

    /// Takes an event.
    pub(crate) fn take(&mut self, event: &Event) {
        if let Some(journal) = &mut self.journal {
            journal.add(event);
        }
        if let Some(out) = &mut self.events
            && let Ok(line) = event.to_json_line()
        {
            let ended = matches!(event.kind, EventKind::RunFinished { .. });
            let written = writeln!(out, "{line}").and_then(|()| out.flush());
            if written.is_err() && !ended {
                self.events = None;
            }
        }
        if let Some(builder) = &mut self.builder {
            builder.add(event);
        }
        if let (Some(endpoint), Some(builder)) = (&mut self.endpoint, &mut self.builder)
            && endpoint.wants_report()
            && let Ok(json) = serde_json::to_vec(builder.report())
        {
            endpoint.interim(json);
        }
        self.print(event);
    }

    fn print(&mut self, event: &Event) {
        let Some(text) = &mut self.text else {
            return;
        };
        let mut printing = self.printing;
        text.event(event, &mut |stream, piece| match stream {
            Stream::Out if printing => {
                let mut out = io::stdout().lock();
                printing = out
                    .write_all(piece.as_bytes())
                    .and_then(|()| out.flush())
                    .is_ok();
            }
            Stream::Out => {}
            Stream::Err => {
                let _ = io::stderr().write_all(piece.as_bytes());
            }
        });
        self.printing = printing;
    }

    /// Ends all of them: the journal is on the disk, the report written and posted. Gives what went wrong, as sentences.
    pub(crate) fn end(mut self) -> Vec<String> {
        let mut wrong = Vec::new();
        let json = self
            .builder
            .as_mut()
            .and_then(|b| serde_json::to_vec_pretty(b.report()).ok());
        if let (Some(out), Some(json)) = (&mut self.report, &json) {
            let written = out
                .write_all(json)
                .and_then(|()| out.write_all(b"\n"))
                .and_then(|()| out.flush());
            if let Err(e) = written {
                wrong.push(format!("--report: {e}"));
            }
        }
        if let Some(journal) = self.journal.take() {
            // The local copy comes before the post.
            if self.endpoint.is_some()
                && let Some(json) = &json
                && let Err(e) = journal.keep_report(json)
            {
                wrong.push(format!("the report's local copy: {e}"));
            }
            if let Err(e) = journal.end() {
                wrong.push(format!("the journal: {e}"));
            }
        }
        if let (Some(endpoint), Some(json)) = (self.endpoint.take(), json)
            && let Err(e) = endpoint.end(json)
        {
            wrong.push(format!(
                "the controller endpoint did not take the report: {e}"
            ));
        }
        wrong
    }
}

/// Opens a file for writing, private to the user; `-` is standard output.
fn open(path: Option<&Path>, option: &str) -> Result<Option<Box<dyn Write>>, Failure> {
    let Some(path) = path else {
        return Ok(None);
    };
    if path == Path::new("-") {
        return Ok(Some(Box::new(io::stdout())));
    }
    let file: File = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| Failure::io(format!("{option} {}", path.display()), &e))?;
    Ok(Some(Box::new(BufWriter::new(file))))
}
