//! Finding the payload from the slot, and the end of the file from the payload.

use super::header::Header;
use super::slot::{Placement, SLOT_LEN, Slot};
use super::{ArtifactError, PAYLOAD_SECTION, ReadAt, section};

/// Finds the payload's header: where the slot says, or, when that is not it, in the section that `strip` may have moved.
pub(crate) fn find_payload<R: ReadAt>(
    file: &R,
    slot: &Slot,
) -> Result<(u64, [u8; Header::LEN]), ArtifactError> {
    let mut bytes = [0; Header::LEN];
    let mut read = |at: u64| match file.read_exact_at(&mut bytes, at) {
        Ok(()) => Ok(bytes[..8] == Header::MAGIC),
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(e) => Err(ArtifactError::Io(e)),
    };
    if read(slot.payload_offset)? {
        return Ok((slot.payload_offset, bytes));
    }
    if slot.placement == Placement::ElfSection
        && let Some(found) = section(file, PAYLOAD_SECTION)?
        && found.len == slot.payload_len
        && read(found.offset)?
    {
        return Ok((found.offset, bytes));
    }
    Err(ArtifactError::PayloadMissing)
}

/// The footer must repeat the slot, directly behind payload and overlay, as the file's last bytes.
pub(crate) fn check_footer<R: ReadAt>(
    file: &R,
    slot: &Slot,
    size: u64,
) -> Result<(), ArtifactError> {
    match slot.end().checked_add(SLOT_LEN as u64) {
        Some(end) if end == size => {}
        Some(end) if end < size => return Err(ArtifactError::malformed("bytes after the footer")),
        _ => return Err(ArtifactError::PayloadMissing),
    }
    let mut bytes = [0; SLOT_LEN];
    file.read_exact_at(&mut bytes, slot.end())?;
    if bytes != slot.encode_footer() {
        return Err(ArtifactError::damaged("slot and footer differ"));
    }
    Ok(())
}
