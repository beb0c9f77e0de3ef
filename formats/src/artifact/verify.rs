//! Checking everything: each byte of the file falls under exactly one rule, and every rule is applied here.
//!
//! The runner's bytes and the padding are covered by the outside digest, the slot by its mirror and by what it points at, the
//! header by the root, everything else in the payload by the frame table. FORMAT.md has the list.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU32, Ordering};

use super::container::{Container, FrameScratch};
use super::index::{Entry, Kind, chunk_value, merge_chunk_values};
use super::slot::{Placement, SLOT_LEN, Slot};
use super::{
    ArtifactError, OVERLAY_SECTION, PAYLOAD_SECTION, ReadAt, SLOT_SECTION, context, digest_in,
    section,
};

/// The digest of an overlay's bytes, as the slot holds it.
pub fn overlay_digest(bytes: &[u8]) -> [u8; 32] {
    digest_in(context::OVERLAY, bytes)
}

/// What the outside digest covers: ranges of the file in order, as (offset, length).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outside {
    /// Where the slot lies; part of the digest.
    pub slot_offset: u64,
    /// The ranges.
    pub ranges: Vec<(u64, u64)>,
}

impl Outside {
    /// How many bytes the ranges have together.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|r| r.1).sum()
    }

    /// Whether nothing is covered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which bytes lie outside slot, payload, overlay and footer, for a payload that begins at `payload_offset`. For an injected one,
/// the two fields of the overlay's section header are left out as well: they must equal what the slot says.
///
/// # Errors
/// When the file's section table cannot be read, or the slot does not lie in front of the payload.
pub fn outside_ranges<R: ReadAt + ?Sized>(
    file: &R,
    placement: Placement,
    slot_offset: u64,
    payload_offset: u64,
) -> Result<Outside, ArtifactError> {
    let mut holes = vec![(slot_offset, SLOT_LEN as u64)];
    if placement == Placement::ElfSection {
        let overlay = section(file, OVERLAY_SECTION)?;
        let overlay =
            overlay.ok_or_else(|| ArtifactError::malformed("no section for the overlay"))?;
        holes.push((overlay.place_field, overlay.place_len));
    }
    crate::order::sort(&mut holes);
    let mut ranges = Vec::with_capacity(3);
    let mut at = 0;
    for (start, len) in holes {
        let end = start
            .checked_add(len)
            .filter(|&end| start >= at && end <= payload_offset);
        let end =
            end.ok_or_else(|| ArtifactError::malformed("the slot lies outside the runner"))?;
        ranges.push((at, start - at));
        at = end;
    }
    ranges.push((at, payload_offset - at));
    Ok(Outside {
        slot_offset,
        ranges,
    })
}

/// The digest of the file's bytes outside slot, payload, overlay and footer.
///
/// # Errors
/// When the file cannot be read.
pub fn outside_digest<R: ReadAt + ?Sized>(
    file: &R,
    outside: &Outside,
) -> Result<[u8; 32], ArtifactError> {
    let mut hasher = blake3::Hasher::new_derive_key(context::OUTSIDE);
    hasher.update(&outside.slot_offset.to_le_bytes());
    let mut buffer = vec![0; 1 << 16];
    for &(start, len) in &outside.ranges {
        let mut at = start;
        let mut left = len;
        while left > 0 {
            let now = left.min(buffer.len() as u64) as usize;
            file.read_exact_at(&mut buffer[..now], at)?;
            hasher.update(&buffer[..now]);
            at += now as u64;
            left -= now as u64;
        }
    }
    Ok(*hasher.finalize().as_bytes())
}

/// A chunk to check when its frame is at hand.
struct Piece {
    frame: u32,
    offset: u32,
    len: u32,
    /// Where the chunk lies in its file, for chunks of several; the digest is then a chaining value.
    part: Option<u64>,
    digest: [u8; 32],
}

impl<R: ReadAt> Container<R> {
    /// Checks every byte of the artifact and its sidecar with `threads` threads (at least one), and that the tree that its assets
    /// form can be unpacked. Executes nothing. The signature is checked elsewhere, over [`Container::root`].
    ///
    /// # Errors
    /// What is wrong first.
    pub fn verify_all(&self, threads: usize) -> Result<(), ArtifactError> {
        self.verify_outside()?;
        self.attached_overlay()?;
        if self.lacks_sidecar() {
            return Err(ArtifactError::SidecarMissing);
        }
        let mut pieces = self.collect_pieces()?;
        crate::order::sort_by_key(&mut pieces, |p| (p.frame, p.offset, p.len));
        self.verify_frames(&pieces, threads.max(1))?;
        let plan = self.plan()?;
        let manifest = self.manifest();
        if plan.tasks().count() as u64 != manifest.tasks {
            return Err(ArtifactError::malformed("the manifest miscounts the tasks"));
        }
        Ok(())
    }

    /// Checks all that lies around the payload: file length, slot, footer, section headers, and the runner's bytes.
    ///
    /// # Errors
    /// What is wrong first.
    pub fn verify_outside(&self) -> Result<(), ArtifactError> {
        let slot = self.slot();
        let moved = || ArtifactError::damaged("the file was rewritten after packing (stripped?)");
        if self.payload_at() != slot.payload_offset {
            return Err(moved());
        }
        let mut bytes = [0; SLOT_LEN];
        self.file().read_exact_at(&mut bytes, slot.slot_offset)?;
        if bytes != slot.encode() {
            return Err(ArtifactError::damaged("the slot is not where it should be"));
        }
        let found = section(self.file(), SLOT_SECTION)?;
        if found.is_some_and(|s| s.offset != slot.slot_offset) {
            return Err(moved());
        }
        if slot.placement == Placement::ElfSection {
            self.verify_sections(slot)?;
        }
        let outside = outside_ranges(
            self.file(),
            slot.placement,
            slot.slot_offset,
            slot.payload_offset,
        )?;
        if outside.len() != self.header().outside_len {
            return Err(ArtifactError::damaged(
                "the runner does not have its length",
            ));
        }
        if outside_digest(self.file(), &outside)? != self.header().outside_digest {
            return Err(ArtifactError::damaged(
                "the runner does not have its digest",
            ));
        }
        Ok(())
    }

    fn verify_sections(&self, slot: &Slot) -> Result<(), ArtifactError> {
        let end = slot.payload_offset.saturating_add(slot.payload_len);
        let payload = section(self.file(), PAYLOAD_SECTION)?;
        let overlay = section(self.file(), OVERLAY_SECTION)?;
        if payload.is_none_or(|s| (s.offset, s.len) != (slot.payload_offset, slot.payload_len))
            || overlay.is_none_or(|s| (s.offset, s.len) != (end, slot.overlay_len))
        {
            return Err(ArtifactError::malformed(
                "slot and section headers disagree",
            ));
        }
        if self.file().size()? != slot.end() {
            return Err(ArtifactError::malformed("bytes after the payload"));
        }
        Ok(())
    }

    /// Reads the whole index, checks the shape of the tree and the counts, and lists the chunks to be checked.
    fn collect_pieces(&self) -> Result<Vec<Piece>, ArtifactError> {
        let mut pieces = Vec::new();
        let (mut files, mut bytes) = (0u64, 0u64);
        let mut parent: Vec<u8> = Vec::new();
        for page in 0..self.page_count() {
            for entry in self.page(page)?.iter() {
                self.check_parents(entry, &mut parent)?;
                match &entry.kind {
                    Kind::Hardlink { .. } => {
                        self.resolve(entry.clone())?;
                    }
                    Kind::File { size, .. } => {
                        files += 1;
                        bytes = bytes
                            .checked_add(*size)
                            .ok_or(ArtifactError::malformed("sizes out of range"))?;
                        push_pieces(entry, &mut pieces)?;
                    }
                    Kind::Dir | Kind::Symlink { .. } => {}
                }
            }
        }
        if files != self.manifest().files || bytes != self.manifest().total_bytes {
            return Err(ArtifactError::malformed(
                "the manifest miscounts the assets",
            ));
        }
        Ok(pieces)
    }

    /// No ancestor of an asset may be anything but a folder. `last` remembers the parent that was checked last.
    fn check_parents(&self, entry: &Entry, last: &mut Vec<u8>) -> Result<(), ArtifactError> {
        let Some(cut) = entry.path.iter().rposition(|&b| b == b'/') else {
            return Ok(());
        };
        if *last == entry.path[..cut] {
            return Ok(());
        }
        let slashes = entry
            .path
            .iter()
            .enumerate()
            .filter(|(_, b)| **b == b'/')
            .map(|(i, _)| i);
        for at in slashes {
            if self
                .find(&entry.path[..at])?
                .is_some_and(|parent| parent.kind != Kind::Dir)
            {
                return Err(ArtifactError::malformed(
                    "an asset lies below one that is no folder",
                ));
            }
        }
        *last = entry.path[..cut].to_vec();
        Ok(())
    }

    fn verify_frames(&self, pieces: &[Piece], threads: usize) -> Result<(), ArtifactError> {
        let next = AtomicU32::new(0);
        let failure: Mutex<Option<(u32, ArtifactError)>> = Mutex::new(None);
        let work = || {
            let mut scratch = FrameScratch::default();
            loop {
                let frame = next.fetch_add(1, Ordering::Relaxed);
                if frame >= self.frame_count() {
                    return;
                }
                if let Err(error) = self.verify_frame(frame, pieces, &mut scratch) {
                    let mut worst = failure.lock().unwrap_or_else(PoisonError::into_inner);
                    if worst.as_ref().is_none_or(|(at, _)| frame < *at) {
                        *worst = Some((frame, error));
                    }
                    next.store(u32::MAX / 2, Ordering::Relaxed);
                    return;
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads {
                scope.spawn(work);
            }
            work();
        });
        match failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }

    fn verify_frame(
        &self,
        frame: u32,
        pieces: &[Piece],
        scratch: &mut FrameScratch,
    ) -> Result<(), ArtifactError> {
        let plain = self.read_frame_into(frame, scratch)?;
        if frame >= self.header().data_frames {
            return Ok(());
        }
        let first = pieces.partition_point(|p| p.frame < frame);
        let mut covered = (0, 0);
        for piece in pieces[first..].iter().take_while(|p| p.frame == frame) {
            // Chunks either are the same bytes or follow each other: together they fill the frame.
            if (piece.offset, piece.len) != covered {
                if piece.offset != covered.0 + covered.1 {
                    return Err(ArtifactError::malformed(
                        "assets do not fill their frame, or overlap",
                    ));
                }
                covered = (piece.offset, piece.len);
            }
            let start = piece.offset as usize;
            let bytes = plain.get(start..start + piece.len as usize);
            let bytes = bytes.ok_or(ArtifactError::malformed(
                "an asset's content lies outside its frame",
            ))?;
            let digest = match piece.part {
                None => *blake3::hash(bytes).as_bytes(),
                Some(at) => chunk_value(bytes, at),
            };
            if digest != piece.digest {
                return Err(ArtifactError::Damaged(
                    format!("an asset in frame {frame} does not have its digest").into(),
                ));
            }
        }
        if u64::from(covered.0) + u64::from(covered.1) != plain.len() as u64 {
            return Err(ArtifactError::malformed("assets do not fill their frame"));
        }
        Ok(())
    }
}

/// Lists the chunks of a file; checks those that are not stored, and that the chunks' values give the file's digest.
fn push_pieces(entry: &Entry, pieces: &mut Vec<Piece>) -> Result<(), ArtifactError> {
    let Kind::File {
        size,
        digest,
        chunk_log,
        chunks,
    } = &entry.kind
    else {
        return Ok(());
    };
    let several = *chunk_log != 0;
    let mut at = 0u64;
    for chunk in chunks {
        let part = several.then_some(at);
        match chunk.frame {
            Some(frame) => pieces.push(Piece {
                frame,
                offset: chunk.offset,
                len: chunk.len,
                part,
                digest: if several { chunk.value } else { *digest },
            }),
            None if chunk_value(&vec![0; chunk.len as usize], at) != chunk.value => {
                return Err(ArtifactError::damaged(
                    "an asset's zeros do not have their digest",
                ));
            }
            None => {}
        }
        at += u64::from(chunk.len);
    }
    if several {
        let values: Vec<[u8; 32]> = chunks.iter().map(|c| c.value).collect();
        if merge_chunk_values(*size, *chunk_log, &values) != Some(*digest) {
            return Err(ArtifactError::damaged(
                "an asset's chunks do not give its digest",
            ));
        }
    }
    Ok(())
}
