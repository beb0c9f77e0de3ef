//! The displays `minimal` and `oneline`: each host's result and nothing else, over several lines or on one. `rustle run` prints so.

use std::collections::HashSet;

use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::plan::Source;
use rustle_formats::{Map, Value};
use rustle_playbook::play::split;
use rustle_runtime::report::{
    Cause, Colour, Excerpts, Stream, TextOptions, describe, difference, paint, pretty, python_repr,
    python_str, visible,
};

use super::Screen;
use crate::commands::run::ad_hoc::{AdHoc, as_json, short};

/// Modules whose arguments are a command; the results of all but `script` are the text that it printed.
const COMMANDS: &[&str] = &[
    "command",
    "win_command",
    "shell",
    "win_shell",
    "raw",
    "script",
];
/// Pairs that are options of such modules, and no part of the command.
const OPTIONS: &[&str] = &[
    "chdir",
    "creates",
    "executable",
    "removes",
    "stdin",
    "stdin_add_newline",
    "strip_empty_ends",
    "warn",
];
/// The longest line of an origin that is shown whole.
const LONGEST: usize = 120;

/// Prints results.
pub(super) struct Brief {
    one_line: bool,
    options: TextOptions,
    /// Where tasks stand.
    excerpts: Box<dyn Excerpts>,
    /// The task's module, by its short name.
    module: String,
    /// Where the task stands.
    source: Option<Source>,
    /// Whether there is but one task, that of a command line.
    alone: bool,
    told: HashSet<String>,
}

type Sink<'a> = &'a mut dyn FnMut(Stream, &str);

/// A result, and what it belongs to.
#[derive(Clone, Copy)]
struct Line<'a> {
    host: &'a str,
    status: Status,
    looped: bool,
    result: &'a Value,
}

impl Screen for Brief {
    fn event(&mut self, event: &Event, sink: Sink<'_>) {
        match &event.kind {
            EventKind::TaskStarted { module, source, .. } if !self.alone => {
                short(module).clone_into(&mut self.module);
                self.source.clone_from(source);
            }
            EventKind::TaskResult {
                host,
                status,
                looped,
                result,
                ..
            } => {
                self.warnings(result, sink);
                let line = Line {
                    host,
                    status: *status,
                    looped: *looped,
                    result,
                };
                match self.one_line {
                    true => self.one_line(line, sink),
                    false => self.minimal(line, sink),
                }
            }
            EventKind::Warning { message, .. } => self.warning(message, sink),
            EventKind::RunFinished {
                aborted: Some(reason),
                ..
            } if !self.alone => sink(Stream::Err, &format!("[ERROR]: {reason}\n")),
            _ => {}
        }
    }
}

impl Brief {
    /// For playbooks, whose text `excerpts` has.
    pub(super) fn new(one_line: bool, options: TextOptions, excerpts: Box<dyn Excerpts>) -> Brief {
        Brief {
            one_line,
            options,
            excerpts,
            module: String::new(),
            source: None,
            alone: false,
            told: HashSet::new(),
        }
    }

    /// For the task of a command line.
    pub(super) fn of_task(task: AdHoc, one_line: bool, options: TextOptions) -> Brief {
        let module = short(&task.module).to_owned();
        Brief {
            module,
            source: Some(Source {
                file: String::new(),
                line: 1,
                column: 1,
            }),
            alone: true,
            ..Brief::new(one_line, options, Box::new(Origin(task)))
        }
    }

    fn module(&self) -> &str {
        &self.module
    }

    fn warnings(&mut self, result: &Value, sink: Sink<'_>) {
        for warning in result
            .get("warnings")
            .and_then(Value::as_list)
            .into_iter()
            .flatten()
        {
            self.warning(&python_str(warning), sink);
        }
    }

    fn warning(&mut self, message: &str, sink: Sink<'_>) {
        let text = format!("[WARNING]: {message}\n");
        if self.told.insert(text.clone()) {
            sink(Stream::Err, &text);
        }
    }

    /// Whether the result is a command's text.
    fn is_text(&self, result: &Value) -> bool {
        let texts = self.module() != "script" && COMMANDS.contains(&self.module());
        texts && result.get("ansible_job_id").is_none()
    }

    fn say(&self, text: &str, colour: Colour, sink: Sink<'_>) {
        let text = match self.options.colour {
            true => paint(text, colour),
            false => text.to_owned(),
        };
        sink(Stream::Out, &format!("{text}\n"));
    }

    /// What is shown of a result as JSON.
    fn shown(&self, status: Status, result: &Value) -> Map {
        let msg = result
            .get("msg")
            .and_then(Value::as_str)
            .unwrap_or_default();
        // What failed before the module ran is not its showing.
        let module = match msg.starts_with("Task failed: ") {
            true => "",
            false => self.module(),
        };
        visible(result, module, status, self.options.verbosity)
    }

    fn minimal(&mut self, line: Line<'_>, sink: Sink<'_>) {
        let Line {
            host,
            status,
            result,
            ..
        } = line;
        let shown = self.shown(status, result);
        let (word, colour) = word(status);
        match status {
            Status::Skipped => return self.say(&format!("{host} | SKIPPED"), colour, sink),
            Status::Unreachable => {
                let text = format!("{host} | UNREACHABLE! => {}", pretty(&shown));
                return self.say(&text, Colour::Failed, sink);
            }
            // A loop as a whole has no cause of its own.
            Status::Failed if line.looped => {}
            Status::Failed => {
                let at = self.source.as_ref();
                let told = describe(result, self.module(), at, Some(&*self.excerpts));
                if self.told.insert(told.clone()) {
                    self.say(told.strip_suffix('\n').unwrap_or(&told), colour, sink);
                }
            }
            Status::Changed => {
                let text = result
                    .get("diff")
                    .map(|d| difference(d, self.options.colour));
                if let Some(text) = text.filter(|t| !t.is_empty()) {
                    sink(Stream::Out, if text.ends_with('\n') { &text } else { "" });
                    if !text.ends_with('\n') {
                        sink(Stream::Out, &format!("{text}\n"));
                    }
                }
            }
            Status::Ok => {}
        }
        let text = if self.is_text(result) {
            let part = |name: &str| result.get(name).map_or_else(String::new, python_str);
            let code = result.get("rc").map_or_else(|| "-1".to_owned(), python_str);
            format!(
                "{host} | {word} | rc={code} >>\n{}{}{}",
                part("stdout"),
                part("stderr"),
                part("msg")
            )
        } else if status == Status::Failed {
            format!("{host} | FAILED! => {}", pretty(&shown))
        } else {
            format!("{host} | {word} => {}", pretty(&shown))
        };
        self.say(&text, colour, sink);
    }

    /// JSON on one line: without blanks between entries, but for what is shown for its own sake, where its module ran.
    fn dense(&self, map: &Map, ran: bool) -> String {
        let own = ran && matches!(self.module(), "debug" | "assert");
        let lines = pretty(map);
        let lines = lines.lines();
        match own {
            true => lines.collect(),
            false => lines.map(str::trim_start).collect(),
        }
    }

    fn one_line(&self, line: Line<'_>, sink: Sink<'_>) {
        let Line {
            host,
            status,
            result,
            ..
        } = line;
        let shown = match self.module() {
            "debug" => visible(result, "", status, self.options.verbosity),
            _ => self.shown(status, result),
        };
        let (word, colour) = word(status);
        let command = || {
            let part = |name: &str| {
                let text = result.get(name).map_or_else(String::new, python_str);
                text.replace('\n', "\\n").replace('\r', "\\r")
            };
            let code = result.get("rc").map_or_else(|| "-1".to_owned(), python_str);
            let errors = match part("stderr") {
                text if text.is_empty() => String::new(),
                text => format!(" (stderr) {text}"),
            };
            format!(
                "{host} | {word} | rc={code} | (stdout) {}{errors}",
                part("stdout")
            )
        };
        match status {
            Status::Skipped => self.say(&format!("{host} | SKIPPED"), colour, sink),
            Status::Unreachable => {
                let msg = result.get("msg").map_or_else(String::new, python_str);
                self.say(
                    &format!("{host} | UNREACHABLE!: {msg}"),
                    Colour::Failed,
                    sink,
                );
            }
            Status::Failed => {
                let first = match self.is_text(result) {
                    _ if line.looped => String::new(),
                    true => command(),
                    false => "An exception occurred during task execution. To see the full traceback, use -vvv. The error was: (traceback unavailable)".to_owned(),
                };
                if !first.is_empty() {
                    self.say(&first, colour, sink);
                }
                let early = matches!(result.get("msg").and_then(Value::as_str), Some(m) if m.starts_with("Task failed: "));
                let text = self.dense(&shown, !early);
                self.say(&format!("{host} | FAILED! => {text}"), colour, sink);
            }
            _ if self.is_text(result) => self.say(&command(), colour, sink),
            _ => self.say(
                &format!("{host} | {word} => {}", self.dense(&shown, true)),
                colour,
                sink,
            ),
        }
    }
}

fn word(status: Status) -> (&'static str, Colour) {
    match status {
        Status::Changed => ("CHANGED", Colour::Changed),
        Status::Failed | Status::Unreachable => ("FAILED", Colour::Failed),
        Status::Skipped => ("SKIPPED", Colour::Skipped),
        Status::Ok => ("SUCCESS", Colour::Ok),
    }
}

/// The command line as the place where the task was written.
struct Origin(AdHoc);

impl Excerpts for Origin {
    fn text(&self, _: &str) -> Option<String> {
        None
    }

    fn causes(&self, _: &Source, _: &str, message: &str) -> Option<Vec<Cause>> {
        let cause = |message: &str, help: String| Cause {
            message: message.to_owned(),
            at: None,
            help: Some(help),
        };
        let task = format!(
            "Origin: <adhoc '{}' task>\n\n{}",
            self.0.module,
            shortened(&self.task())
        );
        let rest = message.strip_prefix("Task failed: Finalization of task args for ");
        let Some((module, why)) = rest.and_then(|r| r.split_once(" failed: ")) else {
            return Some(vec![cause(message, task)]);
        };
        let option = |name: &str, text: &str| format!("Origin: <CLI option '{name}'>\n\n{text}");
        let argument = why
            .strip_prefix("Error while resolving value for '")
            .and_then(|r| r.split_once("': "))
            .and_then(|(name, _)| self.arguments().get(name).map(python_str));
        Some(vec![
            cause("Task failed.", task),
            cause(
                &format!("Finalization of task args for {module} failed."),
                option("-m", &self.0.module),
            ),
            cause(
                why,
                option("-a", argument.as_deref().unwrap_or(&self.0.args)),
            ),
        ])
    }
}

impl Origin {
    /// The task as Ansible shows it.
    fn task(&self) -> String {
        let mut task = Map::new();
        let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
        task.insert("action".into(), self.0.module.as_str().into());
        task.insert("args".into(), Value::Map(self.arguments()));
        task.insert("timeout".into(), number(self.0.timeout.unwrap_or(0)));
        task.insert("async_val".into(), number(self.0.background.unwrap_or(0)));
        task.insert("poll".into(), number(self.0.poll));
        python_repr(&Value::Map(task))
    }

    fn arguments(&self) -> Map {
        if let Some(given) = as_json(&self.0.args) {
            let given = serde_json::from_value(serde_json::Value::Object(given));
            return given.unwrap_or_default();
        }
        let is_command = COMMANDS.contains(&short(&self.0.module));
        let takes = |key: &str| !is_command || OPTIONS.contains(&key);
        let mut out = Map::new();
        if let Ok(words) = split(&self.0.args, takes) {
            let pairs = words.pairs.into_iter();
            out.extend(pairs.map(|(k, v)| (k, Value::from(v.as_str()))));
            if !words.free.is_empty() {
                out.insert("_raw_params".into(), words.free.as_str().into());
            }
        }
        out
    }
}

/// At most [`LONGEST`] characters, cut between words.
fn shortened(text: &str) -> String {
    const REST: &str = " [...]";
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    let mut out = String::new();
    for word in text.split_whitespace() {
        let length = out.chars().count() + 1 + word.chars().count() + REST.len();
        if length > LONGEST {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out + REST
}
