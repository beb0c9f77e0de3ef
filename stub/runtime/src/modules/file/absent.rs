//! `state: absent`.

use std::path::{Path, PathBuf};

use rustle_formats::order;
use rustle_formats::{Map, Value};

use super::{State, Task};
use crate::fsops::{errno, info, paths};
use crate::outcome::{Failure, ModuleResult, Outcome};

/// Removes whatever is there; what a link leads to stays.
pub(super) fn ensure(task: &Task<'_>) -> ModuleResult {
    let path = paths::shown(&task.path);
    if task.before == State::Absent {
        return Ok(Outcome::ok().with("path", path).with("state", "absent"));
    }
    let mut diff = task.diff(State::Absent);
    if task.before == State::Directory && task.ctx.diff {
        diff.before
            .insert("path_content".into(), contents(&task.path));
    }
    if !task.check {
        remove(task)?;
    }
    let mut outcome = Outcome::changed(true)
        .with("path", path)
        .with("state", "absent");
    outcome.diff = task.ctx.diff.then(|| diff.into_value());
    Ok(info::with_path(outcome, &task.path))
}

fn remove(task: &Task<'_>) -> Result<(), Failure> {
    let (word, done) = if task.before == State::Directory {
        // A final slash or a mount point below is the system's to refuse.
        ("rmtree", std::fs::remove_dir_all(&task.path))
    } else {
        ("unlinking", std::fs::remove_file(&task.path))
    };
    match done {
        Err(e) if !errno::is_missing(&e) => {
            let failure = Failure::new(format!("{word} failed: {}", errno::at(&e, &task.path)));
            Err(info::failed_at(failure, &task.path))
        }
        _ => Ok(()),
    }
}

/// All folders and files below, for the difference.
fn contents(root: &Path) -> Value {
    let mut folders = Vec::new();
    let mut files = Vec::new();
    let mut left: Vec<PathBuf> = vec![root.to_path_buf()];
    while let Some(folder) = left.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let mut entries: Vec<PathBuf> = entries.flatten().map(|e| e.path()).collect();
        order::sort(&mut entries);
        for path in entries {
            if path.is_dir() {
                folders.push(paths::shown(&path));
                if !path.is_symlink() {
                    left.push(path);
                }
            } else {
                files.push(paths::shown(&path));
            }
        }
    }
    let mut map = Map::new();
    map.insert("directories".into(), folders.into());
    map.insert("files".into(), files.into());
    Value::Map(map)
}
