//! `slurp`: a file's content, as base64.

use base64::Engine;

use crate::args::Args;
use crate::context::Context;
use crate::fsops::paths;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Slurp;

static SPEC: Spec = Spec {
    name: "slurp",
    collection: "ansible.builtin",
    summary: "Reads a file of the machine into a variable.",
    args: &[&[Arg::new("src", Kind::Path, "The file.")
        .aliases(&["path"])
        .required()]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

impl Module for Slurp {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let path = paths::arg(args, "src", ctx).unwrap_or_default();
        let shown = paths::shown(&path);
        let bytes = std::fs::read(&path).map_err(|e| {
            Failure::new(match e.raw_os_error() {
                Some(libc::ENOENT) => format!("File not found: {shown}"),
                Some(libc::EACCES) => format!("File is not readable: {shown}"),
                Some(libc::EISDIR) => {
                    format!("Source is a directory and must be a file: {shown}")
                }
                _ => format!("Unable to slurp file: {e}"),
            })
        })?;
        Ok(Outcome::ok()
            .with(
                "content",
                base64::engine::general_purpose::STANDARD.encode(bytes),
            )
            .with("source", shown)
            .with("encoding", "base64"))
    }
}
