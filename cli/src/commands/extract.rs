//! `rustle extract`: the files that an artifact carries, into a folder.
//!
//! The folder must be new or empty, so that no file of the user's is replaced and no link in it leads elsewhere. Every
//! byte is checked on its way.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use rustle_formats::artifact::{ArtifactError, Entry, Kind};
use rustle_packer::{OpenArtifact, open_artifact};

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{self, Failure};

/// Extracts the assets.
#[derive(Debug, clap::Args)]
pub(crate) struct Extract {
    /// The artifact.
    artifact: PathBuf,
    /// The folder to extract into: a new one, or an empty one.
    #[arg(short = 'C', long = "directory", value_name = "DIR")]
    directory: PathBuf,
}

impl Extract {
    /// Extracts them.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let artifact = open_artifact(&self.artifact)?;
        self.prepare()?;
        let mut work = Work {
            artifact: &artifact,
            name: &self.artifact,
            root: &self.directory,
            folders: BTreeMap::new(),
            links: Vec::new(),
            files: 0,
        };
        let (mut hard, mut symbolic) = (Vec::new(), Vec::new());
        for entry in artifact.assets() {
            let entry = entry.map_err(|e| failure::artifact(&self.artifact, &e))?;
            match entry.kind {
                Kind::Hardlink { .. } => hard.push(entry),
                Kind::Symlink { .. } => symbolic.push(entry),
                Kind::File { .. } | Kind::Dir => work.extract(&entry)?,
            }
        }
        // Symbolic links come last, so that nothing is ever written through one.
        for entry in hard.iter().chain(&symbolic) {
            work.extract(entry)?;
        }
        work.finish()?;
        console.info(&format!(
            "{} files in {}",
            work.files,
            self.directory.display()
        ));
        Ok(Exit::Done)
    }

    fn prepare(&self) -> Result<(), Failure> {
        match fs::read_dir(&self.directory) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(Failure::text(
                        Exit::Usage,
                        format!("{} is not empty", self.directory.display()),
                    )
                    .hint("extract into a new folder, so that nothing is replaced"));
                }
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => fs::create_dir_all(&self.directory)
                .map_err(Failure::io("make the folder", &self.directory)),
            Err(e) => Err(Failure::io("open", &self.directory)(e)),
        }
    }
}

struct Work<'a> {
    artifact: &'a OpenArtifact,
    name: &'a Path,
    root: &'a Path,
    /// Folders and their modes, set at the end: a folder may forbid its owner to write.
    folders: BTreeMap<PathBuf, u32>,
    /// Symbolic links that were made.
    links: Vec<PathBuf>,
    files: u64,
}

impl Work<'_> {
    fn extract(&mut self, entry: &Entry) -> Result<(), Failure> {
        // Names were checked when the index was read: relative, without `..`.
        let path = self.root.join(std::ffi::OsStr::from_bytes(&entry.path));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(Failure::io("make the folder", parent))?;
            if self.links.iter().any(|link| parent.starts_with(link)) {
                let e = ArtifactError::Malformed("an asset lies behind a symbolic link".into());
                return Err(failure::artifact(self.name, &e));
            }
        }
        match &entry.kind {
            Kind::Dir => {
                fs::create_dir_all(&path).map_err(Failure::io("make the folder", &path))?;
                self.folders.insert(path, u32::from(entry.mode));
            }
            Kind::Symlink { target } => {
                symlink(std::ffi::OsStr::from_bytes(target), &path)
                    .map_err(Failure::io("make the link", &path))?;
                self.links.push(path);
            }
            Kind::Hardlink { to } => {
                let from = self.root.join(std::ffi::OsStr::from_bytes(to));
                fs::hard_link(&from, &path).map_err(Failure::io("make the link", &path))?;
                self.files += 1;
            }
            Kind::File { .. } => self.file(entry, &path)?,
        }
        Ok(())
    }

    fn file(&mut self, entry: &Entry, path: &Path) -> Result<(), Failure> {
        let file = File::create_new(path).map_err(Failure::io("write", path))?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        self.artifact
            .read_entry(entry, &mut out)
            .map_err(|e| match e {
                ArtifactError::Io(e) => Failure::io("write", path)(e),
                e => failure::artifact(self.name, &e),
            })?;
        out.flush().map_err(Failure::io("write", path))?;
        let file = out.get_ref();
        if let Some((user, group)) = entry.owner {
            std::os::unix::fs::fchown(file, Some(user), Some(group))
                .map_err(Failure::io("set the owner of", path))?;
        }
        // After the owner: giving a file away clears its set-user-id bit.
        file.set_permissions(Permissions::from_mode(u32::from(entry.mode)))
            .map_err(Failure::io("set the mode of", path))?;
        if let Some((secs, nanos)) = entry.mtime {
            let time = if secs < 0 {
                UNIX_EPOCH.checked_sub(Duration::from_secs(secs.unsigned_abs()))
            } else {
                UNIX_EPOCH.checked_add(Duration::from_secs(secs.unsigned_abs()))
            };
            if let Some(time) = time.and_then(|t| t.checked_add(Duration::from_nanos(nanos.into())))
            {
                file.set_modified(time)
                    .map_err(Failure::io("set the time of", path))?;
            }
        }
        self.files += 1;
        Ok(())
    }

    /// Sets the modes of folders, the inner ones first.
    fn finish(&self) -> Result<(), Failure> {
        for (folder, mode) in self.folders.iter().rev() {
            fs::set_permissions(folder, Permissions::from_mode(*mode))
                .map_err(Failure::io("set the mode of", folder))?;
        }
        Ok(())
    }
}
