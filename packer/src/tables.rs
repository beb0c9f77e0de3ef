//! Writing what is not content: asset index, directory, manifest and plan, as frames behind the data.

use rustle_formats::artifact::{
    DirectoryBuilder, Encoder, Entry, FrameRecord, Kind, MAX_PAGE_ENTRIES, PageBuilder,
};

use crate::PackError;
use crate::collect::{Node, NodeKind};
use crate::output::Made;
use crate::pipeline::{Codec, Placed};

/// A page of the index is ended when it has this many bytes.
const PAGE_BYTES: usize = 192 << 10;
/// The plan is cut into frames of this many bytes.
const PLAN_FRAME: usize = 1 << 20;
/// How many frames are compressed at once, to be written in order after.
const GROUP: usize = 64;

/// Compresses frames on several threads; the result is in the order given.
pub(crate) fn compress(
    plain: &[Vec<u8>],
    codec: Codec,
    threads: usize,
) -> Result<Vec<Made>, PackError> {
    let threads = threads.clamp(1, plain.len().max(1));
    let share = plain.len().div_ceil(threads).max(1);
    let one = |part: &[Vec<u8>]| -> Result<Vec<Made>, PackError> {
        let failed = |e: std::io::Error| PackError::Request(format!("compression failed: {e}"));
        let mut encoder = Encoder::new(codec.method, codec.level).map_err(failed)?;
        part.iter()
            .map(|plain| {
                let (method, stored) = encoder.encode(plain).map_err(failed)?;
                let record = FrameRecord {
                    stored_len: stored.len() as u32,
                    plain_len: plain.len() as u32,
                    method,
                    digest: FrameRecord::digest_of(&stored),
                };
                Ok(Made::Fresh { record, stored })
            })
            .collect()
    };
    if threads == 1 {
        return one(plain);
    }
    let parts: Vec<Result<Vec<Made>, PackError>> = std::thread::scope(|scope| {
        let handles: Vec<_> = plain
            .chunks(share)
            .map(|part| scope.spawn(move || one(part)))
            .collect();
        handles
            .into_iter()
            .map(|h| {
                h.join()
                    .unwrap_or_else(|_| Err(PackError::Request("a compressing thread died".into())))
            })
            .collect()
    });
    let mut out = Vec::with_capacity(plain.len());
    for part in parts {
        out.extend(part?);
    }
    Ok(out)
}

/// Writes the pages of the index through `write`, and returns how many there are, and the directory.
pub(crate) fn write_index(
    nodes: &[Node],
    placed: &[Placed],
    codec: Codec,
    threads: usize,
    write: &mut dyn FnMut(Made) -> Result<(), PackError>,
) -> Result<(u32, Vec<u8>), PackError> {
    let mut directory = DirectoryBuilder::new();
    let mut group: Vec<Vec<u8>> = Vec::with_capacity(GROUP);
    let mut pages = 0u32;
    let mut start = 0;
    while start < nodes.len() {
        let base = placed[start..]
            .iter()
            .flat_map(|p| &p.chunks)
            .find_map(|c| c.frame)
            .unwrap_or(0);
        let mut page = PageBuilder::new(base);
        let mut at = start;
        while at < nodes.len() {
            page.push(&entry(&nodes[at], &placed[at]));
            at += 1;
            if at - start == MAX_PAGE_ENTRIES
                || page.len() >= PAGE_BYTES
                || ends_page(&nodes[at - 1].path)
            {
                break;
            }
        }
        directory.push((at - start) as u32, base, &nodes[start].path);
        group.push(page.finish());
        pages += 1;
        start = at;
        if group.len() == GROUP {
            compress(&group, codec, threads)?
                .into_iter()
                .try_for_each(&mut *write)?;
            group.clear();
        }
    }
    compress(&group, codec, threads)?
        .into_iter()
        .try_for_each(write)?;
    Ok((pages, directory.finish()))
}

/// Whether a page ends behind this path: by chance, once in 256, so that one asset more or less leaves other pages alone.
fn ends_page(path: &[u8]) -> bool {
    blake3::hash(path).as_bytes()[4] == 0
}

fn entry(node: &Node, placed: &Placed) -> Entry {
    let kind = match &node.kind {
        NodeKind::Dir => Kind::Dir,
        NodeKind::Symlink(target) => Kind::Symlink {
            target: target.clone(),
        },
        NodeKind::Hardlink(to) => Kind::Hardlink { to: to.clone() },
        NodeKind::File(content) => Kind::File {
            size: content.size(),
            digest: placed.digest,
            chunk_log: placed.chunk_log,
            chunks: placed.chunks.clone(),
        },
    };
    Entry {
        path: node.path.clone(),
        kind,
        mode: node.mode,
        mtime: node.mtime,
        owner: node.owner,
    }
}

/// The plan's bytes as frames to be.
pub(crate) fn plan_frames(plan: &[u8]) -> Vec<Vec<u8>> {
    plan.chunks(PLAN_FRAME).map(<[u8]>::to_vec).collect()
}
