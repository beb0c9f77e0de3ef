//! Stanzas: the data key of a section, wrapped once for every lock.
//!
//! Every stanza makes a key of its own from a fresh salt or a fresh X25519 key and wraps the data key with it once, so
//! that the nonce can be zero. The stanza's parameters and the section's context are authenticated with the wrap.

use zeroize::Zeroizing;

use super::Randomness;
use super::cipher::{Cipher, Key, TAG, derive};
use super::error::{SealError, within};
use super::keys::{Argon2Cost, KeySource, Lock, Passphrase, check_iterations};
use crate::sign::KeyId;

/// The most stanzas of a section.
pub(super) const MAX_STANZAS: usize = 32;
/// The most stanzas for passphrases: each costs time and memory to try.
const MAX_PASSPHRASES: usize = 4;

const WRAPPED: usize = 32 + TAG;
const INFO_KEY: &[u8] = b"rustle seal v1: key";
const INFO_X25519: &[u8] = b"rustle seal v1: x25519";

/// A stanza as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stanza {
    /// The data key itself.
    Open { data_key: [u8; 32] },
    Key {
        salt: [u8; 32],
        wrapped: [u8; WRAPPED],
    },
    Argon2 {
        salt: [u8; 16],
        cost: Argon2Cost,
        wrapped: [u8; WRAPPED],
    },
    Pbkdf2 {
        salt: [u8; 16],
        iterations: u32,
        wrapped: [u8; WRAPPED],
    },
    X25519 {
        recipient: KeyId,
        ephemeral: [u8; 32],
        wrapped: [u8; WRAPPED],
    },
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], SealError> {
    let (head, rest) = bytes
        .split_first_chunk::<N>()
        .ok_or(SealError::Damaged("a stanza is too short"))?;
    *bytes = rest;
    Ok(*head)
}

fn take_u32(bytes: &mut &[u8]) -> Result<u32, SealError> {
    take::<4>(bytes).map(u32::from_le_bytes)
}

impl Stanza {
    fn kind(&self) -> u8 {
        match self {
            Stanza::Open { .. } => 0,
            Stanza::Key { .. } => 1,
            Stanza::Argon2 { .. } => 2,
            Stanza::Pbkdf2 { .. } => 3,
            Stanza::X25519 { .. } => 4,
        }
    }

    /// The body up to the wrapped key: what the wrap authenticates.
    fn parameters(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(48);
        match self {
            Stanza::Open { .. } => {}
            Stanza::Key { salt, .. } => out.extend_from_slice(salt),
            Stanza::Argon2 { salt, cost, .. } => {
                out.extend_from_slice(salt);
                for number in [cost.memory_kib, cost.passes, cost.lanes] {
                    out.extend_from_slice(&number.to_le_bytes());
                }
            }
            Stanza::Pbkdf2 {
                salt, iterations, ..
            } => {
                out.extend_from_slice(salt);
                out.extend_from_slice(&iterations.to_le_bytes());
            }
            Stanza::X25519 {
                recipient,
                ephemeral,
                ..
            } => {
                out.extend_from_slice(&recipient.0);
                out.extend_from_slice(ephemeral);
            }
        }
        out
    }

    /// Appends kind, a zero byte, the body's length (u16, little endian) and the body.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let parameters = self.parameters();
        let payload: &[u8] = match self {
            Stanza::Open { data_key } => data_key,
            Stanza::Key { wrapped, .. }
            | Stanza::Argon2 { wrapped, .. }
            | Stanza::Pbkdf2 { wrapped, .. }
            | Stanza::X25519 { wrapped, .. } => wrapped,
        };
        out.extend_from_slice(&[self.kind(), 0]);
        // At most 88 bytes.
        out.extend_from_slice(&((parameters.len() + payload.len()) as u16).to_le_bytes());
        out.extend_from_slice(&parameters);
        out.extend_from_slice(payload);
    }

    /// Takes one stanza off the front, and refuses costs beyond the bounds.
    fn read(bytes: &mut &[u8]) -> Result<Stanza, SealError> {
        let [kind, zero] = take::<2>(bytes)?;
        let length = usize::from(u16::from_le_bytes(take::<2>(bytes)?));
        let (mut body, rest) = bytes
            .split_at_checked(length)
            .ok_or(SealError::Damaged("a stanza is too short"))?;
        *bytes = rest;
        let b = &mut body;
        let stanza = match (kind, zero) {
            (0, 0) => Stanza::Open { data_key: take(b)? },
            (1, 0) => Stanza::Key {
                salt: take(b)?,
                wrapped: take(b)?,
            },
            (2, 0) => {
                let salt = take(b)?;
                let cost = Argon2Cost {
                    memory_kib: take_u32(b)?,
                    passes: take_u32(b)?,
                    lanes: take_u32(b)?,
                };
                cost.check()?;
                Stanza::Argon2 {
                    salt,
                    cost,
                    wrapped: take(b)?,
                }
            }
            (3, 0) => {
                let salt = take(b)?;
                let iterations = take_u32(b)?;
                check_iterations(iterations)?;
                Stanza::Pbkdf2 {
                    salt,
                    iterations,
                    wrapped: take(b)?,
                }
            }
            (4, 0) => Stanza::X25519 {
                recipient: KeyId(take(b)?),
                ephemeral: take(b)?,
                wrapped: take(b)?,
            },
            _ => return Err(SealError::Damaged("a stanza of an unknown kind")),
        };
        if body.is_empty() {
            Ok(stanza)
        } else {
            Err(SealError::Damaged("a stanza is too long"))
        }
    }

    /// Reads exactly `count` stanzas.
    pub(super) fn read_all(mut bytes: &[u8], count: usize) -> Result<Vec<Stanza>, SealError> {
        within("the number of stanzas", count as u64, 1, MAX_STANZAS as u64)?;
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            out.push(Stanza::read(&mut bytes)?);
        }
        if !bytes.is_empty() {
            return Err(SealError::Damaged("bytes behind the stanzas"));
        }
        check_passphrases(out.iter().filter(|s| s.is_slow()).count())?;
        Ok(out)
    }

    /// Names the lock for a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Stanza::Open { .. } => "no key".to_owned(),
            Stanza::Key { .. } => "an encryption key".to_owned(),
            Stanza::Argon2 { .. } | Stanza::Pbkdf2 { .. } => "a passphrase".to_owned(),
            Stanza::X25519 { recipient, .. } => format!("the X25519 key {recipient}"),
        }
    }

    /// Whether it needs a passphrase, and so time.
    pub(super) fn is_slow(&self) -> bool {
        matches!(self, Stanza::Argon2 { .. } | Stanza::Pbkdf2 { .. })
    }

    /// Whether a key of this kind could open it.
    pub(super) fn suits(&self, key: &KeySource) -> bool {
        match (self, key) {
            (Stanza::Key { .. }, KeySource::Key(_)) => true,
            (Stanza::Argon2 { .. } | Stanza::Pbkdf2 { .. }, KeySource::Passphrase(_)) => true,
            (Stanza::X25519 { recipient, .. }, KeySource::Identity(identity)) => {
                identity.recipient("").id() == *recipient
            }
            _ => false,
        }
    }

    /// The data key, if the key given opens this stanza. `None`: the wrong key.
    pub(super) fn unwrap(
        &self,
        key: &KeySource,
        context: &[u8; 32],
    ) -> Result<Option<Key>, SealError> {
        let (kek, wrapped) = match (self, key) {
            (Stanza::Key { salt, wrapped }, KeySource::Key(raw)) => {
                (derive(salt, raw.bytes(), INFO_KEY), wrapped)
            }
            (
                Stanza::Argon2 {
                    salt,
                    cost,
                    wrapped,
                },
                KeySource::Passphrase(p),
            ) => (argon2_key(p, salt, cost)?, wrapped),
            (
                Stanza::Pbkdf2 {
                    salt,
                    iterations,
                    wrapped,
                },
                KeySource::Passphrase(p),
            ) => (pbkdf2_key(p, salt, *iterations), wrapped),
            (
                Stanza::X25519 {
                    ephemeral, wrapped, ..
                },
                KeySource::Identity(identity),
            ) => {
                let theirs = x25519_dalek::PublicKey::from(*ephemeral);
                let shared = identity.secret().diffie_hellman(&theirs);
                if !shared.was_contributory() {
                    return Err(SealError::Damaged("a stanza's X25519 key"));
                }
                let salt = [
                    ephemeral.as_slice(),
                    identity.recipient("").key().as_bytes(),
                ]
                .concat();
                (derive(&salt, shared.as_bytes(), INFO_X25519), wrapped)
            }
            _ => return Ok(None),
        };
        let (text, tag) = match wrapped.split_last_chunk::<TAG>() {
            Some((text, tag)) => (text, *tag),
            None => return Ok(None),
        };
        let mut data_key = Zeroizing::new([0u8; 32]);
        data_key.copy_from_slice(text);
        let aad = self.associated(context);
        Ok(Cipher::new(&kek)
            .decrypt([0; 12], &aad, data_key.as_mut(), tag)
            .map(|()| data_key))
    }

    fn associated(&self, context: &[u8; 32]) -> Vec<u8> {
        let mut aad = context.to_vec();
        aad.push(self.kind());
        aad.extend_from_slice(&self.parameters());
        aad
    }

    fn set_wrapped(&mut self, kek: &Key, data_key: &[u8; 32], context: &[u8; 32]) -> Option<()> {
        let aad = self.associated(context);
        let mut text = Zeroizing::new(*data_key);
        let tag = Cipher::new(kek).encrypt([0; 12], &aad, text.as_mut())?;
        let into = match self {
            Stanza::Open { .. } => return Some(()),
            Stanza::Key { wrapped, .. }
            | Stanza::Argon2 { wrapped, .. }
            | Stanza::Pbkdf2 { wrapped, .. }
            | Stanza::X25519 { wrapped, .. } => wrapped,
        };
        into[..32].copy_from_slice(text.as_ref());
        into[32..].copy_from_slice(&tag);
        Some(())
    }

    /// Wraps the data key for a lock.
    pub(super) fn wrap(
        lock: &Lock,
        data_key: &[u8; 32],
        context: &[u8; 32],
        random: &mut dyn Randomness,
    ) -> Result<Stanza, SealError> {
        let wrapped = [0u8; WRAPPED];
        let (mut stanza, kek) = match lock {
            Lock::Open => {
                return Ok(Stanza::Open {
                    data_key: *data_key,
                });
            }
            Lock::Key(raw) => {
                let mut salt = [0u8; 32];
                random.fill(&mut salt)?;
                (
                    Stanza::Key { salt, wrapped },
                    derive(&salt, raw.bytes(), INFO_KEY),
                )
            }
            Lock::Passphrase(passphrase, cost) => {
                cost.check()?;
                let mut salt = [0u8; 16];
                random.fill(&mut salt)?;
                let kek = argon2_key(passphrase, &salt, cost)?;
                (
                    Stanza::Argon2 {
                        salt,
                        cost: *cost,
                        wrapped,
                    },
                    kek,
                )
            }
            Lock::Pbkdf2(passphrase, iterations) => {
                check_iterations(*iterations)?;
                let mut salt = [0u8; 16];
                random.fill(&mut salt)?;
                let kek = pbkdf2_key(passphrase, &salt, *iterations);
                (
                    Stanza::Pbkdf2 {
                        salt,
                        iterations: *iterations,
                        wrapped,
                    },
                    kek,
                )
            }
            Lock::Recipient(recipient) => {
                let mut seed = Zeroizing::new([0u8; 32]);
                random.fill(seed.as_mut())?;
                let secret = x25519_dalek::StaticSecret::from(*seed);
                let ephemeral = x25519_dalek::PublicKey::from(&secret).to_bytes();
                let shared = secret.diffie_hellman(recipient.key());
                if !shared.was_contributory() {
                    return Err(SealError::WeakRecipient);
                }
                let salt = [ephemeral.as_slice(), recipient.key().as_bytes()].concat();
                let kek = derive(&salt, shared.as_bytes(), INFO_X25519);
                (
                    Stanza::X25519 {
                        recipient: recipient.id(),
                        ephemeral,
                        wrapped,
                    },
                    kek,
                )
            }
        };
        stanza
            .set_wrapped(&kek, data_key, context)
            .ok_or(SealError::Damaged("the data key"))?;
        Ok(stanza)
    }
}

/// Refuses more passphrases than anybody needs.
pub(super) fn check_passphrases(count: usize) -> Result<(), SealError> {
    within(
        "the number of passphrases",
        count as u64,
        0,
        MAX_PASSPHRASES as u64,
    )
}

/// The key of a passphrase through Argon2id (version 0x13). The memory is asked for fallibly and wiped afterwards.
fn argon2_key(passphrase: &Passphrase, salt: &[u8], cost: &Argon2Cost) -> Result<Key, SealError> {
    let refused = |_| SealError::Refused("Argon2 refuses its parameters".to_owned());
    let params =
        argon2::Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(refused)?;
    let mut blocks: Zeroizing<Vec<argon2::Block>> = Zeroizing::new(Vec::new());
    let count = params.block_count();
    blocks
        .try_reserve_exact(count)
        .map_err(|_| SealError::NoMemory(u64::from(cost.memory_kib)))?;
    blocks.resize(count, argon2::Block::new());
    let mut key = Zeroizing::new([0u8; 32]);
    argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into_with_memory(
            passphrase.bytes(),
            salt,
            key.as_mut(),
            blocks.as_mut_slice(),
        )
        .map_err(refused)?;
    Ok(key)
}

/// The key of a passphrase through PBKDF2-HMAC-SHA256.
fn pbkdf2_key(passphrase: &Passphrase, salt: &[u8], iterations: u32) -> Key {
    let mut key = Zeroizing::new([0u8; 32]);
    pbkdf2::pbkdf2_hmac::<sha2::Sha256>(passphrase.bytes(), salt, iterations, key.as_mut());
    key
}
