//! Home folders: made from a skeleton, moved, removed.

use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

/// Who a home belongs to, and what it looks like.
pub(super) struct Home<'a> {
    pub(super) path: &'a Path,
    pub(super) skeleton: &'a Path,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// Makes a home with the skeleton's content. Missing folders above it are made too.
pub(super) fn create(home: &Home<'_>) -> io::Result<()> {
    if let Some(parent) = home.path.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)?;
    }
    whole(home.path, |new| {
        if home.skeleton.is_dir() {
            copy_content(home.skeleton, new, Some((home.uid, home.gid)))?;
        }
        lchown(new, Some(home.uid), Some(home.gid))?;
        std::fs::set_permissions(new, std::fs::Permissions::from_mode(home.mode))
    })
}

/// Makes a folder that appears when all is in it: half a home would be taken for a whole one by the next run. What a killed
/// run left is under a name that depends on the home's alone, and is removed first.
fn whole(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".rustle-new");
    let new = path.with_file_name(name);
    match std::fs::remove_dir_all(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    std::fs::DirBuilder::new().mode(0o700).create(&new)?;
    let made = fill(&new).and_then(|()| std::fs::rename(&new, path));
    if made.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_dir_all(&new);
    }
    made
}

/// Moves a home; to another file system by copying.
pub(super) fn relocate(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(parent)?;
    }
    match std::fs::rename(from, to) {
        Err(e) if e.raw_os_error() == Some(libc::EXDEV) => {}
        other => return other,
    }
    let meta = std::fs::symlink_metadata(from)?;
    whole(to, |new| {
        copy_content(from, new, None)?;
        lchown(new, Some(meta.uid()), Some(meta.gid()))?;
        std::fs::set_permissions(new, meta.permissions())
    })?;
    std::fs::remove_dir_all(from)
}

/// Gives everything below a folder, and itself, that belongs to one user to another.
pub(super) fn hand_over(path: &Path, old: (u32, u32), new: (u32, u32)) -> io::Result<()> {
    let meta = match std::fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
    };
    if meta.is_dir() {
        for entry in std::fs::read_dir(path)? {
            hand_over(&entry?.path(), old, new)?;
        }
    }
    let uid = (meta.uid() == old.0 && old.0 != new.0).then_some(new.0);
    let gid = (meta.gid() == old.1 && old.1 != new.1).then_some(new.1);
    if uid.is_some() || gid.is_some() {
        lchown(path, uid, gid)?;
        // A change of owner clears the set-id bits.
        if !meta.is_symlink() && meta.mode() & 0o6000 != 0 {
            std::fs::set_permissions(path, meta.permissions())?;
        }
    }
    Ok(())
}

/// Copies what a folder holds: files, folders and links, with their permissions and times, and their owners or new ones.
fn copy_content(from: &Path, to: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let meta = std::fs::symlink_metadata(&source)?;
        let (uid, gid) = owner.unwrap_or((meta.uid(), meta.gid()));
        if meta.is_symlink() {
            symlink(std::fs::read_link(&source)?, &target)?;
            lchown(&target, Some(uid), Some(gid))?;
            continue;
        }
        if meta.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(&target)?;
            copy_content(&source, &target, owner)?;
        } else if meta.is_file() {
            std::fs::copy(&source, &target)?;
        } else {
            continue;
        }
        lchown(&target, Some(uid), Some(gid))?;
        std::fs::set_permissions(&target, meta.permissions())?;
        let file = std::fs::File::open(&target)?;
        let times = std::fs::FileTimes::new()
            .set_accessed(meta.accessed()?)
            .set_modified(meta.modified()?);
        file.set_times(times)?;
    }
    Ok(())
}
