//! The run's private folder for temporary files.
//!
//! Made when a run begins, removed when it ends. While the run lives it holds a lock on the folder itself: a run that was
//! killed, at whatever moment, leaves it unlocked; the next run finds it by its name, locks it, and removes it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, StatVfsMountFlags, flock, fstat, statvfs};
use rustix::io::Errno;

use crate::exit::{self, Failure};
use crate::places::{Surroundings, own_file};

/// What the folders' names begin with.
const PREFIX: &str = ".rustle-run-";

/// A run's folder. Dropping it removes it.
#[derive(Debug)]
pub(crate) struct WorkDir {
    path: PathBuf,
    _locked: OwnedFd,
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
const TRIES: u64 = 8;

fn attempt(parent: &Path, run_id: &str, executable: bool) -> io::Result<WorkDir> {
    if executable && statvfs(parent)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::Error::other("mounted noexec"));
    }
    let path = fs::canonicalize(parent)?.join(format!("{PREFIX}{run_id}"));
    for tried in 1..=TRIES {
        DirBuilder::new().mode(0o700).create(&path)?;
        match lock_and_probe(&path) {
            Ok(Some(locked)) => {
                return Ok(WorkDir {
                    path,
                    _locked: locked,
                });
            }
            // Who has the lock removes the folder.
            Ok(None) => std::thread::sleep(Duration::from_millis(tried)),
            Err(e) => {
                let _ = fs::remove_dir_all(&path);
                return Err(e);
            }
        }
        if path.exists() {
            let _ = fs::remove_dir_all(&path);
        }
    }
    Err(io::ErrorKind::WouldBlock.into())
}

/// None where another run had the folder first, to remove it.
fn lock_and_probe(path: &Path) -> io::Result<Option<OwnedFd>> {
    let folder = match open(path) {
        Err(Errno::NOENT) => return Ok(None),
        opened => opened?,
    };
    // Any other error: a file system without locks, where nobody else gets one either.
    if lock(&folder) == Err(Errno::WOULDBLOCK) || fstat(&folder)?.st_nlink == 0 {
        return Ok(None);
    }
    // A full disk lets folders be made and nothing be written.
    let probe = path.join(".probe");
    own_file(&probe)?.write_all(&[0; 4096])?;
    fs::remove_file(probe)?;
    Ok(Some(folder))
}

fn open(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

fn lock(folder: &OwnedFd) -> rustix::io::Result<()> {
    flock(folder, FlockOperation::NonBlockingLockExclusive)
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
        // The lock is held until the folder is gone.
        if own
            && let Ok(folder) = open(&path)
            && lock(&folder).is_ok()
        {
            let _ = remove(&path);
        }
    }
}

fn is_ours(name: &OsStr) -> bool {
    name.to_str()
        .and_then(|n| n.strip_prefix(PREFIX))
        .is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()))
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
        fs::write(dead.join("secret"), "x").unwrap();
        let other = parent.path().join(".rustle-run-notes");
        fs::create_dir(&other).unwrap();
        let living = WorkDir::create(&here(), Some(parent.path()), &id('b'), false).unwrap();
        let _second = WorkDir::create(&here(), Some(parent.path()), &id('c'), false).unwrap();
        assert!(!dead.exists());
        assert!(other.exists() && living.path().exists());
    }

    /// Runs begin at the same time, and each removes what others left.
    #[test]
    fn nobody_loses_a_folder_to_another_run() {
        let parent = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..4u32 {
                let parent = parent.path();
                scope.spawn(move || {
                    for round in 0..200u32 {
                        let id = format!("{:032x}", thread * 1000 + round);
                        let dir = WorkDir::create(&here(), Some(parent), &id, false).unwrap();
                        fs::write(dir.path().join("file"), "x").unwrap();
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
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
