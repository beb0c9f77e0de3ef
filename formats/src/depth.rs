//! A bound on nesting while postcard decodes.
//!
//! serde_json stops at 128 levels by itself; postcard recurses as deep as the bytes say, so a hostile plan could run
//! the reader out of stack. Recursive types enter a level here first.

use std::cell::Cell;

use crate::value::MAX_DEPTH;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One level of nesting, left again when dropped.
pub(crate) struct Level(());

impl Level {
    /// Goes one level deeper, or says that the input nests too deep.
    pub(crate) fn enter() -> Result<Level, &'static str> {
        DEPTH.with(|depth| {
            if depth.get() >= MAX_DEPTH {
                return Err("the data nests too deep (128 levels at most)");
            }
            depth.set(depth.get() + 1);
            Ok(Level(()))
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.with(|depth| depth.set(depth.get().saturating_sub(1)));
    }
}
