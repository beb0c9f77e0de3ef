//! `--extract DIR`: the payload's files, without running anything.
//!
//! The folder must be empty, and links are made after all files, so that nothing in the payload or in the folder can lead
//! a write elsewhere.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use rustle_formats::artifact::{Container, Entry, Kind};

use crate::exit::{self, Failure};
use crate::signals;

/// Unpacks all assets and says how many there were.
///
/// # Errors
/// A folder that is not empty, damage, a full disk. What was written stays, for `rm -r`.
pub(crate) fn all(container: &Container<File>, dir: &Path) -> Result<u32, Failure> {
    prepare(dir)?;
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8);
    let next = AtomicU32::new(0);
    let first_failure: Mutex<Option<Failure>> = Mutex::new(None);
    let count = container.asset_count();
    for entry in container.assets() {
        let entry = entry?;
        if entry.kind == Kind::Dir {
            make_dir(&at(dir, &entry.path))?;
        }
    }
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return;
                    }
                    if let Err(failure) = one(container, dir, index) {
                        next.store(count, Ordering::Relaxed);
                        first_failure
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .get_or_insert(failure);
                        return;
                    }
                }
            });
        }
    });
    if let Some(failure) = first_failure
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
    {
        return Err(failure);
    }
    links_and_modes(container, dir)?;
    let synced = File::open(dir).and_then(|f| Ok(rustix::fs::syncfs(&f)?));
    synced.map_err(|e| Failure::io(dir.display(), &e))?;
    Ok(count)
}

fn prepare(dir: &Path) -> Result<(), Failure> {
    make_dir(dir)?;
    let mut entries = fs::read_dir(dir).map_err(|e| Failure::io(dir.display(), &e))?;
    if entries.next().is_some() {
        return Err(Failure::new(
            exit::IO,
            format!("{} is not empty", dir.display()),
        ));
    }
    Ok(())
}

fn at(dir: &Path, path: &[u8]) -> PathBuf {
    dir.join(OsStr::from_bytes(path))
}

fn make_dir(path: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| Failure::io(path.display(), &e))
}

/// Writes one file; leaves other kinds for later.
fn one(container: &Container<File>, dir: &Path, index: u32) -> Result<(), Failure> {
    if let Some((name, code)) = signals::ended_by() {
        return Err(Failure::new(code, format!("ended by {name}")));
    }
    let entry = container.asset(index)?;
    let Kind::File { size, .. } = entry.kind else {
        return Ok(());
    };
    let path = at(dir, &entry.path);
    if let Some(parent) = path.parent() {
        make_dir(parent)?;
    }
    let failed = |e: io::Error| Failure::io(path.display(), &e);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(failed)?;
    let mut out = BufWriter::with_capacity((size.clamp(1, 1 << 16)) as usize, file);
    container.read_entry(&entry, &mut out)?;
    out.flush().map_err(failed)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    finish(&file, &entry).map_err(failed)
}

/// Owner, permissions and time, as far as they were recorded.
fn finish(file: &File, entry: &Entry) -> io::Result<()> {
    if let Some((user, group)) = entry.owner
        && rustix::process::geteuid().is_root()
    {
        std::os::unix::fs::fchown(file, Some(user), Some(group))?;
    }
    file.set_permissions(Permissions::from_mode(u32::from(entry.mode)))?;
    if let Some(time) = entry.mtime.and_then(system_time) {
        file.set_modified(time)?;
    }
    Ok(())
}

fn system_time((seconds, nanos): (i64, u32)) -> Option<SystemTime> {
    let nanos = Duration::from_nanos(u64::from(nanos));
    let size = Duration::from_secs(seconds.unsigned_abs());
    if seconds >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(size + nanos)
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(size)?.checked_add(nanos)
    }
}

/// Links last, and then the folders' own permissions, children before parents: a folder may forbid writing.
fn links_and_modes(container: &Container<File>, dir: &Path) -> Result<(), Failure> {
    let mut folders = Vec::new();
    for entry in container.assets() {
        let entry = entry?;
        let path = at(dir, &entry.path);
        let made = match &entry.kind {
            Kind::Symlink { target } => symlink(OsStr::from_bytes(target), &path),
            Kind::Hardlink { to } => fs::hard_link(at(dir, to), &path),
            Kind::Dir => {
                folders.push(entry);
                continue;
            }
            Kind::File { .. } => continue,
        };
        made.map_err(|e| Failure::io(path.display(), &e))?;
    }
    for entry in folders.iter().rev() {
        let path = at(dir, &entry.path);
        File::open(&path)
            .and_then(|f| finish(&f, entry))
            .map_err(|e| Failure::io(path.display(), &e))?;
    }
    Ok(())
}
