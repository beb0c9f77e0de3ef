//! What can go wrong with sealed data, so told apart that a person knows whether to fetch another key or another file.
//!
//! No variant carries a byte of a key or of a plaintext.

use std::fmt;

use crate::sign::KeyTextError;

/// Why a sealed section could not be made, read or opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealError {
    /// The bytes are not those that were written.
    Damaged(&'static str),
    /// The bytes end before the section does.
    Truncated,
    /// Written by another version of Rustle.
    Version(u32),
    /// Sealed for another base or another host.
    OtherContext,
    /// No key was given that could fit.
    NoKey {
        /// What it is locked with.
        locks: Vec<String>,
        /// What was given.
        given: Vec<String>,
    },
    /// Keys that could fit were given, and none does.
    WrongKey {
        /// What it is locked with.
        locks: Vec<String>,
        /// What was given.
        given: Vec<String>,
    },
    /// A number in the file, or an option, is beyond what is allowed.
    Limit {
        /// What the number means.
        what: &'static str,
        /// The number.
        found: u64,
        /// The smallest that is allowed.
        least: u64,
        /// The largest that is allowed.
        most: u64,
    },
    /// The machine has not the memory that the passphrase's Argon2 asks for, in KiB.
    NoMemory(u64),
    /// The source of randomness failed.
    Randomness,
    /// The key file is wrong.
    KeyText(KeyTextError),
    /// A recipient's public key with which nothing can be kept secret.
    WeakRecipient,
    /// A request that makes no sense: two items of one name, secrets without a lock, and the like.
    Refused(String),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| match names {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        };
        match self {
            SealError::Damaged(what) => write!(f, "the sealed data is damaged ({what})"),
            SealError::Truncated => f.write_str("the sealed data is cut off"),
            SealError::Version(v) => {
                write!(
                    f,
                    "sealed in version {v} of the format, which is not known here"
                )
            }
            SealError::OtherContext => f.write_str("sealed for another artifact or another host"),
            SealError::NoKey { locks, given } => write!(
                f,
                "no key for the sealed data: it opens with {}; given: {}",
                locks.join(", or with "),
                list(given)
            ),
            SealError::WrongKey { locks, given } => write!(
                f,
                "the wrong key for the sealed data: it opens with {}; given and not fitting: {}",
                locks.join(", or with "),
                list(given)
            ),
            SealError::Limit {
                what,
                found,
                least,
                most,
            } => write!(f, "{what} is {found}; {least} to {most} is allowed"),
            SealError::NoMemory(kib) => write!(
                f,
                "the passphrase needs {} MiB of memory, which this machine does not give",
                kib.div_ceil(1024)
            ),
            SealError::Randomness => f.write_str("the system gives no random bytes"),
            SealError::KeyText(error) => write!(f, "the key file: {error}"),
            SealError::WeakRecipient => f.write_str(
                "the recipient's public key is unusable: anybody could open what is sealed for it",
            ),
            SealError::Refused(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for SealError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            SealError::KeyText(error) => Some(error),
            _ => None,
        }
    }
}

impl From<KeyTextError> for SealError {
    fn from(error: KeyTextError) -> Self {
        SealError::KeyText(error)
    }
}

/// Refuses a number outside its bounds.
pub(super) fn within(
    what: &'static str,
    found: u64,
    least: u64,
    most: u64,
) -> Result<(), SealError> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(SealError::Limit {
            what,
            found,
            least,
            most,
        })
    }
}
