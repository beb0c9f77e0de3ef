//! What is said to one host while it runs, from another thread than the one that talks to it.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

use rustle_formats::session::Down;

/// Messages on their way to a host, and a bell that wakes the thread which waits for the host.
pub struct Orders {
    queue: Mutex<VecDeque<Down>>,
    rings: UnixStream,
    heard: UnixStream,
}

impl Orders {
    /// An empty queue.
    ///
    /// # Errors
    /// Where the process has no file descriptors left.
    pub fn new() -> io::Result<Orders> {
        let (rings, heard) = UnixStream::pair()?;
        rings.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        Ok(Orders {
            queue: Mutex::default(),
            rings,
            heard,
        })
    }

    /// Queues a message.
    pub fn send(&self, message: Down) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push_back(message);
        // A bell that rings already is loud enough.
        let _ = (&self.rings).write(&[1]);
    }

    /// Forgets what was said long ago, but for the last answer and an order to stop.
    pub(crate) fn forget_old(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let last = queue.iter().rposition(|m| matches!(m, Down::Answer { .. }));
        let mut at = 0;
        queue.retain(|message| {
            at += 1;
            matches!(message, Down::Cancel { .. }) || Some(at - 1) == last
        });
    }

    /// Takes all messages, and silences the bell.
    pub(crate) fn take(&self) -> VecDeque<Down> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sink = [0u8; 64];
        while (&self.heard).read(&mut sink).is_ok_and(|n| n > 0) {}
        std::mem::take(&mut *queue)
    }

    /// What is readable while there are messages.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.heard.as_fd()
    }
}
