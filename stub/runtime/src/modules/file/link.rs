//! `state: link` and `state: hard`.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{State, Task};
use crate::fsops::diff::Pair;
use crate::fsops::write::place_link;
use crate::fsops::{errno, info, paths};
use crate::outcome::{Failure, ModuleResult, Outcome};

const DANGLING: &str = "Cannot set fs attributes on a non-existent symlink target. follow should be set to False to avoid this.";

/// A symbolic link.
pub(super) fn symbolic(task: &Task<'_>) -> ModuleResult {
    let src = source(task)?;
    if let Some(src) = &src {
        check_source(task, src)?;
    }
    let mut diff = task.diff(State::Link);
    let mut changed = task.before != State::Link;
    if let (State::Link, Some(src)) = (task.before, &src) {
        let current = std::fs::read_link(&task.path).unwrap_or_default();
        if current.as_os_str() != src.as_str() {
            diff.note("src", paths::shown(&current), src.clone());
            changed = true;
        }
    }
    if changed {
        may_replace(task)?;
        if !task.check
            && let Some(src) = &src
        {
            place(task, |at| std::os::unix::fs::symlink(src, at)).map_err(|e| {
                let failure = Failure::new(format!(
                    "Error while linking: {} -> b'{}'",
                    errno::at_bytes(&e, Path::new(src)),
                    task.path.display()
                ));
                info::failed_at(failure, &task.path)
            })?;
        }
    }
    if task.check && changed {
        return Ok(finish(task, src, true, diff));
    }
    if task.follow && !task.path.exists() {
        if !task.wanted.is_empty() {
            task.ctx.warn(DANGLING);
        }
    } else {
        changed |= task.dress(&task.path, Some(&mut diff))?;
    }
    Ok(finish(task, src, changed, diff))
}

/// What the link shall lead to: as given, or what it leads to already.
fn source(task: &Task<'_>) -> Result<Option<String>, Failure> {
    match &task.src {
        Some(src) => Ok(Some(src.clone())),
        None if task.before != State::Link => {
            Err(Failure::new("src is required for creating new symlinks"))
        }
        None if task.follow => Ok(std::fs::read_link(&task.path)
            .ok()
            .map(|p| paths::shown(&p))),
        None => Ok(None),
    }
}

fn check_source(task: &Task<'_>, src: &str) -> Result<(), Failure> {
    let from = if task.before == State::Directory {
        task.path.as_path()
    } else {
        paths::parent(&task.path)
    };
    let full = from.join(src);
    if task.force || full.exists() || task.src.is_none() {
        return Ok(());
    }
    let failure = Failure::new(format!(
        "src file does not exist, use 'force=yes' if you really want to create the link: {}",
        full.display()
    ))
    .with("src", src);
    Err(info::failed_at(failure, &task.path))
}

/// Refuses to replace what is not a link, unless forced and harmless.
fn may_replace(task: &Task<'_>) -> Result<(), Failure> {
    let message = match task.before {
        State::Link | State::Absent | State::Touch => return Ok(()),
        State::File | State::Hard | State::Directory if !task.force => format!(
            "refusing to convert from {} to symlink for {}",
            task.before.name(),
            task.path.display()
        ),
        State::Directory if !is_empty(&task.path) => format!(
            "the directory {} is not empty, refusing to convert it",
            task.path.display()
        ),
        _ => return Ok(()),
    };
    Err(info::failed_at(Failure::new(message), &task.path))
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut d| d.next().is_none())
}

/// Makes a link under a name of its own and renames it over what is there.
fn place(task: &Task<'_>, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    if task.before == State::Absent {
        return make(&task.path);
    }
    if task.before == State::Directory {
        std::fs::remove_dir(&task.path)?;
        return make(&task.path);
    }
    place_link(&task.path, make)
}

fn finish(task: &Task<'_>, src: Option<String>, changed: bool, diff: Pair) -> Outcome {
    task.done("dest", changed, diff).with("src", src)
}

/// What makes a hard link impossible, so that check mode tells too.
fn obstacle(task: &Task<'_>, source_is_dir: bool) -> Option<io::Error> {
    if source_is_dir {
        return Some(io::Error::from_raw_os_error(libc::EPERM));
    }
    if task.before == State::Directory && !is_empty(&task.path) {
        return Some(io::Error::from_raw_os_error(libc::ENOTEMPTY));
    }
    match std::fs::metadata(paths::parent(&task.path)) {
        Ok(m) if m.is_dir() => None,
        Ok(_) => Some(io::Error::from_raw_os_error(libc::ENOTDIR)),
        Err(e) => Some(e),
    }
}

/// A hard link.
pub(super) fn hard(task: &Task<'_>) -> ModuleResult {
    let Some(src) = &task.src else {
        if task.before == State::Absent {
            return Err(Failure::new("src is required for creating new hardlinks"));
        }
        let mut diff = task.diff(State::Hard);
        let changed = task.dress(&task.path, Some(&mut diff))?;
        return Ok(finish(task, None, changed, diff));
    };
    let refuse = |message: &str| {
        let mut failure = Failure::new(message)
            .with("dest", paths::shown(&task.path))
            .with("src", src.clone());
        info::describe(&task.path, &mut failure.fields);
        failure
    };
    let source = std::fs::metadata(src).map_err(|_| refuse("src does not exist"))?;
    let mut diff = task.diff(State::Hard);
    let same = std::fs::symlink_metadata(&task.path)
        .is_ok_and(|m| (m.dev(), m.ino()) == (source.dev(), source.ino()));
    if !same && !task.force {
        match task.before {
            State::File => return Err(refuse("Cannot link, file exists at destination")),
            State::Hard => {
                return Err(refuse(
                    "Cannot link, different hard link exists at destination",
                ));
            }
            State::Directory => {
                return Err(refuse("Cannot link: the destination is a directory"));
            }
            _ => {}
        }
    }
    if !same && let Some(e) = obstacle(task, source.is_dir()) {
        return Err(refuse(&format!(
            "Error while linking: {} -> b'{}'",
            errno::at_bytes(&e, Path::new(src)),
            task.path.display()
        )));
    }
    if !same && !task.check {
        place(task, |at| {
            std::fs::hard_link(paths::real(Path::new(src)), at)
        })
        .map_err(|e| {
            refuse(&format!(
                "Error while linking: {} -> b'{}'",
                errno::at_bytes(&e, Path::new(src)),
                task.path.display()
            ))
        })?;
    }
    if !same && task.check {
        return Ok(finish(task, Some(src.clone()), true, diff));
    }
    let changed = task.dress(&task.path, Some(&mut diff))?;
    Ok(finish(task, Some(src.clone()), changed || !same, diff))
}
