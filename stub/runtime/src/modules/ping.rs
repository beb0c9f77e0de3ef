//! `ping`: answers, to show that a plan runs here at all.

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Ping;

static SPEC: Spec = Spec {
    name: "ping",
    collection: "ansible.builtin",
    summary: "Answers `pong`.",
    args: &[&[
        Arg::new("data", Kind::Str, "What is answered; `crash` fails.")
            .default(Default::Str("pong")),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for Ping {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, _: &Context<'_>) -> ModuleResult {
        match args.text("data") {
            "crash" => Err(Failure::new("boom")),
            data => Ok(Outcome::ok().with("ping", data)),
        }
    }
}
