//! What a module gives back.

use rustle_formats::{Map, Value};
use serde::{Deserialize, Serialize};

/// The result of a module that ended, before `changed_when`, `failed_when` and registration.
///
/// Return values that Ansible documents go into `fields` under their names.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Whether something was changed, or would be in check mode.
    pub changed: bool,
    /// Whether it failed.
    pub failed: bool,
    /// Whether there was nothing to do because of a condition of the module's own (`creates`, check mode).
    pub skipped: bool,
    /// The message, if any.
    pub msg: Option<String>,
    /// The other return values.
    pub fields: Map,
    /// The difference, or a list of several, each with before/after(_header) or `prepared`, as in Ansible.
    pub diff: Option<Value>,
    /// Facts to keep for the host (`ansible_facts`).
    pub facts: Map,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// A module's failure: a sentence that names the cause, and return values on top.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The message.
    pub msg: String,
    /// Other return values, `rc` say.
    pub fields: Map,
}

impl Outcome {
    /// Nothing was changed.
    pub fn ok() -> Outcome {
        Outcome::default()
    }

    /// Something was changed, or not.
    pub fn changed(changed: bool) -> Outcome {
        Outcome {
            changed,
            ..Outcome::default()
        }
    }

    /// Adds a return value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Outcome {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Sets the message.
    #[must_use]
    pub fn msg(mut self, msg: impl Into<String>) -> Outcome {
        self.msg = Some(msg.into());
        self
    }

    /// The result as a mapping, the way that it is registered.
    pub fn into_map(self) -> Map {
        let mut map = Map::new();
        map.insert("changed".into(), self.changed.into());
        if self.failed {
            map.insert("failed".into(), true.into());
        }
        if self.skipped {
            map.insert("skipped".into(), true.into());
        }
        if let Some(msg) = self.msg {
            map.insert("msg".into(), msg.into());
        }
        map.extend(self.fields);
        if let Some(diff) = self.diff {
            map.insert("diff".into(), diff);
        }
        if !self.facts.is_empty() {
            map.insert("ansible_facts".into(), Value::Map(self.facts));
        }
        if !self.warnings.is_empty() {
            map.insert("warnings".into(), self.warnings.into());
        }
        map
    }
}

impl Failure {
    /// A failure with this message.
    pub fn new(msg: impl Into<String>) -> Failure {
        Failure {
            msg: msg.into(),
            fields: Map::new(),
        }
    }

    /// Adds a return value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Failure {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Outcome {
        Outcome {
            failed: true,
            msg: Some(failure.msg),
            fields: failure.fields,
            ..Outcome::default()
        }
    }
}

/// What a module's code gives back.
pub type ModuleResult = Result<Outcome, Failure>;
