//! Keeps secrets out of core dumps and out of other processes' reach, as far as a process can ask for it.
//!
//! Secrets are wiped when they are no longer needed, but a crash comes before that. So the runner calls [`harden`] before it
//! opens anything sealed. A process that is not dumpable writes no core file, whatever the system's core pattern says, and
//! other processes of the same user can neither attach to it nor read its memory; the core limit says the same to systems
//! without that switch. Root can still do all of it, and swap is not covered.
//!
//! Programs that a task starts are not affected: a program that is executed is dumpable again by itself, and
//! [`restore_core_limit`], which `process` calls, gives it back the limit that its parent started with.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The core limit that the process was started with, once [`harden`] has lowered it.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// What [`harden`] could do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hardened {
    /// The process is not dumpable, and cannot be traced but by root. Always `false` outside Linux.
    pub not_dumpable: bool,
    /// The soft limit for core files is 0.
    pub no_core_files: bool,
}

/// Forbids core dumps of this process, and tracing it. What the system refuses is not done and said in the result; no
/// run should end for that.
///
/// A process that changes its user becomes dumpable again where `fs.suid_dumpable` says so: call this again after it.
///
/// Call it early: before threads are started and before anything secret is read. The soft limit is lowered only, so that
/// [`restore_core_limit`] can raise it again without privileges.
pub fn harden() -> Hardened {
    let before = getrlimit(Resource::Core);
    let wanted = Rlimit {
        current: Some(0),
        maximum: before.maximum,
    };
    let no_core_files = setrlimit(Resource::Core, wanted).is_ok();
    if no_core_files {
        // Only the first call saw the limit that the process was started with.
        BEFORE.get_or_init(|| before);
    }
    Hardened {
        not_dumpable: forbid_dumps(),
        no_core_files,
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn forbid_dumps() -> bool {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn forbid_dumps() -> bool {
    false
}

/// Whether [`harden`] lowered the core limit, so that programs need [`restore_core_limit`].
pub fn has_lowered_core_limit() -> bool {
    BEFORE.get().is_some()
}

/// Puts the core limit back to what it was before [`harden`], for a program that is about to be executed. Does nothing
/// when nothing was lowered.
///
/// May be called between `fork` and `exec` (`CommandExt::pre_exec`): it reads one initialised static and makes one system call; it
/// neither allocates nor takes a lock.
///
/// # Errors
/// What `setrlimit` says.
pub fn restore_core_limit() -> std::io::Result<()> {
    match BEFORE.get() {
        Some(before) => Ok(setrlimit(Resource::Core, *before)?),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt, ExitStatusExt};
    use std::process::{Command, Stdio};

    use super::*;

    /// Runs one of the ignored tests below in a process of its own: hardening cannot be undone.
    fn in_own_process(name: &str) -> std::process::Output {
        Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture", name])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    #[test]
    fn a_hardened_process_says_so_and_still_finds_itself() {
        let output = in_own_process("hardening::tests::child_checks_itself");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    }

    #[test]
    #[ignore = "run in a process of its own by a_hardened_process_says_so_and_still_finds_itself"]
    fn child_checks_itself() {
        let limit = getrlimit(Resource::Core);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Core, raised).unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "ulimit -S -c"]);
        let before = shell.output().unwrap().stdout;
        let done = harden();
        assert_eq!(harden(), done);
        assert!(done.no_core_files);
        assert_eq!(getrlimit(Resource::Core).current, Some(0));
        #[cfg(target_os = "linux")]
        {
            assert!(done.not_dumpable);
            // The runner reads its own payload through this link, and starts itself through it.
            let own = std::fs::File::open("/proc/self/exe").unwrap();
            assert!(own.metadata().unwrap().len() > 0);
        }
        // SAFETY: the function makes one system call and neither allocates nor locks, as it documents.
        unsafe { shell.pre_exec(restore_core_limit) };
        assert_eq!(shell.output().unwrap().stdout, before);
    }

    #[test]
    fn a_hardened_process_that_crashes_leaves_no_core() {
        let output = in_own_process("hardening::tests::child_aborts");
        assert_eq!(output.status.signal(), Some(6), "{:?}", output.status);
        assert!(!output.status.core_dumped());
    }

    #[test]
    #[ignore = "run in a process of its own by a_hardened_process_that_crashes_leaves_no_core"]
    fn child_aborts() {
        let limit = getrlimit(Resource::Core);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        setrlimit(Resource::Core, raised).unwrap();
        harden();
        // Even with the limit back, the process is not dumpable.
        restore_core_limit().unwrap();
        std::process::abort();
    }
}
