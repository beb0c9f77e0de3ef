//! One command over one ssh channel, both directions at once.
//!
//! libssh2 is one state machine per connection: while a blocking read waits nothing can be written. So the session is
//! put into non-blocking mode and the socket is polled for what libssh2 says that it needs.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Session};

use super::pace::Pace;
use crate::channel::{Channel, Input};

/// How much is read at once.
const READ_SIZE: usize = 16 << 10;
/// How much is handed to libssh2 at once.
const WRITE_SIZE: usize = 64 << 10;

/// A running command.
pub(super) struct SshChannel<'a> {
    session: &'a Session,
    socket: &'a TcpStream,
    channel: ssh2::Channel,
    out: VecDeque<u8>,
    pace: Pace,
    /// The host's window where nothing is under way, in bytes.
    window: u32,
    last_keepalive: Instant,
    closed: bool,
}

impl<'a> SshChannel<'a> {
    /// Starts the command.
    pub(super) fn open(
        session: &'a Session,
        socket: &'a TcpStream,
        command: &str,
        timeout: Duration,
        pace: Pace,
    ) -> io::Result<SshChannel<'a>> {
        session.set_blocking(true);
        session.set_timeout(u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX));
        let mut channel = session.channel_session().map_err(io::Error::from)?;
        channel.exec(command).map_err(io::Error::from)?;
        session.set_blocking(false);
        Ok(SshChannel {
            session,
            socket,
            channel,
            out: VecDeque::new(),
            pace,
            window: 0,
            last_keepalive: Instant::now(),
            closed: false,
        })
    }

    /// Writes what is queued, as far as the window and the pace go.
    fn flush_some(&mut self) -> io::Result<()> {
        while !self.out.is_empty() {
            let room = self.room();
            if room == 0 {
                break;
            }
            let (head, _) = self.out.as_slices();
            let size = head.len().min(WRITE_SIZE).min(room);
            match self.channel.write(&head[..size]) {
                Ok(0) => break,
                Ok(n) => {
                    self.out.drain(..n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// How much may be written, as far as the pace goes. What the host's window allows is libssh2's to know.
    fn room(&mut self) -> usize {
        let left = self.channel.write_window().remaining;
        // OpenSSH opens a channel without any window, and then gives it one.
        self.window = self.window.max(left);
        let under_way = u64::from(self.window - left);
        let room = self.pace.room(under_way, Instant::now());
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    fn read_some(&mut self) -> io::Result<Option<Input>> {
        let mut buffer = [0u8; READ_SIZE];
        match self.channel.read(&mut buffer) {
            Ok(0) => {}
            Ok(n) => {
                return Ok(Some(Input::Stdout(buffer[..n].to_vec())));
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        match self.channel.stderr().read(&mut buffer) {
            Ok(0) => {}
            Ok(n) => {
                return Ok(Some(Input::Stderr(buffer[..n].to_vec())));
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {}
            Err(e) => return Err(e),
        }
        if self.channel.eof() {
            self.closed = true;
            return Ok(Some(Input::Closed(self.exit_status())));
        }
        Ok(None)
    }

    fn exit_status(&mut self) -> Option<i32> {
        self.session.set_blocking(true);
        self.session.set_timeout(2000);
        let status = self
            .channel
            .close()
            .and_then(|()| self.channel.wait_close())
            .and_then(|()| self.channel.exit_status())
            .ok();
        self.session.set_blocking(false);
        status
    }

    /// Waits for the socket; whether the bell rang.
    fn wait_for_socket(&self, wait: Duration, bell: Option<BorrowedFd<'_>>) -> io::Result<bool> {
        let mut flags = PollFlags::IN;
        // Room in the socket matters only when libssh2 was stopped by the socket, not by the host's window.
        if matches!(
            self.session.block_directions(),
            BlockDirections::Outbound | BlockDirections::Both
        ) {
            flags |= PollFlags::OUT;
        }
        let mut fds = vec![PollFd::new(self.socket, flags)];
        fds.extend(bell.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let timeout = Timespec {
            tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) => Ok(fds.get(1).is_some_and(|fd| !fd.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(e) => Err(e.into()),
        }
    }
}

impl Channel for SshChannel<'_> {
    fn send(&mut self, bytes: &[u8]) {
        self.out.extend(bytes);
    }

    fn queued(&self) -> usize {
        self.out.len()
    }

    fn poll(&mut self, wait: Duration, bell: Option<BorrowedFd<'_>>) -> io::Result<Input> {
        if self.closed {
            return Ok(Input::Closed(None));
        }
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
            if self.last_keepalive.elapsed() > Duration::from_secs(15) {
                self.last_keepalive = Instant::now();
                match self.session.keepalive_send() {
                    Ok(_) => {}
                    Err(e) if e.code() == ssh2::ErrorCode::Session(-37) => {}
                    Err(e) => return Err(e.into()),
                }
            }
            let now = Instant::now();
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() {
                return Ok(Input::Idle);
            }
            let mut wait = left.min(Duration::from_secs(1));
            if let Some(patience) = self.pace.wait(now).filter(|_| !self.out.is_empty()) {
                // The word that makes room may be among what was just read.
                if self.room() > 0 {
                    continue;
                }
                wait = wait.min(patience);
            }
            if self.wait_for_socket(wait, bell)? {
                return Ok(Input::Idle);
            }
        }
    }
}
