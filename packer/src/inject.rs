//! Adding two sections to an ELF file without moving a byte of it.
//!
//! The file is kept as it is, with a longer copy of the section names and of the section table behind it, and the header pointing
//! there. `object` reads and writes the structures; its builder is not used because it wants the payload in memory and puts
//! the section table behind it.

use object::elf::{self, FileHeader32, FileHeader64, SectionHeader32, SectionHeader64};
use object::endian::{U16, U32, U64};
use object::pod::{bytes_of, from_bytes};
use object::read::elf::{FileHeader, SectionHeader};
use object::{Endianness, FileKind};
use rustle_formats::artifact::{OVERLAY_SECTION, PAGE, PAYLOAD_SECTION, section};

use crate::PackError;

fn wrong(what: impl ToString) -> PackError {
    PackError::Stub(what.to_string())
}

/// The stub with (empty) sections for payload and overlay.
pub(crate) fn with_sections(stub: &[u8]) -> Result<Vec<u8>, PackError> {
    match FileKind::parse(stub).map_err(wrong)? {
        FileKind::Elf64 => grow::<FileHeader64<Endianness>>(stub),
        FileKind::Elf32 => grow::<FileHeader32<Endianness>>(stub),
        _ => Err(wrong("a payload can be injected into ELF files only")),
    }
}

/// What differs between the two classes.
trait Class: FileHeader<Endian = Endianness> {
    /// A section header for bytes that are not loaded; the place is filled in later.
    fn section_header(endian: Endianness, name: u32, align: u32) -> Vec<u8>;
    /// The file header with a new section table.
    fn with_table(&self, endian: Endianness, offset: u64, count: u16)
    -> Result<Vec<u8>, PackError>;
    /// A section header with a new place.
    fn with_place(
        header: &[u8],
        endian: Endianness,
        offset: u64,
        size: u64,
    ) -> Result<Vec<u8>, PackError>;
}

impl Class for FileHeader64<Endianness> {
    fn section_header(endian: Endianness, name: u32, align: u32) -> Vec<u8> {
        let header = SectionHeader64 {
            sh_name: U32::new(endian, name),
            sh_type: U32::new(endian, elf::SHT_PROGBITS),
            sh_flags: U64::new(endian, elf::SectionFlags(0)),
            sh_addr: U64::new(endian, 0),
            sh_offset: U64::new(endian, 0),
            sh_size: U64::new(endian, 0),
            sh_link: U32::new(endian, 0),
            sh_info: U32::new(endian, 0),
            sh_addralign: U64::new(endian, align.into()),
            sh_entsize: U64::new(endian, 0),
        };
        bytes_of(&header).to_vec()
    }

    fn with_table(
        &self,
        endian: Endianness,
        offset: u64,
        count: u16,
    ) -> Result<Vec<u8>, PackError> {
        let mut header = *self;
        header.e_shoff = U64::new(endian, offset);
        header.e_shnum = U16::new(endian, count);
        Ok(bytes_of(&header).to_vec())
    }

    fn with_place(
        header: &[u8],
        endian: Endianness,
        offset: u64,
        size: u64,
    ) -> Result<Vec<u8>, PackError> {
        let (header, _) = from_bytes::<SectionHeader64<Endianness>>(header)
            .map_err(|()| wrong("no section header"))?;
        let mut header = *header;
        header.sh_offset = U64::new(endian, offset);
        header.sh_size = U64::new(endian, size);
        Ok(bytes_of(&header).to_vec())
    }
}

impl Class for FileHeader32<Endianness> {
    fn section_header(endian: Endianness, name: u32, align: u32) -> Vec<u8> {
        let header = SectionHeader32 {
            sh_name: U32::new(endian, name),
            sh_type: U32::new(endian, elf::SHT_PROGBITS),
            sh_flags: U32::new_u64_truncate(endian, elf::SectionFlags(0)),
            sh_addr: U32::new(endian, 0),
            sh_offset: U32::new(endian, 0),
            sh_size: U32::new(endian, 0),
            sh_link: U32::new(endian, 0),
            sh_info: U32::new(endian, 0),
            sh_addralign: U32::new(endian, align),
            sh_entsize: U32::new(endian, 0),
        };
        bytes_of(&header).to_vec()
    }

    fn with_table(
        &self,
        endian: Endianness,
        offset: u64,
        count: u16,
    ) -> Result<Vec<u8>, PackError> {
        let mut header = *self;
        header.e_shoff = U32::new(endian, narrow(offset)?);
        header.e_shnum = U16::new(endian, count);
        Ok(bytes_of(&header).to_vec())
    }

    fn with_place(
        header: &[u8],
        endian: Endianness,
        offset: u64,
        size: u64,
    ) -> Result<Vec<u8>, PackError> {
        let (header, _) = from_bytes::<SectionHeader32<Endianness>>(header)
            .map_err(|()| wrong("no section header"))?;
        let mut header = *header;
        header.sh_offset = U32::new(endian, narrow(offset)?);
        header.sh_size = U32::new(endian, narrow(size)?);
        Ok(bytes_of(&header).to_vec())
    }
}

fn narrow(value: u64) -> Result<u32, PackError> {
    u32::try_from(value).map_err(|_| {
        PackError::Request("a payload of 4 GiB cannot be injected into a 32-bit runner: append it, or use a sidecar".into())
    })
}

fn grow<Elf: Class>(stub: &[u8]) -> Result<Vec<u8>, PackError> {
    let header = Elf::parse(stub).map_err(wrong)?;
    let endian = header.endian().map_err(wrong)?;
    let sections = header.section_headers(endian, stub).map_err(wrong)?;
    if sections.is_empty() {
        return Err(wrong("it has no section table"));
    }
    let names_index = header.shstrndx(endian, stub).map_err(wrong)? as usize;
    let names = sections
        .get(names_index)
        .ok_or_else(|| wrong("it has no section names"))?;
    let mut new_names = names.data(endian, stub).map_err(wrong)?.to_vec();
    let mut added = Vec::new();
    for (name, align) in [(PAYLOAD_SECTION, PAGE as u32), (OVERLAY_SECTION, 1)] {
        added.extend(Elf::section_header(endian, new_names.len() as u32, align));
        new_names.extend_from_slice(name);
        new_names.push(0);
    }
    let count = u16::try_from(sections.len() + 2)
        .ok()
        .filter(|&n| n < elf::SHN_LORESERVE);
    let count = count.ok_or_else(|| wrong("it has too many sections"))?;

    let mut out = stub.to_vec();
    out.resize(out.len().next_multiple_of(16), 0);
    let names_at = out.len() as u64;
    out.extend_from_slice(&new_names);
    out.resize(out.len().next_multiple_of(16), 0);
    let table_at = out.len() as u64;
    for (i, section) in sections.iter().enumerate() {
        if i == names_index {
            out.extend(Elf::with_place(
                bytes_of(section),
                endian,
                names_at,
                new_names.len() as u64,
            )?);
        } else {
            out.extend_from_slice(bytes_of(section));
        }
    }
    out.extend_from_slice(&added);
    let header = header.with_table(endian, table_at, count)?;
    out[..header.len()].copy_from_slice(&header);
    Ok(out)
}

/// Writes the places (offset, length) of payload and overlay into the section headers.
pub(crate) fn set_places(
    file: &mut [u8],
    payload: (u64, u64),
    overlay: (u64, u64),
) -> Result<(), PackError> {
    for (name, (offset, len)) in [(PAYLOAD_SECTION, payload), (OVERLAY_SECTION, overlay)] {
        let found = section(&*file, name)
            .map_err(wrong)?
            .ok_or_else(|| wrong("its section table is lost"))?;
        let big = file.get(5) == Some(&elf::ELFDATA2MSB.0);
        let bytes: Vec<u8> = match (found.place_len, big) {
            (16, false) => [offset.to_le_bytes(), len.to_le_bytes()].concat(),
            (16, true) => [offset.to_be_bytes(), len.to_be_bytes()].concat(),
            (_, false) => [narrow(offset)?.to_le_bytes(), narrow(len)?.to_le_bytes()].concat(),
            (_, true) => [narrow(offset)?.to_be_bytes(), narrow(len)?.to_be_bytes()].concat(),
        };
        let at = found.place_field as usize;
        file.get_mut(at..at + bytes.len())
            .ok_or_else(|| wrong("its section table is lost"))?
            .copy_from_slice(&bytes);
    }
    Ok(())
}
