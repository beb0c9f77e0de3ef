//! `fetch`: brings a file of the machine to the controller. The module reads it where it lies, as the user that the task becomes;
//! the engine hands it on to the controller.

use std::path::Path;

use base64::Engine as _;
use rustle_formats::Value;

use crate::args::Args;
use crate::context::Context;
use crate::fsops::digest::{Algorithm, Hasher};
use crate::fsops::paths;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Fetch;

static SPEC: Spec = Spec {
    name: "fetch",
    collection: "ansible.builtin",
    summary: "Brings a file of the machine to the controller.",
    args: &[&[
        Arg::new("src", Kind::Raw, "The file on the machine."),
        Arg::new("dest", Kind::Raw, "A folder of the controller; the file, where `flat` is set."),
        Arg::new("flat", Kind::Raw, "Whether neither the host's name nor the file's folders stand in between."),
        Arg::new("fail_on_missing", Kind::Raw, "Whether a file that cannot be read is a failure. Default: yes."),
        Arg::new("validate_checksum", Kind::Raw, "Whether what was written is compared with what was read. Default: yes."),
    ]],
    free_form: None,
    // Ansible lets what it does not know pass here.
    open: true,
    rules: &[],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

/// The largest file that is brought, in bytes: it passes through memory.
const MAX: u64 = 128 << 20;

/// A failure that is told in another way than a module's.
fn told(msg: &str, told: String) -> Failure {
    Failure::new(msg).with("_ansible_told", told)
}

fn wrong(msg: &str) -> Failure {
    told(msg, format!("Task failed: {msg}"))
}

impl Module for Fetch {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if ctx.check {
            return Ok(Outcome {
                skipped: true,
                ..Outcome::ok().msg("check mode not (yet) supported for this module")
            });
        }
        let text = |name: &str, told: &str| match args.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Str(text) | Value::Unsafe(text)) => Ok(Some(text.clone())),
            Some(_) => Err(wrong(&format!(
                "Invalid type supplied for {told} option, it must be a string"
            ))),
        };
        let (src, dest) = (text("src", "source")?, text("dest", "destination")?);
        let (Some(src), Some(_)) = (src, dest) else {
            return Err(wrong("src and dest are required"));
        };
        let path = paths::expand(&src, ctx);
        let shown = paths::shown(&path);
        let required = args
            .get("fail_on_missing")
            .is_none_or(|v| v.is_null() || crate::args::boolean(v) != Some(false));
        match read(&path) {
            Ok(bytes) => Ok(Outcome::ok()
                .with("source", shown)
                .with("checksum", sum(&bytes, Algorithm::Sha1))
                .with("md5sum", sum(&bytes, Algorithm::Md5))
                .with(
                    "content",
                    base64::engine::general_purpose::STANDARD.encode(bytes),
                )),
            Err(e) => missing(&e, &shown, required),
        }
    }
}

fn sum(bytes: &[u8], algorithm: Algorithm) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

/// The content of a file that is not too large.
fn read(path: &Path) -> std::io::Result<Vec<u8>> {
    let size = std::fs::metadata(path)?.len();
    if size > MAX {
        return Err(std::io::Error::other(format!(
            "it has {size} bytes, and at most {MAX} are brought to the controller"
        )));
    }
    std::fs::read(path)
}

/// What is said of a file that cannot be brought: a failure, unless it may be missing.
fn missing(error: &std::io::Error, shown: &str, required: bool) -> ModuleResult {
    const ABSENT: &str = "the remote file does not exist, not transferring, ignored";
    const FOLDER: &str = "remote file is a directory, fetch cannot work on directories";
    let found = Outcome::ok();
    match error.raw_os_error() {
        Some(libc::ENOENT) if required => {
            let name = if shown.is_empty() {
                "File not found:".to_owned()
            } else {
                format!("File not found: {shown}")
            };
            Err(told(
                ABSENT,
                format!("Task failed: Module failed: {name}: [Errno 2] No such file or directory: '{shown}'"),
            ))
        }
        Some(libc::ENOENT) => Ok(found.with("file", shown).msg(ABSENT)),
        Some(libc::EISDIR) if required => {
            Err(told(FOLDER, format!("Task failed: Action failed: {FOLDER}")))
        }
        Some(libc::EISDIR) => Ok(found.msg(format!("{FOLDER}, not transferring, ignored"))),
        Some(libc::EACCES) if required => {
            let msg = format!("File is not readable: {shown}");
            let sentence = format!(
                "Task failed: Module failed: {msg}: [Errno 13] Permission denied: '{shown}'"
            );
            Err(told(&msg, sentence))
        }
        Some(libc::EACCES) => Ok(found.with("file", shown)),
        _ => Err(Failure::new(format!("{shown} cannot be fetched: {error}"))),
    }
}
