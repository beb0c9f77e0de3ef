//! Files that came with the plan, as modules see them.
//!
//! Behind the trait stands the artifact's own payload, a session that asks the controller for what is missing, or the
//! controller's file system. A module names an asset as the playbook does; [`crate::context::Context::find_asset`]
//! does the search.

use std::io;

use serde::{Deserialize, Serialize};

/// What an asset is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AssetKind {
    /// A file of so many bytes.
    File {
        /// Its length in bytes.
        size: u64,
    },
    /// A folder.
    Dir,
    /// A symbolic link.
    Symlink {
        /// Where it points, as stored.
        target: Vec<u8>,
    },
}

/// An asset's entry in the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetEntry {
    /// Its path in the artifact: relative, `/` between components, any bytes but NUL.
    pub path: Vec<u8>,
    /// What it is.
    pub kind: AssetKind,
    /// Permission bits at the time of packing.
    pub mode: u32,
}

/// Where a file lies on the machine that the plan comes from, as the variables `template_…` tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "full", derive(Serialize, Deserialize))]
pub struct Origin {
    /// Its absolute path.
    pub path: String,
    /// When it was changed last, in that machine's time zone: `2026-11-22 13:31:34.921179`.
    pub modified: String,
    /// The name of its owner, or the number where there is no name.
    pub owner: String,
    /// The name of the machine.
    pub node: String,
}

/// A source of assets.
pub trait Assets {
    /// Where the file at this path lies, if it is here now. Default: it is not known, as in an artifact, which says the same
    /// whoever packed it.
    fn origin(&self, _path: &[u8]) -> Option<Origin> {
        None
    }

    /// The entry at this path.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>>;

    /// All entries below this folder, at any depth, parents before children, sorted by bytes.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>>;

    /// Writes a file's content, checked against its digest.
    ///
    /// # Errors
    /// Where it is not there, is damaged, or `out` fails.
    fn read(&self, path: &[u8], out: &mut dyn io::Write) -> io::Result<()>;

    /// Writes a file's content as it is stored, without opening what is vaulted (`decrypt: false`).
    ///
    /// # Errors
    /// As [`Assets::read`].
    fn read_as_stored(&self, path: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
        self.read(path, out)
    }

    /// A file's content in memory; refused above `limit` bytes.
    ///
    /// # Errors
    /// As [`Assets::read`], and where it is too large.
    fn read_to_vec(&self, path: &[u8], limit: u64) -> io::Result<Vec<u8>> {
        if let Some(AssetEntry {
            kind: AssetKind::File { size },
            ..
        }) = self.entry(path)?
            && size > limit
        {
            return Err(io::Error::other(format!(
                "{} has {size} bytes, more than the {limit} that are read into memory",
                String::from_utf8_lossy(path)
            )));
        }
        let mut out = Vec::new();
        self.read(path, &mut out)?;
        Ok(out)
    }
}

/// No assets at all.
pub struct NoAssets;

impl Assets for NoAssets {
    fn entry(&self, _: &[u8]) -> io::Result<Option<AssetEntry>> {
        Ok(None)
    }
    fn below(&self, _: &[u8]) -> io::Result<Vec<AssetEntry>> {
        Ok(Vec::new())
    }
    fn read(&self, path: &[u8], _: &mut dyn io::Write) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no asset {}", String::from_utf8_lossy(path)),
        ))
    }
}
