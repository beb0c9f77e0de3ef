//! The controller's files that tasks name, which packing must put into the artifact.

use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use rustle_formats::plan::{ExecutionPlan, Source};
use rustle_formats::{Map, Value};
use rustle_template::{Engine, Error, Scope, Value as Rendered};

use super::defined::Defined;
use super::escaped;
use super::places::Tree;
use crate::args::boolean;
use crate::engine::{Frame, Level};
use crate::modules;
use crate::spec::Spec;
use crate::vars::Groups;

/// More names than this from one argument are not told one by one; their folder is asked for.
const MAX_NAMES: usize = 4096;

/// The variables of more hosts than this are not asked: a name that differs among so many is as good as unknown.
const MAX_HOSTS: usize = 256;

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
    let tree = Tree::of(plan);
    let defined = Defined::of(plan, &tree, &[]);
    requests(plan, &tree, &defined)
}

pub(super) fn requests<'p>(
    plan: &'p ExecutionPlan,
    tree: &Tree<'p>,
    defined: &Defined<'p>,
) -> Vec<AssetRequest> {
    let mut known = Known {
        plan,
        defined,
        engine: Engine::new(),
        groups: None,
        plays: HashMap::new(),
    };
    let mut out = Vec::new();
    for (index, placed) in tree.tasks.iter().enumerate() {
        let Some(module) = modules::find(&placed.task.module) else {
            continue;
        };
        let spec = module.spec();
        let Some(frame) = spec
            .all_args()
            .any(|a| a.asset)
            .then(|| tree.frame(plan, placed))
            .flatten()
        else {
            continue;
        };
        let mut args = crate::engine::with_defaults(plan, &frame, spec);
        args.extend(placed.task.args.clone());
        crate::engine::name_free_form(spec, &mut args);
        // `copy` is what `unarchive` once called the opposite of `remote_src`.
        let on_target = args.get("remote_src").and_then(boolean) == Some(true)
            || spec.name == "unarchive" && args.get("copy").and_then(boolean) == Some(false);
        if on_target {
            continue;
        }
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
            let pointer = format!("{}/args/{}", placed.pointer, escaped(written));
            for wanted in known.names_of(&frame, placed.play, &text) {
                out.push(AssetRequest {
                    wanted,
                    kind: kind_of(spec),
                    folders: frame.folders(),
                    task: placed.task.id.clone(),
                    name: placed.task.name.clone(),
                    source: placed.task.source.clone(),
                    pointer: pointer.clone(),
                    index,
                });
            }
        }
    }
    out
}

/// The conventional folder of a module's files.
fn kind_of(spec: &Spec) -> &'static str {
    match spec.name {
        "template" => "templates",
        _ => "files",
    }
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

type Variables = HashMap<String, Rendered>;

/// Renders names with what is known before running.
struct Known<'s, 'p> {
    plan: &'p ExecutionPlan,
    defined: &'s Defined<'p>,
    engine: Engine<'static>,
    groups: Option<Groups>,
    /// What each host knows in a play.
    plays: HashMap<usize, Rc<[Variables]>>,
}

/// A task's own variables over those of its play.
struct Layered<'s> {
    own: Variables,
    play: &'s Variables,
}

impl Scope for Layered<'_> {
    fn get(&self, name: &str) -> Result<Option<Rendered>, Error> {
        Ok(self.own.get(name).or_else(|| self.play.get(name)).cloned())
    }

    fn names(&self) -> Vec<String> {
        self.own.keys().chain(self.play.keys()).cloned().collect()
    }
}

impl Known<'_, '_> {
    /// All names that a text can stand for.
    fn names_of(&mut self, frame: &Frame<'_>, play: usize, text: &str) -> Vec<Wanted> {
        if !text.contains("{{") && !text.contains("{%") {
            return vec![Wanted::File(text.to_owned())];
        }
        match self.rendered(frame, play, text) {
            Some(names) if !names.is_empty() => names.into_iter().map(Wanted::File).collect(),
            _ => vec![Wanted::Folder(static_folder(text))],
        }
    }

    /// The names, if they depend on nothing but what the plan says. Each host has its own variables.
    fn rendered(&mut self, frame: &Frame<'_>, play: usize, text: &str) -> Option<BTreeSet<String>> {
        let analysis = self.engine.check_syntax(text).ok()?;
        let task = frame.task;
        let control = task.loop_control.as_ref();
        let item = control
            .and_then(|c| c.loop_var.as_deref())
            .unwrap_or("item");
        let looped = task.loop_.is_some() && analysis.mentioned.iter().any(|n| &**n == item);
        let shared = frame
            .around
            .iter()
            .any(|level| !matches!(level, Level::Block(_)));
        let dynamic = |n: &str| self.defined.is_dynamic_in(n, shared) && !(looped && n == item);
        if analysis.mentioned.iter().any(|n| dynamic(n)) || !analysis.lookups.is_empty() {
            return None;
        }
        let mut out = BTreeSet::new();
        let hosts = self.hosts(frame, play);
        for host in hosts.iter() {
            let mut scope = Layered {
                own: self.own(frame),
                play: host,
            };
            if !looped {
                out.insert(self.render(&scope, text)?);
                continue;
            }
            for value in self.items(frame, &scope)? {
                scope.own.insert(item.to_owned(), value);
                out.insert(self.render(&scope, text)?);
                if out.len() > MAX_NAMES {
                    return None;
                }
            }
        }
        Some(out)
    }

    fn items(&self, frame: &Frame<'_>, scope: &Layered<'_>) -> Option<Vec<Rendered>> {
        let written = frame.task.loop_.as_ref()?;
        if let Value::Str(text) = written {
            let analysis = self.engine.check_syntax(text).ok()?;
            if analysis
                .mentioned
                .iter()
                .any(|n| self.defined.is_dynamic(n))
            {
                return None;
            }
        }
        let raw = Rendered::from_formats(written, true);
        match self.engine.template_value(scope, &raw).ok()? {
            Rendered::List(list) => Some(list.to_vec()),
            _ => None,
        }
    }

    fn render(&self, scope: &Layered<'_>, text: &str) -> Option<String> {
        let raw = Rendered::trusted(text);
        let value = self.engine.template_value(scope, &raw).ok()?;
        value.as_str().map(str::to_owned)
    }

    /// What each host of the plan knows in a play; one scope where there are no hosts.
    fn hosts(&mut self, frame: &Frame<'_>, play: usize) -> Rc<[Variables]> {
        if let Some(known) = self.plays.get(&play) {
            return known.clone();
        }
        let plan = self.plan;
        let groups = self.groups.get_or_insert_with(|| Groups::of(plan));
        let all = groups.all().get("all").map_or(&[][..], Vec::as_slice);
        let mut hosts: Vec<&str> = all.iter().map(String::as_str).take(MAX_HOSTS).collect();
        if hosts.is_empty() {
            hosts.push("localhost");
        }
        let scopes: Rc<[Variables]> = hosts
            .iter()
            .map(|host| {
                let mut scope = Variables::new();
                add(&mut scope, &crate::vars::inventory_of(plan, groups, host));
                add(&mut scope, &frame.play.vars);
                for vars in frame.play.all_vars_files() {
                    add(&mut scope, vars);
                }
                scope.insert("inventory_hostname".into(), Rendered::str(*host));
                scope
            })
            .collect();
        self.plays.insert(play, scopes.clone());
        scopes
    }

    /// The variables of a task and of the blocks around it, and what is stronger.
    fn own(&self, frame: &Frame<'_>) -> Variables {
        let mut own = Variables::new();
        for block in frame.blocks() {
            add(&mut own, &block.vars);
        }
        add(&mut own, &frame.task.vars);
        add(&mut own, &self.plan.extra_vars);
        own
    }
}

fn add(scope: &mut Variables, vars: &Map) {
    for (name, value) in vars {
        scope.insert(name.clone(), Rendered::from_formats(value, true));
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
