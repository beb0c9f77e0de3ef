//! What a connection must be able to do, whatever carries it.
//!
//! One command runs over one channel; both directions move at the same time, so that a host that is being fed a large
//! artifact can still say that it has had enough. ssh2 is the first to stand behind these traits; the system's ssh,
//! `local`, `chroot` and containers come behind the same ones.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// A way to a machine.
pub trait Connection {
    /// Runs a command by the user's login shell.
    ///
    /// # Errors
    /// Where the connection is lost or the machine refuses.
    fn exec(&mut self, command: &str) -> io::Result<Box<dyn Channel + '_>>;

    /// Whether [`Connection::runner`] starts the runner, so that no bootstrap line looks for it.
    fn has_runner(&self) -> bool {
        false
    }

    /// Starts the runner.
    ///
    /// # Errors
    /// Where it is not there, or cannot be started.
    fn runner(&mut self) -> io::Result<Box<dyn Channel + '_>> {
        Err(io::Error::other("there is no runner yet"))
    }
}

/// What came from the other side.
#[derive(Debug, PartialEq, Eq)]
pub enum Input {
    /// Bytes of its standard output.
    Stdout(Vec<u8>),
    /// Bytes of its standard error.
    Stderr(Vec<u8>),
    /// Nothing within the time given, or only room to write.
    Idle,
    /// It has ended; the exit status, if there is one.
    Closed(Option<i32>),
}

/// A running command.
pub trait Channel {
    /// Queues bytes for its standard input. They move while [`Channel::poll`] runs.
    fn send(&mut self, bytes: &[u8]);

    /// How many bytes are queued.
    fn queued(&self) -> usize;

    /// Moves bytes both ways until something came, the queue shrank to nothing, the bell can be read from, or the time is up.
    ///
    /// # Errors
    /// Where the connection is lost.
    fn poll(&mut self, wait: Duration, bell: Option<BorrowedFd<'_>>) -> io::Result<Input>;
}
