//! What is sealed: secrets, host variables and files, and the index that names them.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::error::{SealError, within};
use crate::value::{Map, Value};

/// The longest name of an item, in bytes.
pub const MAX_NAME: usize = 4096;
/// The most bytes of one secret.
pub const MAX_SECRET: usize = 16 << 20;

/// The version of the form in which variables are sealed. A reader refuses any other.
const VARS_VERSION: u32 = 1;

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ItemKind {
    /// The variables of a host. Its name is empty, and there is one at most.
    Vars,
    /// A secret's text.
    Secret,
    /// The content of a file that tasks name like any other asset.
    Asset,
}

impl ItemKind {
    fn code(self) -> u8 {
        match self {
            ItemKind::Vars => 1,
            ItemKind::Secret => 2,
            ItemKind::Asset => 3,
        }
    }

    fn from_code(code: u8) -> Option<ItemKind> {
        [ItemKind::Vars, ItemKind::Secret, ItemKind::Asset]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// One thing to seal.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// What it is.
    pub kind: ItemKind,
    /// Its name.
    pub name: &'a str,
    /// Permission bits of a file, if they matter.
    pub mode: Option<u32>,
    /// What is to be kept secret.
    pub content: &'a [u8],
}

impl Item<'_> {
    /// Names it for a message.
    pub(super) fn describe(&self) -> String {
        match self.kind {
            ItemKind::Vars => "the host's variables".to_owned(),
            ItemKind::Secret => format!("the secret {:?}", self.name),
            ItemKind::Asset => format!("the sealed asset {:?}", self.name),
        }
    }

    /// Refuses names and contents beyond the bounds.
    pub(super) fn check(&self) -> Result<(), SealError> {
        check_name(self.kind, self.name)?;
        check_mode(self.mode)?;
        if self.kind == ItemKind::Secret {
            within(
                "the length of a secret in bytes",
                self.content.len() as u64,
                0,
                MAX_SECRET as u64,
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Item<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Item({})", self.describe())
    }
}

fn check_name(kind: ItemKind, name: &str) -> Result<(), SealError> {
    let least = u64::from(kind != ItemKind::Vars);
    let most = if kind == ItemKind::Vars {
        0
    } else {
        MAX_NAME as u64
    };
    within(
        "the length of a sealed item's name",
        name.len() as u64,
        least,
        most,
    )
}

fn check_mode(mode: Option<u32>) -> Result<(), SealError> {
    within(
        "the mode of a sealed file",
        u64::from(mode.unwrap_or(0)),
        0,
        0o7777,
    )
}

/// What the index says of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: ItemKind,
    /// Its name.
    pub name: String,
    /// Permission bits of a file, if they matter.
    pub mode: Option<u32>,
    /// The length of the content in bytes, without padding.
    pub len: u64,
}

/// What is authenticated with every piece of an item: the section's context (base, host), number, kind and name.
pub(super) fn item_aad(context: &[u8; 32], number: u32, kind: ItemKind, name: &str) -> Vec<u8> {
    let mut aad = Vec::with_capacity(37 + name.len());
    aad.extend_from_slice(context);
    aad.extend_from_slice(&number.to_le_bytes());
    aad.push(kind.code());
    aad.extend_from_slice(name.as_bytes());
    aad
}

/// The index's plaintext: for every item kind, 1 if it has a mode, the name's length (u16), mode (u32), length (u64), name.
pub(super) fn encode_index(items: &[Item<'_>]) -> Zeroizing<Vec<u8>> {
    let size = items.iter().map(|item| 16 + item.name.len()).sum();
    let mut out = Zeroizing::new(Vec::with_capacity(size));
    for item in items {
        out.extend_from_slice(&[item.kind.code(), u8::from(item.mode.is_some())]);
        // Names were checked to be at most 4096 bytes.
        out.extend_from_slice(&(item.name.len() as u16).to_le_bytes());
        out.extend_from_slice(&item.mode.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&(item.content.len() as u64).to_le_bytes());
        out.extend_from_slice(item.name.as_bytes());
    }
    out
}

/// Reads an index with exactly `count` entries.
pub(super) fn decode_index(mut bytes: &[u8], count: usize) -> Result<Vec<Entry>, SealError> {
    const WRONG: SealError = SealError::Damaged("its index makes no sense");
    let mut entries = Vec::with_capacity(count);
    let mut seen = HashSet::with_capacity(count);
    for _ in 0..count {
        let ([kind, has_mode, l0, l1, m0, m1, m2, m3], rest) =
            bytes.split_first_chunk::<8>().ok_or(WRONG)?;
        let (len, rest) = rest.split_first_chunk::<8>().ok_or(WRONG)?;
        let name_len = usize::from(u16::from_le_bytes([*l0, *l1]));
        let (name, rest) = rest.split_at_checked(name_len).ok_or(WRONG)?;
        bytes = rest;
        let mode = u32::from_le_bytes([*m0, *m1, *m2, *m3]);
        let entry = Entry {
            kind: ItemKind::from_code(*kind).ok_or(WRONG)?,
            name: std::str::from_utf8(name).map_err(|_| WRONG)?.to_owned(),
            mode: match has_mode {
                0 if mode == 0 => None,
                1 => Some(mode),
                _ => return Err(WRONG),
            },
            len: u64::from_le_bytes(*len),
        };
        check_name(entry.kind, &entry.name)?;
        check_mode(entry.mode)?;
        if !seen.insert((entry.kind, entry.name.clone())) {
            return Err(WRONG);
        }
        entries.push(entry);
    }
    if bytes.is_empty() {
        Ok(entries)
    } else {
        Err(WRONG)
    }
}

/// Secrets by name. `Debug` shows the names only; the texts are wiped when dropped.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretMap(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl SecretMap {
    /// An empty map.
    pub fn new() -> SecretMap {
        SecretMap::default()
    }

    /// Adds a secret, or replaces the one of that name.
    pub fn insert(&mut self, name: impl Into<String>, text: Zeroizing<Vec<u8>>) {
        self.0.insert(name.into(), text);
    }

    /// A secret's bytes.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(|text| text.as_slice())
    }

    /// A secret as text, if it is UTF-8.
    pub fn get_str(&self, name: &str) -> Option<&str> {
        self.get(name)
            .and_then(|text| std::str::from_utf8(text).ok())
    }

    /// Names and secrets, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_slice()))
    }

    /// The names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for SecretMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A host's variables as they come out of an overlay: wiped when dropped, and not shown by `Debug`.
#[derive(Clone, Default, PartialEq)]
pub struct HostVars(Map);

impl HostVars {
    /// Takes variables over.
    pub fn new(vars: Map) -> HostVars {
        HostVars(vars)
    }

    /// The variables.
    pub fn as_map(&self) -> &Map {
        &self.0
    }

    /// Hands the variables over; wiping them is now the caller's affair (see [`wipe`]).
    pub fn into_map(mut self) -> Map {
        std::mem::take(&mut self.0)
    }

    /// The form in which they are sealed: [`VARS_VERSION`] (u32) and the mapping as postcard.
    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let wrong = |_| SealError::Refused("the host's variables cannot be written".into());
        let value = Wiped(Value::Map(self.0.clone()));
        // Measured first: a buffer that grows would leave copies behind.
        let size = postcard::experimental::serialized_size(&value.0).map_err(wrong)?;
        let mut out = Zeroizing::new(vec![0u8; 4 + size]);
        out[..4].copy_from_slice(&VARS_VERSION.to_le_bytes());
        postcard::to_slice(&value.0, &mut out[4..]).map_err(wrong)?;
        Ok(out)
    }

    /// Reads the sealed form.
    pub(super) fn decode(bytes: &[u8]) -> Result<HostVars, SealError> {
        const WRONG: SealError = SealError::Damaged("the host's variables make no sense");
        let (version, rest) = bytes.split_first_chunk::<4>().ok_or(WRONG)?;
        let version = u32::from_le_bytes(*version);
        if version != VARS_VERSION {
            return Err(SealError::Version(version));
        }
        match postcard::take_from_bytes::<Value>(rest) {
            Ok((Value::Map(vars), [])) => Ok(HostVars(vars)),
            Ok((mut other, _)) => {
                wipe(&mut other);
                Err(WRONG)
            }
            Err(_) => Err(WRONG),
        }
    }
}

impl Drop for HostVars {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

impl fmt::Debug for HostVars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostVars({} variables)", self.0.len())
    }
}

/// A value that is wiped when dropped.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites every text of a value with zeros and leaves it empty.
pub fn wipe(value: &mut Value) {
    match value {
        Value::Str(text) | Value::Unsafe(text) => text.zeroize(),
        Value::List(list) => list.iter_mut().for_each(wipe),
        Value::Map(map) => map.values_mut().for_each(wipe),
        Value::Pairs(pairs) => pairs.iter_mut().for_each(|(key, value)| {
            wipe(key);
            wipe(value);
        }),
        Value::Int(number) => number.zeroize(),
        Value::Float(number) => number.zeroize(),
        Value::Null | Value::Bool(_) | Value::Secret(_) => {}
    }
}
