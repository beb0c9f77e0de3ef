//! One task as a playbook.

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

/// The name of the playbook that the task stands in.
pub(crate) const NAME: &str = "<adhoc>";

/// A task of the command line, and how its results are printed.
#[derive(Debug, Clone)]
pub(crate) struct AdHoc {
    /// The hosts.
    pub(crate) pattern: String,
    /// The module.
    pub(crate) module: String,
    /// Its arguments, as they were given.
    pub(crate) args: String,
    /// Whether results are printed on one line.
    pub(crate) one_line: bool,
    /// The folder that gets a file for each host.
    pub(crate) tree: Option<PathBuf>,
    /// `-B`
    pub(crate) background: Option<u64>,
    /// `-P`
    pub(crate) poll: u64,
    /// `--task-timeout`
    pub(crate) timeout: Option<u64>,
}

/// The arguments, where they were given as JSON.
pub(crate) fn as_json(args: &str) -> Option<Map<String, Json>> {
    let args = args.trim();
    if !(args.starts_with('{') && args.ends_with('}')) {
        return None;
    }
    serde_json::from_str(args).ok()
}

/// A module's name without the collections that need not be named.
pub(crate) fn short(module: &str) -> &str {
    ["ansible.builtin.", "ansible.legacy."]
        .iter()
        .find_map(|c| module.strip_prefix(c))
        .unwrap_or(module)
}

impl AdHoc {
    /// The playbook: JSON is YAML, too.
    pub(crate) fn playbook(&self) -> Vec<u8> {
        let action = match as_json(&self.args) {
            Some(mut args) => {
                args.insert("module".to_owned(), self.module.as_str().into());
                Json::Object(args)
            }
            None => format!("{} {}", self.module, self.args).trim_end().into(),
        };
        let mut task = json!({ "action": action });
        if let Some(seconds) = self.background {
            task["async"] = seconds.into();
            task["poll"] = self.poll.into();
        }
        if let Some(seconds) = self.timeout {
            task["timeout"] = seconds.into();
        }
        let play = json!([{
            "name": "Ansible Ad-Hoc",
            "hosts": self.pattern,
            "gather_facts": false,
            "tasks": [task],
        }]);
        play.to_string().into_bytes()
    }
}
