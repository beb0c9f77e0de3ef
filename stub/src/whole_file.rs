//! A file that appears under its name when it is whole; until then the old one stays.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// A file in the making, private to the user. Dropping it without [`WholeFile::finish`] removes what was written.
#[derive(Debug)]
pub(crate) struct WholeFile {
    out: BufWriter<File>,
    /// Its temporary and its final name; `None` for what cannot be replaced, such as a pipe.
    names: Option<(PathBuf, PathBuf)>,
}

impl WholeFile {
    /// Begins one. The temporary name depends on the final one alone, so that the next run takes away what a killed one left.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn create(path: &Path) -> io::Result<WholeFile> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).mode(0o600);
        // Through a link: the file that it leads to is the one to replace.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let replaceable = fs::metadata(&path).map_or(true, |m| m.is_file());
        let (Some(name), true) = (path.file_name(), replaceable) else {
            return Ok(WholeFile {
                out: BufWriter::new(options.open(&path)?),
                names: None,
            });
        };
        let mut hidden = OsString::from(".");
        hidden.push(name);
        hidden.push(".rustle-part");
        let temporary = path.with_file_name(hidden);
        let _ = fs::remove_file(&temporary);
        let file = options
            .create_new(true)
            .custom_flags(libc::O_NOFOLLOW)
            .open(&temporary)?;
        Ok(WholeFile {
            out: BufWriter::new(file),
            names: Some((temporary, path)),
        })
    }

    /// Puts it in place; it is on the disk then.
    ///
    /// # Errors
    /// What the system says. The old file is there then.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.out.flush()?;
        let Some((temporary, path)) = &self.names else {
            return Ok(());
        };
        self.out.get_ref().sync_all()?;
        fs::rename(temporary, path)?;
        self.names = None;
        Ok(())
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.names {
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_old_file_stays_until_the_new_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report");
        fs::write(&path, "old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        WholeFile::create(Path::new("/dev/null"))
            .unwrap()
            .finish()
            .unwrap();
    }
}
