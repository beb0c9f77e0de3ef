//! The slot: where a runner keeps the place of its payload.
//!
//! It is a fixed-size field inside the runner's own bytes, empty when the runner is built and patched when something is
//! packed. A runner reads its own copy in memory; other programs find it through the section table. Where the payload is
//! appended, a footer repeats it as the last bytes of the file, for runners whose section table is gone or unknown.

use super::wire::Reader;
use super::{ArtifactError, PAGE};

/// The length of a slot, and of a footer, in bytes.
pub const SLOT_LEN: usize = 128;

const SLOT_MARKER: [u8; 16] = *b"\x7fRUSTLE\x01SLOT\r\n\x1a\n";
const FOOTER_MARKER: [u8; 16] = *b"\x7fRUSTLE\x01FOOT\r\n\x1a\n";
const STATE_EMPTY: u32 = 0;
const STATE_PACKED: u32 = 1;

/// A slot into which nothing was packed: what a runner carries in the section `.rustle.slot` (`SLOT_SECTION`).
pub const EMPTY_SLOT: [u8; SLOT_LEN] = {
    let mut bytes = [0; SLOT_LEN];
    let mut i = 0;
    while i < SLOT_MARKER.len() {
        bytes[i] = SLOT_MARKER[i];
        i += 1;
    }
    bytes
};

/// How the payload is joined to the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Placement {
    /// After the runner's last byte, with a footer behind it.
    Append,
    /// In a section of an ELF file that is not loaded. It survives `strip`.
    ElfSection,
}

impl Placement {
    /// The number that stands for it in slot and header.
    pub fn code(self) -> u32 {
        match self {
            Self::Append => 1,
            Self::ElfSection => 2,
        }
    }

    pub(crate) fn from_code(code: u32) -> Result<Self, ArtifactError> {
        match code {
            1 => Ok(Self::Append),
            2 => Ok(Self::ElfSection),
            other => Err(ArtifactError::Unsupported(
                format!("placement {other}").into(),
            )),
        }
    }
}

/// The decoded form of a slot that names a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// How the payload is placed.
    pub placement: Placement,
    /// Where the payload begins, in bytes from the file's start; a multiple of [`PAGE`].
    pub payload_offset: u64,
    /// The payload's length in bytes.
    pub payload_len: u64,
    /// The root: the digest of the payload's header.
    pub root: [u8; 32],
    /// Where the overlay begins; 0 without one.
    pub overlay_offset: u64,
    /// The overlay's length in bytes; 0 without one.
    pub overlay_len: u64,
    /// The overlay's digest; zeros without one.
    pub overlay_digest: [u8; 32],
    /// Where this slot itself lies in the file.
    pub slot_offset: u64,
}

impl Slot {
    /// Reads the bytes of a slot.
    ///
    /// # Errors
    /// [`ArtifactError::Empty`] for the slot of a bare runner, [`ArtifactError::NotAnArtifact`] without the marker, and
    /// otherwise what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        Self::decode_marked(bytes, &SLOT_MARKER)
    }

    /// Reads the bytes of a footer, which differ from the slot's in the marker only.
    ///
    /// # Errors
    /// As for [`Slot::decode`].
    pub fn decode_footer(bytes: &[u8]) -> Result<Self, ArtifactError> {
        Self::decode_marked(bytes, &FOOTER_MARKER)
    }

    fn decode_marked(bytes: &[u8], marker: &[u8; 16]) -> Result<Self, ArtifactError> {
        if bytes.len() != SLOT_LEN || bytes[..16] != marker[..] {
            return Err(ArtifactError::NotAnArtifact);
        }
        if marker == &SLOT_MARKER && bytes == EMPTY_SLOT {
            return Err(ArtifactError::Empty);
        }
        let mut reader = Reader::new(&bytes[16..]);
        match reader.u32()? {
            STATE_PACKED => {}
            STATE_EMPTY => return Err(ArtifactError::malformed("an empty slot with values in it")),
            other => {
                return Err(ArtifactError::Unsupported(
                    format!("slot state {other}").into(),
                ));
            }
        }
        let slot = Self {
            placement: Placement::from_code(reader.u32()?)?,
            payload_offset: reader.u64()?,
            payload_len: reader.u64()?,
            root: reader.array()?,
            overlay_offset: reader.u64()?,
            overlay_len: reader.u64()?,
            overlay_digest: reader.array()?,
            slot_offset: reader.u64()?,
        };
        reader.finish("a slot of the wrong length")?;
        slot.check()?;
        Ok(slot)
    }

    fn check(&self) -> Result<(), ArtifactError> {
        let bad = |what: &'static str| Err(ArtifactError::malformed(what));
        if !self.payload_offset.is_multiple_of(PAGE) || self.payload_offset == 0 {
            return bad("the payload does not begin on a page");
        }
        let Some(end) = self.payload_offset.checked_add(self.payload_len) else {
            return bad("the payload's end is out of range");
        };
        if self
            .slot_offset
            .checked_add(SLOT_LEN as u64)
            .is_none_or(|e| e > self.payload_offset)
        {
            return bad("the slot lies outside the runner");
        }
        if self.overlay_len == 0 {
            if self.overlay_offset != 0 || self.overlay_digest != [0; 32] {
                return bad("an overlay without length");
            }
        } else if self.overlay_len > super::MAX_OVERLAY {
            return bad("the overlay is too long");
        } else if self.overlay_offset != end {
            return bad("the overlay does not follow the payload");
        }
        Ok(())
    }

    /// Where payload and overlay end, in bytes from the file's start.
    pub fn end(&self) -> u64 {
        self.payload_offset
            .saturating_add(self.payload_len)
            .saturating_add(self.overlay_len)
    }

    /// The bytes of the slot.
    pub fn encode(&self) -> [u8; SLOT_LEN] {
        self.encode_marked(&SLOT_MARKER)
    }

    /// The bytes of the footer that mirrors it.
    pub fn encode_footer(&self) -> [u8; SLOT_LEN] {
        self.encode_marked(&FOOTER_MARKER)
    }

    fn encode_marked(&self, marker: &[u8; 16]) -> [u8; SLOT_LEN] {
        let mut out = [0; SLOT_LEN];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            out[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(marker);
        put(&STATE_PACKED.to_le_bytes());
        put(&self.placement.code().to_le_bytes());
        put(&self.payload_offset.to_le_bytes());
        put(&self.payload_len.to_le_bytes());
        put(&self.root);
        put(&self.overlay_offset.to_le_bytes());
        put(&self.overlay_len.to_le_bytes());
        put(&self.overlay_digest);
        put(&self.slot_offset.to_le_bytes());
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Slot {
        Slot {
            placement: Placement::Append,
            payload_offset: 8192,
            payload_len: 5000,
            root: [7; 32],
            overlay_offset: 13192,
            overlay_len: 9,
            overlay_digest: [8; 32],
            slot_offset: 64,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let slot = sample();
        assert_eq!(Slot::decode(&slot.encode()).unwrap(), slot);
        assert_eq!(Slot::decode_footer(&slot.encode_footer()).unwrap(), slot);
        assert!(Slot::decode(&slot.encode_footer()).is_err());
    }

    #[test]
    fn a_bare_runner_is_told_apart() {
        assert!(matches!(
            Slot::decode(&EMPTY_SLOT),
            Err(ArtifactError::Empty)
        ));
        assert!(matches!(
            Slot::decode(&[0; SLOT_LEN]),
            Err(ArtifactError::NotAnArtifact)
        ));
        let mut bytes = EMPTY_SLOT;
        bytes[100] = 1;
        assert!(matches!(
            Slot::decode(&bytes),
            Err(ArtifactError::Malformed(_))
        ));
    }
}
