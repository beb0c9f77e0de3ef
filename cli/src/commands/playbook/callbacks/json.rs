//! The whole run as one JSON document, printed when it is over (`stdout_callback = ansible.posix.json`), or each event as a document on
//! a line of its own (`ansible.posix.jsonl`).

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustle_formats::event::{Event, EventKind, Stats, Status};
use rustle_formats::plan::{ExecutionPlan, Source};
use rustle_formats::{Map, Value};
use rustle_runtime::report::{Stream, Tally, compact, pretty};

use super::Screen;
use crate::commands::playbook::custom_stats::CustomStats;
use crate::commands::run::ad_hoc::short;

/// What Ansible says in place of a traceback that it did not keep.
const NO_TRACEBACK: &str = "(traceback unavailable)";

/// Collects a run.
pub(super) struct Document {
    directory: PathBuf,
    /// Where plays begin, by id.
    places: HashMap<String, Source>,
    plays: Vec<Part>,
    tally: Tally,
    /// What `set_stats` counts, where that is to be shown.
    stats: Option<CustomStats>,
    /// What ids begin with.
    run: String,
    count: u64,
    /// The items of the loop that is told.
    items: Vec<Value>,
    /// Whether each event is told at once.
    lines: bool,
}

/// A play or a task.
struct Part {
    id: String,
    name: String,
    path: Option<String>,
    started_ms: u64,
    ended_ms: Option<u64>,
    /// Of a play.
    tasks: Vec<Part>,
    /// Of a task.
    hosts: Map,
    action: String,
}

impl Document {
    /// For a plan whose files are named from a directory; `stats`: with what `set_stats` counts.
    pub(super) fn new(plan: &ExecutionPlan, directory: &Path, stats: bool) -> Document {
        let plays = plan.plays.iter();
        Document {
            directory: directory.to_owned(),
            places: plays
                .filter_map(|play| Some((play.play_id.clone(), play.source.clone()?)))
                .collect(),
            plays: Vec::new(),
            tally: Tally::default(),
            stats: stats.then(CustomStats::default),
            run: String::new(),
            count: 0,
            items: Vec::new(),
            lines: false,
        }
    }

    /// The same, line by line.
    pub(super) fn by_lines(self) -> Document {
        Document {
            lines: true,
            ..self
        }
    }

    /// Tells an event, where each is told.
    fn tell(
        &self,
        name: &str,
        time_ms: u64,
        about: Vec<(&str, Value)>,
        sink: &mut dyn FnMut(Stream, &str),
    ) {
        if !self.lines {
            return;
        }
        let own = [("_event", name.into()), ("_timestamp", iso(time_ms).into())];
        let entries = own.into_iter().chain(about);
        let entries = entries.map(|(k, v): (&str, Value)| (k.to_owned(), v));
        sink(Stream::Out, &(line(&entries.collect()) + "\n"));
    }

    /// The task that is told.
    fn task(&self) -> Option<&Part> {
        self.plays.last()?.tasks.last()
    }

    fn part(&mut self, name: String, source: Option<&Source>, time_ms: u64) -> Part {
        self.count += 1;
        let digits = |from: usize, to: usize| self.run.get(from..to).unwrap_or_default();
        Part {
            id: format!(
                "{}-{}-{}-{}-{:012x}",
                digits(0, 8),
                digits(8, 12),
                digits(12, 16),
                digits(16, 20),
                self.count
            ),
            name,
            path: source.map(|s| {
                let file = self.directory.join(&s.file);
                format!("{}:{}", file.display(), s.line)
            }),
            started_ms: time_ms,
            ended_ms: None,
            tasks: Vec::new(),
            hosts: Map::new(),
            action: String::new(),
        }
    }

    fn begin_play(&mut self, part: Part, time_ms: u64, sink: &mut dyn FnMut(Stream, &str)) {
        let about = vec![("play", part.head()), ("tasks", Value::List(Vec::new()))];
        self.tell("v2_playbook_on_play_start", time_ms, about, sink);
        self.plays.push(part);
    }

    fn result(&mut self, host: &str, told: Map, time_ms: u64) {
        let Some(play) = self.plays.last_mut() else {
            return;
        };
        play.ended_ms = Some(time_ms);
        if let Some(task) = play.tasks.last_mut() {
            task.ended_ms = Some(time_ms);
            let mut told = told;
            for flag in ["failed", "skipped"] {
                if told.get(flag) == Some(&Value::Bool(false)) {
                    told.shift_remove(flag);
                }
            }
            if task.action == "debug" {
                mark_shown(&mut told);
            }
            told.insert("action".to_owned(), task.action.as_str().into());
            task.hosts.insert(host.to_owned(), Value::Map(told));
        }
    }

    fn text(&self, time_ms: u64) -> String {
        let stats = self.tally.stats().iter();
        let stats: Map = stats
            .filter(|(_, stats)| **stats != Stats::default())
            .map(|(host, stats)| (host.clone(), Value::Map(counts(stats))))
            .collect();
        let plays = self.plays.iter().map(|play| {
            let tasks = play.tasks.iter().map(|task| {
                map([
                    ("hosts", Value::Map(task.hosts.clone())),
                    ("task", task.head()),
                ])
            });
            map([
                ("play", play.head()),
                ("tasks", Value::List(tasks.collect())),
            ])
        });
        let (of_hosts, of_run) = self
            .stats
            .as_ref()
            .map(CustomStats::parts)
            .unwrap_or_default();
        if self.lines {
            return line(&Map::from_iter([
                ("_event".to_owned(), "v2_playbook_on_stats".into()),
                ("_timestamp".to_owned(), iso(time_ms).into()),
                ("custom_stats".to_owned(), Value::Map(of_hosts)),
                ("global_custom_stats".to_owned(), Value::Map(of_run)),
                ("stats".to_owned(), Value::Map(stats)),
            ])) + "\n";
        }
        let document = map([
            ("custom_stats", Value::Map(of_hosts)),
            ("global_custom_stats", Value::Map(of_run)),
            ("plays", Value::List(plays.collect())),
            ("stats", Value::Map(stats)),
        ]);
        match document {
            Value::Map(document) => ascii(&pretty(&document)) + "\n",
            _ => String::new(),
        }
    }
}

impl Part {
    fn head(&self) -> Value {
        let time = |ms: u64| Value::from(iso(ms).as_str());
        let mut duration = Map::new();
        if let Some(ended) = self.ended_ms {
            duration.insert("end".to_owned(), time(ended));
        }
        duration.insert("start".to_owned(), time(self.started_ms));
        let mut out = Map::new();
        out.insert("duration".to_owned(), Value::Map(duration));
        out.insert("id".to_owned(), self.id.as_str().into());
        out.insert("name".to_owned(), self.name.as_str().into());
        if let Some(path) = &self.path {
            out.insert("path".to_owned(), path.as_str().into());
        }
        Value::Map(out)
    }
}

impl Screen for Document {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        self.tally.add(event);
        if let Some(stats) = &mut self.stats {
            stats.add(event);
        }
        let now = event.time_ms;
        match &event.kind {
            EventKind::RunStarted { run_id, .. } => self.run.clone_from(run_id),
            EventKind::PlayStarted { play, name, .. } => {
                let source = self.places.get(play).cloned();
                let part = self.part(name.clone(), source.as_ref(), now);
                self.begin_play(part, now, sink);
            }
            EventKind::TaskStarted {
                name,
                role,
                module,
                source,
                handler,
                ..
            } => {
                let name = match role {
                    Some(role) => format!("{role} : {name}"),
                    None => name.clone(),
                };
                let mut part = self.part(name, source.as_ref(), now);
                short(module).clone_into(&mut part.action);
                let about = vec![("hosts", Value::Map(Map::new())), ("task", part.head())];
                let told = match handler {
                    true => "v2_playbook_on_handler_task_start",
                    false => "v2_playbook_on_task_start",
                };
                self.tell(told, now, about, sink);
                if let Some(play) = self.plays.last_mut() {
                    play.tasks.push(part);
                }
            }
            EventKind::ItemResult { label, result, .. } => {
                let mut item = whole(result);
                item.insert("_ansible_item_label".to_owned(), label.clone());
                self.items.push(Value::Map(item));
            }
            EventKind::TaskResult {
                host,
                looped,
                result,
                status,
                ..
            } => {
                let items = std::mem::take(&mut self.items);
                let told = match (looped, result) {
                    (true, Value::Map(result)) => of_loop(result, items),
                    _ => whole(result),
                };
                self.result(host, told, now);
                let Some(task) = self.task() else { return };
                let of_host = task.hosts.get(host).cloned().unwrap_or_default();
                let hosts = Map::from_iter([(host.clone(), of_host)]);
                let about = vec![("hosts", Value::Map(hosts)), ("task", task.head())];
                let told = match status {
                    Status::Ok | Status::Changed => "v2_runner_on_ok",
                    Status::Skipped => "v2_runner_on_skipped",
                    Status::Failed => "v2_runner_on_failed",
                    Status::Unreachable => "v2_runner_on_unreachable",
                };
                self.tell(told, now, about, sink);
            }
            EventKind::PlaySkipped { name, .. } => {
                let part = self.part(name.clone(), None, now);
                self.begin_play(part, now, sink);
            }
            EventKind::Warning { message, .. } => {
                sink(Stream::Err, &format!("[WARNING]: {message}\n"));
            }
            EventKind::RunFinished { aborted, .. } => match aborted {
                None => sink(Stream::Out, &self.text(now)),
                Some(reason) => sink(Stream::Err, &format!("[ERROR]: {reason}\n")),
            },
            _ => {}
        }
    }
}

/// A result with what Ansible keeps of it for itself.
fn whole(result: &Value) -> Map {
    let Value::Map(result) = result else {
        return Map::new();
    };
    let mut told = result.clone();
    let hidden = told.contains_key("censored");
    told.insert("_ansible_no_log".to_owned(), hidden.into());
    let failed = told.get("failed").and_then(Value::as_bool) == Some(true);
    if failed && !hidden {
        told.entry("exception".to_owned())
            .or_insert_with(|| NO_TRACEBACK.into());
    }
    told
}

/// The result of a loop with its items.
fn of_loop(result: &Map, items: Vec<Value>) -> Map {
    let mut told = result.clone();
    if told.contains_key("results") {
        told.insert("results".to_owned(), Value::List(items));
    }
    told
}

/// What is there to be shown says so, item by item.
fn mark_shown(told: &mut Map) {
    if let Some(Value::List(items)) = told.get_mut("results") {
        for item in items {
            if let Value::Map(item) = item {
                mark_shown(item);
            }
        }
        return;
    }
    let is = |flag: &str| told.get(flag).and_then(Value::as_bool) == Some(true);
    if !is("skipped") && !is("failed") {
        told.insert("_ansible_verbose_always".to_owned(), true.into());
    }
}

/// A mapping as JSON on one line, its keys sorted, without blanks.
fn line(map: &Map) -> String {
    let mut out = String::new();
    write(&Value::Map(map.clone()), &mut out);
    ascii(&out)
}

fn write(value: &Value, out: &mut String) {
    let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
    match value {
        Value::Map(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                out.push_str(&quoted(key));
                out.push(':');
                write(&map[key], out);
            }
            out.push('}');
        }
        Value::List(list) => {
            out.push('[');
            for (i, value) in list.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                write(value, out);
            }
            out.push(']');
        }
        other => {
            // It stands alone in a mapping, as text of JSON with its key.
            let one = compact(&Map::from_iter([(String::new(), other.clone())]));
            let text = one
                .strip_prefix("{\"\": ")
                .and_then(|t| t.strip_suffix('}'));
            out.push_str(text.unwrap_or("null"));
        }
    }
}

/// JSON with nothing but ASCII in it, as Python writes it.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.into_iter().map(|(k, v)| (k.to_owned(), v));
    Value::Map(entries.collect())
}

fn counts(stats: &Stats) -> Map {
    let number = |n: u64| Value::Int(i64::try_from(n).unwrap_or(i64::MAX));
    let all = [
        ("changed", stats.changed),
        ("failures", stats.failed),
        ("ignored", stats.ignored),
        ("ok", stats.ok),
        ("rescued", stats.rescued),
        ("skipped", stats.skipped),
        ("unreachable", stats.unreachable),
    ];
    all.iter()
        .map(|(name, n)| ((*name).to_owned(), number(*n)))
        .collect()
}

/// A time of the world with microseconds.
fn iso(ms: u64) -> String {
    let known = i64::try_from(ms).ok().map(Timestamp::from_millisecond);
    match known {
        Some(Ok(time)) => format!("{time:.6}"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_texts_are_pythons() {
        assert_eq!(iso(1_763_856_000_123), "2025-11-23T00:00:00.123000Z");
        assert_eq!(ascii("ü😀a"), "\\u00fc\\ud83d\\ude00a");
    }
}
