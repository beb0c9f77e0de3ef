//! The payload's files as modules see them: those of the base, and the host's own, sealed in its overlay, before them.

use std::fs::File;
use std::io::{self, Write};

use rustle_formats::artifact::{ArtifactError, Container, Entry, Kind};
use rustle_formats::order;
use rustle_formats::seal::OpenOverlay;
use rustle_runtime::assets::{AssetEntry, AssetKind, Assets};

/// Permission bits of a sealed file that records none.
const SEALED_MODE: u32 = 0o600;

/// Base and overlay together.
pub(crate) struct PayloadFiles {
    container: Container<File>,
    overlay: Option<OpenOverlay<'static>>,
}

impl PayloadFiles {
    /// Takes both over.
    pub(crate) fn new(
        container: Container<File>,
        overlay: Option<OpenOverlay<'static>>,
    ) -> PayloadFiles {
        PayloadFiles { container, overlay }
    }

    /// The base.
    pub(crate) fn container(&self) -> &Container<File> {
        &self.container
    }

    /// The position of a sealed file.
    fn sealed(&self, path: &[u8]) -> Option<(&OpenOverlay<'static>, usize)> {
        let overlay = self.overlay.as_ref()?;
        let position = overlay.find_file(std::str::from_utf8(path).ok()?)?;
        Some((overlay, position))
    }

    fn known(&self, entry: Entry) -> Result<AssetEntry, ArtifactError> {
        let resolved = self.container.resolve(entry.clone())?;
        Ok(AssetEntry {
            path: entry.path,
            kind: match resolved.kind {
                Kind::File { size, .. } => AssetKind::File { size },
                Kind::Symlink { target } => AssetKind::Symlink { target },
                Kind::Dir | Kind::Hardlink { .. } => AssetKind::Dir,
            },
            mode: u32::from(resolved.mode),
        })
    }

    fn sealed_entry(overlay: &OpenOverlay<'_>, position: usize) -> Option<AssetEntry> {
        let file = overlay.files().get(position)?;
        Some(AssetEntry {
            path: file.name.clone().into_bytes(),
            kind: AssetKind::File { size: file.len },
            mode: file.mode.unwrap_or(SEALED_MODE),
        })
    }
}

impl Assets for PayloadFiles {
    fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        if let Some((overlay, position)) = self.sealed(path) {
            return Ok(Self::sealed_entry(overlay, position));
        }
        if let Some(entry) = self.container.find(path).map_err(io_error)? {
            return self.known(entry).map(Some).map_err(io_error);
        }
        // A folder that only its content tells of.
        let implied = self.container.is_dir(path).map_err(io_error)?;
        Ok(implied.then(|| AssetEntry {
            path: path.to_vec(),
            kind: AssetKind::Dir,
            mode: 0o755,
        }))
    }

    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        let mut out = Vec::new();
        for entry in self.container.below(path).map_err(io_error)? {
            out.push(self.known(entry.map_err(io_error)?).map_err(io_error)?);
        }
        if let Some(overlay) = &self.overlay {
            let mut prefix = path.to_vec();
            if !prefix.is_empty() {
                prefix.push(b'/');
            }
            for position in 0..overlay.files().len() {
                if let Some(entry) = Self::sealed_entry(overlay, position)
                    && entry.path.starts_with(&prefix)
                {
                    out.retain(|other| other.path != entry.path);
                    out.push(entry);
                }
            }
            order::sort_by(&mut out, |a, b| a.path.cmp(&b.path));
        }
        Ok(out)
    }

    fn read(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if let Some((overlay, position)) = self.sealed(path) {
            let content = overlay.read_file(position).map_err(io::Error::other)?;
            return out.write_all(&content);
        }
        self.container
            .read_asset(path, out)
            .map(|_| ())
            .map_err(io_error)
    }
}

fn io_error(error: ArtifactError) -> io::Error {
    match error {
        ArtifactError::Io(e) => e,
        ArtifactError::NotFound(_) => io::Error::new(io::ErrorKind::NotFound, error.to_string()),
        other => io::Error::new(io::ErrorKind::InvalidData, other.to_string()),
    }
}
