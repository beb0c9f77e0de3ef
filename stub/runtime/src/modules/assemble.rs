//! `assemble`: one file out of the fragments in a folder, in the order of their names.

use std::path::{Path, PathBuf};

use rustle_formats::order;
use rustle_formats::Value;

use crate::args::Args;
use crate::assets::AssetKind;
use crate::context::Context;
use crate::fsops::attrs::Wanted;
use crate::fsops::install::{self, Content, Job};
use crate::fsops::write::Staged;
use crate::fsops::{backup, errno, info, paths, validate};
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::pyregex::{Flags, Flavor, PyRegex};
use crate::spec::{Arg, Default, FILE_ARGS, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Assemble;

static SPEC: Spec = Spec {
    name: "assemble",
    collection: "ansible.builtin",
    summary: "Puts a file together from fragments.",
    args: &[FILE_ARGS, ARGS],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::Full,
    diff: Support::Partial,
    reach: Reach::Local,
    place: Place::Target,
};

/// Fragments that came with the plan are refused above this size, each.
const LIMIT: u64 = 256 << 20;

const ARGS: &[Arg] = &[
    Arg::new("src", Kind::Path, "The folder with the fragments.")
        .required()
        .asset(),
    Arg::new("dest", Kind::Path, "The file that is made.").required(),
    Arg::new("delimiter", Kind::Str, "What stands between fragments."),
    Arg::new(
        "regexp",
        Kind::Str,
        "Only fragments whose name it matches are taken.",
    ),
    Arg::new(
        "ignore_hidden",
        Kind::Bool,
        "Whether names that begin with a dot are left out.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "remote_src",
        Kind::Bool,
        "Whether the folder is on the machine itself.",
    )
    .default(Default::Bool(true)),
    Arg::new(
        "backup",
        Kind::Bool,
        "Whether a file that is replaced is kept aside.",
    )
    .default(Default::Bool(false)),
    Arg::new("validate", Kind::Str, "A command that checks the new file, `%s`."),
    Arg::new(
        "decrypt",
        Kind::Bool,
        "Whether vaulted sources are decrypted, which happens when packing.",
    )
    .default(Default::Bool(true)),
];

impl Module for Assemble {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let pattern = match args.str("regexp") {
            Some(pattern) => {
                let re = PyRegex::new(pattern, Flavor::Text, Flags::default()).map_err(|e| {
                    Failure::new(format!("Invalid Regexp ({e}) in \"{pattern}\""))
                })?;
                Some(re)
            }
            None => None,
        };
        let takes = |name: &str| {
            let hidden = args.bool("ignore_hidden") && name.starts_with('.');
            !hidden && pattern.as_ref().is_none_or(|re| re.is_match(name))
        };
        let wanted = Wanted::from_args(args);
        let dest = paths::arg(args, "dest", ctx).unwrap_or_default();
        if args.bool("remote_src") {
            on_machine(args, ctx, &wanted, dest, &takes)
        } else {
            from_assets(args, ctx, &wanted, dest, &takes)
        }
    }
}

/// The fragments, joined.
fn join(fragments: impl Iterator<Item = Result<Vec<u8>, Failure>>, delimiter: Option<&str>) -> Result<Vec<u8>, Failure> {
    let delimiter = delimiter.map(unescape);
    let mut out: Vec<u8> = Vec::new();
    for (i, fragment) in fragments.enumerate() {
        let fragment = fragment?;
        if i > 0 {
            if !out.is_empty() && !out.ends_with(b"\n") {
                out.push(b'\n');
            }
            if let Some(delimiter) = &delimiter {
                out.extend_from_slice(delimiter.as_bytes());
                if !delimiter.ends_with('\n') {
                    out.push(b'\n');
                }
            }
        }
        out.extend_from_slice(&fragment);
    }
    Ok(out)
}

/// A delimiter's `\n` and `\t` are meant as such.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('\\') | None => out.push('\\'),
            Some(other) => out.extend(['\\', other]),
        }
    }
    out
}

fn on_machine(
    args: &Args,
    ctx: &Context<'_>,
    wanted: &Wanted,
    dest: PathBuf,
    takes: &dyn Fn(&str) -> bool,
) -> ModuleResult {
    let src = paths::arg(args, "src", ctx).unwrap_or_default();
    if !src.exists() {
        return Err(Failure::new(format!(
            "Source ({}) does not exist",
            src.display()
        )));
    }
    if !src.is_dir() {
        return Err(Failure::new(format!(
            "Source ({}) is not a directory",
            src.display()
        )));
    }
    wanted.check()?;
    validate::check(args.str("validate"))?;
    let cannot = |e: std::io::Error, path: &Path| {
        Failure::new(format!("Could not read {}", errno::at(&e, path)))
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(&src)
        .map_err(|e| cannot(e, &src))?
        .flatten()
        .filter(|e| takes(&e.file_name().to_string_lossy()))
        .map(|e| e.path())
        .filter(|p| p.is_file())
        .collect();
    order::sort(&mut files);
    let fragments = files
        .iter()
        .map(|p| std::fs::read(p).map_err(|e| cannot(e, p)));
    let bytes = join(fragments, args.str("delimiter"))?;
    let content = Content::Bytes(bytes);
    let compared = install::compare_with_md5(&content, &dest, ctx)?;
    let mut outcome = Outcome::changed(!compared.same)
        .with("src", paths::shown(&src))
        .with("dest", paths::shown(&dest))
        .with("checksum", compared.sha1)
        .with("md5sum", compared.md5)
        .msg("OK");
    if !compared.same && !ctx.check {
        let Content::Bytes(bytes) = content else {
            return Ok(outcome);
        };
        let mut staged = Staged::beside(&dest, args.bool("unsafe_writes"), ctx)?;
        staged.write(&bytes)?;
        validate::run(args.str("validate"), staged.path(), ctx)
            .map_err(validate::Invalid::into_failure)?;
        staged.inherit_and_apply(wanted, None)?;
        if args.bool("backup") && dest.exists() {
            let kept = backup::make(&dest, ctx)?;
            outcome = outcome.with("backup_file", paths::shown(&kept));
        }
        staged.place()?;
    }
    if dest.exists() {
        outcome.changed |= wanted.apply(&dest, true, ctx.check, None)?;
    }
    Ok(info::with_path(outcome, &dest))
}

fn from_assets(
    args: &Args,
    ctx: &Context<'_>,
    wanted: &Wanted,
    dest: PathBuf,
    takes: &dyn Fn(&str) -> bool,
) -> ModuleResult {
    let folder = ctx.find_asset(args.text("src"), "files")?;
    let name = String::from_utf8_lossy(&folder.path).into_owned();
    if folder.kind != AssetKind::Dir {
        return Err(Failure::new(format!("Source ({name}) is not a directory")));
    }
    let cannot = |e: std::io::Error| Failure::new(format!("Could not read {name}: {e}"));
    let below = ctx.assets.below(&folder.path).map_err(cannot)?;
    let prefix = folder.path.len() + 1;
    let fragments = below
        .iter()
        .filter(|e| matches!(e.kind, AssetKind::File { .. }))
        .filter(|e| {
            let name = e.path.get(prefix..).unwrap_or_default();
            !name.contains(&b'/') && takes(&String::from_utf8_lossy(name))
        })
        .map(|e| ctx.assets.read_to_vec(&e.path, LIMIT).map_err(cannot));
    let bytes = join(fragments, args.str("delimiter"))?;
    let header = paths::shown(&dest);
    let dest = if dest.is_dir() {
        dest.join("src")
    } else {
        dest
    };
    let mut outcome = Job {
        dest,
        content: Content::Bytes(bytes),
        header: header.clone(),
        src: name.clone(),
        wanted,
        backup: args.bool("backup"),
        follow: true,
        validate: args.str("validate"),
        unsafe_writes: args.bool("unsafe_writes"),
        checksum: None,
        ctx,
    }
    .run()?;
    if let Some(Value::List(list)) = &outcome.diff
        && let [one] = list.as_slice()
    {
        outcome.diff = Some(one.clone());
    }
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins() {
        let parts = || {
            [&b"a"[..], b"b\n", b"c"]
                .into_iter()
                .map(|p| Ok(p.to_vec()))
        };
        assert_eq!(join(parts(), None).ok(), Some(b"a\nb\nc".to_vec()));
        assert_eq!(
            join(parts(), Some(r"#\n#")).ok(),
            Some(b"a\n#\n#\nb\n#\n#\nc".to_vec())
        );
    }
}
