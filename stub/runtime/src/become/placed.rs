//! This program where another user can execute it: its own file, or a copy without what is packed into it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{StatVfsMountFlags, statvfs};

use crate::engine::Machine;

/// A copy of the program; dropping it removes it.
#[derive(Debug)]
pub(crate) struct Placed {
    folder: PathBuf,
    file: PathBuf,
}

impl Placed {
    /// Copies the program into a folder that everybody may enter.
    ///
    /// # Errors
    /// A sentence with the last place that was tried.
    pub(super) fn copy(machine: &Machine) -> Result<Placed, String> {
        let beside = machine.work_dir.parent().unwrap_or(Path::new("/"));
        let mut name = machine.work_dir.file_name().unwrap_or_default().to_owned();
        name.push("-worker");
        let mut wrong = String::new();
        for place in [
            beside,
            Path::new("/tmp"),
            Path::new("/var/tmp"),
            Path::new("/dev/shm"),
        ] {
            match copy_to(machine, place, place.join(&name)) {
                Ok(placed) => return Ok(placed),
                Err(e) => wrong = format!("{}: {e}", place.display()),
            }
        }
        Err(format!(
            "no place from which another user could start this program: {wrong}"
        ))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn copy_to(machine: &Machine, place: &Path, folder: PathBuf) -> io::Result<Placed> {
    if !everybody_enters(place) {
        return Err(io::Error::other("not everybody may enter it"));
    }
    if statvfs(place)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::Error::other("mounted noexec"));
    }
    DirBuilder::new().mode(0o700).create(&folder)?;
    let placed = Placed {
        file: folder.join("rustle-worker"),
        folder,
    };
    let source = File::open("/proc/self/exe")
        .or_else(|e| machine.program.as_ref().map_or(Err(e), File::open))?;
    let mut out = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o700)
        .open(&placed.file)?;
    // What is packed behind the program is none of the other user's business.
    let mut program = source.take(machine.image.unwrap_or(u64::MAX));
    let mut part = vec![0; 64 << 10];
    loop {
        match program.read(&mut part)? {
            0 => break,
            n => out.write_all(&part[..n])?,
        }
    }
    // Whatever the umask is.
    out.set_permissions(fs::Permissions::from_mode(0o755))?;
    fs::set_permissions(&placed.folder, fs::Permissions::from_mode(0o755))?;
    Ok(placed)
}

/// Whether everybody may execute a file.
pub(super) fn everybody_executes(file: &Path) -> bool {
    let mode = fs::metadata(file).map_or(0, |m| m.permissions().mode());
    mode & 0o005 == 0o005 && file.parent().is_some_and(everybody_enters)
}

fn everybody_enters(folder: &Path) -> bool {
    let open = |f: &Path| fs::metadata(f).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
    folder.is_absolute() && folder.ancestors().all(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_for_everybody_and_goes() {
        let parent = tempfile::tempdir().unwrap();
        let machine = Machine {
            work_dir: parent.path().join(parent.path().file_name().unwrap()),
            image: Some(4),
            ..Machine::default()
        };
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let placed = Placed::copy(&machine).unwrap();
        let path = placed.path().to_owned();
        assert!(path.starts_with(parent.path()) && everybody_executes(&path));
        assert_eq!(fs::read(&path).unwrap(), b"\x7fELF");
        drop(placed);
        assert!(!path.exists());
        // Into a private folder nobody can follow: another place is taken.
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert!(!everybody_executes(&path));
        let placed = Placed::copy(&machine).unwrap();
        assert!(!placed.path().starts_with(parent.path()));
    }
}
