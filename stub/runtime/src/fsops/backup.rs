//! Backup files: `NAME.PID.2025-01-31@12:00:00~` beside the original, with its mode, owner and times.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::write::Staged;
use super::{errno, paths};
use crate::context::Context;
use crate::outcome::Failure;

/// Copies the file aside and says where to. The copy appears whole or not at all.
///
/// # Errors
/// Where it cannot be made; then the original must stay as it is.
pub(crate) fn make(path: &Path, ctx: &Context<'_>) -> Result<PathBuf, Failure> {
    let fail = |e: io::Error, to: &Path| {
        Failure::new(format!(
            "Could not make backup of {} to {}: {}",
            path.display(),
            to.display(),
            errno::text(&e)
        ))
    };
    let target = free_name(path);
    let mut source = File::open(path).map_err(|e| fail(e, &target))?;
    let meta = source.metadata().map_err(|e| fail(e, &target))?;
    let mut staged = Staged::beside(&target, false, ctx)?;
    io::copy(&mut source, staged.file()).map_err(|e| fail(e, &target))?;
    staged
        .dress(meta.mode(), Some((meta.uid(), meta.gid())))
        .map_err(|e| fail(e, &target))?;
    if let Ok(modified) = meta.modified() {
        // A backup with another time is still a backup.
        let _ = staged.file().set_modified(modified);
    }
    staged.place()?;
    Ok(target)
}

/// A name that is not taken. Two backups within a second must not overwrite each other.
fn free_name(path: &Path) -> PathBuf {
    let time = jiff::Zoned::now().strftime("%Y-%m-%d@%H:%M:%S").to_string();
    let mut number = u64::from(std::process::id());
    loop {
        let name = paths::with_suffix(path, &format!(".{number}.{time}~"));
        if std::fs::symlink_metadata(&name).is_err() {
            return name;
        }
        number += 1;
    }
}
