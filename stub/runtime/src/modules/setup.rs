//! `setup`: gathers facts.

use std::path::Path;

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::engine;
use crate::facts::{self, Source};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Setup;

static SPEC: Spec = Spec {
    name: "setup",
    collection: "ansible.builtin",
    summary: "Gathers facts about the machine.",
    args: &[&[
        Arg::new("gather_subset", Kind::List(&Kind::Str), "What is gathered: `all`, `min`, families, `!family`."),
        Arg::new("filter", Kind::List(&Kind::Str), "Shell patterns; only facts that fit one are returned.")
            .default(Default::EmptyList),
        Arg::new("fact_path", Kind::Path, "The folder of the machine's own facts.")
            .default(Default::Str("/etc/ansible/facts.d")),
        Arg::new("gather_timeout", Kind::Int, "Taken for compatibility: nothing here waits.")
            .default(Default::Int(10)),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for Setup {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let subset = args
            .list("gather_subset")
            .unwrap_or_else(|| vec!["all".to_owned()]);
        let families = facts::wanted(&subset).map_err(Failure::new)?;
        let source = Source {
            root: Path::new("/"),
            env: ctx.environment,
            fact_path: args.text("fact_path"),
        };
        let mut found = facts::gather(&source, &families);
        let mut filters = args.list("filter").unwrap_or_default();
        // An empty one leaves nothing out.
        filters.retain(|filter| !filter.is_empty());
        if !filters.is_empty() {
            found.retain(|name, _| {
                let short = name.strip_prefix("ansible_").unwrap_or(name);
                filters
                    .iter()
                    .any(|f| engine::fits(f, name) || engine::fits(f, short))
            });
        }
        found.insert("gather_subset".into(), Value::from(subset));
        found.insert("module_setup".into(), true.into());
        Ok(Outcome {
            facts: found,
            fields: Map::new(),
            ..Outcome::ok()
        })
    }
}
