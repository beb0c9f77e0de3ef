//! What ansible-playbook prints, from the events of a run.

use std::collections::HashSet;

use rustle_formats::Value;
use rustle_formats::event::{Event, EventKind, Stats, Status};
use rustle_formats::order;
use rustle_formats::plan::Source;

use super::diff;
use super::display::{Display, UNSHOWN_DIFF};
use super::paint::{Colour, columns, paint};
use super::python::python_str;
use super::result::Shown;
use super::tally::Tally;
use super::trouble::{Excerpts, describe};

/// Where a piece of text belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How to print.
#[derive(Debug, Clone, Copy)]
pub struct TextOptions {
    /// How many `-v`.
    pub verbosity: u8,
    /// Whether to colour.
    pub colour: bool,
    /// The terminal's columns, if it is one.
    pub terminal: Option<usize>,
}

/// Columns of a heading where there is no terminal, and the fewest on one.
const NARROWEST: usize = 79;
/// The fewest asterisks behind a heading.
const FEWEST_STARS: usize = 3;
/// The exit code of a run that a mistake of the playbook ended.
const EXIT_ERROR: u8 = 1;
/// Columns of a host's name in the recap.
const RECAP_NAME: usize = 26;

/// The task whose results come in.
#[derive(Debug, Default)]
struct Current {
    module: String,
    role: Option<String>,
    source: Option<Source>,
}

/// Prints a run: a fold over its events.
pub struct TextReporter {
    options: TextOptions,
    excerpts: Option<Box<dyn Excerpts>>,
    current: Current,
    tally: Tally,
    told: HashSet<String>,
    /// What was brought in last, and for which hosts: several are told in one line.
    included: Option<Included>,
    display: Display,
    /// The heading of a task of which nothing was shown yet, where it may be that nothing is.
    pending: Option<String>,
    /// Where lines go.
    stream: Stream,
}

/// What a task brought in.
struct Included {
    what: String,
    /// The item, with all around it.
    item: String,
    hosts: Vec<String>,
}

/// Everything that one result is printed from.
struct Line<'a> {
    host: &'a str,
    delegated_to: Option<&'a str>,
    status: Status,
    ignored: bool,
    result: &'a Value,
    /// The label, for an item.
    label: Option<&'a Value>,
    looped: bool,
}

type Sink<'a> = &'a mut dyn FnMut(Stream, &str);

impl TextReporter {
    /// A reporter at the beginning of a run.
    pub fn new(options: TextOptions) -> TextReporter {
        TextReporter {
            options,
            excerpts: None,
            current: Current::default(),
            tally: Tally::default(),
            told: HashSet::new(),
            included: None,
            display: Display::default(),
            pending: None,
            stream: Stream::Out,
        }
    }

    /// Shows not all of the run.
    #[must_use]
    pub fn showing(mut self, display: Display) -> TextReporter {
        self.display = display;
        self
    }

    /// Shows the lines of the playbook around a failing task, from where their text can be had.
    #[must_use]
    pub fn with_excerpts(mut self, excerpts: Box<dyn Excerpts>) -> TextReporter {
        self.excerpts = Some(excerpts);
        self
    }

    /// Takes one event in and gives what is to be printed to `sink`, whole lines at a time.
    pub fn event(&mut self, event: &Event, sink: Sink<'_>) {
        self.tally.add(event);
        if !matches!(event.kind, EventKind::Included { .. }) {
            self.tell_included(sink);
        }
        match &event.kind {
            EventKind::PlayStarted { name, .. } => self.heading(&format!("PLAY [{name}]"), sink),
            EventKind::PlaySkipped { name, reason } => {
                self.heading(&format!("PLAY [{name}]"), sink);
                let reason = reason.trim_end_matches('.');
                self.say(&format!("skipping: {reason}"), Some(Colour::Skipped), sink);
            }
            EventKind::TaskStarted {
                name,
                role,
                module,
                handler,
                source,
                ..
            } => {
                self.current = Current {
                    module: short_name(module).to_owned(),
                    role: role.clone(),
                    source: source.clone(),
                };
                self.task(name, *handler, sink);
            }
            EventKind::ItemResult {
                host,
                status,
                ignored,
                label,
                result,
                delegated_to,
                ..
            } => self.item(
                &Line {
                    host,
                    delegated_to: delegated_to.as_deref(),
                    status: *status,
                    ignored: *ignored,
                    result,
                    label: Some(label),
                    looped: false,
                },
                sink,
            ),
            EventKind::TaskResult {
                host,
                status,
                ignored,
                looped,
                result,
                delegated_to,
                ..
            } => self.result(
                &Line {
                    host,
                    delegated_to: delegated_to.as_deref(),
                    status: *status,
                    ignored: *ignored,
                    result,
                    label: None,
                    looped: *looped,
                },
                sink,
            ),
            EventKind::Retry {
                name,
                host,
                left,
                result,
                ..
            } => self.retry(name, host, *left, result, sink),
            EventKind::Included {
                host, what, label, ..
            } => {
                // What Python takes for false is not printed.
                let item = label
                    .as_ref()
                    .filter(|l| {
                        !matches!(
                            python_str(l).as_str(),
                            "" | "0" | "0.0" | "False" | "None" | "[]" | "{}"
                        )
                    })
                    .map(|l| format!(" => (item={})", python_str(l)));
                self.include(what, item.unwrap_or_default(), host, sink);
            }
            EventKind::Steered { message, .. } => {
                if self.options.verbosity >= 2 {
                    self.say(&format!("META: {message}"), None, sink);
                }
            }
            EventKind::NoMoreHosts {} => self.heading("NO MORE HOSTS LEFT", sink),
            EventKind::Warning { message, .. } => self.warning(message, sink),
            EventKind::RunFinished {
                aborted, exit_code, ..
            } => {
                if let Some(reason) = aborted {
                    let text = self.coloured(&format!("[ERROR]: {reason}"), Colour::Failed);
                    sink(Stream::Err, &(text + "\n"));
                }
                // After a mistake of the playbook Ansible tells nothing more.
                if aborted.is_none() || *exit_code != EXIT_ERROR {
                    self.recap(sink);
                }
            }
            EventKind::RunStarted { .. }
            | EventKind::Notified { .. }
            | EventKind::Rescued { .. }
            | EventKind::Heartbeat {} => {}
        }
    }

    /// Prints an empty line and a heading filled up with asterisks.
    pub fn headline(&mut self, text: &str, sink: Sink<'_>) {
        self.heading(text, sink);
    }

    /// What was counted so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    fn coloured(&self, text: &str, colour: Colour) -> String {
        if self.options.colour {
            paint(text, colour)
        } else {
            text.to_owned()
        }
    }

    fn say(&self, text: &str, colour: Option<Colour>, sink: Sink<'_>) {
        let mut text = match colour {
            Some(colour) => self.coloured(text, colour),
            None => text.to_owned(),
        };
        text.push('\n');
        sink(self.stream, &text);
    }

    /// An empty line and a heading filled up with asterisks.
    fn heading(&mut self, text: &str, sink: Sink<'_>) {
        self.pending = None;
        let width = self.options.terminal.map_or(NARROWEST, |columns| {
            columns.saturating_sub(1).max(NARROWEST)
        });
        let stars = width.saturating_sub(columns(text)).max(FEWEST_STARS);
        sink(Stream::Out, &format!("\n{text} {}\n", "*".repeat(stars)));
    }

    /// Shows the heading that waits for something below it.
    fn begin(&mut self, sink: Sink<'_>) {
        if let Some(heading) = self.pending.take() {
            self.heading(&heading, sink);
        }
    }

    /// Whether a line is not to be shown.
    fn is_hidden(&self, line: &Line<'_>) -> bool {
        match line.status {
            Status::Skipped => self.display.hide_skipped,
            Status::Ok => self.display.hide_ok,
            _ => false,
        }
    }

    fn task(&mut self, name: &str, handler: bool, sink: Sink<'_>) {
        let kind = if handler { "RUNNING HANDLER" } else { "TASK" };
        let full = match &self.current.role {
            Some(role) => format!("{role} : {name}"),
            None => name.to_owned(),
        };
        let heading = format!("{kind} [{full}]");
        if self.display.hide_skipped || self.display.hide_ok {
            self.pending = Some(heading);
            return;
        }
        self.heading(&heading, sink);
        if self.options.verbosity >= 2
            && let Some(source) = &self.current.source
        {
            let path = format!("task path: {}:{}", source.file, source.line);
            self.say(&path, Some(Colour::Detail), sink);
        }
    }

    fn shown(&self, line: &Line<'_>) -> Option<String> {
        Shown {
            result: line.result,
            module: &self.current.module,
            status: line.status,
            looped: line.looped,
            verbosity: self.options.verbosity,
        }
        .text(self.display)
    }

    /// Warnings, the description of a failure and the difference: what stands above the line itself.
    fn above(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        if let Some(warnings) = line.result.get("warnings").and_then(Value::as_list) {
            for warning in warnings {
                self.warning(&python_str(warning), sink);
            }
        }
        if matches!(line.status, Status::Failed | Status::Unreachable) && !line.looped {
            let text = describe(
                line.result,
                &self.current.module,
                self.current.source.as_ref(),
                self.excerpts.as_deref(),
            );
            if self.told.insert(text.clone()) {
                let text = text.strip_suffix('\n').unwrap_or(&text);
                self.say(text, Some(Colour::Failed), sink);
            }
            if self.display.path_of_failures
                && self.options.verbosity < 2
                && let Some(source) = &self.current.source
            {
                let path = format!("task path: {}:{}", source.file, source.line);
                self.say(&path, Some(Colour::Failed), sink);
            }
        }
        if line.status == Status::Changed
            && (!cfg!(feature = "full") || line.result.get(UNSHOWN_DIFF).is_none())
            && let Some(difference) = line.result.get("diff")
        {
            let mut text = diff::render(difference, self.options.colour);
            if !text.is_empty() {
                if !text.ends_with('\n') {
                    text.push('\n');
                }
                sink(Stream::Out, &text);
            }
        }
    }

    /// Whether a line is not printed: what an including task brought in is told on its own.
    fn is_told_otherwise(&self, line: &Line<'_>) -> bool {
        matches!(
            self.current.module.as_str(),
            "include_tasks" | "include_role"
        ) && matches!(line.status, Status::Ok | Status::Changed)
    }

    fn item(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        self.stream = self.stream_of(line);
        self.item_line(line, sink);
        self.stream = Stream::Out;
    }

    fn stream_of(&self, line: &Line<'_>) -> Stream {
        match line.status {
            Status::Failed if self.display.failures_apart => Stream::Err,
            _ => Stream::Out,
        }
    }

    fn item_line(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        if self.is_told_otherwise(line) || self.is_hidden(line) {
            return;
        }
        self.begin(sink);
        self.above(line, sink);
        let host = host_label(line);
        let label = if line.result.get("censored").is_some() {
            "(censored due to no_log)".to_owned()
        } else {
            line.label.map_or_else(String::new, python_str)
        };
        let (word, colour) = word(line.status);
        let mut text = match line.status {
            Status::Failed | Status::Unreachable => format!("failed: [{host}] (item={label})"),
            // The space behind a skipped item is Ansible's.
            Status::Skipped => format!("{word}: [{host}] => (item={label}) "),
            _ => format!("{word}: [{host}] => (item={label})"),
        };
        if let Some(json) = self.shown(line) {
            text.push_str(" => ");
            text.push_str(&json);
        }
        let colour = if line.status == Status::Unreachable {
            Colour::Failed
        } else {
            colour
        };
        self.say(&text, Some(colour), sink);
    }

    fn result(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        self.stream = self.stream_of(line);
        self.result_line(line, sink);
        self.stream = Stream::Out;
    }

    fn result_line(&mut self, line: &Line<'_>, sink: Sink<'_>) {
        if self.is_told_otherwise(line) || self.is_hidden(line) {
            return;
        }
        self.begin(sink);
        let items_told = line.looped && line.result.get("results").is_some();
        // A loop's items were told; as a whole it only says that all were skipped, or that nothing could be reached. That a
        // loop of `debug` failed is said as well.
        let silent = items_told
            && match line.status {
                Status::Skipped | Status::Unreachable => false,
                Status::Failed => self.current.module != "debug",
                _ => true,
            };
        if !silent {
            self.above(line, sink);
            let host = host_label(line);
            let (word, colour) = word(line.status);
            let mut text = match line.status {
                Status::Failed => format!("fatal: [{host}]: FAILED!"),
                Status::Unreachable => format!("fatal: [{host}]: UNREACHABLE!"),
                _ => format!("{word}: [{host}]"),
            };
            if let Some(json) = self.shown(line) {
                text.push_str(" => ");
                text.push_str(&json);
            }
            self.say(&text, Some(colour), sink);
        }
        if line.ignored {
            self.say("...ignoring", Some(Colour::Skipped), sink);
        }
    }

    fn include(&mut self, what: &str, item: String, host: &str, sink: Sink<'_>) {
        if let Some(last) = &mut self.included
            && last.what == what
            && last.item == item
            && !last.hosts.iter().any(|h| h == host)
        {
            last.hosts.push(host.to_owned());
            return;
        }
        self.tell_included(sink);
        self.included = Some(Included {
            what: what.to_owned(),
            item,
            hosts: vec![host.to_owned()],
        });
    }

    /// Tells what was brought in, now that nothing more is.
    fn tell_included(&mut self, sink: Sink<'_>) {
        if let Some(included) = self.included.take() {
            let hosts = included.hosts.join(", ");
            let text = format!("included: {} for {hosts}{}", included.what, included.item);
            self.say(&text, Some(Colour::Skipped), sink);
        }
    }

    fn retry(&mut self, name: &str, host: &str, left: u64, result: &Value, sink: Sink<'_>) {
        self.begin(sink);
        let name = match &self.current.role {
            Some(role) => format!("{role} : {name}"),
            None => name.to_owned(),
        };
        let mut text = format!("FAILED - RETRYING: [{host}]: {name} ({left} retries left).");
        if self.options.verbosity > 2
            && let Value::Map(map) = result
        {
            text.push_str("Result was: ");
            text.push_str(&self.display.data(map, false));
        }
        self.say(&text, Some(Colour::Detail), sink);
    }

    fn warning(&mut self, message: &str, sink: Sink<'_>) {
        let text = format!("[WARNING]: {message}");
        if self.told.insert(text.clone()) {
            let text = self.coloured(&text, Colour::Warning);
            sink(Stream::Err, &(text + "\n"));
        }
    }

    /// The counts of every host for which a task ended, sorted by name.
    fn recap(&mut self, sink: Sink<'_>) {
        self.heading("PLAY RECAP", sink);
        let mut hosts: Vec<_> = self.tally.stats().iter().collect();
        hosts.retain(|(_, stats)| **stats != Stats::default());
        order::sort_by(&mut hosts, |a, b| a.0.cmp(b.0));
        let mut out = String::new();
        for (host, stats) in hosts {
            out.push_str(&self.recap_line(host, stats));
            out.push('\n');
        }
        out.push('\n');
        sink(Stream::Out, &out);
    }

    fn recap_line(&self, host: &str, stats: &Stats) -> String {
        let colour = if stats.failed > 0 || stats.unreachable > 0 {
            Colour::Failed
        } else if stats.changed > 0 {
            Colour::Changed
        } else {
            Colour::Ok
        };
        let padding = RECAP_NAME.saturating_sub(host.chars().count());
        let mut out = format!("{}{} :", self.coloured(host, colour), " ".repeat(padding));
        for (name, count, colour) in [
            ("ok", stats.ok, Colour::Ok),
            ("changed", stats.changed, Colour::Changed),
            ("unreachable", stats.unreachable, Colour::Unreachable),
            ("failed", stats.failed, Colour::Failed),
            ("skipped", stats.skipped, Colour::Skipped),
            ("rescued", stats.rescued, Colour::Ok),
            ("ignored", stats.ignored, Colour::Warning),
        ] {
            let text = format!("{name}={count:<4}");
            out.push(' ');
            if count > 0 {
                out.push_str(&self.coloured(&text, colour));
            } else {
                out.push_str(&text);
            }
        }
        out
    }
}

fn host_label(line: &Line<'_>) -> String {
    match line.delegated_to {
        Some(other) if other != line.host => format!("{} -> {other}", line.host),
        _ => line.host.to_owned(),
    }
}

fn word(status: Status) -> (&'static str, Colour) {
    match status {
        Status::Ok => ("ok", Colour::Ok),
        Status::Changed => ("changed", Colour::Changed),
        Status::Skipped => ("skipping", Colour::Skipped),
        Status::Failed => ("fatal", Colour::Failed),
        Status::Unreachable => ("fatal", Colour::Unreachable),
    }
}

/// The module's name without its collection.
fn short_name(module: &str) -> &str {
    module.rsplit_once('.').map_or(module, |(_, short)| short)
}
