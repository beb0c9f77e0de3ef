//! Files that the controller has: asked for when a task needs one.

use std::io::{self, Write};

use rustle_formats::session::Near;
use rustle_runtime::assets::{AssetEntry, AssetKind, Assets};
use rustle_runtime::engine::{READ_CHUNK, Reply, Request};

use crate::files::PayloadFiles;
use crate::run::Outside;

/// The payload's files, and behind them the controller's.
pub(crate) struct DistantFiles<'a> {
    near: &'a PayloadFiles,
    known: Option<&'a Near>,
    outside: &'a dyn Outside,
}

impl<'a> DistantFiles<'a> {
    /// The files of a session; what the payload has of the controller's is `known`.
    pub(crate) fn new(
        near: &'a PayloadFiles,
        known: Option<&'a Near>,
        outside: &'a dyn Outside,
    ) -> DistantFiles<'a> {
        DistantFiles {
            near,
            known,
            outside,
        }
    }

    /// Whether the payload has all that the controller has there.
    fn is_whole(&self, path: &[u8]) -> bool {
        let folders = self.known.map_or(&[][..], |known| &known.folders);
        folders.iter().any(|folder| {
            path.strip_prefix(folder.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest[0] == b'/')
        })
    }

    fn is_absent(&self, path: &[u8]) -> bool {
        self.known
            .is_some_and(|known| known.absent.iter().any(|absent| absent == path))
    }

    /// The payload's entry, where it is one of the controller's as they are.
    fn near_entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        if self.known.is_none() {
            return Ok(None);
        }
        let found = self.near.entry(path)?;
        Ok(found.filter(|entry| entry.kind != AssetKind::Dir || self.is_whole(path)))
    }

    fn entries(&self, request: Request) -> io::Result<Vec<AssetEntry>> {
        match self.outside.ask(request) {
            Reply::Entries(entries) => Ok(entries),
            other => Err(wrong(other)),
        }
    }
}

fn wrong(reply: Reply) -> io::Error {
    io::Error::other(match reply {
        Reply::Refused(why) => why,
        _ => "the controller answers what was not asked".to_owned(),
    })
}

impl Assets for DistantFiles<'_> {
    fn entry(&self, path: &[u8]) -> io::Result<Option<AssetEntry>> {
        if let Some(entry) = self.near_entry(path)? {
            return Ok(Some(entry));
        }
        if self.is_absent(path) || self.is_whole(path) {
            return Ok(None);
        }
        let path = path.to_vec();
        Ok(self.entries(Request::Entry { path })?.pop())
    }

    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        if self.is_whole(path) {
            return self.near.below(path);
        }
        let path = path.to_vec();
        self.entries(Request::Below { path })
    }

    fn read(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if self.near_entry(path)?.is_some() {
            return self.near.read(path, out);
        }
        let mut offset = 0;
        loop {
            let request = Request::Read {
                path: path.to_vec(),
                offset,
            };
            match self.outside.ask(request) {
                Reply::Bytes(bytes) => {
                    out.write_all(&bytes)?;
                    if bytes.len() < READ_CHUNK {
                        return Ok(());
                    }
                    offset += bytes.len() as u64;
                }
                other => return Err(wrong(other)),
            }
        }
    }
}
