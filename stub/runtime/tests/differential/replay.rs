//! Runs the recorded tasks and compares.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_runtime::args::{Args, Moment};
use rustle_runtime::context::{Context, RenderRequest, Variables};
use rustle_runtime::modules::find;
use serde::Deserialize;
use serde_json::Value;

use crate::assets::FolderAssets;
use crate::known::Known;
use crate::tree::{Tree, snapshot};

#[derive(Deserialize)]
struct Records {
    #[serde(default)]
    namespace: bool,
    assets: String,
    uid: u32,
    records: Vec<Record>,
}

#[derive(Deserialize)]
struct Record {
    name: String,
    setup: String,
    root: bool,
    tasks: Vec<Map>,
    passes: IndexMap<String, Vec<Step>>,
    tree: Tree,
}

#[derive(Deserialize)]
struct Step {
    result: BTreeMap<String, Value>,
    #[serde(default)]
    tree: BTreeMap<String, Option<Value>>,
}

/// Keys that say nothing or differ from run to run.
const IGNORED: &[&str] = &[
    "atime",
    "ctime",
    "mtime",
    "inode",
    "dev",
    "device_type",
    "version",
    "block_size",
    "blocks",
    "ansible_facts",
    "attr_flags",
    "attributes",
    "warnings",
    "skipped",
    "start",
    "end",
    "delta",
    "elapsed",
];

/// Kept equal to the recorder's.
const NAMESPACE: &str = r#"
mount --make-rprivate /
copy=$(mktemp -d); mount -t tmpfs tmpfs "$copy"
for dir in etc home srv var/mail usr/local/bin; do
  mkdir -p "$copy/$dir"; cp -a "/$dir/." "$copy/$dir/"; mount --bind "$copy/$dir" "/$dir"
done
"#;

/// Tells the test that it runs in a namespace of its own.
const INSIDE: &str = "RUSTLE_TEST_NAMESPACE";

/// Runs this test again in a mount namespace, where it may change /etc and /home.
fn in_namespace(name: &str) {
    let able = Command::new("unshare").args(["-m", "true"]).status();
    if !able.is_ok_and(|s| s.success()) {
        eprintln!(
            "skipped: {name} changes accounts, and no mount namespace can be made (root and unshare are needed)"
        );
        return;
    }
    let done = Command::new("unshare")
        .args(["-m", "sh", "-ec", &format!("{NAMESPACE} exec \"$@\""), "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .unwrap();
    assert!(done.success(), "{name} failed in its namespace");
}

pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/modules")
}

pub(crate) fn module(name: &str) {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let text = std::fs::read_to_string(fixtures().join(format!("{name}.records.json"))).unwrap();
    let records: Records = serde_json::from_str(&text).unwrap();
    let known = Known::load(&fixtures());
    let uid = rustix::process::getuid().as_raw();
    if uid != records.uid {
        eprintln!(
            "recorded as user {}, running as {uid}: not compared",
            records.uid
        );
        return;
    }
    if records.namespace && std::env::var_os(INSIDE).is_none() {
        return in_namespace(name);
    }
    let play = tempfile::tempdir().unwrap();
    shell("mkdir files templates", play.path());
    shell(&records.assets, play.path());
    let assets = FolderAssets(play.path().to_path_buf());
    let mut wrong = Vec::new();
    let only = option_env!("ONLY_CASE");
    for record in &records.records {
        if record.root && !usual_accounts() || only.is_some_and(|o| o != record.name) {
            continue;
        }
        let mut differences = Vec::new();
        replay(name, record, &assets, &known, &mut differences);
        wrong.extend(differences);
    }
    assert!(
        wrong.is_empty(),
        "{} differences from Ansible:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// Whether the accounts that the cases name have the numbers that they had when recording.
fn usual_accounts() -> bool {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
    passwd.contains("\ndaemon:x:1:") && group.contains("\nbin:x:2:")
}

fn shell(script: &str, folder: &Path) {
    let done = Command::new("sh")
        .args(["-ec", &format!("umask 022\n{script}")])
        .current_dir(folder)
        .env("CASE", folder)
        .status()
        .unwrap();
    assert!(done.success(), "{script}");
}

fn replay(
    module: &str,
    record: &Record,
    assets: &FolderAssets,
    known: &Known,
    out: &mut Vec<String>,
) {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().canonicalize().unwrap().join("root");
    std::fs::create_dir(&root).unwrap();
    shell(&record.setup, &root);
    let mut expected_tree = record.tree.clone();
    for (pass, steps) in &record.passes {
        for (task, step) in record.tasks.iter().zip(steps) {
            let result = run(task, &root, scratch.path(), assets, pass == "check");
            let mut say = |what: &str, text: String| {
                if !known.excuses(module, &record.name, pass, what) {
                    out.push(format!(
                        "{} [{pass}] {what}: {text}\n    {task:?}",
                        record.name
                    ));
                }
            };
            compare_results(&step.result, &result, &mut say);
            for (path, change) in &step.tree {
                match change {
                    Some(entry) => expected_tree.insert(path.clone(), entry.clone()),
                    None => expected_tree.remove(path),
                };
            }
            let tree = snapshot(&root);
            if tree != expected_tree {
                say("tree", tree_difference(&expected_tree, &tree));
            }
            expected_tree = tree;
        }
    }
}

fn tree_difference(expected: &Tree, tree: &Tree) -> String {
    let mut lines = Vec::new();
    for path in expected.keys().chain(tree.keys()) {
        if expected.get(path) != tree.get(path) {
            lines.push(format!(
                "\n    {path}: {:?}\n        expected {:?}",
                tree.get(path).map(Value::to_string),
                expected.get(path).map(Value::to_string)
            ));
        }
    }
    lines.dedup();
    lines.concat()
}

fn compare_results(
    expected: &BTreeMap<String, Value>,
    actual: &BTreeMap<String, Value>,
    say: &mut dyn FnMut(&str, String),
) {
    let keys: std::collections::BTreeSet<&String> = expected.keys().chain(actual.keys()).collect();
    // Ansible adds differences to some failures; ours have none.
    let failed = expected.get("failed") == Some(&Value::Bool(true));
    for key in keys {
        if IGNORED.contains(&key.as_str()) || key.ends_with("_lines") || (failed && key == "diff") {
            continue;
        }
        let (e, a) = (expected.get(key), actual.get(key));
        let same = match (e, a) {
            // A folder's size is its file system's affair.
            (Some(e), Some(_)) if key == "size" && e == 4096 => true,
            (Some(e), Some(a)) => same(e, a),
            (None, None) => true,
            _ => false,
        };
        if !same {
            let show = |v: Option<&Value>| v.map_or("nothing".to_owned(), Value::to_string);
            say(key, format!("{}\n        expected {}", show(a), show(e)));
        }
    }
}

/// Equality with holes: what names Ansible's own temporary files may be anything.
fn same(expected: &Value, actual: &Value) -> bool {
    match (expected, actual) {
        (Value::String(e), _) if e == "$TMP" || e.starts_with("$PLAY/") => true,
        (Value::String(e), Value::String(a)) if e.starts_with("Task failed: ") => {
            let e = e.trim_start_matches("Task failed: ");
            e.trim_start_matches("Module failed: ") == a
        }
        (Value::String(e), Value::String(a)) if e.contains("$TMP") => {
            let mut rest = a.as_str();
            e.split("$TMP").all(|part| match rest.find(part) {
                Some(at) => {
                    rest = &rest[at + part.len()..];
                    true
                }
                None => false,
            })
        }
        (Value::Object(e), Value::Object(a)) => {
            let keys: std::collections::BTreeSet<&String> = e.keys().chain(a.keys()).collect();
            keys.iter()
                .filter(|k| !IGNORED.contains(&k.as_str()))
                .filter(|k| k.as_str() != "size" || e.get(k.as_str()) != Some(&Value::from(4096)))
                .all(|k| matches!((e.get(*k), a.get(*k)), (Some(e), Some(a)) if same(e, a)))
        }
        (Value::Array(e), Value::Array(a)) => {
            // Files come in the order of their folder, which means nothing.
            let sorted = |list: &[Value]| {
                let mut list = list.to_vec();
                list.sort_by_key(|v| v.get("path").map(Value::to_string));
                list
            };
            e.len() == a.len() && sorted(e).iter().zip(&sorted(a)).all(|(e, a)| same(e, a))
        }
        (Value::Number(e), Value::Number(a)) => e.as_f64() == a.as_f64(),
        (e, a) => e == a,
    }
}

fn run(
    task: &Map,
    root: &Path,
    work: &Path,
    assets: &FolderAssets,
    check: bool,
) -> BTreeMap<String, Value> {
    let root_text = root.to_str().unwrap();
    let text = serde_json::to_string(task)
        .unwrap()
        .replace("$ROOT", root_text);
    let task: Map = serde_json::from_str(&text).unwrap();
    let (name, raw) = task
        .iter()
        .find(|(k, _)| find(k).is_some())
        .expect("a module");
    let module = find(name).unwrap();
    let mut free = Map::new();
    if let (Some(text), Some(arg)) = (raw.as_str(), module.spec().free_form) {
        free.insert(arg.to_owned(), text.into());
    }
    let raw = raw.as_map().unwrap_or(&free);
    let vars = Fake(
        task.get("vars")
            .and_then(|v| v.as_map())
            .cloned()
            .unwrap_or_default(),
    );
    let outcome = match Args::check(module.spec(), raw, Moment::Running) {
        Err(errors) => {
            let messages: Vec<String> = errors.into_iter().map(|e| e.message).collect();
            rustle_runtime::outcome::Failure::new(messages.join(". ")).into()
        }
        Ok(args) => {
            let environment: IndexMap<String, String> = task
                .get("environment")
                .and_then(|v| v.as_map())
                .into_iter()
                .flatten()
                .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
                .collect();
            let ctx = Context {
                check,
                diff: true,
                verbosity: 0,
                environment: &environment,
                assets,
                asset_paths: &[],
                variables: Some(&vars),
                deadline: None,
                work_dir: work,
                lasting: false,
                no_log: false,
                home: Some(Path::new("/root")),
                staging: None,
                cancelled: &|| false,
                warnings: RefCell::default(),
            };
            let mut outcome = match module.run(&args, &ctx) {
                Ok(outcome) => outcome,
                Err(failure) => failure.into(),
            };
            outcome.warnings.extend(ctx.warnings.take());
            outcome
        }
    };
    let failed = outcome.failed;
    let json = serde_json::to_string(&outcome.into_map()).unwrap();
    let json = backup_names(&json.replace(root_text, "$ROOT"));
    let mut map: BTreeMap<String, Value> = serde_json::from_str(&json).unwrap();
    map.insert("failed".into(), failed.into());
    map
}

/// Takes process number and time out of the names of backup files.
pub(crate) fn backup_names(text: &str) -> String {
    static NAME: std::sync::OnceLock<regex::Regex> = std::sync::OnceLock::new();
    NAME.get_or_init(|| regex::Regex::new(r"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~").unwrap())
        .replace_all(text, ".$$PID.$$TIME~")
        .into_owned()
}

/// Puts variables in the place of `{{ name }}`: enough for the cases here; templating has tests of its own.
struct Fake(Map);

impl Variables for Fake {
    fn show(&self, expression: &str) -> Result<(rustle_formats::Value, Option<String>), String> {
        Err(format!("no templates here: {expression}"))
    }
    fn get(&self, name: &str) -> Result<Option<rustle_formats::Value>, String> {
        Err(format!("no variables here: {name}"))
    }
    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
    fn conditions(&self, _: &str) -> Result<Option<Vec<rustle_formats::Value>>, String> {
        Ok(None)
    }

    fn condition(&self, condition: &rustle_formats::Value) -> Result<bool, String> {
        Err(format!("no templates here: {condition}"))
    }
    fn render(&self, request: &RenderRequest<'_>) -> Result<String, String> {
        let option = |name: &str, default: &str| {
            request
                .options
                .get(name)
                .and_then(|v| v.as_str())
                .unwrap_or(default)
                .to_owned()
        };
        let (start, end) = (
            option("variable_start_string", "{{"),
            option("variable_end_string", "}}"),
        );
        let mut out = String::new();
        let mut rest = request.text;
        while let Some(at) = rest.find(&start) {
            out.push_str(&rest[..at]);
            let tail = &rest[at + start.len()..];
            let close = tail.find(&end).ok_or("unclosed expression")?;
            let name = tail[..close].trim();
            let value = request.about.get(name).or_else(|| self.0.get(name));
            match value {
                Some(value) => match value.as_str() {
                    Some(text) => out.push_str(text),
                    None => out.push_str(&value.to_string()),
                },
                None => return Err(format!("'{name}' is undefined")),
            }
            rest = &tail[close + end.len()..];
        }
        out.push_str(rest);
        Ok(out.replace('\n', &option("newline_sequence", "\n")))
    }
}
