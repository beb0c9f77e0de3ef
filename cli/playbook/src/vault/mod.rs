//! Ansible Vault: text encrypted under a password, in the formats 1.1 and 1.2.
//!
//! `envelope` is the text around the bytes, `cipher` the cryptography, `secret` the passwords and the order in which
//! they are tried, `source` where passwords come from.

mod cipher;
mod envelope;
mod error;
mod secret;
mod source;

pub use envelope::is_encrypted;
pub use error::{SourceError, VaultError};
pub use secret::{DEFAULT_ID, Opened, Plaintext, Secret, Vault};
pub use source::{Loaded, PasswordSource, Prompt, load_all, load_new};

/// For the fuzz target: reads an envelope and decrypts it with a cheap key.
pub fn fuzz(bytes: &[u8]) {
    if let Ok(envelope) = envelope::Envelope::parse(bytes) {
        let _ = envelope.vault_id.len();
        let _ = cipher::open_with(&envelope, &cipher::Keys::fixed());
    }
}
