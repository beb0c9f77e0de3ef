//! Just enough of ELF to find a section by its name in a file that nobody vouches for.
//!
//! Packer and runner both look for the slot and the injected payload; they must find the same ones. Both classes and both
//! byte orders are read, in a handful of bounded reads.

use super::{ArtifactError, ReadAt};

/// Where a section lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Section {
    /// The first byte of the section, from the file's start.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// Where the section header's `sh_offset` field lies in the file; `sh_size` follows it directly.
    pub place_field: u64,
    /// The length of `sh_offset` and `sh_size` together: 16 bytes in 64-bit files, 8 in 32-bit ones.
    pub place_len: u64,
}

/// Section tables with more entries than this are refused.
const MAX_SECTIONS: u16 = 4096;
/// Section name tables with more bytes than this are refused.
const MAX_NAMES: u64 = 1 << 20;

struct Elf {
    wide: bool,
    big: bool,
}

impl Elf {
    fn half(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let raw: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(if self.big {
            u16::from_be_bytes(raw)
        } else {
            u16::from_le_bytes(raw)
        })
    }

    fn word(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let raw: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if self.big {
            u32::from_be_bytes(raw)
        } else {
            u32::from_le_bytes(raw)
        })
    }

    fn long(&self, bytes: &[u8], at: usize) -> Option<u64> {
        if !self.wide {
            return self.word(bytes, at).map(u64::from);
        }
        let raw: [u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
        Some(if self.big {
            u64::from_be_bytes(raw)
        } else {
            u64::from_le_bytes(raw)
        })
    }
}

/// Finds the section called `name`.
///
/// `Ok(None)` when the file is no ELF file, has no section table, or has no such section.
///
/// # Errors
/// When the file cannot be read, when its section table makes no sense, or when two sections have that name.
pub fn section<R: ReadAt + ?Sized>(
    file: &R,
    name: &[u8],
) -> Result<Option<Section>, ArtifactError> {
    let size = file.size()?;
    let mut head = [0u8; 64];
    let head_len = size.min(64) as usize;
    file.read_exact_at(&mut head[..head_len], 0)?;
    if head_len < 52
        || head[..4] != *b"\x7fELF"
        || !matches!(head[4], 1 | 2)
        || !matches!(head[5], 1 | 2)
    {
        return Ok(None);
    }
    let elf = Elf {
        wide: head[4] == 2,
        big: head[5] == 2,
    };
    if elf.wide && head_len < 64 {
        return Ok(None);
    }
    let bad = || ArtifactError::malformed("the ELF section table makes no sense");
    let (table_at, counts_at, entry_len) = if elf.wide { (40, 58, 64) } else { (32, 46, 40) };
    let table = elf.long(&head, table_at).ok_or_else(bad)?;
    let entry_size = elf.half(&head, counts_at).ok_or_else(bad)?;
    let count = elf.half(&head, counts_at + 2).ok_or_else(bad)?;
    let names_index = elf.half(&head, counts_at + 4).ok_or_else(bad)?;
    if table == 0 || count == 0 {
        return Ok(None);
    }
    if usize::from(entry_size) != entry_len || count > MAX_SECTIONS || names_index >= count {
        return Err(bad());
    }
    let table_len = usize::from(count) * entry_len;
    if table
        .checked_add(table_len as u64)
        .is_none_or(|end| end > size)
    {
        // An appended payload, and the tables that followed it, may have been cut off.
        return Ok(None);
    }
    let mut headers = vec![0; table_len];
    file.read_exact_at(&mut headers, table)?;
    let names = read_names(file, &elf, &headers, entry_len, names_index, size)?;
    find(&elf, &headers, entry_len, &names, name, table)
}

/// Where `sh_offset` and `sh_size` lie in a section header.
fn place_at(elf: &Elf) -> (usize, usize) {
    if elf.wide { (24, 32) } else { (16, 20) }
}

fn read_names<R: ReadAt + ?Sized>(
    file: &R,
    elf: &Elf,
    headers: &[u8],
    entry_len: usize,
    index: u16,
    size: u64,
) -> Result<Vec<u8>, ArtifactError> {
    let bad = || ArtifactError::malformed("the ELF section names make no sense");
    let header = headers
        .get(usize::from(index) * entry_len..)
        .ok_or_else(bad)?;
    let (offset_at, size_at) = place_at(elf);
    let offset = elf.long(header, offset_at).ok_or_else(bad)?;
    let len = elf.long(header, size_at).ok_or_else(bad)?;
    if len > MAX_NAMES || offset.checked_add(len).is_none_or(|end| end > size) {
        return Err(bad());
    }
    let mut names = vec![0; usize::try_from(len).map_err(|_| bad())?];
    file.read_exact_at(&mut names, offset)?;
    Ok(names)
}

fn find(
    elf: &Elf,
    headers: &[u8],
    entry_len: usize,
    names: &[u8],
    name: &[u8],
    table: u64,
) -> Result<Option<Section>, ArtifactError> {
    let mut found = None;
    for (i, header) in headers.chunks_exact(entry_len).enumerate() {
        let Some(at) = elf.word(header, 0).and_then(|at| usize::try_from(at).ok()) else {
            continue;
        };
        let Some(text) = names.get(at..) else {
            continue;
        };
        if text.get(..name.len()) != Some(name) || text.get(name.len()) != Some(&0) {
            continue;
        }
        if found.is_some() {
            return Err(ArtifactError::malformed("two ELF sections of one name"));
        }
        let (offset_at, size_at) = place_at(elf);
        let (Some(offset), Some(len)) = (elf.long(header, offset_at), elf.long(header, size_at))
        else {
            continue;
        };
        found = Some(Section {
            offset,
            len,
            place_field: table + (i * entry_len + offset_at) as u64,
            place_len: if elf.wide { 16 } else { 8 },
        });
    }
    Ok(found)
}
