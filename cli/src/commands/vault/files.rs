//! `rustle vault encrypt`, `decrypt` and `view`.

use std::io::{IsTerminal as _, Write as _};
use std::process::{Command, Stdio};

use super::{STANDARD, done, encrypt, files_or_standard, read, refused, write};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::Surroundings;
use crate::vault_options::VaultOptions;

/// The mode of what is encrypted and decrypted: nobody else's, whatever it was before.
const PRIVATE: Option<u32> = Some(0o600);

/// Encrypts files in place. Without files: standard input to standard output.
#[derive(Debug, clap::Args)]
pub(crate) struct Encrypt {
    /// The files; -: standard input.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Write to this file, and leave the input as it is; -: standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// The vault id that encrypts, where there are several.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Encrypt {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        one_output(&self.files, self.output.as_ref())?;
        let surroundings = Surroundings::load(console)?;
        let id = self.encrypt_vault_id.as_deref();
        let secret = self.vault.new_secret(&surroundings, console, id)?;
        for name in files_or_standard(&self.files) {
            let text = read(name, "plaintext")?;
            let sealed = encrypt(&secret, secret.id(), &text, &surroundings.config)
                .map_err(|e| refused(name, &e))?;
            let to = self.output.as_deref().unwrap_or(name);
            write(to, sealed.as_bytes(), PRIVATE)?;
        }
        done(console, "Encryption successful");
        Ok(Exit::Done)
    }
}

/// Decrypts files in place. Without files: standard input to standard output.
#[derive(Debug, clap::Args)]
pub(crate) struct Decrypt {
    /// The files; -: standard input.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Write to this file, and leave the input as it is; -: standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Decrypt {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        one_output(&self.files, self.output.as_ref())?;
        let surroundings = Surroundings::load(console)?;
        let vault = self.vault.vault(&surroundings, console, true)?;
        for name in files_or_standard(&self.files) {
            let text = read(name, "ciphertext")?;
            let plain = vault.decrypt(&text).map_err(|e| refused(name, &e))?;
            let to = self.output.as_deref().unwrap_or(name);
            write(to, &plain.text, PRIVATE)?;
        }
        done(console, "Decryption successful");
        Ok(Exit::Done)
    }
}

fn one_output(files: &[String], output: Option<&String>) -> Result<(), Failure> {
    if output.is_some() && files.len() > 1 {
        return Err(Failure::text(
            Exit::Options,
            "--output takes at most one input file",
        ));
    }
    Ok(())
}

/// Shows encrypted files: on a terminal with the pager.
#[derive(Debug, clap::Args)]
pub(crate) struct View {
    /// The files; -: standard input.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl View {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let surroundings = Surroundings::load(console)?;
        let vault = self.vault.vault(&surroundings, console, true)?;
        for name in files_or_standard(&self.files) {
            let text = read(name, "ciphertext")?;
            let plain = vault.decrypt(&text).map_err(|e| refused(name, &e))?;
            if std::io::stdout().is_terminal() {
                let pager = surroundings.config.text("PAGER").unwrap_or("less");
                page(pager, &plain.text)?;
            } else {
                write(STANDARD, &plain.text, None)?;
                if plain.text.last() != Some(&b'\n') {
                    write(STANDARD, b"\n", None)?;
                }
            }
        }
        Ok(Exit::Done)
    }
}

/// Shows text with a pager; where that cannot be run, as it is.
fn page(pager: &str, text: &[u8]) -> Result<(), Failure> {
    let child = Command::new("/bin/sh")
        .args(["-c", pager])
        .env("LESS", std::env::var_os("LESS").unwrap_or("FRSX".into()))
        .stdin(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        return write(STANDARD, text, None);
    };
    if let Some(mut input) = child.stdin.take() {
        // Whoever leaves the pager early has seen enough.
        let _ = input.write_all(text);
    }
    match child.wait() {
        Ok(status) if status.code() != Some(127) => Ok(()),
        _ => write(STANDARD, text, None),
    }
}
