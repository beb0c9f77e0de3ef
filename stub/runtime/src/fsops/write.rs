//! Atomic replacement of a file: a temporary file beside it, then a rename.
//!
//! At every moment the destination holds its old or its new content. A process that is killed leaves at most a file named
//! `.rustle-` and sixteen hexadecimal digits; each writer holds a lock on its own, so that a later run can tell
//! leftovers from work in progress and removes them the first time it writes into the folder.
//!
//! Nothing is synced to disk here: a run ends with one sync of the file systems that it wrote to.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use rustix::fs::FlockOperation;

use super::attrs::Wanted;
use super::diff::Pair;
use super::{errno, mode, paths, selinux};
use crate::context::Context;
use crate::outcome::Failure;

const PREFIX: &str = ".rustle-";
const DIGITS: usize = 16;
/// Behind the name of the file that guards a link in the making.
const LINK: &str = ".link";

/// New content that is not in place yet. Dropping it removes the temporary file.
pub(crate) struct Staged {
    path: PathBuf,
    dest: PathBuf,
    file: File,
    armed: bool,
    in_place: bool,
    unsafe_writes: bool,
}

impl Staged {
    /// Opens a temporary file in the folder of `dest`. Where that is impossible and `unsafe_writes` allows it, one in
    /// the work folder, whose content is then written over the destination.
    ///
    /// # Errors
    /// Where none can be made.
    pub(crate) fn beside(
        dest: &Path,
        unsafe_writes: bool,
        ctx: &Context<'_>,
    ) -> Result<Staged, Failure> {
        let folder = paths::parent(dest);
        sweep_once(folder);
        match open_in(folder) {
            Ok((path, file)) => Ok(Staged::new(path, file, dest, unsafe_writes, false)),
            Err(_) if unsafe_writes && dest.exists() => match open_in(ctx.work_dir) {
                Ok((path, file)) => Ok(Staged::new(path, file, dest, unsafe_writes, true)),
                Err(e) => Err(cannot_stage(ctx.work_dir, &e)),
            },
            Err(e) => Err(cannot_stage(folder, &e)),
        }
    }

    /// A file whose content was written before, in the same file system as `dest`.
    pub(crate) fn ready((path, file): (PathBuf, File), dest: &Path, unsafe_writes: bool) -> Staged {
        Staged::new(path, file, dest, unsafe_writes, false)
    }

    fn new(path: PathBuf, file: File, dest: &Path, unsafe_writes: bool, in_place: bool) -> Staged {
        Staged {
            path,
            dest: dest.to_path_buf(),
            file,
            armed: true,
            in_place,
            unsafe_writes,
        }
    }

    /// The file, open for writing.
    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Where it lies for now.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all bytes.
    ///
    /// # Errors
    /// A full disk, for one; the destination is as it was.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        io::Write::write_all(&mut self.file, bytes).map_err(|e| self.cannot_write(&e))
    }

    /// The failure for an error while writing.
    pub(crate) fn cannot_write(&self, error: &io::Error) -> Failure {
        Failure::new(format!(
            "Could not write the new content of {}: {}; the old content is untouched",
            self.dest.display(),
            errno::text(error)
        ))
    }

    /// Gives it permission bits and, as far as this user may, an owner.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn dress(&self, bits: u32, owner: Option<(u32, u32)>) -> io::Result<()> {
        let now = self.file.metadata()?;
        if let Some((uid, gid)) = owner
            && (now.uid(), now.gid()) != (uid, gid)
            && let Err(e) = std::os::unix::fs::fchown(&self.file, Some(uid), Some(gid))
            && e.kind() != io::ErrorKind::PermissionDenied
        {
            return Err(e);
        }
        if now.mode() & mode::ALL_BITS != bits & mode::ALL_BITS {
            self.file
                .set_permissions(std::fs::Permissions::from_mode(bits & mode::ALL_BITS))?;
        }
        Ok(())
    }

    /// Gives it what the file that it replaces has, or what a new file gets.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn inherit(&self) -> Result<(), Failure> {
        let done = match std::fs::metadata(&self.dest) {
            Ok(old) if old.is_file() => {
                if let Some(context) = selinux::context(&self.dest) {
                    selinux::set(&self.path, &context)?;
                }
                self.dress(old.mode(), Some((old.uid(), old.gid())))
            }
            _ => self.dress(0o666 & !umask(), None),
        };
        done.map_err(|e| self.cannot_write(&e))
    }

    /// [`Staged::inherit`], then the owner, group and mode that are wanted: all before anybody can open the new file.
    ///
    /// # Errors
    /// Where they cannot be set.
    pub(crate) fn inherit_and_apply(
        &self,
        wanted: &Wanted,
        diff: Option<&mut Pair>,
    ) -> Result<bool, Failure> {
        self.inherit()?;
        wanted.apply_inode(&self.path, false, diff)
    }

    /// Puts it in place.
    ///
    /// # Errors
    /// Where that fails; the old content is there then, and the temporary file is gone.
    pub(crate) fn place(mut self) -> Result<(), Failure> {
        if self.in_place {
            return self.overwrite();
        }
        match std::fs::rename(&self.path, &self.dest) {
            Ok(()) => {
                self.armed = false;
                Ok(())
            }
            Err(_) if self.unsafe_writes && self.dest.is_file() => self.overwrite(),
            Err(e) => Err(Failure::new(format!(
                "Could not replace file: {} to {}: {}",
                self.path.display(),
                self.dest.display(),
                errno::text(&e)
            ))),
        }
    }

    fn overwrite(&mut self) -> Result<(), Failure> {
        let copy = || -> io::Result<()> {
            let mut from = File::open(&self.path)?;
            let mut to = OpenOptions::new()
                .write(true)
                .truncate(true)
                .open(&self.dest)?;
            io::copy(&mut from, &mut to)?;
            Ok(())
        };
        copy().map_err(|e| {
            Failure::new(format!(
                "Could not write data to file ({}) from ({}): {}",
                self.dest.display(),
                self.path.display(),
                errno::text(&e)
            ))
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.armed {
            // Nothing can be done about a failure here; the next run sweeps.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn cannot_stage(folder: &Path, error: &io::Error) -> Failure {
    Failure::new(format!(
        "Could not make a temporary file in {}: {}",
        folder.display(),
        errno::text(error)
    ))
}

/// Makes something that cannot be locked, a link, under a temporary name and renames it to `dest`. The name is that of an empty
/// file, which is locked meanwhile, with [`LINK`] behind it: so a later run knows leftovers from work in progress here too.
///
/// # Errors
/// What the system says; the old thing is there then.
pub(crate) fn place_link(
    dest: &Path,
    make: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let folder = paths::parent(dest);
    sweep_once(folder);
    let (guard, _locked) = open_in(folder)?;
    let mut link = guard.clone().into_os_string();
    link.push(LINK);
    let link = PathBuf::from(link);
    let placed = make(&link).and_then(|()| {
        std::fs::rename(&link, dest).inspect_err(|_| {
            // The rename's error is the one to tell.
            let _ = std::fs::remove_file(&link);
        })
    });
    // A hard link renamed to another name of the same file stays: POSIX wants it so.
    let _ = std::fs::remove_file(&link);
    let _ = std::fs::remove_file(&guard);
    placed
}

fn random_name(folder: &Path) -> io::Result<PathBuf> {
    let mut random = [0u8; DIGITS / 2];
    getrandom::fill(&mut random).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(folder.join(format!("{PREFIX}{}", hex::encode(random))))
}

/// A new temporary file, locked for as long as it is open.
pub(crate) fn open_in(folder: &Path) -> io::Result<(PathBuf, File)> {
    for attempt in 0..16 {
        let path = random_name(folder)?;
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path);
        match opened {
            Ok(file) => {
                // Between its making and its lock another run may take it for a leftover: that one has the lock now, or has
                // removed the file already. Without locks (some network file systems) the rename may fail, cleanly.
                match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                    Err(rustix::io::Errno::WOULDBLOCK) => {}
                    _ if file.metadata()?.nlink() == 0 => {}
                    _ => return Ok((path, file)),
                }
                // Waiting on each other inside the kernel, the two can go on in step for many rounds.
                std::thread::sleep(Duration::from_micros(10 << attempt));
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// Removes what killed runs left in a folder, the first time that this process writes into it.
pub(crate) fn sweep_once(folder: &Path) {
    static SWEPT: OnceLock<Mutex<HashSet<PathBuf>>> = OnceLock::new();
    let swept = SWEPT.get_or_init(Mutex::default);
    let first = swept
        .lock()
        .is_ok_and(|mut set| set.insert(folder.to_path_buf()));
    if first {
        sweep(folder);
    }
}

fn sweep(folder: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.as_bytes();
        if is_temporary(name) {
            remove_leftover(&path, &path);
        } else if let Some(guard) = name.strip_suffix(LINK.as_bytes())
            && is_temporary(guard)
        {
            remove_leftover(&path, &folder.join(OsStr::from_bytes(guard)));
        }
    }
}

fn is_temporary(name: &[u8]) -> bool {
    name.strip_prefix(PREFIX.as_bytes()).is_some_and(|digits| {
        digits.len() == DIGITS
            && digits
                .iter()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
    })
}

/// Removes something temporary, unless somebody holds the lock of its guard (for a file: its own).
fn remove_leftover(path: &Path, guard: &Path) {
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(guard);
    // The lock is held until the file is gone: let go of it earlier, and the writer between making the file and locking it
    // would take the lock and then lose the file.
    let (abandoned, _locked) = match opened {
        Ok(file) => {
            let free = file.metadata().is_ok_and(|m| m.is_file())
                && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
            (free, Some(file))
        }
        // The guard goes after what it guards.
        Err(e) => (e.kind() == io::ErrorKind::NotFound, None),
    };
    if abandoned {
        // Somebody else may have removed it by now.
        let _ = std::fs::remove_file(path);
    }
}

/// The process's umask, which does not change while it runs.
pub(crate) fn umask() -> u32 {
    static UMASK: OnceLock<u32> = OnceLock::new();
    *UMASK.get_or_init(|| umask_from_proc().unwrap_or_else(umask_by_setting))
}

fn umask_from_proc() -> Option<u32> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// Where there is no /proc: the call that reads the mask also sets it, to a strict one for a moment.
fn umask_by_setting() -> u32 {
    let old = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    rustix::process::umask(old);
    old.as_raw_mode()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_swept_and_work_in_progress_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let left = dir.path().join(".rustle-0123456789abcdef");
        std::fs::write(&left, b"half").unwrap();
        let other = dir.path().join(".rustle-mine");
        std::fs::write(&other, b"user's").unwrap();
        let (busy, _file) = open_in(dir.path()).unwrap();
        let link = |name: &str| {
            let path = dir.path().join(name);
            std::os::unix::fs::symlink("/nowhere", &path).unwrap();
            path
        };
        let dead = link(".rustle-0123456789abcdef.link");
        let living = link(&format!(
            "{}.link",
            busy.file_name().unwrap().to_str().unwrap()
        ));
        sweep(dir.path());
        assert!(!left.exists() && dead.symlink_metadata().is_err());
        assert!(other.exists());
        assert!(busy.exists() && living.symlink_metadata().is_ok());
    }

    /// Runs on one machine, for several hosts, write into the same folder at the same time.
    #[test]
    fn sweeping_takes_nothing_from_who_writes() {
        let dir = tempfile::tempdir().unwrap();
        // Threads of its own and not a scope's: a failed assertion then ends the test, where a scope would wait for them.
        let folder = dir.path().to_path_buf();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let sweeper = std::thread::spawn(move || {
            while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                sweep(&folder);
            }
        });
        for _ in 0..500 {
            let (path, file) = open_in(dir.path()).unwrap();
            assert!(path.exists());
            std::thread::yield_now();
            std::fs::remove_file(&path).unwrap();
            drop(file);
        }
        drop(stop);
        sweeper.join().unwrap();
    }

    #[test]
    fn links_are_placed_without_remains() {
        let dir = tempfile::tempdir().unwrap();
        let (file, dest) = (dir.path().join("file"), dir.path().join("dest"));
        std::fs::write(&file, "x").unwrap();
        for _ in 0..2 {
            place_link(&dest, |at| std::os::unix::fs::symlink("/nowhere", at)).unwrap();
            place_link(&dest, |at| std::fs::hard_link(&file, at)).unwrap();
            place_link(&dest, |at| std::fs::hard_link(&file, at)).unwrap();
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
