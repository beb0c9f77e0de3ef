//! The cache folder: digests of files that did not change since, and compressed frames.
//!
//! `stamps` holds, for every file that was packed, its device, inode, size and times, and the digests that it had. A file that was
//! changed only just before it was read is not kept: it could change again without its times showing it. `frames/` holds
//! frames by name, the most recent ones. Everything may be deleted at any time; a damaged file is as good as none.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rustle_formats::artifact::{FrameRecord, Method};

use crate::PackError;
use crate::collect::{Content, Node, NodeKind, Stamp};
use crate::output::Made;
use crate::pipeline::Placed;
use crate::reuse::Known;

const MAGIC: [u8; 8] = *b"RSTAMPS1";
/// The length of a record without chunks.
const RECORD: usize = 8 * 7 + 32 + 1 + 4;
/// The most files that are remembered; above, those that the last run did not see are forgotten.
const MAX_STAMPS: usize = 2 << 20;
/// A file changed this shortly before it was packed is not remembered.
const SETTLED: Duration = Duration::from_secs(2);
/// The most bytes of frames that are kept; above, the oldest go.
const MAX_FRAMES: u64 = 512 << 20;
/// A frame that is used again this long after it was kept counts as new.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

/// An open cache folder.
pub(crate) struct Cache {
    dir: PathBuf,
    stamps: HashMap<(u64, u64), (Stamp, Known)>,
    opened: SystemTime,
    keep_frames: bool,
    kept_some: AtomicBool,
}

impl Cache {
    /// Opens, and makes where needed, the cache in `dir`. Frames are kept there only if `keep_frames`.
    pub(crate) fn open(dir: &Path, keep_frames: bool) -> Result<Self, PackError> {
        fs::create_dir_all(dir).map_err(PackError::io("make the folder", dir))?;
        let stamps = fs::read(dir.join("stamps"))
            .ok()
            .and_then(|bytes| decode(&bytes))
            .unwrap_or_default();
        Ok(Self {
            dir: dir.to_owned(),
            stamps,
            opened: SystemTime::now(),
            keep_frames,
            kept_some: AtomicBool::new(false),
        })
    }

    pub(crate) fn known(&self, stamp: &Stamp) -> Option<&Known> {
        let (then, known) = self.stamps.get(&(stamp.dev, stamp.ino))?;
        (then == stamp).then_some(known)
    }

    fn frame_path(&self, key: &[u8; 32]) -> PathBuf {
        let name: String = key.iter().map(|b| format!("{b:02x}")).collect();
        self.dir.join("frames").join(&name[..2]).join(&name[2..])
    }

    pub(crate) fn find(&self, key: &[u8; 32]) -> Option<Made> {
        let path = self.frame_path(key);
        let mut bytes = fs::read(&path).ok()?;
        let head = bytes.get(..FrameRecord::LEN)?;
        let number = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
        let method = [
            Method::None,
            Method::Zstd,
            Method::Xz,
            Method::Gzip,
            Method::Lz4,
        ];
        let method = method.into_iter().find(|m| m.code() == head[8])?;
        let digest: [u8; 32] = head.get(16..48)?.try_into().ok()?;
        let record = FrameRecord {
            stored_len: number(0)?,
            plain_len: number(4)?,
            method,
            digest,
        };
        let stored = bytes.split_off(FrameRecord::LEN);
        let whole =
            stored.len() == record.stored_len as usize && FrameRecord::digest_of(&stored) == digest;
        if !whole {
            return None;
        }
        self.freshen(&path);
        Some(Made::Kept { record, stored })
    }

    /// Keeps a frame that is in use from being among the oldest.
    fn freshen(&self, path: &Path) {
        let old = fs::metadata(path)
            .and_then(|m| m.modified())
            .is_ok_and(|at| self.opened.duration_since(at).is_ok_and(|age| age > FRESH));
        if old && let Ok(file) = fs::File::options().write(true).open(path) {
            // A cache that cannot be written saves nothing and harms nothing.
            let _ = file.set_modified(self.opened);
        }
    }

    pub(crate) fn keep(&self, key: &[u8; 32], record: &FrameRecord, stored: &[u8]) {
        if !self.keep_frames {
            return;
        }
        let path = self.frame_path(key);
        let Some(dir) = path.parent() else { return };
        let mut head = Vec::with_capacity(FrameRecord::LEN);
        record.encode(&mut head);
        let write = || -> std::io::Result<()> {
            fs::create_dir_all(dir)?;
            let mut temp = tempfile::NamedTempFile::new_in(dir)?;
            temp.write_all(&head)?;
            temp.write_all(stored)?;
            temp.persist(&path)?;
            Ok(())
        };
        // As in `freshen`.
        if write().is_ok() {
            self.kept_some.store(true, Ordering::Relaxed);
        }
    }

    /// Deletes the oldest frames where there are too many.
    fn trim(&self) {
        if !self.kept_some.load(Ordering::Relaxed) {
            return;
        }
        let mut frames: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for dir in fs::read_dir(self.dir.join("frames"))
            .into_iter()
            .flatten()
            .flatten()
        {
            for file in fs::read_dir(dir.path()).into_iter().flatten().flatten() {
                if let Ok(meta) = file.metadata()
                    && let Ok(at) = meta.modified()
                {
                    frames.push((at, meta.len(), file.path()));
                }
            }
        }
        let mut total: u64 = frames.iter().map(|(_, len, _)| len).sum();
        frames.sort_unstable();
        for (_, len, path) in frames {
            if total <= MAX_FRAMES {
                break;
            }
            // As above; another run may have deleted it first.
            let _ = fs::remove_file(path);
            total -= len;
        }
    }

    /// Remembers the digests of the files that were packed.
    pub(crate) fn remember(mut self, nodes: &[Node], placed: &[Placed]) {
        self.trim();
        let mut changed = false;
        if self.stamps.len() > MAX_STAMPS {
            self.stamps.clear();
            changed = true;
        }
        for (node, place) in nodes.iter().zip(placed) {
            let NodeKind::File(Content::Disk { stamp, .. }) = &node.kind else {
                continue;
            };
            if stamp.size == 0 || !self.settled(stamp) {
                continue;
            }
            if self.known(stamp).is_none() {
                let values = match place.chunk_log {
                    0 => Vec::new(),
                    _ => place
                        .chunks
                        .iter()
                        .map(|c| (c.value, c.frame.is_none()))
                        .collect(),
                };
                let known = Known {
                    digest: place.digest,
                    chunk_log: place.chunk_log,
                    values,
                };
                self.stamps.insert((stamp.dev, stamp.ino), (*stamp, known));
                changed = true;
            }
        }
        if changed {
            let bytes = encode(&self.stamps);
            let write = || -> std::io::Result<()> {
                let mut temp = tempfile::NamedTempFile::new_in(&self.dir)?;
                temp.write_all(&bytes)?;
                temp.persist(self.dir.join("stamps"))?;
                Ok(())
            };
            // As above.
            let _ = write();
        }
    }

    fn settled(&self, stamp: &Stamp) -> bool {
        let latest = stamp.ctime.max(stamp.mtime);
        let Ok(seconds) = u64::try_from(latest.0) else {
            return true;
        };
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::new(
            seconds,
            latest.1.clamp(0, 999_999_999) as u32,
        ));
        at.and_then(|at| at.checked_add(SETTLED))
            .is_some_and(|at| at < self.opened)
    }
}

fn encode(stamps: &HashMap<(u64, u64), (Stamp, Known)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16 + stamps.len() * RECORD + 32);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&(stamps.len() as u64).to_le_bytes());
    for (stamp, known) in stamps.values() {
        for number in [stamp.dev, stamp.ino, stamp.size] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [stamp.mtime.0, stamp.mtime.1, stamp.ctime.0, stamp.ctime.1] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&known.digest);
        out.push(known.chunk_log);
        out.extend_from_slice(&(known.values.len() as u32).to_le_bytes());
        for (value, hole) in &known.values {
            out.extend_from_slice(value);
            out.push(u8::from(*hole));
        }
    }
    let digest = blake3::hash(&out);
    out.extend_from_slice(digest.as_bytes());
    out
}

/// `None` when the bytes are not what [`encode`] writes.
fn decode(bytes: &[u8]) -> Option<HashMap<(u64, u64), (Stamp, Known)>> {
    let (body, digest) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if blake3::hash(body).as_bytes() != digest || body.get(..8)? != MAGIC {
        return None;
    }
    let mut rest = body.get(8..)?;
    fn take<'a>(rest: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
        let (head, tail) = rest.split_at_checked(len)?;
        *rest = tail;
        Some(head)
    }
    fn u64_of(rest: &mut &[u8]) -> Option<u64> {
        Some(u64::from_le_bytes(take(rest, 8)?.try_into().ok()?))
    }
    let count = u64_of(&mut rest)?;
    let mut out = HashMap::with_capacity((count as usize).min(body.len() / RECORD));
    for _ in 0..count {
        let mut number = || u64_of(&mut rest);
        let stamp = Stamp {
            dev: number()?,
            ino: number()?,
            size: number()?,
            mtime: (number()? as i64, number()? as i64),
            ctime: (number()? as i64, number()? as i64),
        };
        let digest = take(&mut rest, 32)?.try_into().ok()?;
        let chunk_log = *take(&mut rest, 1)?.first()?;
        let len = u32::from_le_bytes(take(&mut rest, 4)?.try_into().ok()?);
        let mut values = Vec::new();
        for _ in 0..len {
            let value = take(&mut rest, 32)?.try_into().ok()?;
            values.push((value, *take(&mut rest, 1)?.first()? != 0));
        }
        out.insert(
            (stamp.dev, stamp.ino),
            (
                stamp,
                Known {
                    digest,
                    chunk_log,
                    values,
                },
            ),
        );
    }
    rest.is_empty().then_some(out)
}
