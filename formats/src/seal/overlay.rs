//! The overlay: what belongs to one host only, in a small file of its own that is bound to one base.
//!
//! Hosts of one target share the large base, which anybody may keep; each gets an overlay with its variables, its secrets
//! and the files made from them, and never another host's. It lies behind the base in the same file, or beside it. The
//! layout's normative text is the chapter "Overlays" of `docs/FORMAT.md`.

use std::fmt;

use zeroize::Zeroizing;

use super::error::within;
use super::item::{Entry, HostVars, Item, ItemKind, SecretMap};
use super::keys::{KeySource, Lock};
use super::section::{MAX_SECTION, Section, Unlocked, seal};
use super::{Context, Padding, Randomness, SealError};
use crate::sign::{
    self, KeyId, PublicKey, SIGNATURE_LEN, SecretKey, SignError, Signature, Statement,
};

/// The first bytes of an overlay.
pub const OVERLAY_MAGIC: [u8; 8] = *b"RUSTOVL1";
/// The version of the overlay's layout. A reader refuses any other.
pub const OVERLAY_VERSION: u32 = 1;
/// The longest host name in an overlay, in bytes.
pub const MAX_HOST: usize = 1024;

/// The part of an overlay before the host's name.
const FIXED: usize = 64;
const CONTEXT_ROOT: &str = "rustle overlay 1 2025 root";

/// Why an overlay was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlayError {
    /// The bytes are no overlay, or not all of it.
    Malformed(&'static str),
    /// Written by another version of Rustle.
    Version(u32),
    /// It belongs to another base.
    OtherBase,
    /// It belongs to another host.
    OtherHost {
        /// The host that was asked for.
        wanted: String,
        /// The host that it is for.
        found: String,
    },
    /// Its signature was not accepted.
    Signature(SignError),
    /// What it holds sealed is damaged or does not open.
    Sealed(SealError),
}

impl fmt::Display for OverlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OverlayError::Malformed(why) => write!(f, "the overlay is damaged ({why})"),
            OverlayError::Version(v) => {
                write!(
                    f,
                    "the overlay has version {v} of the format, which is not known here"
                )
            }
            OverlayError::OtherBase => f.write_str("the overlay belongs to another artifact"),
            OverlayError::OtherHost { wanted, found } if found.is_empty() => {
                write!(f, "the overlay is for any host, not for {wanted}")
            }
            OverlayError::OtherHost { wanted, found } => {
                write!(f, "the overlay is for the host {found}, not for {wanted}")
            }
            OverlayError::Signature(error) => write!(f, "the overlay is refused: {error}"),
            OverlayError::Sealed(error) => write!(f, "the overlay: {error}"),
        }
    }
}

impl std::error::Error for OverlayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OverlayError::Signature(error) => Some(error),
            OverlayError::Sealed(error) => Some(error),
            _ => None,
        }
    }
}

impl From<SealError> for OverlayError {
    fn from(error: SealError) -> Self {
        OverlayError::Sealed(error)
    }
}

/// A file whose content is made from a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedFile {
    /// The name under which tasks find it, like any other asset's.
    pub name: String,
    /// Permission bits, if they matter.
    pub mode: Option<u32>,
    /// The content.
    pub content: Zeroizing<Vec<u8>>,
}

impl fmt::Debug for SealedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedFile({:?})", self.name)
    }
}

/// What goes into one host's overlay.
#[derive(Debug, Clone, Default)]
pub struct OverlayContent {
    /// The inventory name of the host; empty: any host.
    pub host: String,
    /// Its variables.
    pub vars: HostVars,
    /// The secrets that it may know.
    pub secrets: SecretMap,
    /// The files made from them.
    pub files: Vec<SealedFile>,
}

/// Refuses host names that are too long or that could not be printed.
fn check_host(host: &str) -> Result<(), SealError> {
    within(
        "the length of the host's name in bytes",
        host.len() as u64,
        0,
        MAX_HOST as u64,
    )?;
    if host.chars().any(char::is_control) {
        return Err(SealError::Refused(
            "the host's name has control characters".into(),
        ));
    }
    Ok(())
}

/// The root of an overlay: everything before the section, and the section's digest, which covers the section.
fn root_of(head: &[u8], section: &[u8; 32]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(CONTEXT_ROOT);
    hasher.update(head);
    hasher.update(section);
    *hasher.finalize().as_bytes()
}

/// Seals an overlay for one host on one base, and signs it if there is a key to sign with.
///
/// # Errors
/// As [`seal`]; and host names of more than [`MAX_HOST`] bytes or with control characters.
pub fn write_overlay(
    content: &OverlayContent,
    base_root: &[u8; 32],
    locks: &[Lock],
    padding: Padding,
    signer: Option<&SecretKey>,
    random: &mut dyn Randomness,
) -> Result<Vec<u8>, SealError> {
    check_host(&content.host)?;
    let host = content.host.as_bytes();
    let vars = content.vars.encode()?;
    let mut items = vec![Item {
        kind: ItemKind::Vars,
        name: "",
        mode: None,
        content: &vars,
    }];
    items.extend(content.secrets.iter().map(|(name, text)| Item {
        kind: ItemKind::Secret,
        name,
        mode: None,
        content: text,
    }));
    items.extend(content.files.iter().map(|file| Item {
        kind: ItemKind::Asset,
        name: &file.name,
        mode: file.mode,
        content: &file.content,
    }));
    let context = Context {
        base_root,
        host: &content.host,
    };
    let section = seal(&items, locks, &context, padding, random)?;
    let signature_len = if signer.is_some() { SIGNATURE_LEN } else { 0 };
    let mut out = Vec::with_capacity(FIXED + host.len() + section.len() + signature_len);
    out.extend_from_slice(&OVERLAY_MAGIC);
    out.extend_from_slice(&OVERLAY_VERSION.to_le_bytes());
    out.extend_from_slice(&(host.len() as u32).to_le_bytes());
    out.extend_from_slice(base_root);
    out.extend_from_slice(&(section.len() as u64).to_le_bytes());
    out.extend_from_slice(&(signature_len as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(host);
    let root = root_of(&out, &Section::parse(&section)?.digest());
    out.extend_from_slice(&section);
    if let Some(key) = signer {
        let statement = Statement::Overlay {
            base_root,
            host: &content.host,
            overlay_root: &root,
        };
        out.extend_from_slice(&key.sign(&statement).to_bytes());
    }
    Ok(out)
}

/// An overlay whose form was checked. Nothing is decrypted yet.
#[derive(Debug, Clone)]
pub struct Overlay<'a> {
    base_root: &'a [u8; 32],
    host: &'a str,
    root: [u8; 32],
    section: Section<'a>,
    signature: Option<Signature>,
}

impl<'a> Overlay<'a> {
    /// Reads an overlay that fills `bytes` exactly. Checks everything but the items' contents (see
    /// [`Overlay::verify_items`]) and the signature (see [`Overlay::verify`]).
    ///
    /// # Errors
    /// Damage, truncation, bytes behind the end, another version, and numbers beyond the bounds.
    pub fn parse(bytes: &'a [u8]) -> Result<Overlay<'a>, OverlayError> {
        const SHORT: OverlayError = OverlayError::Malformed("it is cut off");
        let (fixed, rest) = bytes.split_first_chunk::<FIXED>().ok_or(SHORT)?;
        if fixed[..8] != OVERLAY_MAGIC {
            return Err(OverlayError::Malformed("it does not begin as it should"));
        }
        let number = |at: usize| {
            u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        if number(8) != OVERLAY_VERSION {
            return Err(OverlayError::Version(number(8)));
        }
        let (host_len, signature_len) = (number(12) as usize, number(56) as usize);
        let section_len = u64::from(number(48)) | u64::from(number(52)) << 32;
        within(
            "the length of the host's name in bytes",
            host_len as u64,
            0,
            MAX_HOST as u64,
        )?;
        within(
            "the size of the sealed data in bytes",
            section_len,
            0,
            MAX_SECTION,
        )?;
        if number(60) != 0 || (signature_len != 0 && signature_len != SIGNATURE_LEN) {
            return Err(OverlayError::Malformed("its head makes no sense"));
        }
        let (host, rest) = rest.split_at_checked(host_len).ok_or(SHORT)?;
        let (section, rest) = rest.split_at_checked(section_len as usize).ok_or(SHORT)?;
        let signature = match rest.split_first_chunk::<SIGNATURE_LEN>() {
            Some((encoded, [])) if signature_len == SIGNATURE_LEN => {
                Some(Signature::from_bytes(encoded))
            }
            None if rest.len() < signature_len => return Err(SHORT),
            None if rest.is_empty() => None,
            _ => return Err(OverlayError::Malformed("bytes behind its end")),
        };
        let host = std::str::from_utf8(host)
            .map_err(|_| OverlayError::Malformed("the host's name is not UTF-8"))?;
        check_host(host)?;
        let section = Section::parse(section)?;
        let base_root = fixed
            .get(16..48)
            .and_then(|root| root.first_chunk())
            .ok_or(SHORT)?;
        Ok(Overlay {
            base_root,
            host,
            root: root_of(&bytes[..FIXED + host_len], &section.digest()),
            section,
            signature,
        })
    }

    /// The root of the base that it belongs to.
    pub fn base_root(&self) -> &[u8; 32] {
        self.base_root
    }

    /// The inventory name of the host that it is for; empty: any host.
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The overlay's root, which covers all of it but the signature.
    pub fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// The signature, unchecked.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    /// The sealed section: what opens it, and how many items there are.
    pub fn section(&self) -> &Section<'a> {
        &self.section
    }

    /// Checks that it belongs to a base and, if one is asked for, to a host.
    ///
    /// # Errors
    /// [`OverlayError::OtherBase`], [`OverlayError::OtherHost`].
    pub fn check_for(&self, base_root: &[u8; 32], host: Option<&str>) -> Result<(), OverlayError> {
        if self.base_root != base_root {
            return Err(OverlayError::OtherBase);
        }
        match host {
            Some(wanted) if !self.host.is_empty() && self.host != wanted => {
                Err(OverlayError::OtherHost {
                    wanted: wanted.to_owned(),
                    found: self.host.to_owned(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Checks the signature against the trusted keys, and says which of them made it.
    ///
    /// # Errors
    /// [`OverlayError::Signature`].
    pub fn verify<'k>(&self, trusted: &'k [PublicKey]) -> Result<&'k PublicKey, OverlayError> {
        let statement = Statement::Overlay {
            base_root: self.base_root,
            host: self.host,
            overlay_root: &self.root,
        };
        sign::verify(trusted, &statement, self.signature.as_ref()).map_err(OverlayError::Signature)
    }

    /// Checks who made it, as a runner does: against the trusted keys if there are any; otherwise, where the base is
    /// signed, the overlay must be signed by the same key. Sealing alone does not say who made an overlay: for a public
    /// recipient, or without a lock, anybody can.
    ///
    /// The second rule is a check of the artifact against itself. It stops an overlay that was put beside a signed base, not
    /// somebody who replaces both.
    ///
    /// # Errors
    /// [`OverlayError::Signature`].
    pub fn verify_beside(
        &self,
        trusted: &[PublicKey],
        base: Option<&Signature>,
    ) -> Result<Option<KeyId>, OverlayError> {
        if !trusted.is_empty() {
            return self.verify(trusted).map(|key| Some(key.id()));
        }
        let Some(base) = base else { return Ok(None) };
        let signer = PublicKey::from_bytes(&base.signer, "").map_err(OverlayError::Signature)?;
        self.verify(&[signer]).map(|key| Some(key.id()))
    }

    /// Checks every item's ciphertext against its digest, without a key.
    ///
    /// # Errors
    /// [`SealError::Damaged`].
    pub fn verify_items(&self) -> Result<(), OverlayError> {
        Ok(self.section.verify_items()?)
    }

    /// Opens it with the first key that fits, and decrypts variables and secrets. Files are decrypted when asked for.
    ///
    /// # Errors
    /// As [`Section::unlock`].
    pub fn open(&self, keys: &[KeySource]) -> Result<OpenOverlay<'a>, OverlayError> {
        let context = Context {
            base_root: self.base_root,
            host: self.host,
        };
        let unlocked = self.section.unlock(keys, &context)?;
        let mut open = OpenOverlay {
            vars: HostVars::default(),
            secrets: SecretMap::new(),
            files: Vec::new(),
            positions: Vec::new(),
            unlocked,
        };
        for (position, entry) in open.unlocked.entries().iter().enumerate() {
            match entry.kind {
                ItemKind::Vars => open.vars = HostVars::decode(&open.unlocked.read(position)?)?,
                ItemKind::Secret => {
                    open.secrets
                        .insert(entry.name.clone(), open.unlocked.read(position)?);
                }
                ItemKind::Asset => {
                    open.files.push(entry.clone());
                    open.positions.push(position);
                }
            }
        }
        Ok(open)
    }
}

/// An open overlay.
#[derive(Debug)]
pub struct OpenOverlay<'a> {
    vars: HostVars,
    secrets: SecretMap,
    files: Vec<Entry>,
    positions: Vec<usize>,
    unlocked: Unlocked<'a>,
}

impl OpenOverlay<'_> {
    /// The host's variables.
    pub fn vars(&self) -> &HostVars {
        &self.vars
    }

    /// The host's secrets.
    pub fn secrets(&self) -> &SecretMap {
        &self.secrets
    }

    /// The sealed files: names, modes, lengths.
    pub fn files(&self) -> &[Entry] {
        &self.files
    }

    /// The position in [`OpenOverlay::files`] of the file of a name.
    pub fn find_file(&self, name: &str) -> Option<usize> {
        self.files.iter().position(|file| file.name == name)
    }

    /// Decrypts the file at a position of [`OpenOverlay::files`].
    ///
    /// # Errors
    /// Damage, and a position that is not there.
    pub fn read_file(&self, position: usize) -> Result<Zeroizing<Vec<u8>>, OverlayError> {
        let number = self.positions.get(position).copied().unwrap_or(usize::MAX);
        Ok(self.unlocked.read(number)?)
    }

    /// The same, keeping a copy of the sealed bytes in place of borrowing them.
    pub fn into_owned(self) -> OpenOverlay<'static> {
        OpenOverlay {
            vars: self.vars,
            secrets: self.secrets,
            files: self.files,
            positions: self.positions,
            unlocked: self.unlocked.into_owned(),
        }
    }

    /// Takes variables and secrets out, for a run that has no sealed files or has read them.
    pub fn into_parts(self) -> (HostVars, SecretMap) {
        (self.vars, self.secrets)
    }
}
