//! `set_fact`: sets variables of the host. The engine keeps them.

use rustle_formats::Map;

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};
use crate::vars::is_variable_name;

/// See the module's page in Ansible's documentation.
pub(super) struct SetFact;

static SPEC: Spec = Spec {
    name: "set_fact",
    collection: "ansible.builtin",
    summary: "Sets variables of the host for the rest of the run.",
    args: &[&[Arg::new(
        "cacheable",
        Kind::Bool,
        "Whether they become facts too, which `meta: clear_facts` forgets.",
    )
    .default(Default::Bool(false))]],
    free_form: None,
    open: true,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

impl Module for SetFact {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, _: &Context<'_>) -> ModuleResult {
        let facts: Map = args
            .values()
            .iter()
            .filter(|(name, _)| *name != "cacheable")
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        if facts.is_empty() {
            return Err(Failure::new(
                "No key/value pairs provided, at least one is required for this action to succeed",
            ));
        }
        if let Some(name) = facts.keys().find(|name| !is_variable_name(name)) {
            return Err(Failure::new(format!(
                "Task failed: Invalid variable name '{name}'."
            )));
        }
        Ok(Outcome {
            facts,
            ..Outcome::ok()
        })
    }
}
