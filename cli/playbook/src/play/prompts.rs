//! `vars_prompt`: the questions of a play, as they are asked, and what becomes of answers.

use indexmap::IndexMap;
use rustle_formats::Value;
use rustle_template::Value as Rendered;

use super::dynamic::Site;
use super::model::{Play, text_of};
use super::reader::Reader;
use crate::problem::Problem;
use crate::source::Position;
use crate::yaml::{Mapping, Node, NodeValue};

/// The fields of a question.
const FIELDS: &[&str] = &[
    "name",
    "prompt",
    "default",
    "private",
    "confirm",
    "encrypt",
    "salt_size",
    "salt",
    "unsafe",
];

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Where it is written.
    pub at: Position,
    /// The variable.
    pub name: String,
    /// What is shown, without the default.
    pub prompt: String,
    /// The answer where none is given.
    pub default: Option<String>,
    /// Whether the answer is not shown.
    pub private: bool,
    /// Whether it is asked for twice.
    pub confirm: bool,
    /// Whether templates in the answer are left as they are.
    pub is_unsafe: bool,
    encrypt: Option<String>,
    salt: Option<String>,
    salt_size: Option<String>,
}

impl Question {
    /// What stands before the answer.
    pub fn shown(&self) -> String {
        match &self.default {
            Some(default) if !default.is_empty() => format!("{} [{default}]: ", self.prompt),
            _ => format!("{}: ", self.prompt),
        }
    }
}

impl Reader<'_> {
    /// The questions of a play.
    ///
    /// # Errors
    /// Where one is not written as it should be.
    pub fn questions(&self, play: &Play) -> Result<Vec<Question>, Problem> {
        let Some(node) = play.keywords.get("vars_prompt").filter(|n| !n.is_null()) else {
            return Ok(Vec::new());
        };
        let alone = std::slice::from_ref(node);
        let list = node.as_list().unwrap_or(alone);
        list.iter()
            .map(|entry| self.question(entry, play))
            .collect()
    }

    fn question(&self, entry: &Node, play: &Play) -> Result<Question, Problem> {
        let Some(map) = entry.as_map() else {
            return Err(Problem::error(format!(
                "a question of `vars_prompt` is a mapping, and this is {}",
                entry.kind()
            ))
            .at(entry.at)
            .hint("write `- name: VARIABLE`"));
        };
        for (key, _) in map.iter() {
            let name = text_of(key);
            if !FIELDS.contains(&name.as_str()) {
                return Err(
                    Problem::error(format!("`{name}` is no field of `vars_prompt`"))
                        .at(key.at)
                        .over(name.chars().count())
                        .hint(format!("the fields are {}", FIELDS.join(", "))),
                );
            }
        }
        let Some(name) = map.get("name").map(text_of).filter(|n| !n.is_empty()) else {
            return Err(
                Problem::error("a question of `vars_prompt` names no variable").at(entry.at),
            );
        };
        let text = |field: &str| self.shown_text(map, field, play);
        let flag = |field: &str, default: bool| {
            map.get(field).map_or(default, |n| {
                match text_of(n).to_ascii_lowercase().as_str() {
                    "true" | "yes" | "on" | "1" | "y" | "t" => true,
                    "" => default,
                    _ => false,
                }
            })
        };
        Ok(Question {
            at: entry.at,
            prompt: text("prompt")?
                .filter(|p| !p.is_empty())
                .unwrap_or_else(|| name.clone()),
            default: text("default")?,
            private: flag("private", true),
            confirm: flag("confirm", false),
            is_unsafe: flag("unsafe", false),
            encrypt: text("encrypt")?.filter(|e| !e.is_empty()),
            salt: text("salt")?,
            salt_size: text("salt_size")?,
            name,
        })
    }

    /// A field with its templates filled in.
    fn shown_text(
        &self,
        map: &Mapping,
        field: &str,
        play: &Play,
    ) -> Result<Option<String>, Problem> {
        let Some(node) = map.get(field).filter(|n| !n.is_null()) else {
            return Ok(None);
        };
        let vars: Vec<_> = play
            .imports
            .iter()
            .map(|import| &import.keywords)
            .chain([&play.keywords])
            .filter_map(|keywords| match &keywords.get("vars")?.value {
                NodeValue::Map(map) => Some(map.clone()),
                _ => None,
            })
            .collect();
        let site = Site::of_play(&play.file, None);
        self.rendered(node, &site, &vars).map(Some)
    }

    /// What a variable becomes with an answer; without one it is the text `None`, as under Ansible.
    ///
    /// # Errors
    /// Where it is to be encrypted in a way that there is not.
    pub fn answered(&self, question: &Question, answer: Option<&str>) -> Result<Value, Problem> {
        let Some(answer) = answer else {
            return Ok("None".into());
        };
        let Some(method) = &question.encrypt else {
            return Ok(match question.is_unsafe {
                true => Value::Unsafe(answer.to_owned()),
                false => answer.into(),
            });
        };
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let mut arguments = quoted(method);
        if let Some(salt) = &question.salt {
            arguments.push_str(&format!(", salt={}", quoted(salt)));
        } else if let Some(size) = &question.salt_size {
            arguments.push_str(&format!(", salt_size={}", quoted(size)));
        }
        self.hashed(answer, &arguments).map_err(|why| {
            Problem::error(format!("`encrypt: {method}` of `{}`: {why}", question.name))
                .general()
                .at(question.at)
        })
    }

    fn hashed(&self, answer: &str, arguments: &str) -> Result<Value, String> {
        let scope = IndexMap::from([("answer".to_owned(), Rendered::str(answer))]);
        let expression = format!("answer | password_hash({arguments})");
        let made = self.engine.eval_expr(&scope, &expression);
        let made = made.map_err(|e| e.message().to_owned())?;
        Ok(Value::Unsafe(made.as_str().unwrap_or_default().to_owned()))
    }
}
