//! What a host may ask of the controller: what the playbook names, and no more. Whoever has taken a host over can send any
//! question; it must not become a command that runs here, or a file at a place that nobody chose.
//!
//! A lookup is answered where its name stands in the plan, or in a file that the plan's templates and variables may come from. A
//! fetched file is taken where the place fits what a task says: its own words are compared, what a template makes of the rest
//! only the host knows.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustle_formats::Value;
use rustle_formats::plan::{ExecutionPlan, Task};
use rustle_runtime::engine::Delivery;

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

    /// Whether a task of the plan may have fetched this.
    pub(super) fn fetched(&self, delivery: &Delivery) -> bool {
        self.plan.tasks().any(|task| {
            let short = task.module.rsplit('.').next();
            (short == Some("fetch") || task.module.contains("{{")) && fits(task, delivery)
        })
    }
}

/// Whether the place of a delivery is one that this task may name.
fn fits(task: &Task, delivery: &Delivery) -> bool {
    let Some(Value::Str(written)) = task.args.get("dest") else {
        // It comes from the defaults of the module, or all arguments from a variable.
        return true;
    };
    let Some(begin) = written.find("{{") else {
        return written.trim() == delivery.dest.trim();
    };
    let head = &written[..begin];
    let tail = written.rfind("}}").map_or("", |at| &written[at + 2..]);
    let fits = delivery.dest.len() >= head.len() + tail.len()
        && delivery.dest.starts_with(head)
        && delivery.dest.ends_with(tail);
    let made = delivery.dest.get(head.len()..).unwrap_or_default();
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
}
