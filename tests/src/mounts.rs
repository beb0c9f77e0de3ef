//! Small file systems for tests, in a mount namespace that the test's thread makes for itself: nobody else sees them, and
//! they go with the thread.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::thread::UnshareFlags;

/// Gives this thread, and the programs that it starts, mounts of their own. Where that is not allowed (not root), says so and
/// gives `false`: the test is then left out.
pub fn own_mounts() -> bool {
    // SAFETY: neither the file descriptor table nor the namespaces of processes are touched; CLONE_NEWNS also gives this
    // thread its own current folder, which no test changes.
    let unshared = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) };
    let private = || {
        Command::new("mount")
            .args(["--make-rprivate", "/"])
            .status()
            .is_ok_and(|s| s.success())
    };
    let done = unshared.is_ok() && private();
    if !done {
        eprintln!("left out: needs the right to mount (root)");
    }
    done
}

/// A mounted tmpfs; dropping it unmounts it. To be made after [`own_mounts`].
pub struct Tmpfs {
    path: PathBuf,
}

impl Tmpfs {
    /// Mounts one at `path`, which is made, with options such as `size=64k`.
    ///
    /// # Panics
    /// Where it cannot be mounted.
    pub fn mount(path: &Path, options: &str) -> Tmpfs {
        fs::create_dir_all(path).unwrap();
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(path)
            .status()
            .unwrap();
        assert!(done.success(), "mount {}", path.display());
        Tmpfs {
            path: path.to_owned(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Mounts it again with other options, such as `ro`.
    ///
    /// # Panics
    /// Where that fails.
    pub fn remount(&self, options: &str) {
        let done = Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.path)
            .status()
            .unwrap();
        assert!(done.success(), "remount {}", self.path.display());
    }

    /// Fills it until `left` bytes are free, with a file named `filler`.
    ///
    /// # Panics
    /// Where the filler cannot be made.
    pub fn fill(&self, left: u64) {
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path.join("filler"))
            .unwrap();
        let block = [b'x'; 4096];
        while file.write_all(&block).is_ok() {}
        let len = file.metadata().unwrap().len();
        file.set_len(len.saturating_sub(left)).unwrap();
    }

    /// Removes the filler.
    ///
    /// # Panics
    /// Where there is none.
    pub fn empty(&self) {
        fs::remove_file(self.path.join("filler")).unwrap();
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // The mount goes with the thread in any case.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
