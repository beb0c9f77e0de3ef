//! Recording a run while it happens.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustle_formats::event::{Event, EventKind};
use serde::{Deserialize, Serialize};

use crate::store::{EVENTS, META, META_VERSION, Meta};

/// What was asked for, as far as it may be kept: no variables of the command line, which may be secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// The command: `playbook`, `run`.
    pub command: String,
    /// The playbook's path, or the module and pattern of `rustle run`.
    pub what: String,
    /// The folder that it was started in.
    pub directory: String,
    /// Where the inventory came from.
    pub inventory: Vec<String>,
    /// The pattern of `--limit`.
    pub limit: Option<String>,
    /// Tags that were asked for.
    pub tags: Vec<String>,
    /// Tags that were left out.
    pub skip_tags: Vec<String>,
}

/// The folder of one run, which takes its events. Every event is in the kernel's hands before the next one is shown, so that a
/// controller that is killed has lost none of them.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    events: File,
    meta: Meta,
    broken: Option<io::Error>,
}

/// A name for a run that no other has: 32 hexadecimal digits.
///
/// # Errors
/// The system has no random bytes.
pub fn new_id() -> io::Result<String> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(hex::encode(bytes))
}

impl Recorder {
    /// A new folder below `runs`, which is made if it is not there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(runs: &Path, id: &str, now_ms: u64, asked: Asked) -> io::Result<Recorder> {
        DirBuilder::new().recursive(true).mode(0o700).create(runs)?;
        let folder = runs.join(folder_name(id, now_ms));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let meta = Meta {
            version: META_VERSION,
            run: id.to_owned(),
            started_ms: now_ms,
            asked,
            ..Meta::default()
        };
        let events = OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.join(EVENTS))?;
        let recorder = Recorder {
            folder,
            events,
            meta,
            broken: None,
        };
        recorder.write_meta()?;
        Ok(recorder)
    }

    /// Takes one event in. A disk that is full does not end a run: see [`Recorder::end`].
    pub fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted {
                root, hosts, check, ..
            } => {
                self.meta.root.clone_from(root);
                self.meta.hosts.clone_from(hosts);
                self.meta.check = *check;
                let written = self.write_meta();
                self.broken = self.broken.take().or(written.err());
            }
            EventKind::RunFinished {
                stats,
                exit_code,
                duration_ms,
                ..
            } => {
                self.meta.exit_code = Some(*exit_code);
                self.meta.duration_ms = *duration_ms;
                self.meta.stats.clone_from(stats);
            }
            _ => {}
        }
        if self.broken.is_some() {
            return;
        }
        let line = event.to_json_line().map_err(io::Error::other);
        let written = line.and_then(|mut line| {
            line.push('\n');
            self.events.write_all(line.as_bytes())
        });
        self.broken = written.err();
    }

    /// Ends the record.
    ///
    /// # Errors
    /// What kept events from being written.
    pub fn end(mut self) -> io::Result<PathBuf> {
        self.write_meta()?;
        match self.broken.take() {
            Some(e) => Err(e),
            None => Ok(self.folder),
        }
    }

    fn write_meta(&self) -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(".meta-")
            .tempfile_in(&self.folder)?;
        serde_json::to_writer_pretty(&mut file, &self.meta)?;
        file.write_all(b"\n")?;
        file.persist(self.folder.join(META)).map_err(|e| e.error)?;
        Ok(())
    }
}

/// `20261122T213500Z-0123456789ab`: names in the order of time.
fn folder_name(id: &str, now_ms: u64) -> String {
    let short = id.get(..12).unwrap_or(id);
    format!("{}-{short}", instant(now_ms).strftime("%Y%m%dT%H%M%SZ"))
}

/// The time of so many milliseconds since 1970; what no calendar has becomes 1970.
pub(crate) fn instant(ms: u64) -> jiff::Timestamp {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// A time as people of the place write it: `2026-11-22 21:35:00 +01:00`. `ms`: milliseconds since 1970.
pub fn local_time(ms: u64) -> String {
    let zoned = instant(ms).to_zoned(jiff::tz::TimeZone::system());
    zoned.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}
