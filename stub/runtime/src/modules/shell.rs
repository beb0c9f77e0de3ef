//! `shell`: runs a command line by a shell, `/bin/sh` unless `executable` names another.

use crate::args::Args;
use crate::context::Context;
use crate::modules::{Module, command};
use crate::outcome::ModuleResult;
use crate::spec::{Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Shell;

static SPEC: Spec = Spec {
    name: "shell",
    collection: "ansible.builtin",
    summary: "Runs a command line by a shell.",
    args: &[command::SHARED_ARGS],
    free_form: Some("_raw_params"),
    open: false,
    rules: command::RULES,
    check: Support::Partial,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Shell {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        command::run(args, ctx, true)
    }
}
