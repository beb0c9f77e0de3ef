//! `reboot`: restarts the machine and waits until it is back. The engine does it from the controller (`engine/outage.rs`).

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Reboot;

static SPEC: Spec = Spec {
    name: "reboot",
    collection: "ansible.builtin",
    summary: "Restarts the machine and waits until it is back.",
    args: &[&[
        Arg::new("boot_time_command", Kind::Str, "What prints something that differs from boot to boot.")
            .default(Default::Str("cat /proc/sys/kernel/random/boot_id")),
        Arg::new("connect_timeout", Kind::Int, "Accepted: the connection's own limit (`ansible_timeout`) counts.")
            .aliases(&["connect_timeout_sec"]),
        Arg::new("msg", Kind::Str, "What users are told.").default(Default::Str("Reboot initiated by Ansible")),
        Arg::new("post_reboot_delay", Kind::Int, "Seconds to wait before the machine is looked for.")
            .aliases(&["post_reboot_delay_sec"])
            .default(Default::Int(0)),
        Arg::new("pre_reboot_delay", Kind::Int, "Seconds between the command and the restart, in whole minutes.")
            .aliases(&["pre_reboot_delay_sec"])
            .default(Default::Int(0)),
        Arg::new("reboot_command", Kind::Str, "What restarts the machine. Default: shutdown with time and message."),
        Arg::new("reboot_timeout", Kind::Int, "Seconds to wait for the restart, and again for the test.")
            .aliases(&["reboot_timeout_sec"])
            .default(Default::Int(600)),
        Arg::new("search_paths", Kind::List(&Kind::Str), "Folders in which the command is looked for."),
        Arg::new("test_command", Kind::Str, "What must succeed for the machine to be ready.")
            .default(Default::Str("whoami")),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Engine,
};

impl Module for Reboot {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, _: &Args, _: &Context<'_>) -> ModuleResult {
        Ok(Outcome::changed(true)
            .with("elapsed", 0i64)
            .with("rebooted", true))
    }
}
