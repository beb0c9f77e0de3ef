//! What a host may ask of the controller: what the playbook names, and no more. Whoever has taken a host over can send any
//! question; it must not become a command that runs here, or a file at a place that nobody chose.
//!
//! A lookup is answered where its name stands in the plan, or in a file that the plan's templates and variables may come from. A
//! fetched file is taken where the place fits what a task says: its own words are compared, what a template makes of the rest
//! only the host knows. A task is done by another host where the plan delegates that very task, or one of its blocks or includes, to it;
//! the words of a command that stand in the plan are the only ones that it may have.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustle_formats::Value;
use rustle_formats::plan::{ExecutionPlan, Task};
use rustle_runtime::engine::{Action, Delivery};

/// Files of more bytes are no templates that somebody wrote.
const LARGEST: u64 = 512 << 10;
/// More files are not looked through: what is not found in them is refused.
const MOST: usize = 50_000;

/// What the plan of a run permits.
pub(super) struct Permits<'a> {
    plan: &'a ExecutionPlan,
    folders: Vec<PathBuf>,
    /// The plan's text, once it was needed.
    text: Option<String>,
    /// Lookups that were asked for, and whether they may be.
    lookups: HashMap<String, bool>,
    /// To whom anything is delegated, as it is written, once it was needed.
    targets: Option<Vec<String>>,
}

impl<'a> Permits<'a> {
    /// `base`: the folder that the plan's files are named from.
    pub(super) fn new(plan: &'a ExecutionPlan, base: Option<&Path>) -> Permits<'a> {
        let base = base.map(Path::to_owned);
        let roles = plan.roles.values().map(|role| &role.path);
        let roles = roles.filter_map(|path| Some(base.as_ref()?.join(path)));
        let mut folders: Vec<PathBuf> = base.iter().cloned().collect();
        for role in roles {
            if !folders.iter().any(|known| role.starts_with(known)) {
                folders.push(role);
            }
        }
        Permits {
            plan,
            folders,
            text: None,
            lookups: HashMap::new(),
            targets: None,
        }
    }

    /// Whether a lookup of this name may be asked for.
    pub(super) fn lookup(&mut self, name: &str) -> bool {
        let short = name.rsplit('.').next().unwrap_or(name);
        if let Some(known) = self.lookups.get(short) {
            return *known;
        }
        let plan = self.plan;
        let text = self
            .text
            .get_or_insert_with(|| serde_json::to_string(plan).unwrap_or_default());
        let permitted = !short.is_empty()
            && (text.contains(short) || {
                let mut left = MOST;
                let mut folders = self.folders.iter();
                folders.any(|folder| mentions(folder, short.as_bytes(), &mut left))
            });
        self.lookups.insert(short.to_owned(), permitted);
        permitted
    }

    /// Whether the plan may have another host do this.
    pub(super) fn delegated(&mut self, action: &Action) -> bool {
        let plan = self.plan;
        let Some(task) = plan.tasks().find(|task| task.id == action.task) else {
            return false;
        };
        (task.module.contains("{{") || short(&task.module) == short(&action.module))
            && self.may_delegate_to(&action.delegate_to)
            && says(task, action)
    }

    /// Whether a task of the plan may copy this by rsync: its paths fit what the task says, and every other argument is the task's,
    /// because options of rsync are programs that run here.
    ///
    /// # Errors
    /// What is not the task's.
    pub(super) fn synchronized(&mut self, action: &Action) -> Result<(), String> {
        let plan = self.plan;
        let task = plan.tasks().find(|task| task.id == action.task);
        let task = task.filter(|t| t.module.contains("{{") || short(&t.module) == "synchronize");
        let Some(task) = task else {
            return Err("no task of the run copies anything by `synchronize`".to_owned());
        };
        if !action.delegate_to.is_empty() && !self.may_delegate_to(&action.delegate_to) {
            return Err(format!(
                "the plan has nobody on '{}' do this for others",
                action.delegate_to
            ));
        }
        for (name, value) in &action.args {
            let mut asked = Vec::new();
            texts(value, &mut asked);
            for text in asked {
                let permitted = match name.as_str() {
                    // What begins with a dash is an option.
                    "src" | "dest" => !text.starts_with('-') && fits_text(task, name, &text),
                    // Which way the files go is not for the host to say.
                    "mode" => match task.args.contains_key(name) {
                        true => fits_text(task, name, &text),
                        false => text == "push" || self.is_written(&text),
                    },
                    name if name.starts_with('_') => false,
                    _ => self.is_written(&text) || is_harmless(name, &text),
                };
                if !permitted {
                    return Err(format!(
                        "`{text}` as `{name}` of `synchronize` stands nowhere in the playbook: write it there as it is"
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether the plan or its files have a text.
    fn is_written(&mut self, text: &str) -> bool {
        let plan = self.plan;
        let whole = self
            .text
            .get_or_insert_with(|| serde_json::to_string(plan).unwrap_or_default());
        let quoted = serde_json::to_string(text).unwrap_or_default();
        whole.contains(quoted.trim_matches('"')) || {
            let mut left = MOST;
            let mut folders = self.folders.iter();
            folders.any(|folder| mentions(folder, text.as_bytes(), &mut left))
        }
    }

    /// Whether anything may be delegated to this host.
    fn may_delegate_to(&mut self, to: &str) -> bool {
        let plan = self.plan;
        let targets = self.targets.get_or_insert_with(|| {
            let mut out = Vec::new();
            let document = serde_json::to_value(plan).unwrap_or_default();
            named(&document, "delegate_to", &mut out);
            out
        });
        targets.iter().any(|t| t.contains("{{") || t.trim() == to)
    }

    /// Whether a task of the plan may have fetched this.
    pub(super) fn fetched(&self, delivery: &Delivery) -> bool {
        self.plan.tasks().any(|task| {
            let short = task.module.rsplit('.').next();
            (short == Some("fetch") || task.module.contains("{{")) && fits(task, delivery)
        })
    }
}

/// Modules whose arguments are run.
const COMMANDS: [&str; 5] = ["command", "shell", "raw", "script", "expect"];

fn short(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

/// All texts under this key, at any depth.
fn named(document: &serde_json::Value, key: &str, out: &mut Vec<String>) {
    match document {
        serde_json::Value::Object(map) => {
            for (name, value) in map {
                match value.as_str() {
                    Some(text) if name == key => out.push(text.to_owned()),
                    _ => named(value, key, out),
                }
            }
        }
        serde_json::Value::Array(list) => list.iter().for_each(|value| named(value, key, out)),
        _ => {}
    }
}

/// Whether a command's words are those of its task, where all of them stand there.
fn says(task: &Task, action: &Action) -> bool {
    if !COMMANDS.contains(&short(&action.module)) {
        return true;
    }
    let mut written = Vec::new();
    texts(&Value::Map(task.args.clone()), &mut written);
    if task.module.contains("{{") || written.iter().any(|text| text.contains("{{")) {
        return true;
    }
    let mut asked = Vec::new();
    texts(&Value::Map(action.args.clone()), &mut asked);
    asked
        .iter()
        .all(|text| written.iter().any(|own| own.trim() == text.trim()))
}

/// All texts in a value.
fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::Str(text) | Value::Unsafe(text) => out.push(text.clone()),
        Value::Map(map) => map.values().for_each(|value| texts(value, out)),
        Value::List(list) => list.iter().for_each(|value| texts(value, out)),
        _ => {}
    }
}

/// Whether an action is rsync between two machines.
pub(super) fn is_synchronize(action: &Action) -> bool {
    action.module == "ansible.posix.synchronize"
}

/// Whether an argument of `synchronize` may come from a template: switches, numbers, and options that neither run nor name anything.
fn is_harmless(name: &str, text: &str) -> bool {
    const OPTIONS: [&str; 6] = [
        "--exclude=",
        "--include=",
        "--chmod=",
        "--chown=",
        "--bwlimit=",
        "--max-size=",
    ];
    let word = text.chars().all(|c| c.is_ascii_alphanumeric());
    match name {
        "rsync_opts" => {
            OPTIONS.iter().any(|o| text.starts_with(o)) && !text.contains(char::is_whitespace)
        }
        // They are the other machine's affair.
        "rsync_path" | "link_dest" => true,
        "private_key" => false,
        _ => word,
    }
}

/// Whether the place of a delivery is one that this task may name.
fn fits(task: &Task, delivery: &Delivery) -> bool {
    fits_text(task, "dest", &delivery.dest)
}

/// Whether a path is one that this argument of the task may be.
fn fits_text(task: &Task, name: &str, asked: &str) -> bool {
    let Some(Value::Str(written)) = task.args.get(name) else {
        // It comes from the defaults of the module, or all arguments from a variable.
        return true;
    };
    let Some(begin) = written.find("{{") else {
        return written.trim() == asked.trim();
    };
    let head = &written[..begin];
    let tail = written.rfind("}}").map_or("", |at| &written[at + 2..]);
    let fits =
        asked.len() >= head.len() + tail.len() && asked.starts_with(head) && asked.ends_with(tail);
    let made = asked.get(head.len()..).unwrap_or_default();
    // What a template makes does not lead out of the folder that is written before it.
    fits && (head.is_empty() || !made.split('/').any(|part| part == ".."))
}

/// Whether a file of this folder has the word.
fn mentions(folder: &Path, word: &[u8], left: &mut usize) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        *left = left.saturating_sub(1);
        if *left == 0 {
            return false;
        }
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        let path = entry.path();
        let found = if kind.is_dir() {
            entry.file_name() != ".git" && mentions(&path, word, left)
        } else {
            let small = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() <= LARGEST);
            small
                && fs::read(&path)
                    .is_ok_and(|text| text.windows(word.len()).any(|part| part == word))
        };
        if found {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(json: serde_json::Value) -> ExecutionPlan {
        let tasks = serde_json::json!([{"batch_id": "b", "tasks": json}]);
        serde_json::from_value(
            serde_json::json!({"version": 1, "plays": [{"hosts": ["all"], "batches": tasks}]}),
        )
        .unwrap()
    }

    fn delivery(dest: &str) -> Delivery {
        Delivery {
            host: "web".into(),
            source: "/etc/x".into(),
            dest: dest.into(),
            flat: true,
            checksum: String::new(),
            part: None,
            last: false,
            validate: true,
        }
    }

    #[test]
    fn a_lookup_is_answered_where_something_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan(serde_json::json!([
            {"id": "t", "module": "debug", "args": {"msg": "{{ lookup('env', 'HOME') }}"}}
        ]));
        let ask = |name: &str| Permits::new(&plan, Some(folder.path())).lookup(name);
        assert!(ask("env") && ask("ansible.builtin.env"));
        assert!(!ask("pipe") && !ask(""));
        fs::create_dir(folder.path().join("templates")).unwrap();
        let template = folder.path().join("templates/motd");
        fs::write(template, "{{ lookup('pipe', 'date') }}").unwrap();
        assert!(ask("pipe") && !ask("password"));
    }

    #[test]
    fn a_file_is_taken_where_a_task_wants_it() {
        let plan = plan(serde_json::json!([
            {"id": "a", "module": "fetch", "args": {"src": "/x", "dest": "got/"}},
            {"id": "b", "module": "ansible.builtin.fetch", "args": {"src": "/x", "dest": "keys/{{ host }}.pub"}}
        ]));
        let permits = Permits::new(&plan, None);
        for good in ["got/", "keys/web1.pub", "keys/a/b.pub"] {
            assert!(permits.fetched(&delivery(good)), "{good}");
        }
        for bad in [
            "/root/.ssh/authorized_keys",
            "got",
            "keys/web1",
            "keys/../../x.pub",
            "keys/.pu",
        ] {
            assert!(!permits.fetched(&delivery(bad)), "{bad}");
        }
    }

    #[test]
    fn another_host_does_what_the_plan_delegates_and_nothing_else() {
        let of = |json| {
            let plan = plan(json);
            let may = |task: &str, to: &str, module: &str, words: &str| {
                let mut args = rustle_formats::Map::new();
                args.insert("_raw_params".into(), words.into());
                Permits::new(&plan, None).delegated(&Action {
                    task: task.into(),
                    delegate_to: to.into(),
                    module: module.into(),
                    args,
                    vars: rustle_formats::Map::new(),
                    folders: Vec::new(),
                    environment: rustle_formats::Map::new(),
                    escalation: rustle_formats::Map::new(),
                    check: false,
                    diff: false,
                    timeout: 0,
                })
            };
            [
                may("t1", "localhost", "ansible.builtin.command", "date"),
                may("t1", "localhost", "command", "rm -rf /"),
                may("t1", "db1", "command", "date"),
                may("t1", "localhost", "shell", "date"),
                may("t2", "localhost", "command", "date"),
            ]
        };
        let written = serde_json::json!([{"id": "t1", "module": "command",
            "args": {"_raw_params": "date"}, "delegate_to": "localhost"}]);
        assert_eq!(of(written), [true, false, false, false, false]);
        let of_block = serde_json::json!([{"block": [{"id": "t1", "module": "command",
            "args": {"_raw_params": "{{ x }}"}}], "delegate_to": "{{ item }}"}]);
        assert_eq!(of(of_block), [true, true, true, false, false]);
        let nowhere = serde_json::json!([{"id": "t1", "module": "command",
            "args": {"_raw_params": "date"}}]);
        assert_eq!(of(nowhere), [false; 5]);
    }

    #[test]
    fn rsync_is_run_with_what_the_task_says() {
        let plan = plan(serde_json::json!([
            {"id": "t", "module": "ansible.posix.synchronize", "args": {"src": "a/", "dest": "/srv/{{ x }}",
             "rsync_opts": ["--rsh=mine", "{{ more }}"]}}
        ]));
        let may = |name: &str, value: &str, task: &str, to: &str| {
            let args = serde_json::json!({"src": "a/", "dest": "/srv/b", name: value});
            let action = Action {
                task: task.into(),
                delegate_to: to.into(),
                module: "ansible.posix.synchronize".into(),
                args: serde_json::from_value(args).unwrap(),
                vars: rustle_formats::Map::new(),
                folders: Vec::new(),
                environment: rustle_formats::Map::new(),
                escalation: rustle_formats::Map::new(),
                check: false,
                diff: false,
                timeout: 0,
            };
            Permits::new(&plan, None).synchronized(&action).is_ok()
        };
        for (name, value) in [
            ("mode", "push"),
            ("dest", "/srv/c"),
            ("rsync_opts", "--rsh=mine"),
            ("rsync_opts", "--exclude=x"),
        ] {
            assert!(may(name, value, "t", ""), "{name} {value}");
        }
        for (name, value) in [
            ("mode", "pull"),
            ("src", "/etc/shadow"),
            ("src", "-e sh"),
            ("dest", "/srv/../etc"),
            ("rsync_opts", "--rsh=sh -c evil"),
            ("rsync_opts", "--exclude=x -e evil"),
            ("private_key", "/root/.ssh/other"),
            ("_local_rsync_path", "/tmp/evil"),
        ] {
            assert!(!may(name, value, "t", ""), "{name} {value}");
        }
        assert!(!may("mode", "push", "another", "") && !may("mode", "push", "t", "db1"));
    }
}
