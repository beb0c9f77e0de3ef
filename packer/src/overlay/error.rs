//! What can go wrong with secrets and overlays when packing, with the task and the secret that it went wrong with.

use std::path::PathBuf;
use std::{fmt, io};

use rustle_formats::seal::SealError;

/// Something in a plan that cannot work with the secrets that it declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretProblem {
    /// Two secrets have one name.
    Twice(String),
    /// A secret's name is empty or too long.
    Name(String),
    /// A secret names no source, or two.
    Source(String),
    /// A secret is for a host that the plan does not know.
    UnknownHost {
        /// The secret.
        secret: String,
        /// The host.
        host: String,
    },
    /// Something refers to a secret that the plan does not declare.
    Undeclared {
        /// What refers to it.
        user: String,
        /// The secret.
        secret: String,
    },
    /// Something runs on a host that does not receive a secret to which it refers.
    Withheld {
        /// What refers to it.
        user: String,
        /// The secret.
        secret: String,
        /// The first such host; empty: any host.
        host: String,
    },
}

impl fmt::Display for SecretProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SecretProblem::Twice(name) => write!(f, "the secret {name:?} is declared twice"),
            SecretProblem::Name(name) => {
                write!(f, "{name:?} cannot be a secret's name (1 to 4096 bytes)")
            }
            SecretProblem::Source(name) => {
                write!(
                    f,
                    "the secret {name:?} needs either `file` or `env` to say where it comes from"
                )
            }
            SecretProblem::UnknownHost { secret, host } => write!(
                f,
                "the secret {secret:?} is for the host {host:?}, which the plan does not have"
            ),
            SecretProblem::Undeclared { user, secret } => {
                write!(f, "{user}: the plan does not declare the secret {secret:?}")
            }
            SecretProblem::Withheld { user, secret, host } if host.is_empty() => write!(
                f,
                "{user}: only certain hosts receive the secret {secret:?}"
            ),
            SecretProblem::Withheld { user, secret, host } => write!(
                f,
                "{user}: the host {host:?} does not receive the secret {secret:?}"
            ),
        }
    }
}

/// Why an overlay could not be built.
#[derive(Debug)]
pub enum OverlayBuildError {
    /// The plan's secrets cannot work. Never empty.
    Plan(Vec<SecretProblem>),
    /// A secret's file could not be read.
    File {
        /// The secret.
        secret: String,
        /// Its file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A secret's environment variable is not set.
    Env {
        /// The secret.
        secret: String,
        /// The variable.
        variable: String,
    },
    /// A secret has more bytes than a secret may have.
    TooLong(String),
    /// An overlay was asked for a host that the plan does not have.
    UnknownHost(String),
    /// There is something secret, and nothing to seal it for.
    NoLock(String),
    /// Sealing failed.
    Seal(SealError),
}

impl fmt::Display for OverlayBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OverlayBuildError::Plan(problems) => {
                for (i, problem) in problems.iter().enumerate() {
                    let end = if i == 0 { "" } else { "\n" };
                    write!(f, "{end}{problem}")?;
                }
                Ok(())
            }
            OverlayBuildError::File {
                secret,
                path,
                source,
            } => write!(
                f,
                "cannot read the secret {secret:?} from {}: {source}",
                path.display()
            ),
            OverlayBuildError::Env { secret, variable } => write!(
                f,
                "the secret {secret:?} comes from the environment variable {variable}, which is not set"
            ),
            OverlayBuildError::TooLong(secret) => {
                write!(f, "the secret {secret:?} is longer than 16 MiB")
            }
            OverlayBuildError::UnknownHost(host) => {
                write!(f, "the plan does not have the host {host:?}")
            }
            OverlayBuildError::NoLock(what) => write!(
                f,
                "the plan has {what}: give a key, a passphrase or a recipient to seal it for"
            ),
            OverlayBuildError::Seal(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OverlayBuildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OverlayBuildError::File { source, .. } => Some(source),
            OverlayBuildError::Seal(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SealError> for OverlayBuildError {
    fn from(error: SealError) -> Self {
        OverlayBuildError::Seal(error)
    }
}
