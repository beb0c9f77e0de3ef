//! An artifact as a row of pieces, each with a digest, so that a host fetches only those that it lacks.

use serde::{Deserialize, Serialize};

/// A run of bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Piece {
    /// Its length in bytes.
    pub len: u64,
    /// Where its bytes come from.
    pub source: PieceSource,
}

/// Where a piece's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PieceSource {
    /// The runner's own file, from this offset: the stub is on the host already.
    Runner {
        /// The offset in the runner's file.
        offset: u64,
    },
    /// The offer itself: too small to be worth a question.
    Inline(Vec<u8>),
    /// The cache, or the controller where the cache lacks it.
    Stored {
        /// BLAKE3 of the bytes.
        digest: [u8; 32],
    },
}

impl Piece {
    /// The offsets at which pieces begin, and the whole length; `None` where it does not fit 64 bits.
    pub fn offsets(pieces: &[Piece]) -> Option<Vec<u64>> {
        let mut out = Vec::with_capacity(pieces.len() + 1);
        let mut at = 0u64;
        for piece in pieces {
            out.push(at);
            at = at.checked_add(piece.len)?;
        }
        out.push(at);
        Some(out)
    }
}
