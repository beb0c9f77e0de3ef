//! `debug`: prints a message or a variable.

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
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
        Arg::new("var", Kind::Str, "The variable or expression that is printed."),
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
        let Some(var) = args.str("var") else {
            let message = args.get("msg").cloned();
            return Ok(Outcome::ok().with("msg", message.unwrap_or_else(|| "Hello world!".into())));
        };
        let variables = ctx
            .variables
            .ok_or_else(|| Failure::new("debug has no variables here"))?;
        let value = match variables.eval(var) {
            Ok(value) => value,
            // What is undefined is printed as such, and is no failure.
            Err(message) => {
                ctx.warn(format!("Encountered 1 template error.\nerror 1 - {message}"));
                Value::Str(format!("<< error 1 - {message} >>"))
            }
        };
        Ok(Outcome::ok().with(var, value))
    }
}
