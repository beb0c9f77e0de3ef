//! For whom overlays are sealed: options and environment become locks.

use std::path::{Path, PathBuf};

use rustle_formats::seal::{Argon2Cost, KeySource, Lock, Passphrase};
use rustle_formats::sign::SecretKey;
use rustle_packer::keys::{load_key_source, load_recipients, load_signing_key};
use rustle_packer::overlay::{OverlayOptions, SecretProblem, SecretSources, check_secrets};
use zeroize::Zeroizing;

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level, Location};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_input::PlanInput;

/// The environment variable that holds a key.
const KEY_VARIABLE: &str = "RUSTLE_ENCRYPTION_KEY";
/// The iterations of `--pbkdf2`.
const PBKDF2_ITERATIONS: u32 = 600_000;

/// Who may open the secrets.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Secrets")]
pub(crate) struct SealOptions {
    /// Seal for the owner of this X25519 key (HOST.key.pub). May be given several times.
    #[arg(long, value_name = "FILE")]
    recipient: Vec<PathBuf>,
    /// Seal under the passphrase in this file. A final newline is not part of it.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Derive the passphrase's key with PBKDF2, for machines without 64 MiB to spare.
    #[arg(long, requires = "passphrase_file")]
    pbkdf2: bool,
    /// Seal under the key in this file (`rustle keygen --symmetric`). Default: $RUSTLE_ENCRYPTION_KEY.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl SealOptions {
    /// The locks. Empty where nothing was asked for.
    pub(crate) fn locks(&self, console: &Console) -> Result<Vec<Lock>, Failure> {
        let mut locks = Vec::new();
        for file in &self.recipient {
            locks.extend(load_recipients(file)?.into_iter().map(Lock::Recipient));
        }
        if let Some(file) = &self.passphrase_file {
            let passphrase = read_passphrase(file)?;
            locks.push(if self.pbkdf2 {
                Lock::Pbkdf2(passphrase, PBKDF2_ITERATIONS)
            } else {
                Lock::Passphrase(passphrase, Argon2Cost::default())
            });
        }
        if let Some(file) = &self.key_file {
            let loaded = load_key_source(file)?;
            warn_exposed(console, file, loaded.exposed);
            match loaded.key {
                KeySource::Key(key) => locks.push(Lock::Key(key)),
                KeySource::Identity(identity) => {
                    locks.push(Lock::Recipient(identity.recipient("")));
                }
                KeySource::Passphrase(passphrase) => {
                    locks.push(Lock::Passphrase(passphrase, Argon2Cost::default()));
                }
            }
        } else if let Some(text) = std::env::var_os(KEY_VARIABLE).filter(|t| !t.is_empty()) {
            let text = Zeroizing::new(text.into_encoded_bytes());
            locks.push(environment_lock(&text)?);
        }
        Ok(locks)
    }

    /// How overlays are sealed and signed.
    pub(crate) fn overlay_options(
        &self,
        console: &Console,
        signer: Option<SecretKey>,
    ) -> Result<OverlayOptions, Failure> {
        Ok(OverlayOptions {
            locks: self.locks(console)?,
            signer,
            ..OverlayOptions::default()
        })
    }
}

/// The lock of the key that [`KEY_VARIABLE`] holds: what opens an overlay there also seals one here.
fn environment_lock(text: &[u8]) -> Result<Lock, Failure> {
    let refused = |why: &str| {
        Failure::text(
            Exit::Key,
            format!(
                "{KEY_VARIABLE}: {why} (it takes a key of 32 bytes as 64 hexadecimal digits or 44 characters of base64, \
                 or the text of an X25519 secret key file)"
            ),
        )
        .hint("`rustle keygen --symmetric -o FILE` makes such a key")
    };
    let text = std::str::from_utf8(text).map_err(|_| refused("not text"))?;
    match KeySource::parse(text).map_err(|e| refused(&e.to_string()))? {
        KeySource::Key(key) => Ok(Lock::Key(key)),
        KeySource::Identity(identity) => Ok(Lock::Recipient(identity.recipient(""))),
        KeySource::Passphrase(_) => Err(refused("a passphrase")),
    }
}

fn read_passphrase(file: &Path) -> Result<Passphrase, Failure> {
    let mut bytes = Zeroizing::new(std::fs::read(file).map_err(Failure::io("read", file))?);
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Passphrase::new(bytes).map_err(|e| Failure::text(Exit::Key, format!("{}: {e}", file.display())))
}

/// Reads the key of `--sign`.
pub(crate) fn signing_key(file: &Path, console: &Console) -> Result<SecretKey, Failure> {
    let loaded = load_signing_key(file)?;
    warn_exposed(console, file, loaded.exposed);
    Ok(loaded.key)
}

fn warn_exposed(console: &Console, file: &Path, exposed: bool) {
    if exposed {
        console.say(
            &Diagnostic::new(
                Level::Warning,
                format!("others than its owner can read {}", file.display()),
            )
            .hint(format!("chmod 600 {}", file.display())),
        );
    }
}

/// Refuses a plan whose secrets cannot work.
pub(crate) fn check(input: &PlanInput) -> Result<(), Failure> {
    let given = |p: &SecretProblem| match p {
        SecretProblem::Source(name) => input.given.contains_key(name),
        _ => false,
    };
    let mut problems: Vec<SecretProblem> = check_secrets(input.plan());
    problems.retain(|p| !given(p));
    if problems.is_empty() {
        return Ok(());
    }
    let diagnostics = problems
        .iter()
        .map(|p| {
            let out = Diagnostic::error(p.to_string());
            match p {
                SecretProblem::Undeclared { secret, .. } => {
                    out.at(input.reference_to(secret)).hint(format!(
                        "declare it under `secrets`: {{\"name\": {secret:?}, \"file\": ...}}"
                    ))
                }
                SecretProblem::Withheld { secret, .. } => out.at(input.reference_to(secret)),
                SecretProblem::Twice(name)
                | SecretProblem::Name(name)
                | SecretProblem::Source(name)
                | SecretProblem::UnknownHost { secret: name, .. } => {
                    out.at(declaration(input, name))
                }
            }
        })
        .collect();
    Err(Failure {
        diagnostics: crate::plan_input::limited(diagnostics),
        exit: Exit::Plan,
    })
}

/// Where a secret is declared; of two declarations, the second.
fn declaration(input: &PlanInput, name: &str) -> Option<Location> {
    let at = input.plan().secrets.iter().rposition(|s| s.name == name)?;
    input
        .locate(&[(format!("/secrets/{at}"), false)])
        .into_iter()
        .next()?
}

/// Looks a secret up in the environment of this program.
fn from_environment(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    std::env::var_os(name).map(|v| Zeroizing::new(v.into_encoded_bytes()))
}

/// Where the secrets of a plan in this folder come from.
pub(crate) fn sources(folder: &Path) -> SecretSources<'_> {
    SecretSources {
        folder,
        env: &from_environment,
    }
}
