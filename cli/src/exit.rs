//! The exit codes, in one place: what a script may rely on.
//!
//! Below 64 they are ansible-playbook's; from 64 on they are the same as those of an artifact, so that whoever watches
//! the one knows the other.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is done.
    Done = 0,
    /// The plan, or what else was read, is refused.
    Plan = 1,
    /// The command line of a command of Ansible's is wrong, as it ends there.
    AnsibleUsage = 2,
    /// `diff`: the artifacts differ.
    Differs = 3,
    /// A playbook, or a file of variables, is refused. `push`: a host is unreachable.
    Refused = 4,
    /// Options that do not go together, or a setting that is wrong.
    Options = 5,
    /// The command line is wrong.
    Usage = 64,
    /// The artifact is damaged.
    Damaged = 65,
    /// The artifact's payload or sidecar is not there.
    PayloadMissing = 66,
    /// The file is no artifact, or a runner into which nothing was packed.
    NoArtifact = 67,
    /// The artifact is of another version.
    Unfit = 68,
    /// The artifact is not signed by a trusted key.
    Untrusted = 69,
    /// A key or a secret is missing or wrong.
    Key = 70,
    /// A file that the plan needs is missing, or is not what the plan says.
    Asset = 71,
    /// There is no runner for the target.
    Stub = 72,
    /// A file, a folder or the machine did not do what was needed.
    Machine = 74,
}

/// The table that `--help` prints.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  done                             66  payload or sidecar missing
   1  what was read is refused         67  no artifact, or nothing packed into it
   2  a task failed                    68  the artifact is of another version
   3  diff: the artifacts differ       69  not signed by a trusted key
   4  playbook refused; push: a host   70  a key or a secret is missing or wrong
      is unreachable                   71  an asset is missing or not as the plan says
   5  wrong options or settings        72  no runner for the target
  64  wrong command line               74  a file or the machine failed
  65  the artifact is damaged";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
