//! A running program as a channel: its three streams.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::channel::{Channel, Input};

/// How much is read at once.
const READ_SIZE: usize = 16 << 10;
/// How long a program whose input has ended may take to end.
const GRACE: Duration = Duration::from_secs(2);

/// A child process and its three streams.
pub(crate) struct ProcessChannel {
    child: Child,
    out: VecDeque<u8>,
    stdout_ended: bool,
    stderr_ended: bool,
}

impl ProcessChannel {
    /// Starts the program.
    ///
    /// # Errors
    /// Where the system cannot.
    pub(crate) fn start(mut command: Command) -> io::Result<ProcessChannel> {
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        for fd in [
            child.stdin.as_ref().map(AsFd::as_fd),
            child.stdout.as_ref().map(AsFd::as_fd),
            child.stderr.as_ref().map(AsFd::as_fd),
        ]
        .into_iter()
        .flatten()
        {
            let flags = fcntl_getfl(fd)?;
            fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
        }
        Ok(ProcessChannel {
            child,
            out: VecDeque::new(),
            stdout_ended: false,
            stderr_ended: false,
        })
    }

    /// Writes what is queued, as far as the pipe goes.
    fn flush_some(&mut self) -> io::Result<()> {
        let Some(stdin) = self.child.stdin.as_mut() else {
            self.out.clear();
            return Ok(());
        };
        while !self.out.is_empty() {
            let (head, _) = self.out.as_slices();
            match stdin.write(head) {
                Ok(n) => {
                    self.out.drain(..n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                // It has closed its input; what it says last is still worth reading.
                Err(e) if e.kind() == ErrorKind::BrokenPipe => {
                    self.child.stdin = None;
                    self.out.clear();
                    break;
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn read_some(&mut self) -> io::Result<Option<Input>> {
        let mut buffer = [0u8; READ_SIZE];
        if let (false, Some(stdout)) = (self.stdout_ended, self.child.stdout.as_mut()) {
            match read(stdout.read(&mut buffer))? {
                Some(0) => self.stdout_ended = true,
                Some(n) => {
                    return Ok(Some(Input::Stdout(buffer[..n].to_vec())));
                }
                None => {}
            }
        }
        if let (false, Some(stderr)) = (self.stderr_ended, self.child.stderr.as_mut()) {
            match read(stderr.read(&mut buffer))? {
                Some(0) => self.stderr_ended = true,
                Some(n) => {
                    return Ok(Some(Input::Stderr(buffer[..n].to_vec())));
                }
                None => {}
            }
        }
        if self.stdout_ended {
            let status = self.wait_for_end();
            return Ok(Some(Input::Closed(status)));
        }
        Ok(None)
    }

    fn wait_for_end(&mut self) -> Option<i32> {
        self.child.stdin = None;
        let until = Instant::now() + GRACE;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.code(),
                Ok(None) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                _ => return None,
            }
        }
    }

    fn wait_for_streams(&self, wait: Duration, bell: Option<BorrowedFd<'_>>) -> io::Result<bool> {
        let mut fds = Vec::with_capacity(4);
        fds.extend(bell.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let rings = fds.len();
        if let (false, Some(stdout)) = (self.stdout_ended, self.child.stdout.as_ref()) {
            fds.push(PollFd::new(stdout, PollFlags::IN));
        }
        if let (false, Some(stderr)) = (self.stderr_ended, self.child.stderr.as_ref()) {
            fds.push(PollFd::new(stderr, PollFlags::IN));
        }
        if let (false, Some(stdin)) = (self.out.is_empty(), self.child.stdin.as_ref()) {
            fds.push(PollFd::new(stdin, PollFlags::OUT));
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => Ok(fds[..rings].iter().any(|fd| !fd.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

fn read(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(n) => Ok(Some(n)),
        Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
        Err(e) => Err(e),
    }
}

impl Channel for ProcessChannel {
    fn send(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    fn queued(&self) -> usize {
        self.out.len()
    }

    fn poll(&mut self, wait: Duration, bell: Option<BorrowedFd<'_>>) -> io::Result<Input> {
        let deadline = Instant::now() + wait;
        loop {
            let had = !self.out.is_empty();
            self.flush_some()?;
            if let Some(input) = self.read_some()? {
                return Ok(input);
            }
            if had && self.out.is_empty() {
                return Ok(Input::Idle);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.wait_for_streams(left, bell)? {
                return Ok(Input::Idle);
            }
        }
    }
}

impl Drop for ProcessChannel {
    fn drop(&mut self) {
        if self.wait_for_end().is_none() {
            // It does not end by itself: it would outlive the run.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
