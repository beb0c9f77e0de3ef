//! Plugins in Python: filters, tests and lookups of a repository and of collections, which Ansible's own loader runs in
//! a helper process. It is started when the first of them is asked for, and ends with the run.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustle_formats::Map;
use rustle_playbook::config::Config;
use rustle_template::{Args, Error, LookupCall, Value};
use serde_json::{Value as Json, json};

use crate::failed;

const HELPER: &str = concat!(
    include_str!("helper.py"),
    include_str!("actions.py"),
    include_str!("serve.py")
);

/// The longest answer in bytes.
const MAX_ANSWER: u64 = 256 << 20;

/// A kind of plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PluginKind {
    /// What follows `|`.
    Filter,
    /// What follows `is`.
    Test,
    /// What `lookup` names.
    Lookup,
}

impl PluginKind {
    fn name(self) -> &'static str {
        match self {
            PluginKind::Filter => "filter",
            PluginKind::Test => "test",
            PluginKind::Lookup => "lookup",
        }
    }
}

/// A file of plugins in a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What kind of plugins it has: the folder's name, `filter_plugins` and so on.
    pub folder: &'static str,
    /// The file.
    pub path: PathBuf,
}

/// The folders beside playbooks and in roles that hold plugins.
const FOLDERS: [&str; 7] = [
    "filter_plugins",
    "test_plugins",
    "lookup_plugins",
    "action_plugins",
    "vars_plugins",
    "callback_plugins",
    "strategy_plugins",
];

/// The files of plugins in these folders: of a playbook, or of a role.
pub fn discover(folders: &[PathBuf]) -> Vec<Found> {
    let mut out = Vec::new();
    for around in folders {
        for folder in FOLDERS {
            let Ok(entries) = std::fs::read_dir(around.join(folder)) else {
                continue;
            };
            let mut files: Vec<PathBuf> = entries
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.extension().is_some_and(|e| e == "py"))
                .filter(|path| !path.ends_with("__init__.py"))
                .collect();
            files.sort();
            out.extend(files.into_iter().map(|path| Found { folder, path }));
        }
    }
    out
}

/// The helper.
pub struct Python {
    /// Looked for when the first plugin is asked for: most runs ask for none.
    interpreter: OnceCell<Option<PathBuf>>,
    folders: Vec<PathBuf>,
    collections: Vec<PathBuf>,
    environment: HashMap<String, String>,
    running: Option<Running>,
    known: HashMap<(PluginKind, String), bool>,
    broken: Cell<bool>,
}

struct Running {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has nothing to lose, and ends at the end of its input anyway.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Python {
    /// A helper for the plugins of these folders and collections. The Python that has ansible-core is that of the first
    /// `ansible-playbook` in `PATH`, or the first `python3`.
    pub fn new(config: &Config, folders: Vec<PathBuf>, collections: Vec<PathBuf>) -> Python {
        Python {
            interpreter: OnceCell::new(),
            folders,
            collections,
            environment: config.environment().variables.clone(),
            running: None,
            known: HashMap::new(),
            broken: Cell::new(false),
        }
    }

    /// The Python that has ansible-core; `None`: there is none.
    pub fn interpreter(&self) -> Option<&Path> {
        self.interpreter
            .get_or_init(|| {
                let search = self.environment.get("PATH").cloned().unwrap_or_default();
                let programs = |name: &str| -> Vec<PathBuf> {
                    std::env::split_paths(&search)
                        .map(|folder| folder.join(name))
                        .filter(|path| path.is_file())
                        .collect()
                };
                let of_ansible = programs("ansible-playbook").iter().find_map(|p| shebang(p));
                of_ansible
                    .into_iter()
                    .chain(programs("python3"))
                    .find(|python| has_ansible(python, &self.environment))
            })
            .as_deref()
    }

    /// Whether there is a plugin of that name.
    pub fn knows(&mut self, kind: PluginKind, name: &str) -> bool {
        let key = (kind, name.to_owned());
        if let Some(known) = self.known.get(&key) {
            return *known;
        }
        if self.interpreter().is_none() {
            return false;
        }
        let answer = self.ask(&json!({"op": "known", "kind": kind.name(), "name": name}));
        let known = matches!(answer, Ok(Some(Json::Bool(true))));
        self.known.insert(key, known);
        known
    }

    pub(crate) fn filter(
        &mut self,
        name: &str,
        input: &Value,
        args: &Args,
    ) -> Option<Result<Value, Error>> {
        let answer = self
            .apply(PluginKind::Filter, name, input, args)
            .transpose()?;
        Some(answer.map(|json| Value::from_json(&json, false)))
    }

    pub(crate) fn test(
        &mut self,
        name: &str,
        input: &Value,
        args: &Args,
    ) -> Option<Result<bool, Error>> {
        let answer = self
            .apply(PluginKind::Test, name, input, args)
            .transpose()?;
        Some(answer.and_then(|json| Value::from_json(&json, false).truth()))
    }

    fn apply(
        &mut self,
        kind: PluginKind,
        name: &str,
        input: &Value,
        args: &Args,
    ) -> Result<Option<Json>, Error> {
        let positional: Vec<Json> = args.positional.iter().map(data).collect::<Result<_, _>>()?;
        let question = json!({
            "op": kind.name(),
            "name": name,
            "input": data(input)?,
            "args": positional,
            "options": options(args.keywords.iter().map(|(k, v)| (&**k, v)))?,
        });
        let what = kind.name();
        self.ask(&question)
            .map_err(|why| failed(format!("The {what} plugin '{name}' failed: {why}")))
    }

    /// Runs an action plugin for this machine, and gives its result.
    pub(crate) fn action(&mut self, told: &Map) -> Result<Map, String> {
        let cannot = |e: serde_json::Error| format!("a value cannot be given to Python: {e}");
        let mut question = serde_json::to_value(told).map_err(cannot)?;
        question["op"] = "action".into();
        match self.ask(&question)? {
            Some(result) => serde_json::from_value(result).map_err(|e| e.to_string()),
            None => Err("there is no such action plugin".to_owned()),
        }
    }

    pub(crate) fn lookup(
        &mut self,
        name: &str,
        call: &LookupCall<'_>,
        folders: &[PathBuf],
    ) -> Result<Option<Vec<Value>>, Error> {
        let terms: Vec<Json> = call.terms.iter().map(data).collect::<Result<_, _>>()?;
        let question = json!({
            "op": "lookup",
            "name": name,
            "args": terms,
            "options": options(call.options.iter().map(|(k, v)| (&**k, v)))?,
            "variables": variables(call, folders),
        });
        Ok(match self.ask(&question).map_err(failed)? {
            None => None,
            Some(Json::Array(items)) => Some(
                items
                    .iter()
                    .map(|item| Value::from_json(item, false))
                    .collect(),
            ),
            Some(other) => Some(vec![Value::from_json(&other, false)]),
        })
    }

    /// One question, and its answer; `None`: there is no such plugin.
    fn ask(&mut self, question: &Json) -> Result<Option<Json>, String> {
        if self.interpreter().is_none() {
            return Ok(None);
        }
        if self.broken.get() {
            return Err("the helper that runs plugins in Python has ended".into());
        }
        if self.running.is_none() {
            self.running = Some(self.start()?);
            let paths = |paths: &[PathBuf]| -> Vec<String> {
                paths
                    .iter()
                    .map(|p| p.to_string_lossy().into_owned())
                    .collect()
            };
            let first = json!({
                "op": "start",
                "folders": paths(&self.folders),
                "collections": paths(&self.collections),
            });
            self.exchange(&first)?;
        }
        self.exchange(question)
    }

    fn exchange(&mut self, question: &Json) -> Result<Option<Json>, String> {
        let Some(running) = &mut self.running else {
            return Err("the helper that runs plugins in Python is not there".into());
        };
        let answer = running
            .exchange(question)
            .inspect_err(|_| self.broken.set(true))?;
        match answer {
            Json::Object(mut map) => match (map.remove("value"), map.remove("error")) {
                (_, Some(Json::String(why))) => Err(why),
                (Some(value), _) => Ok(Some(value)),
                _ => Ok(None),
            },
            _ => Err("the helper that runs plugins in Python gave no answer".into()),
        }
    }

    fn start(&self) -> Result<Running, String> {
        let interpreter = self.interpreter().ok_or(
            "no Python with ansible-core was found: neither that of the first ansible-playbook in PATH, nor python3",
        )?;
        let cannot = |e: std::io::Error| format!("{}: {e}", interpreter.display());
        let mut child = Command::new(interpreter)
            .args(["-c", HELPER])
            .env_clear()
            .envs(&self.environment)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(cannot)?;
        let (Some(questions), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(cannot(std::io::ErrorKind::BrokenPipe.into()));
        };
        Ok(Running {
            child,
            questions,
            answers: BufReader::new(answers),
        })
    }
}

impl Running {
    fn exchange(&mut self, question: &Json) -> Result<Json, String> {
        let lost =
            |e: std::io::Error| format!("the helper that runs plugins in Python has ended: {e}");
        let mut line = question.to_string();
        line.push('\n');
        self.questions.write_all(line.as_bytes()).map_err(lost)?;
        self.questions.flush().map_err(lost)?;
        let mut answer = String::new();
        let read = std::io::Read::take(&mut self.answers, MAX_ANSWER)
            .read_line(&mut answer)
            .map_err(lost)?;
        if read == 0 {
            return Err("the helper that runs plugins in Python has ended".into());
        }
        serde_json::from_str(&answer)
            .map_err(|e| format!("the helper that runs plugins in Python answered wrongly: {e}"))
    }
}

fn data(value: &Value) -> Result<Json, Error> {
    serde_json::to_value(value.to_formats()?)
        .map_err(|e| failed(format!("a value cannot be given to Python: {e}")))
}

fn options<'v>(given: impl Iterator<Item = (&'v str, &'v Value)>) -> Result<Json, Error> {
    let mut map = serde_json::Map::new();
    for (name, value) in given {
        map.insert(name.to_owned(), data(value)?);
    }
    Ok(Json::Object(map))
}

/// What a lookup sees of the variables: those that are data as they stand, and where files are looked for.
fn variables(call: &LookupCall<'_>, folders: &[PathBuf]) -> Json {
    let scope = call.templar.scope();
    let mut map = serde_json::Map::new();
    for name in scope.names() {
        let Ok(Some(raw)) = scope.get(&name) else {
            continue;
        };
        let value = match &raw {
            Value::Str(text) if text.is_template() => call.templar.get(&name).ok().flatten(),
            other => Some(other.clone()),
        };
        if let Some(Ok(json)) = value.as_ref().map(data) {
            map.insert(name, json);
        }
    }
    let folders: Vec<String> = folders
        .iter()
        .map(|folder| folder.to_string_lossy().into_owned())
        .collect();
    map.insert("ansible_search_path".into(), json!(folders));
    Json::Object(map)
}

/// The interpreter that a script names in its first line.
fn shebang(script: &Path) -> Option<PathBuf> {
    let mut line = String::new();
    let file = std::fs::File::open(script).ok()?;
    BufReader::new(std::io::Read::take(file, 512))
        .read_line(&mut line)
        .ok()?;
    let program = line.strip_prefix("#!")?.split_whitespace().next()?;
    Some(PathBuf::from(program)).filter(|path| path.is_file() && !path.ends_with("env"))
}

fn has_ansible(python: &Path, environment: &HashMap<String, String>) -> bool {
    Command::new(python)
        .args(["-c", "import ansible.release"])
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
