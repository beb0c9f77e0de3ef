//! `rustle vault`: what ansible-vault does, on the same files.

mod edit;
mod encrypt_string;
mod files;
mod rekey;

use std::io::{IsTerminal as _, Read as _};
use std::path::Path;

use rustle_playbook::config::Config;
use rustle_playbook::vault::{Secret, VaultError};
use zeroize::Zeroizing;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// Encrypts and decrypts files and strings, as ansible-vault does.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Vault {
    /// Write a new encrypted file in an editor.
    Create(edit::Create),
    /// Put the plain text in place of encrypted files.
    Decrypt(files::Decrypt),
    /// Edit encrypted files.
    Edit(edit::Edit),
    /// Show encrypted files.
    View(files::View),
    /// Encrypt files in place.
    Encrypt(files::Encrypt),
    /// Encrypt strings for use in YAML.
    #[command(alias = "encrypt_string")]
    EncryptString(encrypt_string::EncryptString),
    /// Encrypt files under another password.
    Rekey(rekey::Rekey),
}

impl Vault {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match self {
            Vault::Create(c) => c.run(console),
            Vault::Decrypt(c) => c.run(console),
            Vault::Edit(c) => c.run(console),
            Vault::View(c) => c.run(console),
            Vault::Encrypt(c) => c.run(console),
            Vault::EncryptString(c) => c.run(console),
            Vault::Rekey(c) => c.run(console),
        }
    }
}

/// The name that means standard input and output.
const STANDARD: &str = "-";

/// The files of a command line; none: standard input.
fn files_or_standard(files: &[String]) -> Vec<&str> {
    if files.is_empty() {
        vec![STANDARD]
    } else {
        files.iter().map(String::as_str).collect()
    }
}

/// Reads a file or standard input.
fn read(name: &str, what: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if name != STANDARD {
        return std::fs::read(name)
            .map(Zeroizing::new)
            .map_err(|e| Failure::text(Exit::Plan, format!("cannot read {name}: {e}")));
    }
    if std::io::stdin().is_terminal() {
        eprintln!("Reading {what} input from stdin. ");
    }
    let mut text = Zeroizing::new(Vec::new());
    std::io::stdin()
        .read_to_end(&mut text)
        .map_err(|e| Failure::text(Exit::Machine, format!("cannot read standard input: {e}")))?;
    Ok(text)
}

/// Writes a file, or standard output, which keeps the text as it is.
fn write(name: &str, content: &[u8], mode: Option<u32>) -> Result<(), Failure> {
    if name != STANDARD {
        return crate::replace::replace(Path::new(name), content, mode)
            .map_err(Failure::io("write", Path::new(name)));
    }
    crate::console::print_bytes(content)
}

/// Encrypts, with the salt of the configuration if it has one.
fn encrypt(secret: &Secret, id: &str, text: &[u8], config: &Config) -> Result<String, VaultError> {
    let salt = config.text("VAULT_ENCRYPT_SALT").filter(|s| !s.is_empty());
    secret.encrypt(text, id, salt.map(str::as_bytes))
}

fn refused(name: &str, e: &VaultError) -> Failure {
    let failure = Failure::text(Exit::Plan, format!("{name}: {e}"));
    match e {
        VaultError::NoSecrets => failure.hint("give --vault-id or --vault-password-file"),
        _ => failure,
    }
}

/// Says that it is done, where somebody looks: nothing is said into a pipe.
fn done(console: &Console, what: &str) {
    if std::io::stdout().is_terminal() {
        console.info(what);
    }
}
