//! `copy`: files and folders from the plan, from text, or from the machine itself.

mod content;
mod remote;
mod tree;

use std::path::{Path, PathBuf};

use rustle_formats::Value;

use crate::args::Args;
use crate::assets::{AssetEntry, AssetKind};
use crate::context::Context;
use crate::fsops::attrs::Wanted;
use crate::fsops::errno;
use crate::fsops::install::{Content, Job};
use crate::fsops::paths;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Copy;

static SPEC: Spec = Spec {
    name: "copy",
    collection: "ansible.builtin",
    summary: "Copies files and folders to the machine, or within it.",
    args: &[FILE_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Local,
    place: Place::Target,
};

const ARGS: &[Arg] = &[
    Arg::new(
        "src",
        Kind::Path,
        "The file or folder that is copied; a folder with a final slash means its contents.",
    )
    .asset(),
    Arg::new(
        "content",
        Kind::Raw,
        "The content itself; what is no text is written as JSON.",
    ),
    Arg::new("dest", Kind::Path, "Where to."),
    Arg::new(
        "backup",
        Kind::Bool,
        "Whether a file that is replaced is kept aside.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "force",
        Kind::Bool,
        "Whether a file that is there is replaced.",
    )
    .default(Default::Bool(true)),
    Arg::new("validate", Kind::Str, "A command that checks the new file, `%s`."),
    Arg::new(
        "directory_mode",
        Kind::Mode,
        "The permissions of folders that are made.",
    ),
    Arg::new(
        "remote_src",
        Kind::Bool,
        "Whether src is on the machine itself.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "follow",
        Kind::Bool,
        "Whether links at the destination are followed.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "local_follow",
        Kind::Bool,
        "Whether links in the source are followed.",
    ),
    Arg::new("checksum", Kind::Str, "The SHA-1 that the file must have."),
    Arg::new(
        "decrypt",
        Kind::Bool,
        "Whether vaulted sources are decrypted. In an artifact they always are: that happens when packing.",
    )
    .default(Default::Bool(true)),
];

impl Module for Copy {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let has_content = args.has("content");
        match (args.has("src"), has_content, args.has("dest")) {
            (true, true, _) => return Err(Failure::new("src and content are mutually exclusive")),
            (false, false, _) => return Err(Failure::new("src (or content) is required")),
            (_, _, false) => return Err(Failure::new("dest is required")),
            _ => {}
        }
        let dest = args.text("dest");
        let dest_path = paths::expand(dest, ctx);
        if has_content && (paths::names_folder(dest) || dest_path.is_dir()) {
            return Err(Failure::new("can not use content with a dir as dest"));
        }
        let task = Task {
            dest: dest_path,
            into_folder: paths::names_folder(dest),
            src: args.text("src").to_owned(),
            wanted: Wanted::from_args(args),
            directory_mode: args.get("directory_mode").cloned(),
            args,
            ctx,
        };
        if has_content {
            task.content()
        } else if args.bool("remote_src") {
            remote::run(&task)
        } else {
            task.asset()
        }
    }
}

/// The task, read from its arguments.
struct Task<'a> {
    dest: PathBuf,
    into_folder: bool,
    src: String,
    wanted: Wanted,
    directory_mode: Option<Value>,
    args: &'a Args,
    ctx: &'a Context<'a>,
}

impl Task<'_> {
    fn content(&self) -> ModuleResult {
        let text = content::text(self.args.get("content").unwrap_or(&Value::Null));
        let dest = paths::shown(&self.dest);
        if let Some(kept) = self.kept(&self.dest, &dest) {
            return Ok(kept);
        }
        self.job(
            self.dest.clone(),
            Content::Bytes(text.into_bytes()),
            &dest,
            &dest,
            self.wanted.clone(),
        )
    }

    fn asset(&self) -> ModuleResult {
        let entry = self.ctx.find_asset(&self.src, "files")?;
        let entry = match &entry.kind {
            AssetKind::Symlink { .. } => tree::resolve(self.ctx, &entry)?,
            _ => entry,
        };
        if entry.kind == AssetKind::Dir {
            return tree::run(self, &entry);
        }
        let name = base_name(&self.src);
        let dest = self.file_dest(&name)?;
        self.one_asset(entry, dest)
    }

    /// Where a file of this name goes: `dest`, or into `dest` where that is a folder, which is made if need be.
    fn file_dest(&self, name: &str) -> Result<PathBuf, Failure> {
        let mut dest = self.dest.clone();
        if self.into_folder && !dest.exists() && !self.ctx.check {
            self.wanted.check()?;
            self.make_folders(&dest)?;
        }
        if self.into_folder || dest.is_dir() {
            dest = dest.join(name);
        }
        // A folder of the same name takes the file in.
        if dest.is_dir() {
            dest = dest.join(name);
        }
        Ok(dest)
    }

    /// What is written of an asset: its plain content, or with `decrypt: false` what is stored.
    pub(super) fn content_of(&self, entry: AssetEntry) -> Content {
        match self.args.bool("decrypt") {
            true => Content::Asset(entry),
            false => Content::Stored(entry),
        }
    }

    /// Copies one asset, with the mode that it had if that is asked for.
    fn one_asset(&self, entry: AssetEntry, dest: PathBuf) -> ModuleResult {
        if let Some(kept) = self.kept(&dest, &self.src) {
            return Ok(kept);
        }
        let wanted = self.wanted_for(entry.mode);
        let header = String::from_utf8_lossy(&entry.path).into_owned();
        let src = header.clone();
        self.job(dest, self.content_of(entry), &header, &src, wanted)
    }

    /// The attributes, with `preserve` replaced by the source's mode.
    fn wanted_for(&self, mode: u32) -> Wanted {
        match self.wanted.mode().and_then(Value::as_str) {
            Some("preserve") => self
                .wanted
                .with_mode(Some(Value::Int(i64::from(mode & 0o7777)))),
            _ => self.wanted.clone(),
        }
    }

    /// The outcome where a file is there and `force` is off.
    fn kept(&self, dest: &Path, src: &str) -> Option<Outcome> {
        (!self.args.bool("force") && dest.exists()).then(|| {
            Outcome::ok()
                .with("dest", paths::shown(dest))
                .with("src", src)
        })
    }

    fn job(
        &self,
        dest: PathBuf,
        content: Content,
        header: &str,
        src: &str,
        wanted: Wanted,
    ) -> ModuleResult {
        let predicted = self.ctx.check && self.into_folder && !paths::parent(&dest).exists();
        if predicted {
            content.rehearse(&dest, self.ctx)?;
            return Ok(self.predicted(&content, header));
        }
        Job {
            dest,
            content,
            header: header.to_owned(),
            src: src.to_owned(),
            wanted: &wanted,
            backup: self.args.bool("backup"),
            follow: self.args.bool("follow"),
            validate: self.args.str("validate"),
            unsafe_writes: self.args.bool("unsafe_writes"),
            checksum: self.args.str("checksum"),
            ctx: self.ctx,
        }
        .run()
    }

    /// Check mode where even the folder would have to be made.
    fn predicted(&self, content: &Content, header: &str) -> Outcome {
        let mut outcome = Outcome::changed(true);
        outcome.diff = self.ctx.diff.then(|| {
            Value::List(vec![crate::fsops::diff::contents(
                crate::fsops::diff::Side::Text(String::new()),
                content.side(self.ctx),
                None,
                Some(header.to_owned()),
            )])
        });
        outcome
    }

    /// Makes a folder and all above it that are missing, with `directory_mode`, owner and group.
    fn make_folders(&self, folder: &Path) -> Result<(), Failure> {
        let wanted = self.wanted.with_mode(self.directory_mode.clone());
        wanted.check()?;
        let mut missing = Vec::new();
        let mut at: PathBuf = folder.components().collect();
        while !at.as_os_str().is_empty() && !at.exists() {
            missing.push(at.clone());
            if !at.pop() {
                break;
            }
        }
        while let Some(folder) = missing.pop() {
            match std::fs::create_dir(&folder) {
                Ok(()) => {}
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && folder.is_dir() => {}
                Err(e) => {
                    return Err(Failure::new(format!(
                        "Could not create the folder {}: {}",
                        folder.display(),
                        errno::text(&e)
                    )));
                }
            }
            wanted.apply(&folder, false, false, None)?;
        }
        Ok(())
    }
}

/// Follows an asset that is a link.
pub(super) fn resolve_asset(ctx: &Context<'_>, entry: &AssetEntry) -> Result<AssetEntry, Failure> {
    tree::resolve(ctx, entry)
}

/// The last component of a source.
fn base_name(src: &str) -> String {
    let src = src.trim_end_matches('/');
    src.rsplit('/').next().unwrap_or(src).to_owned()
}
