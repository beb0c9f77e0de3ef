//! A module in a child process: to be another user, or to be stopped when its time is up.
//!
//! The child is a fork of this process, without exec: nothing has to be found, copied or made readable for the other
//! user. Its result comes back through a pipe.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::r#become::Identity;
use crate::outcome::{Failure, ModuleResult, Outcome};

/// The longest result that a child may send.
const MAX_RESULT: u64 = 256 << 20;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum End {
    /// The time was up.
    TimedOut,
    /// The run was told to stop.
    Cancelled,
    /// The child ended without a result, or could not be started; the sentence says how.
    Died(String),
    /// Nothing answered while it was started; the sentence says what was printed.
    Unreachable(String),
}

impl End {
    /// Why there is no result.
    pub(crate) fn sentence(self) -> String {
        match self {
            End::Died(why) | End::Unreachable(why) => why,
            End::TimedOut | End::Cancelled => "the task was told to stop".into(),
        }
    }
}

/// A result on its way through the pipe.
#[derive(Serialize, Deserialize)]
struct Wire {
    failed: Option<String>,
    outcome: Outcome,
}

/// Runs `body` in a child process, as `identity` if given.
pub(crate) fn run(
    identity: Option<&Identity>,
    deadline: Option<Instant>,
    cancelled: &dyn Fn() -> bool,
    body: &dyn Fn() -> ModuleResult,
) -> Result<ModuleResult, End> {
    let died = |e: std::io::Error| End::Died(format!("cannot start a process for the task: {e}"));
    let (reader, writer) =
        rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(|e| died(e.into()))?;
    // SAFETY: the child calls only this crate's code and ends with `_exit`, so nothing of the parent's runs twice.
    // Other threads of the parent hold no lock that the child needs: libc keeps its own allocator usable over fork.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(died(std::io::Error::last_os_error())),
        0 => {
            drop(reader);
            in_child(identity, writer, body)
        }
        pid => {
            drop(writer);
            let end = wait(pid, reader, deadline, cancelled);
            reap(pid);
            end
        }
    }
}

/// The child's whole life.
fn in_child(identity: Option<&Identity>, writer: OwnedFd, body: &dyn Fn() -> ModuleResult) -> ! {
    own_group();
    let assumed = identity.map_or(Ok(()), Identity::assume);
    // Changing the user made the kernel forget it.
    end_with_parent();
    let result = match assumed {
        Ok(()) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(body))
            .unwrap_or_else(|_| Err(Failure::new("the module broke off with an internal error"))),
        Err(message) => Err(Failure::new(message)),
    };
    let sent = sealed(result).and_then(|bytes| std::fs::File::from(writer).write_all(&bytes));
    exit(i32::from(sent.is_err()))
}

/// A result as it goes through a pipe.
pub(crate) fn sealed(result: ModuleResult) -> std::io::Result<Vec<u8>> {
    let wire = match result {
        Ok(outcome) => Wire {
            failed: None,
            outcome,
        },
        Err(failure) => Wire {
            failed: Some(failure.msg),
            outcome: Outcome {
                fields: failure.fields,
                ..Outcome::default()
            },
        },
    };
    postcard::to_stdvec(&wire).map_err(std::io::Error::other)
}

/// What [`sealed`] was given.
pub(crate) fn unsealed(bytes: &[u8]) -> Result<ModuleResult, End> {
    match postcard::from_bytes::<Wire>(bytes) {
        Ok(wire) => Ok(match wire.failed {
            None => Ok(wire.outcome),
            Some(msg) => Err(Failure {
                msg,
                fields: wire.outcome.fields,
            }),
        }),
        Err(_) => Err(End::Died(
            "the task's process ended without a result (killed, or out of memory?)".into(),
        )),
    }
}

/// Ends this process at once: no destructors, no buffers of the parent's.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: `_exit` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// Makes the child the head of a process group, so that whatever it starts can be ended with it; it ends with its
/// parent, and takes signals as programs do.
fn own_group() {
    // SAFETY: plain system calls on this process alone.
    unsafe {
        libc::setpgid(0, 0);
        default_signals();
    }
    end_with_parent();
}

/// The system ends this child when its parent ends.
fn end_with_parent() {
    // SAFETY: a plain system call on this process alone.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
}

/// Takes back what the program wants to know of signals.
///
/// # Safety
/// Only in a child process that has one thread.
pub(crate) unsafe fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        // SAFETY: restoring default dispositions is always sound.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

/// Reads the result until the child has closed its end, or must be ended.
fn wait(
    pid: libc::pid_t,
    reader: OwnedFd,
    deadline: Option<Instant>,
    cancelled: &dyn Fn() -> bool,
) -> Result<ModuleResult, End> {
    let mut bytes = Vec::new();
    let mut file = std::fs::File::from(reader);
    let mut chunk = vec![0u8; 64 << 10];
    loop {
        if cancelled() {
            kill(pid);
            return Err(End::Cancelled);
        }
        let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
        if left.is_some_and(|l| l.is_zero()) {
            kill(pid);
            return Err(End::TimedOut);
        }
        let slice = left
            .unwrap_or(Duration::MAX)
            .min(Duration::from_millis(100))
            .max(Duration::from_millis(1));
        if !readable(file.as_raw_fd(), slice) {
            continue;
        }
        match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(End::Died(format!("cannot read the task's result: {e}"))),
        }
        if bytes.len() as u64 > MAX_RESULT {
            kill(pid);
            return Err(End::Died("the task's result is larger than 256 MiB".into()));
        }
    }
    unsealed(&bytes)
}

fn readable(fd: i32, span: Duration) -> bool {
    let mut poll = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let millis = i32::try_from(span.as_millis()).unwrap_or(100);
    // SAFETY: one valid pollfd.
    unsafe { libc::poll(&raw mut poll, 1, millis) > 0 }
}

/// Ends the child and whatever it started.
fn kill(pid: libc::pid_t) {
    // SAFETY: the child is not reaped yet, so the number is still its own.
    unsafe {
        libc::kill(-pid, libc::SIGKILL);
        libc::kill(pid, libc::SIGKILL);
    }
}

pub(crate) fn reap(pid: libc::pid_t) {
    let mut status = 0;
    // SAFETY: waits for our own child.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1
        && std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
    {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_back() {
        let ok = run(None, None, &|| false, &|| {
            Ok(Outcome::changed(true).with("x", 1))
        });
        assert_eq!(ok, Ok(Ok(Outcome::changed(true).with("x", 1))));
        let failure = Failure::new("no").with("rc", 3);
        let failed = run(None, None, &|| false, &|| Err(failure.clone()));
        assert_eq!(failed, Ok(Err(failure)));
    }

    #[test]
    fn a_slow_child_is_ended() {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(100);
        let end = run(None, Some(deadline), &|| false, &|| {
            std::thread::sleep(Duration::from_secs(20));
            Ok(Outcome::ok())
        });
        assert_eq!(end, Err(End::TimedOut));
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    /// Root can become anybody; without root there is nothing to see.
    #[cfg(target_os = "linux")]
    #[test]
    fn another_user_is_as_protected_as_this_one() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can become another user");
            return;
        }
        let nobody = Identity {
            name: "somebody".into(),
            uid: 65_533,
            gid: 65_533,
            groups: vec![65_533],
            home: "/".into(),
            shell: "/bin/sh".into(),
            keeps_files: false,
        };
        let told = run(Some(&nobody), None, &|| false, &|| {
            let (mut signal, mut limit) = (0, [0u64; 2]);
            // SAFETY: a number that may be read, one that is written, and a structure of two numbers that is written.
            let dumpable = unsafe {
                libc::prctl(libc::PR_GET_PDEATHSIG, &raw mut signal);
                libc::getrlimit(libc::RLIMIT_CORE, limit.as_mut_ptr().cast());
                libc::prctl(libc::PR_GET_DUMPABLE)
            };
            Ok(Outcome::ok()
                .with("uid", i64::from(rustix::process::geteuid().as_raw()))
                .with("dumpable", i64::from(dumpable))
                .with("core", i64::try_from(limit[0]).unwrap_or(-1))
                .with("signal", i64::from(signal)))
        });
        let expected = Outcome::ok()
            .with("uid", 65_533)
            .with("dumpable", 0)
            .with("core", 0)
            .with("signal", i64::from(libc::SIGKILL));
        assert_eq!(told, Ok(Ok(expected)));
    }

    #[test]
    fn a_child_that_dies_is_told() {
        let end = run(None, None, &|| false, &|| exit(1));
        assert!(matches!(end, Err(End::Died(_))));
    }
}
