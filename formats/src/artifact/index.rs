//! The asset index: every asset by its path, sorted, in compressed pages under a small directory.
//!
//! A start must cost the same with ten assets and with a million, so opening an artifact reads the directory only: the
//! first path of each page. A look-up reads and checks one page. Pages name frames relative to a base that stands in
//! the directory, so that one more file in front leaves the pages behind it as they were.

use blake3::hazmat::{
    HasherExt, Mode, left_subtree_len, merge_subtrees_non_root, merge_subtrees_root,
};

use super::wire::{Reader, put_varint, unzigzag, zigzag};
use super::{
    ArtifactError, FrameTable, MAX_CHUNK_LOG, MAX_FRAME, MAX_PAGE_ENTRIES, MAX_PATH, MIN_CHUNK_LOG,
    check_path,
};

const KIND_FILE: u8 = 1;
const KIND_DIR: u8 = 2;
const KIND_SYMLINK: u8 = 3;
const KIND_HARDLINK: u8 = 4;
const HAS_MTIME: u8 = 0x10;
const HAS_OWNER: u8 = 0x20;

/// One asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path: relative, `/` between components, not always UTF-8.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, 0 to 0o7777.
    pub mode: u16,
    /// Modification time, if it was recorded: seconds since 1970 and nanoseconds.
    pub mtime: Option<(i64, u32)>,
    /// Numeric user and group, if they were recorded.
    pub owner: Option<(u32, u32)>,
}

/// What an asset is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File {
        /// Its length in bytes.
        size: u64,
        /// The BLAKE3 hash of its content.
        digest: [u8; 32],
        /// Every chunk but the last has `1 << chunk_log` bytes; 0: there is at most one chunk.
        chunk_log: u8,
        /// Where its content lies, in order.
        chunks: Vec<Chunk>,
    },
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink {
        /// What it points to, as it was written.
        target: Vec<u8>,
    },
    /// Another name of a regular file.
    Hardlink {
        /// The path of that file, which sorts before this one.
        to: Vec<u8>,
    },
}

/// A piece of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// The data frame that holds it; `None`: it is all zeros and not stored.
    pub frame: Option<u32>,
    /// Where it begins in the frame's plaintext.
    pub offset: u32,
    /// Its length in bytes.
    pub len: u32,
    /// Its BLAKE3 chaining value as part of the file (see [`chunk_value`]); zeros for a file of one chunk.
    pub value: [u8; 32],
}

/// The BLAKE3 chaining value of the chunk that begins at `offset` in a file. The values of all chunks give the file's hash
/// ([`merge_chunk_values`]), so that threads can hash one file together.
///
/// `offset` must be a multiple of the chunk length and `bytes` not empty, or the value has no meaning.
pub fn chunk_value(bytes: &[u8], offset: u64) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(offset);
    hasher.update(bytes);
    hasher.finalize_non_root()
}

/// The BLAKE3 hash of a file of `size` bytes from the values of its chunks of `1 << chunk_log` bytes.
///
/// `None` when their number does not fit the size, or is below two.
pub fn merge_chunk_values(size: u64, chunk_log: u8, values: &[[u8; 32]]) -> Option<[u8; 32]> {
    let len = 1u64.checked_shl(u32::from(chunk_log))?;
    if values.len() < 2 || size.div_ceil(len) != values.len() as u64 {
        return None;
    }
    let left = left_subtree_len(size);
    let (a, b) = values.split_at_checked((left / len) as usize)?;
    let (a, b) = (
        merge_inner(left, len, a)?,
        merge_inner(size - left, len, b)?,
    );
    Some(*merge_subtrees_root(&a, &b, Mode::Hash).as_bytes())
}

fn merge_inner(size: u64, len: u64, values: &[[u8; 32]]) -> Option<[u8; 32]> {
    if size <= len {
        return values.first().copied();
    }
    let left = left_subtree_len(size);
    let (a, b) = values.split_at_checked((left / len) as usize)?;
    Some(merge_subtrees_non_root(
        &merge_inner(left, len, a)?,
        &merge_inner(size - left, len, b)?,
        Mode::Hash,
    ))
}

impl Entry {
    fn encode(&self, previous: &[u8], base: u32, out: &mut Vec<u8>) {
        let kind = match self.kind {
            Kind::File { .. } => KIND_FILE,
            Kind::Dir => KIND_DIR,
            Kind::Symlink { .. } => KIND_SYMLINK,
            Kind::Hardlink { .. } => KIND_HARDLINK,
        };
        let times = if self.mtime.is_some() { HAS_MTIME } else { 0 };
        let owners = if self.owner.is_some() { HAS_OWNER } else { 0 };
        out.push(kind | times | owners);
        let shared = shared_prefix(previous, &self.path);
        put_varint(out, shared as u64);
        put_bytes(out, &self.path[shared..]);
        out.extend_from_slice(&self.mode.to_le_bytes());
        if let Some((seconds, nanos)) = self.mtime {
            out.extend_from_slice(&seconds.to_le_bytes());
            out.extend_from_slice(&nanos.to_le_bytes());
        }
        if let Some((user, group)) = self.owner {
            out.extend_from_slice(&user.to_le_bytes());
            out.extend_from_slice(&group.to_le_bytes());
        }
        match &self.kind {
            Kind::Dir => {}
            Kind::Symlink { target: text } | Kind::Hardlink { to: text } => put_bytes(out, text),
            Kind::File {
                size,
                digest,
                chunk_log,
                chunks,
            } => {
                put_varint(out, *size);
                out.extend_from_slice(digest);
                if *size > 0 {
                    out.push(*chunk_log);
                }
                for chunk in chunks {
                    match chunk.frame {
                        None => put_varint(out, 0),
                        Some(frame) => {
                            put_varint(out, 1 + zigzag(i64::from(frame) - i64::from(base)));
                            put_varint(out, u64::from(chunk.offset));
                        }
                    }
                    if *chunk_log != 0 {
                        out.extend_from_slice(&chunk.value);
                    }
                }
            }
        }
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn shared_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

/// What the directory says of one page.
#[derive(Debug, Clone)]
pub(crate) struct PageInfo {
    /// The number of the page's first asset.
    pub(crate) start: u32,
    pub(crate) count: u32,
    pub(crate) base: u32,
    pub(crate) first: Vec<u8>,
}

/// Writes one page of the index.
pub struct PageBuilder {
    base: u32,
    previous: Vec<u8>,
    bytes: Vec<u8>,
    count: usize,
}

impl PageBuilder {
    /// A page whose assets name frames relative to `base`, the first frame that they use (0 if they use none).
    pub fn new(base: u32) -> Self {
        Self {
            base,
            previous: Vec::new(),
            bytes: Vec::new(),
            count: 0,
        }
    }

    /// Adds an asset. The caller sees to the order, and to at most [`MAX_PAGE_ENTRIES`].
    pub fn push(&mut self, entry: &Entry) {
        entry.encode(&self.previous, self.base, &mut self.bytes);
        self.previous.clone_from(&entry.path);
        self.count += 1;
    }

    /// How many bytes the page has so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether no asset was added yet.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The page's plaintext.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Writes the directory of the index.
#[derive(Default)]
pub struct DirectoryBuilder {
    bytes: Vec<u8>,
}

impl DirectoryBuilder {
    /// A directory without pages. It is one byte long, for a frame cannot be empty.
    pub fn new() -> Self {
        Self { bytes: vec![0] }
    }

    /// Adds a page: how many assets it has, its base, and the path of the first asset.
    pub fn push(&mut self, count: u32, base: u32, first: &[u8]) {
        put_varint(&mut self.bytes, u64::from(count));
        put_varint(&mut self.bytes, u64::from(base));
        put_bytes(&mut self.bytes, first);
    }

    /// The directory's plaintext.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

pub(crate) fn decode_directory(
    bytes: &[u8],
    pages: u32,
    assets: u32,
) -> Result<Vec<PageInfo>, ArtifactError> {
    let bad = |what: &'static str| ArtifactError::malformed(what);
    let mut reader = Reader::new(bytes);
    if reader.u8()? != 0 {
        return Err(ArtifactError::unsupported("the shape of the asset index"));
    }
    // A page takes at least four bytes, so this cannot be driven far beyond what was read.
    if pages as usize > bytes.len() {
        return Err(bad("the asset directory ends early"));
    }
    let mut out: Vec<PageInfo> = Vec::with_capacity(pages as usize);
    let mut start = 0u32;
    for _ in 0..pages {
        let count = reader.bounded(MAX_PAGE_ENTRIES, "an index page has too many assets")? as u32;
        let base =
            u32::try_from(reader.varint()?).map_err(|_| bad("a page's base is out of range"))?;
        let len = reader.bounded(MAX_PATH, "an asset's path is too long")?;
        let first = reader.take(len)?.to_vec();
        if count == 0 || out.last().is_some_and(|last| last.first >= first) {
            return Err(bad("the asset directory is not in order"));
        }
        out.push(PageInfo {
            start,
            count,
            base,
            first,
        });
        start = start
            .checked_add(count)
            .ok_or_else(|| bad("too many assets"))?;
    }
    if start != assets {
        return Err(bad(
            "the asset directory does not have its number of assets",
        ));
    }
    reader.finish("bytes after the asset directory")?;
    Ok(out)
}

/// Reads a page. `next` is the first path of the page after it; `data_frames` is how many frames assets may name.
pub(crate) fn decode_page(
    bytes: &[u8],
    info: &PageInfo,
    next: Option<&[u8]>,
    frames: &FrameTable,
    data_frames: u32,
) -> Result<Vec<Entry>, ArtifactError> {
    let bad = |what: &'static str| ArtifactError::malformed(what);
    let mut reader = Reader::new(bytes);
    let mut out: Vec<Entry> = Vec::with_capacity(info.count as usize);
    let mut previous: &[u8] = &[];
    for _ in 0..info.count {
        let entry = decode_entry(&mut reader, previous, info.base, frames, data_frames)?;
        if !out.is_empty() && entry.path.as_slice() <= previous {
            return Err(bad("the assets are not in order"));
        }
        out.push(entry);
        previous = out.last().map_or(&[], |e| e.path.as_slice());
    }
    if out.first().is_some_and(|e| e.path != info.first)
        || next.is_some_and(|next| previous >= next)
    {
        return Err(bad("an index page does not fit the directory"));
    }
    reader.finish("bytes after an index page")?;
    Ok(out)
}

fn decode_entry(
    reader: &mut Reader<'_>,
    previous: &[u8],
    base: u32,
    frames: &FrameTable,
    data_frames: u32,
) -> Result<Entry, ArtifactError> {
    let tag = reader.u8()?;
    let shared = reader.bounded(previous.len(), "an asset shares more than there is")?;
    let rest_len = reader.bounded(MAX_PATH, "an asset's path is too long")?;
    let rest = reader.take(rest_len)?;
    if previous
        .get(shared)
        .is_some_and(|b| rest.first() == Some(b))
    {
        return Err(ArtifactError::malformed(
            "an asset's path is not in its shortest form",
        ));
    }
    let mut path = Vec::with_capacity(shared + rest_len);
    path.extend_from_slice(&previous[..shared]);
    path.extend_from_slice(rest);
    check_path(&path)
        .map_err(|e| ArtifactError::Malformed(format!("an asset's path: {e}").into()))?;
    let mode = reader.u16()?;
    if mode > 0o7777 {
        return Err(ArtifactError::malformed("an asset's mode is out of range"));
    }
    let mtime = if tag & HAS_MTIME != 0 {
        Some((reader.i64()?, reader.u32()?))
    } else {
        None
    };
    if mtime.is_some_and(|(_, nanos)| nanos >= 1_000_000_000) {
        return Err(ArtifactError::malformed("an asset's time is out of range"));
    }
    let owner = if tag & HAS_OWNER != 0 {
        Some((reader.u32()?, reader.u32()?))
    } else {
        None
    };
    let kind = match tag & !(HAS_MTIME | HAS_OWNER) {
        KIND_FILE => decode_file(reader, base, frames, data_frames)?,
        KIND_DIR => Kind::Dir,
        KIND_SYMLINK => Kind::Symlink {
            target: decode_target(reader)?,
        },
        KIND_HARDLINK => {
            let to = decode_target(reader)?;
            if to >= path || check_path(&to).is_err() {
                return Err(ArtifactError::malformed("a hard link does not point back"));
            }
            Kind::Hardlink { to }
        }
        _ => return Err(ArtifactError::unsupported("a kind of asset")),
    };
    Ok(Entry {
        path,
        kind,
        mode,
        mtime,
        owner,
    })
}

fn decode_target(reader: &mut Reader<'_>) -> Result<Vec<u8>, ArtifactError> {
    let len = reader.bounded(MAX_PATH, "a link's target is too long")?;
    let target = reader.take(len)?;
    if target.is_empty() || target.contains(&0) {
        return Err(ArtifactError::malformed(
            "a link's target is empty or has a NUL byte",
        ));
    }
    Ok(target.to_vec())
}

fn decode_file(
    reader: &mut Reader<'_>,
    base: u32,
    frames: &FrameTable,
    data_frames: u32,
) -> Result<Kind, ArtifactError> {
    let bad = |what: &'static str| ArtifactError::malformed(what);
    let size = reader.varint()?;
    let digest: [u8; 32] = reader.array()?;
    if size == 0 {
        if digest != *blake3::hash(b"").as_bytes() {
            return Err(ArtifactError::damaged(
                "an empty asset does not have its digest",
            ));
        }
        return Ok(Kind::File {
            size,
            digest,
            chunk_log: 0,
            chunks: Vec::new(),
        });
    }
    let chunk_log = reader.u8()?;
    let (count, chunk_len) = if chunk_log == 0 {
        if size > MAX_FRAME as u64 {
            return Err(bad("an asset of one chunk is too long"));
        }
        (1, size)
    } else {
        if !(MIN_CHUNK_LOG..=MAX_CHUNK_LOG).contains(&chunk_log) {
            return Err(bad("an asset's chunk length is out of range"));
        }
        let len = 1u64 << chunk_log;
        (size.div_ceil(len), len)
    };
    if chunk_log != 0 && count < 2 {
        return Err(bad("an asset of one chunk has a chunk length"));
    }
    let mut chunks = Vec::new();
    let mut left = size;
    for _ in 0..count {
        let len = left.min(chunk_len);
        left -= len;
        let mut chunk = decode_place(reader, base, chunk_log != 0)?;
        chunk.len = u32::try_from(len).map_err(|_| bad("a chunk is too long"))?;
        if let Some(frame) = chunk.frame {
            let record = frames.get(frame).filter(|_| frame < data_frames);
            let plain = record
                .ok_or_else(|| bad("an asset names a frame that is not there"))?
                .plain_len;
            if chunk
                .offset
                .checked_add(chunk.len)
                .is_none_or(|end| end > plain)
            {
                return Err(bad("an asset's content lies outside its frame"));
            }
        }
        chunks.push(chunk);
    }
    Ok(Kind::File {
        size,
        digest,
        chunk_log,
        chunks,
    })
}

fn decode_place(reader: &mut Reader<'_>, base: u32, several: bool) -> Result<Chunk, ArtifactError> {
    let bad = |what: &'static str| ArtifactError::malformed(what);
    let (frame, offset) = match reader.varint()? {
        0 if several => (None, 0),
        0 => return Err(bad("an asset of one chunk without a frame")),
        n => {
            let frame = i64::from(base)
                .checked_add(unzigzag(n - 1))
                .and_then(|f| u32::try_from(f).ok());
            let frame = frame.ok_or_else(|| bad("an asset names a frame that is not there"))?;
            (
                Some(frame),
                u32::try_from(reader.varint()?)
                    .map_err(|_| bad("a chunk's offset is out of range"))?,
            )
        }
    };
    let value = if several { reader.array()? } else { [0; 32] };
    Ok(Chunk {
        frame,
        offset,
        len: 0,
        value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_values_give_the_plain_hash() {
        let bytes: Vec<u8> = (0..700_000u32).map(|i| (i % 251) as u8).collect();
        for len in [65_537, 131_072, 131_073, 200_000, 262_144, 700_000] {
            let values: Vec<_> = bytes[..len]
                .chunks(1 << 16)
                .enumerate()
                .map(|(i, chunk)| chunk_value(chunk, (i as u64) << 16))
                .collect();
            let merged = merge_chunk_values(len as u64, 16, &values).unwrap();
            assert_eq!(merged, *blake3::hash(&bytes[..len]).as_bytes(), "{len}");
        }
        assert!(merge_chunk_values(10, 16, &[[0; 32]]).is_none());
        assert!(merge_chunk_values(1 << 20, 16, &[[0; 32]; 3]).is_none());
    }
}
