//! The host's cache: artifacts that were pushed before, and the pieces of them that a new one can be made from.
//!
//! ```text
//! CACHE/stub/DIGEST               runners, put there by the bootstrap line
//! CACHE/artifacts/ROOT/artifact   a whole artifact
//! CACHE/artifacts/ROOT/sidecar    its bulk, if it has any
//! CACHE/artifacts/ROOT/pieces     which digests lie where in the two
//! CACHE/artifacts/ROOT.part/…     one that did not arrive whole yet; a later push goes on with it
//! ```
//!
//! Nothing in it is trusted: every piece is checked against its digest before it is used, whoever wrote it. A user of an
//! entry holds a shared lock on its folder, so that cleaning never takes away what runs.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::FlockOperation;
use rustle_formats::artifact::FrameRecord;
use rustle_formats::order;
use rustle_formats::session::{Offer, Piece, PieceSource};
use serde::{Deserialize, Serialize};

/// Between two looks at an artifact that another session puts together.
const WAIT: Duration = Duration::from_millis(5);

/// The longest piece that is taken, in bytes: what one check reads into memory.
pub const MAX_PIECE: u64 = 8 << 20;

/// Where a digest lies in a cached file.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Place {
    digest: [u8; 32],
    file: u8,
    offset: u64,
    len: u64,
}

/// The cache's folder.
pub struct Cache {
    folder: PathBuf,
}

/// An artifact in the making, or whole.
pub struct Assembly {
    folder: PathBuf,
    parts: [Part; 2],
    missing: Vec<(u8, u32)>,
    lock: File,
    complete: bool,
    final_folder: PathBuf,
}

struct Part {
    pieces: Vec<Piece>,
    offsets: Vec<u64>,
    file: Option<File>,
    /// Whether the file held nothing when it was opened: then nothing in it can be right already.
    fresh: bool,
}

const FILE_NAMES: [&str; 2] = ["artifact", "sidecar"];

impl Cache {
    /// Opens the cache in a folder that is there.
    ///
    /// # Errors
    /// Where its parts cannot be created.
    pub fn open(folder: &Path) -> io::Result<Cache> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder.join("artifacts"))?;
        Ok(Cache {
            folder: folder.join("artifacts"),
        })
    }

    /// Begins with an artifact: takes what the cache and the runner have, finds out what is missing.
    ///
    /// # Errors
    /// Where the offer is not sound or a file cannot be written.
    pub fn assemble(&self, offer: &Offer, runner: &File) -> io::Result<Assembly> {
        check_offer(offer)?;
        let final_folder = self.folder.join(hex(&offer.root));
        let part_folder = self.folder.join(format!("{}.part", hex(&offer.root)));
        let (lock, whole) = take_place(&final_folder, &part_folder)?;
        let folder = if whole {
            final_folder.clone()
        } else {
            part_folder
        };
        let mut assembly = Assembly {
            parts: [part(&offer.artifact)?, part(&offer.sidecar)?],
            missing: Vec::new(),
            lock,
            complete: whole,
            folder,
            final_folder,
        };
        assembly.open_files()?;
        let known = self.known_places();
        for file in 0..2u8 {
            for piece in 0..assembly.parts[usize::from(file)].pieces.len() {
                assembly.provide(file, piece, runner, &known)?;
            }
        }
        Ok(assembly)
    }

    /// All digests that whole artifacts of the cache hold.
    fn known_places(&self) -> HashMap<[u8; 32], (PathBuf, u64, u64)> {
        let mut known = HashMap::new();
        for folder in self.entries() {
            let Ok(bytes) = fs::read(folder.join("pieces")) else {
                continue;
            };
            let Ok(places) = postcard::from_bytes::<Vec<Place>>(&bytes) else {
                continue;
            };
            for place in places {
                if let Some(name) = FILE_NAMES.get(usize::from(place.file)) {
                    known.insert(place.digest, (folder.join(name), place.offset, place.len));
                }
            }
        }
        known
    }

    fn entries(&self) -> Vec<PathBuf> {
        fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .filter(|p| p.is_dir())
            .collect()
    }

    /// Removes the least recently used entries until the cache holds at most `limit` bytes. What is in use stays.
    pub fn trim(&self, limit: u64) {
        let mut entries: Vec<(SystemTime, u64, PathBuf)> = self
            .entries()
            .into_iter()
            .map(|folder| {
                let size = fs::read_dir(&folder)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .filter_map(|e| e.metadata().ok())
                    .map(|m| m.len())
                    .sum();
                let used = fs::metadata(folder.join(FILE_NAMES[0]))
                    .and_then(|m| m.modified())
                    .unwrap_or(SystemTime::UNIX_EPOCH);
                (used, size, folder)
            })
            .collect();
        order::sort(&mut entries);
        let mut total: u64 = entries.iter().map(|(_, size, _)| size).sum();
        for (_, size, folder) in entries {
            if total <= limit {
                return;
            }
            let Ok(lock) = File::open(&folder) else {
                continue;
            };
            if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok()
                && fs::remove_dir_all(&folder).is_ok()
            {
                total -= size;
            }
        }
    }
}

impl Assembly {
    /// The pieces to ask for: file and piece.
    pub fn missing(&self) -> &[(u8, u32)] {
        &self.missing
    }

    /// The length of a piece.
    pub fn piece_len(&self, file: u8, piece: u32) -> Option<u64> {
        self.parts
            .get(usize::from(file))?
            .pieces
            .get(piece as usize)
            .map(|p| p.len)
    }

    /// Takes a piece that was asked for.
    ///
    /// # Errors
    /// Where it was not asked for, is damaged, or cannot be written.
    pub fn take(&mut self, file: u8, piece: u32, bytes: &[u8]) -> io::Result<()> {
        let Some(at) = self
            .missing
            .iter()
            .position(|wanted| *wanted == (file, piece))
        else {
            return Err(io::Error::other("a piece that was not asked for"));
        };
        let part = &self.parts[usize::from(file)];
        let described = &part.pieces[piece as usize];
        let PieceSource::Stored { digest } = &described.source else {
            return Err(io::Error::other("a piece that was not asked for"));
        };
        if bytes.len() as u64 != described.len || FrameRecord::digest_of(bytes) != *digest {
            return Err(io::Error::other("a piece arrived damaged"));
        }
        part.write(part.offsets[piece as usize], bytes)?;
        self.missing.swap_remove(at);
        Ok(())
    }

    /// Puts the whole artifact in its place and gives the paths of artifact and sidecar.
    ///
    /// # Errors
    /// Where something is still missing or the rename fails.
    pub fn finish(&mut self) -> io::Result<(PathBuf, Option<PathBuf>)> {
        if !self.missing.is_empty() {
            return Err(io::Error::other("pieces are missing"));
        }
        // Nobody can execute what somebody may still write to, not even the run itself that becomes another user.
        for part in &mut self.parts {
            part.file = None;
        }
        if !self.complete {
            let mut places = Vec::new();
            for (file, part) in (0u8..).zip(&self.parts) {
                for (piece, offset) in part.pieces.iter().zip(&part.offsets) {
                    if let PieceSource::Stored { digest } = piece.source {
                        places.push(Place {
                            digest,
                            file,
                            offset: *offset,
                            len: piece.len,
                        });
                    }
                }
            }
            let index = postcard::to_stdvec(&places).map_err(io::Error::other)?;
            fs::write(self.folder.join("pieces"), index)?;
            match fs::rename(&self.folder, &self.final_folder) {
                Ok(()) => {}
                // Another run of the same artifact was faster; its copy is as good.
                Err(_) if self.final_folder.join(FILE_NAMES[0]).exists() => {
                    fs::remove_dir_all(&self.folder)?;
                    self.lock = lock_folder(&self.final_folder, false)?;
                }
                Err(e) => return Err(e),
            }
            self.folder = self.final_folder.clone();
            self.complete = true;
            rustix::fs::flock(&self.lock, FlockOperation::LockShared)?;
        }
        let artifact = self.folder.join(FILE_NAMES[0]);
        // The time of last use, for cleaning.
        File::open(&artifact)?.set_modified(SystemTime::now())?;
        let sidecar = (!self.parts[1].pieces.is_empty()).then(|| self.folder.join(FILE_NAMES[1]));
        Ok((artifact, sidecar))
    }

    fn open_files(&mut self) -> io::Result<()> {
        for (name, part) in FILE_NAMES.iter().zip(&mut self.parts) {
            if part.pieces.is_empty() {
                continue;
            }
            let total = part.offsets.last().copied().unwrap_or(0);
            let mode = if *name == FILE_NAMES[0] { 0o700 } else { 0o600 };
            let path = self.folder.join(name);
            let opened = fs::OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(mode)
                .open(&path);
            let file = match opened {
                // It runs: then nothing has to be written to it.
                Err(e) if e.kind() == io::ErrorKind::ExecutableFileBusy => File::open(&path)?,
                other => other?,
            };
            let had = file.metadata()?.len();
            if had != total {
                file.set_len(total)?;
            }
            part.fresh = had == 0;
            part.file = Some(file);
        }
        Ok(())
    }

    /// Puts a piece where it belongs if that can be done here, else notes that it is missing.
    fn provide(
        &mut self,
        file: u8,
        piece: usize,
        runner: &File,
        known: &HashMap<[u8; 32], (PathBuf, u64, u64)>,
    ) -> io::Result<()> {
        let part = &self.parts[usize::from(file)];
        let (described, offset) = (&part.pieces[piece], part.offsets[piece]);
        match &described.source {
            PieceSource::Inline(bytes) => part.write_if_different(offset, bytes),
            PieceSource::Runner { offset: from } => {
                let mut done = 0;
                while done < described.len {
                    let n = (described.len - done).min(MAX_PIECE);
                    let bytes = read_range(runner, from + done, n)?;
                    part.write_if_different(offset + done, &bytes)?;
                    done += n;
                }
                Ok(())
            }
            PieceSource::Stored { digest } => {
                let right = |bytes: &Vec<u8>| FrameRecord::digest_of(bytes) == *digest;
                if part
                    .read(offset, described.len)
                    .is_some_and(|bytes| right(&bytes))
                {
                    return Ok(());
                }
                let cached = known
                    .get(digest)
                    .filter(|(_, _, len)| *len == described.len)
                    .and_then(|(path, at, len)| read_range(&File::open(path).ok()?, *at, *len).ok())
                    .filter(right);
                match cached {
                    Some(bytes) => part.write(offset, &bytes),
                    None => {
                        self.missing.push((file, piece as u32));
                        Ok(())
                    }
                }
            }
        }
    }
}

impl Part {
    /// What is there already.
    fn read(&self, offset: u64, len: u64) -> Option<Vec<u8>> {
        if self.fresh {
            return None;
        }
        read_range(self.file.as_ref()?, offset, len).ok()
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match &self.file {
            Some(file) => file.write_all_at(bytes, offset),
            None => Err(io::Error::other("the offer has no such file")),
        }
    }

    /// A whole artifact may be running: its bytes are not written again when they are right.
    fn write_if_different(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self
            .read(offset, bytes.len() as u64)
            .is_some_and(|old| old == bytes)
        {
            return Ok(());
        }
        self.write(offset, bytes)
    }
}

fn part(pieces: &[Piece]) -> io::Result<Part> {
    Ok(Part {
        offsets: Piece::offsets(pieces)
            .ok_or_else(|| io::Error::other("an offer that is too long"))?,
        pieces: pieces.to_vec(),
        file: None,
        fresh: false,
    })
}

fn check_offer(offer: &Offer) -> io::Result<()> {
    for piece in offer.artifact.iter().chain(&offer.sidecar) {
        let sound = match &piece.source {
            PieceSource::Inline(bytes) => bytes.len() as u64 == piece.len,
            PieceSource::Stored { .. } => piece.len > 0 && piece.len <= MAX_PIECE,
            PieceSource::Runner { offset } => offset.checked_add(piece.len).is_some(),
        };
        if !sound {
            return Err(io::Error::other("an offer with an unsound piece"));
        }
    }
    Ok(())
}

/// A place for an artifact, locked: that of the whole one, shared, or one to put it together in, for this session alone;
/// and whether it is whole. A session that puts the same one together now is waited for, not its run: its folder is
/// renamed under the lock that others wait for.
fn take_place(whole: &Path, part: &Path) -> io::Result<(File, bool)> {
    loop {
        if whole.join(FILE_NAMES[0]).exists() {
            return Ok((lock_folder(whole, false)?, true));
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(part)?;
        let lock = File::open(part)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                let same = fs::metadata(part)
                    .is_ok_and(|now| lock.metadata().is_ok_and(|m| m.ino() == now.ino()));
                if same {
                    return Ok((lock, false));
                }
            }
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                std::thread::sleep(WAIT);
            }
            Err(e) => return Err(e.into()),
        }
    }
}

fn lock_folder(folder: &Path, exclusive: bool) -> io::Result<File> {
    let lock = File::open(folder)?;
    let how = if exclusive {
        FlockOperation::LockExclusive
    } else {
        FlockOperation::LockShared
    };
    rustix::fs::flock(&lock, how)?;
    Ok(lock)
}

fn read_range(file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let len = usize::try_from(len).map_err(io::Error::other)?;
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, b| {
        let _ = write!(out, "{b:02x}");
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(bytes: &[u8]) -> Piece {
        Piece {
            len: bytes.len() as u64,
            source: PieceSource::Stored {
                digest: FrameRecord::digest_of(bytes),
            },
        }
    }

    fn offer(root: u8, pieces: Vec<Piece>) -> Offer {
        Offer {
            version: 1,
            root: [root; 32],
            artifact: pieces,
            sidecar: Vec::new(),
            cache_limit: 0,
        }
    }

    #[test]
    fn only_the_difference_is_asked_for_and_a_broken_transfer_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let runner_path = dir.path().join("runner");
        fs::write(&runner_path, b"RUNNER").unwrap();
        let runner = File::open(&runner_path).unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let head = Piece {
            len: 3,
            source: PieceSource::Runner { offset: 1 },
        };
        let inline = Piece {
            len: 2,
            source: PieceSource::Inline(b"--".to_vec()),
        };
        let first = offer(
            1,
            vec![head.clone(), inline.clone(), stored(b"one"), stored(b"two")],
        );
        let mut a = cache.assemble(&first, &runner).unwrap();
        assert_eq!(a.missing(), [(0, 2), (0, 3)]);
        assert!(a.take(0, 2, b"onX").is_err());
        a.take(0, 2, b"one").unwrap();
        drop(a);
        // The connection is lost here.
        let mut a = cache.assemble(&first, &runner).unwrap();
        assert_eq!(a.missing(), [(0, 3)]);
        a.take(0, 3, b"two").unwrap();
        let (path, sidecar) = a.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"UNN--onetwo");
        assert!(sidecar.is_none());
        drop(a);

        let second = offer(2, vec![head, inline, stored(b"two"), stored(b"three")]);
        let mut b = cache.assemble(&second, &runner).unwrap();
        assert_eq!(b.missing(), [(0, 3)]);
        b.take(0, 3, b"three").unwrap();
        let (path2, _) = b.finish().unwrap();
        assert_eq!(fs::read(&path2).unwrap(), b"UNN--twothree");

        // A flipped byte in the cache is found and asked for again.
        let mut damaged = fs::read(&path).unwrap();
        damaged[5] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_eq!(cache.assemble(&first, &runner).unwrap().missing(), [(0, 2)]);

        // What is in use stays, the rest goes.
        cache.trim(0);
        assert!(path2.exists() && !path.exists());
    }

    #[test]
    fn an_unsound_offer_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let runner = File::open(dir.path()).unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let huge = Piece {
            len: MAX_PIECE + 1,
            source: PieceSource::Stored { digest: [0; 32] },
        };
        assert!(cache.assemble(&offer(1, vec![huge]), &runner).is_err());
    }
}
