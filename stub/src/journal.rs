//! The journal: the events of a run on disk, so that what happened can be read when nobody was watching.
//!
//! One JSON object a line, private to the user. Results in events are free of secrets already; nothing else is written.
//! The last few runs are kept.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustle_formats::event::Event;
use rustle_formats::order;

use crate::places::{Surroundings, private_dir};
use crate::whole_file::WholeFile;

/// How many runs are kept.
const KEPT: usize = 20;
const EXTENSION: &str = "jsonl";
const REPORT_EXTENSION: &str = "report.json";

/// An open journal.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    line: String,
    /// Bytes of whole lines.
    len: u64,
    broken: Option<io::Error>,
}

impl Journal {
    /// Begins the journal of a run in the first folder that can have it. `None` where there is no such place.
    ///
    /// # Errors
    /// Where the folder that was asked for cannot have it.
    pub(crate) fn begin(
        surroundings: &Surroundings,
        asked_for: Option<&Path>,
        run_id: &str,
        now_ms: u64,
    ) -> io::Result<Option<Journal>> {
        let candidates = match asked_for {
            Some(path) => vec![path.to_owned()],
            None => surroundings.journals(),
        };
        for folder in candidates {
            match Journal::create(&folder, run_id, now_ms) {
                Ok(journal) => return Ok(Some(journal)),
                Err(e) if asked_for.is_some() => return Err(e),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    fn create(folder: &Path, run_id: &str, now_ms: u64) -> io::Result<Journal> {
        private_dir(folder)?;
        forget_old(folder);
        let short = run_id.get(..8).unwrap_or(run_id);
        let path = folder.join(format!("{now_ms:014}-{short}.{EXTENSION}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)?;
        Ok(Journal {
            file,
            path,
            line: String::new(),
            len: 0,
            broken: None,
        })
    }

    /// Adds an event. A full disk does not end a run; [`Journal::end`] tells of it.
    pub(crate) fn add(&mut self, event: &Event) {
        if self.broken.is_some() {
            return;
        }
        self.line.clear();
        match event.to_json_line() {
            Ok(line) => self.line.push_str(&line),
            Err(e) => {
                self.broken = Some(e.into());
                return;
            }
        }
        self.line.push('\n');
        match self.file.write_all(self.line.as_bytes()) {
            Ok(()) => self.len += self.line.len() as u64,
            Err(e) => {
                // Half a line would be no event. Cutting a file takes no room.
                let _ = self.file.set_len(self.len);
                self.broken = Some(e);
            }
        }
    }

    /// Keeps a report beside the journal.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn keep_report(&self, json: &[u8]) -> io::Result<()> {
        let mut file = WholeFile::create(&self.path.with_extension(REPORT_EXTENSION))?;
        file.write_all(json)?;
        file.finish()
    }

    /// Ends it: what was reported is on the disk. A journal of nothing, that of a run which did not begin, goes.
    ///
    /// # Errors
    /// What went wrong first.
    pub(crate) fn end(mut self) -> io::Result<()> {
        if self.len == 0 {
            let _ = fs::remove_file(&self.path);
        }
        match self.broken.take() {
            Some(e) => Err(e),
            None => self.file.sync_all(),
        }
    }
}

/// Removes the oldest journals, so that with the one that begins [`KEPT`] remain. Names sort by time.
fn forget_old(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut names: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == EXTENSION))
        .collect();
    order::sort(&mut names);
    let excess = (names.len() + 1).saturating_sub(KEPT);
    for old in names.iter().take(excess) {
        let _ = fs::remove_file(old.with_extension(REPORT_EXTENSION));
        let _ = fs::remove_file(old);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustle_formats::event::EventKind;

    #[test]
    fn the_last_runs_are_kept_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("state/journal");
        for i in 0..KEPT as u64 + 5 {
            let mut journal = Journal::begin(&Surroundings::default(), Some(&dir), "0123456789", i)
                .unwrap()
                .unwrap();
            journal.add(&Event {
                seq: 1,
                time_ms: i,
                kind: EventKind::Heartbeat {},
            });
            journal.keep_report(b"{}").unwrap();
            journal.end().unwrap();
        }
        let mut lines = Vec::new();
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().unwrap() == EXTENSION {
                let text = fs::read_to_string(&path).unwrap();
                lines.push(Event::from_json_line(text.trim_end()).unwrap().time_ms);
            }
        }
        lines.sort_unstable();
        assert_eq!(lines.len(), KEPT);
        assert_eq!(lines[0], 5);
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2 * KEPT);
    }
}
