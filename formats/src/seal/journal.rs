//! The journal of a session whose controller is away: its messages, each sealed under the session's key, one after the
//! other.
//!
//! ```text
//! first: u64        the number of the first message
//! then for each:    length: u32, ciphertext, tag: 16 bytes
//! ```
//!
//! The key is new for every session, and a number is never used for two messages, so the number is the nonce.

use super::cipher::{Cipher, TAG};
use crate::session::{MAX_FRAME, RunKey};

/// Bytes before the first record.
const HEAD: usize = 8;

/// Seals and opens the records of one session's journal.
pub struct JournalSeal(Cipher);

impl JournalSeal {
    /// For the session with this key.
    pub fn new(key: &RunKey) -> JournalSeal {
        let derived = blake3::derive_key("rustle 2026-11 session journal", &key.0);
        JournalSeal(Cipher::new(&derived))
    }

    /// The bytes before the first record.
    pub fn head(first: u64) -> [u8; HEAD] {
        first.to_le_bytes()
    }

    /// A message as a record; `None` where it is longer than any message.
    pub fn record(&self, number: u64, message: &[u8]) -> Option<Vec<u8>> {
        let length = u32::try_from(message.len() + TAG).ok()?;
        let mut out = Vec::with_capacity(4 + message.len() + TAG);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(message);
        let tag = self.0.encrypt(nonce(number), &[], &mut out[4..])?;
        out.extend_from_slice(&tag);
        Some(out)
    }

    /// Reads a journal: the number of its first message, and the messages. A last record that is not whole (its writer was
    /// killed) is left out.
    ///
    /// # Errors
    /// A sentence, where it is no journal, or not of this session.
    pub fn open(&self, journal: &[u8]) -> Result<(u64, Vec<Vec<u8>>), String> {
        let Some((head, mut rest)) = journal.split_first_chunk::<HEAD>() else {
            // Its writer came no further.
            return Ok((0, Vec::new()));
        };
        let first = u64::from_le_bytes(*head);
        let mut messages = Vec::new();
        while let Some((length, body)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            if !(TAG..=MAX_FRAME + TAG).contains(&length) {
                return Err("the host's journal of the session is damaged".to_owned());
            }
            let Some(sealed) = body.get(..length) else {
                break;
            };
            let number = first.saturating_add(messages.len() as u64);
            messages.push(self.message(number, sealed)?);
            rest = &body[length..];
        }
        Ok((first, messages))
    }

    fn message(&self, number: u64, sealed: &[u8]) -> Result<Vec<u8>, String> {
        let wrong = || "the host's journal is not of this session, or damaged".to_owned();
        let (text, tag) = sealed.split_last_chunk::<TAG>().ok_or_else(wrong)?;
        let mut text = text.to_vec();
        self.0
            .decrypt(nonce(number), &[], &mut text, *tag)
            .ok_or_else(wrong)?;
        Ok(text)
    }
}

fn nonce(number: u64) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(seal: &JournalSeal) -> Vec<u8> {
        let mut out = JournalSeal::head(7).to_vec();
        out.extend(seal.record(7, b"one").unwrap());
        out.extend(seal.record(8, b"").unwrap());
        out.extend(seal.record(9, b"three").unwrap());
        out
    }

    #[test]
    fn what_was_sealed_is_read_and_a_torn_end_is_left_out() {
        let seal = JournalSeal::new(&RunKey([1; 32]));
        let all = journal(&seal);
        let (first, messages) = seal.open(&all).unwrap();
        assert_eq!(first, 7);
        assert_eq!(messages, [&b"one"[..], b"", b"three"]);
        for len in 0..all.len() {
            let (_, read) = seal.open(&all[..len]).unwrap();
            assert!(read.len() < 3 && read[..] == messages[..read.len()]);
        }
    }

    #[test]
    fn other_keys_and_moved_records_are_refused() {
        let seal = JournalSeal::new(&RunKey([1; 32]));
        let mut all = journal(&seal);
        assert!(JournalSeal::new(&RunKey([2; 32])).open(&all).is_err());
        assert!(!all.windows(3).any(|w| w == b"one"));
        all[0] = 8;
        assert!(seal.open(&all).is_err());
    }
}
