//! Key files on disk: made, written so that nobody loses a key, and read back.
//!
//! A key is written to a temporary file beside its place, flushed, and put there in one step; a file that is there already
//! is never replaced unless the caller asks for it. Secret files are readable by their owner only, from their first byte on.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustle_formats::seal::{Identity, KeySource, Randomness, RawKey, Recipient, SealError};
use rustle_formats::sign::{KeyId, KeyTextError, MAX_KEY_TEXT, PublicKey, SecretKey};
use zeroize::Zeroizing;

/// The operating system's random bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsRandom;

impl Randomness for OsRandom {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), SealError> {
        getrandom::fill(out).map_err(|_| SealError::Randomness)
    }
}

/// Why a key file could not be made or read.
#[derive(Debug)]
pub enum KeyFileError {
    /// A file is there already, and was not to be replaced.
    Exists(PathBuf),
    /// A file could not be read or written.
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// A file is no key file, or not of the kind that is needed.
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong. It repeats nothing of the file's text.
        source: KeyTextError,
    },
    /// The operating system gives no random bytes.
    Randomness,
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileError::Exists(path) => write!(
                f,
                "{} is there already; a key that is replaced is lost",
                path.display()
            ),
            KeyFileError::Io {
                doing,
                path,
                source,
            } => {
                write!(f, "cannot {doing} {}: {source}", path.display())
            }
            KeyFileError::Text { path, source } => write!(f, "{}: {source}", path.display()),
            KeyFileError::Randomness => SealError::Randomness.fmt(f),
        }
    }
}

impl std::error::Error for KeyFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyFileError::Io { source, .. } => Some(source),
            KeyFileError::Text { source, .. } => Some(source),
            KeyFileError::Exists(_) | KeyFileError::Randomness => None,
        }
    }
}

/// What happens to a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It stays, and nothing is written.
    #[default]
    Keep,
    /// It is replaced in one step.
    Replace,
}

/// A key pair that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenPair {
    /// The secret half's file, mode 0600.
    pub secret: PathBuf,
    /// The public half's file, mode 0644: the secret's with `.pub` behind it.
    pub public: PathBuf,
    /// The key's id.
    pub id: KeyId,
    /// The public half's line.
    pub line: String,
}

/// A key that was read, and whether others than its owner may read the file.
#[derive(Debug, Clone)]
pub struct Loaded<K> {
    /// The key.
    pub key: K,
    /// Whether group or others may read the file: worth a warning.
    pub exposed: bool,
}

/// Makes an Ed25519 key for signing, and writes it to `path` and `path.pub`.
///
/// # Errors
/// [`KeyFileError::Exists`] when either file is there and is to be kept; then neither is written. Otherwise what the
/// operating system says.
pub fn generate_signing_key(
    path: &Path,
    comment: &str,
    existing: Existing,
    random: &mut dyn Randomness,
) -> Result<WrittenPair, KeyFileError> {
    let key = SecretKey::from_seed(&*fresh_seed(random)?);
    let public = key.public(comment);
    write_pair(
        path,
        &key.to_text(),
        public.to_line(),
        public.id(),
        existing,
    )
}

/// Makes an X25519 key for receiving secrets, and writes it to `path` and `path.pub`.
///
/// # Errors
/// As [`generate_signing_key`].
pub fn generate_recipient_key(
    path: &Path,
    comment: &str,
    existing: Existing,
    random: &mut dyn Randomness,
) -> Result<WrittenPair, KeyFileError> {
    let key = Identity::from_seed(&*fresh_seed(random)?);
    let public = key.recipient(comment);
    write_pair(
        path,
        &key.to_text(),
        public.to_line(),
        public.id(),
        existing,
    )
}

/// Makes a symmetric key, as for `RUSTLE_ENCRYPTION_KEY`, and writes it to `path` with mode 0600.
///
/// # Errors
/// As [`generate_signing_key`].
pub fn generate_raw_key(
    path: &Path,
    existing: Existing,
    random: &mut dyn Randomness,
) -> Result<(), KeyFileError> {
    let key = RawKey::from_bytes(&*fresh_seed(random)?);
    write_file(path, key.to_text().as_bytes(), 0o600, existing)
}

fn fresh_seed(random: &mut dyn Randomness) -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut seed = Zeroizing::new([0u8; 32]);
    random
        .fill(seed.as_mut())
        .map_err(|_| KeyFileError::Randomness)?;
    Ok(seed)
}

/// The file of the public half.
fn public_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    PathBuf::from(name)
}

fn write_pair(
    path: &Path,
    secret: &str,
    line: String,
    id: KeyId,
    existing: Existing,
) -> Result<WrittenPair, KeyFileError> {
    let public = public_path(path);
    if existing == Existing::Keep {
        for file in [path, &public] {
            if file.symlink_metadata().is_ok() {
                return Err(KeyFileError::Exists(file.to_owned()));
            }
        }
    }
    write_file(path, secret.as_bytes(), 0o600, existing)?;
    if let Err(error) = write_file(&public, format!("{line}\n").as_bytes(), 0o644, existing) {
        if existing == Existing::Keep {
            // Half a pair would stand in the way of the next try. This file is ours: it was not there before.
            let _ = std::fs::remove_file(path);
        }
        return Err(error);
    }
    Ok(WrittenPair {
        secret: path.to_owned(),
        public,
        id,
        line,
    })
}

/// Writes a file in one step: old or new content at any moment, and on the disk when this returns.
///
/// # Errors
/// [`KeyFileError::Exists`] when it is there and is to be kept, and what the operating system says.
pub fn write_file(
    path: &Path,
    content: &[u8],
    mode: u32,
    existing: Existing,
) -> Result<(), KeyFileError> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let failed = |doing: &'static str| {
        move |source: io::Error| KeyFileError::Io {
            doing,
            path: path.to_owned(),
            source,
        }
    };
    // A temporary file has mode 0600 from the start.
    let mut file = tempfile::Builder::new()
        .prefix(".rustle-key-")
        .tempfile_in(folder)
        .map_err(failed("write"))?;
    file.write_all(content).map_err(failed("write"))?;
    let permissions = std::fs::Permissions::from_mode(mode);
    file.as_file()
        .set_permissions(permissions)
        .map_err(failed("set the mode of"))?;
    file.as_file().sync_all().map_err(failed("flush"))?;
    match existing {
        Existing::Replace => file.persist(path),
        Existing::Keep => file.persist_noclobber(path),
    }
    .map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        _ => failed("write")(error.error),
    })?;
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(failed("flush the folder of"))
}

/// Reads a text file of bounded size, and whether others than its owner may read it.
fn read_text(path: &Path) -> Result<(Zeroizing<String>, bool), KeyFileError> {
    let failed = |source| KeyFileError::Io {
        doing: "read",
        path: path.to_owned(),
        source,
    };
    let wrong = |source| KeyFileError::Text {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let meta = file.metadata().map_err(failed)?;
    let exposed = meta.is_file() && meta.mode() & 0o044 != 0;
    // Room for all of it from the start, so that no copies of a secret stay behind.
    let room = usize::try_from(meta.len())
        .unwrap_or(usize::MAX)
        .clamp(4096, MAX_KEY_TEXT + 1);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
    file.take(MAX_KEY_TEXT as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() > MAX_KEY_TEXT {
        return Err(wrong(KeyTextError::TooLarge));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        wrong(KeyTextError::Line {
            line: 1 + bytes.iter().filter(|b| **b == b'\n').count(),
            why: "a key file is text; this one is not",
        })
    })?;
    Ok((Zeroizing::new(text.to_owned()), exposed))
}

/// Reads a key file with one of the parsers.
fn load<K>(
    path: &Path,
    parse: impl FnOnce(&str) -> Result<K, KeyTextError>,
) -> Result<Loaded<K>, KeyFileError> {
    let (text, exposed) = read_text(path)?;
    let key = parse(&text).map_err(|source| KeyFileError::Text {
        path: path.to_owned(),
        source,
    })?;
    Ok(Loaded { key, exposed })
}

/// Reads a secret signing key (`site.key`).
///
/// # Errors
/// Names the file, and what it holds in place of a secret Ed25519 key.
pub fn load_signing_key(path: &Path) -> Result<Loaded<SecretKey>, KeyFileError> {
    load(path, SecretKey::parse)
}

/// Reads a file of trusted signing keys (`site.key.pub`, or several lines of such).
///
/// # Errors
/// Names the file, and the first line that is wrong.
pub fn load_trusted_keys(path: &Path) -> Result<Vec<PublicKey>, KeyFileError> {
    load(path, PublicKey::parse_list).map(|loaded| loaded.key)
}

/// Reads what `--key-file` names: a symmetric key or a secret X25519 key.
///
/// # Errors
/// Names the file, and what it holds in place of such a key.
pub fn load_key_source(path: &Path) -> Result<Loaded<KeySource>, KeyFileError> {
    load(path, KeySource::parse)
}

/// Reads a file of recipients (`host.key.pub`, or several lines of such).
///
/// # Errors
/// Names the file, and the first line that is wrong.
pub fn load_recipients(path: &Path) -> Result<Vec<Recipient>, KeyFileError> {
    load(path, Recipient::parse_list).map(|loaded| loaded.key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o7777
    }

    #[test]
    fn pairs_are_written_read_and_never_replaced_unasked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.key");
        let pair = generate_signing_key(&path, "me", Existing::Keep, &mut OsRandom).unwrap();
        assert_eq!((mode(&pair.secret), mode(&pair.public)), (0o600, 0o644));
        let secret = load_signing_key(&path).unwrap();
        assert!(!secret.exposed);
        assert_eq!(
            load_trusted_keys(&pair.public).unwrap(),
            [secret.key.public("me")]
        );

        let before = std::fs::read(&path).unwrap();
        for victim in [&pair.secret, &pair.public] {
            let other = if victim == &pair.secret {
                &pair.public
            } else {
                &pair.secret
            };
            let kept = std::fs::read(other).unwrap();
            std::fs::remove_file(other).unwrap();
            assert!(matches!(
                generate_signing_key(&path, "", Existing::Keep, &mut OsRandom),
                Err(KeyFileError::Exists(p)) if p == *victim
            ));
            assert!(!other.exists());
            write_file(other, &kept, 0o600, Existing::Keep).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), before);
        let again = generate_signing_key(&path, "", Existing::Replace, &mut OsRandom).unwrap();
        assert_ne!(again.id, pair.id);
        // Nothing temporary stays behind.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn other_kinds_of_keys_are_written_too() {
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().join("host.key");
        let pair = generate_recipient_key(&host, "web1", Existing::Keep, &mut OsRandom).unwrap();
        assert_eq!(load_recipients(&pair.public).unwrap()[0].id(), pair.id);
        assert!(matches!(
            load_key_source(&host).unwrap().key,
            KeySource::Identity(_)
        ));
        let raw = folder.path().join("raw.key");
        generate_raw_key(&raw, Existing::Keep, &mut OsRandom).unwrap();
        assert_eq!(mode(&raw), 0o600);
        assert!(matches!(
            load_key_source(&raw).unwrap().key,
            KeySource::Key(_)
        ));
        std::fs::set_permissions(&raw, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(load_key_source(&raw).unwrap().exposed);
    }

    #[test]
    fn wrong_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        let missing = load_signing_key(&path).unwrap_err().to_string();
        assert!(
            missing.starts_with("cannot read ") && missing.contains("/k: "),
            "{missing}"
        );
        std::fs::write(&path, b"\xff\xfehunter2").unwrap();
        let binary = load_signing_key(&path).unwrap_err().to_string();
        assert!(binary.contains("is text") && !binary.contains("hunter2"));
        let endless = load_key_source(Path::new("/dev/zero"))
            .unwrap_err()
            .to_string();
        assert!(endless.contains("too large"), "{endless}");
    }
}
