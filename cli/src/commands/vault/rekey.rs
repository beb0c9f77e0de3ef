//! `rustle vault rekey`: other passwords for the same texts.

use rustle_playbook::vault::PasswordSource;

use super::{STANDARD, done, encrypt, files_or_standard, read, refused, write};
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::Surroundings;
use crate::vault_options::{VaultOptions, choose};

/// Encrypts files under another password. Without --new-…, it is asked for.
#[derive(Debug, clap::Args)]
pub(crate) struct Rekey {
    /// The files.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// The file or script of the new password.
    #[arg(long, value_name = "FILE", conflicts_with = "new_vault_id")]
    new_vault_password_file: Option<String>,
    /// The new vault id and where its password comes from.
    #[arg(long, value_name = "ID@SOURCE")]
    new_vault_id: Option<String>,
    /// The vault id that encrypts, where there are several.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
}

impl Rekey {
    /// Does it. All files are decrypted and encrypted before the first is written.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        let vault = self.vault.vault(&surroundings, console, true)?;
        let default_id = config.text("DEFAULT_VAULT_IDENTITY").unwrap_or("default");
        let path = |p: &str| config.environment().path(p);
        let source = match (&self.new_vault_password_file, &self.new_vault_id) {
            (Some(file), _) => (default_id.to_owned(), PasswordSource::File(path(file))),
            (None, Some(id)) => PasswordSource::parse(id, default_id, path),
            (None, None) => (default_id.to_owned(), PasswordSource::Ask),
        };
        let id = self.encrypt_vault_id.as_deref();
        let secret = choose(&[source], config, console, id)?;
        let mut ready = Vec::new();
        for name in files_or_standard(&self.files) {
            let text = read(name, "ciphertext")?;
            let plain = vault.decrypt(&text).map_err(|e| refused(name, &e))?;
            let sealed = encrypt(&secret, secret.id(), &plain.text, config)
                .map_err(|e| refused(name, &e))?;
            ready.push((name, sealed));
        }
        for (name, sealed) in &ready {
            write(name, sealed.as_bytes(), None)?;
        }
        if !ready.iter().any(|(name, _)| *name == STANDARD) {
            done(console, "Rekey successful");
        }
        Ok(Exit::Done)
    }
}
