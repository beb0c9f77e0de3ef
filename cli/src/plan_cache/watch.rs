//! What a command asked of the file system, so that a later one can ask whether the answers would be the same.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A file that was changed less than this before it was looked at may change again without its times telling: clocks of file systems
/// are coarse, up to two seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells one state of a file or folder from another. A folder's times change with the names in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stamp {
    /// There is nothing of this name, or it may not be looked at.
    Absent,
    /// There is something.
    There {
        /// The file system.
        device: u64,
        /// Which file of it.
        inode: u64,
        /// Its kind and its rights.
        mode: u32,
        /// In bytes.
        size: u64,
        /// When its content changed, in nanoseconds since 1970.
        modified: i128,
        /// When anything of it changed, in nanoseconds since 1970: nobody can set it back.
        changed: i128,
    },
}

impl Stamp {
    /// Of what is at a path now; links are followed.
    pub(crate) fn of(path: &Path) -> Stamp {
        std::fs::metadata(path).map_or(Stamp::Absent, |meta| Stamp::from(&meta))
    }

    /// Whether it was as it is for some time at this moment: a later change is sure to show.
    fn settled(self, now: SystemTime) -> bool {
        let Stamp::There {
            modified, changed, ..
        } = self
        else {
            return true;
        };
        let now = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let limit = now.saturating_sub(SETTLED).as_nanos();
        i128::try_from(limit).is_ok_and(|limit| modified < limit && changed < limit)
    }
}

impl From<&Metadata> for Stamp {
    fn from(meta: &Metadata) -> Stamp {
        let nanos = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Stamp::There {
            device: meta.dev(),
            inode: meta.ino(),
            mode: meta.mode(),
            size: meta.size(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Takes note of what is looked at. Copies write into the same notes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watch(Arc<Notes>);

#[derive(Debug, Default)]
struct Notes {
    seen: Mutex<BTreeMap<PathBuf, Stamp>>,
    /// Whether something was looked at that no stamp can tell of.
    spoiled: AtomicBool,
}

impl Watch {
    /// Notes a path before it is used; the first look counts.
    pub(crate) fn note(&self, path: &Path) {
        self.note_as(path, || Stamp::of(path));
    }

    /// Notes a path whose state is known.
    pub(crate) fn note_as(&self, path: &Path, stamp: impl FnOnce() -> Stamp) {
        let Ok(mut seen) = self.0.seen.lock() else {
            return self.spoil();
        };
        if seen.contains_key(path) {
            return;
        }
        let stamp = stamp();
        if !stamp.settled(SystemTime::now()) {
            self.spoil();
        }
        seen.insert(path.to_owned(), stamp);
    }

    /// What follows from this cannot be kept.
    pub(crate) fn spoil(&self) {
        self.0.spoiled.store(true, Ordering::Relaxed);
    }

    /// All that was looked at; `None` where that is not all, or may have changed meanwhile.
    pub(crate) fn seen(&self) -> Option<Vec<(PathBuf, Stamp)>> {
        let spoiled = self.0.spoiled.load(Ordering::Relaxed);
        let seen = self.0.seen.lock().ok().filter(|_| !spoiled)?;
        Some(seen.iter().map(|(p, s)| (p.clone(), *s)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    fn aged(path: &Path, seconds: u64) -> Stamp {
        let before = SystemTime::now() - Duration::from_secs(seconds);
        File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(before)
            .unwrap();
        Stamp::of(path)
    }

    #[test]
    fn a_change_of_equal_size_and_time_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let before = aged(&path, 100);
        let modified = path.metadata().unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(&path, "two").unwrap();
        let file = File::options().write(true).open(&path).unwrap();
        file.set_modified(modified).unwrap();
        // The time of its content was set back; that of its change tells.
        assert_ne!(Stamp::of(&path), before);
    }

    #[test]
    fn what_is_young_spoils_and_what_is_absent_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let watch = Watch::default();
        watch.note(&path);
        assert_eq!(watch.seen().unwrap(), [(path.clone(), Stamp::Absent)]);
        std::fs::write(&path, "x").unwrap();
        let other = Watch::default();
        other.note(&path);
        assert_eq!(other.seen(), None);
        // The first look counts: that it is there now was seen after it was used as absent.
        watch.note(&path);
        assert!(watch.seen().is_some());
    }

    #[test]
    fn what_is_of_the_future_is_not_settled() {
        let stamp = |at: u64| Stamp::There {
            device: 1,
            inode: 1,
            mode: 0,
            size: 0,
            modified: i128::from(at) * 1_000_000_000,
            changed: i128::from(at) * 1_000_000_000,
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        assert!(stamp(997).settled(now));
        assert!(!stamp(998).settled(now));
        assert!(!stamp(5000).settled(now));
    }
}
