//! The runs that were recorded: finding, reading and forgetting them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use rustle_formats::event::{Event, Stats};
use serde::{Deserialize, Serialize};

use crate::record::Asked;

/// A run's events, one JSON object a line.
pub(crate) const EVENTS: &str = "events.jsonl";
/// What a list of runs shows, so that it need not read the events.
pub(crate) const META: &str = "run.json";
/// The version of [`Meta`].
pub(crate) const META_VERSION: u32 = 1;

/// A run, in short.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Meta {
    /// The version of this shape: 1.
    pub version: u32,
    /// The run: 32 hexadecimal digits.
    pub run: String,
    /// When it began: milliseconds since 1970.
    pub started_ms: u64,
    /// How long it took, in milliseconds; 0 while it runs.
    pub duration_ms: u64,
    /// Its exit code; none: it runs still, or was killed.
    pub exit_code: Option<u8>,
    /// Whether nothing was changed.
    pub check: bool,
    /// The hosts by inventory name.
    pub hosts: Vec<String>,
    /// The root of the artifact that ran, in hexadecimal.
    pub root: Option<String>,
    /// What was asked for.
    pub asked: Asked,
    /// What was counted, by host.
    pub stats: indexmap::IndexMap<String, Stats>,
}

/// A folder of recorded runs.
#[derive(Debug, Clone)]
pub struct Store {
    runs: PathBuf,
}

/// A recorded run.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub meta: Meta,
}

/// Why a run cannot be shown.
#[derive(Debug)]
pub enum StoreError {
    /// No run was recorded, or none of this name.
    Unknown,
    /// Several runs have a name that begins so.
    Ambiguous(Vec<String>),
    /// A file cannot be read.
    Io(PathBuf, io::Error),
    /// A line is no event of this version.
    Line {
        /// The file.
        file: PathBuf,
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

impl Store {
    /// The runs below this folder, which need not be there.
    pub fn at(runs: PathBuf) -> Store {
        Store { runs }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.runs
    }

    /// All runs, the latest last. Folders that hold no run are passed over.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self) -> Result<Vec<Found>, StoreError> {
        let entries = match std::fs::read_dir(&self.runs) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(StoreError::Io(self.runs.clone(), e)),
        };
        let mut found: Vec<Found> = entries
            .flatten()
            .filter_map(|entry| {
                let folder = entry.path();
                let text = std::fs::read(folder.join(META)).ok()?;
                let meta = serde_json::from_slice(&text).ok()?;
                Some(Found { folder, meta })
            })
            .collect();
        found.sort_by(|a, b| {
            let order = a.meta.started_ms.cmp(&b.meta.started_ms);
            order.then_with(|| a.folder.cmp(&b.folder))
        });
        Ok(found)
    }

    /// The run whose id or folder begins so; none: the latest.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub fn find(&self, name: Option<&str>) -> Result<Found, StoreError> {
        let mut all = self.list()?;
        let Some(name) = name else {
            return all.pop().ok_or(StoreError::Unknown);
        };
        all.retain(|found| {
            let folder = found.folder.file_name().unwrap_or_default();
            found.meta.run.starts_with(name) || folder.to_string_lossy().starts_with(name)
        });
        match all.len() {
            0 => Err(StoreError::Unknown),
            1 => Ok(all.remove(0)),
            _ => Err(StoreError::Ambiguous(
                all.into_iter().map(|found| found.meta.run).collect(),
            )),
        }
    }

    /// Forgets the oldest runs that have ended, or did not say so for a day, until `keep` are left.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn sweep(&self, keep: usize, now_ms: u64) -> Result<usize, StoreError> {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        let all = self.list()?;
        let mut gone = 0;
        for found in all.iter().take(all.len().saturating_sub(keep)) {
            let ended = found.meta.exit_code.is_some()
                || found.meta.started_ms.saturating_add(DAY_MS) < now_ms;
            if ended && std::fs::remove_dir_all(&found.folder).is_ok() {
                gone += 1;
            }
        }
        Ok(gone)
    }
}

impl Found {
    /// Its events, in order. The last line of a run that was killed may be half there: it is left out.
    ///
    /// # Errors
    /// The file cannot be read, or holds what is no event.
    pub fn events(&self) -> Result<Vec<Event>, StoreError> {
        let file = self.folder.join(EVENTS);
        let io = |e| StoreError::Io(file.clone(), e);
        let mut reader = BufReader::new(File::open(&file).map_err(io)?);
        let mut out = Vec::new();
        let mut line = String::new();
        for number in 1.. {
            line.clear();
            if reader.read_line(&mut line).map_err(io)? == 0 || !line.ends_with('\n') {
                break;
            }
            let event = Event::from_json_line(&line).map_err(|e| StoreError::Line {
                file: file.clone(),
                line: number,
                why: e.to_string(),
            })?;
            out.push(event);
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use rustle_formats::event::EventKind;

    use super::*;
    use crate::record::Recorder;

    fn event(seq: u64, kind: EventKind) -> Event {
        Event {
            seq,
            time_ms: 1000 + seq,
            kind,
        }
    }

    fn record(runs: &Path, id: &str, at: u64, code: Option<u8>) -> Vec<Event> {
        let mut recorder = Recorder::begin(runs, id, at, Asked::default()).unwrap();
        let mut events = vec![event(1, EventKind::Heartbeat {})];
        events.extend(code.map(|exit_code| {
            event(
                2,
                EventKind::RunFinished {
                    stats: indexmap::IndexMap::new(),
                    exit_code,
                    aborted: None,
                    duration_ms: 3,
                },
            )
        }));
        for event in &events {
            recorder.event(event);
        }
        recorder.end().unwrap();
        events
    }

    #[test]
    fn what_was_recorded_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().join("runs"));
        assert!(matches!(store.find(None), Err(StoreError::Unknown)));
        let events = record(store.folder(), "aa11", 1000, Some(2));
        record(store.folder(), "aa22", 2000, None);
        let found = store.find(Some("aa1")).unwrap();
        assert_eq!(found.meta.exit_code, Some(2));
        assert_eq!(found.events().unwrap(), events);
        assert_eq!(store.find(None).unwrap().meta.run, "aa22");
        let both = store.find(Some("aa"));
        assert!(matches!(both, Err(StoreError::Ambiguous(names)) if names.len() == 2));
    }

    #[test]
    fn half_a_line_is_no_event_and_a_wrong_one_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().to_owned());
        let events = record(store.folder(), "aa11", 1000, None);
        let found = store.find(None).unwrap();
        let path = found.folder.join(EVENTS);
        let whole = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        assert_eq!(found.events().unwrap(), events);
        std::fs::write(&path, format!("{whole}nonsense\n")).unwrap();
        assert!(matches!(
            found.events(),
            Err(StoreError::Line { line: 2, .. })
        ));
    }

    #[test]
    fn the_oldest_go_and_the_unfinished_stay() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::at(dir.path().to_owned());
        record(store.folder(), "01", 1000, None);
        record(store.folder(), "02", 2000, Some(0));
        record(store.folder(), "03", 3000, Some(0));
        assert_eq!(store.sweep(1, 4000).unwrap(), 1);
        let left: Vec<String> = store
            .list()
            .unwrap()
            .into_iter()
            .map(|f| f.meta.run)
            .collect();
        assert_eq!(left, ["01", "03"]);
    }
}
