//! Several account files changed as one: all of them or, in the end, none.
//!
//! A user without a line in `shadow`, or a group without its user, would lead the next run astray. So the new versions are
//! first written beside the old ones, then a note that all are there, and only then renamed. A run that is killed in between
//! is completed by the next ([`complete`]); where somebody else changed a file since, that file stays as it is.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::table::Lock;

/// The note: for each file its name and the digests of its old and its new version.
const NOTE: &str = ".rustle-accounts";
/// Behind the name of a file's new version.
const NEXT: &str = "+";
/// The files that may be changed.
const FILES: [&str; 6] = ["gshadow", "shadow", "group", "subuid", "subgid", "passwd"];

/// A file's new version.
pub(super) struct Change {
    pub(super) path: PathBuf,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// Puts all new versions in place, in this order. The versions before are kept as `NAME-`, as the system's own tools do.
///
/// # Errors
/// A full disk, say. Nothing has changed then.
pub(super) fn commit(etc: &Path, changes: &[Change]) -> io::Result<()> {
    let staged = stage(etc, changes);
    if staged.is_err() {
        for change in changes {
            let _ = std::fs::remove_file(beside(&change.path, NEXT));
        }
        let _ = std::fs::remove_file(etc.join(NOTE));
        return staged;
    }
    for change in changes {
        std::fs::rename(beside(&change.path, NEXT), &change.path)?;
    }
    forget(etc, changes.len())
}

fn stage(etc: &Path, changes: &[Change]) -> io::Result<()> {
    let mut note = String::new();
    for change in changes {
        let like = std::fs::metadata(&change.path)?;
        write_like(&beside(&change.path, NEXT), &change.before, &like)?;
        std::fs::rename(beside(&change.path, NEXT), beside(&change.path, "-"))?;
        write_like(&beside(&change.path, NEXT), &change.after, &like)?;
        let name = change
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        note.push_str(&format!(
            "{name} {} {}\n",
            digest(&change.before),
            digest(&change.after)
        ));
    }
    if changes.len() < 2 {
        return Ok(());
    }
    let path = etc.join(NOTE);
    let temporary = beside(&path, NEXT);
    write(&temporary, note.as_bytes(), |_| Ok(()))?;
    std::fs::rename(&temporary, &path)
}

fn forget(etc: &Path, files: usize) -> io::Result<()> {
    if files < 2 {
        return Ok(());
    }
    std::fs::remove_file(etc.join(NOTE))
}

/// Writes a file with the mode and owner of another.
fn write_like(path: &Path, bytes: &[u8], like: &std::fs::Metadata) -> io::Result<()> {
    write(path, bytes, |file| {
        std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()))?;
        file.set_permissions(std::fs::Permissions::from_mode(like.mode() & 0o7777))
    })
}

fn write(path: &Path, bytes: &[u8], dress: impl Fn(&File) -> io::Result<()>) -> io::Result<()> {
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| dress(&file))
        .and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}

/// Completes what a killed run began to put in place, and removes what one left that had not come so far.
///
/// # Errors
/// What the system says.
pub(crate) fn complete(root: &Path) -> io::Result<()> {
    let etc = root.join("etc");
    let left = |name: &str| etc.join(name).symlink_metadata().is_ok();
    if !left(NOTE)
        && !left(&format!("{NOTE}{NEXT}"))
        && !FILES.iter().any(|f| left(&format!("{f}{NEXT}")))
    {
        return Ok(());
    }
    // Whoever holds the lock is at work: what lies there may be theirs.
    let _lock = Lock::take(&etc)?;
    complete_locked(&etc)
}

fn complete_locked(etc: &Path) -> io::Result<()> {
    match std::fs::read_to_string(etc.join(NOTE)) {
        Ok(note) => {
            for line in note.lines() {
                let fields: Vec<&str> = line.split(' ').collect();
                if let [name, before, after] = fields.as_slice()
                    && FILES.contains(name)
                {
                    roll_forward(&etc.join(name), before, after)?;
                }
            }
            std::fs::remove_file(etc.join(NOTE))?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    for name in FILES.iter().chain(&[NOTE]) {
        match std::fs::remove_file(etc.join(format!("{name}{NEXT}"))) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

fn roll_forward(path: &Path, before: &str, after: &str) -> io::Result<()> {
    let is = |path: &Path, wanted: &str| std::fs::read(path).is_ok_and(|b| digest(&b) == wanted);
    let next = beside(path, NEXT);
    if is(path, before) && is(&next, after) {
        std::fs::rename(&next, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let etc = dir.path().join("etc");
        std::fs::create_dir(&etc).unwrap();
        for file in ["shadow", "group", "passwd"] {
            std::fs::write(etc.join(file), format!("{file} old\n")).unwrap();
        }
        (dir, etc)
    }

    fn changes(etc: &Path) -> Vec<Change> {
        ["shadow", "group", "passwd"]
            .iter()
            .map(|f| Change {
                path: etc.join(f),
                before: format!("{f} old\n").into_bytes(),
                after: format!("{f} new\n").into_bytes(),
            })
            .collect()
    }

    fn files(etc: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(etc)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_change_that_was_begun_is_completed_and_another_is_dropped() {
        for renamed in 0..3 {
            let (dir, etc) = machine();
            stage(&etc, &changes(&etc)).unwrap();
            for change in &changes(&etc)[..renamed] {
                std::fs::rename(beside(&change.path, NEXT), &change.path).unwrap();
            }
            complete(dir.path()).unwrap();
            for change in changes(&etc) {
                assert_eq!(std::fs::read(&change.path).unwrap(), change.after);
            }
            assert!(
                !files(&etc).iter().any(|f| f.ends_with('+') || f == NOTE),
                "{:?}",
                files(&etc)
            );
        }
        let (dir, etc) = machine();
        stage(&etc, &changes(&etc)).unwrap();
        std::fs::remove_file(etc.join(NOTE)).unwrap();
        complete(dir.path()).unwrap();
        for change in changes(&etc) {
            assert_eq!(std::fs::read(&change.path).unwrap(), change.before);
        }
    }

    #[test]
    fn what_somebody_else_changed_since_stays() {
        let (dir, etc) = machine();
        stage(&etc, &changes(&etc)).unwrap();
        std::fs::write(etc.join("passwd"), "somebody else's\n").unwrap();
        complete(dir.path()).unwrap();
        assert_eq!(
            std::fs::read(etc.join("passwd")).unwrap(),
            b"somebody else's\n"
        );
        assert_eq!(std::fs::read(etc.join("shadow")).unwrap(), b"shadow new\n");
    }
}
