//! The cryptography of a vault: PBKDF2-SHA256 over 10,000 rounds gives a key for AES-256-CTR, one for HMAC-SHA256 and
//! the counter's start; the text is padded as PKCS#7 says.

use aes::cipher::{KeyIvInit, StreamCipher};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::envelope::Envelope;
use super::error::VaultError;

/// The rounds that the format prescribes.
const ROUNDS: u32 = 10_000;
/// AES's block, which the text is padded to although a counter mode needs no padding.
const BLOCK: usize = 16;

/// What a password and a salt give: 32 bytes for AES, 32 for HMAC, 16 for the counter.
pub(super) struct Keys(Zeroizing<[u8; 80]>);

impl Keys {
    /// Derives them.
    pub(super) fn derive(password: &[u8], salt: &[u8]) -> Keys {
        let mut out = Zeroizing::new([0; 80]);
        pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, ROUNDS, out.as_mut());
        Keys(out)
    }

    /// For the fuzz target, where deriving would cost all the time.
    pub(super) fn fixed() -> Keys {
        Keys(Zeroizing::new([7; 80]))
    }

    fn aes(&self) -> ctr::Ctr128BE<aes::Aes256> {
        let (key, rest) = self.0.split_at(32);
        let counter = &rest[32..];
        ctr::Ctr128BE::<aes::Aes256>::new_from_slices(key, counter)
            .expect("32 bytes of key and 16 of counter")
    }

    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0[32..64]).expect("HMAC takes keys of any length")
    }
}

/// Decrypts with a password; `None`: it does not fit.
pub(super) fn open(
    envelope: &Envelope,
    password: &[u8],
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    open_with(envelope, &Keys::derive(password, &envelope.salt))
}

/// Decrypts with derived keys; `None`: they do not fit.
pub(super) fn open_with(
    envelope: &Envelope,
    keys: &Keys,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let mut mac = keys.hmac();
    mac.update(&envelope.ciphertext);
    // Compares in constant time.
    if mac.verify_slice(&envelope.hmac).is_err() {
        return Ok(None);
    }
    let mut text = Zeroizing::new(envelope.ciphertext.clone());
    keys.aes().apply_keystream(&mut text);
    let padding = text.last().map_or(0, |b| usize::from(*b));
    let length = text
        .len()
        .checked_sub(padding)
        .filter(|_| (1..=BLOCK).contains(&padding));
    match length {
        Some(length) if text[length..].iter().all(|b| usize::from(*b) == padding) => {
            text.truncate(length);
            Ok(Some(text))
        }
        _ => Err(VaultError::Padding),
    }
}

/// Encrypts under a password.
pub(super) fn seal(text: &[u8], password: &[u8], salt: &[u8], vault_id: &str) -> Envelope {
    let keys = Keys::derive(password, salt);
    let padding = BLOCK - text.len() % BLOCK;
    // Encrypted in place, so that no plaintext stays behind.
    let mut sealed = Vec::with_capacity(text.len() + padding);
    sealed.extend_from_slice(text);
    sealed.resize(text.len() + padding, padding as u8);
    keys.aes().apply_keystream(&mut sealed);
    let mut mac = keys.hmac();
    mac.update(&sealed);
    Envelope {
        vault_id: vault_id.to_owned(),
        salt: salt.to_vec(),
        hmac: mac.finalize().into_bytes().to_vec(),
        ciphertext: sealed,
    }
}
