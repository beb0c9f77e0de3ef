//! `state: directory`, with `recurse`.

use std::io;
use std::path::{Path, PathBuf};

use super::{State, Task};
use crate::fsops::{errno, info, paths};
use crate::outcome::{Failure, ModuleResult};

/// Makes the folder and what is missing above it, and sets attributes.
pub(super) fn ensure(mut task: Task<'_>) -> ModuleResult {
    if task.follow && task.before == State::Link {
        task.path = paths::real(&task.path);
        task.before = State::of(&task.path);
    }
    let mut diff = task.diff(State::Directory);
    let mut changed = false;
    match task.before {
        State::Absent => {
            if let Err(e) = possible(&task.path) {
                return Err(cannot_make(&task, &task.path, &e));
            }
            if task.check {
                return Ok(task.done("path", true, diff));
            }
            make(&task)?;
            changed = true;
        }
        State::Directory => {}
        other => {
            let failure = Failure::new(format!(
                "{} already exists as a {}",
                task.path.display(),
                other.name()
            ));
            return Err(info::failed_at(failure, &task.path));
        }
    }
    changed |= task.dress(&task.path, Some(&mut diff))?;
    if task.recurse {
        changed |= recurse(&task, &task.path, 0)?;
    }
    Ok(task.done("path", changed, diff))
}

/// Whether nothing but a folder stands in the way, so that check mode tells too.
fn possible(path: &Path) -> io::Result<()> {
    let mut above = path;
    while let Some(folder) = above.parent() {
        above = folder;
        if folder.as_os_str().is_empty() {
            return Ok(());
        }
        match std::fs::metadata(folder) {
            Ok(m) if m.is_dir() => return Ok(()),
            Ok(_) => return Err(io::Error::from_raw_os_error(libc::ENOTDIR)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

/// Makes all missing folders. Each gets the attributes; the last one's are set by the caller.
fn make(task: &Task<'_>) -> Result<(), Failure> {
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut at = task.path.components().collect::<PathBuf>();
    while !at.as_os_str().is_empty() && !at.exists() {
        missing.push(at.clone());
        if !at.pop() {
            break;
        }
    }
    let last = missing.first().cloned();
    while let Some(folder) = missing.pop() {
        match std::fs::create_dir(&folder) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
            Err(e) => return Err(cannot_make(task, &folder, &e)),
        }
        if Some(&folder) != last.as_ref() {
            task.wanted
                .apply(&folder, task.follow, false, None)
                .map_err(|f| info::failed_at(f, &task.path))?;
        }
    }
    Ok(())
}

fn cannot_make(task: &Task<'_>, folder: &Path, error: &io::Error) -> Failure {
    Failure::new(format!(
        "There was an issue creating {} as requested: {}",
        folder.display(),
        errno::at_bytes(error, folder)
    ))
    .with("path", paths::shown(&task.path))
}

/// How many links to folders are followed into one another before giving up.
const MAX_DEPTH: usize = 256;

fn recurse(task: &Task<'_>, folder: &Path, depth: usize) -> Result<bool, Failure> {
    if depth > MAX_DEPTH {
        return Err(Failure::new(format!(
            "{} is nested too deeply, or links lead in a circle",
            folder.display()
        )));
    }
    let cannot = |e: io::Error| {
        let failure = Failure::new(format!(
            "Could not recursively set attributes on {}: {}",
            task.path.display(),
            errno::at(&e, folder)
        ));
        info::failed_at(failure, &task.path)
    };
    let mut changed = false;
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let path = entry.path();
        let kind = entry.file_type().map_err(cannot)?;
        if kind.is_symlink() {
            changed |= one(task, &path)?;
            if task.follow && path.exists() {
                let target = paths::real(&path);
                changed |= one(task, &target)?;
                // A link to a folder above would never end.
                if target.is_dir() && !paths::real(folder).starts_with(&target) {
                    changed |= recurse(task, &target, depth + 1)?;
                }
            }
        } else {
            changed |= one(task, &path)?;
            if kind.is_dir() {
                changed |= recurse(task, &path, depth + 1)?;
            }
        }
    }
    Ok(changed)
}

/// One path below the folder, without following it.
fn one(task: &Task<'_>, path: &Path) -> Result<bool, Failure> {
    let mut changed = task
        .wanted
        .apply(path, false, task.check, None)
        .map_err(|f| info::failed_at(f, path))?;
    if !path.is_symlink() {
        changed |= task.set_times(path, None)?;
    }
    Ok(changed)
}
