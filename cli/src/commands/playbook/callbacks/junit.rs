//! The run as JUnit's XML in a folder (`junit`, with the variables `JUNIT_*`): one case for each task on each host.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use rustle_formats::Value;
use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::plan::{ExecutionPlan, Source};
use rustle_playbook::config::Environment;
use rustle_runtime::report::{Stream, describe, pretty, python_str, visible};

use super::Screen;
use crate::commands::run::ad_hoc::short;

/// What is asked for by `JUNIT_*`.
struct Wanted {
    folder: PathBuf,
    class_of_file: bool,
    relative_to: Option<PathBuf>,
    elsewhere: Option<String>,
    fail_on_change: bool,
    fail_on_ignore: bool,
    with_setup: bool,
    hide_arguments: bool,
    prefix: String,
}

/// Collects a run.
pub(super) struct Junit {
    wanted: Wanted,
    directory: PathBuf,
    suite: String,
    /// The arguments of tasks by id, as they were written.
    arguments: HashMap<String, String>,
    play: String,
    task: Option<Task>,
    included: Vec<(String, Vec<String>, u64)>,
    cases: Vec<Case>,
}

/// The task whose results come in.
#[derive(Clone)]
struct Task {
    id: String,
    name: String,
    module: String,
    source: Option<Source>,
    started_ms: u64,
}

/// How one task ended on one host.
struct Case {
    class: String,
    name: String,
    ms: u64,
    end: End,
}

enum End {
    Passed(String),
    Skipped(String),
    Failed(String, String),
    Error(String, String),
}

impl Junit {
    /// For a run of a playbook.
    pub(super) fn new(plan: &ExecutionPlan, playbook: &Path, environment: &Environment) -> Junit {
        let stem = playbook.file_stem().unwrap_or_default();
        Junit {
            wanted: Wanted::of(environment),
            directory: environment.directory.clone(),
            suite: stem.to_string_lossy().into_owned(),
            arguments: plan
                .tasks()
                .filter(|task| task.no_log != Some(Value::Bool(true)))
                .map(|task| (task.id.clone(), arguments(&task.args)))
                .collect(),
            play: String::new(),
            task: None,
            included: Vec::new(),
            cases: Vec::new(),
        }
    }

    fn result(&mut self, host: &str, status: Status, ignored: bool, result: &Value, now: u64) {
        let Some(task) = self.task.clone() else {
            return;
        };
        if !self.wanted.with_setup && task.module == "setup" {
            return;
        }
        let ignored = ignored && !self.wanted.fail_on_ignore;
        let failed = matches!(status, Status::Failed | Status::Unreachable) && !ignored;
        let changed = result.get("changed").and_then(Value::as_bool) == Some(true);
        let failed = failed || (status != Status::Skipped && changed && self.wanted.fail_on_change);
        let failed = match () {
            () if task.name.contains("EXPECTED FAILURE") && failed => false,
            () if task.name.contains("TOGGLE RESULT") && status != Status::Skipped => !failed,
            () => failed,
        };
        if !failed && !task.name.starts_with(&self.wanted.prefix) {
            return;
        }
        let hidden = result.get("censored").is_some();
        let end = match status {
            Status::Skipped => {
                let why = result
                    .get("skip_reason")
                    .map_or("skipped".into(), python_str);
                End::Skipped(why)
            }
            _ if failed => failure(result, status, &task),
            _ => End::Passed(dump(result, status, &task)),
        };
        let case = self.case(&task, host, hidden, now, end);
        self.cases.push(case);
    }

    fn case(&self, task: &Task, host: &str, hidden: bool, now: u64, end: End) -> Case {
        let hidden = hidden || self.wanted.hide_arguments;
        let arguments = self.arguments.get(&task.id).filter(|_| !hidden);
        let arguments = arguments.map_or("", String::as_str);
        let name = format!("[{host}] {}: {} {arguments}", self.play, task.name);
        Case {
            class: self.class(task.source.as_ref()),
            name: name.trim_end().to_owned(),
            ms: now.saturating_sub(task.started_ms),
            end,
        }
    }

    fn class(&self, source: Option<&Source>) -> String {
        let Some(source) = source else {
            return String::new();
        };
        let path = self.directory.join(&source.file);
        let mut text = match &self.wanted.relative_to {
            Some(from) => relative(&path, &self.directory.join(from)),
            None => path.display().to_string(),
        };
        let outside = text.starts_with("../");
        if let (true, Some(put)) = (outside, &self.wanted.elsewhere) {
            let name = path.file_name().unwrap_or_default();
            text = format!("{put}{}", name.to_string_lossy());
        }
        match (self.wanted.class_of_file, text.strip_suffix(".yml")) {
            (true, Some(stem)) => stem.to_owned(),
            _ => format!("{text}:{}", source.line),
        }
    }

    /// What was brought in is a case of its own.
    fn end_included(&mut self) {
        let Some(task) = self.task.clone() else {
            return;
        };
        for (what, hosts, now) in std::mem::take(&mut self.included) {
            let text = format!("{what} (args={{}} vars={{}}): [{}]", hosts.join(", "));
            let case = self.case(&task, "include", false, now, End::Passed(text));
            self.cases.push(case);
        }
    }

    fn xml(&self) -> String {
        let (mut skipped, mut failures, mut errors, mut ms) = (0, 0, 0, 0);
        let mut cases = String::new();
        for case in &self.cases {
            ms += case.ms;
            let (tag, attributes, text) = match &case.end {
                End::Passed(text) => ("system-out", String::new(), text),
                End::Skipped(text) => {
                    skipped += 1;
                    ("skipped", String::new(), text)
                }
                End::Failed(message, text) => {
                    failures += 1;
                    ("failure", told(message, "failure"), text)
                }
                End::Error(message, text) => {
                    errors += 1;
                    ("error", told(message, "error"), text)
                }
            };
            let _ = write!(
                cases,
                "\t\t<testcase classname=\"{}\" name=\"{}\" time=\"{}\">\n\t\t\t<{tag}{attributes}>{}</{tag}>\n\t\t</testcase>\n",
                escaped(&case.class),
                escaped(&case.name),
                seconds(case.ms),
                escaped(text),
            );
        }
        let (tests, time) = (self.cases.len(), seconds(ms));
        format!(
            "<?xml version=\"1.0\" ?>\n<testsuites disabled=\"0\" errors=\"{errors}\" failures=\"{failures}\" tests=\"{tests}\" time=\"{time}\">\n\
             \t<testsuite disabled=\"0\" errors=\"{errors}\" failures=\"{failures}\" name=\"{}\" skipped=\"{skipped}\" tests=\"{tests}\" time=\"{time}\">\n\
             {cases}\t</testsuite>\n</testsuites>\n",
            escaped(&self.suite)
        )
    }

    fn write(&self, now: u64) -> std::io::Result<()> {
        std::fs::create_dir_all(&self.wanted.folder)?;
        let name = format!("{}-{}.xml", self.suite, seconds(now));
        let file = self.wanted.folder.join(name);
        crate::replace::replace(&file, self.xml().as_bytes(), Some(0o644))
    }
}

impl Screen for Junit {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        let now = event.time_ms;
        match &event.kind {
            EventKind::PlayStarted { name, .. } => self.play.clone_from(name),
            EventKind::TaskStarted {
                task,
                name,
                role,
                module,
                source,
                ..
            } => {
                self.end_included();
                let name = match role {
                    Some(role) => format!("{role} : {name}"),
                    None => name.clone(),
                };
                self.task = Some(Task {
                    id: task.clone(),
                    name,
                    module: short(module).to_owned(),
                    source: source.clone(),
                    started_ms: now,
                });
            }
            EventKind::TaskResult {
                host,
                status,
                ignored,
                result,
                ..
            } => self.result(host, *status, *ignored, result, now),
            EventKind::Included { host, what, .. } => {
                let known = self.included.iter_mut().find(|(known, ..)| known == what);
                match known {
                    Some((_, hosts, _)) => hosts.push(host.clone()),
                    None => self.included.push((what.clone(), vec![host.clone()], now)),
                }
            }
            EventKind::RunFinished { aborted: None, .. } => {
                self.end_included();
                if let Err(e) = self.write(now) {
                    let folder = self.wanted.folder.display();
                    sink(
                        Stream::Err,
                        &format!("[WARNING]: cannot write into {folder}: {e}\n"),
                    );
                }
            }
            _ => {}
        }
    }
}

impl Wanted {
    fn of(environment: &Environment) -> Wanted {
        let set = |name: &str| environment.variables.get(name).map(String::as_str);
        // Ansible takes nothing else for a yes.
        let flag = |name: &str| set(name).is_some_and(|text| text.eq_ignore_ascii_case("true"));
        Wanted {
            folder: place(
                set("JUNIT_OUTPUT_DIR").unwrap_or("~/.ansible.log"),
                environment,
            ),
            class_of_file: flag("JUNIT_TASK_CLASS"),
            relative_to: set("JUNIT_TASK_RELATIVE_PATH").map(PathBuf::from),
            elsewhere: set("JUNIT_REPLACE_OUT_OF_TREE_PATH").map(str::to_owned),
            fail_on_change: flag("JUNIT_FAIL_ON_CHANGE"),
            fail_on_ignore: flag("JUNIT_FAIL_ON_IGNORE"),
            with_setup: set("JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT").is_none()
                || flag("JUNIT_INCLUDE_SETUP_TASKS_IN_REPORT"),
            hide_arguments: ["1", "yes", "on"]
                .map(Some)
                .contains(&set("JUNIT_HIDE_TASK_ARGUMENTS"))
                || flag("JUNIT_HIDE_TASK_ARGUMENTS"),
            prefix: set("JUNIT_TEST_CASE_PREFIX").unwrap_or_default().to_owned(),
        }
    }
}

/// A path as the environment means it.
pub(super) fn place(text: &str, environment: &Environment) -> PathBuf {
    match (text.strip_prefix("~/"), &environment.home) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => environment.directory.join(text),
    }
}

fn arguments(args: &rustle_formats::Map) -> String {
    let pairs: Vec<String> = args
        .iter()
        .map(|(name, value)| format!("{name}={}", python_str(value)))
        .collect();
    pairs.join(", ")
}

/// A result as JSON; only what is shown for its own sake is indented.
fn dump(result: &Value, status: Status, task: &Task) -> String {
    let json = pretty(&visible(result, "", status, 0));
    let own = matches!(task.module.as_str(), "debug" | "assert");
    if own && status != Status::Skipped {
        return json;
    }
    let lines: Vec<&str> = json.lines().map(str::trim_start).collect();
    lines.join("\n")
}

fn failure(result: &Value, status: Status, task: &Task) -> End {
    let looped = result.get("results").is_some();
    let text = |name: &str| result.get(name).map(python_str);
    if matches!(status, Status::Failed) && !looped {
        let told = describe(result, &task.module, task.source.as_ref(), None);
        let sentence = told.lines().next().unwrap_or_default();
        let sentence = sentence.strip_prefix("[ERROR]: ").unwrap_or(sentence);
        return End::Error(sentence.to_owned(), told.clone());
    }
    let message = text("msg");
    let message = message.or_else(|| text("rc").map(|code| format!("rc={code}")));
    End::Failed(
        message.unwrap_or_else(|| "rc=0".to_owned()),
        dump(result, status, task),
    )
}

fn told(message: &str, kind: &str) -> String {
    format!(" message=\"{}\" type=\"{kind}\"", escaped(message))
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Text as Python's minidom writes it; what XML cannot hold becomes the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A path as it is named from a folder; neither is looked for.
fn relative(path: &Path, from: &Path) -> String {
    let parts = |p: &Path| -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for part in p.components() {
            match part {
                Component::ParentDir => {
                    out.pop();
                }
                Component::Normal(name) => out.push(name.to_string_lossy().into_owned()),
                _ => {}
            }
        }
        out
    };
    let (path, from) = (parts(path), parts(from));
    let common = path.iter().zip(&from).take_while(|(a, b)| a == b).count();
    let mut out: Vec<&str> = vec![".."; from.len() - common];
    out.extend(path[common..].iter().map(String::as_str));
    out.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_named_from_a_folder() {
        let of = |path: &str, from: &str| relative(Path::new(path), Path::new(from));
        assert_eq!(of("/a/b/site.yml", "/a/roles"), "../b/site.yml");
        assert_eq!(of("/a/roles/r/main.yml", "/a/./roles/"), "r/main.yml");
        assert_eq!(of("/a/b/../c.yml", "/a"), "c.yml");
    }
}
