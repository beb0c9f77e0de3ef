//! The tasks of a playbook in order with their tags, as `--list-tasks` and `--list-tags` show them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::keywords::Keywords;
use super::model::{Entry, Play, Playbook, RoleUse, Task};
use super::reader::known_texts;
use super::tags::{Selection, written};
use crate::yaml::{Mapping, NodeValue};

/// A play's tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// The patterns of `hosts`.
    pub patterns: Vec<String>,
    /// The hosts that they pick, where they are to be shown.
    pub picked: Option<Vec<String>>,
    /// The name, or else the hosts.
    pub title: String,
    /// The play's own tags, in order.
    pub tags: Vec<String>,
    /// The tasks that the selection leaves.
    pub tasks: Vec<OutlineTask>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutlineTask {
    /// What is printed: `role : name`, or the module.
    pub label: String,
    /// All tags that apply.
    pub tags: BTreeSet<String>,
}

/// Tags from the outside in, and the role.
#[derive(Clone, Default)]
struct Around {
    tags: BTreeSet<String>,
    role: Option<String>,
}

/// The plays of a playbook with the tasks that a selection leaves. Of blocks, only the main part counts; what is included
/// during the run is not known here.
///
/// Tags may be templates: of the variables of the play and of `extra`, the extra variables. Those that need others stay as
/// they are written.
pub fn outline(playbook: &Playbook, selection: &Selection, extra: &[Arc<Mapping>]) -> Vec<Outline> {
    playbook
        .plays
        .iter()
        .map(|play| outline_play(play, selection, extra))
        .collect()
}

fn outline_play(play: &Play, selection: &Selection, extra: &[Arc<Mapping>]) -> Outline {
    // Those of the play itself are shown as they are written.
    let of_tasks = |keywords: &Keywords| rendered(written(keywords), play, extra);
    let mut tags = Vec::new();
    let outer = play.imports.iter().rev().map(|import| &import.keywords);
    for tag in std::iter::once(&play.keywords)
        .chain(outer)
        .flat_map(written)
    {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    let around = Around {
        tags: tags.iter().cloned().collect(),
        role: None,
    };
    let mut walk = Walk {
        selection,
        written: &of_tasks,
        tasks: Vec::new(),
    };
    walk.entries(&play.pre_tasks, &around);
    for role in &play.roles {
        walk.role(role, &around);
    }
    walk.entries(&play.tasks, &around);
    walk.entries(&play.post_tasks, &around);
    Outline {
        patterns: play.hosts.clone(),
        picked: None,
        title: play.title.clone(),
        tags,
        tasks: walk.tasks,
    }
}

/// Tags with their templates rendered, where they can be.
fn rendered(tags: Vec<String>, play: &Play, extra: &[Arc<Mapping>]) -> Vec<String> {
    if !tags.iter().any(|tag| tag.contains("{{")) {
        return tags;
    }
    let imports = play.imports.iter().map(|import| &import.keywords);
    let vars = imports.chain([&play.keywords]);
    let vars: Vec<Arc<Mapping>> = vars
        .filter_map(|keywords| match &keywords.get("vars")?.value {
            NodeValue::Map(map) => Some(map.clone()),
            _ => None,
        })
        .collect();
    let mut out = Vec::new();
    for tag in tags {
        match known_texts(&tag, &play.file, vars.clone(), extra) {
            Some(texts) => out.extend(texts),
            None => out.push(tag),
        }
    }
    out
}

/// The text of `--list-tasks`, of `--list-tags`, or of both; with the hosts of the plays that have them.
pub fn listing(plays: &[Outline], with_tasks: bool, with_tags: bool) -> String {
    let mut out = String::new();
    for (index, play) in plays.iter().enumerate() {
        let tags = play.tags.join(",");
        let (number, hosts, title) = (index + 1, play.patterns.join(","), &play.title);
        // Writing into a text cannot fail.
        let _ = writeln!(out, "\n  play #{number} ({hosts}): {title}\tTAGS: [{tags}]");
        if let Some(picked) = &play.picked {
            let quoted: Vec<String> = play.patterns.iter().map(|p| quoted(p)).collect();
            let _ = writeln!(out, "    pattern: [{}]", quoted.join(", "));
            let _ = writeln!(out, "    hosts ({}):", picked.len());
            for host in picked {
                let _ = writeln!(out, "      {host}");
            }
        }
        if with_tasks {
            out.push_str("    tasks:\n");
            for task in &play.tasks {
                let _ = writeln!(out, "      {}\tTAGS: [{}]", task.label, joined(&task.tags));
            }
        }
        if with_tags {
            let mut all: BTreeSet<String> = play.tags.iter().cloned().collect();
            all.extend(play.tasks.iter().flat_map(|task| task.tags.iter().cloned()));
            let _ = writeln!(out, "      TASK TAGS: [{}]", joined(&all));
        }
    }
    out
}

/// A text as Python's `repr()` shows it.
fn quoted(text: &str) -> String {
    if text.contains('\'') && !text.contains('"') {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
    }
}

fn joined(tags: &BTreeSet<String>) -> String {
    tags.iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

struct Walk<'s> {
    selection: &'s Selection,
    /// The tags that keywords set.
    written: &'s dyn Fn(&Keywords) -> Vec<String>,
    tasks: Vec<OutlineTask>,
}

impl Walk<'_> {
    fn within(&self, around: &Around, keywords: &Keywords) -> Around {
        let mut around = around.clone();
        around.tags.extend((self.written)(keywords));
        around
    }

    fn entries(&mut self, entries: &[Entry], around: &Around) {
        for entry in entries {
            match entry {
                Entry::Task(task) => self.task(task, around),
                Entry::Block(block) => {
                    self.entries(&block.block, &self.within(around, &block.keywords))
                }
                Entry::ImportTasks(import) => {
                    self.entries(&import.entries, &self.within(around, &import.task.keywords));
                }
                Entry::ImportRole(import) => {
                    self.role(&import.role, &self.within(around, &import.task.keywords));
                }
            }
        }
    }

    fn role(&mut self, role: &RoleUse, around: &Around) {
        let mut around = self.within(around, &role.keywords);
        for dependency in &role.dependencies {
            self.role(dependency, &around);
        }
        around.role = Some(role.role.name.clone());
        if let Some(validation) = &role.validation {
            let mut tags = around.tags.clone();
            tags.insert("always".to_owned());
            self.push(format!("{} : {}", role.role.name, validation.title()), tags);
        }
        self.entries(&role.tasks, &around);
    }

    fn task(&mut self, task: &Task, around: &Around) {
        // Ansible shows an included role by its task's own name.
        let role = around.role.as_ref();
        let role = role.filter(|_| task.action.builtin() != Some("include_role"));
        let label = match (task.name(), role) {
            (Some(name), Some(role)) => format!("{role} : {name}"),
            (Some(name), None) => name,
            (None, _) => task.action.name.clone(),
        };
        self.push(label, self.within(around, &task.keywords).tags);
    }

    fn push(&mut self, label: String, tags: BTreeSet<String>) {
        if self.selection.selects(&tags) {
            self.tasks.push(OutlineTask { label, tags });
        }
    }
}
