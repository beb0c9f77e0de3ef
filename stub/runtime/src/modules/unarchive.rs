//! `unarchive`: what is in an archive lies in a folder.
//!
//! The machine's own `tar` and `unzip` do the work, as under Ansible: what they make of owners, links and odd names is what people know.

mod tar;
mod zip;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::assets::AssetKind;
use crate::context::Context;
use crate::fsops::attrs::Wanted;
use crate::fsops::private::PrivateFolder;
use crate::fsops::{errno, info, paths};
use crate::http;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Done, expand};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Rule, Spec, Support};

use tar::Tar;
use zip::Zip;

/// See the module's page in Ansible's documentation.
pub(super) struct Unarchive;

static SPEC: Spec = Spec {
    name: "unarchive",
    collection: "ansible.builtin",
    summary: "Unpacks an archive into a folder.",
    args: &[FILE_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[Rule::MutuallyExclusive(&["include", "exclude"])],
    check: Support::Partial,
    diff: Support::Partial,
    reach: Reach::Local,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new(
        "src",
        Kind::Path,
        "The archive: a file that comes with the plan, or one on the machine or a URL with remote_src.",
    )
    .required()
    .asset(),
    Arg::new("dest", Kind::Path, "The folder. It must be there.").required(),
    Arg::new(
        "remote_src",
        Kind::Bool,
        "Whether the archive is on the machine itself, or is fetched from a URL.",
    )
    .default(Default::Bool(false)),
    Arg::new("copy", Kind::Bool, "The older, opposite name of remote_src.")
        .default(Default::Bool(true)),
    Arg::new(
        "creates",
        Kind::Path,
        "A path; where it exists, nothing is unpacked.",
    ),
    Arg::new("include", Kind::List(&Kind::Str), "Only these members are unpacked.")
        .default(Default::EmptyList),
    Arg::new("exclude", Kind::List(&Kind::Str), "These members are left out.").default(Default::EmptyList),
    Arg::new(
        "keep_newer",
        Kind::Bool,
        "Whether files that are newer than those in the archive stay.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "list_files",
        Kind::Bool,
        "Whether the names in the archive are returned.",
    )
    .default(Default::Bool(false)),
    Arg::new("extra_opts", Kind::List(&Kind::Str), "More options for tar or unzip.")
        .default(Default::EmptyList),
    Arg::new("io_buffer_size", Kind::Int, "Accepted: what is read is read as it comes.")
        .default(Default::Int(65536)),
    Arg::new(
        "validate_certs",
        Kind::Bool,
        "Whether the certificate of a URL's server is checked.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "decrypt",
        Kind::Bool,
        "Whether vaulted sources are decrypted, which happens when packing.",
    )
    .default(Default::Bool(true)),
];

/// What is asked for, whatever kind of archive it is.
struct Job<'a> {
    args: &'a Args,
    ctx: &'a Context<'a>,
    wanted: Wanted,
    src: PathBuf,
    dest: PathBuf,
    include: Vec<String>,
    exclude: Vec<String>,
    options: Vec<String>,
}

/// What looking into an archive, and at what is there already, has shown.
struct Seen {
    /// The names of the members that count.
    members: Vec<String>,
    /// Whether all of it is there as it is in the archive.
    unpacked: bool,
    /// What differs, as rsync would tell it.
    differences: String,
}

/// A program's run, with its command line.
struct Extracted {
    command: Vec<String>,
    done: Done,
}

impl Module for Unarchive {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if let Some(creates) = args.str("creates")
            && expand(ctx, creates).exists()
        {
            return Ok(Outcome {
                skipped: true,
                msg: Some(format!("skipped, since {creates} exists")),
                ..Outcome::default()
            });
        }
        let mut folder = None;
        let src = source(args, ctx, &mut folder)?;
        let wanted = Wanted::from_args(args);
        wanted.check()?;
        let job = Job {
            args,
            ctx,
            wanted,
            src,
            dest: paths::arg(args, "dest", ctx).unwrap_or_default(),
            include: args.list("include").unwrap_or_default(),
            exclude: args.list("exclude").unwrap_or_default(),
            options: args.list("extra_opts").unwrap_or_default(),
        };
        job.run()
    }
}

/// The archive on this machine. What comes with the plan, or from a URL, is put into `folder`.
fn source(
    args: &Args,
    ctx: &Context<'_>,
    folder: &mut Option<PrivateFolder>,
) -> Result<PathBuf, Failure> {
    let text = args.text("src");
    let on_machine = args.bool("remote_src") || !args.bool("copy");
    if on_machine && !text.contains("://") {
        let src = paths::arg(args, "src", ctx).unwrap_or_default();
        if !src.exists() {
            return Err(Failure::new(format!(
                "Source '{}' does not exist",
                src.display()
            )));
        }
        return Ok(src);
    }
    let cannot = |e: std::io::Error| Failure::new(format!("cannot take in the archive {text}: {e}"));
    let private = PrivateFolder::new(ctx.work_dir, "unarchive").map_err(cannot)?;
    let name = text.rsplit('/').next().filter(|n| !n.is_empty());
    let path = private.path().join(name.unwrap_or("source"));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(cannot)?;
    if on_machine {
        fetch(text, args, ctx, &mut file)?;
    } else {
        let entry = ctx.find_asset(text, "files")?;
        if !matches!(entry.kind, AssetKind::File { .. }) {
            return Err(Failure::new(format!("the archive {text} is not a file")));
        }
        ctx.assets.read(&entry.path, &mut file).map_err(cannot)?;
    }
    file.flush().map_err(cannot)?;
    *folder = Some(private);
    Ok(path)
}

fn fetch(
    url: &str,
    args: &Args,
    ctx: &Context<'_>,
    file: &mut std::fs::File,
) -> Result<(), Failure> {
    let failed = |why: String| Failure::new(format!("Failure downloading {url}, {why}"));
    let request = http::Request {
        url: url.to_owned(),
        method: "GET".to_owned(),
        timeout: Duration::from_secs(10),
        agent: "ansible-httpget".to_owned(),
        netrc: true,
        proxy: true,
        validate: args.bool("validate_certs"),
        ..http::Request::default()
    };
    let mut response = http::send(&request, ctx).map_err(|e| failed(e.message))?;
    if !response.ok() {
        return Err(failed(response.complaint()));
    }
    let mut buffer = vec![0u8; 64 << 10];
    loop {
        if (ctx.cancelled)() {
            return Err(failed("the run was stopped while fetching".to_owned()));
        }
        let read = response.body.read(&mut buffer);
        match read.map_err(|e| failed(e.to_string()))? {
            0 => return Ok(()),
            n => file
                .write_all(&buffer[..n])
                .map_err(|e| failed(errno::text(&e)))?,
        }
    }
}

impl Job<'_> {
    fn run(&self) -> ModuleResult {
        let length = self.src.metadata().map_or(0, |m| m.len());
        if self.src.is_file() && length == 0 {
            return Err(Failure::new(format!(
                "Invalid archive '{}', the file is 0 bytes",
                self.src.display()
            )));
        }
        if !self.dest.is_dir() {
            return Err(Failure::new(format!(
                "dest '{}' must be an existing dir",
                self.folder()
            )));
        }
        let zip = Zip::open(self)?;
        if zip.is_none() && self.ctx.check {
            return Ok(Outcome {
                skipped: true,
                msg: Some(
                    "remote module (ansible.legacy.unarchive) does not support check mode when using gtar"
                        .to_owned(),
                ),
                ..Outcome::default()
            });
        }
        match zip {
            Some(mut zip) => {
                let seen = zip.look(self)?;
                self.finish("ZipArchive", seen, || zip.extract(self))
            }
            None => {
                let tar = Tar::find(self)?;
                let seen = tar.look(self)?;
                self.finish(tar.handler(), seen, || tar.extract(self))
            }
        }
    }

    /// The folder as programs and people are told of it.
    fn folder(&self) -> String {
        let path: PathBuf = self.dest.components().collect();
        paths::shown(&path)
    }

    /// Unpacks where something differs, sets attributes, and tells of it.
    fn finish(
        &self,
        handler: &str,
        seen: Seen,
        extract: impl FnOnce() -> Result<Extracted, Failure>,
    ) -> ModuleResult {
        let mut outcome = Outcome::changed(!seen.unpacked)
            .with("handler", handler)
            .with("src", paths::shown(&self.src));
        if !seen.unpacked && !self.ctx.check {
            let Extracted { command, done } = extract()?;
            let rc = done.rc;
            outcome = outcome.with("extract_results", results(command, &done));
            if rc != 0 {
                let told = self.described(outcome).fields;
                let mut failure = Failure::new(format!(
                    "failed to unpack {} to {}",
                    self.src.display(),
                    self.args.text("dest")
                ));
                failure.fields = told;
                return Err(failure);
            }
        }
        if self.ctx.diff && !seen.differences.is_empty() {
            let prepared = [("prepared".to_owned(), Value::from(seen.differences.as_str()))];
            outcome.diff = Some(Value::Map(Map::from_iter(prepared)));
        }
        if !self.ctx.check && !self.wanted.is_empty() {
            outcome.changed |= self.dress(&seen.members)?;
        }
        if self.args.bool("list_files") {
            outcome = outcome.with("files", seen.members);
        }
        Ok(self.described(outcome))
    }

    fn described(&self, outcome: Outcome) -> Outcome {
        info::with_path(outcome, &self.dest).with("dest", self.args.text("dest"))
    }

    /// Sets owner, mode and the like on all members; whether something changed.
    fn dress(&self, members: &[String]) -> Result<bool, Failure> {
        let mut changed = false;
        let mut done = BTreeSet::new();
        for path in members.iter().filter_map(|name| self.place(name)) {
            if !done.insert(path.clone()) {
                continue;
            }
            if std::fs::symlink_metadata(&path).is_ok() {
                changed |= self.wanted.apply(&path, false, false, None)?;
            }
        }
        Ok(changed)
    }

    /// Where a member lies; `None` for a name that leads out of the folder, which no program unpacks.
    fn place(&self, name: &str) -> Option<PathBuf> {
        let name = Path::new(name.trim_start_matches('/'));
        let inside = name
            .components()
            .all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        inside.then(|| self.dest.join(name).components().collect())
    }
}

fn results(command: Vec<String>, done: &Done) -> Value {
    let text = |bytes: &[u8]| Value::from(String::from_utf8_lossy(bytes).as_ref());
    Value::Map(Map::from_iter([
        ("cmd".to_owned(), Value::from(command)),
        ("rc".to_owned(), Value::from(i64::from(done.rc))),
        ("out".to_owned(), text(&done.stdout)),
        ("err".to_owned(), text(&done.stderr)),
    ]))
}

/// What is said of an archive that no program reads.
fn unreadable(src: &Path, tried: &[(String, String)]) -> Failure {
    let mut msg = format!(
        "Failed to find handler for \"{}\". Make sure the required command to extract the file is installed.",
        src.display()
    );
    for (program, why) in tried {
        msg.push_str(&format!("\nCommand \"{program}\" could not handle archive: {why}"));
    }
    Failure::new(msg)
}
