//! `systemd`: the old name of `systemd_service`.

use crate::args::Args;
use crate::context::Context;
use crate::modules::{Module, systemd_service};
use crate::outcome::ModuleResult;
use crate::spec::Spec;

/// See the module's page in Ansible's documentation.
pub(super) struct Systemd;

static SPEC: Spec = systemd_service::spec("systemd");

impl Module for Systemd {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        systemd_service::run(args, ctx)
    }
}
