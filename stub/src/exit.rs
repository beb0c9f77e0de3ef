//! Exit codes. Up to 63 they are ansible-playbook's; from 64 on the artifact's own, one for each thing that scripts may want
//! to tell apart.

use std::fmt;

use rustle_formats::artifact::ArtifactError;

/// All went well.
pub const OK: u8 = 0;
/// The run could not go on because of a mistake in the plan or the options.
pub const ERROR: u8 = 1;
/// The command line was not understood.
pub const USAGE: u8 = 64;
/// The artifact is damaged.
pub const DAMAGED: u8 = 65;
/// The payload is not where the runner says: stripped or truncated.
pub const MISSING: u8 = 66;
/// Nothing was packed into this runner.
pub const BARE: u8 = 67;
/// The artifact is for another target, machine or version.
pub const UNFIT: u8 = 68;
/// Not signed, or not by a trusted key.
pub const UNTRUSTED: u8 = 69;
/// Secrets cannot be opened: no key, or the wrong one.
pub const LOCKED_SECRETS: u8 = 70;
/// Another run is under way on this machine.
pub const BUSY: u8 = 75;
/// A file could not be read or written.
pub const IO: u8 = 74;

/// For the help: code and meaning.
pub const MEANINGS: &[(u8, &str)] = &[
    (OK, "all went well"),
    (
        ERROR,
        "a mistake in the plan or in what was given on the command line",
    ),
    (2, "tasks failed, or the time was up"),
    (4, "hosts could not be reached"),
    (USAGE, "the command line was not understood"),
    (DAMAGED, "the artifact is damaged"),
    (MISSING, "payload missing: stripped or truncated"),
    (BARE, "a bare runner: nothing is packed into it"),
    (UNFIT, "made for another target or by another version"),
    (UNTRUSTED, "not signed, or by no trusted key"),
    (
        LOCKED_SECRETS,
        "secrets cannot be opened: no key, or the wrong one",
    ),
    (IO, "a file cannot be read or written"),
    (BUSY, "another run is under way on this machine"),
    (99, "interrupted (SIGINT)"),
    (129, "ended by SIGHUP"),
    (143, "ended by SIGTERM"),
];

/// Why the program ends without having run the plan: a sentence for people, a code for programs.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// The sentence.
    pub message: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: u8, message: impl Into<String>) -> Failure {
        Failure {
            code,
            message: message.into(),
        }
    }

    /// A file that could not be read or written.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Failure {
        Failure::new(IO, format!("{what}: {error}"))
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Failure {
        let code = match &error {
            ArtifactError::Io(_) => IO,
            ArtifactError::NotAnArtifact | ArtifactError::Empty => BARE,
            ArtifactError::PayloadMissing | ArtifactError::SidecarMissing => MISSING,
            ArtifactError::Unsupported(_) => UNFIT,
            ArtifactError::Damaged(_) | ArtifactError::Malformed(_) => DAMAGED,
            ArtifactError::NotFound(_) | ArtifactError::NotAFile(_) => ERROR,
        };
        Failure::new(code, error.to_string())
    }
}
