//! `set_stats`: numbers and texts that are told at the end of the run. Who prints the run adds them up.

use rustle_formats::{Map, Value};

use crate::args::{Args, boolean};
use crate::context::{Context, RenderRequest};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};
use crate::vars::is_variable_name;

/// See the module's page in Ansible's documentation.
pub(super) struct SetStats;

static SPEC: Spec = Spec {
    name: "set_stats",
    collection: "ansible.builtin",
    summary: "Sets statistics that are told at the end of the run, with `show_custom_stats`.",
    args: &[&[
        Arg::new("data", Kind::Raw, "The statistics by name."),
        Arg::new("per_host", Kind::Raw, "Whether they are the host's own. Default: the run's."),
        Arg::new("aggregate", Kind::Raw, "Whether they are added to what is there. Default: yes."),
    ]],
    free_form: None,
    open: true,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

const KNOWN: [&str; 3] = ["data", "per_host", "aggregate"];

impl Module for SetStats {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let unknown: Vec<&str> = args
            .values()
            .keys()
            .map(String::as_str)
            .filter(|name| !KNOWN.contains(name))
            .collect();
        if !unknown.is_empty() {
            return Err(Failure::new(format!(
                "Invalid options for set_stats: {}",
                unknown.join(",")
            )));
        }
        let data = match args.get("data") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Map(data)) => data
                .iter()
                .map(|(name, value)| Ok((named(name, ctx)?, value.clone())))
                .collect::<Result<Map, Failure>>()?,
            Some(_) => {
                return Err(Failure::new(
                    "The 'data' option needs to be a dictionary/hash",
                ));
            }
        };
        if let Some(name) = data.keys().find(|name| !is_variable_name(name)) {
            return Err(Failure::new(format!(
                "Task failed: Invalid variable name '{name}'."
            )));
        }
        // What is no boolean counts as false.
        let flag = |name: &str, default: bool| match args.get(name) {
            None | Some(Value::Null) => default,
            Some(value) => boolean(value).unwrap_or(false),
        };
        let mut stats = Map::new();
        stats.insert("data".into(), Value::Map(data));
        stats.insert("per_host".into(), flag("per_host", false).into());
        stats.insert("aggregate".into(), flag("aggregate", true).into());
        Ok(Outcome::ok().with("ansible_stats", Value::Map(stats)))
    }
}

/// A name, which may be a template.
fn named(name: &str, ctx: &Context<'_>) -> Result<String, Failure> {
    match ctx.variables {
        Some(variables) if name.contains("{{") => variables
            .render(&RenderRequest {
                text: name,
                name: "set_stats",
                about: Map::new(),
                options: Map::new(),
            })
            .map_err(Failure::new),
        _ => Ok(name.to_owned()),
    }
}
