//! What tasks may include at run time comes into the plan: the file or role that is named, or, where the name depends on the
//! run, every one that fits what is known of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustle_playbook::Severity;
use rustle_playbook::play::{Loop, Site, Task};
use rustle_playbook::roles::From;
use rustle_playbook::yaml::Node;

use crate::keywords::text;
use crate::lowering::Lowering;
use crate::roles::from_names;
use crate::wildcard::{fits, pattern};

/// How many folders deep files are looked for whose names depend on the run.
const DEPTH: usize = 3;

impl Lowering<'_> {
    /// Puts what a task may include into the plan.
    pub(crate) fn includes_of(&mut self, task: &Task, site: &Site) {
        match task.action.builtin() {
            Some("include_tasks") => self.included_files(task, site),
            Some("include_role") => self.included_roles(task, site),
            _ => {}
        }
    }

    fn included_files(&mut self, task: &Task, site: &Site) {
        let action = &task.action;
        let Some(named) = action
            .free
            .as_ref()
            .or(action.arg("file"))
            .or(action.arg("_raw_params"))
        else {
            return;
        };
        let reader = self.request.reader;
        let known: Vec<PathBuf> = task
            .candidates
            .iter()
            .filter(|path| reader.is_file(path))
            .cloned()
            .collect();
        if !known.is_empty() {
            for path in known {
                self.task_file(&path, site, Some(named));
            }
            return;
        }
        if self.files_of_items(task, named, site) {
            return;
        }
        let name = text(named);
        let Some(wanted) = pattern(&name) else {
            // The check of the plan names it, and so does the run where it is reached.
            return;
        };
        let wanted = wanted.trim_start_matches("./");
        let mut folders = reader.task_folders(site);
        if let Some(role) = site.role.as_ref().filter(|_| wanted.starts_with('*')) {
            folders.push(role.path.clone());
        }
        for folder in folders {
            for path in reader.yaml_below(&folder, DEPTH) {
                let below = path
                    .strip_prefix(&folder)
                    .unwrap_or(&path)
                    .to_string_lossy();
                // A name with a folder in front may lead anywhere: `{{ role_path }}/tasks/x.yml`.
                let fitting = fits(wanted, &below)
                    || (wanted.starts_with('*') && fits(wanted, &path.to_string_lossy()));
                if fitting {
                    self.task_file(&path, site, None);
                }
            }
        }
    }

    /// What `named` is for the items of a task's loop; none where that is not known before the run.
    fn names_of_items(&self, task: &Task, named: &Node, site: &Site) -> Option<Vec<String>> {
        let items = match &task.loop_ {
            Some(Loop::Items(items)) => items,
            Some(Loop::With { lookup, terms }) if matches!(lookup.as_str(), "items" | "list") => {
                terms
            }
            _ => return None,
        };
        let control = task.keywords.get("loop_control").and_then(Node::as_map);
        let variable = control
            .and_then(|map| map.get("loop_var"))
            .map_or("item".to_owned(), text);
        let reader = self.request.reader;
        let mut out = Vec::new();
        for item in items.as_list().unwrap_or_default() {
            let item_text = reader.rendered(item, site, &[]).ok()?;
            let item = Node::text(item_text, item.at);
            let variables = Node::map(
                vec![(Node::text(variable.as_str(), item.at), item.clone())],
                item.at,
            );
            let variables = variables.as_map().cloned().unwrap_or_default();
            out.push(reader.rendered(named, site, &[Arc::new(variables)]).ok()?);
        }
        Some(out)
    }

    /// Puts the files that the items of a loop name into the plan; whether all of them could be known.
    fn files_of_items(&mut self, task: &Task, named: &Node, site: &Site) -> bool {
        let Some(names) = self.names_of_items(task, named, site) else {
            return false;
        };
        let reader = self.request.reader;
        let mut found = Vec::new();
        for name in &names {
            let candidates = reader.task_folders(site);
            let candidates = candidates.iter().map(|folder| folder.join(name));
            found.extend(candidates.filter(|path| reader.is_file(path)).take(1));
        }
        for path in &found {
            self.task_file(path, site, None);
        }
        !found.is_empty()
    }

    /// Puts a file of tasks into the plan. One that is found by a pattern only (`asked` is none) may be something else.
    fn task_file(&mut self, path: &Path, site: &Site, asked: Option<&Node>) {
        let name = self.name_of(path);
        if self.plan.task_files.contains_key(&name) || self.no_tasks.contains(path) {
            return;
        }
        match self.request.reader.included_tasks(path, site) {
            Ok(entries) => {
                // In place first: a file may include itself.
                self.plan.task_files.insert(name.clone(), Vec::new());
                let mut inner = site.clone();
                inner.folder = path.parent().unwrap_or(Path::new("")).to_owned();
                let items = self.items(&entries, &inner);
                self.plan.task_files.insert(name, items);
            }
            Err(mut problem) => {
                // It fails where the run reaches it.
                if asked.is_some() {
                    problem.severity = Severity::Warning;
                    self.warnings.push(problem);
                }
                self.no_tasks.insert(path.to_owned());
            }
        }
    }

    fn included_roles(&mut self, task: &Task, site: &Site) {
        let Some(node) = task.action.arg("name").or(task.action.arg("role")) else {
            return;
        };
        let name = text(node);
        match pattern(&name) {
            None => self.included_role(&name, node, task, site, true),
            Some(wanted) => {
                // Only what is used may be refused.
                if let Some(names) = self.names_of_items(task, node, site)
                    && !names.is_empty()
                {
                    for name in names {
                        self.included_role(&name, node, task, site, true);
                    }
                    return;
                }
                for role in self.request.reader.roles_around(site) {
                    if fits(&wanted, &role) {
                        self.included_role(&role, node, task, site, false);
                    }
                }
            }
        }
    }

    fn included_role(&mut self, name: &str, node: &Node, task: &Task, site: &Site, asked: bool) {
        let from = from_names(&task.action);
        let templated = |name: &Option<String>| name.as_ref().and_then(|n| pattern(n));
        let wanted = templated(&from.tasks);
        let fixed = |name: &Option<String>| name.clone().filter(|n| pattern(n).is_none());
        let from = From {
            tasks: fixed(&from.tasks),
            vars: fixed(&from.vars),
            defaults: fixed(&from.defaults),
            handlers: fixed(&from.handlers),
            skip_validation: false,
        };
        let reader = self.request.reader;
        let used = match reader.included_role(name, node, from.clone(), site) {
            Ok(used) => used,
            Err(mut problem) => {
                // A task that is never reached may name what is not there.
                if asked {
                    problem.severity = Severity::Warning;
                    self.warnings.push(problem);
                }
                return;
            }
        };
        self.role(&used, &from);
        let Some(wanted) = wanted else {
            return;
        };
        let folder = used.role.path.join("tasks");
        for path in reader.yaml_below(&folder, DEPTH) {
            let below = path
                .strip_prefix(&folder)
                .unwrap_or(&path)
                .to_string_lossy();
            let stem = below.rsplit_once('.').map_or(&*below, |(stem, _)| stem);
            if fits(&wanted, stem) || fits(&wanted, &below) {
                let from = From {
                    tasks: Some(stem.to_owned()),
                    ..from.clone()
                };
                if let Ok(used) = reader.included_role(name, node, from.clone(), site) {
                    self.role(&used, &from);
                }
            }
        }
    }
}
