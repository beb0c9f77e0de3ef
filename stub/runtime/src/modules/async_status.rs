//! `async_status`: tells how a background task stands.

use std::path::PathBuf;

use crate::args::Args;
use crate::context::Context;
use crate::jobs::{self, State};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct AsyncStatus;

static SPEC: Spec = Spec {
    name: "async_status",
    collection: "ansible.builtin",
    summary: "Tells how a background task stands.",
    args: &[&[
        Arg::new("jid", Kind::Str, "The job, `ansible_job_id` of the task's result.").required(),
        Arg::new("mode", Kind::Str, "`status`, or `cleanup` to remove the job's state.")
            .choices(&["cleanup", "status"])
            .default(Default::Str("status")),
        Arg::new("_async_dir", Kind::Path, "The folder of the jobs' states."),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for AsyncStatus {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let id = args.text("jid");
        let folder = args
            .str("_async_dir")
            .map(PathBuf::from)
            .or_else(|| ctx.environment.get(jobs::FOLDER).map(PathBuf::from))
            .or_else(|| ctx.home.map(|h| h.join(".ansible_async")))
            .ok_or_else(|| Failure::new("no home folder is known"))?;
        let file = folder.join(id);
        let about = |outcome: Outcome| {
            outcome
                .with("ansible_job_id", id)
                .with("results_file", file.to_string_lossy().as_ref())
                .with("started", true)
                .with("stdout", "")
                .with("stderr", "")
        };
        if !jobs::is_id(id) || !file.exists() {
            let outcome = about(Outcome::ok().msg("could not find job")).with("finished", true);
            return Ok(Outcome {
                failed: true,
                ..outcome
            });
        }
        if args.text("mode") == "cleanup" {
            std::fs::remove_file(&file)
                .map_err(|e| Failure::new(format!("cannot remove {}: {e}", file.display())))?;
            return Ok(Outcome::ok()
                .with("ansible_job_id", id)
                .with("started", false)
                .with("finished", false)
                .with("stdout", "")
                .with("stderr", "")
                .with("erased", file.to_string_lossy().as_ref()));
        }
        match jobs::read(&file).map_err(Failure::new)? {
            State::Running => Ok(about(Outcome::ok()).with("finished", false)),
            State::Finished(mut map) => {
                let changed = crate::args::boolean(&map.shift_remove("changed").unwrap_or_default());
                let failed = crate::args::boolean(&map.shift_remove("failed").unwrap_or_default());
                let mut outcome = about(Outcome::changed(changed == Some(true)));
                outcome.failed = failed == Some(true);
                outcome.fields.extend(map);
                Ok(outcome)
            }
        }
    }
}
