//! Bodies of the fuzz targets: any bytes in, no panic and no boundless memory. Tests call them too.

use super::container::Container;
use super::frame::{FrameRecord, FrameTable};
use super::header::Header;
use super::index::{PageInfo, decode_directory, decode_page};
use super::slot::{SLOT_LEN, Slot};
use super::{ReadAt, SLOT_SECTION, section};

/// Reads everything that can be read from bytes that claim to be an artifact.
pub fn artifact(bytes: &[u8]) {
    if let Ok(container) = Container::open_file(bytes) {
        read(&container);
    }
}

/// As [`artifact`], after the digests that stand in front of deeper checks were made right: slot, root, frame table, frames.
pub fn repaired(bytes: &[u8]) {
    let mut bytes = bytes.to_vec();
    if let Some(slot) = repair(&mut bytes)
        && let Ok(container) = Container::open(bytes, slot)
    {
        read(&container);
    }
}

/// The slot alone.
pub fn slot(bytes: &[u8]) {
    let _ = Slot::decode(bytes);
    let _ = Slot::decode_footer(bytes);
}

/// The header alone.
pub fn header(bytes: &[u8]) {
    if let Ok(bytes) = <&[u8; Header::LEN]>::try_from(bytes) {
        let _ = Header::decode(bytes);
    }
}

/// The manifest alone, behind its decompression.
pub fn manifest(bytes: &[u8]) {
    let _ = postcard::take_from_bytes::<super::Manifest>(bytes);
}

/// The asset directory (the first half) and one page (the rest).
pub fn index(bytes: &[u8]) {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let _ = decode_directory(first, 3, 30);
    let Some(table) = FrameTable::of_records(vec![FrameRecord {
        stored_len: 10,
        plain_len: 1000,
        method: super::Method::Zstd,
        digest: [0; 32],
    }]) else {
        return;
    };
    for count in [1, 3, 100] {
        let info = PageInfo {
            start: 0,
            count,
            base: 0,
            first: Vec::new(),
        };
        let _ = decode_page(second, &info, None, &table, 1);
    }
}

fn read<R: ReadAt>(container: &Container<R>) {
    let _ = container.verify_all(1);
    let _ = container.plan();
    let _ = container.overlay();
    for asset in container.assets().take(10_000) {
        let Ok(asset) = asset else { break };
        let _ = container.read_asset(&asset.path, &mut std::io::sink());
    }
    let _ = container.below(b"a").map(|below| below.take(1000).count());
}

/// Makes frame digests, table digest, root, lengths and footer fit what is there.
fn repair(bytes: &mut [u8]) -> Option<Slot> {
    let at = section(&*bytes, SLOT_SECTION).ok()??.offset;
    let mut slot =
        Slot::decode(bytes.get(at as usize..(at as usize).checked_add(SLOT_LEN)?)?).ok()?;
    let start = usize::try_from(slot.payload_offset).ok()?;
    let payload = bytes.get_mut(start..)?;
    let head: [u8; Header::LEN] = payload.get(..Header::LEN)?.try_into().ok()?;
    let header = Header::decode(&head).ok()?;
    let mut frame_at = Header::LEN;
    let table = usize::try_from(header.frame_table_offset).ok()?;
    for i in 0..header.frame_count as usize {
        let record = table + i * FrameRecord::LEN;
        let len: [u8; 4] = payload.get(record..record + 4)?.try_into().ok()?;
        let end = frame_at.checked_add(u32::from_le_bytes(len) as usize)?;
        let digest = FrameRecord::digest_of(payload.get(frame_at..end)?);
        payload
            .get_mut(record + 16..record + 48)?
            .copy_from_slice(&digest);
        frame_at = end;
    }
    let end = usize::try_from(header.payload_len).ok()?;
    let digest = FrameTable::digest_of(payload.get(table..end)?);
    payload.get_mut(96..128)?.copy_from_slice(&digest);
    let head: [u8; Header::LEN] = payload.get(..Header::LEN)?.try_into().ok()?;
    slot.root = Header::root_of(&head);
    let footer = usize::try_from(slot.end()).ok()?;
    if let Some(place) = bytes.get_mut(footer..footer.checked_add(SLOT_LEN)?) {
        place.copy_from_slice(&slot.encode_footer());
    }
    Some(slot)
}
