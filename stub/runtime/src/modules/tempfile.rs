//! `tempfile`: a new file or folder that nobody else can open.

use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::args::Args;
use crate::context::Context;
use crate::fsops::{errno, info, paths};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Tempfile;

static SPEC: Spec = Spec {
    name: "tempfile",
    collection: "ansible.builtin",
    summary: "Makes a temporary file or folder.",
    args: &[&[
        Arg::new("state", Kind::Str, "What is made.")
            .choices(&["directory", "file"])
            .default(Default::Str("file")),
        Arg::new(
            "path",
            Kind::Path,
            "Where; the system's place for temporary files by default.",
        ),
        Arg::new("prefix", Kind::Str, "What its name begins with.")
            .default(Default::Str("ansible.")),
        Arg::new("suffix", Kind::Str, "What its name ends with.").default(Default::Str("")),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::None,
    diff: Support::None,
    reach: Reach::Local,
    place: Place::Target,
};

/// How many names are tried.
const ATTEMPTS: usize = 100;

impl Module for Tempfile {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if ctx.check {
            let mut outcome =
                Outcome::ok().msg("remote module (ansible.builtin.tempfile) does not support check mode");
            outcome.skipped = true;
            return Ok(outcome);
        }
        for part in ["prefix", "suffix"] {
            let text = args.text(part);
            if text.contains('/') {
                return Err(Failure::new(format!(
                    "{part} must be a valid file name component, got '{text}'"
                )));
            }
        }
        let folder = paths::arg(args, "path", ctx).unwrap_or_else(|| default_folder(ctx));
        let made = make(args, &folder).map_err(|e| {
            let example = folder.join(args.text("prefix"));
            Failure::new(errno::at(&e, &example))
        })?;
        let outcome = Outcome::changed(true).with("path", paths::shown(&made));
        Ok(info::with_path(outcome, &made))
    }
}

fn default_folder(ctx: &Context<'_>) -> PathBuf {
    match ctx.environment.get("TMPDIR") {
        Some(folder) if Path::new(folder).is_dir() => PathBuf::from(folder),
        _ => PathBuf::from("/tmp"),
    }
}

fn make(args: &Args, folder: &Path) -> io::Result<PathBuf> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    for _ in 0..ATTEMPTS {
        let mut random = [0u8; 8];
        getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
        let middle: String = random
            .iter()
            .filter_map(|b| LETTERS.get(usize::from(b % 32)))
            .map(|b| char::from(*b))
            .collect();
        let name = format!("{}{middle}{}", args.text("prefix"), args.text("suffix"));
        let path = folder.join(name);
        let made = if args.text("state") == "directory" {
            DirBuilder::new().mode(0o700).create(&path)
        } else {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .map(drop)
        };
        match made {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}
