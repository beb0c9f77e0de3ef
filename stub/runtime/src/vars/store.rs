//! The layers that variables live in, from the weakest to the strongest: inventory, facts, play, files of the play,
//! (blocks and the task, see [`super::scope`]), `include_vars`, `set_fact` and `register`, extra variables.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::mem;
use std::rc::Rc;

use rustle_formats::plan::{ExecutionPlan, PlayPlan};
use rustle_formats::redact::Redactor;
use rustle_formats::seal::UNDECRYPTABLE;
use rustle_formats::{Map, Value, lay};
use rustle_template::Value as Rendered;
use zeroize::Zeroizing;

use super::Groups;
use crate::r#become::BECOME_PASSWORD;
use crate::engine::{Driver, Options, Outcome, Role, Since, Update};

/// The fact that says that a play has gathered the others, as Ansible names it.
const GATHERED: &str = "_ansible_facts_gathered";

/// What a run knows about its host besides one task's own variables.
pub(crate) struct Store<'r> {
    pub plan: &'r ExecutionPlan,
    pub host: &'r str,
    pub options: &'r Options,
    pub driver: &'r dyn Driver,
    #[cfg(feature = "full")]
    pub(crate) carried: crate::carried::CarriedModules,
    pub groups: RefCell<Groups>,
    pub inventory: RefCell<Map>,
    pub extra: Map,
    /// Facts under the names that they were gathered by (`ansible_distribution`).
    pub facts: RefCell<Map>,
    /// `set_fact` and `register`: data, never templates.
    pub fresh: RefCell<Map>,
    /// `include_vars`: text in it may be a template.
    pub included: RefCell<Map>,
    /// Texts of secrets that were used.
    secrets: RefCell<Vec<Zeroizing<String>>>,
    /// What [`Store::given_password`] found.
    password: OnceCell<Option<Zeroizing<String>>>,
    /// Keeps them out of events.
    pub redactor: RefCell<Redactor>,
    /// Counts changes, so that what was computed from variables can tell whether it is still right.
    pub generation: Cell<u64>,
    /// What other hosts of the run do not know yet, where somebody would tell them.
    pub news: RefCell<Since>,
    /// What was made of variables for templates, by layer.
    made: RefCell<HashMap<Layer, HashMap<String, Rendered>>>,
}

/// Layers that keep what was made of their variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Layer {
    Constant,
    Inventory,
    Facts,
    Play,
    Included,
    Fresh,
}

/// A play's variables.
#[derive(Default)]
pub(crate) struct PlayVars<'r> {
    pub play: Option<&'r PlayPlan>,
    /// The play's hosts, by name.
    pub hosts: Vec<String>,
    /// Those of them that run together.
    pub batch: Vec<String>,
    /// Others that failed in it.
    pub gone: RefCell<Vec<String>>,
    /// Whether this host failed in it.
    pub failed: Cell<bool>,
    /// The roles whose defaults and variables the whole play sees, in the order in which it uses them.
    pub roles: RefCell<Vec<Rc<Role<'r>>>>,
    /// The files that this host chose for places of `vars_files`; those behind the end: none.
    pub chosen: RefCell<Vec<Option<&'r Map>>>,
}

impl<'r> PlayVars<'r> {
    /// The variables of a play and of its files, the strongest first.
    pub(super) fn layers(&self, play: &'r PlayPlan) -> impl Iterator<Item = &'r Map> {
        let files = play.vars_files.iter().enumerate().rev();
        let files = files.map(|(place, file)| {
            let chosen = self.chosen.borrow().get(place).copied().flatten();
            chosen.unwrap_or(file)
        });
        files.chain([&play.vars])
    }

    /// Takes in what became of other hosts.
    pub(crate) fn follow(&self, updates: &[Update]) {
        let mut gone = self.gone.borrow_mut();
        for update in updates {
            match update {
                Update::Gone(hosts) => gone.extend(hosts.iter().cloned()),
                Update::Back(hosts) => gone.retain(|host| !hosts.contains(host)),
                _ => {}
            }
        }
    }
}

impl<'r> Store<'r> {
    pub(crate) fn new(
        plan: &'r ExecutionPlan,
        host: &'r str,
        options: &'r Options,
        driver: &'r dyn Driver,
    ) -> Store<'r> {
        let groups = Groups::of(plan);
        let mut inventory = inventory_of(plan, &groups, host);
        inventory.extend(options.own_vars.clone());
        let mut extra = plan.extra_vars.clone();
        lay(&mut extra, &options.extra_vars, merges(plan));
        Store {
            plan,
            host,
            options,
            driver,
            #[cfg(feature = "full")]
            carried: crate::carried::CarriedModules::of(plan),
            groups: RefCell::new(groups),
            inventory: RefCell::new(inventory),
            extra,
            facts: RefCell::new(options.facts.clone()),
            fresh: RefCell::default(),
            included: RefCell::default(),
            secrets: RefCell::default(),
            password: OnceCell::new(),
            redactor: RefCell::default(),
            generation: Cell::new(0),
            news: RefCell::default(),
            made: RefCell::default(),
        }
    }

    /// Whether facts are found below `ansible_facts` only.
    pub(super) fn hides_facts(&self) -> bool {
        self.plan.runtime.facts_apart == Some(true)
    }

    /// Notes that the facts were gathered by a play.
    pub(crate) fn note_gathered(&self) {
        self.add_facts(&Map::from_iter([(GATHERED.to_owned(), true.into())]));
    }

    /// Whether there is no need to gather facts again.
    pub(crate) fn knows_enough(&self) -> bool {
        self.plan.runtime.smart_gathering == Some(true)
            && self.facts.borrow().contains_key(GATHERED)
    }

    /// Whether mappings of several layers are merged.
    pub(super) fn merges(&self) -> bool {
        merges(self.plan)
    }

    /// The module of this name: one that came with the plan, or this program's own.
    pub(crate) fn module(&self, name: &str) -> Option<&'static dyn crate::modules::Module> {
        #[cfg(feature = "full")]
        if let Some(module) = self.carried.find(name) {
            return Some(module);
        }
        crate::modules::find(name)
    }

    /// What was made of a variable for templates, if it is still right.
    pub(super) fn kept(&self, layer: Layer, name: &str) -> Option<Rendered> {
        self.made.borrow().get(&layer)?.get(name).cloned()
    }

    /// Keeps what was made of a variable for templates.
    pub(super) fn keep(&self, layer: Layer, name: &str, value: &Rendered) {
        let mut made = self.made.borrow_mut();
        made.entry(layer)
            .or_default()
            .insert(name.to_owned(), value.clone());
    }

    fn forget(&self, layer: Layer) {
        self.touch();
        self.made.borrow_mut().remove(&layer);
    }

    /// Forgets what was made of the variables of the play before.
    pub(crate) fn begin_play(&self) {
        self.forget(Layer::Play);
    }

    /// Keeps facts that a module returned.
    pub(crate) fn add_facts(&self, facts: &Map) {
        self.forget(Layer::Facts);
        if self.options.attended {
            self.news.borrow_mut().facts.extend(facts.clone());
        }
        self.facts.borrow_mut().extend(facts.clone());
    }

    /// What the other hosts of the run do not know yet, and how it ended.
    pub(crate) fn since(&self, outcome: Outcome) -> Since {
        Since {
            outcome,
            ..mem::take(&mut *self.news.borrow_mut())
        }
    }

    /// Whether anything is to be told of other hosts.
    pub(crate) fn tells_of_others(&self) -> bool {
        let news = self.news.borrow();
        !news.about.is_empty() || !news.about_vars.is_empty()
    }

    /// Takes in what others did to this host.
    pub(crate) fn apply(&self, updates: Vec<Update>) {
        for update in updates {
            match update {
                Update::Facts(facts) => {
                    self.forget(Layer::Facts);
                    self.facts.borrow_mut().extend(facts);
                }
                Update::Vars(vars) => {
                    self.forget(Layer::Fresh);
                    self.fresh.borrow_mut().extend(vars);
                }
                Update::ClearFacts => self.clear_facts(),
                Update::Gone(_) | Update::Back(_) => self.touch(),
                Update::Inventory { groups, vars } => {
                    self.forget(Layer::Inventory);
                    self.groups.borrow_mut().replace(groups);
                    *self.inventory.borrow_mut() = vars;
                }
            }
        }
    }

    /// Keeps variables that `set_fact` or `register` set.
    pub(crate) fn set(&self, name: &str, value: Value) {
        self.touch();
        if let Some(made) = self.made.borrow_mut().get_mut(&Layer::Fresh) {
            made.remove(name);
        }
        if self.options.attended {
            let mut news = self.news.borrow_mut();
            news.vars.insert(name.to_owned(), value.clone());
        }
        self.fresh.borrow_mut().insert(name.to_owned(), value);
    }

    /// Keeps variables that `include_vars` read.
    pub(crate) fn include(&self, vars: &Map) {
        self.forget(Layer::Included);
        if self.options.attended {
            self.news.borrow_mut().vars.extend(vars.clone());
        }
        lay(&mut self.included.borrow_mut(), vars, self.merges());
    }

    /// Forgets gathered facts (`meta: clear_facts`).
    pub(crate) fn clear_facts(&self) {
        self.forget(Layer::Facts);
        self.facts.borrow_mut().clear();
    }

    pub(super) fn touch(&self) {
        self.generation.set(self.generation.get() + 1);
    }

    /// The text of a secret; it is kept out of events from now on.
    pub(crate) fn secret(&self, name: &str) -> Result<String, String> {
        if name.starts_with(UNDECRYPTABLE) {
            return Err(name.to_owned());
        }
        let text = self.driver.secret(name)?;
        self.hide(&text);
        Ok(text.as_str().to_owned())
    }

    /// Keeps a text out of events from now on.
    pub(crate) fn hide(&self, text: &Zeroizing<String>) {
        let mut known = self.secrets.borrow_mut();
        if !known.contains(text) {
            known.push(text.clone());
            *self.redactor.borrow_mut() = Redactor::new(known.iter().map(|s| s.as_bytes()));
        }
    }

    /// The password for becoming another user that was given for the whole run, if one was.
    pub(crate) fn given_password(&self) -> Option<Zeroizing<String>> {
        let ask = || {
            let given = self.driver.secret(BECOME_PASSWORD).ok();
            given.inspect(|password| self.hide(password))
        };
        self.password.get_or_init(ask).clone()
    }
}

fn merges(plan: &ExecutionPlan) -> bool {
    plan.runtime.merge_hashes == Some(true)
}

/// What the inventory says of a host: its groups' variables, then its own.
pub(crate) fn inventory_of(plan: &ExecutionPlan, groups: &Groups, host: &str) -> Map {
    let mut vars = Map::new();
    for (_, group) in groups.order_for(plan, host) {
        lay(&mut vars, &group.vars, merges(plan));
    }
    if let Some(own) = plan.hosts.get(host) {
        lay(&mut vars, &own.vars, merges(plan));
    }
    vars
}
