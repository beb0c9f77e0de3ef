//! Assets out of a folder.

use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustle_runtime::assets::{AssetEntry, AssetKind, Assets};

pub(crate) struct FolderAssets(pub(crate) PathBuf);

impl FolderAssets {
    fn full(&self, path: &[u8]) -> PathBuf {
        self.0.join(std::ffi::OsStr::from_bytes(path))
    }

    fn collect(&self, folder: &Path, out: &mut Vec<AssetEntry>) -> io::Result<()> {
        let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
            .map(|e| e.map(|e| e.path()))
            .collect::<io::Result<_>>()?;
        paths.sort();
        for path in paths {
            let relative = path.strip_prefix(&self.0).map_err(io::Error::other)?;
            if let Some(entry) = self.entry(relative.as_os_str().as_bytes())? {
                let dir = entry.kind == AssetKind::Dir;
                out.push(entry);
                if dir {
                    self.collect(&path, out)?;
                }
            }
        }
        Ok(())
    }
}

impl Assets for FolderAssets {
    fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        let full = self.full(path);
        let Ok(meta) = std::fs::symlink_metadata(&full) else {
            return Ok(None);
        };
        let kind = if meta.is_symlink() {
            AssetKind::Symlink {
                target: std::fs::read_link(&full)?.into_os_string().into_vec(),
            }
        } else if meta.is_dir() {
            AssetKind::Dir
        } else {
            AssetKind::File { size: meta.len() }
        };
        Ok(Some(AssetEntry {
            path: path.to_vec(),
            kind,
            mode: meta.permissions().mode() & 0o7777,
        }))
    }

    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        let mut out = Vec::new();
        self.collect(&self.full(path), &mut out)?;
        Ok(out)
    }

    fn read(&self, path: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        io::copy(&mut std::fs::File::open(self.full(path))?, out).map(drop)
    }
}
