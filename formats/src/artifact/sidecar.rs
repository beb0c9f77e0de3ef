//! The sidecar: a file beside the artifact that holds the data frames when they are too many to carry inside.
//!
//! Its header holds nothing that the artifact does not say too; it is there so that a wrong file is told from a damaged
//! one. The frames follow it without gaps.

use super::header::Header;
use super::{ArtifactError, FORMAT_VERSION, ReadAt};

/// The length of the sidecar's header in bytes.
pub const SIDECAR_HEADER_LEN: usize = 64;

const MAGIC: [u8; 8] = *b"RUSTLEDT";

/// The header of the sidecar that belongs to a frame table of digest `table_digest`; `len` is the sidecar's whole length.
pub fn sidecar_header(table_digest: &[u8; 32], len: u64) -> [u8; SIDECAR_HEADER_LEN] {
    let mut out = [0; SIDECAR_HEADER_LEN];
    out[..8].copy_from_slice(&MAGIC);
    out[8..12].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    out[16..24].copy_from_slice(&len.to_le_bytes());
    out[24..56].copy_from_slice(table_digest);
    out
}

/// Checks that `file` is the sidecar that `header` speaks of: its own header and its length, not its frames.
pub(crate) fn check_sidecar(file: &dyn ReadAt, header: &Header) -> Result<(), ArtifactError> {
    if file.size()? != header.sidecar_len {
        return Err(ArtifactError::damaged(
            "the sidecar does not have its length",
        ));
    }
    let mut bytes = [0; SIDECAR_HEADER_LEN];
    file.read_exact_at(&mut bytes, 0)?;
    if bytes != sidecar_header(&header.table_digest, header.sidecar_len) {
        return Err(ArtifactError::damaged(
            "the sidecar belongs to another artifact",
        ));
    }
    Ok(())
}
