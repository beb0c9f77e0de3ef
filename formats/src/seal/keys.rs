//! The keys that lock and unlock sealed data, and their text forms.
//!
//! Nothing here prints a secret: `Debug` names the kind and, where there is one, the public half's id. Everything secret
//! is wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

use super::error::{SealError, within};
use crate::session::Key;
use crate::sign::{
    KeyId, KeyKind, KeyTextError, Looks, MAX_KEY_TEXT, clean_comment, decode_32, key_lines,
    parse_public, parse_secret, print_public, print_secret,
};

/// The longest passphrase, in bytes.
pub const MAX_PASSPHRASE: usize = 4096;

/// A 32-byte symmetric key that both sides know: `RUSTLE_ENCRYPTION_KEY` or a key file.
#[derive(Clone)]
pub struct RawKey(Zeroizing<[u8; 32]>);

impl RawKey {
    /// The key of its 32 bytes, which should be random.
    pub fn from_bytes(bytes: &[u8; 32]) -> RawKey {
        RawKey(Zeroizing::new(*bytes))
    }

    /// Reads a key file or the value of `RUSTLE_ENCRYPTION_KEY`: one line with 32 bytes as 64 hexadecimal digits or 44
    /// characters of base64; empty lines and lines that begin with `#` mean nothing.
    ///
    /// # Errors
    /// Says what is wrong without repeating the text.
    pub fn parse(text: &str) -> Result<RawKey, KeyTextError> {
        const WANTED: &str = "a key of 32 bytes as hexadecimal or base64";
        if text.len() > MAX_KEY_TEXT {
            return Err(KeyTextError::TooLarge);
        }
        let mut lines = key_lines(text);
        let Some((line, content)) = lines.next() else {
            return Err(KeyTextError::Missing { wanted: WANTED });
        };
        if Looks::at(text) != Looks::Other {
            return Err(KeyTextError::OtherKind {
                wanted: WANTED,
                found: Looks::at(text).name(),
            });
        }
        let mut key = Zeroizing::new([0u8; 32]);
        if hex::decode_to_slice(content, key.as_mut()).is_err() {
            key = decode_32(content).ok_or(KeyTextError::Line {
                line,
                why: "not 32 bytes as 64 hexadecimal digits or 44 characters of base64",
            })?;
        }
        match lines.next() {
            Some((line, _)) => Err(KeyTextError::Line {
                line,
                why: "nothing may follow the key",
            }),
            None => Ok(RawKey(key)),
        }
    }

    /// A key file's text.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0u8; 64]);
        // Room for exactly 64 digits: this cannot fail.
        let encoded = hex::encode_to_slice(self.0.as_ref(), digits.as_mut());
        debug_assert!(encoded.is_ok());
        let mut out = Zeroizing::new(String::with_capacity(160));
        out.push_str("# Rustle encryption key. Whoever reads this file can read what it seals.\n");
        out.push_str(std::str::from_utf8(digits.as_ref()).unwrap_or(""));
        out.push('\n');
        out
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for RawKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawKey(…)")
    }
}

/// What a person types. Its bytes are used as they are: no trimming, no Unicode normal form.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

impl Passphrase {
    /// Takes the passphrase's bytes over.
    ///
    /// # Errors
    /// Refuses an empty passphrase and one of more than [`MAX_PASSPHRASE`] bytes.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Passphrase, SealError> {
        within(
            "the length of the passphrase in bytes",
            bytes.len() as u64,
            1,
            MAX_PASSPHRASE as u64,
        )?;
        Ok(Passphrase(bytes))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// The secret half of an X25519 key: opens what was sealed for its [`Recipient`].
pub struct Identity {
    secret: x25519_dalek::StaticSecret,
}

impl Identity {
    /// The key of a seed: 32 random bytes, which the caller provides and wipes.
    pub fn from_seed(seed: &[u8; 32]) -> Identity {
        Identity {
            secret: x25519_dalek::StaticSecret::from(*seed),
        }
    }

    /// Reads a secret key file (`host.key`).
    ///
    /// # Errors
    /// Says what the file holds in place of a secret X25519 key, or which line is wrong; never what stood there.
    pub fn parse(text: &str) -> Result<Identity, KeyTextError> {
        parse_secret(KeyKind::X25519, text).map(|seed| Identity::from_seed(&seed))
    }

    /// The text of a secret key file. Write it with mode 0600.
    pub fn to_text(&self) -> Zeroizing<String> {
        print_secret(
            KeyKind::X25519,
            self.secret.as_bytes(),
            &self.recipient("").to_line(),
        )
    }

    /// The public half, with a comment for people.
    pub fn recipient(&self, comment: &str) -> Recipient {
        Recipient {
            key: x25519_dalek::PublicKey::from(&self.secret),
            comment: clean_comment(comment),
        }
    }

    pub(super) fn secret(&self) -> &x25519_dalek::StaticSecret {
        &self.secret
    }
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Identity {
            secret: self.secret.clone(),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient("").id())
    }
}

/// The public half of an X25519 key: secrets can be sealed for whoever holds the other half.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    key: x25519_dalek::PublicKey,
    comment: String,
}

impl Recipient {
    /// Reads a `.pub` file or a list of recipients: one `rustle-x25519 BASE64 comment` a line, `#` for remarks. At least
    /// one.
    ///
    /// # Errors
    /// Names the first line that is wrong, or what the file holds in place of public X25519 keys.
    pub fn parse_list(text: &str) -> Result<Vec<Recipient>, KeyTextError> {
        parse_public(KeyKind::X25519, text)?
            .into_iter()
            .map(|(bytes, comment, line)| {
                let key = x25519_dalek::PublicKey::from(bytes);
                // A key of small order gives the same shared secret, zero, with every secret key.
                let probe = x25519_dalek::StaticSecret::from([1; 32]);
                if !probe.diffie_hellman(&key).was_contributory() {
                    return Err(KeyTextError::Line {
                        line,
                        why: "not a usable X25519 public key",
                    });
                }
                Ok(Recipient { key, comment })
            })
            .collect()
    }

    /// The line of a `.pub` file, without the end of line.
    pub fn to_line(&self) -> String {
        print_public(KeyKind::X25519, self.key.as_bytes(), &self.comment)
    }

    /// The comment behind the key; may be empty.
    pub fn comment(&self) -> &str {
        &self.comment
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        KeyId::of(KeyKind::X25519, self.key.as_bytes())
    }

    pub(super) fn key(&self) -> &x25519_dalek::PublicKey {
        &self.key
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({} {:?})", self.id(), self.comment)
    }
}

/// What it costs to try one passphrase with Argon2id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    /// Memory in KiB. Default: 65,536 (64 MiB). Allowed: 8 MiB to 1 GiB.
    pub memory_kib: u32,
    /// Passes over the memory. Default: 3. Allowed: 1 to 16.
    pub passes: u32,
    /// Lanes. Default: 1, since one thread computes them. Allowed: 1 to 16.
    pub lanes: u32,
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Argon2Cost {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

impl Argon2Cost {
    /// Refuses what nobody asks for in earnest, before anything is allocated.
    pub(super) fn check(&self) -> Result<(), SealError> {
        within(
            "Argon2's memory in KiB",
            u64::from(self.memory_kib),
            8 * 1024,
            1024 * 1024,
        )?;
        within("Argon2's number of passes", u64::from(self.passes), 1, 16)?;
        within("Argon2's number of lanes", u64::from(self.lanes), 1, 16)
    }
}

/// PBKDF2's default number of iterations.
pub const PBKDF2_ITERATIONS: u32 = 600_000;

/// Refuses a number of PBKDF2 iterations outside 10,000 to 10,000,000.
pub(super) fn check_iterations(iterations: u32) -> Result<(), SealError> {
    within(
        "PBKDF2's number of iterations",
        u64::from(iterations),
        10_000,
        10_000_000,
    )
}

/// What data is sealed for, one of possibly several: whoever has one of the keys opens it.
#[derive(Debug, Clone)]
pub enum Lock {
    /// A key that both sides know.
    Key(RawKey),
    /// A passphrase, through Argon2id.
    Passphrase(Passphrase, Argon2Cost),
    /// A passphrase, through PBKDF2-HMAC-SHA256 with so many iterations, where a machine has no memory for Argon2id.
    Pbkdf2(Passphrase, u32),
    /// The owner of an X25519 key.
    Recipient(Recipient),
    /// Nobody in particular: the data key lies beside the data, which is then bound and checked but not secret. For
    /// host variables without secrets; never takes a secret or a sealed asset.
    Open,
}

/// A key that may open sealed data.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// A key that both sides know.
    Key(RawKey),
    /// A passphrase.
    Passphrase(Passphrase),
    /// An X25519 key.
    Identity(Identity),
}

impl KeySource {
    /// Reads what `--key-file` names: a raw key (see [`RawKey::parse`]) or a secret X25519 key file.
    ///
    /// # Errors
    /// Says what is wrong without repeating the text.
    pub fn parse(text: &str) -> Result<KeySource, KeyTextError> {
        match Looks::at(text) {
            Looks::Secret(KeyKind::X25519) => Identity::parse(text).map(KeySource::Identity),
            _ => RawKey::parse(text).map(KeySource::Key),
        }
    }

    /// Takes a key that came over a session.
    ///
    /// # Errors
    /// Says what is wrong with it without repeating its text.
    pub fn from_session(key: &Key) -> Result<KeySource, SealError> {
        match key {
            Key::Raw(text) => Ok(KeySource::parse(text)?),
            Key::Passphrase(text) => {
                let bytes = Zeroizing::new(text.as_bytes().to_vec());
                Passphrase::new(bytes).map(KeySource::Passphrase)
            }
            Key::Identity(text) => Ok(KeySource::Identity(Identity::parse(text)?)),
        }
    }

    /// Names the key for a message, without anything secret.
    pub(super) fn describe(&self) -> String {
        match self {
            KeySource::Key(_) => "a key".to_owned(),
            KeySource::Passphrase(_) => "a passphrase".to_owned(),
            KeySource::Identity(identity) => {
                format!("the X25519 key {}", identity.recipient("").id())
            }
        }
    }
}
