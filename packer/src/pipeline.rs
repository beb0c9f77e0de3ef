//! From files to frames, on all cores, in a little memory, and always with the same result.
//!
//! Threads take units of work in order. Reading, hashing and compressing happen side by side; two short steps happen in
//! the order of the units, whichever thread does them: deciding which contents are new (the first to have a content in path order
//! stores it), and writing frames. A thread that is too far ahead waits, so that only a few frames are in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rustle_formats::artifact::{
    Chunk, Encoder, FrameRecord, Method, chunk_value, merge_chunk_values,
};

use crate::PackError;
use crate::collect::{Content, Node, NodeKind};
use crate::content::read_part;
use crate::output::Made;
use crate::reuse::{Known, Reuse, frame_key};
use crate::units::{CHUNK, CHUNK_LOG, Unit, Units};

/// How compression is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Codec {
    pub(crate) method: Method,
    pub(crate) level: i32,
}

/// Where a file's content ended up.
#[derive(Debug, Clone, Default)]
pub(crate) struct Placed {
    pub(crate) digest: [u8; 32],
    pub(crate) chunk_log: u8,
    pub(crate) chunks: Vec<Chunk>,
}

/// Takes finished frames, in order.
pub(crate) trait FrameSink: Send {
    /// Writes the next frame, which stands for `plain_bytes` bytes of assets.
    fn write(&mut self, frame: Made, plain_bytes: u64) -> Result<(), PackError>;
    /// So many bytes of assets needed no frame.
    fn skip(&mut self, plain_bytes: u64);
}

/// What is to be done.
pub(crate) struct Job<'a> {
    pub(crate) nodes: &'a [Node],
    pub(crate) units: &'a Units,
    pub(crate) codec: Codec,
    pub(crate) threads: usize,
    pub(crate) reuse: &'a Reuse,
}

/// One content of a unit: a whole small file, or a chunk of a large one.
struct Piece {
    node: usize,
    /// The chunk's number, for files of several.
    part: Option<u32>,
    len: u32,
    digest: [u8; 32],
    /// All zeros: not stored. Only chunks of large files are looked at.
    hole: bool,
    /// Where it lies in the bytes that were read; `None`: its digest was known, and it was not read.
    at: Option<usize>,
}

/// What happens in the order of units.
struct Order {
    turn: usize,
    next_frame: u32,
    seen: HashMap<[u8; 32], (u32, u32)>,
    placed: Vec<Placed>,
    failure: Option<PackError>,
}

struct Writing<'a> {
    next: u32,
    waiting: BTreeMap<u32, (Made, u64)>,
    sink: &'a mut dyn FrameSink,
    failed: bool,
}

struct Shared<'a> {
    job: &'a Job<'a>,
    next_unit: AtomicUsize,
    order: Mutex<Order>,
    turned: Condvar,
    writing: Mutex<Writing<'a>>,
    written: Condvar,
    window: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Does the job: frames go to `sink`, and the places of all files come back, by node.
pub(crate) fn run(job: &Job<'_>, sink: &mut dyn FrameSink) -> Result<Vec<Placed>, PackError> {
    let threads = job.threads.clamp(1, job.units.units.len().max(1));
    let shared = Shared {
        job,
        next_unit: AtomicUsize::new(0),
        order: Mutex::new(Order {
            turn: 0,
            next_frame: 0,
            seen: HashMap::new(),
            placed: vec![Placed::default(); job.nodes.len()],
            failure: None,
        }),
        turned: Condvar::new(),
        writing: Mutex::new(Writing {
            next: 0,
            waiting: BTreeMap::new(),
            sink,
            failed: false,
        }),
        written: Condvar::new(),
        window: threads as u32 * 4,
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    let order = shared
        .order
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    if let Some(error) = order.failure {
        return Err(error);
    }
    finish(job.nodes, order.placed)
}

/// Gives files of several chunks, and empty files, their digests.
fn finish(nodes: &[Node], mut placed: Vec<Placed>) -> Result<Vec<Placed>, PackError> {
    for (node, place) in nodes.iter().zip(&mut placed) {
        let NodeKind::File(content) = &node.kind else {
            continue;
        };
        if content.size() == 0 {
            place.digest = *blake3::hash(b"").as_bytes();
        } else if place.chunk_log != 0 {
            let values: Vec<_> = place.chunks.iter().map(|c| c.value).collect();
            place.digest = merge_chunk_values(content.size(), place.chunk_log, &values)
                .ok_or_else(|| PackError::Request("a file's chunks do not fit its size".into()))?;
        }
    }
    Ok(placed)
}

impl Shared<'_> {
    fn work(&self) {
        let mut encoder = match Encoder::new(self.job.codec.method, self.job.codec.level) {
            Ok(encoder) => encoder,
            Err(e) => return self.fail(PackError::Request(e.to_string())),
        };
        let mut bytes = Vec::new();
        loop {
            let unit = self.next_unit.fetch_add(1, Ordering::Relaxed);
            if unit >= self.job.units.units.len() {
                return;
            }
            match self.one(unit, &mut encoder, &mut bytes) {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return self.fail(error),
            }
        }
    }

    fn fail(&self, error: PackError) {
        let mut order = lock(&self.order);
        order.failure.get_or_insert(error);
        drop(order);
        lock(&self.writing).failed = true;
        self.turned.notify_all();
        self.written.notify_all();
    }

    /// Does one unit. `false`: another thread failed.
    fn one(
        &self,
        number: usize,
        encoder: &mut Encoder,
        bytes: &mut Vec<u8>,
    ) -> Result<bool, PackError> {
        bytes.clear();
        let unit = &self.job.units.units[number];
        let mut pieces = self.load(unit, bytes)?;
        let total = pieces.iter().map(|p| u64::from(p.len)).sum();
        let mut order = lock(&self.order);
        while order.turn != number {
            if order.failure.is_some() {
                return Ok(false);
            }
            order = self
                .turned
                .wait(order)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let frame = order.place(&mut pieces);
        order.turn += 1;
        drop(order);
        self.turned.notify_all();
        match frame {
            Some(frame) => {
                let made = self.make(&pieces, encoder, bytes)?;
                self.emit(frame, made, total)
            }
            None => {
                lock(&self.writing).sink.skip(total);
                Ok(true)
            }
        }
    }

    fn content(&self, node: usize) -> Result<&Content, PackError> {
        match &self.job.nodes[node].kind {
            NodeKind::File(content) => Ok(content),
            _ => Err(PackError::Request("a unit names what is no file".into())),
        }
    }

    /// Finds out the digests of a unit's contents, by reading them where they are not known from an earlier run.
    fn load(&self, unit: &Unit, bytes: &mut Vec<u8>) -> Result<Vec<Piece>, PackError> {
        match unit {
            Unit::Whole(range) => {
                let members = &self.job.units.members[range.clone()];
                let mut pieces = Vec::with_capacity(members.len());
                for &node in members {
                    let content = self.content(node)?;
                    let len = content.size() as u32;
                    let (digest, at) = match self.job.reuse.known(content) {
                        Some(Known {
                            digest,
                            chunk_log: 0,
                            ..
                        }) => (*digest, None),
                        _ => {
                            let at = bytes.len();
                            read_part(content, 0, len as usize, bytes)?;
                            (*blake3::hash(&bytes[at..]).as_bytes(), Some(at))
                        }
                    };
                    pieces.push(Piece {
                        node,
                        part: None,
                        len,
                        digest,
                        hole: false,
                        at,
                    });
                }
                Ok(pieces)
            }
            &Unit::Part { node, chunk } => {
                let content = self.content(node)?;
                let offset = u64::from(chunk) * CHUNK;
                let len = (content.size() - offset).min(CHUNK) as u32;
                let known = self
                    .job
                    .reuse
                    .known(content)
                    .filter(|k| k.chunk_log == CHUNK_LOG);
                let (digest, hole, at) = match known.and_then(|k| k.values.get(chunk as usize)) {
                    Some((value, hole)) => (*value, *hole, None),
                    None => {
                        read_part(content, offset, len as usize, bytes)?;
                        let hole = bytes.iter().all(|&b| b == 0);
                        (chunk_value(bytes, offset), hole, Some(0))
                    }
                };
                Ok(vec![Piece {
                    node,
                    part: Some(chunk),
                    len,
                    digest,
                    hole,
                    at,
                }])
            }
        }
    }

    /// Makes the frame of a unit's new contents: takes it over where it was made before, else compresses it.
    fn make(
        &self,
        pieces: &[Piece],
        encoder: &mut Encoder,
        bytes: &mut Vec<u8>,
    ) -> Result<Made, PackError> {
        let key = frame_key(self.job.codec, pieces.iter().map(|p| (p.len, &p.digest)));
        if let Some(made) = self.job.reuse.find(&key) {
            return Ok(made);
        }
        let total: usize = pieces.iter().map(|p| p.len as usize).sum();
        let all_read = total == bytes.len() && pieces.iter().all(|p| p.at.is_some());
        if !all_read {
            let mut plain = Vec::with_capacity(total);
            for piece in pieces {
                self.append(piece, bytes, &mut plain)?;
            }
            *bytes = plain;
        }
        let failed = |e: std::io::Error| PackError::Request(format!("compression failed: {e}"));
        let (method, stored) = encoder.encode(bytes).map_err(failed)?;
        let record = FrameRecord {
            stored_len: stored.len() as u32,
            plain_len: bytes.len() as u32,
            method,
            digest: FrameRecord::digest_of(&stored),
        };
        self.job.reuse.keep(&key, &record, &stored);
        Ok(Made::Fresh { record, stored })
    }

    /// Appends a piece's bytes, from those that were read or from its file.
    fn append(&self, piece: &Piece, read: &[u8], out: &mut Vec<u8>) -> Result<(), PackError> {
        let len = piece.len as usize;
        if let Some(at) = piece.at {
            out.extend_from_slice(&read[at..at + len]);
            return Ok(());
        }
        let content = self.content(piece.node)?;
        let offset = piece.part.map_or(0, |chunk| u64::from(chunk) * CHUNK);
        let start = out.len();
        read_part(content, offset, len, out)?;
        let digest = match piece.part {
            None => *blake3::hash(&out[start..]).as_bytes(),
            Some(_) => chunk_value(&out[start..], offset),
        };
        match content {
            Content::Disk { path, .. } if digest != piece.digest => {
                Err(PackError::Changed(path.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Hands a frame to the sink when its turn comes. `false`: another thread failed.
    fn emit(&self, frame: u32, made: Made, total: u64) -> Result<bool, PackError> {
        let mut writing = lock(&self.writing);
        while frame >= writing.next.saturating_add(self.window) {
            if writing.failed {
                return Ok(false);
            }
            writing = self
                .written
                .wait(writing)
                .unwrap_or_else(PoisonError::into_inner);
        }
        writing.waiting.insert(frame, (made, total));
        loop {
            let next = writing.next;
            let Some((made, total)) = writing.waiting.remove(&next) else {
                break;
            };
            writing.sink.write(made, total)?;
            writing.next += 1;
        }
        drop(writing);
        self.written.notify_all();
        Ok(true)
    }
}

impl Order {
    /// Gives every piece its place, and drops from `pieces` those that need none or have one already. The frame's number, if
    /// something is left.
    fn place(&mut self, pieces: &mut Vec<Piece>) -> Option<u32> {
        let frame = self.next_frame;
        let mut offset = 0u32;
        pieces.retain(|piece| {
            let (place, fresh) = if piece.hole {
                (None, false)
            } else {
                match self.seen.get(&piece.digest) {
                    Some(&place) => (Some(place), false),
                    None => {
                        let place = (frame, offset);
                        self.seen.insert(piece.digest, place);
                        offset += piece.len;
                        (Some(place), true)
                    }
                }
            };
            let placed = &mut self.placed[piece.node];
            let (frame, offset) = place.map_or((None, 0), |(f, o)| (Some(f), o));
            let mut value = [0; 32];
            if piece.part.is_some() {
                placed.chunk_log = CHUNK_LOG;
                value = piece.digest;
            } else {
                placed.digest = piece.digest;
            }
            placed.chunks.push(Chunk {
                frame,
                offset,
                len: piece.len,
                value,
            });
            fresh
        });
        (!pieces.is_empty()).then(|| {
            self.next_frame += 1;
            frame
        })
    }
}
