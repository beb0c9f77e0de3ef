//! Collecting: from the names that a plan uses to a sorted list of what goes into the artifact.
//!
//! Everything that later steps depend on is decided here, from names and `lstat` alone, so that the same tree gives the same
//! list on any machine and in any folder. Contents are read later, each file once.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use rustle_formats::artifact::check_path;
use sha2::{Digest, Sha256};

use crate::PackError;
use crate::content::read_part;

/// Something to be packed under a name.
#[derive(Debug, Clone)]
pub struct AssetSource {
    /// The name under which the plan's tasks find it: relative, `/` between components, not always UTF-8.
    pub name: Vec<u8>,
    /// Where it comes from.
    pub from: AssetFrom,
    /// Permission bits in place of the file's own. Of a folder: its own, not of what lies in it.
    pub mode: Option<u16>,
    /// The size in bytes that it must have, if the plan says. For files only.
    pub size: Option<u64>,
    /// The SHA-256 that it must have, if the plan says. For files only.
    pub sha256: Option<[u8; 32]>,
}

/// Where an asset comes from.
#[derive(Debug, Clone)]
pub enum AssetFrom {
    /// A file, or a folder with all that lies in it. A symbolic link is followed here, and kept as a link inside a folder.
    Path(PathBuf),
    /// These bytes.
    Bytes(Arc<[u8]>),
}

impl AssetSource {
    /// The file or folder at `path`, under `name`.
    pub fn path(name: impl Into<Vec<u8>>, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.into(),
            from: AssetFrom::Path(path.into()),
            mode: None,
            size: None,
            sha256: None,
        }
    }

    /// A file of these bytes, under `name`, with mode 0644.
    pub fn bytes(name: impl Into<Vec<u8>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self {
            name: name.into(),
            from: AssetFrom::Bytes(bytes.into()),
            mode: None,
            size: None,
            sha256: None,
        }
    }
}

/// What is recorded of assets beyond content and mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Recorded {
    /// Modification times. Default: no, for they differ from checkout to checkout.
    pub times: bool,
    /// Numeric owners. Default: no.
    pub owners: bool,
}

/// What tells a file's state without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Stamp {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) mtime: (i64, i64),
    pub(crate) ctime: (i64, i64),
}

impl Stamp {
    pub(crate) fn of(meta: &Metadata) -> Self {
        Self {
            dev: meta.dev(),
            ino: meta.ino(),
            size: meta.len(),
            mtime: (meta.mtime(), meta.mtime_nsec()),
            ctime: (meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// Where a regular file's content comes from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Disk { path: PathBuf, stamp: Stamp },
    Memory(Arc<[u8]>),
}

impl Content {
    pub(crate) fn size(&self) -> u64 {
        match self {
            Self::Disk { stamp, .. } => stamp.size,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    File(Content),
    Dir,
    Symlink(Vec<u8>),
    Hardlink(Vec<u8>),
}

/// One asset to be.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) path: Vec<u8>,
    pub(crate) kind: NodeKind,
    pub(crate) mode: u16,
    pub(crate) mtime: Option<(i64, u32)>,
    pub(crate) owner: Option<(u32, u32)>,
    /// The inode, where several names may share it.
    links: Option<(u64, u64)>,
}

impl Node {
    /// The bytes of a regular file; 0 for anything else.
    pub(crate) fn size(&self) -> u64 {
        match &self.kind {
            NodeKind::File(content) => content.size(),
            _ => 0,
        }
    }
}

/// Lists everything that `sources` name, sorted by path.
pub(crate) fn collect(
    sources: &[AssetSource],
    recorded: Recorded,
    threads: usize,
) -> Result<Vec<Node>, PackError> {
    let mut nodes = Vec::new();
    for source in sources {
        check_name(&source.name)?;
        let at = nodes.len();
        match &source.from {
            AssetFrom::Bytes(bytes) => nodes.push(Node {
                path: source.name.clone(),
                mode: source.mode.unwrap_or(0o644) & 0o7777,
                kind: NodeKind::File(Content::Memory(Arc::clone(bytes))),
                mtime: None,
                owner: None,
                links: None,
            }),
            AssetFrom::Path(path) => {
                let meta = std::fs::metadata(path).map_err(PackError::io("read", path))?;
                nodes.push(node(source.name.clone(), path, &meta, recorded)?);
                let top = &mut nodes[at];
                if let Some(mode) = source.mode {
                    top.mode = mode & 0o7777;
                }
                if meta.is_dir() {
                    walk(&source.name, path, recorded, threads, &mut nodes)?;
                }
            }
        }
        if let Some(NodeKind::File(content)) = nodes.get(at).map(|n| &n.kind) {
            check_promise(source, content)?;
        }
    }
    nodes.sort_by(|a, b| a.path.cmp(&b.path));
    merge(&mut nodes)?;
    nodes.shrink_to_fit();
    check_parents(&nodes)?;
    link(&mut nodes);
    Ok(nodes)
}

/// Checks what the plan says of a file. Its SHA-256 costs a reading of its own, so only where one is given.
fn check_promise(source: &AssetSource, content: &Content) -> Result<(), PackError> {
    let mismatch = |what: String| PackError::Mismatch {
        name: String::from_utf8_lossy(&source.name).into_owned(),
        what,
    };
    let size = content.size();
    if let Some(want) = source.size.filter(|&want| want != size) {
        return Err(mismatch(format!("it has {size} bytes, not {want}")));
    }
    let Some(want) = source.sha256 else {
        return Ok(());
    };
    let mut hasher = Sha256::new();
    let mut part = Vec::new();
    let mut at = 0;
    while at < size {
        part.clear();
        let now = (size - at).min(1 << 20);
        read_part(content, at, now as usize, &mut part)?;
        hasher.update(&part);
        at += now;
    }
    if <[u8; 32]>::from(hasher.finalize()) != want {
        return Err(mismatch("its SHA-256 is another".into()));
    }
    Ok(())
}

fn check_name(name: &[u8]) -> Result<(), PackError> {
    check_path(name).map_err(|source| PackError::Name {
        name: String::from_utf8_lossy(name).into_owned(),
        source,
    })
}

fn node(
    name: Vec<u8>,
    path: &Path,
    meta: &Metadata,
    recorded: Recorded,
) -> Result<Node, PackError> {
    let kind = if meta.is_file() {
        NodeKind::File(Content::Disk {
            path: path.to_owned(),
            stamp: Stamp::of(meta),
        })
    } else if meta.is_dir() {
        NodeKind::Dir
    } else if meta.is_symlink() {
        let target = std::fs::read_link(path).map_err(PackError::io("read the link", path))?;
        NodeKind::Symlink(target.into_os_string().as_bytes().to_vec())
    } else {
        return Err(PackError::Special(path.to_owned()));
    };
    let links = (meta.is_file() && meta.nlink() > 1).then(|| (meta.dev(), meta.ino()));
    let mode = if meta.is_symlink() {
        0o777
    } else {
        (meta.mode() & 0o7777) as u16
    };
    Ok(Node {
        path: name,
        kind,
        mode,
        mtime: recorded
            .times
            .then(|| (meta.mtime(), meta.mtime_nsec() as u32)),
        owner: recorded.owners.then(|| (meta.uid(), meta.gid())),
        links,
    })
}

/// A folder that is still to be listed: its name, and where it lies.
type Pending = (Vec<u8>, PathBuf);

/// What the threads that walk a tree share.
#[derive(Default)]
struct Walk {
    pending: Vec<Pending>,
    /// How many threads are listing a folder, and may find more.
    busy: usize,
    failure: Option<PackError>,
}

/// Adds everything below the folder `dir`, whose name is `name`, in no particular order.
fn walk(
    name: &[u8],
    dir: &Path,
    recorded: Recorded,
    threads: usize,
    nodes: &mut Vec<Node>,
) -> Result<(), PackError> {
    let shared = Mutex::new(Walk {
        pending: vec![(name.to_vec(), dir.to_owned())],
        ..Walk::default()
    });
    let found = Condvar::new();
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let work = || {
        let mut nodes = Vec::new();
        let mut more = Vec::new();
        loop {
            let mut walk = lock();
            let (name, dir) = loop {
                if walk.failure.is_some() {
                    return nodes;
                }
                match walk.pending.pop() {
                    Some(next) => break next,
                    None if walk.busy == 0 => return nodes,
                    None => walk = found.wait(walk).unwrap_or_else(PoisonError::into_inner),
                }
            };
            walk.busy += 1;
            drop(walk);
            let listed = list(&name, &dir, recorded, &mut nodes, &mut more);
            let mut walk = lock();
            walk.busy -= 1;
            walk.pending.append(&mut more);
            if let Err(error) = listed {
                walk.failure.get_or_insert(error);
            }
            drop(walk);
            found.notify_all();
        }
    };
    std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        nodes.append(&mut work());
        for helper in helpers {
            match helper.join() {
                Ok(mut found) => nodes.append(&mut found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    match shared
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner)
        .failure
    {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Adds what lies directly in a folder; folders in it go to `more` as well.
fn list(
    name: &[u8],
    dir: &Path,
    recorded: Recorded,
    nodes: &mut Vec<Node>,
    more: &mut Vec<Pending>,
) -> Result<(), PackError> {
    for item in std::fs::read_dir(dir).map_err(PackError::io("list", dir))? {
        let item = item.map_err(PackError::io("list", dir))?;
        let file_name = item.file_name();
        let path = dir.join(&file_name);
        let meta = item.metadata().map_err(PackError::io("read", &path))?;
        let child = join(name, &file_name);
        check_name(&child)?;
        let made = node(child, &path, &meta, recorded)?;
        if meta.is_dir() {
            more.push((made.path.clone(), path));
        }
        nodes.push(made);
    }
    Ok(())
}

fn join(dir: &[u8], name: &OsStr) -> Vec<u8> {
    let mut out = Vec::with_capacity(dir.len() + 1 + name.len());
    out.extend_from_slice(dir);
    out.push(b'/');
    out.extend_from_slice(name.as_bytes());
    out
}

/// Drops what was named twice and is the same. In place: the list may be long.
fn merge(nodes: &mut Vec<Node>) -> Result<(), PackError> {
    let mut twice = None;
    nodes.dedup_by(|node, kept| {
        if node.path != kept.path {
            return false;
        }
        if !same(&kept.kind, &node.kind) {
            twice.get_or_insert_with(|| String::from_utf8_lossy(&node.path).into_owned());
        }
        true
    });
    twice.map_or(Ok(()), |name| Err(PackError::Twice(name)))
}

fn same(a: &NodeKind, b: &NodeKind) -> bool {
    match (a, b) {
        (NodeKind::Dir, NodeKind::Dir) => true,
        (NodeKind::Symlink(a), NodeKind::Symlink(b))
        | (NodeKind::Hardlink(a), NodeKind::Hardlink(b)) => a == b,
        (
            NodeKind::File(Content::Disk { stamp: a, .. }),
            NodeKind::File(Content::Disk { stamp: b, .. }),
        ) => a == b,
        (NodeKind::File(Content::Memory(a)), NodeKind::File(Content::Memory(b))) => a == b,
        _ => false,
    }
}

/// No asset may lie below one that is not a folder: it could not be unpacked.
fn check_parents(nodes: &[Node]) -> Result<(), PackError> {
    let mut last: &[u8] = &[];
    for node in nodes {
        let Some(cut) = node.path.iter().rposition(|&b| b == b'/') else {
            continue;
        };
        if last == &node.path[..cut] {
            continue;
        }
        last = &node.path[..cut];
        for at in (0..=cut).filter(|&i| node.path[i] == b'/') {
            let parent = &node.path[..at];
            let found = nodes.binary_search_by(|n| n.path.as_slice().cmp(parent));
            if found.is_ok_and(|i| !matches!(nodes[i].kind, NodeKind::Dir)) {
                return Err(PackError::Twice(
                    String::from_utf8_lossy(parent).into_owned(),
                ));
            }
        }
    }
    Ok(())
}

/// Turns further names of one inode into hard links to the first.
fn link(nodes: &mut [Node]) {
    let mut first: HashMap<(u64, u64), usize> = HashMap::new();
    for i in 0..nodes.len() {
        let Some(inode) = nodes[i].links else {
            continue;
        };
        match first.get(&inode) {
            Some(&at) => nodes[i].kind = NodeKind::Hardlink(nodes[at].path.clone()),
            None => {
                first.insert(inode, i);
            }
        }
    }
}
