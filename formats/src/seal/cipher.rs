//! The ciphers: how one random data key becomes the keys and nonces of everything in a section.
//!
//! A data key belongs to one section and is never used again, so nonces can simply count: (item, piece, last). HKDF
//! with the section's context as salt gives the index, the items and the commitment keys of their own.

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// Bytes that AES-GCM adds to a message.
pub(super) const TAG: usize = 16;
/// Plaintext bytes of a piece. Every piece of an item but the last has exactly this many.
pub(super) const PIECE: usize = 256 * 1024;

/// A wiped 32-byte key.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// HKDF-SHA256 to 32 bytes.
pub(super) fn derive(salt: &[u8], secret: &[u8], info: &[u8]) -> Key {
    let mut out = Zeroizing::new([0u8; 32]);
    // 32 bytes are far below HKDF's limit of 8160, the only thing that expand can complain of.
    let expanded = Hkdf::<Sha256>::new(Some(salt), secret).expand(info, out.as_mut());
    debug_assert!(expanded.is_ok());
    out
}

/// One AES-256-GCM key.
pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Cipher {
        Cipher(Aes256Gcm::new(&(*key).into()))
    }

    /// Encrypts `text` in place and gives the tag; `None` for more than AES-GCM can take (64 GiB).
    pub(super) fn encrypt(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        text: &mut [u8],
    ) -> Option<[u8; TAG]> {
        let tag = self
            .0
            .encrypt_inout_detached(&Nonce::from(nonce), aad, text.into())
            .ok()?;
        Some(tag.into())
    }

    /// Decrypts in place; `None`, with the text as it was, when key, nonce, associated data or text do not fit the tag.
    pub(super) fn decrypt(
        &self,
        nonce: [u8; 12],
        aad: &[u8],
        text: &mut [u8],
        tag: [u8; TAG],
    ) -> Option<()> {
        self.0
            .decrypt_inout_detached(&Nonce::from(nonce), aad, text.into(), &Tag::from(tag))
            .ok()
    }
}

/// The keys of a section.
pub(super) struct SectionKeys {
    pub(super) index: Cipher,
    pub(super) items: Cipher,
    /// Says which data key it is without giving it away. One section can so never open differently for two people.
    pub(super) commitment: [u8; 32],
}

impl SectionKeys {
    pub(super) fn derive(data_key: &[u8; 32], context: &[u8; 32]) -> SectionKeys {
        let key = |info: &[u8]| derive(context, data_key, info);
        SectionKeys {
            index: Cipher::new(&key(b"rustle seal v1: index")),
            items: Cipher::new(&key(b"rustle seal v1: items")),
            commitment: *key(b"rustle seal v1: commitment"),
        }
    }
}

/// The nonce of a piece: item number (u32, little endian), piece number (u56, little endian), 1 for the last piece.
fn piece_nonce(item: u32, piece: u64, last: bool) -> [u8; 12] {
    let mut nonce = [0u8; 12];
    nonce[..4].copy_from_slice(&item.to_le_bytes());
    nonce[4..11].copy_from_slice(&piece.to_le_bytes()[..7]);
    nonce[11] = u8::from(last);
    nonce
}

/// How many bytes an item of `plain` bytes takes when stored: a tag for every piece, and at least one piece.
pub(super) fn stored_len(plain: u64) -> Option<u64> {
    let pieces = plain.div_ceil(PIECE as u64).max(1);
    plain.checked_add(pieces.checked_mul(TAG as u64)?)
}

/// How many bytes of plaintext a stored item holds; `None` when no item has that length.
pub(super) fn plain_len(stored: u64) -> Option<u64> {
    let pieces = stored.div_ceil((PIECE + TAG) as u64).max(1);
    let plain = stored.checked_sub(pieces * TAG as u64)?;
    (stored_len(plain) == Some(stored)).then_some(plain)
}

/// Encrypts `content` and `padding` zeros behind it, piece by piece, onto `out`.
pub(super) fn encrypt_item(
    cipher: &Cipher,
    item: u32,
    aad: &[u8],
    content: &[u8],
    padding: usize,
    out: &mut Vec<u8>,
) -> Option<()> {
    let total = content.len().checked_add(padding)?;
    out.try_reserve_exact(usize::try_from(stored_len(total as u64)?).ok()?)
        .ok()?;
    let pieces = total.div_ceil(PIECE).max(1);
    for piece in 0..pieces {
        let from = piece * PIECE;
        let to = total.min(from + PIECE);
        let start = out.len();
        out.extend_from_slice(&content[from.min(content.len())..to.min(content.len())]);
        out.resize(start + (to - from), 0);
        let nonce = piece_nonce(item, piece as u64, piece + 1 == pieces);
        let tag = cipher.encrypt(nonce, aad, &mut out[start..])?;
        out.extend_from_slice(&tag);
    }
    Some(())
}

/// Decrypts a stored item, padding included.
pub(super) fn decrypt_item(
    cipher: &Cipher,
    item: u32,
    aad: &[u8],
    stored: &[u8],
) -> Option<Zeroizing<Vec<u8>>> {
    let total = usize::try_from(plain_len(stored.len() as u64)?).ok()?;
    let mut out = Zeroizing::new(Vec::new());
    out.try_reserve_exact(total).ok()?;
    let pieces = total.div_ceil(PIECE).max(1);
    for (piece, chunk) in stored.chunks(PIECE + TAG).enumerate() {
        let (text, tag) = chunk.split_last_chunk::<TAG>()?;
        let start = out.len();
        out.extend_from_slice(text);
        let nonce = piece_nonce(item, piece as u64, piece + 1 == pieces);
        cipher.decrypt(nonce, aad, &mut out[start..], *tag)?;
    }
    (out.len() == total).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_together() {
        let piece = PIECE as u64;
        for plain in [0, 1, piece - 1, piece, piece + 1, 2 * piece, 5 * piece + 7] {
            let stored = stored_len(plain).unwrap();
            assert_eq!(plain_len(stored), Some(plain));
        }
        for stored in [0, 1, 15, piece + 16 + 1, piece + 16 + 16] {
            assert_eq!(plain_len(stored), None, "{stored}");
        }
        assert_eq!(stored_len(u64::MAX), None);
    }

    #[test]
    fn pieces_cannot_be_moved_dropped_or_repeated() {
        let cipher = Cipher::new(&[3; 32]);
        let content = vec![0x5a; 2 * PIECE + 100];
        let mut stored = Vec::new();
        encrypt_item(&cipher, 1, b"x", &content, 28, &mut stored).unwrap();
        let plain = decrypt_item(&cipher, 1, b"x", &stored).unwrap();
        assert_eq!(&plain[..content.len()], &content[..]);
        assert!(plain[content.len()..].iter().all(|b| *b == 0));

        let one = PIECE + TAG;
        let (a, b, c) = (&stored[..one], &stored[one..2 * one], &stored[2 * one..]);
        for wrong in [
            [b, a, c].concat(),
            [a, c].concat(),
            [a, b].concat(),
            [a, b, b, c].concat(),
            [a, a, c].concat(),
        ] {
            assert!(decrypt_item(&cipher, 1, b"x", &wrong).is_none());
        }
        assert!(decrypt_item(&cipher, 2, b"x", &stored).is_none());
        assert!(decrypt_item(&cipher, 1, b"y", &stored).is_none());
    }
}
