//! How long work tells what it does, without knowing who listens.

/// A step of packing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Listing files.
    Collect,
    /// Reading, hashing and compressing contents.
    Compress,
    /// Writing tables, header and signature.
    Finish,
}

/// Someone who is told how packing goes on. Every method may be called from any thread, but never twice at once.
pub trait Progress: Send {
    /// A step begins that will take `total` units of work: bytes for [`Phase::Compress`], 0 where it is not known.
    fn begin(&mut self, phase: Phase, total: u64) {
        let _ = (phase, total);
    }

    /// So many units more are done.
    fn advance(&mut self, done: u64) {
        let _ = done;
    }
}

/// Nobody listens.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
