//! Lists of tasks: tasks, blocks, and which statement is what.

use super::action::{find_action, is_loop, short};
use super::include;
use super::keywords::{Keywords, Kind, Place, find, unknown};
use super::model::{Action, Block, Entry, Loop, Task, text_of};
use super::reader::{Reader, Scope};
use crate::problem::Problem;
use crate::yaml::{Mapping, Node, NodeValue};

impl Reader<'_> {
    /// A list of tasks and blocks. `of` says whose it is, for messages.
    pub(crate) fn entries(
        &self,
        list: &Node,
        of: &str,
        scope: &Scope,
    ) -> Result<Vec<Entry>, Problem> {
        let items = match &list.value {
            NodeValue::Null => return Ok(Vec::new()),
            NodeValue::List(items) => items,
            _ => {
                let problem = Problem::error(format!(
                    "A malformed block was encountered while loading {of}: {} should be a list or None but is {}",
                    text_of(list),
                    list.kind()
                ));
                return Err(problem.at(list.at).hint("every task begins with `- `"));
            }
        };
        items.iter().map(|item| self.entry(item, scope)).collect()
    }

    fn entry(&self, item: &Node, scope: &Scope) -> Result<Entry, Problem> {
        let Some(map) = item.as_map() else {
            let mut problem =
                Problem::error(format!("a task is a mapping, and this is {}", item.kind()))
                    .at(item.at);
            if let Some(text) = item.as_str() {
                problem = problem
                    .over(text.chars().count())
                    .hint(format!("a task without arguments is `- {text}:`"));
            }
            return Err(problem);
        };
        if ["block", "rescue", "always"]
            .iter()
            .any(|key| map.get(key).is_some())
        {
            return self
                .block(item, map, scope)
                .map(|block| Entry::Block(Box::new(block)));
        }
        self.task(item, map, scope)
    }

    fn block(&self, item: &Node, map: &Mapping, scope: &Scope) -> Result<Block, Problem> {
        let mut keywords = Keywords::default();
        for (key, value) in map {
            let name = text_of(key);
            match find(&name, Place::Block) {
                Some(keyword) => keywords.push(keyword, key, value),
                None => return Err(unknown(key, &name, Place::Block)),
            }
        }
        self.check_common(&keywords, Place::Block)?;
        if scope.handlers && scope.in_block {
            return Err(
                Problem::error("Using a block as a handler is not supported.")
                    .at(item.at)
                    .hint("a block among the handlers can have no other in it: write its tasks one after the other"),
            );
        }
        let mut scope = scope.with_vars(keywords.get("vars"));
        scope.in_block = true;
        if let Some(collections) = keywords.get("collections") {
            scope.collections = texts(collections);
        }
        let part = |name: &str| match keywords.get(name) {
            None => Ok(Vec::new()),
            Some(list) if list.as_list().is_none() => Err(Problem::error(format!(
                "`{name}` is a list of tasks, and this is {}",
                list.kind()
            ))
            .at(list.at)),
            Some(list) => self.entries(list, &format!("`{name}`"), &scope),
        };
        let (block, rescue, always) = (part("block")?, part("rescue")?, part("always")?);
        if let Some(written) = keywords.written("rescue").or(keywords.written("always"))
            && keywords.get("block").is_none()
        {
            return Err(Problem::error(format!(
                "'{}' keyword cannot be used without 'block'",
                written.keyword.name
            ))
            .at(written.key.at)
            .over(written.keyword.name.len()));
        }
        Ok(Block {
            at: item.at,
            keywords,
            block,
            rescue,
            always,
        })
    }

    fn task(&self, item: &Node, map: &Mapping, scope: &Scope) -> Result<Entry, Problem> {
        let place = if scope.handlers {
            Place::Handler
        } else {
            Place::Task
        };
        let mut keywords = Keywords::default();
        let mut loop_ = None;
        for (key, value) in map {
            let Some(name) = key.as_str() else { continue };
            if matches!(name, "action" | "local_action") {
                continue;
            }
            if let Some(keyword) = find(name, place) {
                if name == "loop" {
                    loop_ = Some(Loop::Items(value.clone()));
                }
                keywords.push(keyword, key, value);
            } else if is_loop(name) {
                if loop_.is_some() {
                    let lookup = &name["with_".len()..];
                    return Err(Problem::error(format!("duplicate loop in task: {lookup}"))
                        .at(key.at)
                        .over(name.chars().count())
                        .hint(
                            "a task has one loop: nest them by `include_tasks`, or with `product`",
                        )
                        .general());
                }
                loop_ = Some(Loop::With {
                    lookup: name["with_".len()..].to_owned(),
                    terms: value.clone(),
                });
            }
        }
        let action = find_action(item, map, &keywords, place)?;
        if let Some((key, _)) = map.entry("listen")
            && place == Place::Task
        {
            return Err(unknown(key, "listen", Place::Task));
        }
        self.check_common(&keywords, place)?;
        self.check_loop(map, &keywords, scope)?;
        let mut task = Task {
            at: item.at,
            action,
            keywords,
            loop_,
            candidates: Vec::new(),
        };
        let mut scope = scope.with_vars(task.keywords.get("vars"));
        if let Some(collections) = task.keywords.get("collections") {
            scope.collections = texts(collections);
        }
        if include::is_statement(&task.action.name) {
            task.action.module = format!("ansible.builtin.{}", short(&task.action.name));
            return self.include(task, &scope);
        }
        task.action.module = self.resolve_module(&task.action, &scope)?;
        if task.action.builtin() == Some("include_vars") {
            task.candidates = self.vars_candidates(&task, &scope);
        }
        Ok(Entry::Task(Box::new(task)))
    }

    /// `vars` is a mapping, and `tags` are text.
    pub(crate) fn check_common(&self, keywords: &Keywords, place: Place) -> Result<(), Problem> {
        super::tags::check(keywords)?;
        super::names::check(keywords)?;
        super::kinds::check(keywords, place)?;
        match keywords.get("vars") {
            Some(vars) if !matches!(vars.value, NodeValue::Null | NodeValue::Map(_)) => {
                Err(Problem::error(format!(
                    "Vars in a {} must be specified as a dictionary.",
                    place.class()
                ))
                .at(vars.at)
                .note(format!("this is {}", vars.kind())))
            }
            _ => Ok(()),
        }
    }

    fn check_loop(&self, map: &Mapping, keywords: &Keywords, scope: &Scope) -> Result<(), Problem> {
        for (key, value) in map {
            let name = text_of(key);
            if name.starts_with("with_") && value.is_null() {
                return Err(Problem::error(format!("`{name}` loops over nothing"))
                    .at(key.at)
                    .over(name.chars().count())
                    .hint("write an empty list, or take it out"));
            }
            if let Some(lookup) = name.strip_prefix("with_")
                && !LOOKUPS.contains(&short(lookup))
                && !self.collections.has_lookup(self, lookup, scope)
                && !self.has_local_lookup(lookup, scope)
            {
                let mut problem =
                    Problem::error(format!("there is no lookup `{lookup}`, as `{name}` wants"))
                        .at(key.at)
                        .over(name.chars().count());
                if let Some(near) = rustle_formats::nearest(lookup, LOOKUPS) {
                    problem = problem.hint(format!("did you mean `with_{near}`?"));
                }
                return Err(problem);
            }
        }
        let Some(control) = keywords.get("loop_control") else {
            return Ok(());
        };
        match &control.value {
            NodeValue::Map(map) => map.iter().try_for_each(|(key, value)| {
                let name = text_of(key);
                match find(&name, Place::LoopControl) {
                    Some(known) if known.kind == Kind::Text => super::kinds::text(&name, value),
                    Some(_) => Ok(()),
                    None => Err(unknown(key, &name, Place::LoopControl)),
                }
            }),
            _ => Err(Problem::error(format!(
                "`loop_control` is a mapping, and this is {}",
                control.kind()
            ))
            .at(control.at)),
        }
    }

    /// Whether a lookup is in a `lookup_plugins` next to the playbook or in the role.
    fn has_local_lookup(&self, name: &str, scope: &Scope) -> bool {
        let role = scope.role.as_ref().map(|role| role.path.as_path());
        [Some(scope.playbook_dir.as_path()), role]
            .into_iter()
            .flatten()
            .any(|folder| {
                self.files
                    .is_file(&folder.join("lookup_plugins").join(format!("{name}.py")))
            })
    }

    /// The full name of a module, redirects followed.
    fn resolve_module(&self, action: &Action, scope: &Scope) -> Result<String, Problem> {
        if action.name.contains("{{") {
            return Ok(action.name.clone());
        }
        self.collections
            .module(self, action, scope)
            .map_err(|problem| problem.at(action.at).over(action.name.chars().count()))
    }
}

/// The lookups of ansible.builtin.
const LOOKUPS: &[&str] = &[
    "config",
    "csvfile",
    "dict",
    "env",
    "file",
    "fileglob",
    "first_found",
    "indexed_items",
    "ini",
    "inventory_hostnames",
    "items",
    "lines",
    "list",
    "nested",
    "password",
    "pipe",
    "random_choice",
    "sequence",
    "subelements",
    "template",
    "together",
    "unvault",
    "url",
    "varnames",
    "vars",
    // Redirected to collections.
    "cartesian",
    "flattened",
    "hashi_vault",
    "redis",
    "dig",
    "etcd",
    "consul_kv",
    "k8s",
    "passwordstore",
];

/// The texts of a list, or of a text with commas.
pub(crate) fn texts(node: &Node) -> Vec<String> {
    match node.as_list() {
        Some(list) => list.iter().map(text_of).collect(),
        None => text_of(node)
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect(),
    }
}
