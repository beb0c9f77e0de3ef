//! Unpacking an artifact's tree: all of it or nothing, on all cores, every byte checked.
//!
//! The tree is first built in a staging folder beside its place, where nobody else writes and where no link exists that a path could
//! lead through: folders, then files, then hard links, then symbolic links. Only when everything is there and has its digest is it
//! moved into place: in one rename where the place is free, else file by file, each of which is then the old one or the new one. A
//! staging folder that a killed run left is found by its lock, which died with that run, and removed.

mod place;
mod stage;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustle_formats::artifact::{ArtifactError, Container, ReadAt};

/// How to unpack. The defaults suit a tool that people start by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtractOptions {
    /// How many threads work; 0, the default: as many as there are cores.
    pub threads: usize,
    /// Whether recorded owners are restored, which needs privileges. Default: no.
    pub owners: bool,
    /// Whether the file system is asked to write everything out before the tree is moved into place. Default: yes.
    pub sync: bool,
}

impl Default for ExtractOptions {
    fn default() -> Self {
        Self {
            threads: 0,
            owners: false,
            sync: true,
        }
    }
}

/// What was unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtractReport {
    /// Regular files, hard links included.
    pub files: u64,
    /// Folders.
    pub dirs: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Bytes of content.
    pub bytes: u64,
}

/// Why unpacking failed. The destination is as it was, unless the error came while files were moved into an existing folder: then
/// each file is the old one or the new one.
#[derive(Debug)]
pub enum ExtractError {
    /// The artifact is damaged.
    Artifact(ArtifactError),
    /// A file could not be written.
    Io {
        /// What was being done.
        doing: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is nothing under the name that was asked for.
    NotFound(String),
    /// The destination holds something, and an empty folder was asked for.
    NotEmpty(PathBuf),
    /// The caller asked to stop.
    Stopped,
}

impl ExtractError {
    fn io<E: Into<io::Error>>(doing: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_owned();
        move |e| Self::Io {
            doing,
            path,
            source: e.into(),
        }
    }
}

impl fmt::Display for ExtractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Artifact(e) => e.fmt(f),
            Self::Io {
                doing,
                path,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
            Self::NotFound(name) => write!(f, "the artifact has no folder {name:?}"),
            Self::NotEmpty(path) => write!(f, "{} is not empty", path.display()),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for ExtractError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Artifact(e) => Some(e),
            Self::Io { source, .. } => Some(source),
            Self::NotFound(_) | Self::NotEmpty(_) | Self::Stopped => None,
        }
    }
}

impl From<ArtifactError> for ExtractError {
    fn from(e: ArtifactError) -> Self {
        Self::Artifact(e)
    }
}

const STAGING: &str = ".rustle-extract-";

/// Unpacks everything below the folder `prefix` of the artifact (empty: everything) into the folder `dest`, which is made where it
/// does not exist. What `dest` holds beyond that stays.
///
/// # Errors
/// See [`ExtractError`].
pub fn extract<R: ReadAt>(
    container: &Container<R>,
    prefix: &[u8],
    dest: &Path,
    options: ExtractOptions,
) -> Result<ExtractReport, ExtractError> {
    if !prefix.is_empty() && !container.is_dir(prefix)? {
        return Err(ExtractError::NotFound(
            String::from_utf8_lossy(prefix).into_owned(),
        ));
    }
    unpack(container, prefix, dest, options, &|| false)
}

/// Unpacks everything into a folder that is new or empty, until `stop` says otherwise. What an unpacking left there that was killed
/// does not count: it is replaced.
///
/// # Errors
/// See [`ExtractError`].
pub fn extract_all<R: ReadAt>(
    container: &Container<R>,
    dest: &Path,
    options: ExtractOptions,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<ExtractReport, ExtractError> {
    match std::fs::read_dir(dest) {
        Ok(mut items) => {
            if items.next().is_some() && abandoned(dest).is_empty() {
                return Err(ExtractError::NotEmpty(dest.to_owned()));
            }
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(ExtractError::io("open the folder", dest)(e)),
    }
    unpack(container, b"", dest, options, stop)
}

fn unpack<R: ReadAt>(
    container: &Container<R>,
    prefix: &[u8],
    dest: &Path,
    options: ExtractOptions,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<ExtractReport, ExtractError> {
    let exists = std::fs::symlink_metadata(dest).is_ok();
    let home = if exists {
        dest.to_owned()
    } else {
        parent_of(dest)
    };
    std::fs::create_dir_all(&home).map_err(ExtractError::io("make the folder", &home))?;
    // The own staging folder comes first: while half of a tree is in `dest`, there is always one that says so.
    let left = abandoned(&home);
    let staging = Staging::create(&home)?;
    left.iter().for_each(|(path, _)| remove(path));
    let tree = stage::Tree::read(container, prefix)?;
    let report = tree.build(container, &staging, options, stop)?;
    if options.sync {
        rustix::fs::syncfs(&staging.dir).map_err(ExtractError::io("write out", &home))?;
    }
    if exists {
        place::merge(&tree, &staging, dest, options)?;
    } else {
        let root = staging.tree();
        rustix::fs::rename(&root, dest).map_err(ExtractError::io("rename into place", dest))?;
    }
    Ok(report)
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The private folder in which a tree is built. It holds the tree as `t`, and goes away with this value.
struct Staging {
    path: PathBuf,
    /// The folder, locked as long as this process lives.
    dir: rustix::fd::OwnedFd,
    /// The tree's root.
    root: rustix::fd::OwnedFd,
    /// Permission bits that the process's umask takes away from new files.
    umask: u32,
}

impl Staging {
    /// Makes one. Between its making and its lock another extraction may take it for one that a killed run left, and remove it:
    /// then there is a next.
    fn create(home: &Path) -> Result<Self, ExtractError> {
        for _ in 0..TRIES {
            let path = home.join(format!("{STAGING}{}", random_name(home)?));
            let failed = || ExtractError::io("make the folder", &path);
            rustix::fs::mkdir(&path, Mode::RWXU).map_err(failed())?;
            match Self::lock_and_fill(&path) {
                Ok(Some(made)) => return Ok(made),
                Ok(None) => remove(&path),
                Err(e) => {
                    remove(&path);
                    return Err(failed()(e));
                }
            }
        }
        Err(ExtractError::io("make a folder in", home)(
            Errno::WOULDBLOCK,
        ))
    }

    /// None where somebody else had the folder first.
    fn lock_and_fill(path: &Path) -> rustix::io::Result<Option<Self>> {
        let dir = match open_dir(path) {
            Err(Errno::NOENT) => return Ok(None),
            opened => opened?,
        };
        match rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => return Ok(None),
            locked => locked?,
        }
        if rustix::fs::fstat(&dir)?.st_nlink == 0 {
            return Ok(None);
        }
        rustix::fs::mkdirat(&dir, "t", Mode::from_raw_mode(0o777))?;
        let root = rustix::fs::openat(&dir, "t", DIR_FLAGS, Mode::empty())?;
        let umask = 0o777 & !rustix::fs::fstat(&root)?.st_mode;
        rustix::fs::chmodat(&dir, "t", Mode::RWXU, AtFlags::empty())?;
        Ok(Some(Self {
            path: path.to_owned(),
            dir,
            root,
            umask,
        }))
    }

    fn tree(&self) -> PathBuf {
        self.path.join("t")
    }
}

/// How often a folder is made again that another extraction took for abandoned.
const TRIES: usize = 16;

fn random_name(home: &Path) -> Result<String, ExtractError> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(|e| ExtractError::Io {
        doing: "get random bytes for a name in",
        path: home.to_owned(),
        source: io::Error::other(e.to_string()),
    })?;
    Ok(random.iter().map(|b| format!("{b:02x}")).collect())
}

impl Drop for Staging {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

const DIR_FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

fn open_dir(path: &Path) -> rustix::io::Result<rustix::fd::OwnedFd> {
    rustix::fs::open(path, DIR_FLAGS, Mode::empty())
}

/// Removes a staging folder, also where its folders were made read-only already.
fn remove(path: &Path) {
    if std::fs::remove_dir_all(path).is_ok() || !path.exists() {
        return;
    }
    let mut pending = vec![path.to_owned()];
    while let Some(dir) = pending.pop() {
        let _ = rustix::fs::chmod(&dir, Mode::RWXU);
        let Ok(items) = std::fs::read_dir(&dir) else {
            continue;
        };
        pending.extend(
            items
                .flatten()
                .filter(|i| i.file_type().is_ok_and(|t| t.is_dir()))
                .map(|i| i.path()),
        );
    }
    let _ = std::fs::remove_dir_all(path);
}

/// Staging folders in `home` whose makers are gone, locked so that nobody else takes them for the same.
fn abandoned(home: &Path) -> Vec<(PathBuf, rustix::fd::OwnedFd)> {
    let Ok(items) = std::fs::read_dir(home) else {
        return Vec::new();
    };
    items
        .flatten()
        .filter(|item| {
            item.file_name()
                .as_encoded_bytes()
                .starts_with(STAGING.as_bytes())
        })
        .filter_map(|item| {
            let dir = open_dir(&item.path()).ok()?;
            rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).ok()?;
            Some((item.path(), dir))
        })
        .collect()
}
