//! `wait_for_connection`: waits until the machine can be reached. The engine does it from the controller (`engine/outage.rs`).

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct WaitForConnection;

static SPEC: Spec = Spec {
    name: "wait_for_connection",
    collection: "ansible.builtin",
    summary: "Waits until the machine can be reached.",
    args: &[&[
        Arg::new("connect_timeout", Kind::Int, "Accepted: the connection's own limit (`ansible_timeout`) counts.")
            .default(Default::Int(5)),
        Arg::new("delay", Kind::Int, "Seconds before the first try.").default(Default::Int(0)),
        Arg::new("sleep", Kind::Int, "Seconds between tries.").default(Default::Int(1)),
        Arg::new("timeout", Kind::Int, "Seconds until it fails.").default(Default::Int(600)),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Engine,
};

impl Module for WaitForConnection {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, _: &Args, _: &Context<'_>) -> ModuleResult {
        Ok(Outcome::ok().with("elapsed", 0i64))
    }
}
