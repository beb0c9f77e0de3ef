//! Which files share a frame.
//!
//! Small files lie together in blocks of about [`TARGET`] bytes, for alone they compress badly. Where a block ends depends on the
//! paths and sizes of the files at its end and on nothing far away, so that one file more or less changes one or two blocks and
//! leaves the others as they were. Larger files have frames of their own; those above [`CHUNK`] bytes have several.

use std::ops::Range;

use crate::collect::{Node, NodeKind};

/// About how many bytes of small files lie in one frame.
const TARGET: u64 = 1 << 20;
/// A block with fewer bytes than this is not ended.
const LEAST: u64 = TARGET / 4;
/// A block never has more bytes than this.
const MOST: u64 = TARGET * 2;
/// Files of this many bytes or more have a frame of their own.
const ALONE: u64 = TARGET / 2;
/// Files of more bytes than this are cut into chunks of this many.
pub(crate) const CHUNK: u64 = 1 << CHUNK_LOG;
/// The binary logarithm of [`CHUNK`].
pub(crate) const CHUNK_LOG: u8 = 21;

/// A piece of work: what goes into one frame, as far as it is not in an earlier one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Whole files: a range of [`Units::members`].
    Whole(Range<usize>),
    /// A chunk of the file that is node `node`.
    Part { node: usize, chunk: u32 },
}

/// All work, in the order in which frames will lie.
#[derive(Debug, Default)]
pub(crate) struct Units {
    pub(crate) units: Vec<Unit>,
    /// Nodes of the files that share frames, block after block.
    pub(crate) members: Vec<usize>,
}

/// Divides the files among `nodes` into units. Empty files are in none.
pub(crate) fn plan_units(nodes: &[Node]) -> Units {
    let mut out = Units::default();
    let mut block: Vec<usize> = Vec::new();
    let mut bytes = 0;
    for (i, node) in nodes.iter().enumerate() {
        let NodeKind::File(content) = &node.kind else {
            continue;
        };
        let size = content.size();
        if size == 0 {
            continue;
        }
        if size > CHUNK {
            let chunks = size.div_ceil(CHUNK);
            out.units.extend((0..chunks).map(|chunk| Unit::Part {
                node: i,
                chunk: chunk as u32,
            }));
            continue;
        }
        if size >= ALONE {
            out.close(&mut vec![i]);
            continue;
        }
        if bytes + size > MOST {
            out.close(&mut block);
            bytes = 0;
        }
        block.push(i);
        bytes += size;
        if bytes >= LEAST && ends_block(&node.path, size) {
            out.close(&mut block);
            bytes = 0;
        }
    }
    out.close(&mut block);
    out
}

impl Units {
    fn close(&mut self, block: &mut Vec<usize>) {
        if block.is_empty() {
            return;
        }
        let start = self.members.len();
        self.members.append(block);
        self.units.push(Unit::Whole(start..self.members.len()));
    }
}

/// Whether a block ends behind this file: by chance, from its path, in proportion to its size.
fn ends_block(path: &[u8], size: u64) -> bool {
    let hash = blake3::hash(path);
    let mut head = [0; 4];
    head.copy_from_slice(&hash.as_bytes()[..4]);
    u64::from(u32::from_le_bytes(head)) < (size << 32) / (TARGET - LEAST)
}
