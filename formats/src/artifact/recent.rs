//! A few values that are likely to be asked for again: the frame that holds many small files, the page that lists them.

use std::sync::{Arc, Mutex, PoisonError};

use super::ArtifactError;

/// The last few values that were made, by number.
pub(crate) struct Cache<T> {
    held: Mutex<Vec<(u32, Arc<T>)>>,
    room: usize,
}

impl<T> Cache<T> {
    pub(crate) fn new(room: usize) -> Self {
        Self {
            held: Mutex::new(Vec::with_capacity(room)),
            room,
        }
    }

    pub(crate) fn get_or(
        &self,
        key: u32,
        make: impl FnOnce() -> Result<T, ArtifactError>,
    ) -> Result<Arc<T>, ArtifactError> {
        let lock = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut held = lock();
            if let Some(i) = held.iter().position(|(k, _)| *k == key) {
                let hit = held.remove(i);
                let value = Arc::clone(&hit.1);
                held.push(hit);
                return Ok(value);
            }
        }
        let value = Arc::new(make()?);
        let mut held = lock();
        if held.len() >= self.room {
            held.remove(0);
        }
        held.push((key, Arc::clone(&value)));
        Ok(value)
    }
}
