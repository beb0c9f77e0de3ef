//! `debug`: prints a message or a variable.

use rustle_formats::Value;

use crate::args::{Args, type_of};
use crate::context::Context;
use crate::modules::Module;
use crate::report::python_str;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Debug;

static SPEC: Spec = Spec {
    name: "debug",
    collection: "ansible.builtin",
    summary: "Prints a message or the value of an expression.",
    args: &[&[
        Arg::new("msg", Kind::Raw, "What is printed. Default: Hello world!"),
        Arg::new("var", Kind::Raw, "The variable or expression that is printed."),
        Arg::new("verbosity", Kind::Int, "How many -v it takes to print it.")
            .default(Default::Int(0)),
    ]],
    free_form: None,
    open: false,
    rules: &[Rule::MutuallyExclusive(&["msg", "var"])],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

impl Module for Debug {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if args.int("verbosity").unwrap_or(0) > i64::from(ctx.verbosity) {
            let outcome = Outcome {
                skipped: true,
                ..Outcome::ok().with("skipped_reason", "Verbosity threshold not met.")
            };
            return Ok(outcome);
        }
        let var = match args.get("var") {
            Some(Value::Str(var) | Value::Unsafe(var)) => var,
            None | Some(Value::Null) => {
                let message = args.get("msg").cloned();
                let message = message.unwrap_or_else(|| "Hello world!".into());
                return Ok(Outcome::ok().with("msg", message));
            }
            Some(other) => {
                return Err(Failure::new(format!(
                    "argument 'var' is of type {} and we were unable to convert to _check_type_str_no_conversion: '{}' is not a string and conversion is not allowed",
                    type_of(other),
                    python_str(other)
                )));
            }
        };
        let variables = ctx
            .variables
            .ok_or_else(|| Failure::new("debug has no variables here"))?;
        let (value, warning) = variables.show(var).map_err(|message| {
            Failure::new(format!(
                "Task failed: Error while resolving `var` expression: {message}"
            ))
        })?;
        if let Some(warning) = warning {
            ctx.warn(warning);
        }
        Ok(Outcome::ok().with(var, value))
    }
}
