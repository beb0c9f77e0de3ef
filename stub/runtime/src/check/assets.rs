//! The controller's files that tasks name, which packing must put into the artifact.

use std::collections::{BTreeSet, HashMap};

use rustle_formats::plan::{ExecutionPlan, Source};
use rustle_formats::{Map, Value};
use rustle_template::{Engine, Value as Rendered};

use super::names::Names;
use super::walk::{self, Placed, escaped};
use crate::args::boolean;
use crate::modules;

/// More names than this from one argument are not told one by one; their folder is asked for.
const MAX_NAMES: usize = 4096;

/// What packing must look for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// The file or folder of this name, as the task has it.
    File(String),
    /// Everything in this folder, because the name is only known when running. Empty: the conventional folder itself.
    Folder(String),
}

/// Files of the controller that a task needs.
#[derive(Debug, Clone, PartialEq)]
pub struct AssetRequest {
    /// What to look for.
    pub wanted: Wanted,
    /// The conventional folder that is searched first: `files` or `templates`.
    pub kind: &'static str,
    /// The task's folders of assets, searched before the root.
    pub folders: Vec<String>,
    /// The task's id.
    pub task: String,
    /// The task's name.
    pub name: String,
    /// Where the task was written.
    pub source: Option<Source>,
    /// The JSON pointer of the argument.
    pub pointer: String,
    /// Which task, in the order of the document.
    pub(super) index: usize,
}

/// All files that the tasks of a plan name.
pub fn asset_requests(plan: &ExecutionPlan) -> Vec<AssetRequest> {
    let placed = walk::tasks(plan);
    let names = Names::of(plan, &placed, &[]);
    requests(plan, &placed, &names)
}

pub(super) fn requests(
    plan: &ExecutionPlan,
    placed: &[Placed<'_>],
    names: &Names,
) -> Vec<AssetRequest> {
    let engine = Engine::new();
    let mut out = Vec::new();
    for (index, task) in placed.iter().enumerate() {
        let Some(module) = modules::find(&task.frame.task.module) else {
            continue;
        };
        let spec = module.spec();
        let mut args = crate::engine::with_defaults(&task.frame, spec);
        args.extend(task.frame.task.args.clone());
        crate::engine::name_free_form(spec, &mut args);
        if args.get("remote_src").and_then(boolean) == Some(true) {
            continue;
        }
        let kind = if spec.name == "template" {
            "templates"
        } else {
            "files"
        };
        for arg in spec.all_args().filter(|a| a.asset) {
            let found = std::iter::once(arg.name)
                .chain(arg.aliases.iter().copied())
                .find_map(|n| args.get(n).map(|v| (n, v)));
            let Some((written, Value::Str(text))) = found else {
                continue;
            };
            // A script is named with its arguments; a unit of work may name several words.
            let text = match spec.name {
                "script" => first_word(text),
                _ => text.clone(),
            };
            let fixed = Static {
                plan,
                task,
                names,
                engine: &engine,
            };
            for wanted in fixed.names_of(&text) {
                out.push(AssetRequest {
                    wanted,
                    kind,
                    folders: task.frame.task.asset_paths.clone(),
                    task: task.frame.task.id.clone(),
                    name: task.frame.task.name.clone(),
                    source: task.frame.task.source.clone(),
                    pointer: format!("{}/args/{}", task.pointer, escaped(written)),
                    index,
                });
            }
        }
    }
    out
}

/// The first word of a command, quotes taken off. A template counts as one word.
pub(super) fn first_word(text: &str) -> String {
    let text = text.trim_start();
    if let Some(quote) = text.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        return text[1..].split(quote).next().unwrap_or_default().to_owned();
    }
    let mut depth = 0usize;
    let mut end = text.len();
    for (i, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() && depth == 0 => {
                end = i;
                break;
            }
            _ => {}
        }
    }
    text[..end].to_owned()
}

/// Renders names with what is known before running.
struct Static<'s, 'p> {
    plan: &'s ExecutionPlan,
    task: &'s Placed<'p>,
    names: &'s Names,
    engine: &'s Engine<'static>,
}

impl Static<'_, '_> {
    /// All names that a text can stand for.
    fn names_of(&self, text: &str) -> Vec<Wanted> {
        if !text.contains("{{") && !text.contains("{%") {
            return vec![Wanted::File(text.to_owned())];
        }
        match self.rendered(text) {
            Some(names) if !names.is_empty() => names.into_iter().map(Wanted::File).collect(),
            _ => vec![Wanted::Folder(static_folder(text))],
        }
    }

    /// The names, if they depend on nothing but what the plan says. Each host has its own variables.
    fn rendered(&self, text: &str) -> Option<BTreeSet<String>> {
        let analysis = self.engine.check_syntax(text).ok()?;
        let task = self.task.frame.task;
        let control = task.loop_control.as_ref();
        let item = control
            .and_then(|c| c.loop_var.as_deref())
            .unwrap_or("item");
        let looped = task.loop_.is_some() && analysis.mentioned.iter().any(|n| &**n == item);
        let dynamic = |n: &str| self.names.is_dynamic(n) && !(looped && n == item);
        if analysis.mentioned.iter().any(|n| dynamic(n)) || !analysis.lookups.is_empty() {
            return None;
        }
        let mut out = BTreeSet::new();
        for scope in self.scopes() {
            if !looped {
                out.insert(self.render(&scope, text)?);
                continue;
            }
            for value in self.items(&scope)? {
                let mut scope = scope.clone();
                scope.insert(item.to_owned(), value);
                out.insert(self.render(&scope, text)?);
                if out.len() > MAX_NAMES {
                    return None;
                }
            }
        }
        Some(out)
    }

    fn items(&self, scope: &HashMap<String, Rendered>) -> Option<Vec<Rendered>> {
        let written = self.task.frame.task.loop_.as_ref()?;
        if let Value::Str(text) = written {
            let analysis = self.engine.check_syntax(text).ok()?;
            if analysis.mentioned.iter().any(|n| self.names.is_dynamic(n)) {
                return None;
            }
        }
        let raw = Rendered::from_formats(written, true);
        match self.engine.template_value(scope, &raw).ok()? {
            Rendered::List(list) => Some(list.to_vec()),
            _ => None,
        }
    }

    fn render(&self, scope: &HashMap<String, Rendered>, text: &str) -> Option<String> {
        let raw = Rendered::trusted(text);
        let value = self.engine.template_value(scope, &raw).ok()?;
        value.as_str().map(str::to_owned)
    }

    /// What each host of the plan knows: one scope where hosts have no variables of their own.
    fn scopes(&self) -> Vec<HashMap<String, Rendered>> {
        let groups = crate::vars::Groups::of(self.plan);
        let hosts: Vec<&str> = groups
            .all()
            .get("all")
            .map(|l| l.iter().map(String::as_str).take(256).collect())
            .unwrap_or_default();
        let hosts = if hosts.is_empty() {
            vec!["localhost"]
        } else {
            hosts
        };
        hosts.iter().map(|host| self.scope(&groups, host)).collect()
    }

    fn scope(&self, groups: &crate::vars::Groups, host: &str) -> HashMap<String, Rendered> {
        let mut scope = HashMap::new();
        let mut add = |vars: &Map| {
            for (name, value) in vars {
                scope.insert(name.clone(), Rendered::from_formats(value, true));
            }
        };
        add(&crate::vars::inventory_of(self.plan, groups, host));
        let frame = &self.task.frame;
        add(&frame.play.vars);
        frame.play.vars_files.iter().for_each(&mut add);
        frame.blocks.iter().for_each(|b| add(&b.vars));
        add(&frame.task.vars);
        add(&self.plan.extra_vars);
        scope.insert("inventory_hostname".into(), Rendered::str(host));
        scope
    }
}

/// The part of a templated name before the template, up to its last `/`.
pub(super) fn static_folder(text: &str) -> String {
    let fixed = text
        .find("{{")
        .into_iter()
        .chain(text.find("{%"))
        .min()
        .map_or(text, |at| &text[..at]);
    fixed
        .rsplit_once('/')
        .map_or(String::new(), |(folder, _)| folder.to_owned())
}
