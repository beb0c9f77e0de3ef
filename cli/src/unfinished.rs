//! Runs that have not ended: what is kept of each so that it can be gone on with where the process that drives it is killed.
//!
//! ```text
//! STATE/unfinished/RUN/lock         locked while a process drives the run
//! STATE/unfinished/RUN/asked.json   the arguments, the folder, and the root of what the hosts were given
//! STATE/unfinished/RUN/key          from which the keys of the sessions come
//! STATE/unfinished/RUN/diary        what was heard of the hosts
//! STATE/unfinished/RUN/shown        the number of the last event that was printed
//! ```
//!
//! All of it is this user's alone, and goes when the run ends.

use std::cell::Cell;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustle_controller::fleet::Diary;
use rustle_formats::event::Event;
use rustle_formats::session::RunKey;
use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::recording::{state_folder, store};
use crate::replace::replace;

/// How long what is left of a run that was killed is kept.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// The version of these files.
const VERSION: u32 = 1;

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    version: u32,
    /// The program's arguments, its name first.
    pub(crate) arguments: Vec<String>,
    /// The folder that it was started in.
    pub(crate) directory: PathBuf,
    /// The root of the artifact that the hosts were given, in hexadecimal.
    root: Option<String>,
}

/// A run that has not ended, driven by this process.
pub(crate) struct Unfinished {
    folder: PathBuf,
    given: Given,
    _lock: File,
    shown: File,
    /// The last event that another process printed.
    before: u64,
    ended: Cell<bool>,
}

impl Unfinished {
    /// Begins to keep a run. `None` where there is no place for it.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn begin(run: &str) -> io::Result<Option<Unfinished>> {
        let arguments: Result<Vec<String>, _> =
            std::env::args_os().map(|a| a.into_string()).collect();
        let (Some(folder), Ok(arguments)) = (folder_of(run), arguments) else {
            return Ok(None);
        };
        if let Some(all) = folder.parent() {
            forget_old(all);
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)?;
        let given = Given {
            version: VERSION,
            arguments,
            directory: std::env::current_dir()?,
            root: None,
        };
        Unfinished::open(folder, given).map(Some)
    }

    /// Takes over a run whose process was killed.
    ///
    /// # Errors
    /// There is none, or it is driven still.
    pub(crate) fn again(run: &str) -> Result<Unfinished, Failure> {
        let given = given(run)?;
        let folder = folder_of(run).ok_or_else(|| unknown(run))?;
        let wrong = Failure::io("read", &folder);
        Unfinished::open(folder.clone(), given).map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => Failure::text(
                Exit::Machine,
                format!("the run {run} is under way: another process drives it"),
            ),
            _ => wrong(e),
        })
    }

    fn open(folder: PathBuf, given: Given) -> io::Result<Unfinished> {
        let open = |name: &str| {
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            options.mode(0o600).open(folder.join(name))
        };
        let lock = open("lock")?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
        let shown = open("shown")?;
        let mut number = [0u8; 8];
        let before = match shown.read_exact_at(&mut number, 0) {
            Ok(()) => u64::from_le_bytes(number),
            Err(_) => 0,
        };
        Ok(Unfinished {
            folder,
            given,
            _lock: lock,
            shown,
            before,
            ended: Cell::new(false),
        })
    }

    /// The key and the diary: new ones, or those of the run that is gone on with.
    ///
    /// # Errors
    /// The plan is another one now; files cannot be read or written.
    pub(crate) fn keep(&self, root: &[u8; 32], fresh: &RunKey) -> Result<(RunKey, Diary), Failure> {
        let root = hex(root);
        let path = |name: &str| self.folder.join(name);
        let (key, diary) = (path("key"), path("diary"));
        let Some(before) = &self.given.root else {
            let given = Given {
                root: Some(root),
                ..self.given.clone()
            };
            write(&key, &fresh.0)?;
            let open = Diary::begin(&diary).map_err(Failure::io("write", &diary))?;
            let text = serde_json::to_vec(&given)
                .map_err(|e| Failure::text(Exit::Machine, e.to_string()))?;
            // Last, and whole: from here on the run can be resumed.
            write(&path("asked.json"), &text)?;
            return Ok((fresh.clone(), open));
        };
        if *before != root {
            return Err(Failure::text(
                Exit::Refused,
                "the run cannot be resumed: its playbook, inventory, variables or files have changed since, or it was started by another version",
            )
            .hint("put them back as they were; or run the playbook anew, which changes what is not yet as it should be"));
        }
        let bytes = fs::read(&key).map_err(Failure::io("read", &key))?;
        let bytes = bytes
            .try_into()
            .map_err(|_| Failure::text(Exit::Machine, format!("{} is damaged", key.display())))?;
        let open = Diary::again(&diary).map_err(Failure::io("read", &diary))?;
        self.forget_record();
        Ok((RunKey(bytes), open))
    }

    /// The whole story is told to the records once more: what was recorded until the kill goes.
    fn forget_record(&self) {
        let run = self.folder.file_name().and_then(|name| name.to_str());
        if let Some(run) = run
            && let Ok(store) = store()
            && let Ok(found) = store.find(Some(run))
        {
            let _ = fs::remove_dir_all(found.folder);
        }
    }

    /// Whether the process that was killed has printed this event.
    pub(crate) fn has_shown(&self, event: &Event) -> bool {
        event.seq <= self.before
    }

    /// This event was printed.
    pub(crate) fn shown(&self, event: &Event) {
        // Where that is not written down, an event is told twice after a kill.
        let _ = self.shown.write_all_at(&event.seq.to_le_bytes(), 0);
        if let rustle_formats::event::EventKind::RunFinished { .. } = event.kind {
            self.ended.set(true);
        }
    }
}

impl Drop for Unfinished {
    /// Nothing is kept of a run that has ended, in whatever way this process chose.
    fn drop(&mut self) {
        // A resumed run that was refused can be tried again.
        if self.ended.get() || self.given.root.is_none() {
            let _ = fs::remove_dir_all(&self.folder);
        }
    }
}

/// What was asked for in a run that has not ended.
///
/// # Errors
/// There is none of this name.
pub(crate) fn given(run: &str) -> Result<Given, Failure> {
    let path = folder_of(run)
        .ok_or_else(|| unknown(run))?
        .join("asked.json");
    let text = fs::read(&path).map_err(|_| unknown(run))?;
    let given: Given = serde_json::from_slice(&text)
        .map_err(|e| Failure::text(Exit::Machine, format!("{}: {e}", path.display())))?;
    if given.version == VERSION {
        return Ok(given);
    }
    Err(Failure::text(
        Exit::Unfit,
        format!("the run {run} was begun by another version of this program"),
    ))
}

/// The runs that have not ended, under way or killed.
pub(crate) fn all() -> Vec<String> {
    let Some(state) = state_folder() else {
        return Vec::new();
    };
    let entries = fs::read_dir(state.join("unfinished")).into_iter().flatten();
    let names = entries
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|run| given(run).is_ok()).collect();
    names.sort();
    names
}

/// Removes what was left of runs that were killed long ago: their hosts have forgotten them, too.
fn forget_old(all: &Path) {
    for entry in fs::read_dir(all).into_iter().flatten().flatten() {
        let changed = entry.metadata().and_then(|m| m.modified());
        let age = changed.ok().and_then(|changed| changed.elapsed().ok());
        let lock = File::open(entry.path().join("lock"));
        if age.is_some_and(|age| age > KEPT)
            && lock.is_ok_and(|lock| flock(lock, FlockOperation::NonBlockingLockExclusive).is_ok())
        {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn folder_of(run: &str) -> Option<PathBuf> {
    let sound = run.len() == 32 && run.bytes().all(|b| b.is_ascii_hexdigit());
    let state = state_folder().filter(|_| sound)?;
    Some(state.join("unfinished").join(run))
}

fn unknown(run: &str) -> Failure {
    Failure::text(
        Exit::Machine,
        format!("there is no unfinished run `{run}`"),
    )
    .hint("only `rustle playbook` with one playbook and other hosts than this machine alone leaves one when it is killed; `rustle runs` lists what was recorded")
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    replace(path, bytes, Some(0o600)).map_err(Failure::io("write", path))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
