//! `remote_src: true`: the source is on the machine itself.

use std::fs::{FileTimes, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustle_formats::order;
use rustle_formats::Value;

use super::Task;
use crate::fsops::install::{self, Content};
use crate::fsops::write::{Staged, place_link};
use crate::fsops::{backup, errno, info, paths, validate};
use crate::outcome::{Failure, ModuleResult, Outcome};

/// Copies a file or a folder.
pub(super) fn run(task: &Task<'_>) -> ModuleResult {
    let src = paths::expand(&task.src, task.ctx);
    let meta = std::fs::metadata(&src)
        .map_err(|_| Failure::new(format!("Source {} not found", src.display())))?;
    if meta.is_dir() {
        return folder(task, &src);
    }
    if let Err(e) = std::fs::File::open(&src) {
        return Err(Failure::new(format!(
            "Source {} not readable: {}",
            src.display(),
            errno::text(&e)
        )));
    }
    file(task, &src, meta.permissions().mode())
}

fn file(task: &Task<'_>, src: &Path, mode: u32) -> ModuleResult {
    let wanted = task.wanted_for(mode);
    wanted.check()?;
    validate::check(task.args.str("validate"))?;
    let mut dest = task.dest.clone();
    if task.into_folder && !dest.exists() {
        if task.ctx.check {
            let name = paths::shown(&dest);
            let message = format!(
                "dest directory {} would be created",
                name.trim_end_matches('/')
            );
            return Ok(Outcome::changed(true)
                .with("src", paths::shown(src))
                .msg(message));
        }
        task.make_folders(&dest)?;
    }
    if task.into_folder || dest.is_dir() {
        dest = dest.join(src.file_name().unwrap_or_default());
    }
    if task.args.bool("follow") && dest.is_symlink() && dest.exists() {
        dest = paths::real(&dest);
    }
    let parent = paths::parent(&dest);
    if !parent.is_dir() {
        return Err(Failure::new(format!(
            "Destination directory {} does not exist",
            parent.display()
        )));
    }
    let exists = dest.exists();
    if exists && !task.args.bool("force") {
        let outcome = Outcome::ok()
            .with("src", paths::shown(src))
            .with("dest", paths::shown(&dest))
            .msg("file already exists");
        return Ok(info::with_path(outcome, &dest));
    }
    let compared = install::compare_with_md5(&Content::File(src.to_path_buf()), &dest, task.ctx)?;
    install::expect(task.args.str("checksum"), &compared.sha1)?;
    let mut outcome = Outcome::ok()
        .with("src", paths::shown(src))
        .with("dest", paths::shown(&dest))
        .with("checksum", compared.sha1)
        .with("md5sum", compared.md5);
    let linked = dest.is_symlink() && !task.args.bool("follow");
    if !compared.same || linked {
        outcome.changed = true;
        if !task.ctx.check {
            let kept = write(task, src, &dest, &wanted, exists)?;
            if let Some(kept) = kept {
                outcome = outcome.with("backup_file", paths::shown(&kept));
            }
        }
    }
    if !task.ctx.check || exists {
        outcome.changed |= wanted
            .apply(&dest, task.args.bool("follow"), task.ctx.check, None)
            .map_err(|f| info::failed_at(f, &dest))?;
    }
    Ok(info::with_path(outcome, &dest))
}

fn write(
    task: &Task<'_>,
    src: &Path,
    dest: &Path,
    wanted: &crate::fsops::attrs::Wanted,
    exists: bool,
) -> Result<Option<PathBuf>, Failure> {
    let staged = stage(task, src, dest)?;
    staged.inherit_and_apply(wanted, None)?;
    validate::run(task.args.str("validate"), staged.path(), task.ctx)
        .map_err(validate::Invalid::into_copy_failure)?;
    let kept = if exists && task.args.bool("backup") {
        Some(backup::make(dest, task.ctx)?)
    } else {
        None
    };
    staged.place()?;
    Ok(kept)
}

/// The source's content beside the destination, copied by the kernel where it can.
fn stage(task: &Task<'_>, src: &Path, dest: &Path) -> Result<Staged, Failure> {
    let mut staged = Staged::beside(dest, task.args.bool("unsafe_writes"), task.ctx)?;
    let mut file = std::fs::File::open(src).map_err(|e| {
        Failure::new(format!("Could not read {}", errno::at(&e, src)))
    })?;
    std::io::copy(&mut file, staged.file()).map_err(|e| staged.cannot_write(&e))?;
    Ok(staged)
}

fn folder(task: &Task<'_>, src: &Path) -> ModuleResult {
    task.wanted_for(0o755).check()?;
    let contents = paths::names_folder(&task.src);
    let name = if contents {
        PathBuf::new()
    } else {
        src.file_name().map(PathBuf::from).unwrap_or_default()
    };
    let existed = task.dest.is_dir();
    if !existed && std::fs::symlink_metadata(&task.dest).is_ok() {
        return Err(Failure::new("cannot overwrite non-directory with directory"));
    }
    let target = task.dest.join(&name);
    let (real_src, real_target) = (paths::real(src), paths::real(&target));
    if real_target != real_src && real_target.starts_with(&real_src) {
        return Err(Failure::new(format!(
            "cannot copy the folder {} into itself",
            src.display()
        )));
    }
    // What is named in the result depends on what was there, as in Ansible.
    let shown = if existed { &target } else { &task.dest };
    let mut changed = false;
    if !task.ctx.check && !target.is_dir() {
        task.make_folders(&target)?;
        changed = true;
    }
    changed |= merge(task, src, &target)?;
    // Attributes go to the copy itself, so that the second run finds what the first one set.
    if target.exists() || !task.ctx.check {
        let mode = std::fs::metadata(src).map_or(0o755, |m| m.permissions().mode());
        changed |= task
            .wanted_for(mode)
            .apply(&target, true, task.ctx.check, None)
            .map_err(|f| info::failed_at(f, &target))?;
    }
    let outcome = Outcome::changed(changed)
        .with("src", task.src.clone())
        .with("dest", paths::shown(shown))
        .with("checksum", Value::Null)
        .with("md5sum", Value::Null);
    Ok(info::with_path(outcome, shown))
}

/// Copies everything that is missing or different. What is only at the destination stays.
fn merge(task: &Task<'_>, src: &Path, dest: &Path) -> Result<bool, Failure> {
    let cannot = |e: std::io::Error, path: &Path| {
        Failure::new(format!("Could not copy {}: {}", path.display(), errno::text(&e)))
    };
    let mut changed = !dest.is_dir();
    if changed && task.ctx.check {
        return Ok(true);
    }
    let mut entries: Vec<_> = std::fs::read_dir(src)
        .and_then(Iterator::collect::<std::io::Result<Vec<_>>>)
        .map_err(|e| cannot(e, src))?;
    order::sort_by_key(&mut entries, std::fs::DirEntry::file_name);
    let follow = task.args.opt_bool("local_follow") == Some(true);
    for entry in entries {
        let from = entry.path();
        let to = dest.join(entry.file_name());
        let meta = entry.metadata().map_err(|e| cannot(e, &from))?;
        if meta.is_symlink() && !(follow && from.exists()) {
            let target = std::fs::read_link(&from).map_err(|e| cannot(e, &from))?;
            changed |= link(task, &target, &to).map_err(|e| cannot(e, &to))?;
            continue;
        }
        let meta = std::fs::metadata(&from).map_err(|e| cannot(e, &from))?;
        if meta.is_dir() {
            if !to.is_dir() {
                changed = true;
                if task.ctx.check {
                    continue;
                }
                std::fs::create_dir(&to).map_err(|e| cannot(e, &to))?;
                merge(task, &from, &to)?;
                own(task, &to)?;
                std::fs::set_permissions(&to, meta.permissions()).map_err(|e| cannot(e, &to))?;
                // As for files, the time is a courtesy.
                let _ = std::fs::File::open(&to).and_then(|f| f.set_times(times(&meta)));
            } else {
                changed |= merge(task, &from, &to)?;
            }
        } else if meta.is_file() {
            changed |= merge_file(task, &from, &to, &meta)?;
        }
    }
    Ok(changed)
}

/// A file's times, to be put onto its copy.
fn times(meta: &Metadata) -> FileTimes {
    let mut times = FileTimes::new();
    if let Ok(modified) = meta.modified() {
        times = times.set_modified(modified);
    }
    if let Ok(accessed) = meta.accessed() {
        times = times.set_accessed(accessed);
    }
    times
}

fn merge_file(task: &Task<'_>, from: &Path, to: &Path, meta: &Metadata) -> Result<bool, Failure> {
    if install::compare(&Content::File(from.to_path_buf()), to, task.ctx)?.same {
        return Ok(false);
    }
    if !task.ctx.check {
        let mut staged = stage(task, from, to)?;
        let old = std::fs::metadata(to).ok();
        let owner = old.as_ref().map(|m| (m.uid(), m.gid()));
        staged
            .dress(meta.permissions().mode(), owner)
            .map_err(|e| staged.cannot_write(&e))?;
        task.wanted
            .with_mode(None)
            .apply_inode(staged.path(), false, None)?;
        if old.is_none() {
            // The time is a courtesy: a file system that cannot keep it still has the file.
            let _ = staged.file().set_times(times(meta));
        }
        staged.place()?;
    }
    Ok(true)
}

fn own(task: &Task<'_>, path: &Path) -> Result<(), Failure> {
    task.wanted
        .with_mode(None)
        .apply_inode(path, false, None)
        .map(drop)
}

fn link(task: &Task<'_>, target: &Path, to: &Path) -> std::io::Result<bool> {
    if std::fs::read_link(to).is_ok_and(|t| t == target) {
        return Ok(false);
    }
    if !task.ctx.check {
        place_link(to, |at| std::os::unix::fs::symlink(target, at))?;
    }
    Ok(true)
}
