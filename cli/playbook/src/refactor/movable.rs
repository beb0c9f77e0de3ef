//! Whether a task means the same in a play of its own.

use rustle_template::Engine;

use super::delegates::Delegation;
use crate::play::{Keywords, Loop, Play, Task};
use crate::yaml::{Node, NodeValue};

/// Keywords of plays that mean nothing to a task in another play.
const OF_PLAYS: &[&str] = &[
    "hosts",
    "name",
    "tasks",
    "pre_tasks",
    "post_tasks",
    "roles",
    "handlers",
    "gather_facts",
    "vars",
    "serial",
    "strategy",
    "order",
    "max_fail_percentage",
    "any_errors_fatal",
    "gather_subset",
    "gather_timeout",
    "force_handlers",
];

/// Variables that are the same for every host.
const SHARED: &[&str] = &[
    "playbook_dir",
    "groups",
    "inventory_dir",
    "inventory_file",
    "ansible_version",
    "omit",
    "ansible_check_mode",
];

/// Keywords whose values are expressions.
const EXPRESSIONS: &[&str] = &["when", "until", "changed_when", "failed_when"];

/// Why a task cannot be moved out of its play, if it cannot. `rest`: the text of the file without the task.
pub(super) fn obstacle(play: &Play, found: &Delegation<'_>, rest: &str) -> Option<String> {
    let task = found.task;
    if !play.imports.is_empty() {
        return Some("its play is imported with keywords of its own".to_owned());
    }
    if let Some(word) = play
        .keywords
        .iter()
        .find(|w| !OF_PLAYS.contains(&w.keyword.name))
    {
        return Some(format!("`{}` of its play applies to it", word.keyword.name));
    }
    if task.action.is_local {
        return Some("it is a `local_action`: write the module itself first".to_owned());
    }
    if task.keywords.get("notify").is_some() {
        return Some("it notifies handlers of its play".to_owned());
    }
    if let Some(name) = task.keywords.get("register").and_then(Node::as_str)
        && words(rest).any(|word| word == name)
    {
        return Some(format!("its result `{name}` is used by others"));
    }
    if task.keywords.get("register").is_some() && !play.roles.is_empty() {
        return Some("its result may be used by the roles of its play".to_owned());
    }
    let own: Vec<&str> = task
        .keywords
        .get("vars")
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(|map| map.iter().filter_map(|(key, _)| key.as_str()))
        .chain(task.keywords.get("register").and_then(Node::as_str))
        .chain(task.loop_.is_some().then_some("item"))
        .collect();
    mentioned(task)
        .into_iter()
        .find(|name| !SHARED.contains(&name.as_str()) && !own.contains(&name.as_str()))
        .map(|name| format!("it uses the variable `{name}` of its hosts"))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
}

/// The variables that a task mentions.
fn mentioned(task: &Task) -> Vec<String> {
    let mut texts = Vec::new();
    for (key, value) in &task.action.args {
        collect(key, &mut texts);
        collect(value, &mut texts);
    }
    for node in task.action.free.iter().chain(&task.action.args_template) {
        collect(node, &mut texts);
    }
    match &task.loop_ {
        Some(Loop::Items(node) | Loop::With { terms: node, .. }) => collect(node, &mut texts),
        None => {}
    }
    of_keywords(&task.keywords, &mut texts);
    let engine = Engine::new();
    let mut out = Vec::new();
    for text in texts {
        match engine.check_syntax(&text) {
            Ok(analysis) => out.extend(analysis.mentioned.iter().map(|n| n.to_string())),
            // What cannot be read may mention anything.
            Err(_) => out.push(text),
        }
    }
    out
}

fn of_keywords(keywords: &Keywords, texts: &mut Vec<String>) {
    for written in keywords.iter() {
        let name = written.keyword.name;
        if matches!(name, "name" | "delegate_to" | "register" | "tags" | "loop") {
            continue;
        }
        if !EXPRESSIONS.contains(&name) {
            collect(&written.value, texts);
            continue;
        }
        let alone = std::slice::from_ref(&written.value);
        for node in written.value.as_list().unwrap_or(alone) {
            texts.extend(node.as_str().map(|text| format!("{{{{ {text} }}}}")));
        }
    }
}

fn collect(node: &Node, texts: &mut Vec<String>) {
    match &node.value {
        NodeValue::Str(text) if text.text.contains("{{") || text.text.contains("{%") => {
            texts.push(text.text.to_string());
        }
        NodeValue::List(items) => items.iter().for_each(|item| collect(item, texts)),
        NodeValue::Map(map) => map.iter().for_each(|(_, value)| collect(value, texts)),
        _ => {}
    }
}
