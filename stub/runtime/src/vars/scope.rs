//! One task's view of the variables.

use std::cell::RefCell;
use std::ops::ControlFlow::{self, Break as Enough, Continue as More};

use indexmap::IndexMap;
use rustle_formats::order;
use rustle_formats::{Map, Value};
use rustle_template::{Dict, Error, ErrorKind, Key, Scope, Value as Rendered};

use super::about::is_moment;
use super::merge::merged;
use super::store::Layer;
use super::{PlayVars, Store, Templates, inventory_of, magic};
use crate::engine::{Frame, Reply, Request, is_include};

/// Whether the search for values of a variable goes on.
type Visit = ControlFlow<()>;

/// Looks at one value of a variable.
type Look<'l> = dyn FnMut(&Value, bool, Option<Layer>) -> Visit + 'l;

/// What a task's view is made of.
pub(crate) struct TaskScope<'a, 'r> {
    /// The run's variables.
    pub store: &'a Store<'r>,
    /// What templating shares.
    pub templates: &'a Templates<'r>,
    /// The play's.
    pub play: &'a PlayVars<'r>,
    /// The task with its blocks; none while a play's own keywords are looked at.
    pub frame: Option<&'a Frame<'r>>,
}

/// A task's view of the variables: the layers of [`TaskScope`] under those of the loop and of the task's result.
pub(crate) struct TaskVars<'a, 'r> {
    scope: TaskScope<'a, 'r>,
    /// The loop's variables and the task's own result: data, and stronger than everything.
    top: RefCell<Map>,
    /// The variable among them whose text may be a template, unless it is [`Value::Unsafe`].
    item: RefCell<String>,
    /// What a template file knows of itself while it is rendered. Its moments are expressions.
    file: RefCell<Map>,
}

impl<'a, 'r> TaskVars<'a, 'r> {
    pub(crate) fn new(scope: TaskScope<'a, 'r>) -> TaskVars<'a, 'r> {
        TaskVars {
            top: RefCell::default(),
            item: RefCell::default(),
            file: RefCell::default(),
            scope,
        }
    }

    /// Forgets what [`TaskVars::set_top`] set.
    pub(crate) fn unset_top(&self, name: &str) {
        self.scope.store.touch();
        self.top.borrow_mut().shift_remove(name);
    }

    /// The variables that [`TaskVars::set_top`] set.
    pub(crate) fn top(&self) -> Map {
        let mut top = self.top.borrow().clone();
        if let Some(item) = top.get_mut(self.item.borrow().as_str()) {
            *item = untagged(item);
        }
        top
    }

    /// Sets the item of a loop, in which [`Value::Unsafe`] is what is no template.
    pub(crate) fn set_item(&self, name: &str, item: Value) {
        name.clone_into(&mut self.item.borrow_mut());
        self.set_top(name, item);
    }

    /// Sets a variable of the loop, or the result while conditions look at it.
    pub(crate) fn set_top(&self, name: &str, value: Value) {
        self.scope.store.touch();
        self.top.borrow_mut().insert(name.to_owned(), value);
    }

    /// Sets what a template file knows of itself; gives what was set before.
    pub(crate) fn set_file(&self, about: Map) -> Map {
        self.scope.store.touch();
        self.file.replace(about)
    }

    /// The run's variables.
    pub(crate) fn store(&self) -> &'a Store<'r> {
        self.scope.store
    }

    /// Whether there is a variable of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        let mut found = false;
        let _ = self.visit(name, &mut |_, _, _| {
            found = true;
            Enough(())
        });
        found
    }

    /// Calls `look` with the values of a variable, the strongest first, until it has [`Enough`]: with each, whether text
    /// in it may be a template, and the layer that it is in, where that one keeps what was made of it.
    fn visit(&self, name: &str, look: &mut Look<'_>) -> Visit {
        if let Some(value) = self.file.borrow().get(name) {
            look(value, is_moment(name), None)?;
            return Enough(());
        }
        if let Some(value) = self.top.borrow().get(name) {
            look(value, *self.item.borrow() == name, None)?;
            return Enough(());
        }
        let store = self.scope.store;
        if let Some(value) = magic::value(&self.scope, name) {
            let layer = (name == "ansible_facts").then_some(Layer::Facts);
            look(&value, false, layer)?;
        }
        if let Some(value) = store.extra.get(name) {
            look(value, true, Some(Layer::Constant))?;
        }
        self.given(name, look)?;
        if let Some(value) = store.fresh.borrow().get(name) {
            look(value, false, Some(Layer::Fresh))?;
        }
        if let Some(value) = store.included.borrow().get(name) {
            look(value, true, Some(Layer::Included))?;
        }
        self.written(name, look)?;
        if !store.hides_facts()
            && let Some(value) = store.facts.borrow().get(name)
        {
            look(value, false, Some(Layer::Facts))?;
        }
        if let Some(value) = magic::weak(&self.scope, name) {
            look(&value, false, None)?;
        }
        if let Some(value) = store.inventory.borrow().get(name) {
            look(value, true, Some(Layer::Inventory))?;
        }
        self.defaults(name, look)?;
        if store.plan.secrets.iter().any(|s| s.name == name) {
            look(&Value::Secret(name.to_owned()), true, None)?;
        }
        match magic::fallback(&self.scope, name) {
            // `ansible_user` is what the playbook wrote, a template maybe.
            Some(value) => look(&value, name == "ansible_user", None),
            None => More(()),
        }
    }

    /// A variable of an including task, and a parameter of a role: stronger than facts that were set.
    fn given(&self, name: &str, look: &mut Look<'_>) -> Visit {
        let Some(frame) = self.scope.frame else {
            return More(());
        };
        let own = match is_include(&frame.task.module) {
            true => frame.task.vars.get(name).map(|value| (value, true)),
            false => None,
        };
        let mut inner = frame.around.iter().rev();
        let found = own.or_else(|| inner.find_map(|level| level.include_var(name)));
        if let Some((value, trusted)) = found {
            look(value, trusted, None)?;
        }
        let mut roles = frame.roles().rev();
        match roles.find_map(|role| role.params.get(name)) {
            Some(value) => look(value, true, None),
            None => More(()),
        }
    }

    /// A default of the task's role, of the roles above and below it, and of those that the play shows.
    fn defaults(&self, name: &str, look: &mut Look<'_>) -> Visit {
        let mut each = |value: &Value| look(value, true, None);
        if let Some(frame) = self.scope.frame {
            for role in frame.roles().rev() {
                role.default(name, &mut each)?;
            }
            if let Some(role) = frame.role() {
                role.defaults_below(name, &mut each)?;
            }
        }
        let public = self.scope.play.roles.borrow();
        for role in public.iter().rev().filter(|role| role.public) {
            role.default(name, &mut each)?;
            role.defaults_below(name, &mut each)?;
        }
        More(())
    }

    /// A variable of the roles around the task, and of those that the play shows.
    fn of_roles(&self, name: &str, look: &mut Look<'_>) -> Visit {
        let mut each = |value: &Value| look(value, true, None);
        if let Some(frame) = self.scope.frame {
            // The task's own role, the roles that it depends on, then those above.
            for (place, role) in frame.roles().rev().enumerate() {
                match place {
                    0 => role.var(name, &mut each)?,
                    _ => role.own_var(name, &mut each)?,
                }
            }
        }
        let public = self.scope.play.roles.borrow();
        for role in public.iter().rev().filter(|role| role.public) {
            role.var(name, &mut each)?;
        }
        More(())
    }

    /// A variable of the task or its blocks, of its roles, and of its play.
    fn written(&self, name: &str, look: &mut Look<'_>) -> Visit {
        if let Some(frame) = self.scope.frame {
            // What is nearest replaces what is around it, mappings too.
            let mut inner = frame.around.iter().rev();
            let around = || {
                inner.find_map(|level| {
                    let included = || level.include_var(name).map(|(value, _)| value);
                    level.var(name).or_else(included)
                })
            };
            let own = frame.task.vars.get(name);
            if let Some(value) = own.or_else(around) {
                look(value, true, None)?;
            }
        }
        self.of_roles(name, look)?;
        let Some(play) = self.scope.play.play else {
            return More(());
        };
        let merges = self.scope.store.merges();
        for layer in self.scope.play.layers(play) {
            if let Some(value) = layer.get(name) {
                // What is kept of a layer is one value.
                look(value, true, (!merges).then_some(Layer::Play))?;
            }
        }
        More(())
    }

    /// A value as templates see it, with the texts of sealed secrets in it.
    pub(super) fn convert(&self, value: &Value, trusted: bool) -> Result<Rendered, Error> {
        if holds_secret(value) {
            let open = self.unsealed(value)?;
            return Ok(Rendered::from_formats(&open, trusted));
        }
        Ok(Rendered::from_formats(value, trusted))
    }

    fn unsealed(&self, value: &Value) -> Result<Value, Error> {
        Ok(match value {
            Value::Secret(name) => Value::Unsafe(
                self.scope
                    .store
                    .secret(name)
                    .map_err(|e| Error::new(ErrorKind::Value, e))?,
            ),
            Value::List(list) => Value::List(
                list.iter()
                    .map(|v| self.unsealed(v))
                    .collect::<Result<_, _>>()?,
            ),
            Value::Map(map) => Value::Map(
                map.iter()
                    .map(|(k, v)| Ok((k.clone(), self.unsealed(v)?)))
                    .collect::<Result<_, Error>>()?,
            ),
            Value::Pairs(pairs) => Value::Pairs(
                pairs
                    .iter()
                    .map(|(k, v)| Ok((k.clone(), self.unsealed(v)?)))
                    .collect::<Result<_, Error>>()?,
            ),
            other => other.clone(),
        })
    }

    /// This host's variables as data, for who renders templates elsewhere.
    pub(crate) fn data(&self) -> Map {
        let mut out = Map::new();
        for name in self.names() {
            if !matches!(name.as_str(), "hostvars" | "vars" | "omit")
                && let Ok(Some(value)) = self.get(&name)
                && let Ok(value) = value.to_formats()
            {
                out.insert(name, value);
            }
        }
        out
    }

    /// This host's variables as a mapping, `hostvars` and `vars` apart.
    fn all(&self) -> Result<Rendered, Error> {
        let dict = Dict::new();
        for name in self.names() {
            if !matches!(name.as_str(), "hostvars" | "vars")
                && let Some(value) = self.get(&name)?
            {
                dict.insert(Key::from_str(name), value);
            }
        }
        Ok(Rendered::Dict(dict))
    }

    /// Another host's variables: asked for, else what the plan itself says of it.
    pub(super) fn of_host(&self, host: &str) -> Option<Rendered> {
        let store = self.scope.store;
        let groups = store.groups.borrow();
        let implicit = matches!(host, "localhost" | "127.0.0.1" | "::1");
        if !implicit && !groups.all().get("all")?.iter().any(|h| h == host) {
            return None;
        }
        let reply = store.driver.ask(Request::HostVars {
            host: host.to_owned(),
        });
        let (inventory, facts, set) = match reply {
            Reply::Vars {
                inventory,
                facts,
                vars,
            } => (inventory, facts, vars),
            _ => (None, Map::new(), Map::new()),
        };
        let mut vars = inventory.unwrap_or_else(|| inventory_of(store.plan, &groups, host));
        let short = host.split('.').next().unwrap_or_default();
        vars.insert("inventory_hostname".into(), host.into());
        vars.insert("inventory_hostname_short".into(), short.into());
        vars.insert("group_names".into(), Value::from(groups.names_of(host)));
        if let Some(groups) = magic::value(&self.scope, "groups") {
            vars.insert("groups".into(), groups);
        }
        let merges = store.merges();
        let mut layers: IndexMap<String, Rendered> = IndexMap::new();
        let mut lay = |map: &Map, trusted: bool| {
            for (name, value) in map {
                let value = self.convert(value, trusted);
                let value = value.unwrap_or(Rendered::None);
                let value = match layers.get(name) {
                    Some(weaker) if merges => merged(weaker, &value),
                    _ => value,
                };
                layers.insert(name.clone(), value);
            }
        };
        lay(&vars, true);
        let mut named = Map::new();
        named.insert(
            "ansible_facts".into(),
            Value::Map(magic::namespaced(&facts)),
        );
        lay(&facts, false);
        lay(&named, false);
        lay(&set, false);
        lay(&store.extra, true);
        Some(Rendered::Dict(self.scope.templates.in_own_words(&layers)))
    }
}

impl Scope for TaskVars<'_, '_> {
    fn get(&self, name: &str) -> Result<Option<Rendered>, Error> {
        let store = self.scope.store;
        if name == "hostvars" {
            let groups = store.groups.borrow();
            let hosts = groups.all().get("all").cloned().unwrap_or_default();
            let others = &self.scope.templates.others;
            return Ok(Some(others.object(store.host, self.all()?, hosts)));
        }
        let mut found: Option<Result<Rendered, Error>> = None;
        let merges = store.merges();
        let _ = self.visit(name, &mut |value, trusted, layer| {
            let stronger = match &found {
                Some(Ok(stronger)) => match value {
                    Value::Map(_) => Some(stronger.clone()),
                    _ => return Enough(()),
                },
                _ => None,
            };
            let known = layer.and_then(|layer| store.kept(layer, name));
            let made = known.map_or_else(|| self.convert(value, trusted), Ok);
            if let (Some(layer), Ok(made)) = (layer, &made) {
                store.keep(layer, name, made);
            }
            let made = match (made, stronger) {
                (Ok(made), Some(stronger)) => Ok(merged(&made, &stronger)),
                (made, _) => made,
            };
            let more = merges && matches!(made, Ok(Rendered::Dict(_)));
            found = Some(made);
            if more { More(()) } else { Enough(()) }
        });
        match found {
            None if name == "omit" => Ok(Some(Rendered::Omit)),
            found => found.transpose(),
        }
    }

    fn names(&self) -> Vec<String> {
        let store = self.scope.store;
        let mut names: Vec<String> = magic::NAMES.iter().map(|n| (*n).to_owned()).collect();
        names.extend(self.top.borrow().keys().cloned());
        names.extend(store.extra.keys().cloned());
        names.extend(store.fresh.borrow().keys().cloned());
        names.extend(store.included.borrow().keys().cloned());
        if let Some(frame) = self.scope.frame {
            names.extend(frame.task.vars.keys().cloned());
            for level in &frame.around {
                names.extend(level.names().cloned());
            }
            for role in frame.roles() {
                role.names(&mut names);
            }
        }
        for role in self.scope.play.roles.borrow().iter().filter(|r| r.public) {
            role.names(&mut names);
        }
        if let Some(play) = self.scope.play.play {
            for layer in self.scope.play.layers(play) {
                names.extend(layer.keys().cloned());
            }
        }
        names.extend(store.facts.borrow().keys().cloned());
        names.extend(store.inventory.borrow().keys().cloned());
        names.extend(store.plan.secrets.iter().map(|s| s.name.clone()));
        order::sort(&mut names);
        names.dedup();
        names
    }
}

/// Whether the text of a sealed secret belongs somewhere into a value.
/// A value in which nothing tells any more what may be a template.
pub(crate) fn untagged(value: &Value) -> Value {
    match value {
        Value::Unsafe(text) => Value::Str(text.clone()),
        Value::List(list) => Value::List(list.iter().map(untagged).collect()),
        Value::Map(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), untagged(v))).collect()),
        Value::Pairs(pairs) => {
            let pairs = pairs.iter().map(|(k, v)| (untagged(k), untagged(v)));
            Value::Pairs(pairs.collect())
        }
        other => other.clone(),
    }
}

fn holds_secret(value: &Value) -> bool {
    match value {
        Value::Secret(_) => true,
        Value::List(list) => list.iter().any(holds_secret),
        Value::Map(map) => map.values().any(holds_secret),
        Value::Pairs(pairs) => pairs.iter().any(|(_, v)| holds_secret(v)),
        _ => false,
    }
}
