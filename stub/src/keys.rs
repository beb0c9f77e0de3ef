//! Where the keys come from that open an overlay: a key file, an identity, a passphrase, the environment.
//!
//! A key in the environment is taken out of it at once, so that no program that a task starts inherits it.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use rustle_formats::artifact::{Container, MAX_OVERLAY};
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
/// What [`VARIABLE`] may hold, for messages.
const FORMS: &str = "it takes a key of 32 bytes as 64 hexadecimal digits or 44 characters of base64, or the text of an \
                     X25519 secret key file";
/// The most bytes of a key file.
const LARGEST: u64 = 64 << 10;

/// Takes the key out of the environment. To be called before any thread is started.
pub(crate) fn from_environment() -> Option<Zeroizing<String>> {
    let value = std::env::var_os(VARIABLE)?;
    wipe_environment();
    // SAFETY: `main` calls this first, while the process has one thread.
    unsafe { std::env::remove_var(VARIABLE) };
    let mut bytes = value.into_encoded_bytes();
    let text = std::str::from_utf8(&bytes)
        .ok()
        .map(|t| Zeroizing::new(t.to_owned()));
    bytes.zeroize();
    text.filter(|t| !t.trim().is_empty())
}

/// Overwrites the key where the system put it when the program was started: taking the variable away leaves the text in
/// memory, where `/proc/PID/environ` shows it.
fn wipe_environment() {
    let Ok(name) = std::ffi::CString::new(VARIABLE) else {
        return;
    };
    // SAFETY: `main` calls this first, while the process has one thread. What `getenv` gives is the program's own writable
    // memory up to a zero byte, and nobody holds a reference to it.
    unsafe {
        let value = libc::getenv(name.as_ptr());
        if !value.is_null() {
            let text = std::slice::from_raw_parts_mut(value.cast::<u8>(), libc::strlen(value));
            text.zeroize();
        }
    }
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
        // The end of line that an editor adds is not part of it; more than one is meant, as when packing.
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        out.push(KeySource::Passphrase(
            Passphrase::new(bytes).map_err(|e| bad("--passphrase-file", path, &e))?,
        ));
    }
    if let Some(text) = environment {
        out.push(KeySource::parse(text).map_err(|e| {
            Failure::new(exit::LOCKED_SECRETS, format!("{VARIABLE}: {e} ({FORMS})"))
        })?);
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

/// The password for becoming another user, if the command line gives one.
///
/// # Errors
/// Where its file cannot be read, or there is nobody to ask.
pub(crate) fn become_password(command: &Command) -> Result<Option<Zeroizing<String>>, Failure> {
    if let Some(path) = &command.become_password_file {
        let text = secret_text(path, "--become-password-file")?;
        return Ok(Some(Zeroizing::new(text.trim().to_owned())));
    }
    if !command.ask_become_pass {
        return Ok(None);
    }
    let failed = |e: &str| Failure::new(exit::USAGE, format!("--ask-become-pass: {e}"));
    let typed =
        terminal::ask_passphrase("BECOME password: ").map_err(|e| failed(&e.to_string()))?;
    let typed = typed.ok_or_else(|| failed("there is no terminal"))?;
    let text = std::str::from_utf8(&typed).map_err(|_| failed("not text"))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// An open overlay, if there is one, and the host that it is for.
pub(crate) type Opened = (Option<OpenOverlay<'static>>, Option<String>);

/// The bytes of the overlay that counts: the file that was named, else the one that is packed. `None` where there is
/// neither.
///
/// # Errors
/// Where they cannot be read, or those in the artifact do not have their digest.
pub(crate) fn overlay_bytes(
    container: &Container<fs::File>,
    named: Option<&Path>,
) -> Result<Option<Vec<u8>>, Failure> {
    let Some(path) = named else {
        return Ok(container.attached_overlay()?);
    };
    let failed = |e| Failure::io(format!("--overlay {}", path.display()), &e);
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_OVERLAY + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > MAX_OVERLAY {
        return Err(Failure::new(
            exit::DAMAGED,
            format!("--overlay {}: too large for an overlay", path.display()),
        ));
    }
    Ok(Some(bytes))
}

/// Checks all of an overlay that can be checked before it is opened: form, base, host, and who signed it. Without trusted
/// keys it must be signed by the key of a signed base.
///
/// # Errors
/// An overlay that is damaged, for another base or host, or not signed by whom it must be.
pub(crate) fn accept<'a>(
    bytes: &'a [u8],
    container: &Container<fs::File>,
    host: Option<&str>,
    trusted: &[PublicKey],
) -> Result<Overlay<'a>, Failure> {
    let overlay = Overlay::parse(bytes).map_err(refused)?;
    overlay
        .check_for(&container.root(), host)
        .map_err(refused)?;
    overlay
        .verify_beside(trusted, container.signature().as_ref())
        .map_err(refused)?;
    Ok(overlay)
}

/// Checks the overlay that counts without opening it, every sealed byte too, and gives the host that it is for (empty: any).
///
/// # Errors
/// As [`overlay_bytes`] and [`accept`]; and damage.
pub(crate) fn verify_overlay(
    container: &Container<fs::File>,
    command: &Command,
    trusted: &[PublicKey],
) -> Result<Option<String>, Failure> {
    let Some(bytes) = overlay_bytes(container, command.overlay.as_deref())? else {
        return Ok(None);
    };
    let overlay = accept(&bytes, container, command.host.as_deref(), trusted)?;
    overlay.verify_items().map_err(refused)?;
    Ok(Some(overlay.host().to_owned()))
}

/// Opens the overlay that counts. `None` where there is none.
///
/// # Errors
/// As [`overlay_bytes`] and [`accept`]; and an overlay that no key opens.
pub(crate) fn open_overlay(
    container: &Container<fs::File>,
    command: &Command,
    environment: Option<&str>,
    trusted: &[PublicKey],
) -> Result<Opened, Failure> {
    let Some(bytes) = overlay_bytes(container, command.overlay.as_deref())? else {
        return Ok((None, None));
    };
    let overlay = accept(&bytes, container, command.host.as_deref(), trusted)?;
    let host = Some(overlay.host().to_owned());
    let mut keys = given(command, environment)?;
    match overlay.open(&keys) {
        Err(OverlayError::Sealed(SealError::NoKey { locks, given })) => {
            let worth_asking =
                overlay.section().takes_passphrase() && command.passphrase_file.is_none();
            let typed = if worth_asking { ask()? } else { None };
            let Some(passphrase) = typed else {
                let none = SealError::NoKey { locks, given };
                return Err(refused(OverlayError::Sealed(none)));
            };
            keys.push(KeySource::Passphrase(passphrase));
        }
        Ok(open) => return Ok((Some(open.into_owned()), host)),
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

/// The failure of an overlay that is refused, with the exit code of its kind.
pub(crate) fn refused(error: OverlayError) -> Failure {
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
