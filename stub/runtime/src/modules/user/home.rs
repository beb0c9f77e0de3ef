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
    std::fs::DirBuilder::new().mode(0o700).create(home.path)?;
    if home.skeleton.is_dir() {
        copy_content(home.skeleton, home.path, Some((home.uid, home.gid)))?;
    }
    lchown(home.path, Some(home.uid), Some(home.gid))?;
    std::fs::set_permissions(home.path, std::fs::Permissions::from_mode(home.mode))
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
    std::fs::DirBuilder::new().mode(0o700).create(to)?;
    let copied = copy_content(from, to, None)
        .and_then(|()| lchown(to, Some(meta.uid()), Some(meta.gid())))
        .and_then(|()| std::fs::set_permissions(to, meta.permissions()));
    match copied {
        Ok(()) => std::fs::remove_dir_all(from),
        Err(e) => {
            let _ = std::fs::remove_dir_all(to);
            Err(e)
        }
    }
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
