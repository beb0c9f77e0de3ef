//! The files that tasks name, read where they lie: what an artifact carries, without the artifact.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustle_packer::{AssetFrom, AssetSource};
use rustle_runtime::accounts::Accounts;
use rustle_runtime::assets::{AssetEntry, AssetKind, Assets, Origin};
use rustle_runtime::with_files;
use zeroize::Zeroizing;

/// Files and folders of this machine under the names that a plan's tasks use.
#[derive(Default)]
pub struct DiskFiles {
    named: BTreeMap<Vec<u8>, AssetFrom>,
    /// The folder that all other names are meant from, and the user's.
    pub(super) rooted: Option<(PathBuf, Option<PathBuf>)>,
    /// Opens what is vaulted.
    opener: Option<Opener>,
}

/// Makes plain bytes of vaulted ones, or says why it cannot.
type Opener = Box<dyn Fn(&[u8]) -> Result<Zeroizing<Vec<u8>>, String>>;

/// How a vaulted file begins.
const VAULTED: &[u8] = b"$ANSIBLE_VAULT";

/// What lies under a name.
enum Found<'f> {
    Path(PathBuf),
    Bytes(&'f [u8]),
    /// A folder that only what lies in it tells of.
    Implied,
}

impl DiskFiles {
    /// What a packer would be given.
    pub fn new(sources: Vec<AssetSource>) -> DiskFiles {
        DiskFiles {
            named: sources.into_iter().map(|s| (s.name, s.from)).collect(),
            rooted: None,
            opener: None,
        }
    }

    /// The folder that relative names are meant from.
    pub(crate) fn root(&self) -> Option<&Path> {
        Some(self.rooted.as_ref()?.0.as_path())
    }

    /// Whatever lies where names point: relative ones from `root` (absolute) on, `~/` from `home` on.
    pub fn at(root: PathBuf, home: Option<PathBuf>) -> DiskFiles {
        DiskFiles {
            named: BTreeMap::new(),
            rooted: Some((root, home)),
            opener: None,
        }
    }

    /// Also these, which come before what lies where their names point.
    #[must_use]
    pub fn with(mut self, sources: Vec<AssetSource>) -> DiskFiles {
        let sources = sources.into_iter().map(|s| (s.name, s.from));
        self.named.extend(sources);
        self
    }

    /// Gives the plain contents of files that are vaulted, as Ansible does on their way to a target.
    #[must_use]
    pub fn opening(
        mut self,
        opener: impl Fn(&[u8]) -> Result<Zeroizing<Vec<u8>>, String> + 'static,
    ) -> DiskFiles {
        self.opener = Some(Box::new(opener));
        self
    }

    /// At most `max` bytes of a file's content from `offset` on; fewer than that at its end.
    ///
    /// # Errors
    /// As [`Assets::read`].
    pub fn read_part(&self, path: &[u8], offset: u64, max: usize) -> io::Result<Vec<u8>> {
        if let Some(Found::Path(place)) = self.find(path)
            && (self.opener.is_none() || !is_vaulted(&place))
        {
            let mut bytes = Vec::new();
            let mut file = File::open(place)?;
            file.seek(SeekFrom::Start(offset))?;
            file.take(max as u64).read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
        let mut plain = Vec::new();
        self.read(path, &mut plain)?;
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(plain.len());
        let end = start.saturating_add(max).min(plain.len());
        Ok(plain[start..end].to_vec())
    }

    /// Where what a name stands for lies, if it is on the disk.
    pub(crate) fn place_of(&self, name: &[u8]) -> Option<PathBuf> {
        match self.find(name) {
            Some(Found::Path(place)) => Some(place),
            _ => None,
        }
    }

    /// The place of a name that [`rustle_formats::plan::asset_name`] made.
    fn place(&self, name: &[u8]) -> Option<PathBuf> {
        let (root, home) = self.rooted.as_ref()?;
        let mut parts = name.split(|b| *b == b'/').peekable();
        let mut place = match parts.peek().copied() {
            Some(b"_root") => PathBuf::from("/"),
            Some(b"_home") => home.clone()?,
            _ => root.clone(),
        };
        if matches!(parts.peek().copied(), Some(b"_root" | b"_home")) {
            parts.next();
        }
        for part in parts {
            match part {
                b"_up" => place.push(".."),
                part => place.push(OsStr::from_bytes(part)),
            }
        }
        place.exists().then_some(place)
    }

    fn find(&self, path: &[u8]) -> Option<Found<'_>> {
        match self.named.get(path) {
            Some(AssetFrom::Path(place)) => return Some(Found::Path(place.clone())),
            Some(AssetFrom::Bytes(bytes)) => return Some(Found::Bytes(bytes)),
            None => {}
        }
        if let Some(place) = self.place(path) {
            return Some(Found::Path(place));
        }
        let around = (0..path.len()).rev().filter(|i| path[*i] == b'/');
        for cut in around {
            if let Some(AssetFrom::Path(folder)) = self.named.get(&path[..cut]) {
                let place = folder.join(OsStr::from_bytes(&path[cut + 1..]));
                return place
                    .symlink_metadata()
                    .is_ok()
                    .then_some(Found::Path(place));
            }
        }
        let below = [path, b"/"].concat();
        let implied = path.is_empty()
            || self
                .named
                .range(below.clone()..)
                .next()
                .is_some_and(|(name, _)| name.starts_with(&below));
        implied.then_some(Found::Implied)
    }

    fn entry_of(&self, path: &[u8], found: &Found<'_>) -> io::Result<AssetEntry> {
        let (kind, mode) = match found {
            Found::Implied => (AssetKind::Dir, 0o755),
            Found::Bytes(bytes) => (
                AssetKind::File {
                    size: bytes.len() as u64,
                },
                0o644,
            ),
            Found::Path(place) => {
                // As when packing: a link that is named is followed, one inside a folder is kept.
                let meta = if self.rooted.is_some() || self.named.contains_key(path) {
                    fs::metadata(place)?
                } else {
                    fs::symlink_metadata(place)?
                };
                (
                    self.kind_of(place, &meta)?,
                    meta.permissions().mode() & 0o7777,
                )
            }
        };
        Ok(AssetEntry {
            path: path.to_vec(),
            kind,
            mode,
        })
    }
}

/// How many bytes a file has, plain. One that cannot be opened has those that it is stored with: reading it tells why.
fn size(place: &Path, meta: &Metadata, opener: Option<&Opener>) -> u64 {
    let mut plain = Vec::new();
    match opener.map(|open| opened(place, open, &mut plain)) {
        Some(Ok(())) => plain.len() as u64,
        _ => meta.len(),
    }
}

/// Whether a file holds what ansible-vault makes of one.
fn is_vaulted(place: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(place).and_then(|f| f.take(VAULTED.len() as u64).read_to_end(&mut start));
    read.is_ok() && start == VAULTED
}

impl DiskFiles {
    fn kind_of(&self, place: &Path, meta: &Metadata) -> io::Result<AssetKind> {
        Ok(if meta.is_dir() {
            AssetKind::Dir
        } else if meta.is_symlink() {
            AssetKind::Symlink {
                target: fs::read_link(place)?.into_os_string().into_vec(),
            }
        } else {
            let opener = self.opener.as_ref().filter(|_| is_vaulted(place));
            AssetKind::File {
                size: size(place, meta, opener),
            }
        })
    }

    /// Adds everything below a folder of this machine, parents first.
    fn walk(
        &self,
        name: &[u8],
        folder: &Path,
        out: &mut BTreeMap<Vec<u8>, AssetEntry>,
    ) -> io::Result<()> {
        for item in fs::read_dir(folder)? {
            let item = item?;
            let mut path = name.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(item.file_name().as_bytes());
            let meta = item.metadata()?;
            let kind = self.kind_of(&item.path(), &meta)?;
            let folder = kind == AssetKind::Dir;
            out.insert(
                path.clone(),
                AssetEntry {
                    path: path.clone(),
                    kind,
                    mode: meta.permissions().mode() & 0o7777,
                },
            );
            if folder {
                self.walk(&path, &item.path(), out)?;
            }
        }
        Ok(())
    }
}

/// Writes a file's content, plain.
fn opened(place: &Path, open: &Opener, out: &mut dyn Write) -> io::Result<()> {
    let mut file = File::open(place)?;
    let mut start = Vec::new();
    (&mut file)
        .take(VAULTED.len() as u64)
        .read_to_end(&mut start)?;
    if start != VAULTED {
        out.write_all(&start)?;
        return io::copy(&mut file, out).map(|_| ());
    }
    file.read_to_end(&mut start)?;
    let plain = open(&start)
        .map_err(|e| io::Error::other(format!("{} cannot be decrypted: {e}", place.display())))?;
    out.write_all(&plain)
}

impl Assets for DiskFiles {
    fn origin(&self, path: &[u8]) -> Option<Origin> {
        with_files(|| self.origin_now(path))
    }

    fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        with_files(|| self.entry_now(path))
    }

    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        with_files(|| self.below_now(path))
    }

    fn read_as_stored(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        with_files(|| self.read_as_stored_now(path, out))
    }

    fn read(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        with_files(|| self.read_now(path, out))
    }
}

/// What [`Assets`] asks for, with the rights that the process has.
impl DiskFiles {
    fn origin_now(&self, path: &[u8]) -> Option<Origin> {
        let Some(Found::Path(place)) = self.find(path) else {
            return None;
        };
        let place = fs::canonicalize(place).ok()?;
        let meta = fs::metadata(&place).ok()?;
        let modified = jiff::Timestamp::try_from(meta.modified().ok()?).ok()?;
        // Python's moments have microseconds.
        let modified = modified.round(jiff::Unit::Microsecond).ok()?;
        let modified = modified.to_zoned(jiff::tz::TimeZone::system());
        let accounts = Accounts::load(Path::new("/")).ok();
        let owner = accounts.as_ref().and_then(|a| a.user_by_id(meta.uid()));
        Some(Origin {
            path: place.to_string_lossy().into_owned(),
            modified: modified.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
            owner: owner.map_or_else(|| meta.uid().to_string(), |user| user.name.clone()),
            node: rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        })
    }

    fn entry_now(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        match self.find(path) {
            None => Ok(None),
            Some(found) => match self.entry_of(path, &found) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
                entry => entry.map(Some),
            },
        }
    }

    fn below_now(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        let mut out = BTreeMap::new();
        if let Some(Found::Path(folder)) = self.find(path)
            && folder.is_dir()
        {
            self.walk(path, &folder, &mut out)?;
        }
        let mut prefix = path.to_vec();
        if !prefix.is_empty() {
            prefix.push(b'/');
        }
        for name in self.named.keys().filter(|name| name.starts_with(&prefix)) {
            for cut in (prefix.len()..name.len()).filter(|i| name[*i] == b'/') {
                let parent = &name[..cut];
                if let Some(entry) = self.entry(parent)? {
                    out.entry(parent.to_vec()).or_insert(entry);
                }
            }
            if let Some(entry) = self.entry(name)? {
                let folder = entry.kind == AssetKind::Dir;
                out.insert(name.clone(), entry);
                if folder && let Some(Found::Path(place)) = self.find(name) {
                    self.walk(name, &place, &mut out)?;
                }
            }
        }
        Ok(out.into_values().collect())
    }

    fn read_as_stored_now(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        match self.find(path) {
            Some(Found::Path(place)) => io::copy(&mut File::open(place)?, out).map(|_| ()),
            _ => self.read_now(path, out),
        }
    }

    fn read_now(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        match self.find(path) {
            Some(Found::Path(place)) => match &self.opener {
                None => io::copy(&mut File::open(place)?, out).map(|_| ()),
                Some(open) => opened(&place, open, out),
            },
            Some(Found::Bytes(bytes)) => out.write_all(bytes),
            Some(Found::Implied) | None => Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("no file {}", String::from_utf8_lossy(path)),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_files_folders_and_what_lies_in_them() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tree/sub")).unwrap();
        fs::write(dir.path().join("tree/sub/f"), "inside").unwrap();
        std::os::unix::fs::symlink("sub/f", dir.path().join("tree/l")).unwrap();
        let files = DiskFiles::new(vec![
            AssetSource::path("roles/web/files/tree", dir.path().join("tree")),
            AssetSource::bytes("roles/web/files/text", b"bytes".to_vec()),
        ]);
        let kind = |path: &str| files.entry(path.as_bytes()).unwrap().map(|e| e.kind);
        assert_eq!(kind("roles"), Some(AssetKind::Dir));
        assert_eq!(
            kind("roles/web/files/text"),
            Some(AssetKind::File { size: 5 })
        );
        assert_eq!(
            kind("roles/web/files/tree/l"),
            Some(AssetKind::Symlink {
                target: b"sub/f".to_vec()
            })
        );
        assert_eq!(kind("roles/web/files/none"), None);
        assert_eq!(kind("roles/web/files/tree/none"), None);
        let below: Vec<String> = files
            .below(b"roles/web")
            .unwrap()
            .into_iter()
            .map(|e| String::from_utf8(e.path).unwrap())
            .collect();
        assert_eq!(
            below,
            [
                "roles/web/files",
                "roles/web/files/text",
                "roles/web/files/tree",
                "roles/web/files/tree/l",
                "roles/web/files/tree/sub",
                "roles/web/files/tree/sub/f",
            ]
        );
        assert_eq!(
            files
                .read_to_vec(b"roles/web/files/tree/sub/f", 10)
                .unwrap(),
            b"inside"
        );
        assert!(files.read_to_vec(b"roles/web/files", 10).is_err());
    }

    #[test]
    fn names_from_a_folder_on() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("play/files")).unwrap();
        fs::write(dir.path().join("play/files/f"), "f").unwrap();
        fs::write(dir.path().join("beside"), "b").unwrap();
        let files = DiskFiles::at(dir.path().join("play"), Some(dir.path().to_owned()));
        let read = |name: &str| {
            let name = rustle_formats::plan::asset_name(name);
            files.read_to_vec(name.as_bytes(), 10).ok()
        };
        assert_eq!(read("files/f").as_deref(), Some(&b"f"[..]));
        assert_eq!(read("../beside").as_deref(), Some(&b"b"[..]));
        assert_eq!(read("~/beside").as_deref(), Some(&b"b"[..]));
        let absolute = dir.path().join("beside").display().to_string();
        assert_eq!(read(&absolute).as_deref(), Some(&b"b"[..]));
        assert_eq!(read("nothing"), None);
        let below = Assets::below(&files, b"files").unwrap();
        assert_eq!(below[0].path, b"files/f");
    }
}
