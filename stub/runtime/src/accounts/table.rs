//! One of the account files as lines of fields, changed in memory and written back at once.
//!
//! What is not changed stays as it is, byte for byte. A file is replaced by rename, with its old mode and owner, and
//! the version before is kept as `NAME-`, as the system's own tools do.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

/// How long to wait for somebody else's change.
const LOCK_WAIT: Duration = Duration::from_secs(15);

/// The right to change the account files: the lock that `lckpwdf` takes, so that the system's tools wait for us.
pub(super) struct Lock(#[expect(dead_code, reason = "held until dropped")] File);

impl Lock {
    pub(super) fn take(etc: &Path) -> io::Result<Lock> {
        let path = etc.join(".pwd.lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        let until = Instant::now() + LOCK_WAIT;
        loop {
            match rustix::fs::fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS)
                    if Instant::now() < until =>
                {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => {
                    return Err(io::Error::other(format!(
                        "somebody else holds the lock {} for more than {} seconds",
                        path.display(),
                        LOCK_WAIT.as_secs()
                    )));
                }
                Err(e) => return Err(e.into()),
            }
        }
    }
}

/// A file of lines with fields.
pub(super) struct Table {
    path: PathBuf,
    before: Vec<u8>,
    lines: Vec<Vec<u8>>,
    changed: bool,
}

impl Table {
    /// Reads a file; `None` where it is not there.
    pub(super) fn load(path: PathBuf) -> io::Result<Option<Table>> {
        let before = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut lines: Vec<Vec<u8>> = before.split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
        if lines.last().is_some_and(Vec::is_empty) {
            lines.pop();
        }
        Ok(Some(Table {
            path,
            before,
            lines,
            changed: false,
        }))
    }

    /// All lines as they would be written.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.before.len() + 64);
        for line in &self.lines {
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out
    }

    /// The number of the first line whose first field is `name`.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.lines
            .iter()
            .position(|l| l.split(|b| *b == b':').next() == Some(name.as_bytes()))
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// A field's text, empty where it is missing.
    pub(super) fn field(&self, line: usize, index: usize) -> String {
        self.lines
            .get(line)
            .and_then(|l| l.split(|b| *b == b':').nth(index))
            .map(|f| String::from_utf8_lossy(f).into_owned())
            .unwrap_or_default()
    }

    /// Changes a field; missing ones before it are filled up.
    pub(super) fn set(&mut self, line: usize, index: usize, value: &str) {
        let Some(old) = self.lines.get_mut(line) else {
            return;
        };
        let mut fields: Vec<&[u8]> = old.split(|b| *b == b':').collect();
        while fields.len() <= index {
            fields.push(b"");
        }
        if fields[index] == value.as_bytes() {
            return;
        }
        fields[index] = value.as_bytes();
        *old = fields.join(&b':');
        self.changed = true;
    }

    /// Adds a line, before NIS markers if there are any.
    pub(super) fn push(&mut self, line: &str) {
        let at = self
            .lines
            .iter()
            .position(|l| l.first().is_some_and(|b| matches!(b, b'+' | b'-')))
            .unwrap_or(self.lines.len());
        self.lines.insert(at, line.as_bytes().to_vec());
        self.changed = true;
    }

    /// Removes all lines whose first field is `name`.
    pub(super) fn remove(&mut self, name: &str) {
        let count = self.lines.len();
        self.lines
            .retain(|l| l.split(|b| *b == b':').next() != Some(name.as_bytes()));
        self.changed |= self.lines.len() != count;
    }

    /// Writes the file where it changed.
    pub(super) fn save(&mut self) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let meta = std::fs::metadata(&self.path)?;
        let beside = |suffix: &str| {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        };
        let after = self.bytes();
        write_new(&beside("+"), &beside("-"), &self.before, &meta)?;
        write_new(&beside("+"), &self.path, &after, &meta)?;
        self.before = after;
        self.changed = false;
        Ok(())
    }
}

/// Puts a file in place by rename, with the mode and owner of another.
fn write_new(
    temporary: &Path,
    path: &Path,
    bytes: &[u8],
    like: &std::fs::Metadata,
) -> io::Result<()> {
    let _ = std::fs::remove_file(temporary);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(temporary)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid())))
        .and_then(|()| file.set_permissions(std::fs::Permissions::from_mode(like.mode() & 0o7777)))
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::rename(temporary, path));
    if written.is_err() {
        let _ = std::fs::remove_file(temporary);
    }
    written
}
