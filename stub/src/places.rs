//! Where this program may put things: the lock, the journal, temporary files.
//!
//! It must work in a chroot without /tmp, on read-only systems and as any user, so every place is a list of candidates
//! that are tried, and only what is ours and private is used.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What the process's environment says about places.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// The effective user.
    pub uid: u32,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$TMPDIR`.
    pub tmpdir: Option<PathBuf>,
    /// `$XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
}

impl Surroundings {
    /// Reads them.
    pub(crate) fn of_process() -> Surroundings {
        let path = |name: &str| {
            std::env::var_os(name)
                .map(PathBuf::from)
                .filter(|p| p.is_absolute())
        };
        Surroundings {
            uid: rustix::process::geteuid().as_raw(),
            home: path("HOME"),
            tmpdir: path("TMPDIR"),
            state_home: path("XDG_STATE_HOME"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
        }
    }

    fn root(&self) -> bool {
        self.uid == 0
    }

    /// Folders for temporary files, best first.
    pub(crate) fn temporary(&self) -> Vec<PathBuf> {
        let mut out: Vec<PathBuf> = self.tmpdir.iter().cloned().collect();
        out.extend(["/tmp", "/var/tmp"].map(PathBuf::from));
        out.extend(self.runtime_dir.clone());
        out.extend(["/dev/shm", "/run"].map(PathBuf::from));
        out.extend(self.home.as_ref().map(|h| h.join(".cache")));
        out.extend(self.home.clone());
        if self.root() {
            out.extend(["/var/lib", "/root", "/"].map(PathBuf::from));
        }
        out
    }

    /// Files for the lock, best first. A user's runs lock out that user's: a lock that others could take would let them
    /// stop root.
    pub(crate) fn locks(&self) -> Vec<PathBuf> {
        if self.root() {
            // Beside the journal where there is no /run: nothing else is left behind on a machine that has nothing.
            let run = [
                "/run",
                "/run/lock",
                "/var/lock",
                "/var/run",
                "/var/lib/rustle",
            ];
            return run
                .iter()
                .map(|d| Path::new(d).join("rustle.lock"))
                .collect();
        }
        let name = format!("rustle-{}.lock", self.uid);
        let mut out: Vec<PathBuf> = self.runtime_dir.iter().map(|d| d.join(&name)).collect();
        out.extend(
            ["/run/lock", "/var/lock", "/tmp", "/var/tmp"].map(|d| Path::new(d).join(&name)),
        );
        out.extend(self.home.as_ref().map(|h| h.join(format!(".{name}"))));
        out
    }

    /// Folders for the journal, best first.
    pub(crate) fn journals(&self) -> Vec<PathBuf> {
        if self.root() {
            return vec!["/var/lib/rustle/journal".into()];
        }
        let state = self
            .state_home
            .clone()
            .or_else(|| self.home.as_ref().map(|h| h.join(".local/state")));
        state
            .into_iter()
            .map(|s| s.join("rustle/journal"))
            .collect()
    }
}

/// Makes a folder and the missing ones above it, private to the user.
///
/// # Errors
/// What the system says, and where the folder is another user's or open to others' writing.
pub(crate) fn private_dir(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let meta = fs::symlink_metadata(path)?;
    if !meta.is_dir()
        || meta.uid() != rustix::process::geteuid().as_raw()
        || meta.mode() & 0o022 != 0
    {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "not a folder of this user's alone",
        ));
    }
    Ok(())
}

/// Opens or makes a file of ours for locking; never through a link, never another user's.
///
/// # Errors
/// What the system says.
pub(crate) fn own_file(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent()
        && folder.ends_with("rustle")
    {
        private_dir(folder)?;
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "the file is another user's",
        ));
    }
    Ok(file)
}
