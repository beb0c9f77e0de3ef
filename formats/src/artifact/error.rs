//! What can be wrong with an artifact, told apart so that callers can choose an exit code.

use std::borrow::Cow;
use std::{fmt, io};

/// Why an artifact was refused.
#[derive(Debug)]
pub enum ArtifactError {
    /// The file could not be read.
    Io(io::Error),
    /// The file has no slot: it is neither a runner nor an artifact.
    NotAnArtifact,
    /// The file is a runner into which nothing was packed.
    Empty,
    /// The slot says that a payload is there, but it is not.
    PayloadMissing,
    /// The file was made for another version of the format, or uses what this reader does not know.
    Unsupported(Cow<'static, str>),
    /// Bytes do not have the digest that they should have.
    Damaged(Cow<'static, str>),
    /// Bytes break a rule of the format.
    Malformed(Cow<'static, str>),
    /// The sidecar file is needed and was not given.
    SidecarMissing,
    /// No asset has that path.
    NotFound(String),
    /// The asset is not a regular file (or a hard link to one).
    NotAFile(String),
}

impl ArtifactError {
    /// Shorthand for [`ArtifactError::Malformed`].
    pub(crate) fn malformed(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Malformed(what.into())
    }

    /// Shorthand for [`ArtifactError::Damaged`].
    pub(crate) fn damaged(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Damaged(what.into())
    }

    /// Shorthand for [`ArtifactError::Unsupported`].
    pub(crate) fn unsupported(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported(what.into())
    }
}

impl fmt::Display for ArtifactError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(e) => write!(f, "cannot read the artifact: {e}"),
            Self::NotAnArtifact => f.write_str("not a Rustle artifact"),
            Self::Empty => f.write_str("a bare runner: nothing was packed into it"),
            Self::PayloadMissing => f.write_str("payload missing (stripped or truncated?)"),
            Self::Unsupported(what) => write!(f, "unsupported artifact: {what}"),
            Self::Damaged(what) => write!(f, "damaged artifact: {what}"),
            Self::Malformed(what) => write!(f, "malformed artifact: {what}"),
            Self::SidecarMissing => {
                f.write_str("the artifact's data lies in a sidecar file, which is missing")
            }
            Self::NotFound(path) => write!(f, "no asset named {path}"),
            Self::NotAFile(path) => write!(f, "the asset {path} is not a file"),
        }
    }
}

impl std::error::Error for ArtifactError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(e) => Some(e),
            _ => None,
        }
    }
}

impl From<io::Error> for ArtifactError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}
