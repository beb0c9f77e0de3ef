//! Checksums of files, streamed, as lower-case hexadecimal.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha1::Digest;

/// A checksum's algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    /// MD5.
    Md5,
    /// SHA-1, what Ansible compares files by.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// The names, for a SPEC's choices.
    pub(crate) const NAMES: &'static [&'static str] =
        &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

    /// By its name.
    pub(crate) fn named(name: &str) -> Option<Algorithm> {
        Some(match name {
            "md5" => Algorithm::Md5,
            "sha1" => Algorithm::Sha1,
            "sha224" => Algorithm::Sha224,
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            _ => return None,
        })
    }
}

/// A running checksum; bytes are written into it.
pub(crate) enum Hasher {
    /// See [`Algorithm::Md5`].
    Md5(md5::Md5),
    /// See [`Algorithm::Sha1`].
    Sha1(sha1::Sha1),
    /// See [`Algorithm::Sha224`].
    Sha224(sha2::Sha224),
    /// See [`Algorithm::Sha256`].
    Sha256(sha2::Sha256),
    /// See [`Algorithm::Sha384`].
    Sha384(sha2::Sha384),
    /// See [`Algorithm::Sha512`].
    Sha512(sha2::Sha512),
}

impl Hasher {
    /// Starts a checksum.
    pub(crate) fn new(algorithm: Algorithm) -> Hasher {
        match algorithm {
            Algorithm::Md5 => Hasher::Md5(md5::Md5::default()),
            Algorithm::Sha1 => Hasher::Sha1(sha1::Sha1::default()),
            Algorithm::Sha224 => Hasher::Sha224(sha2::Sha224::default()),
            Algorithm::Sha256 => Hasher::Sha256(sha2::Sha256::default()),
            Algorithm::Sha384 => Hasher::Sha384(sha2::Sha384::default()),
            Algorithm::Sha512 => Hasher::Sha512(sha2::Sha512::default()),
        }
    }

    /// Takes more bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Md5(h) => h.update(bytes),
            Hasher::Sha1(h) => h.update(bytes),
            Hasher::Sha224(h) => h.update(bytes),
            Hasher::Sha256(h) => h.update(bytes),
            Hasher::Sha384(h) => h.update(bytes),
            Hasher::Sha512(h) => h.update(bytes),
        }
    }

    /// The checksum.
    pub(crate) fn finish(self) -> String {
        match self {
            Hasher::Md5(h) => hex::encode(h.finalize()),
            Hasher::Sha1(h) => hex::encode(h.finalize()),
            Hasher::Sha224(h) => hex::encode(h.finalize()),
            Hasher::Sha256(h) => hex::encode(h.finalize()),
            Hasher::Sha384(h) => hex::encode(h.finalize()),
            Hasher::Sha512(h) => hex::encode(h.finalize()),
        }
    }
}

/// Passes bytes on and keeps their SHA-1 and MD5.
pub(crate) struct Tee<W> {
    out: W,
    sha1: Hasher,
    md5: Hasher,
    /// Whether the writer failed, not who writes into it.
    failed: bool,
}

impl<W: Write> Tee<W> {
    /// Around a writer.
    pub(crate) fn new(out: W) -> Tee<W> {
        Tee {
            out,
            sha1: Hasher::new(Algorithm::Sha1),
            md5: Hasher::new(Algorithm::Md5),
            failed: false,
        }
    }

    /// Whether the writer failed: then an error of who wrote into it is the writer's.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// The writer, and SHA-1 and MD5 of all that was written.
    pub(crate) fn finish(self) -> (W, String, String) {
        (self.out, self.sha1.finish(), self.md5.finish())
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.out.write(bytes).inspect_err(|_| self.failed = true)?;
        let done = bytes.get(..n).unwrap_or_default();
        self.sha1.update(done);
        self.md5.update(done);
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The checksum of a file.
pub(crate) fn of_file(path: &Path, algorithm: Algorithm) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(n) => hasher.update(buffer.get(..n).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The checksum of bytes.
#[cfg(test)]
pub(crate) fn of_bytes(bytes: &[u8], algorithm: Algorithm) -> String {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let sha1 = of_bytes(b"hello\n", Algorithm::Sha1);
        assert_eq!(sha1, "f572d396fae9206628714fb2ce00f72e94f2258f");
        assert_eq!(
            of_bytes(b"", Algorithm::Md5),
            "d41d8cd98f00b204e9800998ecf8427e"
        );
    }
}
