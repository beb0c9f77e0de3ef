//! Folders that came with the plan.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Task;
use crate::assets::{AssetEntry, AssetKind};
use crate::context::Context;
use crate::fsops::write::place_link;
use crate::fsops::{errno, paths};
use crate::outcome::{Failure, ModuleResult, Outcome};

/// How many links may lead to one another.
const MAX_HOPS: usize = 40;

/// Follows an asset that is a link to what it leads to, inside the assets.
pub(super) fn resolve(ctx: &Context<'_>, entry: &AssetEntry) -> Result<AssetEntry, Failure> {
    let mut entry = entry.clone();
    for _ in 0..MAX_HOPS {
        let AssetKind::Symlink { target } = &entry.kind else {
            return Ok(entry);
        };
        let folder = Path::new(OsStr::from_bytes(&entry.path))
            .parent()
            .unwrap_or(Path::new(""));
        let path = rustle_formats::lexical(&folder.join(OsStr::from_bytes(target)));
        let found = ctx
            .assets
            .entry(path.as_os_str().as_bytes())
            .map_err(|e| Failure::new(format!("cannot read the assets: {e}")))?;
        entry = found.ok_or_else(|| {
            Failure::new(format!(
                "the link {} leads to {}, which is not among the assets",
                String::from_utf8_lossy(&entry.path),
                path.display()
            ))
        })?;
    }
    Err(Failure::new(format!(
        "links lead in a circle at {}",
        String::from_utf8_lossy(&entry.path)
    )))
}

/// What a walk over the source finds, by its path below the destination.
#[derive(Default)]
struct Found {
    folders: Vec<PathBuf>,
    files: Vec<(PathBuf, AssetEntry)>,
    links: Vec<(PathBuf, Vec<u8>)>,
}

/// Copies a folder, or its contents where `src` ends with a slash.
pub(super) fn run(task: &Task<'_>, root: &AssetEntry) -> ModuleResult {
    let prefix = if paths::names_folder(&task.src) {
        PathBuf::new()
    } else {
        PathBuf::from(super::base_name(&task.src))
    };
    let follow = task.args.opt_bool("local_follow").unwrap_or(true);
    let mut found = Found::default();
    collect(task.ctx, root, &prefix, follow, 0, &mut found)?;
    task.wanted_for(0o644).check()?;
    task.wanted.with_mode(task.directory_mode.clone()).check()?;
    // The folder that is named keeps its owner if it is there already.
    let mut changed = !task.dest.is_dir() && folder(task, &task.dest)?;
    if !prefix.as_os_str().is_empty() {
        changed |= folder(task, &task.dest.join(&prefix))?;
    }
    for path in &found.folders {
        changed |= folder(task, &task.dest.join(path))?;
    }
    let mut single = None;
    let count = found.files.len();
    for (path, entry) in found.files {
        let dest = task.dest.join(path);
        let outcome = if task.ctx.check && !paths::parent(&dest).exists() {
            predicted(task, entry, &dest)?
        } else {
            task.one_asset(entry, dest)?
        };
        changed |= outcome.changed;
        single = Some(outcome);
    }
    for (path, target) in &found.links {
        changed |= link(task, &task.dest.join(path), OsStr::from_bytes(target))?;
    }
    match single {
        Some(mut outcome) if count == 1 => {
            outcome.changed |= changed;
            Ok(outcome)
        }
        _ => {
            let mut dest = paths::shown(&task.dest);
            if !dest.ends_with('/') {
                dest.push('/');
            }
            Ok(Outcome::changed(changed)
                .with("dest", dest)
                .with("src", task.src.clone()))
        }
    }
}

fn predicted(task: &Task<'_>, entry: AssetEntry, dest: &Path) -> ModuleResult {
    let header = String::from_utf8_lossy(&entry.path).into_owned();
    let content = task.content_of(entry);
    content.rehearse(dest, task.ctx)?;
    Ok(task.predicted(&content, &header))
}

fn collect(
    ctx: &Context<'_>,
    root: &AssetEntry,
    prefix: &Path,
    follow: bool,
    hops: usize,
    found: &mut Found,
) -> Result<(), Failure> {
    if hops > MAX_HOPS {
        return Err(Failure::new(format!(
            "links lead in a circle at {}",
            String::from_utf8_lossy(&root.path)
        )));
    }
    let entries = ctx
        .assets
        .below(&root.path)
        .map_err(|e| Failure::new(format!("cannot read the assets: {e}")))?;
    for entry in entries {
        let relative = entry
            .path
            .strip_prefix(root.path.as_slice())
            .unwrap_or(&entry.path);
        let relative = relative.strip_prefix(b"/").unwrap_or(relative);
        let path = prefix.join(OsStr::from_bytes(relative));
        match &entry.kind {
            AssetKind::Dir => found.folders.push(path),
            AssetKind::File { .. } => found.files.push((path, entry)),
            AssetKind::Symlink { target } if !follow => found.links.push((path, target.clone())),
            AssetKind::Symlink { .. } => {
                let target = resolve(ctx, &entry)?;
                if target.kind == AssetKind::Dir {
                    found.folders.push(path.clone());
                    collect(ctx, &target, &path, follow, hops + 1, found)?;
                } else {
                    found.files.push((path, target));
                }
            }
        }
    }
    Ok(())
}

/// Makes a folder that is missing; one that is there keeps its mode and gets owner and group.
fn folder(task: &Task<'_>, path: &Path) -> Result<bool, Failure> {
    match std::fs::metadata(path) {
        Ok(m) if m.is_dir() => {
            task.wanted
                .with_mode(None)
                .apply(path, false, task.ctx.check, None)
        }
        Ok(_) => Err(Failure::new(format!(
            "{} is in the way: a folder shall be there",
            path.display()
        ))),
        Err(_) => {
            if !task.ctx.check {
                task.make_folders(path)?;
            }
            Ok(true)
        }
    }
}

/// Makes a link, or corrects where it leads.
fn link(task: &Task<'_>, path: &Path, target: &OsStr) -> Result<bool, Failure> {
    if std::fs::read_link(path).is_ok_and(|t| t.as_os_str() == target) {
        return Ok(false);
    }
    if task.ctx.check {
        return Ok(true);
    }
    let place = || place_link(path, |at| std::os::unix::fs::symlink(target, at));
    place().map_err(|e| {
        Failure::new(format!(
            "Error while linking {}: {}",
            path.display(),
            errno::text(&e)
        ))
    })?;
    Ok(true)
}
