//! Where the keys come from that open an overlay: a key file, an identity, a passphrase, the environment.
//!
//! A key in the environment is taken out of it at once, so that no program that a task starts inherits it.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rustle_formats::artifact::Container;
use rustle_formats::seal::{
    Identity, KeySource, OpenOverlay, Overlay, OverlayError, Passphrase, SealError,
};
use rustle_formats::sign::PublicKey;
use zeroize::{Zeroize as _, Zeroizing};

use crate::command::Command;
use crate::exit::{self, Failure};
use crate::terminal;

/// The variable that may hold the key.
const VARIABLE: &str = "RUSTLE_ENCRYPTION_KEY";
/// The most bytes of a key file.
const LARGEST: u64 = 64 << 10;

/// Takes the key out of the environment. To be called before any thread is started.
pub(crate) fn from_environment() -> Option<Zeroizing<String>> {
    let value = std::env::var_os(VARIABLE)?;
    // SAFETY: `main` calls this first, while the process has one thread.
    unsafe { std::env::remove_var(VARIABLE) };
    let mut bytes = value.into_encoded_bytes();
    let text = std::str::from_utf8(&bytes)
        .ok()
        .map(|t| Zeroizing::new(t.to_owned()));
    bytes.zeroize();
    text.filter(|t| !t.trim().is_empty())
}

/// The keys that were given.
///
/// # Errors
/// A file that cannot be read or is no key; never with its content.
pub(crate) fn given(
    command: &Command,
    environment: Option<&str>,
) -> Result<Vec<KeySource>, Failure> {
    let mut out = Vec::new();
    for path in &command.key_files {
        let text = secret_text(path, "--key-file")?;
        out.push(KeySource::parse(&text).map_err(|e| bad("--key-file", path, &e))?);
    }
    for path in &command.identities {
        let text = secret_text(path, "--identity")?;
        out.push(KeySource::Identity(
            Identity::parse(&text).map_err(|e| bad("--identity", path, &e))?,
        ));
    }
    if let Some(path) = &command.passphrase_file {
        let mut bytes = secret_bytes(path, "--passphrase-file")?;
        // The end of line that an editor adds is not part of it.
        while bytes.last().is_some_and(|b| matches!(b, b'\n' | b'\r')) {
            bytes.pop();
        }
        out.push(KeySource::Passphrase(
            Passphrase::new(bytes).map_err(|e| bad("--passphrase-file", path, &e))?,
        ));
    }
    if let Some(text) = environment {
        out.push(
            KeySource::parse(text)
                .map_err(|e| Failure::new(exit::LOCKED_SECRETS, format!("{VARIABLE}: {e}")))?,
        );
    }
    Ok(out)
}

fn bad(option: &str, path: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        exit::LOCKED_SECRETS,
        format!("{option} {}: {error}", path.display()),
    )
}

fn secret_bytes(path: &Path, option: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |e| Failure::io(format!("{option} {}", path.display()), &e);
    let file = fs::File::open(path).map_err(failed)?;
    // Room for all of it from the start: a buffer that grows leaves copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(LARGEST as usize + 1));
    file.take(LARGEST + 1)
        .read_to_end(&mut out)
        .map_err(failed)?;
    if out.len() as u64 > LARGEST {
        return Err(Failure::new(
            exit::LOCKED_SECRETS,
            format!("{option} {}: too large", path.display()),
        ));
    }
    Ok(out)
}

fn secret_text(path: &Path, option: &str) -> Result<Zeroizing<String>, Failure> {
    let bytes = secret_bytes(path, option)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(bad(option, path, &"not text")),
    }
}

/// An open overlay, if there is one, and the host that it is for.
pub(crate) type Opened = (Option<OpenOverlay<'static>>, Option<String>);

/// Opens the overlay: the file that was named, else the one that is packed. `None` where there is neither.
///
/// # Errors
/// An overlay that is damaged, for another base or host, not signed by a trusted key, or that no key opens.
pub(crate) fn open_overlay(
    container: &Container<fs::File>,
    command: &Command,
    environment: Option<&str>,
    trusted: &[PublicKey],
) -> Result<Opened, Failure> {
    let bytes = match &command.overlay {
        Some(path) => Some(
            fs::read(path).map_err(|e| Failure::io(format!("--overlay {}", path.display()), &e))?,
        ),
        None => container.overlay()?,
    };
    let Some(bytes) = bytes else {
        return Ok((None, None));
    };
    let overlay = Overlay::parse(&bytes).map_err(refused)?;
    overlay
        .check_for(&container.root(), command.host.as_deref())
        .map_err(refused)?;
    if !trusted.is_empty() {
        overlay.verify(trusted).map_err(refused)?;
    }
    let host = Some(overlay.host().to_owned());
    let mut keys = given(command, environment)?;
    match overlay.open(&keys) {
        Ok(open) => return Ok((Some(open.into_owned()), host)),
        Err(OverlayError::Sealed(SealError::NoKey { locks, given })) => {
            let asked =
                locks.iter().any(|l| l.contains("passphrase")) && command.passphrase_file.is_none();
            let typed = if asked { ask()? } else { None };
            match typed {
                Some(passphrase) => keys.push(KeySource::Passphrase(passphrase)),
                None => {
                    return Err(refused(OverlayError::Sealed(SealError::NoKey {
                        locks,
                        given,
                    })));
                }
            }
        }
        Err(e) => return Err(refused(e)),
    }
    overlay
        .open(&keys)
        .map(|open| (Some(open.into_owned()), host))
        .map_err(refused)
}

fn ask() -> Result<Option<Passphrase>, Failure> {
    let typed = terminal::ask_passphrase("Passphrase of the secrets: ")
        .map_err(|e| Failure::io("the terminal", &e))?;
    typed
        .map(|bytes| {
            Passphrase::new(bytes).map_err(|e| Failure::new(exit::LOCKED_SECRETS, e.to_string()))
        })
        .transpose()
}

fn refused(error: OverlayError) -> Failure {
    let code = match &error {
        OverlayError::Malformed(_) => exit::DAMAGED,
        OverlayError::Version(_) | OverlayError::OtherBase | OverlayError::OtherHost { .. } => {
            exit::UNFIT
        }
        OverlayError::Signature(_) => exit::UNTRUSTED,
        OverlayError::Sealed(SealError::Damaged(_) | SealError::Truncated) => exit::DAMAGED,
        OverlayError::Sealed(_) => exit::LOCKED_SECRETS,
    };
    Failure::new(code, error.to_string())
}
