//! What a session needs to outlive its channel: a private folder with a socket to come back to, and the journal of what
//! the controller has not heard, sealed under the session's key.
//!
//! ```text
//! CACHE/run/NAME/socket    where the controller comes back to; it is gone when the run is over
//! CACHE/run/NAME/journal   while the controller is away, and after a run that nobody heard the end of
//! ```

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustle_formats::seal::JournalSeal;
use rustle_formats::session::{RunKey, Survive};

use crate::places::private_dir;

/// How long what a run left is kept for a controller that does not come.
const KEPT: Duration = Duration::from_secs(3 * 24 * 3600);

/// The folder of a session.
pub(super) fn folder(cache: &Path, name: &str) -> PathBuf {
    cache.join("run").join(name)
}

/// The socket in a session's folder.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join("socket")
}

/// The journal in a session's folder.
pub(super) fn journal(folder: &Path) -> PathBuf {
    folder.join("journal")
}

/// A session that can be come back to.
pub(super) struct Keeping {
    folder: PathBuf,
    seal: JournalSeal,
    key: RunKey,
    /// How long the run goes on alone.
    pub(super) patience: Duration,
    journal: Option<File>,
}

impl Keeping {
    /// Makes the folder and listens on its socket.
    ///
    /// # Errors
    /// Where the folder cannot have a socket. The session then ends with its channel.
    pub(super) fn begin(cache: &Path, survive: &Survive) -> io::Result<(Keeping, UnixListener)> {
        forget_old(&cache.join("run"));
        let name = survive.key.name();
        let folder = folder(cache, &name);
        // Who finds the folder finds somebody listening there.
        let early = cache.join("run").join(name + ".new");
        private_dir(&early)?;
        let listener = UnixListener::bind(socket(&early)).inspect_err(|_| {
            let _ = fs::remove_dir(&early);
        })?;
        fs::rename(&early, &folder)?;
        let keeping = Keeping {
            folder,
            seal: JournalSeal::new(&survive.key),
            key: survive.key.clone(),
            patience: Duration::from_secs(u64::from(survive.seconds)),
            journal: None,
        };
        Ok((keeping, listener))
    }

    /// Whether this key opens the session.
    pub(super) fn admits(&self, key: &RunKey) -> bool {
        self.key.is(key)
    }

    /// Writes down what the controller has not heard; `first` is the number of the first frame.
    pub(super) fn begin_journal(&mut self, first: u64, frames: &VecDeque<Vec<u8>>) {
        let opened = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(journal(&self.folder));
        let Ok(mut file) = opened else {
            return;
        };
        if file.write_all(&JournalSeal::head(first)).is_ok() {
            self.journal = Some(file);
        }
        for (number, frame) in (first..).zip(frames) {
            self.add(number, frame);
        }
    }

    /// Writes down one frame more. Where the disk is full the run's memory alone has it.
    pub(super) fn add(&mut self, number: u64, frame: &[u8]) {
        let message = frame.get(4..).unwrap_or_default();
        if let Some(file) = &mut self.journal
            && let Some(record) = self.seal.record(number, message)
            && file.write_all(&record).is_err()
        {
            self.journal = None;
        }
    }

    /// Whether the journal has all that was to be written down.
    pub(super) fn is_written(&self) -> bool {
        self.journal.is_some()
    }

    /// The controller is back and hears all that was written down.
    pub(super) fn forget_journal(&mut self) {
        self.journal = None;
        let _ = fs::remove_file(journal(&self.folder));
    }

    /// Ends with what the journal has: nobody can come back to this process any more.
    pub(super) fn leave(&mut self) {
        if let Some(file) = self.journal.take() {
            let _ = file.sync_all();
        }
        let _ = fs::remove_file(socket(&self.folder));
    }

    /// Leaves nothing.
    pub(super) fn remove(&mut self) {
        self.forget_journal();
        let _ = fs::remove_file(socket(&self.folder));
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Removes what runs left long ago, unless they still run.
fn forget_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let changed = entry.metadata().and_then(|m| m.modified());
        let age = changed
            .ok()
            .and_then(|m| SystemTime::now().duration_since(m).ok());
        let path = entry.path();
        if age.is_some_and(|age| age > KEPT) && UnixStream::connect(socket(&path)).is_err() {
            let _ = fs::remove_dir_all(path);
        }
    }
}
