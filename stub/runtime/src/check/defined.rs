//! Which variables something in the plan can define, seen from one task.
//!
//! Facts are unknown before the run, so that every name that could be one counts as defined; so does everything where a
//! task defines variables whose names only the run knows.

use std::collections::{HashMap, HashSet};

use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, Task};
use rustle_formats::{Map, Value, nearest};

use super::places::Tree;
use crate::modules::find;
use crate::vars::MAGIC_NAMES;

/// The most names that a misspelt one is compared with.
const MAX_COMPARED: usize = 2000;

/// From where a text looks at the variables.
#[derive(Clone, Copy)]
pub(super) struct View<'v, 'p> {
    pub(super) play: usize,
    /// The blocks around, outermost first.
    pub(super) blocks: &'v [usize],
    /// The task; none for keywords of blocks and plays, which every task inside reads with its own variables.
    pub(super) task: Option<&'p Task>,
    /// Whether the loop's variables are there.
    pub(super) in_loop: bool,
    /// Whether it is a template file, which has variables about itself.
    pub(super) file: bool,
    /// Whether several plays may look from there: what any of them defines may be there.
    pub(super) shared: bool,
}

/// What a name stands for.
#[derive(Clone, Copy)]
pub(super) enum Meaning<'p> {
    /// Nothing defines it.
    Nothing,
    /// Something does, and its value is known only in the run or may come from several places.
    Something,
    /// This value, as the plan has it.
    Value(&'p Value),
}

/// The names that a plan defines.
pub(super) struct Defined<'p> {
    tree: &'p Tree<'p>,
    plan: &'p ExecutionPlan,
    /// Tasks define variables of any name.
    pub(super) open: bool,
    /// There will be a controller.
    pub(super) attached: bool,
    /// Their values are known only in the run: registered, set by `set_fact`, given when started, secrets.
    made: HashSet<&'p str>,
    /// Their values are known, and stronger than what plays and tasks say.
    extra: &'p Map,
    /// Of hosts and groups; the value where there is only one.
    inventory: HashMap<&'p str, Option<&'p Value>>,
    /// Of tasks, blocks and loops anywhere.
    local: HashSet<&'p str>,
    /// Of roles, as defaults, variables or parameters; of plays and tasks that use or include something.
    handed: HashSet<&'p str>,
    /// Of plays.
    plays: HashSet<&'p str>,
    /// Of loops anywhere.
    loops: HashSet<&'p str>,
    hints: HashMap<String, Option<String>>,
}

impl<'p> Defined<'p> {
    pub(super) fn of(
        plan: &'p ExecutionPlan,
        tree: &'p Tree<'p>,
        given: &'p [String],
    ) -> Defined<'p> {
        let mut defined = Defined {
            tree,
            plan,
            open: false,
            attached: false,
            made: given.iter().map(String::as_str).collect(),
            extra: &plan.extra_vars,
            inventory: HashMap::new(),
            local: HashSet::new(),
            handed: HashSet::new(),
            plays: HashSet::new(),
            loops: HashSet::new(),
            hints: HashMap::new(),
        };
        let secrets = plan.secrets.iter().map(|s| s.name.as_str());
        defined.made.extend(secrets);
        let hosts = plan.hosts.values().map(|h| &h.vars);
        let groups = plan.groups.values().map(|g| &g.vars);
        for (name, value) in hosts.chain(groups).flatten() {
            let many = defined.inventory.contains_key(name.as_str());
            let value = if many { None } else { Some(value) };
            defined.inventory.insert(name, value);
        }
        for placed in &tree.tasks {
            defined.task(placed.task);
        }
        for placed in &tree.blocks {
            defined
                .local
                .extend(placed.block.vars.keys().map(String::as_str));
            if let Some(used) = &placed.block.use_role {
                let handed = used.params.keys().chain(placed.block.vars.keys());
                defined.handed.extend(handed.map(String::as_str));
            }
        }
        for role in plan.roles.values() {
            let maps = role.defaults.values().chain(role.vars.values());
            defined
                .handed
                .extend(maps.flat_map(|m| m.keys().map(String::as_str)));
            let specs = role.argument_specs.values();
            let options = specs.filter_map(|s| s.get("options").and_then(Value::as_map));
            defined
                .handed
                .extend(options.flat_map(|o| o.keys().map(String::as_str)));
        }
        for play in &plan.plays {
            let layers = play.all_vars_files().chain([&play.vars]);
            defined
                .plays
                .extend(layers.flat_map(|l| l.keys().map(String::as_str)));
        }
        defined
    }

    fn task(&mut self, task: &'p Task) {
        self.local.extend(task.vars.keys().map(String::as_str));
        if task.loop_.is_some() {
            self.local.extend(loop_names(task));
            self.loops.extend(loop_names(task));
        }
        if let Some(name) = &task.register {
            self.made.insert(name);
        }
        if crate::engine::is_include(&task.module) {
            self.handed.extend(task.vars.keys().map(String::as_str));
            if let Some(Value::Map(apply)) = task.args.get("apply")
                && let Some(Value::Map(vars)) = apply.get("vars")
            {
                self.handed.extend(vars.keys().map(String::as_str));
            }
            self.handed.extend(loop_names(task));
            return;
        }
        match find(&task.module).map(|m| m.spec().name) {
            Some("set_fact") => {
                self.open |=
                    task.args.keys().any(|k| k.contains("{{")) || task.module_defaults.is_some();
                self.made.extend(task.args.keys().map(String::as_str));
            }
            Some("include_vars" | "getent" | "add_host") => self.open = true,
            Some(name) => self.open |= name.ends_with("_facts"),
            // What it does is not known, unless it is the engine's own.
            None => self.open |= !crate::engine::is_meta(&task.module),
        }
    }

    /// Whether a template file knows this of itself: what an artifact must not depend on is known with a controller only.
    fn about_templates(&self, name: &str) -> bool {
        match name {
            "template_path" | "template_fullpath" | "template_destpath" | "template_run_date" => {
                true
            }
            "template_host" | "template_uid" | "template_mtime" => self.attached,
            _ => false,
        }
    }

    /// What a name stands for.
    pub(super) fn meaning(&self, view: View<'_, 'p>, name: &str) -> Meaning<'p> {
        if self.open || could_be_fact(name) || is_magic(name) || self.made.contains(name) {
            return Meaning::Something;
        }
        if let Some(value) = self.extra.get(name) {
            return Meaning::Value(value);
        }
        if view.file && self.about_templates(name) {
            return Meaning::Something;
        }
        match view.task {
            Some(task) => {
                if view.in_loop && task.loop_.is_some() && loop_names(task).any(|n| n == name) {
                    return Meaning::Something;
                }
                if let Some(value) = task.vars.get(name) {
                    return Meaning::Value(value);
                }
            }
            None if self.local.contains(name) => return Meaning::Something,
            None => {}
        }
        for block in view.blocks.iter().rev() {
            if let Some(value) = self.tree.blocks[*block].block.vars.get(name) {
                return Meaning::Value(value);
            }
        }
        if let Some(value) = self.layers(view.play).find_map(|layer| layer.get(name)) {
            return Meaning::Value(value);
        }
        if self.handed.contains(name)
            || (view.shared && (self.plays.contains(name) || self.local.contains(name)))
        {
            return Meaning::Something;
        }
        match self.inventory.get(name) {
            Some(Some(value)) => Meaning::Value(value),
            Some(None) => Meaning::Something,
            None => Meaning::Nothing,
        }
    }

    /// Whether a variable's value can be known only in the run.
    pub(super) fn is_dynamic(&self, name: &str) -> bool {
        self.open
            || could_be_fact(name)
            || self.made.contains(name)
            || self.handed.contains(name)
            || self.loops.contains(name)
            || (is_magic(name) && name != "inventory_hostname" && name != "omit")
    }

    /// The same for a name that several plays may look at, each with variables of its own.
    pub(super) fn is_dynamic_in(&self, name: &str, shared: bool) -> bool {
        self.is_dynamic(name) || (shared && self.plays.contains(name))
    }

    /// The play's variables, the strongest first.
    fn layers(&self, play: usize) -> impl Iterator<Item = &'p Map> + use<'p> {
        self.plan
            .plays
            .get(play)
            .into_iter()
            .flat_map(|p| p.all_vars_files().rev().chain([&p.vars]))
    }

    /// The name that was probably meant.
    pub(super) fn nearest(&mut self, view: View<'_, 'p>, name: &str) -> Option<String> {
        if let Some(known) = self.hints.get(name) {
            return known.clone();
        }
        let mut names: Vec<&str> = self
            .made
            .iter()
            .copied()
            .chain(self.extra.keys().map(String::as_str))
            .chain(self.inventory.keys().copied())
            .chain(
                self.layers(view.play)
                    .flat_map(|l| l.keys().map(String::as_str)),
            )
            .chain(MAGIC_NAMES.iter().copied())
            .collect();
        if let Some(task) = view.task {
            names.extend(task.vars.keys().map(String::as_str));
            if view.in_loop && task.loop_.is_some() {
                names.extend(loop_names(task));
            }
        }
        for block in view.blocks {
            names.extend(
                self.tree.blocks[*block]
                    .block
                    .vars
                    .keys()
                    .map(String::as_str),
            );
        }
        order::sort(&mut names);
        names.dedup();
        let compared = &names[..names.len().min(MAX_COMPARED)];
        let meant = nearest(name, compared).map(str::to_owned);
        self.hints.insert(name.to_owned(), meant.clone());
        meant
    }
}

/// The variables that a task's loop sets.
fn loop_names(task: &Task) -> impl Iterator<Item = &str> {
    let control = task.loop_control.as_ref();
    let item = control
        .and_then(|c| c.loop_var.as_deref())
        .unwrap_or("item");
    std::iter::once(item).chain(control.and_then(|c| c.index_var.as_deref()))
}

fn could_be_fact(name: &str) -> bool {
    ["ansible_", "facter_", "ohai_", "rustle_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || matches!(name, "gather_subset" | "module_setup")
}

fn is_magic(name: &str) -> bool {
    MAGIC_NAMES.contains(&name) || matches!(name, "hostvars" | "vars" | "omit")
}
