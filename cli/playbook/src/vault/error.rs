//! What can be wrong with a vault and with the passwords that open it.

use std::fmt;
use std::path::PathBuf;

/// Why a text was not decrypted or encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultError {
    /// It does not begin with `$ANSIBLE_VAULT;`, or is not ASCII.
    NotEncrypted,
    /// The header has too few fields.
    Header(String),
    /// A version other than 1.1 and 1.2.
    Version(String),
    /// A cipher other than AES256.
    Cipher(String),
    /// A character that is no hexadecimal digit, or an odd number of digits.
    Hex(&'static str),
    /// Salt, HMAC and ciphertext are not there.
    Shape,
    /// No password at all.
    NoSecrets,
    /// None of the passwords fits.
    NoneFits {
        /// The vault id that the text asks for; empty: none.
        wanted: String,
        /// The ids of the passwords that were tried.
        tried: Vec<String>,
    },
    /// The right password, but the text's padding is wrong: written by something else.
    Padding,
    /// The text is encrypted already.
    Twice,
    /// Random numbers are not to be had.
    Random(String),
}

impl fmt::Display for VaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            VaultError::NotEncrypted => f.write_str("the input is not vault encrypted data"),
            VaultError::Header(header) => write!(f, "the vault's header `{header}` is incomplete"),
            VaultError::Version(version) => {
                write!(f, "vault version `{version}` is not known: 1.1 and 1.2 are")
            }
            VaultError::Cipher(cipher) => {
                write!(f, "vault cipher `{cipher}` is not known: AES256 is")
            }
            VaultError::Hex(what) => write!(f, "the vault's text is damaged: {what}"),
            VaultError::Shape => f.write_str(
                "the vault's text is damaged: salt, digest and ciphertext were expected",
            ),
            VaultError::NoSecrets => {
                f.write_str("the text is encrypted, but no vault password was given")
            }
            VaultError::NoneFits { wanted, tried } => {
                write!(
                    f,
                    "decryption failed: none of the vault passwords ({}) fits",
                    tried.join(", ")
                )?;
                if !wanted.is_empty() {
                    write!(f, "; the text was encrypted for the vault id `{wanted}`")?;
                }
                Ok(())
            }
            VaultError::Padding => f.write_str("the decrypted text has no valid padding"),
            VaultError::Twice => f.write_str("the input is already encrypted"),
            VaultError::Random(e) => write!(f, "no random numbers are to be had: {e}"),
        }
    }
}

impl std::error::Error for VaultError {}

/// Why a password could not be had.
#[derive(Debug)]
pub enum SourceError {
    /// The password file is not there.
    Missing(PathBuf),
    /// The password file is a directory.
    Directory(PathBuf),
    /// It cannot be read.
    Io(PathBuf, std::io::Error),
    /// It holds nothing.
    Empty(PathBuf),
    /// It is encrypted itself, and cannot be opened.
    Encrypted(PathBuf, VaultError),
    /// The script cannot be run.
    Run(PathBuf, std::io::Error),
    /// The script failed.
    Failed {
        /// The script.
        script: PathBuf,
        /// How it ended.
        status: String,
        /// What a client script said.
        said: String,
    },
    /// A client script does not know the vault id.
    Unknown {
        /// The script.
        script: PathBuf,
        /// The vault id.
        id: String,
        /// What it said.
        said: String,
    },
    /// Nobody answered.
    NoAnswer(String),
    /// The two entries of a new password differ.
    Differ,
    /// Nothing was entered.
    EmptyAnswer(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceError::Missing(p) => {
                write!(f, "the vault password file {} was not found", p.display())
            }
            SourceError::Directory(p) => {
                write!(f, "the vault password file {} is a directory", p.display())
            }
            SourceError::Io(p, e) => {
                write!(
                    f,
                    "cannot read the vault password file {}: {e}",
                    p.display()
                )
            }
            SourceError::Empty(p) => write!(f, "{} gave an empty vault password", p.display()),
            SourceError::Encrypted(p, e) => {
                write!(
                    f,
                    "the vault password file {} is encrypted itself: {e}",
                    p.display()
                )
            }
            SourceError::Run(p, e) => {
                write!(
                    f,
                    "cannot run the vault password script {}: {e}; if it is no script, remove its executable bit",
                    p.display()
                )
            }
            SourceError::Failed {
                script,
                status,
                said,
            } => {
                write!(
                    f,
                    "the vault password script {} failed ({status})",
                    script.display()
                )?;
                write_said(f, said)
            }
            SourceError::Unknown { script, id, said } => {
                write!(
                    f,
                    "the vault password client script {} has no secret for the vault id `{id}`",
                    script.display()
                )?;
                write_said(f, said)
            }
            SourceError::NoAnswer(id) => {
                write!(
                    f,
                    "nobody answered the question for the vault password ({id})"
                )
            }
            SourceError::Differ => f.write_str("the passwords do not match"),
            SourceError::EmptyAnswer(id) => {
                write!(f, "an empty vault password was entered ({id})")
            }
        }
    }
}

fn write_said(f: &mut fmt::Formatter<'_>, said: &str) -> fmt::Result {
    match said.trim() {
        "" => Ok(()),
        said => write!(f, ": {said}"),
    }
}

impl std::error::Error for SourceError {}
