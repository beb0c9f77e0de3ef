//! Joining a payload to a runner: what stands before it in the file, and what is patched when its length is known.
//!
//! Appending works for every executable that tolerates bytes behind it. An injected payload lies in an ELF section that is not
//! loaded, and so survives `strip`. Its section table is written in front of it, for two reasons: nothing but the overlay follows the
//! payload, and the payload's length need not be known (nor the payload be in memory) when writing begins.

use rustle_formats::artifact::{EMPTY_SLOT, PAGE, Placement, SLOT_SECTION, Slot, section};

use crate::PackError;
use crate::inject;

/// Everything before the payload, and where to patch it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The file's bytes up to the payload: a whole number of pages.
    pub(crate) prefix: Vec<u8>,
    /// Where the slot lies in it.
    pub(crate) slot_offset: u64,
    pub(crate) placement: Placement,
}

impl Layout {
    /// Prepares `stub` for a payload.
    pub(crate) fn new(stub: &[u8], placement: Placement) -> Result<Self, PackError> {
        let slot_offset = find_empty_slot(stub)?;
        let mut prefix = match placement {
            Placement::Append => stub.to_vec(),
            Placement::ElfSection => inject::with_sections(stub)?,
        };
        let page = PAGE as usize;
        prefix.resize(prefix.len().next_multiple_of(page), 0);
        let mut layout = Self {
            prefix,
            slot_offset,
            placement,
        };
        // The payload's place is known only now that its section header is there.
        layout.set_lengths(0, 0)?;
        Ok(layout)
    }

    pub(crate) fn payload_offset(&self) -> u64 {
        self.prefix.len() as u64
    }

    /// Writes the lengths of payload and overlay into the section headers, if there are any.
    pub(crate) fn set_lengths(&mut self, payload: u64, overlay: u64) -> Result<(), PackError> {
        match self.placement {
            Placement::Append => Ok(()),
            Placement::ElfSection => {
                let offset = self.payload_offset();
                inject::set_places(
                    &mut self.prefix,
                    (offset, payload),
                    (offset + payload, overlay),
                )
            }
        }
    }

    pub(crate) fn set_slot(&mut self, slot: &Slot) {
        let at = self.slot_offset as usize;
        self.prefix[at..at + EMPTY_SLOT.len()].copy_from_slice(&slot.encode());
    }
}

/// Where the empty slot of a runner lies.
pub(crate) fn find_empty_slot(stub: &[u8]) -> Result<u64, PackError> {
    let wrong = |what: &str| PackError::Stub(what.to_owned());
    let found = section(stub, SLOT_SECTION).map_err(|e| PackError::Stub(e.to_string()))?;
    let found = found.ok_or_else(|| wrong("it has no section .rustle.slot"))?;
    let start =
        usize::try_from(found.offset).map_err(|_| wrong("its slot lies outside the file"))?;
    let bytes = start
        .checked_add(EMPTY_SLOT.len())
        .and_then(|end| stub.get(start..end));
    let bytes = bytes.ok_or_else(|| wrong("its slot lies outside the file"))?;
    if found.len != EMPTY_SLOT.len() as u64 || bytes[..16] != EMPTY_SLOT[..16] {
        return Err(wrong("its slot is of another version"));
    }
    if bytes != EMPTY_SLOT {
        return Err(wrong("something was packed into it already"));
    }
    Ok(found.offset)
}
