//! A folder of a module's own, for what it needs while it runs.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A folder that only its owner may enter; gone with all that is in it when dropped.
#[derive(Debug)]
pub(crate) struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Makes one in `around`, with a name that begins with `prefix`.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub(crate) fn new(around: &Path, prefix: &str) -> io::Result<PrivateFolder> {
        for number in 0..10_000u32 {
            let path = around.join(format!("{prefix}-{}-{number}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(PrivateFolder(path)),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other("no free name in the work folder"))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What cannot be removed now lies in the run's own folder, which is cleaned at its end.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
