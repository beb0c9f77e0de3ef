//! Plays: their keywords, their variables, and their tasks in batches between which handlers run.

use std::sync::Arc;

use rustle_formats::plan::{Item, PlayPlan, TaskBatch};
use rustle_formats::{Map, Value};
use rustle_playbook::Problem;
use rustle_playbook::play::{Play, Site, written_tags};
use rustle_playbook::yaml::{Mapping, Node, NodeValue};

use crate::entries::truth;
use crate::keywords::{json, text};
use crate::lowering::Lowering;

/// Keywords of a play that have fields of their own in the model, or are made of something else.
const APART: &[&str] = &[
    "hosts",
    "name",
    "roles",
    "tasks",
    "pre_tasks",
    "post_tasks",
    "handlers",
    "vars",
    "vars_files",
    "vars_prompt",
    "gather_facts",
    "tags",
];

/// The strategies that there are.
const STRATEGIES: &[&str] = &["linear", "free", "host_pinned", "debug"];

impl Lowering<'_> {
    /// A play.
    pub(crate) fn play(&mut self, index: usize, play: &Play) -> PlayPlan {
        let mut fields = self.fields(&play.keywords, APART);
        // Of an import's keywords, Ansible follows `vars`, `when` and `tags`, and accepts the others without any effect.
        for name in ["force_handlers", "strategy", "order"] {
            if let Some(node) = play.keywords.get(name)
                && text(node).contains("{{")
                && let Some(value) = self.known(node, play)
            {
                let value = truth(&value)
                    .filter(|_| name == "force_handlers")
                    .map_or(value, Value::Bool);
                fields.insert(name.to_owned(), json(&value));
            }
        }
        let conditions: Vec<_> = play
            .imports
            .iter()
            .filter_map(|import| import.keywords.get("when"))
            .flat_map(|when| match when.as_list() {
                Some(list) => list.to_vec(),
                None => vec![when.clone()],
            })
            .collect();
        let conditions: Vec<_> = conditions.iter().map(|c| json(&self.value(c))).collect();
        if !conditions.is_empty() {
            fields.insert("when".to_owned(), conditions.into());
        }
        // A plan's plays have none: their tasks do.
        let once = fields.remove("run_once");
        let mut out: PlayPlan = self.build(fields, play.at);
        self.check_strategy(&out, play);
        out.play_id = format!("p{}", index + 1);
        out.name.clone_from(&play.title);
        out.hosts.clone_from(&self.request.hosts[index]);
        out.source = Some(self.source(play.at));
        out.tags = play
            .imports
            .iter()
            .flat_map(|i| written_tags(&i.keywords))
            .collect();
        out.tags.extend(written_tags(&play.keywords));
        out.gather_facts = Some(self.gathers(play));
        let site = Site::of_play(&play.file, play.keywords.get("collections"));
        self.play_variables(&mut out, play, &site);
        self.batches(&mut out, play, &site);
        out.handlers = self.handlers(&play.handlers, &site);
        if let Some(once) = once.and_then(|value| serde_json::from_value(value).ok()) {
            run_once(&mut out, &once);
        }
        out
    }

    fn check_strategy(&mut self, made: &PlayPlan, play: &Play) {
        let Some(strategy) = made.strategy.as_deref().filter(|s| !s.contains("{{")) else {
            return;
        };
        if !STRATEGIES.contains(&strategy.rsplit('.').next().unwrap_or(strategy)) {
            let node = play.keywords.get("strategy");
            self.problems.push(
                Problem::error(format!("there is no strategy `{strategy}`"))
                    .general()
                    .at(node.map_or(play.at, |n| n.at))
                    .over(strategy.chars().count())
                    .hint(format!("the strategies are {}", STRATEGIES.join(", "))),
            );
        }
    }

    /// A keyword of a play that must be known now.
    fn known(&mut self, node: &Node, play: &Play) -> Option<Value> {
        let site = Site::of_play(&play.file, None);
        let rendered = self.request.reader.rendered(node, &site, &mappings(play));
        let noted = rendered.map_err(|problem| self.problems.push(problem));
        noted.ok().map(Value::from)
    }

    fn gathers(&mut self, play: &Play) -> bool {
        let Some(node) = play.keywords.get("gather_facts").filter(|n| !n.is_null()) else {
            return self.request.gather;
        };
        let value = self.value(node);
        truth(&value).unwrap_or_else(|| {
            let site = Site::of_play(&play.file, None);
            let vars = mappings(play);
            let rendered = self.request.reader.rendered(node, &site, &vars);
            let known = rendered.and_then(|text| {
                truth(&text.as_str().into()).ok_or_else(|| {
                    Problem::error(format!("`gather_facts` is true or false, not `{text}`"))
                        .at(node.at)
                })
            });
            known.unwrap_or_else(|problem| {
                self.problems.push(problem);
                false
            })
        })
    }

    fn play_variables(&mut self, out: &mut PlayPlan, play: &Play, site: &Site) {
        for import in &play.imports {
            let vars = self.map(import.keywords.get("vars"));
            out.vars.extend(vars);
        }
        match play.keywords.get("vars") {
            Some(node) if node.as_list().is_some() => {
                for part in node.as_list().unwrap_or_default() {
                    let vars = self.map(Some(part));
                    self.lay(&mut out.vars, vars);
                }
            }
            vars => {
                let vars = self.map(vars);
                out.vars.extend(vars);
            }
        }
        let mut prompted = Map::new();
        for prompt in play
            .keywords
            .get("vars_prompt")
            .and_then(Node::as_list)
            .unwrap_or_default()
        {
            let Some(name) = prompt.as_map().and_then(|m| m.get("name")).map(text) else {
                continue;
            };
            if let Some(value) = self.request.prompted.get(&name) {
                prompted.insert(name, value.clone());
            }
        }
        if !prompted.is_empty() {
            out.vars_files.push(prompted);
        }
        let files = play.keywords.get("vars_files").filter(|n| !n.is_null());
        if let Some(files) = files {
            self.variables_files(out, files, mappings(play), site);
        }
    }

    fn batches(&mut self, out: &mut PlayPlan, play: &Play, site: &Site) {
        let mut batch = |id: &str, tasks: Vec<Item>| {
            if !tasks.is_empty() {
                out.batches.push(TaskBatch {
                    batch_id: id.to_owned(),
                    tasks,
                    flush_handlers: Some(true),
                    ..TaskBatch::default()
                });
            }
        };
        batch("pre_tasks", self.items(&play.pre_tasks, site));
        let mut tasks: Vec<Item> = play
            .roles
            .iter()
            .map(|role| Item::Block(Box::new(self.role_block(role))))
            .collect();
        tasks.extend(self.items(&play.tasks, site));
        batch("tasks", tasks);
        batch("post_tasks", self.items(&play.post_tasks, site));
    }
}

/// Hands `run_once` down to what does not say otherwise.
fn run_once(play: &mut PlayPlan, once: &Value) {
    let own = |field: &mut Option<Value>| {
        field.get_or_insert_with(|| once.clone());
    };
    for item in play.batches.iter_mut().flat_map(|batch| &mut batch.tasks) {
        match item {
            Item::Task(task) => own(&mut task.run_once),
            Item::Block(block) => own(&mut block.run_once),
        }
    }
    play.handlers
        .iter_mut()
        .for_each(|task| own(&mut task.run_once));
}

/// The variables that names of files in the play may be templated with.
fn mappings(play: &Play) -> Vec<Arc<Mapping>> {
    let imports = play.imports.iter().map(|import| &import.keywords);
    imports
        .chain([&play.keywords])
        .filter_map(|keywords| match &keywords.get("vars")?.value {
            NodeValue::Map(map) => Some(map.clone()),
            _ => None,
        })
        .collect()
}
