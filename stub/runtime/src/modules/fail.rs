//! `fail`: ends the task with a message.

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Fail;

static SPEC: Spec = Spec {
    name: "fail",
    collection: "ansible.builtin",
    summary: "Fails with a message of the playbook's.",
    args: &[&[
        Arg::new("msg", Kind::Raw, "What is printed.")
            .default(Default::Str("Failed as requested from task")),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Engine,
};

impl Module for Fail {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, _: &Context<'_>) -> ModuleResult {
        // It stays what it is, a list or nothing at all.
        let msg = args.get("msg").cloned().unwrap_or_default();
        Err(Failure::new("").with("msg", msg))
    }
}
