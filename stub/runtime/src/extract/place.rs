//! Moving a finished tree into a folder that exists: file by file, through no symbolic link.

use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode};
use rustix::io::Errno;

use super::stage::{Tree, io};
use super::{DIR_FLAGS, ExtractError, ExtractOptions, Staging};

/// Moves everything in the staging folder to the same place below `dest`.
///
/// A folder that is there already keeps its mode. A folder where a file should go, or a file or link where a folder should, is an
/// error before anything is moved.
pub(super) fn merge(
    tree: &Tree,
    staging: &Staging,
    dest: &Path,
    options: ExtractOptions,
) -> Result<(), ExtractError> {
    let root = rustix::fs::open(
        dest,
        DIR_FLAGS & !rustix::fs::OFlags::NOFOLLOW,
        Mode::empty(),
    )
    .map_err(ExtractError::io("open the folder", dest))?;
    let leaves = || {
        let files = tree.files.iter().map(|f| f.path.as_slice());
        let links = tree.hardlinks.iter().map(|l| l.0.as_slice());
        files
            .chain(links)
            .chain(tree.symlinks.iter().map(|l| l.0.as_slice()))
    };
    // Folders that are new come as they are, with all that is in them, and nothing below them needs a look; parents stand
    // before children.
    let mut new: Vec<&[u8]> = Vec::new();
    for (path, _) in &tree.dirs {
        if is_below(path, &new) {
            continue;
        }
        match kind_at(&root, path)? {
            None => new.push(path),
            Some(FileType::Directory) => {}
            Some(_) => return Err(io("make the folder", path)(Errno::NOTDIR)),
        }
    }
    for path in leaves().filter(|path| !is_below(path, &new)) {
        if kind_at(&root, path)? == Some(FileType::Directory) {
            return Err(io("replace the folder", path)(Errno::ISDIR));
        }
    }
    for path in &new {
        rename(staging, path, &parent(&root, path)?)?;
    }
    for path in leaves() {
        if !is_below(path, &new) {
            rename(staging, path, &parent(&root, path)?)?;
        }
    }
    if options.sync {
        rustix::fs::syncfs(&root).map_err(ExtractError::io("write out", dest))?;
    }
    Ok(())
}

/// Whether `path` lies in one of the folders `new`, which are sorted and none of which lies in another.
fn is_below(path: &[u8], new: &[&[u8]]) -> bool {
    let mut ends = path
        .iter()
        .enumerate()
        .filter(|(_, b)| **b == b'/')
        .map(|(i, _)| i);
    ends.any(|i| new.binary_search(&&path[..i]).is_ok())
}

/// The folder of `path`, opened without following links, and the last component.
fn parent<'a>(root: &OwnedFd, path: &'a [u8]) -> Result<(OwnedFd, &'a [u8]), ExtractError> {
    let failed = |e: Errno| io("open the folder of", path)(e);
    let mut dir = root
        .as_fd()
        .try_clone_to_owned()
        .map_err(io("open the folder of", path))?;
    let mut rest = path;
    while let Some(cut) = rest.iter().position(|&b| b == b'/') {
        dir = rustix::fs::openat(&dir, &rest[..cut], DIR_FLAGS, Mode::empty()).map_err(failed)?;
        rest = &rest[cut + 1..];
    }
    Ok((dir, rest))
}

/// What lies at `path`, if anything; a link is a link. A link on the way to it is an error.
fn kind_at(root: &OwnedFd, path: &[u8]) -> Result<Option<FileType>, ExtractError> {
    let mut dir: Option<OwnedFd> = None;
    let mut rest = path;
    while let Some(cut) = rest.iter().position(|&b| b == b'/') {
        let at = dir.as_ref().unwrap_or(root);
        match rustix::fs::openat(at, &rest[..cut], DIR_FLAGS, Mode::empty()) {
            Ok(fd) => dir = Some(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(io("open the folder of", path)(e)),
        }
        rest = &rest[cut + 1..];
    }
    match rustix::fs::statat(
        dir.as_ref().unwrap_or(root),
        rest,
        AtFlags::SYMLINK_NOFOLLOW,
    ) {
        Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode))),
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(io("look at", path)(e)),
    }
}

fn rename(staging: &Staging, path: &[u8], to: &(OwnedFd, &[u8])) -> Result<(), ExtractError> {
    rustix::fs::renameat(&staging.root, path, &to.0, to.1).map_err(io("rename into place", path))
}
