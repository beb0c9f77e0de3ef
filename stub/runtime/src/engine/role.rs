//! A role in use: which of its files, with which parameters, after which other roles.

use std::ops::ControlFlow;
use std::rc::Rc;

use rustle_formats::plan::{Block, ExecutionPlan, Item, MAIN, RolePlan, RoleUse, Task};
use rustle_formats::{Map, Value};

/// How deep roles may depend on roles.
const MAX_DEPTH: usize = 100;

/// A role in use.
pub(crate) struct Role<'p> {
    /// The plan's role.
    pub plan: &'p RolePlan,
    /// Its printed name.
    pub name: &'p str,
    /// `role_path`.
    pub path: String,
    /// Its parameters.
    pub params: &'p Map,
    /// Its defaults, as far as there are any.
    pub defaults: Option<&'p Map>,
    /// Its variables, as far as there are any.
    pub vars: Option<&'p Map>,
    /// The tasks of the entry point.
    pub tasks: &'p [Item],
    /// The handlers that come with it.
    pub handlers: &'p [Task],
    /// The entry point's name.
    pub entry: String,
    /// The roles that it depends on, with the entries that name them.
    pub dependencies: Vec<(&'p Block, Rc<Role<'p>>)>,
    /// What makes two uses the same.
    pub identity: String,
    /// Whether it runs again where the same ran before.
    pub allow_duplicates: bool,
    /// Whether the whole play sees its defaults and variables.
    pub public: bool,
    /// Whether its arguments are checked.
    pub validate: bool,
}

/// Looks at one value of a variable, and says whether there is more to look for.
pub(crate) type Look<'l> = dyn FnMut(&Value) -> ControlFlow<()> + 'l;

/// How a role is used, wherever that is written.
pub(crate) struct Wanted<'w> {
    pub tasks_from: Option<&'w str>,
    pub vars_from: Option<&'w str>,
    pub defaults_from: Option<&'w str>,
    pub handlers_from: Option<&'w str>,
    pub public: bool,
    pub validate: bool,
    pub allow_duplicates: Option<bool>,
    /// Whether `include_role` or `import_role` asks for it.
    pub called: bool,
}

impl Wanted<'_> {
    fn of(used: &RoleUse) -> Wanted<'_> {
        Wanted {
            tasks_from: used.tasks_from.as_deref(),
            vars_from: used.vars_from.as_deref(),
            defaults_from: used.defaults_from.as_deref(),
            handlers_from: used.handlers_from.as_deref(),
            public: used.public != Some(false),
            validate: used.rolespec_validate != Some(false),
            allow_duplicates: used.allow_duplicates,
            called: used.imported == Some(true),
        }
    }
}

static NO_PARAMS: std::sync::LazyLock<Map> = std::sync::LazyLock::new(Map::new);

impl<'p> Role<'p> {
    /// The role that a block uses.
    ///
    /// # Errors
    /// A sentence, where the plan does not have it, or roles depend on each other in a circle.
    pub(crate) fn of_block(
        plan: &'p ExecutionPlan,
        block: &'p Block,
        used: &'p RoleUse,
    ) -> Result<Rc<Role<'p>>, String> {
        Role::at_depth(plan, block, used, 0)
    }

    fn at_depth(
        plan: &'p ExecutionPlan,
        block: &'p Block,
        used: &'p RoleUse,
        depth: usize,
    ) -> Result<Rc<Role<'p>>, String> {
        let Some((key, role)) = plan.roles.get_key_value(&used.role) else {
            return Err(format!("the role '{}' was not found", used.role));
        };
        // What is called with keywords does not differ by them; what is listed does.
        let keywords = if used.imported == Some(true) {
            Value::Map(block.vars.clone())
        } else {
            Value::List(vec![
                Value::Map(block.vars.clone()),
                Value::List(block.when.0.clone()),
                block.tags.clone().into(),
            ])
        };
        Role::new(
            plan,
            (key, role),
            &used.params,
            &Wanted::of(used),
            &keywords,
            depth,
        )
    }

    /// The role of this key, as an entry of `roles:` uses it that says nothing more.
    pub(crate) fn plain(
        plan: &'p ExecutionPlan,
        found: (&'p String, &'p RolePlan),
    ) -> Result<Rc<Role<'p>>, String> {
        let used = RoleUse::default();
        Role::new(
            plan,
            found,
            Role::no_params(),
            &Wanted::of(&used),
            &Value::Null,
            0,
        )
    }

    /// The role of this key, used in this way. `keywords` tells uses apart.
    pub(crate) fn new(
        plan: &'p ExecutionPlan,
        (key, role): (&'p String, &'p RolePlan),
        params: &'p Map,
        wanted: &Wanted<'_>,
        keywords: &Value,
        depth: usize,
    ) -> Result<Rc<Role<'p>>, String> {
        if depth > MAX_DEPTH {
            return Err("A recursion loop was detected with the roles specified. Make sure child roles do not have dependencies on parent roles".into());
        }
        let name = if role.name.is_empty() {
            key
        } else {
            &role.name
        };
        let entry = wanted.tasks_from.map_or(MAIN, stem);
        let tasks = match role.tasks.get(entry) {
            Some(tasks) => tasks.as_slice(),
            None if wanted.tasks_from.is_none() => &[],
            None => return Err(missing(role, "tasks", entry)),
        };
        let handlers = match (
            wanted.handlers_from,
            role.handlers.get(wanted.handlers_from.map_or(MAIN, stem)),
        ) {
            (_, Some(handlers)) => handlers.as_slice(),
            (None, None) => &[],
            (Some(from), None) => return Err(missing(role, "handlers", from)),
        };
        let file =
            |what: &str, files: &'p indexmap::IndexMap<String, Map>, from: Option<&str>| match (
                from,
                files.get(from.map_or(MAIN, stem)),
            ) {
                (Some(from), None) => Err(missing(role, what, from)),
                (_, found) => Ok(found),
            };
        let mut dependencies = Vec::new();
        for block in &role.dependencies {
            if let Some(used) = &block.use_role {
                dependencies.push((block, Role::at_depth(plan, block, used, depth + 1)?));
            }
        }
        let froms = [
            wanted.tasks_from,
            wanted.vars_from,
            wanted.defaults_from,
            wanted.handlers_from,
        ];
        let identity = format!(
            "{key}\0{}\0{froms:?}\0{keywords}\0{}",
            Value::Map(params.clone()),
            wanted.called
        );
        Ok(Rc::new(Role {
            plan: role,
            name,
            path: below(plan, &role.path),
            params,
            defaults: file("defaults", &role.defaults, wanted.defaults_from)?,
            vars: file("vars", &role.vars, wanted.vars_from)?,
            tasks,
            handlers,
            entry: entry.to_owned(),
            dependencies,
            identity,
            allow_duplicates: wanted
                .allow_duplicates
                .unwrap_or(wanted.called || role.allow_duplicates == Some(true)),
            public: wanted.public,
            validate: wanted.validate,
        }))
    }

    /// No parameters.
    pub(crate) fn no_params() -> &'p Map {
        &NO_PARAMS
    }

    /// The role that a name means: by its key or its printed name; in a collection's role, one of that collection first.
    pub(crate) fn find(
        plan: &'p ExecutionPlan,
        name: &str,
        collection: Option<&str>,
    ) -> Option<(&'p String, &'p RolePlan)> {
        let by = |name: &str| {
            plan.roles
                .get_key_value(name)
                .or_else(|| plan.roles.iter().find(|(_, role)| role.name == name))
        };
        collection
            .and_then(|c| by(&format!("{c}.{name}")))
            .or_else(|| by(name))
    }

    /// Calls `look` with a variable of the role's `vars`, and then with those of the roles that it depends on.
    pub(crate) fn var(&self, name: &str, look: &mut Look<'_>) -> ControlFlow<()> {
        self.own_var(name, look)?;
        let mut later = self.dependencies.iter().rev();
        later.try_for_each(|(_, role)| role.var(name, look))
    }

    /// Calls `look` with a variable of the role's `vars`.
    pub(crate) fn own_var(&self, name: &str, look: &mut Look<'_>) -> ControlFlow<()> {
        let found = self.vars.and_then(|v| v.get(name));
        found.map_or(ControlFlow::Continue(()), look)
    }

    /// Calls `look` with a default of the role.
    pub(crate) fn default(&self, name: &str, look: &mut Look<'_>) -> ControlFlow<()> {
        let found = self.defaults.and_then(|d| d.get(name));
        found.map_or(ControlFlow::Continue(()), look)
    }

    /// Calls `look` with the defaults of the roles that it depends on.
    pub(crate) fn defaults_below(&self, name: &str, look: &mut Look<'_>) -> ControlFlow<()> {
        let mut later = self.dependencies.iter().rev();
        later.try_for_each(|(_, role)| {
            role.default(name, look)?;
            role.defaults_below(name, look)
        })
    }

    /// The names of its variables and defaults, and of those of the roles that it depends on.
    pub(crate) fn names(&self, out: &mut Vec<String>) {
        for map in [self.vars, self.defaults, Some(self.params)]
            .into_iter()
            .flatten()
        {
            out.extend(map.keys().cloned());
        }
        for (_, role) in &self.dependencies {
            role.names(out);
        }
    }

    /// Its name without the collection.
    pub(crate) fn short_name(&self) -> &'p str {
        match &self.plan.collection {
            Some(collection) => self
                .name
                .strip_prefix(collection.as_str())
                .and_then(|rest| rest.strip_prefix('.'))
                .unwrap_or(self.name),
            None => self.name,
        }
    }
}

/// A name below the folder that the plan was made from.
pub(crate) fn below(plan: &ExecutionPlan, name: &str) -> String {
    match &plan.base_dir {
        Some(base) if !name.starts_with('/') => format!("{}/{name}", base.trim_end_matches('/')),
        _ => name.to_owned(),
    }
}

/// The name of a role's file without its ending.
pub(crate) fn stem(name: &str) -> &str {
    [".yml", ".yaml", ".json"]
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(name)
}

fn missing(role: &RolePlan, what: &str, from: &str) -> String {
    format!(
        "Could not find specified file in role: {what}/{from}; the plan has of '{}' {}",
        role.name,
        present(role, what)
    )
}

/// The files of a kind that the plan has of a role.
fn present(role: &RolePlan, what: &str) -> String {
    let names: Vec<&str> = match what {
        "tasks" => role.tasks.keys().map(String::as_str).collect(),
        "handlers" => role.handlers.keys().map(String::as_str).collect(),
        "vars" => role.vars.keys().map(String::as_str).collect(),
        _ => role.defaults.keys().map(String::as_str).collect(),
    };
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
