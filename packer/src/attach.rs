//! Giving a finished base the overlay of one host: the base's bytes stay, so that hosts share them.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use rustle_formats::artifact::{Container, Placement};

use crate::output::Output;
use crate::pack::put_overlay;
use crate::place::Layout;
use crate::{PackError, sidecar_path};

/// Writes to `output` the artifact at `base` with `overlay` in place of whatever overlay it had. A sidecar is linked or copied along.
///
/// # Errors
/// When the base is damaged, the overlay too long or empty, or the output cannot be written.
pub fn attach_overlay(base: &Path, overlay: &[u8], output: &Path) -> Result<(), PackError> {
    let file = Arc::new(File::open(base).map_err(PackError::io("open", base))?);
    let container = Container::open_file(Arc::clone(&file)).map_err(PackError::artifact(base))?;
    container
        .verify_outside()
        .map_err(PackError::artifact(base))?;
    let mut slot = *container.slot();
    slot.overlay_len = 0;
    put_overlay(&mut slot, overlay)?;
    let mut prefix = vec![0; slot.payload_offset as usize];
    std::os::unix::fs::FileExt::read_exact_at(&*file, &mut prefix, 0)
        .map_err(PackError::io("read", base))?;
    let mut layout = Layout {
        prefix,
        slot_offset: slot.slot_offset,
        placement: slot.placement,
    };
    layout.set_lengths(slot.payload_len, slot.overlay_len)?;
    layout.set_slot(&slot);
    let mut out = Output::create(output)?;
    out.append(&layout.prefix)?;
    out.append_from(file, slot.payload_offset, slot.payload_len)?;
    out.append(overlay)?;
    if slot.placement == Placement::Append {
        out.append(&slot.encode_footer())?;
    }
    let (from, to) = (sidecar_path(base), sidecar_path(output));
    if container.header().sidecar_len > 0 && from != to && !to.exists() {
        std::fs::hard_link(&from, &to)
            .or_else(|_| std::fs::copy(&from, &to).map(drop))
            .map_err(PackError::io("copy", &from))?;
    }
    out.persist(0o755)
}
