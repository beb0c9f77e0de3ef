//! Modules that came with the plan, in other languages than this program's. What comes with a plan stands before the
//! module of the same name that this program has: whoever packed it chose so.
//!
//! `file` runs one that is a file by itself, `python` one that is imported from the plan's archive, `given` says what each
//! is given besides its arguments, `action` asks the controller for its part, `interpreter` what runs it, `answer` reads what it printed.

pub(crate) mod action;
mod answer;
mod file;
mod given;
mod interpreter;
mod python;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustle_formats::plan::{ExecutionPlan, Way, carried};

use crate::args::Args;
use crate::context::Context;
use crate::modules::{Brought, Module};
use crate::outcome::{Failure, ModuleResult};
use crate::spec::{Place, Reach, Spec, Support};

/// The modules that came with a plan, by the names that its tasks have for them.
#[derive(Default)]
pub(crate) struct CarriedModules(HashMap<String, &'static Foreign>);

impl CarriedModules {
    /// Those of a plan.
    pub(crate) fn of(plan: &ExecutionPlan) -> CarriedModules {
        let found = carried(plan).map(|module| {
            let foreign = foreign(module.asset(), module.name, module.way);
            (module.name.to_owned(), foreign)
        });
        CarriedModules(found.collect())
    }

    /// Whether the controller runs the one of this name.
    pub(crate) fn is_action(&self, name: &str) -> bool {
        let found = self.0.get(name);
        found.is_some_and(|module| matches!(module.way, Started::Action))
    }

    /// One of them.
    pub(crate) fn find(&self, name: &str) -> Option<&'static dyn Module> {
        self.0
            .get(name)
            .map(|module| *module as &'static dyn Module)
    }
}

/// A module that this program only starts.
struct Foreign {
    spec: &'static Spec,
    /// The asset that has it.
    asset: String,
    way: Started,
}

/// How it is started.
enum Started {
    File,
    /// By the name that Python imports it by.
    Python(String),
    /// By the controller.
    Action,
}

/// The declaration of a module that came with a plan. It is the same for every plan, and there are as many as names: each
/// is made once and kept as long as the program runs, as those of its own modules are.
fn foreign(asset: String, name: &str, way: Way<'_>) -> &'static Foreign {
    static KNOWN: Mutex<Option<HashMap<String, &'static Foreign>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(module) = known.get(&asset) {
        return module;
    }
    let (way, in_library) = match way {
        Way::File => (Started::File, true),
        Way::Python(import) => (
            Started::Python(import.to_owned()),
            import.starts_with("ansible.legacy."),
        ),
        Way::Action => (Started::Action, false),
    };
    let (collection, short) = match name.rsplit_once('.') {
        Some(parts) => parts,
        None if in_library => ("ansible.legacy", name),
        None => ("ansible.builtin", name),
    };
    let module: &'static Foreign = Box::leak(Box::new(Foreign {
        spec: Box::leak(Box::new(Spec {
            name: short.to_owned().leak(),
            collection: collection.to_owned().leak(),
            summary: "",
            args: &[],
            free_form: None,
            open: true,
            rules: &[],
            check: Support::Full,
            diff: Support::Full,
            reach: Reach::Outside,
            place: match way {
                Started::Action => Place::Engine,
                _ => Place::Target,
            },
        })),
        asset: asset.clone(),
        way,
    }));
    known.insert(asset, module);
    module
}

/// The module that an asset has, as [`Module::carried`] names both.
pub(crate) fn carried_module(name: &str, (asset, import): &Brought) -> &'static dyn Module {
    let way = import.as_deref().map_or(Way::File, Way::Python);
    foreign(asset.clone(), name, way)
}

impl Module for Foreign {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn carried(&self) -> Option<Brought> {
        let import = match &self.way {
            Started::Python(import) => Some(import.clone()),
            Started::File => None,
            // It never leaves the engine.
            Started::Action => return None,
        };
        Some((self.asset.clone(), import))
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        match &self.way {
            Started::Python(import) => python::run(self.spec.name, import, args.values(), ctx),
            Started::File => file::run(self.spec.name, &self.asset, args.values(), ctx),
            Started::Action => Err(Failure::new(
                "only the engine can ask the controller for its part",
            )),
        }
    }
}
