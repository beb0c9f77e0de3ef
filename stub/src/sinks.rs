//! Where the events of a run go: the screen, the journal, files, the controller endpoint. All are folds over the same
//! stream.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustle_formats::event::Event;
use rustle_formats::plan::RuntimeConfig;
use rustle_runtime::report::{ReportBuilder, Stream, TextOptions, TextReporter};

use crate::command::Command;
use crate::endpoint::Endpoint;
use crate::exit::Failure;
use crate::journal::Journal;
use crate::terminal;
use crate::whole_file::WholeFile;

/// Where the report goes.
enum ReportTo {
    Stdout,
    File(WholeFile),
}

/// All of them.
pub(crate) struct Sinks {
    text: Option<TextReporter>,
    events: Option<Box<dyn Write>>,
    /// Why events are no longer written.
    events_broken: Option<io::Error>,
    builder: Option<ReportBuilder>,
    report: Option<ReportTo>,
    /// Whether the run has begun: there is something to report.
    begun: bool,
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
        let report = match command.report.as_deref() {
            None => None,
            Some(path) if path == Path::new("-") => Some(ReportTo::Stdout),
            Some(path) => {
                Some(ReportTo::File(WholeFile::create(path).map_err(|e| {
                    Failure::io(format!("--report {}", path.display()), &e)
                })?))
            }
        };
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
            events_broken: None,
            builder: wanted.then(ReportBuilder::new),
            report,
            begun: false,
            journal,
            endpoint,
            printing: true,
        })
    }

    /// Takes an event.
    pub(crate) fn take(&mut self, event: &Event) {
        self.begun = true;
        if let Some(journal) = &mut self.journal {
            journal.add(event);
        }
        if let Some(out) = &mut self.events
            && let Ok(line) = event.to_json_line()
        {
            // A reader that went away is no failure; a disk that is full is.
            if let Err(e) = out
                .write_all(format!("{line}\n").as_bytes())
                .and_then(|()| out.flush())
            {
                self.events = None;
                self.events_broken = Some(e).filter(|e| e.kind() != io::ErrorKind::BrokenPipe);
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

    /// Ends all of them: the journal is on the disk, the report written and posted. Gives what went wrong, as sentences, and
    /// whether a file that the command line asked for is not there.
    pub(crate) fn end(mut self) -> (Vec<String>, bool) {
        let mut wrong = Vec::new();
        if self.endpoint.is_some() && self.journal.is_none() && self.report.is_none() {
            wrong.push(
                "there is no place for the report's local copy (--journal-dir DIR, --report FILE)"
                    .to_owned(),
            );
        }
        let json = self
            .builder
            .as_mut()
            .and_then(|b| serde_json::to_vec_pretty(b.report()).ok());
        if let Some(e) = self.events_broken.take() {
            wrong.push(format!("--events: {e}"));
        }
        if let (Some(to), Some(json), true) = (self.report.take(), &json, self.begun)
            && let Err(e) = write_report(to, json)
        {
            wrong.push(format!("--report: {e}"));
        }
        let lacking = !wrong.is_empty();
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
        (wrong, lacking)
    }
}

/// Writes the report. A reader of standard output that went away is no failure.
fn write_report(to: ReportTo, json: &[u8]) -> io::Result<()> {
    let write = |out: &mut dyn Write| {
        out.write_all(json)?;
        out.write_all(b"\n")?;
        out.flush()
    };
    match to {
        ReportTo::File(mut file) => {
            write(&mut file)?;
            file.finish()
        }
        ReportTo::Stdout => match write(&mut io::stdout()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            done => done,
        },
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
    Ok(Some(Box::new(file)))
}
