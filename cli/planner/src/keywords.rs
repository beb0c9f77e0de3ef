//! Keywords as fields of a plan: a plan's tasks, blocks and plays have Ansible's names for them.

use rustle_formats::Value;
use rustle_playbook::play::{Keywords, Written, written_tags};
use rustle_playbook::yaml::Node;
use rustle_playbook::{Position, Problem};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::lowering::Lowering;

/// Fields of a task, block or play to be.
pub(crate) type Fields = serde_json::Map<String, Json>;

/// Keywords without a field: they are done with when a plan is made, or say how people see a run.
const WITHOUT: &[&str] = &[
    "collections",
    "debugger",
    "action",
    "local_action",
    "args",
    "loop",
];

impl Lowering<'_> {
    /// The keywords as fields, without those of `skip`.
    pub(crate) fn fields(&mut self, keywords: &Keywords, skip: &[&str]) -> Fields {
        let mut out = Fields::new();
        for written in keywords.iter() {
            let name = written.keyword.name;
            if skip.contains(&name) || WITHOUT.contains(&name) {
                continue;
            }
            let field = self.field(written, keywords);
            if !field.is_null() {
                out.insert(name.to_owned(), field);
            }
        }
        out
    }

    fn field(&mut self, written: &Written, keywords: &Keywords) -> Json {
        match written.keyword.name {
            "tags" => written_tags(keywords).into(),
            "notify" | "listen" => match written.value.as_list() {
                Some(list) => list.iter().map(text).collect::<Vec<_>>().into(),
                None => vec![text(&written.value)].into(),
            },
            "name" => text(&written.value).into(),
            _ => {
                let value = self.value(&written.value);
                if value == Value::Null {
                    return Json::Null;
                }
                match written.keyword.name {
                    "module_defaults" => self.note_groups(&value),
                    "register" => self.warn_reserved_text(&written.value),
                    "vars" => {
                        if let Some(variables) = written.value.as_map() {
                            self.warn_reserved(variables);
                        }
                    }
                    _ => {}
                }
                json(&value)
            }
        }
    }

    /// Lets the plan say which modules the groups have that `module_defaults` names.
    fn note_groups(&mut self, defaults: &Value) {
        match defaults {
            Value::List(list) => list.iter().for_each(|one| self.note_groups(one)),
            Value::Map(map) => {
                for group in map.keys().filter_map(|name| name.strip_prefix("group/")) {
                    if self.plan.action_groups.contains_key(group) {
                        continue;
                    }
                    let modules = self.request.reader.action_group(group, self.request.path);
                    // One that is not known is told by the check of the plan.
                    if !modules.is_empty() {
                        self.plan.action_groups.insert(group.to_owned(), modules);
                    }
                }
            }
            _ => {}
        }
    }

    /// A part of a plan from its fields. What does not fit is noted as a problem.
    pub(crate) fn build<T: DeserializeOwned + Default>(
        &mut self,
        fields: Fields,
        at: Position,
    ) -> T {
        serde_json::from_value(Json::Object(fields)).unwrap_or_else(|e| {
            let message = e.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            let problem = match message.strip_prefix("unknown field `") {
                Some(rest) => Problem::error(format!(
                    "the keyword `{}` is not supported here yet",
                    rest.split('`').next().unwrap_or_default()
                )),
                None => Problem::error(format!("a keyword has a wrong value: {message}")),
            };
            self.problems.push(problem.at(at));
            T::default()
        })
    }
}

/// A value as JSON, its markers kept.
pub(crate) fn json(value: &Value) -> Json {
    serde_json::to_value(value).unwrap_or_default()
}

/// A scalar as text; empty for what is none.
pub(crate) fn text(node: &Node) -> String {
    use rustle_playbook::yaml::NodeValue;
    match &node.value {
        NodeValue::Bool(true) => "True".to_owned(),
        NodeValue::Bool(false) => "False".to_owned(),
        NodeValue::Int(i) => i.to_string(),
        NodeValue::Float(f) => format!("{f:?}"),
        NodeValue::Str(text) => text.text.to_string(),
        _ => String::new(),
    }
}
