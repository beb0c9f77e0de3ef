//! The sealed section: a head that anybody can check, an index and items that only a key opens.
//!
//! The head holds the stanzas and the length and digest of every item's *ciphertext*, so that the digest of the head
//! covers the section and gives nothing of a plaintext away. Names, true lengths and kinds stand in the index, which is
//! sealed itself. The layout's normative text is the chapter "Sealing" of `docs/FORMAT.md`.

use std::borrow::Cow;

use zeroize::Zeroizing;

use super::cipher::{self, SectionKeys, TAG};
use super::error::{SealError, within};
use super::item::{Entry, Item, ItemKind, decode_index, encode_index, item_aad};
use super::keys::{KeySource, Lock};
use super::wrap::{MAX_STANZAS, Stanza, check_passphrases};
use super::{Context, Padding, Randomness};

/// The version of the section's layout. A reader refuses any other.
pub const SEAL_VERSION: u32 = 1;
/// The first bytes of a section.
pub const SEAL_MAGIC: [u8; 8] = *b"RUSTSEAL";
/// The most items of a section.
pub const MAX_ITEMS: usize = 65_536;
/// The most bytes of a section.
pub const MAX_SECTION: u64 = 255 << 20;

/// The most bytes of a sealed index.
const MAX_INDEX: u64 = 16 << 20;
/// The most bytes of all stanzas.
const MAX_STANZA_BYTES: u64 = (MAX_STANZAS * 96) as u64;
/// The part of the head whose length does not depend on anything.
const FIXED: usize = 104;
/// The bytes of one item in the table: stored length and digest.
const RECORD: usize = 40;
/// The digest at the end of the head.
const DIGEST: usize = 32;

const CONTEXT_ITEM: &str = "rustle seal 1 2025 item";
const CONTEXT_HEAD: &str = "rustle seal 1 2025 head";

/// The digest of some bytes for one purpose.
fn digest_in(context: &str, bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(bytes);
    *hasher.finalize().as_bytes()
}

/// Seals items under a fresh data key and wraps that for every lock.
///
/// `random` gives the data key, the salts and the ephemeral keys; with the same random bytes the same section comes out,
/// so it must never give the same bytes twice outside of tests.
///
/// # Errors
/// No lock, too many locks or passphrases, two items of one name and kind, a name or content beyond the bounds, secrets
/// or assets behind [`Lock::Open`], and a failing source of randomness.
pub fn seal(
    items: &[Item<'_>],
    locks: &[Lock],
    context: &Context<'_>,
    padding: Padding,
    random: &mut dyn Randomness,
) -> Result<Vec<u8>, SealError> {
    check_request(items, locks)?;
    let context = context.digest();
    let mut data_key = Zeroizing::new([0u8; 32]);
    random.fill(data_key.as_mut())?;
    let mut stanza_bytes = Vec::new();
    for lock in locks {
        Stanza::wrap(lock, &data_key, &context, random)?.write(&mut stanza_bytes);
    }
    let keys = SectionKeys::derive(&data_key, &context);

    let too_long =
        || SealError::Refused("too much to seal in one section (255 MiB at most)".into());
    let mut stored = Vec::new();
    let mut table = Vec::with_capacity(items.len() * RECORD);
    for (number, item) in items.iter().enumerate() {
        let start = stored.len();
        let zeros = padding.zeros(item.content.len());
        let aad = item_aad(&context, number as u32, item.kind, item.name);
        cipher::encrypt_item(
            &keys.items,
            number as u32,
            &aad,
            item.content,
            zeros,
            &mut stored,
        )
        .ok_or_else(too_long)?;
        if stored.len() as u64 > MAX_SECTION {
            return Err(too_long());
        }
        table.extend_from_slice(&((stored.len() - start) as u64).to_le_bytes());
        table.extend_from_slice(&digest_in(CONTEXT_ITEM, &stored[start..]));
    }

    let mut index = encode_index(items);
    let index_len = index.len() + TAG;
    within(
        "the size of the sealed index in bytes",
        index_len as u64,
        TAG as u64,
        MAX_INDEX,
    )?;
    let head_len = FIXED + stanza_bytes.len() + table.len() + index_len + DIGEST;
    let total = (head_len + stored.len()) as u64;
    if total > MAX_SECTION {
        return Err(too_long());
    }
    let mut out = Vec::with_capacity(head_len + stored.len());
    out.extend_from_slice(&SEAL_MAGIC);
    for number in [
        SEAL_VERSION,
        locks.len() as u32,
        stanza_bytes.len() as u32,
        items.len() as u32,
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&(index_len as u64).to_le_bytes());
    out.extend_from_slice(&total.to_le_bytes());
    out.extend_from_slice(&context);
    out.extend_from_slice(&keys.commitment);
    out.extend_from_slice(&stanza_bytes);
    out.extend_from_slice(&table);
    let tag = keys
        .index
        .encrypt([0; 12], &out, index.as_mut())
        .ok_or_else(too_long)?;
    out.extend_from_slice(&index);
    out.extend_from_slice(&tag);
    let digest = digest_in(CONTEXT_HEAD, &out);
    out.extend_from_slice(&digest);
    out.extend_from_slice(&stored);
    Ok(out)
}

/// Refuses what no section can hold.
fn check_request(items: &[Item<'_>], locks: &[Lock]) -> Result<(), SealError> {
    within(
        "the number of locks",
        locks.len() as u64,
        1,
        MAX_STANZAS as u64,
    )?;
    within(
        "the number of sealed items",
        items.len() as u64,
        0,
        MAX_ITEMS as u64,
    )?;
    let slow = |lock: &&Lock| matches!(lock, Lock::Passphrase(..) | Lock::Pbkdf2(..));
    check_passphrases(locks.iter().filter(slow).count())?;
    let open = locks.iter().any(|lock| matches!(lock, Lock::Open));
    if open && locks.len() > 1 {
        return Err(SealError::Refused(
            "what lies open for everybody cannot be locked as well".into(),
        ));
    }
    let mut names = std::collections::HashSet::with_capacity(items.len());
    for item in items {
        item.check()?;
        if open && item.kind != ItemKind::Vars {
            return Err(SealError::Refused(format!(
                "{} needs a key, a passphrase or a recipient to be sealed for",
                item.describe()
            )));
        }
        if !names.insert((item.kind, item.name)) {
            return Err(SealError::Refused(format!(
                "{} is there twice",
                item.describe()
            )));
        }
    }
    Ok(())
}

/// One item's place.
#[derive(Debug, Clone, Copy)]
struct Record {
    from: usize,
    len: usize,
    digest: [u8; 32],
}

/// A sealed section whose head was checked. Nothing is decrypted yet.
#[derive(Debug, Clone)]
pub struct Section<'a> {
    bytes: Cow<'a, [u8]>,
    context: [u8; 32],
    commitment: [u8; 32],
    stanzas: Vec<Stanza>,
    records: Vec<Record>,
    /// Where the sealed index begins.
    index_at: usize,
    /// Where the head's digest begins.
    digest_at: usize,
}

/// A little-endian u32 at a place that is known to be there.
fn u32_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0u8; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(number))
}

/// A little-endian u64 at a place that is known to be there.
fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0u8; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}

/// 32 bytes at a place that is known to be there.
fn digest_at(bytes: &[u8], at: usize) -> [u8; 32] {
    let mut out = [0u8; 32];
    out.copy_from_slice(&bytes[at..at + 32]);
    out
}

impl<'a> Section<'a> {
    /// Reads a section that fills `bytes` exactly, and checks its head: everything but the items' contents, for which
    /// there is [`Section::verify_items`].
    ///
    /// # Errors
    /// Damage, truncation, bytes behind the end, another version, and numbers beyond the bounds.
    pub fn parse(bytes: &'a [u8]) -> Result<Section<'a>, SealError> {
        if bytes.len() < FIXED {
            return Err(SealError::Truncated);
        }
        if bytes[..8] != SEAL_MAGIC {
            return Err(SealError::Damaged("it does not begin as it should"));
        }
        let version = u32_at(bytes, 8) as u32;
        if version != SEAL_VERSION {
            return Err(SealError::Version(version));
        }
        let (stanza_count, stanza_len) = (u32_at(bytes, 12), u32_at(bytes, 16));
        let (item_count, index_len) = (u32_at(bytes, 20), u64_at(bytes, 24));
        let total = u64_at(bytes, 32);
        within(
            "the size of the sealed data in bytes",
            total,
            FIXED as u64,
            MAX_SECTION,
        )?;
        match (bytes.len() as u64).cmp(&total) {
            std::cmp::Ordering::Less => return Err(SealError::Truncated),
            std::cmp::Ordering::Greater => {
                return Err(SealError::Damaged("bytes behind its end"));
            }
            std::cmp::Ordering::Equal => {}
        }
        within("the number of stanzas", stanza_count, 1, MAX_STANZAS as u64)?;
        within(
            "the size of the stanzas in bytes",
            stanza_len,
            4,
            MAX_STANZA_BYTES,
        )?;
        within(
            "the number of sealed items",
            item_count,
            0,
            MAX_ITEMS as u64,
        )?;
        within(
            "the size of the sealed index in bytes",
            index_len,
            TAG as u64,
            MAX_INDEX,
        )?;
        let table_at = FIXED + stanza_len as usize;
        let index_at = table_at + item_count as usize * RECORD;
        let digest_starts = index_at + index_len as usize;
        let items_at = digest_starts + DIGEST;
        if items_at > bytes.len() {
            return Err(SealError::Damaged("its lengths contradict each other"));
        }
        if digest_at(bytes, digest_starts) != digest_in(CONTEXT_HEAD, &bytes[..digest_starts]) {
            return Err(SealError::Damaged(
                "its head does not have the digest written there",
            ));
        }
        Ok(Section {
            bytes: Cow::Borrowed(bytes),
            context: digest_at(bytes, 40),
            commitment: digest_at(bytes, 72),
            stanzas: Stanza::read_all(&bytes[FIXED..table_at], stanza_count as usize)?,
            records: read_table(&bytes[table_at..index_at], items_at, bytes.len())?,
            index_at,
            digest_at: digest_starts,
        })
    }

    /// The digest of the head, which covers the whole section: what an overlay's root includes.
    pub fn digest(&self) -> [u8; 32] {
        digest_at(&self.bytes, self.digest_at)
    }

    /// What opens it, for people: `a passphrase`, `the X25519 key 0123456789abcdef`, …
    pub fn locks(&self) -> Vec<String> {
        let mut locks: Vec<String> = Vec::new();
        for stanza in &self.stanzas {
            let lock = stanza.describe();
            if !locks.contains(&lock) {
                locks.push(lock);
            }
        }
        locks
    }

    /// Whether it opens without a key: bound and checked, but not secret.
    pub fn is_open(&self) -> bool {
        self.stanzas
            .iter()
            .any(|s| matches!(s, Stanza::Open { .. }))
    }

    /// Whether a passphrase may open it: then it is worth asking for one.
    pub fn takes_passphrase(&self) -> bool {
        self.stanzas.iter().any(Stanza::is_slow)
    }

    /// How many items there are.
    pub fn item_count(&self) -> usize {
        self.records.len()
    }

    /// Checks the ciphertext of every item against its digest, without any key.
    ///
    /// # Errors
    /// [`SealError::Damaged`].
    pub fn verify_items(&self) -> Result<(), SealError> {
        self.records
            .iter()
            .try_for_each(|r| self.stored(r).map(drop))
    }

    /// An item's ciphertext, checked.
    fn stored(&self, record: &Record) -> Result<&[u8], SealError> {
        let stored = self
            .bytes
            .get(record.from..record.from + record.len)
            .ok_or(SealError::Truncated)?;
        if digest_in(CONTEXT_ITEM, stored) != record.digest {
            return Err(SealError::Damaged(
                "an item does not have the digest written for it",
            ));
        }
        Ok(stored)
    }

    /// Opens the section with the first key that fits. Cheap keys are tried before passphrases.
    ///
    /// # Errors
    /// [`SealError::OtherContext`], [`SealError::NoKey`], [`SealError::WrongKey`], [`SealError::NoMemory`], and damage.
    pub fn unlock(
        &self,
        keys: &[KeySource],
        context: &Context<'_>,
    ) -> Result<Unlocked<'a>, SealError> {
        if self.context != context.digest() {
            return Err(SealError::OtherContext);
        }
        let data_key = self.find_data_key(keys)?;
        let keys = SectionKeys::derive(&data_key, &self.context);
        if keys.commitment != self.commitment {
            return Err(SealError::Damaged("its key is not the one that it names"));
        }
        let sealed = &self.bytes[self.index_at..self.digest_at];
        let Some((text, tag)) = sealed.split_last_chunk::<TAG>() else {
            return Err(SealError::Truncated);
        };
        let mut index = Zeroizing::new(text.to_vec());
        keys.index
            .decrypt([0; 12], &self.bytes[..self.index_at], index.as_mut(), *tag)
            .ok_or(SealError::Damaged("its index does not decrypt"))?;
        let entries = decode_index(&index, self.records.len())?;
        if self.is_open() && entries.iter().any(|e| e.kind != ItemKind::Vars) {
            return Err(SealError::Damaged("a secret that lies open"));
        }
        Ok(Unlocked {
            section: self.clone(),
            entries,
            keys,
        })
    }

    fn find_data_key(&self, keys: &[KeySource]) -> Result<cipher::Key, SealError> {
        let mut tried = false;
        for slow in [false, true] {
            for stanza in self.stanzas.iter().filter(|s| s.is_slow() == slow) {
                if let Stanza::Open { data_key } = stanza {
                    return Ok(Zeroizing::new(*data_key));
                }
                for key in keys.iter().filter(|key| stanza.suits(key)) {
                    tried = true;
                    if let Some(data_key) = stanza.unwrap(key, &self.context)? {
                        return Ok(data_key);
                    }
                }
            }
        }
        let locks = self.locks();
        let given = keys.iter().map(KeySource::describe).collect();
        Err(if tried {
            SealError::WrongKey { locks, given }
        } else {
            SealError::NoKey { locks, given }
        })
    }
}

/// Reads the table of items. They lie one behind the other, from `from` to `end` exactly.
fn read_table(table: &[u8], mut from: usize, end: usize) -> Result<Vec<Record>, SealError> {
    let mut records = Vec::with_capacity(table.len() / RECORD);
    for row in table.chunks_exact(RECORD) {
        let len = u64_at(row, 0);
        let fits = usize::try_from(len)
            .ok()
            .filter(|len| *len <= end - from && cipher::plain_len(*len as u64).is_some())
            .ok_or(SealError::Damaged("an item has an impossible length"))?;
        records.push(Record {
            from,
            len: fits,
            digest: digest_at(row, 8),
        });
        from += fits;
    }
    if from != end {
        return Err(SealError::Damaged("bytes behind its items"));
    }
    Ok(records)
}

/// An open section. Items are decrypted one by one, when asked for.
pub struct Unlocked<'a> {
    section: Section<'a>,
    entries: Vec<Entry>,
    keys: SectionKeys,
}

impl Unlocked<'_> {
    /// The same, keeping a copy of the section's bytes in place of borrowing them.
    pub fn into_owned(self) -> Unlocked<'static> {
        Unlocked {
            section: Section {
                bytes: Cow::Owned(self.section.bytes.into_owned()),
                ..self.section
            },
            entries: self.entries,
            keys: self.keys,
        }
    }

    /// What is inside, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Decrypts the item at a position of [`Unlocked::entries`].
    ///
    /// # Errors
    /// Damage, and a position that is not there.
    pub fn read(&self, position: usize) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (Some(entry), Some(record)) = (
            self.entries.get(position),
            self.section.records.get(position),
        ) else {
            return Err(SealError::Refused(format!(
                "there is no sealed item {position}"
            )));
        };
        let stored = self.section.stored(record)?;
        let aad = item_aad(
            &self.section.context,
            position as u32,
            entry.kind,
            &entry.name,
        );
        let mut plain = cipher::decrypt_item(&self.keys.items, position as u32, &aad, stored)
            .ok_or(SealError::Damaged("an item does not decrypt"))?;
        let len = usize::try_from(entry.len)
            .ok()
            .filter(|len| *len <= plain.len())
            .ok_or(SealError::Damaged("an item is shorter than its index says"))?;
        if plain[len..].iter().any(|b| *b != 0) {
            return Err(SealError::Damaged("an item's padding"));
        }
        plain.truncate(len);
        Ok(plain)
    }
}

impl std::fmt::Debug for Unlocked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unlocked")
            .field("entries", &self.entries)
            .finish_non_exhaustive()
    }
}
