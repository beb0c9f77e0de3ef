//! `assert`: fails unless conditions hold.

use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Assert;

static SPEC: Spec = Spec {
    name: "assert",
    collection: "ansible.builtin",
    summary: "Fails unless conditions hold.",
    args: &[&[
        Arg::new("that", Kind::Raw, "The conditions.").required().raw(),
        Arg::new("fail_msg", Kind::Raw, "What a failure says.").aliases(&["msg"]),
        Arg::new("success_msg", Kind::Raw, "What success says."),
        Arg::new("quiet", Kind::Bool, "Whether success is printed without details.")
            .default(Default::Bool(false)),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

/// The expression of a text that is one template and nothing else.
fn only_template(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then_some(inner)
}

impl Module for Assert {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let variables = ctx
            .variables
            .ok_or_else(|| Failure::new("assert has no variables here"))?;
        let mut chosen = None;
        if let Some(Value::Str(text)) = args.get("that")
            && let Some(inner) = only_template(text)
        {
            // A template may give a list of conditions; what else it gives is a condition as it stands.
            chosen = variables.conditions(inner).ok().flatten().map(Value::List);
        }
        let conditions = match chosen.as_ref().or(args.get("that")) {
            Some(Value::List(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for condition in conditions {
            let holds = variables
                .condition(condition)
                .map_err(|e| Failure::new(format!("Task failed: {e}")))?;
            if !holds {
                let message = args
                    .get("fail_msg")
                    .cloned()
                    .unwrap_or_else(|| "Assertion failed".into());
                let text = crate::args::text(&message);
                let failure = Failure::new(text)
                    .with("evaluated_to", false)
                    .with("assertion", condition.clone());
                return Err(match message {
                    // A list of sentences stays one.
                    Value::List(_) => failure.with("msg", message),
                    _ => failure,
                });
            }
        }
        let message = args
            .get("success_msg")
            .cloned()
            .unwrap_or_else(|| "All assertions passed".into());
        let shown = args.get("quiet") != Some(&Value::Bool(true));
        let outcome = Outcome::ok().with("msg", message);
        Ok(if shown {
            outcome
        } else {
            outcome.with("_ansible_verbose_always", false)
        })
    }
}
