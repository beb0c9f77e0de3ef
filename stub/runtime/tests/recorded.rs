//! The engine against recordings of ansible-playbook: `scripts/record-engine` makes them from the cases in
//! `fixtures/engine/cases`.
//!
//! Compared are the tasks that begin, every result with its fields, items and their labels, retries, notified handlers,
//! the numbers of the recap and the exit code. [`DIFFERENCES`] lists where we differ knowingly.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use rustle_formats::event::{EventKind, Status};
use rustle_formats::plan::ExecutionPlan;
use rustle_runtime::engine::Options;
use serde::Deserialize;
use serde_json::{Value, json};
use support::Fake;

/// Cases that are not compared, and why.
const DIFFERENCES: &[(&str, &str)] = &[
    (
        "variables/recursion",
        "our message names the variable that needs itself",
    ),
    (
        "keywords/vars_that_are_absent",
        "Ansible's message is 'Unknown error'; ours says which file is missing",
    ),
    (
        "lookups/dict_of_a_list",
        "Ansible names a class of its own implementation",
    ),
];

#[derive(Deserialize)]
struct Record {
    options: Vec<String>,
    extra_vars: rustle_formats::Map,
    files: BTreeMap<String, String>,
    plan: ExecutionPlan,
    exit_code: u8,
    error: Option<String>,
    events: Vec<Value>,
}

fn options(record: &Record) -> Options {
    let mut options = Options {
        extra_vars: record.extra_vars.clone(),
        ..Options::default()
    };
    let mut words = record.options.iter();
    while let Some(word) = words.next() {
        let mut list = || -> Vec<String> {
            let text = words.next().expect("an option's value");
            text.split(',').map(str::to_owned).collect()
        };
        match word.as_str() {
            "--check" => options.check = true,
            "--diff" => options.diff = true,
            "--force-handlers" => options.force_handlers = true,
            "--tags" => options.tags = list(),
            "--skip-tags" => options.skip_tags = list(),
            "--start-at-task" => options.start_at_task = words.next().cloned(),
            other => panic!("unknown option {other}"),
        }
    }
    options
}

/// Keys that differ from run to run, or that only Ansible has.
const NOISE: &[&str] = &[
    "failed_when_suppressed_exception",
    "start",
    "end",
    "delta",
    "warnings",
    "invocation",
    "exception",
    "frame",
];

fn clean(value: Value, top: bool) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(k, _)| !(k.starts_with("_ansible") || NOISE.contains(&k.as_str())))
            .filter(|(k, _)| !(top && (k == "failed" || k == "skipped")))
            .map(|(k, v)| {
                let v = match (k.as_str(), v) {
                    ("ansible_job_id" | "results_file" | "erased", _) => json!("X"),
                    ("results", Value::Array(list)) if top => {
                        Value::Array(list.into_iter().map(|i| clean(i, true)).collect())
                    }
                    // Why something cannot be included is said in our own words.
                    ("reason", _) => json!("X"),
                    // Files are known by their names in the plan.
                    ("ansible_included_var_files", Value::Array(list)) => list
                        .iter()
                        .map(|v| v.as_str().map(|s| s.trim_start_matches("FOLDER/")))
                        .collect(),
                    ("item", Value::String(s)) => json!(s.trim_start_matches("FOLDER/")),
                    (_, v) => clean(v, false),
                };
                (k, v)
            })
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(list) => list.into_iter().map(|v| clean(v, false)).collect(),
        Value::String(text) => Value::String(plain_classes(&text)),
        other => other,
    }
}

/// Ansible shows the classes of its own implementation, and a set of words in no order.
fn plain_classes(text: &str) -> String {
    let mut out = text.replace("ansible.module_utils._internal._datatag.", "");
    while let Some(at) = out.find("_AnsibleTagged") {
        let start = at + "_AnsibleTagged".len();
        let end = start + out[start..].find('\'').unwrap_or(0);
        out.replace_range(at..end, &out[start..end].to_lowercase());
    }
    while let Some(at) = out.find(" at 'FOLDER/playbook.yml:") {
        let end = out[at + 5..].find('\'').map_or(out.len(), |e| at + e + 6);
        out.replace_range(at..end, "");
    }
    let mut parts = out.split("Valid booleans include: ");
    let mut kept = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        kept.push_str(part.find('\n').map_or("", |end| &part[end..]));
    }
    kept
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Changed => "changed",
        Status::Skipped => "skipped",
        Status::Failed => "failed",
        Status::Unreachable => "unreachable",
    }
}

/// Our events in the form of the recording.
fn told(fake: &Fake) -> Vec<Value> {
    let mut out = Vec::new();
    for event in fake.events.borrow().iter() {
        out.push(match &event.kind {
            EventKind::PlayStarted { name, .. } => json!(["play", name]),
            EventKind::PlaySkipped { .. } => json!(["no_hosts"]),
            EventKind::TaskStarted {
                name,
                role,
                handler,
                ..
            } => {
                let role = role.as_ref().map(|role| format!("{role} : "));
                json!([
                    "task",
                    format!("{}{name}", role.unwrap_or_default()),
                    handler
                ])
            }
            EventKind::Included { what, label, .. } => json!(["included", what, label]),
            EventKind::NoMoreHosts {} => json!(["no_more_hosts"]),
            EventKind::Notified { handler, .. } => json!(["notify", handler]),
            EventKind::Retry { left, .. } => json!(["retry", left]),
            EventKind::ItemResult {
                status,
                label,
                result,
                ..
            } => json!(["item", word(*status), label, clean(json!(result), true)]),
            EventKind::TaskResult {
                status,
                ignored,
                result,
                ..
            } => json!(["result", word(*status), ignored, clean(json!(result), true)]),
            _ => continue,
        });
    }
    out
}

/// What Ansible told, without plays that have no hosts: those do not begin for us.
fn recorded(record: &Record) -> Vec<Value> {
    let events = &record.events;
    (0..events.len())
        .filter(|i| {
            !(events[*i][0] == "play" && events.get(i + 1).is_some_and(|e| e[0] == "no_hosts"))
        })
        .map(|i| {
            let mut event = events[i].clone();
            let of_result = event[0] == "result" || event[0] == "item";
            let last = event.as_array_mut().and_then(|list| list.last_mut());
            if let (true, Some(last)) = (of_result, last) {
                *last = clean(last.take(), true);
            }
            event
        })
        .collect()
}

/// How a case differs: nothing where it does not.
fn compare(record: &Record) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let mut fake = Fake::new(dir.path());
    for (name, text) in &record.files {
        fake.files.0.insert(name.clone(), text.clone().into_bytes());
    }
    let summary = fake.run(&record.plan, options(record));
    let mut ours = told(&fake);
    if record.events.iter().any(|e| e[0] == "stats") {
        ours.push(json!(["stats", "localhost", summary.stats["localhost"]]));
    }
    let theirs = recorded(record);
    let show = |v: Option<&Value>| v.map_or("nothing".into(), ToString::to_string);
    let mut wrong: Vec<String> = (0..ours.len().max(theirs.len()))
        .map(|i| (i, theirs.get(i), ours.get(i)))
        .filter(|(_, a, b)| a != b)
        .take(3)
        .map(|(i, a, b)| {
            format!(
                "  event {i}\n    ansible {}\n    rustle  {}",
                show(a),
                show(b)
            )
        })
        .collect();
    if summary.exit_code != record.exit_code {
        wrong.push(format!(
            "  exit {} and {}",
            record.exit_code, summary.exit_code
        ));
    }
    if record.error.is_some() && summary.aborted != record.error {
        wrong.push(format!(
            "  error {:?} and {:?}",
            record.error, summary.aborted
        ));
    }
    wrong
}

/// `RECORDED=handlers` or `RECORDED=handlers/flush` looks at those alone.
fn is_wanted(full: &str) -> bool {
    std::env::var("RECORDED").map_or(true, |wanted| full.starts_with(&wanted))
}

#[test]
fn runs_are_like_ansibles() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/engine");
    let mut failures = Vec::new();
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let records: BTreeMap<String, Record> = serde_json::from_str(&text).unwrap();
        for (name, record) in &records {
            count += 1;
            let full = format!("{}/{name}", path.file_stem().unwrap().to_string_lossy());
            if DIFFERENCES.iter().any(|(case, _)| *case == full) || !is_wanted(&full) {
                continue;
            }
            let wrong = compare(record);
            if !wrong.is_empty() {
                failures.push(format!("{full}\n{}", wrong.join("\n")));
            }
        }
    }
    assert!(count >= 165, "only {count} cases were found");
    failures.sort();
    assert!(
        failures.is_empty(),
        "{} of {count} cases differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
