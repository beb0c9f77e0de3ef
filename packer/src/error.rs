//! What can go wrong when packing, with the file that it went wrong with.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustle_formats::artifact::{ArtifactError, PathError};

/// Why packing, or reading an artifact on the packing side, failed.
#[derive(Debug)]
pub enum PackError {
    /// A file or folder could not be read, written or made.
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// An asset's name breaks the rules for names.
    Name {
        /// The name.
        name: String,
        /// The rule.
        source: PathError,
    },
    /// Two assets with different contents have one name.
    Twice(String),
    /// A file changed while it was being packed.
    Changed(PathBuf),
    /// A file is neither a regular file, a folder nor a symbolic link.
    Special(PathBuf),
    /// A file is not what the plan says of it.
    Mismatch {
        /// The asset's name.
        name: String,
        /// What differs.
        what: String,
    },
    /// The runner cannot take a payload.
    Stub(String),
    /// There is no runner for a target.
    NoStub(String),
    /// What was asked for cannot be done.
    Request(String),
    /// An artifact was refused.
    Artifact {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ArtifactError,
    },
}

impl PackError {
    pub(crate) fn io<'a>(
        doing: &'static str,
        path: &'a Path,
    ) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn artifact(path: &Path) -> impl FnOnce(ArtifactError) -> Self + '_ {
        move |source| Self::Artifact {
            path: path.to_owned(),
            source,
        }
    }
}

impl fmt::Display for PackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io {
                doing,
                path,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
            Self::Name { name, source } => write!(f, "the asset {name:?}: {source}"),
            Self::Twice(name) => write!(f, "two different assets are called {name:?}"),
            Self::Changed(path) => {
                write!(f, "{} changed while it was being packed", path.display())
            }
            Self::Special(path) => {
                write!(
                    f,
                    "{} is neither a file, a folder nor a symbolic link",
                    path.display()
                )
            }
            Self::Mismatch { name, what } => {
                write!(f, "the asset {name:?} is not what the plan says: {what}")
            }
            Self::Stub(what) => write!(f, "the runner cannot take a payload: {what}"),
            Self::NoStub(what) => f.write_str(what),
            Self::Request(what) => f.write_str(what),
            Self::Artifact { path, source } => write!(f, "{}: {source}", path.display()),
        }
    }
}

impl std::error::Error for PackError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Name { source, .. } => Some(source),
            Self::Artifact { source, .. } => Some(source),
            _ => None,
        }
    }
}
