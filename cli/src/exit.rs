//! The exit codes, in one place: what a script may rely on.
//!
//! 0, 2 and 4 are ansible-playbook's, so that whoever watches a run need not learn anything.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All is done.
    Done = 0,
    /// A file, a folder or the machine did not do what was needed.
    Machine = 1,
    /// `push`: a task failed on a host.
    TaskFailed = 2,
    /// `push`: a host could not be reached.
    Unreachable = 4,
    /// The command line is wrong.
    Usage = 5,
    /// The plan is refused.
    Plan = 10,
    /// A file that the plan needs is missing, or is not what the plan says.
    Asset = 11,
    /// A key or a secret is missing or wrong.
    Key = 12,
    /// There is no runner for the target.
    Stub = 13,
    /// The artifact is damaged, or is no artifact.
    Damaged = 20,
    /// The artifact is not signed by a trusted key.
    Untrusted = 21,
    /// The artifact is of another version.
    Unfit = 22,
    /// `diff`: the artifacts differ.
    Differs = 30,
}

/// The table that `--help` prints.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  done                         11  an asset is missing or not as the plan says
   1  a file or the machine        12  a key or a secret is missing or wrong
   2  push: a task failed          13  no runner for the target
   4  push: a host is unreachable  20  the artifact is damaged, or is none
   5  wrong command line           21  not signed by a trusted key
  10  the plan is refused          22  the artifact is of another version
                                   30  diff: the artifacts differ";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}
