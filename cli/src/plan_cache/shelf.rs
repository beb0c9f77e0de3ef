//! The folder in which what was made is kept: one file for each question, private, bounded, written aside and renamed.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The largest thing that is kept, in bytes.
const MAX_ENTRY: u64 = 32 << 20;
/// All that is kept, in bytes.
const MAX_ALL: u64 = 256 << 20;
/// How much is kept.
const MAX_COUNT: usize = 256;
/// After so long a file that was never renamed belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(3600);
/// What begins a file, with the version of its form.
const MAGIC: &[u8; 8] = b"rstlpln1";
/// The length of the digest that follows.
const DIGEST: usize = 32;

/// The folder.
#[derive(Debug)]
pub(super) struct Shelf(PathBuf);

impl Shelf {
    /// A folder of this user that nobody else can enter; made if it is not there. `None`: there can be none.
    pub(super) fn open(folder: PathBuf) -> Option<Shelf> {
        if !folder.is_dir() {
            let mut builder = DirBuilder::new();
            builder.recursive(true).mode(0o700).create(&folder).ok()?;
        }
        let meta = std::fs::symlink_metadata(&folder).ok()?;
        (meta.is_dir() && is_private(&meta)).then_some(Shelf(folder))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.0.join(key)
    }

    /// What is kept for a key. What is damaged, or not this user's own, is not there.
    pub(super) fn get(&self, key: &str) -> Option<Vec<u8>> {
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(libc_nofollow())
            .open(self.path(key))
            .ok()?;
        let meta = file.metadata().ok()?;
        if !meta.is_file() || !is_private(&meta) || meta.len() > MAX_ENTRY {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::try_from(meta.len()).ok()?);
        file.read_to_end(&mut bytes).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (digest, body) = rest.split_at_checked(DIGEST)?;
        if *blake3::hash(body).as_bytes() != *digest {
            return None;
        }
        bytes.drain(..MAGIC.len() + DIGEST);
        Some(bytes)
    }

    /// Keeps something. That nothing can be kept is no mistake: it is made anew.
    pub(super) fn put(&self, key: &str, body: &[u8]) {
        if body.len() as u64 + (MAGIC.len() + DIGEST) as u64 > MAX_ENTRY {
            return;
        }
        let _ = self.write(key, body);
        self.sweep();
    }

    fn write(&self, key: &str, body: &[u8]) -> std::io::Result<()> {
        // Its rights are 0600.
        let mut file = tempfile::Builder::new()
            .prefix(".new-")
            .tempfile_in(&self.0)?;
        file.write_all(MAGIC)?;
        file.write_all(blake3::hash(body).as_bytes().as_slice())?;
        file.write_all(body)?;
        file.persist(self.path(key)).map_err(|e| e.error)?;
        Ok(())
    }

    /// Removes what is too much, the oldest first, and what others began and never ended.
    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.0) else {
            return;
        };
        let now = SystemTime::now();
        let mut kept: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
        for entry in entries.flatten() {
            let Ok(meta) = entry.metadata() else { continue };
            let Ok(modified) = meta.modified() else {
                continue;
            };
            let begun = entry.file_name().to_string_lossy().starts_with('.');
            match begun {
                true if now
                    .duration_since(modified)
                    .is_ok_and(|age| age > ABANDONED) =>
                {
                    remove(&entry.path());
                }
                true => {}
                false => kept.push((modified, meta.len(), entry.path())),
            }
        }
        kept.sort_by_key(|(modified, ..)| std::cmp::Reverse(*modified));
        let mut sum = 0;
        for (place, (_, size, path)) in kept.iter().enumerate() {
            sum += size;
            if sum > MAX_ALL || place >= MAX_COUNT {
                remove(path);
            }
        }
    }
}

/// Another run may have removed it.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Whether it belongs to this user, and nobody else may read or write it.
fn is_private(meta: &Metadata) -> bool {
    meta.uid() == rustix::process::geteuid().as_raw() && meta.mode() & 0o077 == 0
}

fn libc_nofollow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

/// What tells this very program from others: no two builds have the same file.
pub(super) fn program() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    let meta = File::open(&path).and_then(|file| file.metadata()).ok()?;
    Some(format!(
        "{} {:?} {:?}",
        env!("CARGO_PKG_VERSION"),
        path,
        super::Stamp::from(&meta)
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn shelf(dir: &Path) -> Shelf {
        Shelf::open(dir.join("cache/plans")).unwrap()
    }

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path());
        assert_eq!(shelf.get("k"), None);
        shelf.put("k", b"one");
        shelf.put("k", b"two");
        assert_eq!(shelf.get("k").as_deref(), Some(b"two".as_slice()));
        let path = shelf.path("k");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let whole = std::fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(shelf.get("k"), None, "byte {at}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert_eq!(shelf.get("k"), None, "{at} bytes");
        }
    }

    #[test]
    fn others_have_no_part_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let kept = shelf(dir.path());
        let folder = dir.path().join("cache/plans");
        assert_eq!(
            folder.metadata().unwrap().permissions().mode() & 0o777,
            0o700
        );
        kept.put("k", b"one");
        std::fs::set_permissions(kept.path("k"), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(kept.get("k"), None);
        std::fs::remove_file(kept.path("k")).unwrap();
        std::os::unix::fs::symlink(folder.join("other"), kept.path("k")).unwrap();
        kept.put("other", b"one");
        assert_eq!(kept.get("k"), None);
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(Shelf::open(folder).is_none());
    }

    #[test]
    fn it_is_bounded_and_swept() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path());
        let folder = dir.path().join("cache/plans");
        for i in 0..MAX_COUNT + 5 {
            std::fs::write(folder.join(format!("{i}")), b"x").unwrap();
        }
        let old = File::create(folder.join(".new-1")).unwrap();
        old.set_modified(SystemTime::now() - ABANDONED * 2).unwrap();
        File::create(folder.join(".new-2")).unwrap();
        shelf.put("last", b"one");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), MAX_COUNT + 1);
        assert!(shelf.get("last").is_some());
        assert!(!folder.join(".new-1").exists());
    }

    #[test]
    fn many_may_write_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let shelf = shelf(dir.path());
        std::thread::scope(|scope| {
            for n in 0..8u8 {
                let shelf = &shelf;
                scope.spawn(move || {
                    for _ in 0..20 {
                        shelf.put("k", &vec![n; 10_000]);
                        let got = shelf.get("k").expect("one of them");
                        assert!(got.len() == 10_000 && got.iter().all(|b| *b == got[0]));
                    }
                });
            }
        });
    }
}
