//! The text form of every key file: one reader and one printer, so that all kinds make the same mistakes clear.
//!
//! A secret key file says in its first line what it is, so that nobody takes it for something harmless; a public key is
//! one line that can be pasted into a list. Empty lines and lines that begin with `#` mean nothing. No error repeats
//! what stood in the file: it may be a secret.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The largest key file that is read, in bytes. A list of trusted keys of this size holds several thousand.
pub const MAX_KEY_TEXT: usize = 1 << 20;

/// The longest comment behind a public key that is kept, in characters.
const MAX_COMMENT: usize = 256;

/// The kinds of key files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// Signs artifacts.
    Ed25519,
    /// Receives sealed secrets.
    X25519,
}

impl KeyKind {
    /// The word at the start of a public key's line.
    pub fn public_word(self) -> &'static str {
        match self {
            KeyKind::Ed25519 => "rustle-ed25519",
            KeyKind::X25519 => "rustle-x25519",
        }
    }

    /// The first line of a secret key's file.
    pub fn secret_word(self) -> &'static str {
        match self {
            KeyKind::Ed25519 => "rustle-ed25519-secret-key",
            KeyKind::X25519 => "rustle-x25519-secret-key",
        }
    }

    fn purpose(self) -> &'static str {
        match self {
            KeyKind::Ed25519 => "Ed25519 key, for signatures",
            KeyKind::X25519 => "X25519 key, for secrets",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyKind::Ed25519 => "Ed25519",
            KeyKind::X25519 => "X25519",
        })
    }
}

/// What is wrong with a key file. Lines count from 1; nothing here repeats the file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyTextError {
    /// The file is larger than [`MAX_KEY_TEXT`].
    TooLarge,
    /// The file holds no key of the kind that was asked for.
    Missing {
        /// What was asked for.
        wanted: &'static str,
    },
    /// The file holds another kind of key.
    OtherKind {
        /// What was asked for.
        wanted: &'static str,
        /// What the file holds.
        found: &'static str,
    },
    /// A line that is no key.
    Line {
        /// Which line.
        line: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for KeyTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyTextError::TooLarge => {
                write!(f, "too large for a key file (at most {MAX_KEY_TEXT} bytes)")
            }
            KeyTextError::Missing { wanted } => write!(f, "is empty where {wanted} is needed"),
            KeyTextError::OtherKind { wanted, found } => {
                write!(f, "holds {found}, where {wanted} is needed")
            }
            KeyTextError::Line { line, why } => write!(f, "line {line}: {why}"),
        }
    }
}

impl std::error::Error for KeyTextError {}

/// What kind of file a text is, by the first word of its first line that says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looks {
    Public(KeyKind),
    Secret(KeyKind),
    Other,
}

impl Looks {
    /// Judges a text by its first word.
    pub(crate) fn at(text: &str) -> Looks {
        let word = key_lines(text)
            .next()
            .and_then(|(_, line)| line.split_whitespace().next())
            .unwrap_or("");
        for kind in [KeyKind::Ed25519, KeyKind::X25519] {
            if word == kind.public_word() {
                return Looks::Public(kind);
            }
            if word == kind.secret_word() {
                return Looks::Secret(kind);
            }
        }
        Looks::Other
    }

    /// Names it for a message.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Looks::Public(KeyKind::Ed25519) => "a public Ed25519 key (signatures)",
            Looks::Public(KeyKind::X25519) => "a public X25519 key (secrets)",
            Looks::Secret(KeyKind::Ed25519) => "a secret Ed25519 key (signatures)",
            Looks::Secret(KeyKind::X25519) => "a secret X25519 key (secrets)",
            Looks::Other => "no key that Rustle knows",
        }
    }
}

/// The lines that say something, trimmed, with their numbers.
pub(crate) fn key_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Decodes 32 bytes of standard base64.
pub(crate) fn decode_32(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() != 44 {
        return None;
    }
    // The decoder wants room for its largest guess, 33 bytes.
    let mut buffer = Zeroizing::new([0u8; 33]);
    let count = STANDARD.decode_slice(text, buffer.as_mut()).ok()?;
    if count != 32 {
        return None;
    }
    let mut out = Zeroizing::new([0u8; 32]);
    out.copy_from_slice(&buffer[..32]);
    Some(out)
}

/// The text of a secret key file.
pub(crate) fn print_secret(kind: KeyKind, seed: &[u8; 32], public: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new([0u8; 44]);
    // Room for exactly 44 characters: this cannot fail, and an empty key would not parse.
    let count = STANDARD.encode_slice(seed, encoded.as_mut()).unwrap_or(0);
    let mut out = Zeroizing::new(String::with_capacity(512));
    out.push_str(kind.secret_word());
    out.push_str("\n# Secret ");
    out.push_str(kind.purpose());
    out.push_str(". Whoever reads this file can act as its owner.\n# Public half: ");
    out.push_str(public);
    out.push('\n');
    out.push_str(std::str::from_utf8(&encoded[..count]).unwrap_or(""));
    out.push('\n');
    out
}

/// Reads a secret key file of one kind.
pub(crate) fn parse_secret(kind: KeyKind, text: &str) -> Result<Zeroizing<[u8; 32]>, KeyTextError> {
    if text.len() > MAX_KEY_TEXT {
        return Err(KeyTextError::TooLarge);
    }
    let wanted = Looks::Secret(kind).name();
    match Looks::at(text) {
        Looks::Secret(found) if found == kind => {}
        found => {
            return Err(KeyTextError::OtherKind {
                wanted,
                found: found.name(),
            });
        }
    }
    let mut rest = key_lines(text).skip(1);
    let Some((line, encoded)) = rest.next() else {
        return Err(KeyTextError::Missing { wanted });
    };
    let seed = decode_32(encoded).ok_or(KeyTextError::Line {
        line,
        why: "a secret key is 32 bytes in base64 (44 characters)",
    })?;
    if let Some((line, _)) = rest.next() {
        return Err(KeyTextError::Line {
            line,
            why: "nothing may follow the secret key",
        });
    }
    Ok(seed)
}

/// The line of a public key, without the end of line.
pub(crate) fn print_public(kind: KeyKind, key: &[u8; 32], comment: &str) -> String {
    let mut out = format!("{} {}", kind.public_word(), STANDARD.encode(key));
    if !comment.is_empty() {
        out.push(' ');
        out.push_str(comment);
    }
    out
}

/// Makes a comment that fits on a public key's line: no control characters, no space around it, not too long.
pub(crate) fn clean_comment(comment: &str) -> String {
    let flat: String = comment
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_COMMENT)
        .collect();
    flat.trim().to_owned()
}

/// Reads the public keys of one kind from a text with any number of lines: bytes, comment and line number.
pub(crate) fn parse_public(
    kind: KeyKind,
    text: &str,
) -> Result<Vec<([u8; 32], String, usize)>, KeyTextError> {
    if text.len() > MAX_KEY_TEXT {
        return Err(KeyTextError::TooLarge);
    }
    let wanted = Looks::Public(kind).name();
    let mut out = Vec::new();
    for (line, content) in key_lines(text) {
        let mut words = content.splitn(3, char::is_whitespace);
        let word = words.next().unwrap_or("");
        if word != kind.public_word() {
            let found = Looks::at(content);
            if found == Looks::Other {
                return Err(KeyTextError::Line {
                    line,
                    why: "not a public key (`rustle-ed25519 BASE64 comment`, or `rustle-x25519 …`)",
                });
            }
            return Err(KeyTextError::OtherKind {
                wanted,
                found: found.name(),
            });
        }
        let key = decode_32(words.next().unwrap_or("")).ok_or(KeyTextError::Line {
            line,
            why: "a public key is 32 bytes in base64 (44 characters)",
        })?;
        out.push((*key, clean_comment(words.next().unwrap_or("")), line));
    }
    if out.is_empty() {
        return Err(KeyTextError::Missing { wanted });
    }
    Ok(out)
}
