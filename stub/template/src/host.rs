//! What filters and tests ask of the machine: files, the clock, the environment. The caller may answer
//! differently, for instance while planning for another machine.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether this process's templates have asked a machine for what may differ the next time.
static ASKED: AtomicBool = AtomicBool::new(false);

/// Whether any template of this process has asked [`Host`]'s own answers for the time, for a file or for chance, so that its value may
/// be another one the next time. For caches of what was made with templates.
pub fn machine_was_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

fn asked() {
    ASKED.store(true, Ordering::Relaxed);
}

/// The machine that templates run on.
pub trait Host {
    /// An environment variable. Library code has no environment of its own: the default knows none.
    fn env(&self, _name: &str) -> Option<String> {
        None
    }

    /// The home directory of a user, or of the current one.
    fn home(&self, _user: Option<&str>) -> Option<String> {
        None
    }

    /// The directory that relative paths start from.
    fn current_dir(&self) -> Option<String> {
        None
    }

    /// The time now.
    fn now(&self) -> jiff::Zoned {
        asked();
        jiff::Zoned::now()
    }

    /// What is known about a file; with `follow`, about what a link points to.
    fn metadata(&self, path: &Path, follow: bool) -> Option<std::fs::Metadata> {
        asked();
        if follow {
            std::fs::metadata(path).ok()
        } else {
            std::fs::symlink_metadata(path).ok()
        }
    }

    /// The first bytes of a file, for telling what it is.
    ///
    /// # Errors
    /// Where it cannot be read.
    fn start_of(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        use std::io::Read as _;
        asked();
        let mut start = Vec::new();
        std::fs::File::open(path)?
            .take(64)
            .read_to_end(&mut start)?;
        Ok(start)
    }

    /// The path without links, as far as it exists.
    fn real_path(&self, path: &Path) -> Option<std::path::PathBuf> {
        asked();
        std::fs::canonicalize(path).ok()
    }

    /// A number that nobody can guess, for filters such as `random`.
    fn entropy(&self) -> u64 {
        use std::hash::{BuildHasher, Hasher};
        asked();
        std::hash::RandomState::new().build_hasher().finish()
    }
}

/// The machine as the standard library sees it, without an environment.
pub(crate) struct PlainHost;

impl Host for PlainHost {}
