//! Roles: each once in the plan, with all the files of it that some use names.

use rustle_formats::Map;
use rustle_formats::plan::{Block, MAIN, RolePlan, RoleUse};
use rustle_playbook::play::{Action, RoleUse as PlayRoleUse, Site};
use rustle_playbook::roles::From;
use rustle_playbook::yaml::Node;

use crate::keywords::{json, text};
use crate::lowering::Lowering;

/// The `…_from` of an `import_role` or `include_role`.
pub(crate) fn from_names(action: &Action) -> From<String> {
    let name = |key: &str| action.arg(key).map(text).filter(|name| !name.is_empty());
    From {
        tasks: name("tasks_from"),
        vars: name("vars_from"),
        defaults: name("defaults_from"),
        handlers: name("handlers_from"),
        skip_validation: false,
    }
}

/// A file's name as the plan has it: without its ending.
fn part(name: Option<&String>) -> String {
    let name = name.map_or(MAIN, String::as_str);
    let cut = [".yml", ".yaml", ".json"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    cut.unwrap_or(name).to_owned()
}

impl Lowering<'_> {
    /// An entry of `roles:` or a dependency, as a block.
    pub(crate) fn role_block(&mut self, entry: &PlayRoleUse) -> Block {
        let fields = self.fields(&entry.keywords, &["role", "name"]);
        let mut out: Block = self.build(fields, entry.at);
        out.source = Some(self.source(entry.at));
        out.use_role = Some(Box::new(self.role_use(entry, &From::default())));
        out
    }

    /// A use of a role. The role comes into the plan.
    pub(crate) fn role_use(&mut self, entry: &PlayRoleUse, from: &From<String>) -> RoleUse {
        let key = self.role(entry, from);
        let params = self.entries_map(&entry.params);
        for (key, _) in &entry.params {
            self.warn_reserved_text(key);
        }
        let name = |name: &Option<String>| name.as_ref().map(|n| part(Some(n)));
        RoleUse {
            role: key,
            params,
            tasks_from: name(&from.tasks),
            vars_from: name(&from.vars),
            defaults_from: name(&from.defaults),
            handlers_from: name(&from.handlers),
            ..RoleUse::default()
        }
    }

    /// Puts a role, as far as this use needs it, into the plan, and gives its key.
    pub(crate) fn role(&mut self, entry: &PlayRoleUse, from: &From<String>) -> String {
        let role = &entry.role;
        let key = self.role_key(&role.called, &role.path);
        if !self.plan.roles.contains_key(&key) {
            self.plan.roles.insert(
                key.clone(),
                RolePlan {
                    name: role.name.clone(),
                    collection: role.collection.clone(),
                    path: self.name_of(&role.path),
                    allow_duplicates: role.allow_duplicates.then_some(true),
                    ..RolePlan::default()
                },
            );
            let dependencies = entry.dependencies.iter();
            let dependencies = dependencies.map(|d| self.role_block(d)).collect();
            self.plan.roles[&key].dependencies = dependencies;
        }
        let site = Site {
            playbook_dir: self.request.path.parent().unwrap_or("".as_ref()).to_owned(),
            folder: role.path.join("tasks"),
            role: Some(role.clone()),
            handlers: false,
            collections: role.collection.iter().cloned().collect(),
        };
        self.variables(&key, entry, from);
        let tasks = part(from.tasks.as_ref());
        if !self.plan.roles[&key].tasks.contains_key(&tasks) {
            // In place first: a role may include itself.
            self.plan.roles[&key]
                .tasks
                .insert(tasks.clone(), Vec::new());
            let items = self.items(&entry.tasks, &site);
            self.plan.roles[&key].tasks.insert(tasks, items);
        }
        let handlers = part(from.handlers.as_ref());
        if !self.plan.roles[&key].handlers.contains_key(&handlers) {
            self.plan.roles[&key]
                .handlers
                .insert(handlers.clone(), Vec::new());
            let site = Site {
                folder: role.path.join("handlers"),
                ..site
            };
            let made = self.handlers(&entry.handlers, &site);
            self.plan.roles[&key].handlers.insert(handlers, made);
        }
        key
    }

    /// The key of the role in this folder.
    fn role_key(&mut self, name: &str, path: &std::path::Path) -> String {
        if let Some((key, _)) = self.role_paths.iter().find(|(_, known)| *known == path) {
            return key.clone();
        }
        let key = if self.role_paths.contains_key(name) {
            self.name_of(path)
        } else {
            name.to_owned()
        };
        self.role_paths.insert(key.clone(), path.to_owned());
        key
    }

    fn variables(&mut self, key: &str, entry: &PlayRoleUse, from: &From<String>) {
        let defaults = part(from.defaults.as_ref());
        if !self.plan.roles[key].defaults.contains_key(&defaults) {
            let made = self.joined(&entry.role.defaults);
            self.plan.roles[key].defaults.insert(defaults, made);
        }
        let vars = part(from.vars.as_ref());
        if !self.plan.roles[key].vars.contains_key(&vars) {
            let made = self.joined(&entry.role.vars);
            self.plan.roles[key].vars.insert(vars, made);
        }
        if let Some(validation) = &entry.validation
            && !self.plan.roles[key]
                .argument_specs
                .contains_key(&validation.entry_point)
        {
            let mut spec = Map::new();
            if let Some(description) = &validation.description {
                spec.insert("short_description".into(), description.as_str().into());
            }
            if let Some(options) = &validation.options {
                let options = self.value(options);
                spec.insert("options".into(), options);
            }
            let spec = serde_json::from_value(json(&rustle_formats::Value::Map(spec)));
            self.plan.roles[key]
                .argument_specs
                .insert(validation.entry_point.clone(), spec.unwrap_or_default());
        }
    }

    /// Several files of variables as one mapping: the last that sets a name counts.
    fn joined(&mut self, files: &[Node]) -> Map {
        let mut out = Map::new();
        for file in files {
            let vars = self.map(Some(file));
            self.lay(&mut out, vars);
        }
        out
    }
}
