//! `state: file` and `state: touch`.

use super::{State, Task};
use crate::fsops::{errno, info, paths};
use crate::outcome::{Failure, ModuleResult, Outcome};

/// Sets attributes of a file that must be there.
pub(super) fn ensure(mut task: Task<'_>) -> ModuleResult {
    if task.follow && task.before == State::Link {
        task.path = paths::real(&task.path);
        task.before = State::of(&task.path);
    }
    if !matches!(task.before, State::File | State::Hard) {
        let state = task.before.name();
        let failure = Failure::new(format!(
            "file ({}) is {state}, cannot continue",
            task.path.display()
        ))
        .with("state", state);
        return Err(info::failed_at(failure, &task.path));
    }
    let mut diff = task.diff(task.before);
    let changed = task.dress(&task.path, Some(&mut diff))?;
    Ok(task.done("path", changed, diff))
}

/// Makes an empty file where nothing is, and sets times.
pub(super) fn touch(task: &Task<'_>) -> ModuleResult {
    let mut changed = false;
    if task.before == State::Absent {
        let dest = paths::shown(&task.path);
        // A folder that is missing is no failure here: an earlier task would have made it.
        if task.check {
            return Ok(Outcome::changed(true).with("dest", dest));
        }
        let made = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&task.path);
        made.map_err(|e| cannot(task, &e))?;
        changed = true;
    }
    let mut diff = task.diff(State::Touch);
    changed |= task
        .dress(&task.path, Some(&mut diff))
        .inspect_err(|_| {
            // What was made for this does not stay behind.
            if task.before == State::Absent {
                let _ = std::fs::remove_file(&task.path);
            }
        })?;
    Ok(task.done("dest", changed, diff))
}

fn cannot(task: &Task<'_>, error: &std::io::Error) -> Failure {
    Failure::new(format!(
        "Error, could not touch target: {}",
        errno::at(error, &task.path)
    ))
    .with("path", paths::shown(&task.path))
}
