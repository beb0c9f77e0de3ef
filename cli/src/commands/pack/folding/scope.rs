//! Which variables of a plan are the same in every run, so that what mentions them can be evaluated when packing.

use std::collections::{BTreeSet, HashMap};

use rustle_formats::Map;
use rustle_formats::Value;
use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};
use rustle_template::Engine;

/// What the runner knows by itself, and packing knows as well.
const KNOWN: &[&str] = &[
    "inventory_hostname",
    "inventory_hostname_short",
    "inventory_dir",
    "inventory_file",
    "playbook_dir",
    "groups",
    "group_names",
    "omit",
];

/// Where a plan's variables are set.
#[derive(Default)]
pub(super) struct Scope<'p> {
    extra: Option<&'p Map>,
    defaults: HashMap<&'p str, Vec<&'p Value>>,
    plays: HashMap<&'p str, Vec<&'p Value>>,
    inventory: BTreeSet<&'p str>,
    /// Of roles, blocks, tasks and parameters.
    strong: HashMap<&'p str, Vec<&'p Value>>,
    /// Set while the plan runs.
    running: BTreeSet<&'p str>,
    /// Whether files of variables are read while it runs.
    includes: bool,
    several: bool,
}

impl<'p> Scope<'p> {
    /// Looks through a plan.
    pub(super) fn of(plan: &'p ExecutionPlan) -> Scope<'p> {
        let mut out = Scope {
            extra: Some(&plan.extra_vars),
            several: plan.plays.len() > 1,
            ..Scope::default()
        };
        let hosts = plan.hosts.values().map(|h| &h.vars);
        for vars in hosts.chain(plan.groups.values().map(|g| &g.vars)) {
            out.inventory.extend(vars.keys().map(String::as_str));
        }
        for play in &plan.plays {
            for vars in std::iter::once(&play.vars).chain(play.all_vars_files()) {
                add(&mut out.plays, vars);
            }
            for item in play.batches.iter().flat_map(|b| &b.tasks) {
                out.item(item);
            }
            play.handlers.iter().for_each(|t| out.task(t));
        }
        for role in plan.roles.values() {
            role.defaults
                .values()
                .for_each(|vars| add(&mut out.defaults, vars));
            role.vars
                .values()
                .for_each(|vars| add(&mut out.strong, vars));
            role.dependencies.iter().for_each(|b| out.block(b));
            let tasks = role.tasks.values().flatten();
            tasks.for_each(|i| out.item(i));
            let handlers = role.handlers.values().flatten();
            handlers.for_each(|t| out.task(t));
        }
        for item in plan.task_files.values().flatten() {
            out.item(item);
        }
        out
    }

    fn item(&mut self, item: &'p Item) {
        match item {
            Item::Task(task) => self.task(task),
            Item::Block(block) => self.block(block),
        }
    }

    fn block(&mut self, block: &'p Block) {
        add(&mut self.strong, &block.vars);
        if let Some(used) = &block.use_role {
            add(&mut self.strong, &used.params);
        }
        let parts = [&block.block, &block.rescue, &block.always];
        parts.into_iter().flatten().for_each(|i| self.item(i));
    }

    fn task(&mut self, task: &'p Task) {
        add(&mut self.strong, &task.vars);
        self.running.extend(task.register.as_deref());
        match task.module.rsplit('.').next() {
            Some("set_fact") => self.running.extend(task.args.keys().map(String::as_str)),
            Some("include_vars") => self.includes = true,
            _ => {}
        }
        let looped = task.loop_control.as_ref();
        self.running.insert("item");
        self.running
            .extend(looped.and_then(|l| l.loop_var.as_deref()));
        self.running
            .extend(looped.and_then(|l| l.index_var.as_deref()));
    }

    /// The values that these variables and those that they mention have in every run, beside the inventory's and the extra
    /// variables.
    ///
    /// # Errors
    /// The variable that is only known when the plan runs, and why.
    pub(super) fn resolve(
        &self,
        names: &[String],
        engine: &Engine<'_>,
    ) -> Result<Map, (String, &'static str)> {
        let mut out = Map::new();
        let mut wanted: Vec<String> = names.to_vec();
        let mut seen = BTreeSet::new();
        while let Some(name) = wanted.pop() {
            if KNOWN.contains(&name.as_str()) || !seen.insert(name.clone()) {
                continue;
            }
            let value = match self.value(&name) {
                Ok(value) => value,
                Err(why) => return Err((name, why)),
            };
            if let Some(value) = value {
                mentioned(value, engine, &mut wanted);
                out.insert(name, value.clone());
            }
        }
        Ok(out)
    }

    /// The value of a variable; none where the inventory or the extra variables have it.
    fn value(&self, name: &str) -> Result<Option<&'p Value>, &'static str> {
        if self.extra.is_some_and(|extra| extra.contains_key(name)) {
            return Ok(None);
        }
        if self.running.contains(name) {
            return Err("a task sets it while the plan runs");
        }
        if self.includes {
            return Err("`include_vars` may set it while the plan runs");
        }
        let of = |map: &HashMap<&str, Vec<&'p Value>>| map.get(name).cloned().unwrap_or_default();
        let (strong, plays, defaults) = (of(&self.strong), of(&self.plays), of(&self.defaults));
        let listed = self.inventory.contains(name);
        const SEVERAL: &str = "several places set it";
        match (strong.as_slice(), plays.as_slice(), defaults.as_slice()) {
            ([one], [], []) if !listed => Ok(Some(one)),
            ([], [one], _) if !self.several => Ok(Some(one)),
            ([], [one], []) if !listed => Ok(Some(one)),
            ([], [], _) if listed => Ok(None),
            ([], [], [one]) => Ok(Some(one)),
            ([], [], []) => Err("nothing sets it before the plan runs"),
            _ => Err(SEVERAL),
        }
    }
}

fn add<'p>(map: &mut HashMap<&'p str, Vec<&'p Value>>, vars: &'p Map) {
    for (name, value) in vars {
        map.entry(name).or_default().push(value);
    }
}

/// The variables that a value's texts mention.
fn mentioned(value: &Value, engine: &Engine<'_>, out: &mut Vec<String>) {
    match value {
        Value::Str(text) if text.contains("{{") || text.contains("{%") => {
            if let Ok(analysis) = engine.check_syntax(text) {
                out.extend(analysis.mentioned.iter().map(|name| name.to_string()));
            }
        }
        Value::List(list) => list.iter().for_each(|v| mentioned(v, engine, out)),
        Value::Map(map) => map.values().for_each(|v| mentioned(v, engine, out)),
        _ => {}
    }
}
