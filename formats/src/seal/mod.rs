//! Sealing: secrets that travel with an artifact and that only the holder of a key can read.
//!
//! One random data key encrypts a section (AES-256-GCM), and is wrapped for every passphrase, recipient or key that may
//! open it. A section is bound to one base and one host: moved elsewhere, it does not open. What is outside the
//! ciphertext (lengths, digests of ciphertexts, what kinds of keys open it) tells nothing about a plaintext but its
//! length, which padding blurs. A wrong key and damaged bytes are told apart.
//!
//! Nothing here draws random bytes by itself: [`Randomness`] is passed in.

mod cipher;
mod error;
pub mod fuzz;
mod item;
mod journal;
mod keys;
mod overlay;
mod references;
mod section;
#[cfg(test)]
mod tests;
mod wrap;

pub use error::SealError;
pub use item::{Entry, HostVars, Item, ItemKind, MAX_NAME, MAX_SECRET, SecretMap, wipe};
pub use journal::JournalSeal;
pub use keys::{
    Argon2Cost, Identity, KeySource, Lock, MAX_PASSPHRASE, PBKDF2_ITERATIONS, Passphrase, RawKey,
    Recipient,
};
pub use overlay::{
    MAX_HOST, OVERLAY_MAGIC, OVERLAY_VERSION, OpenOverlay, Overlay, OverlayContent, OverlayError,
    SealedFile, write_overlay,
};
pub use references::{UNDECRYPTABLE, find_secrets};
pub use section::{MAX_ITEMS, MAX_SECTION, SEAL_MAGIC, SEAL_VERSION, Section, Unlocked, seal};

/// Where random bytes come from. Each call gives new ones; nothing is ever drawn twice.
pub trait Randomness {
    /// Fills `out` with bytes that nobody can guess.
    ///
    /// # Errors
    /// [`SealError::Randomness`] when the source fails; then nothing is sealed.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), SealError>;
}

/// Where sealed data belongs. It is authenticated with everything in the section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context<'a> {
    /// The root of the base artifact.
    pub base_root: &'a [u8; 32],
    /// The inventory name of the host; empty: any host.
    pub host: &'a str,
}

impl Context<'_> {
    /// The digest that stands for it: BLAKE3 in derive-key mode over the root and the host's name.
    fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("rustle seal 1 2025 context");
        hasher.update(self.base_root);
        hasher.update(self.host.as_bytes());
        *hasher.finalize().as_bytes()
    }
}

/// How much of a content's length its ciphertext shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Padding {
    /// All of it: nothing is added.
    Exact,
    /// Its magnitude: at least 64 bytes, and lengths rounded so that only the logarithm of the logarithm of it remains
    /// (Padmé: never more than 12 % on top).
    #[default]
    Padme,
}

impl Padding {
    /// How many zeros follow a content of `len` bytes.
    fn zeros(self, len: usize) -> usize {
        const LEAST: usize = 64;
        match self {
            Padding::Exact => 0,
            Padding::Padme if len <= LEAST => LEAST - len,
            Padding::Padme => {
                // With e = floor(log2 len) and s = floor(log2 e) + 1, the last e - s bits of the length are zero.
                let e = len.ilog2();
                let low = e - (e.ilog2() + 1);
                let mask = (1usize << low) - 1;
                len.checked_add(mask).map_or(0, |sum| (sum & !mask) - len)
            }
        }
    }
}

/// Opens a section and decrypts every secret in it.
///
/// # Errors
/// As [`Section::parse`] and [`Section::unlock`].
pub fn open(
    sealed: &[u8],
    keys: &[KeySource],
    context: &Context<'_>,
) -> Result<SecretMap, SealError> {
    let unlocked = Section::parse(sealed)?.unlock(keys, context)?;
    let mut secrets = SecretMap::new();
    for (position, entry) in unlocked.entries().iter().enumerate() {
        if entry.kind == ItemKind::Secret {
            secrets.insert(entry.name.clone(), unlocked.read(position)?);
        }
    }
    Ok(secrets)
}
