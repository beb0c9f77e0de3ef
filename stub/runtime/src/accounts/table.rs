//! One of the account files as lines of fields, changed in memory.
//!
//! What is not changed stays as it is, byte for byte.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use super::commit::Change;

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

    /// The file's new version, where it changed; it counts as written from now on.
    pub(super) fn take_change(&mut self) -> Option<Change> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let after = self.bytes();
        Some(Change {
            path: self.path.clone(),
            before: std::mem::replace(&mut self.before, after.clone()),
            after,
        })
    }
}
