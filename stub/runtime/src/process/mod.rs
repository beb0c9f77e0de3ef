//! Running child processes.
//!
//! A child gets the process's own environment with the task's on top, no controlling terminal (a program that asks on
//! `/dev/tty` fails at once instead of hanging the run), and `/dev/null` or the given bytes as its input. Both outputs
//! are drained at the same time. It leads a process group of its own, so that a time limit or a cancelled run ends
//! what it started too: first TERM, then KILL.

mod drive;
mod environment;
mod lookup;
mod words;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustle_formats::Value;

use crate::context::Context;
use crate::hardening;
use crate::outcome::Failure;

pub use environment::{expand, expand_user, expand_variables, variable};
pub use lookup::{find_program, program};
pub use words::{join, quote, split};

/// How many bytes of output are kept in memory, both streams together.
pub const OUTPUT_LIMIT: usize = 256 << 20;

/// A child that is to be run.
pub struct Run<'a> {
    argv: Vec<OsString>,
    chdir: Option<&'a Path>,
    env: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    umask: Option<u32>,
    deadline: Option<Instant>,
    cancelled: Option<&'a dyn Fn() -> bool>,
    limit: usize,
}

/// A child that ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Its exit code, or the number of the signal that ended it, negative.
    pub rc: i32,
    /// What it wrote to its output.
    pub stdout: Vec<u8>,
    /// What it wrote to its error output.
    pub stderr: Vec<u8>,
    /// How long it ran.
    pub elapsed: Duration,
}

/// Why a child did not run to its end.
#[derive(Debug)]
pub enum RunError {
    /// It could not be started.
    Start(OsString, io::Error),
    /// Its pipes or its end could not be waited for.
    Wait(io::Error),
    /// The time was up, and it was killed.
    TimedOut,
    /// The run was cancelled, and it was killed.
    Cancelled,
    /// It wrote more than is kept, and it was killed.
    TooMuchOutput(usize),
}

impl<'a> Run<'a> {
    /// A child with this program, found in PATH where it has no slash.
    pub fn new(program: impl AsRef<OsStr>) -> Run<'a> {
        Run {
            argv: vec![program.as_ref().to_owned()],
            chdir: None,
            env: Vec::new(),
            stdin: None,
            umask: None,
            deadline: None,
            cancelled: None,
            limit: OUTPUT_LIMIT,
        }
    }

    /// A child that runs a script by a shell.
    pub fn shell(shell: impl AsRef<OsStr>, script: impl AsRef<OsStr>) -> Run<'a> {
        Run::new(shell).arg("-c").arg(script)
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.argv.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.argv
            .extend(args.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// The folder that it starts in. A relative program is looked for from there.
    #[must_use]
    pub fn chdir(mut self, dir: &'a Path) -> Self {
        self.chdir = Some(dir);
        self
    }

    /// Sets a variable, on top of the inherited ones.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env
            .push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// What it reads from its input.
    #[must_use]
    pub fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Its umask.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = Some(umask);
        self
    }

    /// When it must be done.
    #[must_use]
    pub fn deadline(mut self, deadline: Option<Instant>) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many bytes it may write.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Takes environment, deadline and cancellation from the task.
    #[must_use]
    pub fn within(mut self, ctx: &'a Context<'_>) -> Self {
        for (name, value) in ctx.environment {
            self.env.push((name.into(), value.into()));
        }
        self.deadline = ctx.deadline;
        self.cancelled = Some(ctx.cancelled);
        self
    }

    /// In the C locale, for a tool whose output is read.
    #[must_use]
    pub fn plain(self) -> Self {
        self.env("LANG", "C.UTF-8")
            .env("LC_ALL", "C.UTF-8")
            .env("LC_MESSAGES", "C.UTF-8")
            .env("LANGUAGE", "C")
    }

    /// Its program and arguments as a shell would be given them.
    pub fn command_line(&self) -> String {
        join(self.argv.iter().map(|a| a.to_string_lossy()))
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Where it cannot be started, or was killed because of a limit.
    pub fn run(self) -> Result<Done, RunError> {
        let begun = Instant::now();
        let Some((program, args)) = self.argv.split_first() else {
            return Err(RunError::Start(
                OsString::new(),
                io::Error::other("no command given"),
            ));
        };
        let mut command = Command::new(program);
        command
            .args(args)
            .envs(self.env.iter().map(|(n, v)| (n, v)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(match self.stdin {
                Some(_) => Stdio::piped(),
                None => no_input(),
            });
        if let Some(dir) = self.chdir {
            command.current_dir(dir);
        }
        detach(&mut command, self.umask);
        let mut child = command
            .spawn()
            .map_err(|e| RunError::Start(program.clone(), e))?;
        let limits = drive::Limits {
            deadline: self.deadline,
            cancelled: self.cancelled,
            bytes: self.limit,
        };
        let (status, stdout, stderr) = drive::drive(
            &mut child,
            self.stdin.as_deref().unwrap_or_default(),
            &limits,
        )?;
        Ok(Done {
            rc: exit_code(status),
            stdout,
            stderr,
            elapsed: begun.elapsed(),
        })
    }
}

/// Cuts the child off from our process group and, where there is one, from the controlling terminal. Without a terminal
/// and a umask the standard library can use its fast path, which does not copy this process.
fn detach(command: &mut Command, umask: Option<u32>) {
    let terminal = environment::has_terminal();
    if !terminal {
        command.process_group(0);
    }
    let lowered = hardening::has_lowered_core_limit();
    if terminal || umask.is_some() || lowered {
        // SAFETY: the closure runs between fork and exec; it makes three system calls, all async-signal-safe, and
        // touches no memory but its own copies and one static that was written before.
        unsafe {
            command.pre_exec(move || {
                if terminal {
                    rustix::process::setsid()?;
                }
                if lowered {
                    // A program with a limit that is too low is still better than none.
                    let _ = hardening::restore_core_limit();
                }
                if let Some(mask) = umask {
                    rustix::process::umask(rustix::fs::Mode::from_raw_mode(mask as _));
                }
                Ok(())
            });
        }
    }
}

fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => -signal,
        (None, None) => -1,
    }
}

impl Done {
    /// Whether it ended with zero.
    pub fn ok(&self) -> bool {
        self.rc == 0
    }

    /// Its output as text; bytes that are no UTF-8 are replaced.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its error output as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// What it said: the error output, or else the output, trimmed.
    pub fn said(&self) -> String {
        let err = self.err();
        match err.trim() {
            "" => self.out().trim().to_owned(),
            text => text.to_owned(),
        }
    }

    /// A failure with this message and the child's return values.
    pub fn failure(&self, msg: impl Into<String>) -> Failure {
        let (out, err) = (self.out(), self.err());
        Failure::new(msg)
            .with("rc", i64::from(self.rc))
            .with("stdout_lines", lines(&out))
            .with("stderr_lines", lines(&err))
            .with("stdout", out)
            .with("stderr", err)
    }
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RunError::Start(program, e) => {
                write!(f, "{}: '{}'", errno_text(e), program.to_string_lossy())
            }
            RunError::Wait(e) => write!(f, "cannot wait for the process: {}", errno_text(e)),
            RunError::TimedOut => {
                f.write_str("the task's time was up, the process and its children were killed")
            }
            RunError::Cancelled => {
                f.write_str("the run was stopped, the process and its children were killed")
            }
            RunError::TooMuchOutput(limit) => {
                write!(
                    f,
                    "the process wrote more than {limit} bytes and was killed"
                )
            }
        }
    }
}

impl std::error::Error for RunError {}

impl From<RunError> for Failure {
    fn from(e: RunError) -> Failure {
        let rc = e.rc();
        Failure::new(format!("Error executing command: {e}")).with("rc", rc)
    }
}

impl RunError {
    /// The code that stands for it among return values: the system's error number where there is one.
    pub fn rc(&self) -> i64 {
        match self {
            RunError::Start(_, e) | RunError::Wait(e) => e.raw_os_error().map_or(257, i64::from),
            _ => 257,
        }
    }
}

/// A system error with its number in front, `[Errno 2] No such file or directory`.
pub fn errno_text(e: &io::Error) -> String {
    let text = e.to_string();
    match e.raw_os_error() {
        Some(number) => {
            let suffix = format!(" (os error {number})");
            format!("[Errno {number}] {}", text.trim_end_matches(&suffix))
        }
        None => text,
    }
}

/// The lines of a text as `stdout_lines` has them: all of Unicode's line ends count, and none is kept.
pub fn lines(text: &str) -> Value {
    let mut out: Vec<Value> = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.find([
            '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}',
        ]);
        let Some(end) = end else {
            out.push(rest.into());
            break;
        };
        out.push(rest[..end].into());
        let tail = &rest[end..];
        let skip = if tail.starts_with("\r\n") {
            2
        } else {
            tail.chars().next().map_or(1, char::len_utf8)
        };
        rest = &tail[skip..];
    }
    Value::List(out)
}

/// An input that is at its end. A bare chroot has no `/dev/null`; a pipe that nobody writes to does as well.
pub(crate) fn no_input() -> Stdio {
    if std::path::Path::new("/dev/null").exists() {
        return Stdio::null();
    }
    io::pipe().map_or_else(|_| Stdio::inherit(), |(reader, _)| reader.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Run<'static> {
        Run::shell("/bin/sh", script)
    }

    #[test]
    fn captures_both_streams_and_the_code() {
        let done = sh("cat; echo e >&2; exit 3").stdin(b"in".to_vec()).run();
        let done = done.expect("sh runs");
        assert_eq!(
            (done.rc, done.out(), done.err()),
            (3, "in".into(), "e\n".into())
        );
        assert_eq!(sh("kill -9 $$").run().expect("sh runs").rc, -9);
    }

    #[test]
    fn large_streams_do_not_block_each_other() {
        let input = vec![b'x'; 3_000_000];
        let done = sh("head -c 2000000 /dev/zero >&2; cat; head -c 1000000 /dev/zero >&2")
            .stdin(input)
            .run()
            .expect("sh runs");
        assert_eq!(
            (done.stdout.len(), done.stderr.len()),
            (3_000_000, 3_000_000)
        );
    }

    #[test]
    fn input_that_nobody_reads_is_no_error() {
        let done = sh("exec <&-; exit 0").stdin(vec![0; 1 << 20]).run();
        assert_eq!(done.expect("sh runs").rc, 0);
    }

    #[test]
    fn a_background_child_does_not_keep_us() {
        let begun = Instant::now();
        let done = sh("sleep 30 & echo $!").run().expect("sh runs");
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!(done.rc, 0);
        let _ = Run::new("kill").arg(done.out().trim()).run();
    }

    #[test]
    fn the_deadline_kills_the_group() {
        let dir = tempfile::tempdir().expect("a folder");
        let script = format!(
            "(trap '' TERM; sleep 3; touch {}/late) & sleep 60",
            dir.path().display()
        );
        let begun = Instant::now();
        let result = sh(&script)
            .deadline(Some(Instant::now() + Duration::from_millis(100)))
            .run();
        assert!(matches!(result, Err(RunError::TimedOut)), "{result:?}");
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(3500));
        assert!(!dir.path().join("late").exists());
    }

    #[test]
    fn bounds_output_and_honours_cancellation() {
        let result = sh("cat /dev/zero").limit(100_000).run();
        assert!(
            matches!(result, Err(RunError::TooMuchOutput(100_000))),
            "{result:?}"
        );
        let mut run = sh("sleep 60");
        run.cancelled = Some(&|| true);
        assert!(matches!(run.run(), Err(RunError::Cancelled)));
    }

    #[test]
    fn umask_folder_and_variables() {
        let done = sh("umask; pwd; echo $A")
            .umask(0o27)
            .chdir(Path::new("/usr"))
            .env("A", "b")
            .run()
            .expect("sh runs");
        assert_eq!(done.out(), "0027\n/usr\nb\n");
    }

    #[test]
    fn what_cannot_start_says_so() {
        let e = Run::new("no-such-program-here")
            .run()
            .expect_err("is not there");
        assert_eq!(e.rc(), 2);
        assert_eq!(
            e.to_string(),
            "[Errno 2] No such file or directory: 'no-such-program-here'"
        );
    }

    #[test]
    fn lines_as_python_splits_them() {
        let v = lines("a\r\nb\rc\x0cd\n\n");
        assert_eq!(v, Value::from(vec!["a", "b", "c", "d", ""]));
        assert_eq!(lines(""), Value::List(vec![]));
    }
}
