//! Files that are replaced as a whole: written under a temporary name beside the old one, and renamed.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Puts `content` in place of a file. A link is followed. `mode`: the new file's; `None`: the old file's, else 0600. The
/// owner stays, where the process may give files away.
pub(crate) fn replace(path: &Path, content: &[u8], mode: Option<u32>) -> io::Result<()> {
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(e) if e.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(e) => return Err(e),
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".rustle-")
        .tempfile_in(folder)?;
    file.write_all(content)?;
    let old = std::fs::metadata(&target).ok();
    let mode = mode.or(old.as_ref().map(|o| o.mode() & 0o7777));
    if let Some(old) = old {
        // Only root may; for all others the file becomes theirs, as with any other editor.
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
    }
    let mode = Permissions::from_mode(mode.unwrap_or(0o600));
    file.as_file().set_permissions(mode)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_modes_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        let link = dir.path().join("l");
        std::os::unix::fs::symlink("f", &link).unwrap();
        replace(&link, b"new", None).unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"new");
        let mode = |p: &Path| std::fs::metadata(p).unwrap().mode() & 0o777;
        assert_eq!(mode(&file), 0o640);
        replace(&dir.path().join("fresh"), b"x", None).unwrap();
        assert_eq!(mode(&dir.path().join("fresh")), 0o600);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3);
    }
}
