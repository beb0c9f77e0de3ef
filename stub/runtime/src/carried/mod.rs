//! Modules that came with the plan, in other languages than this program's. What comes with a plan stands before the
//! module of the same name that this program has: whoever packed it chose so.
//!
//! `file` runs one that is a file by itself, `python` one that is imported from the plan's archive, `given` says what each
//! is given besides its arguments, `interpreter` what runs it, `answer` reads what it printed.

mod answer;
mod file;
mod given;
mod interpreter;
mod python;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rustle_formats::plan::{ExecutionPlan, carried};

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::ModuleResult;
use crate::spec::{Place, Reach, Spec, Support};

/// The modules that came with a plan, by the names that its tasks have for them.
#[derive(Default)]
pub(crate) struct CarriedModules(HashMap<String, &'static Foreign>);

impl CarriedModules {
    /// Those of a plan.
    pub(crate) fn of(plan: &ExecutionPlan) -> CarriedModules {
        let found = carried(plan).map(|module| {
            (
                module.name.to_owned(),
                foreign(&module.asset(), module.name, module.import),
            )
        });
        CarriedModules(found.collect())
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
    /// The name to import it by, where Python does.
    import: Option<String>,
}

/// The declaration of a module that came with a plan. It is the same for every plan, and there are as many as names: each
/// is made once and kept as long as the program runs, as those of its own modules are.
fn foreign(asset: &str, name: &str, import: Option<&str>) -> &'static Foreign {
    static KNOWN: Mutex<Option<HashMap<String, &'static Foreign>>> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(module) = known.get(asset) {
        return module;
    }
    let in_library = import.is_none_or(|i| i.starts_with("ansible.legacy."));
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
            place: Place::Target,
        })),
        asset: asset.to_owned(),
        import: import.map(str::to_owned),
    }));
    known.insert(asset.to_owned(), module);
    module
}

impl Module for Foreign {
    fn spec(&self) -> &'static Spec {
        self.spec
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        match &self.import {
            Some(import) => python::run(self.spec.name, import, args.values(), ctx),
            None => file::run(self.spec.name, &self.asset, args.values(), ctx),
        }
    }
}
