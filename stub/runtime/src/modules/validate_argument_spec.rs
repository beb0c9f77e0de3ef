//! `validate_argument_spec`: checks variables against a description of arguments, as roles give one.

use rustle_formats::{Map, Value};

use crate::args::{Args, described};
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct ValidateArgumentSpec;

static SPEC: Spec = Spec {
    name: "validate_argument_spec",
    collection: "ansible.builtin",
    summary: "Checks variables against a description of arguments.",
    args: &[&[
        Arg::new("argument_spec", Kind::Dict, "The description, by name of argument.").required(),
        Arg::new("provided_arguments", Kind::Dict, "Arguments, besides the variables of those names."),
        Arg::new("validate_args_context", Kind::Dict, "Where the description comes from; returned as it is."),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

impl Module for ValidateArgumentSpec {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let empty = Map::new();
        let map = |name: &str| match args.get(name) {
            Some(Value::Map(map)) => map,
            _ => &empty,
        };
        let spec = map("argument_spec");
        let mut given = Map::new();
        for name in spec.keys() {
            let found = match ctx.variables {
                Some(variables) => variables.get(name).map_err(|e| Failure::new(format!("Task failed: {e}")))?,
                None => None,
            };
            if let Some(value) = found {
                given.insert(name.clone(), value);
            }
        }
        given.extend(map("provided_arguments").clone());
        let context = Value::Map(map("validate_args_context").clone());
        let errors = described::check(spec, &given);
        if errors.is_empty() {
            return Ok(Outcome::ok()
                .msg("The arg spec validation passed")
                .with("validate_args_context", context));
        }
        Err(
            Failure::new(format!("Validation of arguments failed:\n{}", errors.join("\n")))
                .with("validate_args_context", context)
                .with("argument_spec_data", Value::Map(spec.clone()))
                .with("argument_errors", errors),
        )
    }
}
