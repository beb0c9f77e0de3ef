//! Who made this artifact: Ed25519 keys, what exactly they sign, and the check.
//!
//! An artifact carries a signature and never the key that it should be checked with: trusted keys come from the one who
//! verifies. Everything signed begins with a text that says what it is, so that a signature over one kind of thing can
//! never be shown as a signature over another. Checking is strict: one signature has one encoding, and keys or
//! signatures of small order, which verify for any message, are refused.

mod keytext;
#[cfg(test)]
mod tests;

use std::fmt;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

pub use keytext::{KeyKind, KeyTextError, MAX_KEY_TEXT};
pub(crate) use keytext::{
    Looks, clean_comment, decode_32, key_lines, parse_public, parse_secret, print_public,
    print_secret,
};

/// The length of an encoded [`Signature`] in bytes: 32 of the signer's public key, 64 of Ed25519.
pub const SIGNATURE_LEN: usize = 96;

/// Names a key in 8 bytes, printed as 16 hexadecimal digits. It finds a key in a list; it proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 8]);

impl KeyId {
    /// The id of a public key: the first 8 bytes of BLAKE3 in derive-key mode over its kind's word and its bytes.
    pub(crate) fn of(kind: KeyKind, key: &[u8; 32]) -> KeyId {
        let mut hasher = blake3::Hasher::new_derive_key("rustle 2025 key id");
        hasher.update(kind.public_word().as_bytes());
        hasher.update(key);
        let mut id = [0u8; 8];
        id.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        KeyId(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// What a signature is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statement<'a> {
    /// The root of a base artifact.
    Base {
        /// The root that covers all of it.
        root: &'a [u8; 32],
    },
    /// An overlay for one host on one base.
    Overlay {
        /// The root of the base that it belongs to.
        base_root: &'a [u8; 32],
        /// The inventory name of the host; empty: any host.
        host: &'a str,
        /// The root of the overlay.
        overlay_root: &'a [u8; 32],
    },
}

impl Statement<'_> {
    /// The text that the signed bytes begin with.
    pub fn domain(&self) -> &'static str {
        match self {
            Statement::Base { .. } => "rustle signature v1: base",
            Statement::Overlay { .. } => "rustle signature v1: overlay",
        }
    }

    /// The bytes that are signed: the domain and every field, each behind its length (u32, little endian).
    pub fn to_bytes(&self) -> Vec<u8> {
        let fields: &[&[u8]] = match self {
            Statement::Base { root } => &[root.as_slice()],
            Statement::Overlay {
                base_root,
                host,
                overlay_root,
            } => &[
                base_root.as_slice(),
                host.as_bytes(),
                overlay_root.as_slice(),
            ],
        };
        let mut out = Vec::with_capacity(192);
        for field in std::iter::once(&self.domain().as_bytes()).chain(fields) {
            // Hosts are bounded far below 4 GiB wherever they are read; a longer one would still not be confused
            // with another, since it is followed by the root at the end.
            out.extend_from_slice(&(field.len() as u32).to_le_bytes());
            out.extend_from_slice(field);
        }
        out
    }
}

/// A signature together with the public key that claims to have made it. The key is a claim: only a key from the
/// verifier's own list is ever used to check.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature {
    /// The Ed25519 public key of who claims to have signed.
    pub signer: [u8; 32],
    /// Ed25519: R, then S.
    pub bytes: [u8; 64],
}

impl Signature {
    /// The signer's key, then the signature.
    pub fn to_bytes(&self) -> [u8; SIGNATURE_LEN] {
        let mut out = [0u8; SIGNATURE_LEN];
        out[..32].copy_from_slice(&self.signer);
        out[32..].copy_from_slice(&self.bytes);
        out
    }

    /// Takes an encoded signature apart. Nothing is checked before [`verify`].
    pub fn from_bytes(encoded: &[u8; SIGNATURE_LEN]) -> Signature {
        let mut out = Signature {
            signer: [0; 32],
            bytes: [0; 64],
        };
        out.signer.copy_from_slice(&encoded[..32]);
        out.bytes.copy_from_slice(&encoded[32..]);
        out
    }

    /// The id of the signer's key.
    pub fn key_id(&self) -> KeyId {
        KeyId::of(KeyKind::Ed25519, &self.signer)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature(by {})", self.key_id())
    }
}

/// A secret signing key. It is wiped when dropped, and its `Debug` shows the public half's id only.
pub struct SecretKey {
    key: ed25519_dalek::SigningKey,
}

impl SecretKey {
    /// The key of a seed: 32 random bytes, which the caller provides and wipes.
    pub fn from_seed(seed: &[u8; 32]) -> SecretKey {
        SecretKey {
            key: ed25519_dalek::SigningKey::from_bytes(seed),
        }
    }

    /// Reads a secret key file (`site.key`).
    ///
    /// # Errors
    /// Says what the file holds in place of a secret Ed25519 key, or which line is wrong; never what stood there.
    pub fn parse(text: &str) -> Result<SecretKey, KeyTextError> {
        parse_secret(KeyKind::Ed25519, text).map(|seed| SecretKey::from_seed(&seed))
    }

    /// The text of a secret key file. Write it with mode 0600.
    pub fn to_text(&self) -> Zeroizing<String> {
        let seed = Zeroizing::new(self.key.to_bytes());
        print_secret(KeyKind::Ed25519, &seed, &self.public("").to_line())
    }

    /// The public half, with a comment for people (control characters become spaces; 256 characters at most).
    pub fn public(&self, comment: &str) -> PublicKey {
        PublicKey {
            key: self.key.verifying_key(),
            comment: clean_comment(comment),
        }
    }

    /// Signs a statement. The same key and statement give the same signature.
    pub fn sign(&self, statement: &Statement<'_>) -> Signature {
        Signature {
            signer: self.key.verifying_key().to_bytes(),
            bytes: self.key.sign(&statement.to_bytes()).to_bytes(),
        }
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public("").id())
    }
}

/// A public signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: ed25519_dalek::VerifyingKey,
    comment: String,
}

impl PublicKey {
    /// The key of its 32 bytes.
    ///
    /// # Errors
    /// Refuses bytes that are no point, a point in a second encoding, and points of small order, with which anything
    /// verifies.
    pub fn from_bytes(bytes: &[u8; 32], comment: &str) -> Result<PublicKey, SignError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| SignError::WeakKey)?;
        if key.is_weak() || key.to_edwards().compress().as_bytes() != bytes {
            return Err(SignError::WeakKey);
        }
        Ok(PublicKey {
            key,
            comment: clean_comment(comment),
        })
    }

    /// Reads a file of trusted keys: one `rustle-ed25519 BASE64 comment` a line, `#` for remarks. At least one key.
    ///
    /// # Errors
    /// Names the first line that is wrong, or what the file holds in place of public Ed25519 keys.
    pub fn parse_list(text: &str) -> Result<Vec<PublicKey>, KeyTextError> {
        parse_public(KeyKind::Ed25519, text)?
            .into_iter()
            .map(|(bytes, comment, line)| {
                PublicKey::from_bytes(&bytes, &comment).map_err(|_| KeyTextError::Line {
                    line,
                    why: "not a usable Ed25519 public key",
                })
            })
            .collect()
    }

    /// The line of a `.pub` file or of a list of trusted keys, without the end of line.
    pub fn to_line(&self) -> String {
        print_public(KeyKind::Ed25519, self.key.as_bytes(), &self.comment)
    }

    /// The key's bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The comment behind the key; may be empty.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        KeyId::of(KeyKind::Ed25519, self.key.as_bytes())
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({} {:?})", self.id(), self.comment)
    }
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignError {
    /// Nobody was named as trusted.
    NoTrustedKeys,
    /// There is no signature.
    Unsigned,
    /// The signature names a key that is not among the trusted ones.
    UnknownSigner(KeyId),
    /// The signature does not fit what it should be over.
    BadSignature(KeyId),
    /// A public key that is no point, or one with which anything verifies.
    WeakKey,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SignError::NoTrustedKeys => f.write_str("no trusted key was given"),
            SignError::Unsigned => f.write_str("not signed"),
            SignError::UnknownSigner(id) => {
                write!(
                    f,
                    "signed by the key {id}, which is not among the trusted keys"
                )
            }
            SignError::BadSignature(id) => write!(
                f,
                "the signature by the key {id} does not fit: the content was changed after signing"
            ),
            SignError::WeakKey => f.write_str("not a usable Ed25519 public key"),
        }
    }
}

impl std::error::Error for SignError {}

/// Signs the root of a base artifact.
pub fn sign_root(key: &SecretKey, root: &[u8; 32]) -> Signature {
    key.sign(&Statement::Base { root })
}

/// Checks the signature over the root of a base artifact; see [`verify`].
///
/// # Errors
/// As [`verify`].
pub fn verify_root<'k>(
    trusted: &'k [PublicKey],
    root: &[u8; 32],
    signature: Option<&Signature>,
) -> Result<&'k PublicKey, SignError> {
    verify(trusted, &Statement::Base { root }, signature)
}

/// Checks a signature over a statement against the trusted keys, and says which of them made it.
///
/// # Errors
/// No trusted keys, no signature, a signer who is not trusted, or a signature that does not fit.
pub fn verify<'k>(
    trusted: &'k [PublicKey],
    statement: &Statement<'_>,
    signature: Option<&Signature>,
) -> Result<&'k PublicKey, SignError> {
    if trusted.is_empty() {
        return Err(SignError::NoTrustedKeys);
    }
    let signature = signature.ok_or(SignError::Unsigned)?;
    let message = statement.to_bytes();
    let encoded = ed25519_dalek::Signature::from_bytes(&signature.bytes);
    let mut known = false;
    for key in trusted.iter().filter(|k| *k.as_bytes() == signature.signer) {
        known = true;
        if key.key.verify_strict(&message, &encoded).is_ok() {
            return Ok(key);
        }
    }
    Err(if known {
        SignError::BadSignature(signature.key_id())
    } else {
        SignError::UnknownSigner(signature.key_id())
    })
}
