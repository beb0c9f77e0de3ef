//! What an atomic play has staged: the new content of its files, checked and written beside their places, before the first
//! of them is put there.
//!
//! The rehearsal of the play fills it ([`Staging::keep`]); the tasks take from it what they put into place
//! ([`Staging::take`]). What nobody took is removed when the play ends. Like every temporary file of ours, the staged ones
//! are locked and named so that the next run finds and removes those of a run that was killed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::install::{Compared, Content};
use super::write::{open_in, sweep_once};
use super::{errno, paths};
use crate::context::Context;
use crate::outcome::Failure;

/// The bit of a folder that gives its group to what is made in it.
const SET_GID: u32 = 0o2000;

/// What is staged for a play.
#[derive(Debug, Default)]
pub struct Staging {
    /// By the content's checksums.
    kept: RefCell<HashMap<String, Vec<Kept>>>,
    rehearsing: Cell<bool>,
    /// Whether files are written, not only read and compared.
    writing: Cell<bool>,
    /// The user and group that the files shall belong to, if not this process's.
    owner: Cell<Option<(u32, u32)>>,
}

/// A file with checked content, not in its place yet. Dropping it removes it.
#[derive(Debug)]
struct Kept {
    path: PathBuf,
    /// Open, so that its lock holds.
    file: File,
    /// Whether it is still here to be removed.
    armed: bool,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if self.armed {
            // It may have been put into place by a child process; nothing can be done about another failure.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Staging {
    /// Begins or ends the rehearsal: meanwhile modules, in check mode, read and keep their new content.
    pub(crate) fn rehearse(&self, rehearsing: bool) {
        self.rehearsing.set(rehearsing);
    }

    /// Whether this is the rehearsal.
    pub(crate) fn is_rehearsing(&self) -> bool {
        self.rehearsing.get()
    }

    /// Says for whom the next contents are kept: not written at all where nothing will take them.
    pub(crate) fn prepare(&self, writing: bool, owner: Option<(u32, u32)>) {
        self.writing.set(writing);
        self.owner.set(owner);
    }

    /// Writes content that differs from what is at `dest` into a file in the same folder, or in the nearest one above it
    /// that is there already.
    ///
    /// # Errors
    /// A full disk, a folder that cannot be written, content that cannot be read again.
    pub(crate) fn keep(
        &self,
        content: &Content,
        compared: &Compared,
        dest: &Path,
        ctx: &Context<'_>,
    ) -> Result<(), Failure> {
        if !self.writing.get() {
            return Ok(());
        }
        let folder = paths::parent(dest)
            .ancestors()
            .find(|f| f.is_dir())
            .unwrap_or(Path::new("/"));
        sweep_once(folder);
        let failed = |e: io::Error| {
            Failure::new(format!(
                "Could not stage the new content of {} in {}: {}",
                dest.display(),
                folder.display(),
                errno::text(&e)
            ))
        };
        let (path, file) = open_in(folder).map_err(failed)?;
        let mut kept = Kept {
            path,
            file,
            armed: true,
        };
        content.stream(ctx, &mut kept.file).map_err(failed)?;
        if let Some((uid, gid)) = self.owner.get() {
            // A folder may give its own group to what is made in it.
            let given = kept.file.metadata().map_err(failed)?.gid();
            let own = rustix::process::getegid().as_raw();
            let gid = (given == own).then_some(gid);
            std::os::unix::fs::fchown(&kept.file, Some(uid), gid).map_err(failed)?;
        }
        self.kept
            .borrow_mut()
            .entry(key(compared))
            .or_default()
            .push(kept);
        Ok(())
    }

    /// A staged file with this content that can be renamed to `dest`, if there is one.
    pub(crate) fn take(&self, compared: &Compared, dest: &Path) -> Option<(PathBuf, File)> {
        let folder = paths::parent(dest);
        let place = std::fs::metadata(folder).ok()?;
        let mut all = self.kept.borrow_mut();
        let list = all.get_mut(&key(compared))?;
        let found = list.iter().position(|k| k.fits(folder, &place))?;
        let mut kept = list.swap_remove(found);
        if paths::parent(&kept.path) != folder {
            let gid = if place.mode() & SET_GID == 0 {
                rustix::process::getegid().as_raw()
            } else {
                place.gid()
            };
            std::os::unix::fs::fchown(&kept.file, None, Some(gid)).ok()?;
        }
        let file = kept.file.try_clone().ok()?;
        // From now on the caller renames or removes it. The clone shares the lock.
        kept.armed = false;
        Some((kept.path.clone(), file))
    }
}

impl Kept {
    /// Whether this process can rename it into a folder, as its own.
    fn fits(&self, folder: &Path, place: &Metadata) -> bool {
        let user = rustix::process::geteuid();
        let (Ok(open), Ok(named)) = (self.file.metadata(), std::fs::symlink_metadata(&self.path))
        else {
            return false;
        };
        (open.dev(), open.ino()) == (named.dev(), named.ino())
            && open.dev() == place.dev()
            && open.uid() == user.as_raw()
            && (user.is_root() || paths::parent(&self.path) == folder)
    }
}

fn key(compared: &Compared) -> String {
    format!("{}{}", compared.sha1, compared.md5)
}
