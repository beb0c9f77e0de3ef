//! Feeding a child, draining it and waiting for its end, in one loop without threads.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::RunError;

/// How long a killed group may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);
/// How often cancellation is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often a child is looked at where the kernel cannot tell us of its end (before Linux 5.3).
const SHORT_TICK: Duration = Duration::from_millis(10);

/// What ends a child before its time.
pub(super) struct Limits<'a> {
    pub(super) deadline: Option<Instant>,
    pub(super) cancelled: Option<&'a dyn Fn() -> bool>,
    pub(super) bytes: usize,
}

impl Limits<'_> {
    fn passed(&self, written: usize) -> Option<RunError> {
        if written > self.bytes {
            return Some(RunError::TooMuchOutput(self.bytes));
        }
        if self.cancelled.is_some_and(|c| c()) {
            return Some(RunError::Cancelled);
        }
        if self.deadline.is_some_and(|d| Instant::now() >= d) {
            return Some(RunError::TimedOut);
        }
        None
    }

    fn wait(&self, longest: Duration) -> Duration {
        match self.deadline {
            Some(d) => longest.min(d.saturating_duration_since(Instant::now())),
            None => longest,
        }
    }
}

/// The pipes of a child, and what has gone through them.
struct Pipes<'a> {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    input: &'a [u8],
    out: Vec<u8>,
    err: Vec<u8>,
}

/// Runs the child to its end. Pipes that are still open when it ended (a daemon that it left behind holds them) are
/// emptied once and closed.
pub(super) fn drive(
    child: &mut Child,
    input: &[u8],
    limits: &Limits<'_>,
) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), RunError> {
    let mut pipes = Pipes {
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
        input,
        out: Vec::new(),
        err: Vec::new(),
    };
    let pidfd =
        Pid::from_raw(child.id() as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let outcome = pump(child, &mut pipes, pidfd.as_ref(), limits);
    match outcome {
        Ok(status) => Ok((status, pipes.out, pipes.err)),
        Err(e) => {
            drop(pipes);
            end_group(child).map_err(RunError::Wait)?;
            Err(e)
        }
    }
}

fn pump(
    child: &mut Child,
    pipes: &mut Pipes<'_>,
    pidfd: Option<&OwnedFd>,
    limits: &Limits<'_>,
) -> Result<ExitStatus, RunError> {
    pipes.set_nonblocking().map_err(RunError::Wait)?;
    let mut ended = None;
    loop {
        if ended.is_none() {
            ended = child.try_wait().map_err(RunError::Wait)?;
        }
        let wait = match ended {
            Some(_) => Duration::ZERO,
            None if pidfd.is_some() => limits.wait(TICK),
            None => limits.wait(SHORT_TICK),
        };
        let moved = pipes
            .wait_and_move(pidfd.filter(|_| ended.is_none()), wait, limits.bytes)
            .map_err(RunError::Wait)?;
        if let Some(status) = ended
            && (!moved || pipes.closed())
        {
            return match pipes.written() > limits.bytes {
                true => Err(RunError::TooMuchOutput(limits.bytes)),
                false => Ok(status),
            };
        }
        if let Some(e) = limits.passed(pipes.written()) {
            return Err(e);
        }
    }
}

impl Pipes<'_> {
    fn set_nonblocking(&self) -> io::Result<()> {
        let fds: [Option<BorrowedFd<'_>>; 3] = [
            self.stdin.as_ref().map(AsFd::as_fd),
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
        ];
        for fd in fds.into_iter().flatten() {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(())
    }

    fn closed(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    fn written(&self) -> usize {
        self.out.len() + self.err.len()
    }

    /// Waits until something can move, and moves it. Whether output came.
    fn wait_and_move(
        &mut self,
        pidfd: Option<&OwnedFd>,
        wait: Duration,
        limit: usize,
    ) -> io::Result<bool> {
        if self.input.is_empty() {
            self.stdin = None;
        }
        let mut fds = Vec::with_capacity(4);
        if let Some(fd) = &self.stdin {
            fds.push(PollFd::new(fd, PollFlags::OUT));
        }
        if let Some(fd) = &self.stdout {
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        if let Some(fd) = &self.stderr {
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        if let Some(fd) = pidfd {
            fds.push(PollFd::new(fd, PollFlags::IN));
        }
        let timeout = Timespec {
            tv_sec: wait.as_secs() as _,
            tv_nsec: wait.subsec_nanos() as _,
        };
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        self.feed()?;
        let before = self.written();
        let room = limit.saturating_sub(before) + 1;
        if drain(&mut self.stdout, &mut self.out, room)? {
            self.stdout = None;
        }
        let room = limit.saturating_sub(self.written()) + 1;
        if drain(&mut self.stderr, &mut self.err, room)? {
            self.stderr = None;
        }
        Ok(self.written() > before)
    }

    fn feed(&mut self) -> io::Result<()> {
        let Some(stdin) = &mut self.stdin else {
            return Ok(());
        };
        match stdin.write(self.input) {
            Ok(n) => self.input = &self.input[n..],
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            // The child does not want the rest.
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.stdin = None,
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// Reads what is there, at most `room` bytes. Whether the pipe is closed.
fn drain(pipe: &mut Option<impl Read>, into: &mut Vec<u8>, room: usize) -> io::Result<bool> {
    let Some(pipe) = pipe else {
        return Ok(false);
    };
    let mut buffer = [0u8; 64 << 10];
    let mut left = room;
    while left > 0 {
        let most = buffer.len().min(left);
        match pipe.read(&mut buffer[..most]) {
            Ok(0) => return Ok(true),
            Ok(n) => {
                into.extend_from_slice(&buffer[..n]);
                left -= n;
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(false)
}

/// Ends the child's process group: TERM, time to tidy up, KILL.
fn end_group(child: &mut Child) -> io::Result<()> {
    let Some(group) = Pid::from_raw(child.id() as i32) else {
        return Ok(());
    };
    let _ = kill_process_group(group, Signal::TERM);
    let until = Instant::now() + GRACE;
    // The child is a zombie until it is waited for, so the group's number cannot belong to somebody else meanwhile.
    while Instant::now() < until && !leader_ended(group) {
        std::thread::sleep(SHORT_TICK);
    }
    let _ = kill_process_group(group, Signal::KILL);
    child.wait().map(|_| ())
}

/// Whether the leader of the group has ended, without taking its status.
fn leader_ended(leader: Pid) -> bool {
    use rustix::process::{WaitId, WaitIdOptions, waitid};
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(leader), options), Ok(None))
}
