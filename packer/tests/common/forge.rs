//! Artifacts made by hand, so that exactly one thing can be wrong with them and every digest around it right.

#![allow(unreachable_pub)]

use rustle_formats::artifact::{
    Chunk, DirectoryBuilder, EMPTY_SLOT, Entry, FrameRecord, FrameTable, Header, Kind,
    MANIFEST_VERSION, Manifest, Method, PageBuilder, Placement, Slot, outside_digest,
    outside_ranges,
};

type Edit<T> = Box<dyn Fn(&mut T)>;

/// What an artifact is made of. Frames are stored as they are.
pub struct Forge {
    pub data: Vec<Vec<u8>>,
    pub pages: Vec<Vec<u8>>,
    pub directory: Vec<u8>,
    pub manifest: Vec<u8>,
    pub plan: Vec<u8>,
    pub assets: u32,
    /// Changes the frame table before it is digested.
    pub table: Edit<Vec<u8>>,
    /// Changes the header before the root is made.
    pub header: Edit<Header>,
    /// Changes the header's bytes before the root is made.
    pub header_bytes: Edit<[u8; Header::LEN]>,
    /// Changes the slot before it is written.
    pub slot: Edit<Slot>,
    /// Changes the file at the end.
    pub file: Edit<Vec<u8>>,
}

/// A file's entry in one chunk.
pub fn file(path: &str, frame: u32, offset: u32, content: &[u8]) -> Entry {
    let chunk = Chunk {
        frame: Some(frame),
        offset,
        len: content.len() as u32,
        value: [0; 32],
    };
    let digest = *blake3::hash(content).as_bytes();
    let chunks = if content.is_empty() {
        Vec::new()
    } else {
        vec![chunk]
    };
    entry(
        path,
        Kind::File {
            size: content.len() as u64,
            digest,
            chunk_log: 0,
            chunks,
        },
    )
}

pub fn entry(path: &str, kind: Kind) -> Entry {
    Entry {
        path: path.into(),
        kind,
        mode: 0o644,
        mtime: None,
        owner: None,
    }
}

pub fn page(entries: &[Entry]) -> Vec<u8> {
    let mut page = PageBuilder::new(0);
    entries.iter().for_each(|e| page.push(e));
    page.finish()
}

impl Forge {
    /// An artifact of these assets (one page) and contents (one frame each).
    pub fn new(entries: &[Entry], data: &[&[u8]]) -> Self {
        let mut directory = DirectoryBuilder::new();
        if let Some(first) = entries.first() {
            directory.push(entries.len() as u32, 0, &first.path);
        }
        let sizes = entries.iter().filter_map(|e| match e.kind {
            Kind::File { size, .. } => Some(size),
            _ => None,
        });
        let manifest = Manifest {
            tool: "forge".into(),
            target: "x86_64-unknown-linux-musl".into(),
            tasks: 1,
            method: Method::None,
            codec: "none".into(),
            files: sizes.clone().count() as u64,
            total_bytes: sizes.sum(),
            ..Manifest::default()
        };
        Self {
            data: data.iter().map(|d| d.to_vec()).collect(),
            pages: if entries.is_empty() {
                Vec::new()
            } else {
                vec![page(entries)]
            },
            directory: directory.finish(),
            manifest: postcard::to_stdvec(&manifest).unwrap(),
            plan: postcard::to_stdvec(&super::plan(1)).unwrap(),
            assets: entries.len() as u32,
            table: Box::new(|_| {}),
            header: Box::new(|_| {}),
            header_bytes: Box::new(|_| {}),
            slot: Box::new(|_| {}),
            file: Box::new(|_| {}),
        }
    }

    pub fn build(&self) -> Vec<u8> {
        let mut prefix = super::tiny_elf(true, false);
        prefix.resize(4096, 0);
        let slot_offset = 64u64;
        let mut body = vec![0; Header::LEN];
        let mut table = Vec::new();
        let inner: [&[Vec<u8>]; 3] = [
            std::slice::from_ref(&self.directory),
            std::slice::from_ref(&self.manifest),
            std::slice::from_ref(&self.plan),
        ];
        for frame in self
            .data
            .iter()
            .chain(&self.pages)
            .chain(inner.into_iter().flatten())
        {
            body.extend_from_slice(frame);
            let len = frame.len() as u32;
            let digest = FrameRecord::digest_of(frame);
            FrameRecord {
                stored_len: len,
                plain_len: len,
                method: Method::None,
                digest,
            }
            .encode(&mut table);
        }
        (self.table)(&mut table);
        let outside =
            outside_ranges(prefix.as_slice(), Placement::Append, slot_offset, 4096).unwrap();
        let mut header = Header {
            asset_table_offset: (Header::LEN + self.data.iter().map(Vec::len).sum::<usize>())
                as u64,
            asset_count: self.assets,
            flags: 0,
            placement: Placement::Append,
            payload_len: (body.len() + table.len()) as u64,
            frame_table_offset: body.len() as u64,
            frame_count: (self.data.len() + self.pages.len() + 3) as u32,
            data_frames: self.data.len() as u32,
            index_frames: self.pages.len() as u32,
            plan_frames: 1,
            plan_len: self.plan.len() as u64,
            plan_version: rustle_formats::plan::PLAN_VERSION,
            manifest_version: MANIFEST_VERSION,
            sidecar_len: 0,
            outside_len: outside.len(),
            table_digest: FrameTable::digest_of(&table),
            outside_digest: outside_digest(prefix.as_slice(), &outside).unwrap(),
            signer: [0; 32],
            signature: [0; 64],
        };
        (self.header)(&mut header);
        let mut bytes = header.encode();
        (self.header_bytes)(&mut bytes);
        body[..Header::LEN].copy_from_slice(&bytes);
        body.extend_from_slice(&table);
        let mut slot = Slot {
            placement: Placement::Append,
            payload_offset: 4096,
            payload_len: body.len() as u64,
            root: Header::root_of(&bytes),
            overlay_offset: 0,
            overlay_len: 0,
            overlay_digest: [0; 32],
            slot_offset,
        };
        (self.slot)(&mut slot);
        let at = slot_offset as usize;
        assert_eq!(prefix[at..at + 128], EMPTY_SLOT);
        prefix[at..at + 128].copy_from_slice(&slot.encode());
        let mut out = prefix;
        out.extend(body);
        out.extend(slot.encode_footer());
        (self.file)(&mut out);
        out
    }
}
