//! The run's private folder for temporary files.
//!
//! Made when a run begins, removed when it ends. A run that was killed leaves its folder behind, unlocked; the next run
//! finds it by its name, sees that nobody holds its lock, and removes it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, StatVfsMountFlags, flock, statvfs};

use crate::exit::{self, Failure};
use crate::places::{Surroundings, own_file};

/// What the folders' names begin with.
const PREFIX: &str = ".rustle-run-";
/// The file in each that its run holds locked.
const LOCK: &str = ".lock";

/// A run's folder. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    _lock: File,
}

impl WorkDir {
    /// Makes one in the first folder that can have it: `asked_for`, else the usual ones. With `executable`, programs can
    /// be started from it.
    ///
    /// # Errors
    /// Where there is none, with what each said.
    pub(crate) fn create(
        surroundings: &Surroundings,
        asked_for: Option<&Path>,
        run_id: &str,
        executable: bool,
    ) -> Result<WorkDir, Failure> {
        let candidates = match asked_for {
            Some(path) => vec![path.to_owned()],
            None => surroundings.temporary(),
        };
        let mut reasons = Vec::new();
        for candidate in &candidates {
            match attempt(candidate, run_id, executable) {
                Ok(dir) => {
                    clean(candidate, surroundings.uid);
                    return Ok(dir);
                }
                Err(e) => reasons.push(format!("{}: {e}", candidate.display())),
            }
        }
        Err(Failure::new(
            exit::IO,
            format!(
                "no place for temporary files{} (--work-dir DIR names another): {}",
                if executable {
                    " from which programs can be started"
                } else {
                    ""
                },
                reasons.join("; ")
            ),
        ))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        let _ = remove(&self.path);
    }
}

/// How often a folder is made again that another run took for abandoned between its making and its lock.
const TRIES: usize = 5;

fn attempt(parent: &Path, run_id: &str, executable: bool) -> io::Result<WorkDir> {
    let mut tried = 1;
    loop {
        match make(parent, run_id, executable) {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && tried < TRIES => tried += 1,
            made => return made,
        }
    }
}

fn make(parent: &Path, run_id: &str, executable: bool) -> io::Result<WorkDir> {
    if executable && statvfs(parent)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::Error::other("mounted noexec"));
    }
    let parent = fs::canonicalize(parent)?;
    let path = parent.join(format!("{PREFIX}{run_id}"));
    DirBuilder::new().mode(0o700).create(&path)?;
    let made = own_file(&path.join(LOCK)).and_then(|lock| {
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        // A full disk lets folders be made and nothing be written.
        fs::write(path.join(".probe"), [0; 4096])?;
        fs::remove_file(path.join(".probe"))?;
        Ok(lock)
    });
    match made {
        Ok(lock) => Ok(WorkDir { path, _lock: lock }),
        Err(e) => {
            let _ = fs::remove_dir_all(&path);
            Err(e)
        }
    }
}

/// Removes the folders of runs that were killed.
fn clean(parent: &Path, uid: u32) {
    let Ok(entries) = fs::read_dir(parent) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        if !is_ours(&name) {
            continue;
        }
        let path = entry.path();
        let own = fs::symlink_metadata(&path).is_ok_and(|m| m.is_dir() && m.uid() == uid);
        if own && abandoned(&path) {
            let _ = remove(&path);
        }
    }
}

fn is_ours(name: &OsStr) -> bool {
    name.to_str()
        .and_then(|n| n.strip_prefix(PREFIX))
        .is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether no run holds the folder. One without a lock file is just being made, or was killed then: it is left for a
/// minute.
fn abandoned(path: &Path) -> bool {
    let lock = path.join(LOCK);
    if !lock.exists() {
        return fs::metadata(path)
            .and_then(|m| m.modified())
            .is_ok_and(|t| t.elapsed().is_ok_and(|age| age.as_secs() > 60));
    }
    File::open(lock).is_ok_and(|f| flock(&f, FlockOperation::NonBlockingLockExclusive).is_ok())
}

/// Removes a tree, one with folders that forbid it too. Links in it are removed, not followed.
fn remove(path: &Path) -> io::Result<()> {
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    open_up(path, 0);
    fs::remove_dir_all(path)
}

fn open_up(path: &Path, depth: usize) {
    use std::os::unix::fs::PermissionsExt as _;
    if depth > 64 {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    let Ok(entries) = fs::read_dir(path) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            open_up(&entry.path(), depth + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Surroundings {
        Surroundings {
            uid: rustix::process::geteuid().as_raw(),
            ..Surroundings::default()
        }
    }

    fn id(c: char) -> String {
        c.to_string().repeat(32)
    }

    #[test]
    fn it_is_private_and_goes() {
        let parent = tempfile::tempdir().unwrap();
        let dir = WorkDir::create(&here(), Some(parent.path()), &id('a'), true).unwrap();
        let path = dir.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
        fs::create_dir(path.join("sub")).unwrap();
        drop(dir);
        assert!(!path.exists());
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_a_living_one_kept() {
        let parent = tempfile::tempdir().unwrap();
        let dead = parent.path().join(format!("{PREFIX}{}", id('d')));
        fs::create_dir(&dead).unwrap();
        fs::write(dead.join(LOCK), "").unwrap();
        fs::write(dead.join("secret"), "x").unwrap();
        let other = parent.path().join(".rustle-run-notes");
        fs::create_dir(&other).unwrap();
        let living = WorkDir::create(&here(), Some(parent.path()), &id('b'), false).unwrap();
        let _second = WorkDir::create(&here(), Some(parent.path()), &id('c'), false).unwrap();
        assert!(!dead.exists());
        assert!(other.exists() && living.path().exists());
    }

    #[test]
    fn no_place_is_said_with_reasons() {
        let failure = WorkDir::create(&here(), Some(Path::new("/nonexistent/x")), &id('a'), false)
            .unwrap_err();
        assert_eq!(failure.code, exit::IO);
        assert!(
            failure.message.contains("/nonexistent/x: No such file"),
            "{}",
            failure.message
        );
    }
}
