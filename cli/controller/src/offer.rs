//! An artifact as an offer: the row of pieces from which a host puts it together, and the runner that does it.
//!
//! The runner is the artifact's own: the bytes before the payload, with an empty slot. So a host gets the stub once,
//! whatever is packed behind it, and the frames by themselves.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustle_formats::artifact::{ArtifactError, Container, EMPTY_SLOT, FrameRecord, SLOT_LEN};
use rustle_formats::session::{Offer, Piece, PieceSource, SESSION_VERSION};

/// Bytes that are no frame are sent with the offer up to this length; what is longer is a stored piece.
const MAX_INLINE: u64 = 16 << 10;
/// The length of stored pieces that are not frames.
const PIECE: u64 = 1 << 20;
/// The longest runner: stubs have 4 MiB; a damaged slot must not make us read a whole disk.
const MAX_RUNNER: u64 = 64 << 20;

/// An artifact that is ready to be pushed.
pub struct PushArtifact {
    files: [Option<File>; 2],
    /// The pieces.
    pub offer: Offer,
    /// The runner's bytes.
    pub runner: Vec<u8>,
    /// BLAKE3 of the runner's bytes.
    pub runner_digest: [u8; 32],
    /// The triple that it runs on.
    pub target: String,
    /// The length of artifact and sidecar in bytes.
    pub total: u64,
}

impl PushArtifact {
    /// Opens an artifact and describes it. Its header and tables are checked; call the packer's verification first
    /// where every byte is to be checked.
    ///
    /// # Errors
    /// Where it is no sound artifact, or its sidecar is missing.
    pub fn open(path: &Path, cache_limit: u64) -> Result<PushArtifact, ArtifactError> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let container = Container::open_file(file.try_clone()?)?;
        let slot = *container.slot();
        let before = slot.payload_offset;
        if before > MAX_RUNNER {
            return Err(ArtifactError::Malformed("the runner is too long".into()));
        }
        let mut runner = vec![0; before as usize];
        file.read_exact_at(&mut runner, 0)?;
        let at = slot.slot_offset as usize;
        let slot_bytes = runner
            .get(at..at + SLOT_LEN)
            .ok_or_else(|| ArtifactError::Malformed("the slot lies outside the runner".into()))?
            .to_vec();
        runner[at..at + SLOT_LEN].copy_from_slice(&EMPTY_SLOT);

        let mut frames: [Vec<(u64, FrameRecord)>; 2] = [Vec::new(), Vec::new()];
        for index in 0..container.frame_count() {
            if let Some(info) = container.frame(index) {
                frames[usize::from(info.in_sidecar)].push((info.offset, info.record));
            }
        }
        let mut artifact = vec![
            Piece {
                len: slot.slot_offset,
                source: PieceSource::Runner { offset: 0 },
            },
            Piece {
                len: SLOT_LEN as u64,
                source: PieceSource::Inline(slot_bytes),
            },
            Piece {
                len: before - slot.slot_offset - SLOT_LEN as u64,
                source: PieceSource::Runner {
                    offset: slot.slot_offset + SLOT_LEN as u64,
                },
            },
        ];
        pieces(&file, before, size, &frames[0], &mut artifact)?;
        let (sidecar_file, sidecar) = sidecar(path, &container, &frames[1])?;
        let sidecar_len = sidecar.iter().map(|p| p.len).sum::<u64>();
        Ok(PushArtifact {
            files: [Some(file), sidecar_file],
            runner_digest: *blake3::hash(&runner).as_bytes(),
            runner,
            target: container.manifest().target.clone(),
            total: size + sidecar_len,
            offer: Offer {
                version: SESSION_VERSION,
                root: container.root(),
                artifact,
                sidecar,
                cache_limit,
            },
        })
    }

    /// Reads part of a piece.
    ///
    /// # Errors
    /// Where the host asks for what was not offered, or the file cannot be read.
    pub fn read(&self, file: u8, piece: u32, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let wrong = || io::Error::other("the host asks for a piece that was not offered");
        let pieces = match file {
            0 => &self.offer.artifact,
            1 => &self.offer.sidecar,
            _ => return Err(wrong()),
        };
        let described = pieces.get(piece as usize).ok_or_else(wrong)?;
        let start: u64 = pieces[..piece as usize].iter().map(|p| p.len).sum();
        let left = described.len.checked_sub(offset).ok_or_else(wrong)?;
        let mut bytes = vec![0; most.min(usize::try_from(left).unwrap_or(most))];
        self.files[usize::from(file)]
            .as_ref()
            .ok_or_else(wrong)?
            .read_exact_at(&mut bytes, start + offset)?;
        Ok(bytes)
    }
}

/// The sidecar's path: beside the artifact.
fn sidecar_path(artifact: &Path) -> PathBuf {
    let mut name = artifact.as_os_str().to_owned();
    name.push(".rustle-data");
    PathBuf::from(name)
}

fn sidecar(
    path: &Path,
    container: &Container<File>,
    frames: &[(u64, FrameRecord)],
) -> Result<(Option<File>, Vec<Piece>), ArtifactError> {
    if !container.lacks_sidecar() {
        return Ok((None, Vec::new()));
    }
    let file = File::open(sidecar_path(path)).map_err(|_| ArtifactError::SidecarMissing)?;
    let size = file.metadata()?.len();
    let mut out = Vec::new();
    pieces(&file, 0, size, frames, &mut out)?;
    Ok((Some(file), out))
}

/// Describes the bytes from `from` to `size`: frames by their digests, what lies between by its content.
fn pieces(
    file: &File,
    from: u64,
    size: u64,
    frames: &[(u64, FrameRecord)],
    out: &mut Vec<Piece>,
) -> Result<(), ArtifactError> {
    let mut at = from;
    let mut sorted: Vec<_> = frames.to_vec();
    sorted.sort_by_key(|(offset, _)| *offset);
    for (offset, record) in sorted {
        if offset < at || offset + u64::from(record.stored_len) > size {
            return Err(ArtifactError::Malformed("the frames overlap".into()));
        }
        between(file, at, offset, out)?;
        out.push(Piece {
            len: u64::from(record.stored_len),
            source: PieceSource::Stored {
                digest: record.digest,
            },
        });
        at = offset + u64::from(record.stored_len);
    }
    between(file, at, size, out)
}

fn between(file: &File, from: u64, to: u64, out: &mut Vec<Piece>) -> Result<(), ArtifactError> {
    let inline = to - from <= MAX_INLINE;
    let mut at = from;
    while at < to {
        let len = (to - at).min(PIECE);
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, at)?;
        out.push(Piece {
            len,
            source: if inline {
                PieceSource::Inline(bytes)
            } else {
                PieceSource::Stored {
                    digest: FrameRecord::digest_of(&bytes),
                }
            },
        });
        at += len;
    }
    Ok(())
}
