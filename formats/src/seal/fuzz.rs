//! What the fuzzers run: every reader of bytes and texts that somebody else may have written.
//!
//! They stand here as plain functions so that the fuzz targets are one line each and that tests can run them too.

use super::{KeySource, Overlay, RawKey, Recipient, Section};
use crate::sign::{PublicKey, SecretKey};

/// The key that fuzz inputs may be sealed with, so that mutations reach beyond the stanzas.
pub const FUZZ_KEY: [u8; 32] = [0x42; 32];

fn keys() -> [KeySource; 1] {
    [KeySource::Key(RawKey::from_bytes(&FUZZ_KEY))]
}

/// Reads bytes as a sealed section.
pub fn section(bytes: &[u8]) {
    if let Ok(section) = Section::parse(bytes) {
        let _ = (section.digest(), section.locks(), section.verify_items());
    }
    let context = super::Context {
        base_root: &[0; 32],
        host: "fuzz",
    };
    let _ = super::open(bytes, &keys(), &context);
}

/// Reads bytes as an overlay, and opens it if it is one.
pub fn overlay(bytes: &[u8]) {
    let Ok(overlay) = Overlay::parse(bytes) else {
        return;
    };
    let trusted = [SecretKey::from_seed(&FUZZ_KEY).public("")];
    let _ = (overlay.verify(&trusted), overlay.verify_items());
    if let Ok(open) = overlay.open(&keys()) {
        for position in 0..open.files().len() {
            let _ = open.read_file(position);
        }
    }
}

/// Reads bytes as every kind of key file.
pub fn key_text(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (SecretKey::parse(text), PublicKey::parse_list(text));
        let _ = (KeySource::parse(text), Recipient::parse_list(text));
    }
}
