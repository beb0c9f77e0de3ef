//! OpenSSH's `known_hosts`: plain, hashed and wildcard names, ports, revoked keys.
//!
//! libssh2 has a reader too, but it cannot say which types of key are known for a host, and without that a server that
//! has several keys may offer one that nobody has seen.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeyStatus {
    /// It is the one.
    Known,
    /// Nothing is known of the host.
    Unknown,
    /// Another one is known.
    Changed {
        /// Where.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// It must not be used any more.
    Revoked {
        /// Where.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
    },
}

/// One line.
#[derive(Debug)]
struct Entry {
    revoked: bool,
    names: String,
    key_type: String,
    key: Vec<u8>,
    file: PathBuf,
    line: usize,
}

/// All lines of all files.
#[derive(Debug, Default)]
pub struct KnownHosts {
    entries: Vec<Entry>,
}

impl KnownHosts {
    /// Reads the files; a missing one is empty. Lines that are not understood match nothing, as with OpenSSH.
    ///
    /// # Errors
    /// Where a file is there and cannot be read.
    pub fn load(files: &[PathBuf]) -> io::Result<KnownHosts> {
        let mut entries = Vec::new();
        for file in files {
            let text = match fs::read(file) {
                Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(e),
            };
            for (number, line) in text.lines().enumerate() {
                entries.extend(parse_line(line, file, number + 1));
            }
        }
        Ok(KnownHosts { entries })
    }

    /// The types of the keys that are known for a host, `ssh-ed25519` and the like.
    pub fn key_types(&self, host: &str, port: u16) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        for entry in &self.entries {
            if !entry.revoked
                && matches(&entry.names, host, port)
                && !types.contains(&entry.key_type)
            {
                types.push(entry.key_type.clone());
            }
        }
        types
    }

    /// What is known of this key of this host.
    pub fn check(&self, host: &str, port: u16, key: &[u8]) -> HostKeyStatus {
        let mut status = HostKeyStatus::Unknown;
        for entry in &self.entries {
            if entry.revoked && entry.key == key {
                return HostKeyStatus::Revoked {
                    file: entry.file.clone(),
                    line: entry.line,
                };
            }
            if entry.revoked || !matches(&entry.names, host, port) {
                continue;
            }
            if entry.key == key {
                status = HostKeyStatus::Known;
            } else if status == HostKeyStatus::Unknown {
                status = HostKeyStatus::Changed {
                    file: entry.file.clone(),
                    line: entry.line,
                };
            }
        }
        status
    }
}

/// Adds a key, creating the file (0600) and its folder (0700) where they are missing.
///
/// # Errors
/// Where the file cannot be written.
pub fn add(file: &Path, host: &str, port: u16, key: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    if let Some(folder) = file.parent() {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let key_type = type_of(key).ok_or_else(|| io::Error::other("the key has no type"))?;
    let mut out = String::new();
    // A file without a final newline would swallow our line.
    if fs::read(file).is_ok_and(|old| old.last().is_some_and(|b| *b != b'\n')) {
        out.push('\n');
    }
    out.push_str(&format!(
        "{} {key_type} {}\n",
        name_with_port(host, port),
        STANDARD.encode(key)
    ));
    let mut open = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(file)?;
    open.write_all(out.as_bytes())?;
    open.sync_all()
}

/// `SHA256:…`, as ssh prints it.
pub fn fingerprint(key: &[u8]) -> String {
    format!(
        "{} SHA256:{}",
        type_of(key).unwrap_or("key"),
        STANDARD_NO_PAD.encode(Sha256::digest(key))
    )
}

/// The order in which to ask a server for its keys: those first that can be checked.
pub fn preference(types: &[String]) -> String {
    const ALL: &[&str] = &[
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
        "ssh-rsa",
    ];
    let known = |method: &&&str| {
        types
            .iter()
            .any(|t| t == **method || (t == "ssh-rsa" && method.starts_with("rsa-sha2")))
    };
    let first = ALL.iter().filter(known);
    let rest = ALL.iter().filter(|m| !known(m));
    first.chain(rest).copied().collect::<Vec<_>>().join(",")
}

/// The type that a key's own bytes name.
fn type_of(key: &[u8]) -> Option<&str> {
    let length = u32::from_be_bytes(*key.first_chunk::<4>()?) as usize;
    std::str::from_utf8(key.get(4..4 + length)?).ok()
}

fn name_with_port(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 {
        host
    } else {
        format!("[{host}]:{port}")
    }
}

fn parse_line(line: &str, file: &Path, number: usize) -> Option<Entry> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let mut names = words.next()?;
    let mut revoked = false;
    if names.starts_with('@') {
        // Certificate authorities vouch for certificates, which libssh2 does not take from hosts.
        if names != "@revoked" {
            return None;
        }
        revoked = true;
        names = words.next()?;
    }
    let key_type = words.next()?;
    let key = STANDARD.decode(words.next()?).ok()?;
    Some(Entry {
        revoked,
        names: names.to_owned(),
        key_type: key_type.to_owned(),
        key,
        file: file.to_owned(),
        line: number,
    })
}

/// Whether a line's names mean this host at this port.
fn matches(names: &str, host: &str, port: u16) -> bool {
    let wanted = name_with_port(host, port);
    if let Some(hashed) = names.strip_prefix("|1|") {
        return hash_matches(hashed, &wanted);
    }
    let mut found = false;
    for name in names.split(',') {
        let (negated, pattern) = match name.strip_prefix('!') {
            Some(pattern) => (true, pattern),
            None => (false, name),
        };
        if wildcard(pattern.to_ascii_lowercase().as_bytes(), wanted.as_bytes()) {
            if negated {
                return false;
            }
            found = true;
        }
    }
    found
}

fn hash_matches(hashed: &str, name: &str) -> bool {
    let Some((salt, digest)) = hashed.split_once('|') else {
        return false;
    };
    let (Ok(salt), Ok(digest)) = (STANDARD.decode(salt), STANDARD.decode(digest)) else {
        return false;
    };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(&salt) else {
        return false;
    };
    mac.update(name.as_bytes());
    mac.verify_slice(&digest).is_ok()
}

/// `*` and `?`, in time that grows with the product of the lengths at worst.
fn wildcard(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Vec<u8> {
        let mut k = 11u32.to_be_bytes().to_vec();
        k.extend_from_slice(b"ssh-ed25519");
        k.push(n);
        k
    }

    #[test]
    fn all_kinds_of_lines() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ssh/known_hosts");
        add(&file, "Web1", 22, &key(1)).unwrap();
        add(&file, "web1", 2222, &key(2)).unwrap();
        let salt = b"salt";
        let mut mac = Hmac::<Sha1>::new_from_slice(salt).unwrap();
        mac.update(b"hidden");
        let hashed = format!(
            "|1|{}|{} ssh-ed25519 {}\n*.lan,!bad.lan ssh-ed25519 {}\n@revoked * ssh-ed25519 {}\ngarbage\n",
            STANDARD.encode(salt),
            STANDARD.encode(mac.finalize().into_bytes()),
            STANDARD.encode(key(3)),
            STANDARD.encode(key(4)),
            STANDARD.encode(key(9)),
        );
        let mut text = fs::read_to_string(&file).unwrap();
        text.push_str(&hashed);
        fs::write(&file, text).unwrap();
        let known = KnownHosts::load(&[dir.path().join("missing"), file.clone()]).unwrap();
        assert_eq!(known.check("web1", 22, &key(1)), HostKeyStatus::Known);
        assert_eq!(known.check("WEB1", 2222, &key(2)), HostKeyStatus::Known);
        assert!(matches!(
            known.check("web1", 22, &key(2)),
            HostKeyStatus::Changed { line: 1, .. }
        ));
        assert_eq!(known.check("hidden", 22, &key(3)), HostKeyStatus::Known);
        assert_eq!(known.check("a.lan", 22, &key(4)), HostKeyStatus::Known);
        assert_eq!(known.check("bad.lan", 22, &key(4)), HostKeyStatus::Unknown);
        assert!(matches!(
            known.check("web1", 22, &key(9)),
            HostKeyStatus::Revoked { .. }
        ));
        assert_eq!(known.key_types("web1", 22), ["ssh-ed25519"]);
        assert!(preference(&["ssh-rsa".into()]).starts_with("rsa-sha2-512,"));
    }
}
