//! Files that the controller has: asked for when a task needs one.

use std::io::{self, Write};

use rustle_runtime::assets::{AssetEntry, Assets};
use rustle_runtime::engine::{Reply, Request};

use crate::files::PayloadFiles;
use crate::run::Outside;

/// The payload's files, and behind them the controller's.
pub(crate) struct DistantFiles<'a> {
    near: &'a PayloadFiles,
    outside: &'a dyn Outside,
}

impl<'a> DistantFiles<'a> {
    /// The files of a session.
    pub(crate) fn new(near: &'a PayloadFiles, outside: &'a dyn Outside) -> DistantFiles<'a> {
        DistantFiles { near, outside }
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
        if let Some(entry) = self.near.entry(path)? {
            return Ok(Some(entry));
        }
        let path = path.to_vec();
        Ok(self.entries(Request::Entry { path })?.pop())
    }

    fn below(&self, path: &[u8]) -> io::Result<Vec<AssetEntry>> {
        let near = self.near.below(path)?;
        if !near.is_empty() {
            return Ok(near);
        }
        let path = path.to_vec();
        self.entries(Request::Below { path })
    }

    fn read(&self, path: &[u8], out: &mut dyn Write) -> io::Result<()> {
        if self.near.entry(path)?.is_some() {
            return self.near.read(path, out);
        }
        let mut offset = 0;
        loop {
            let request = Request::Read {
                path: path.to_vec(),
                offset,
            };
            match self.outside.ask(request) {
                Reply::Bytes(bytes) if bytes.is_empty() => return Ok(()),
                Reply::Bytes(bytes) => {
                    out.write_all(&bytes)?;
                    offset += bytes.len() as u64;
                }
                other => return Err(wrong(other)),
            }
        }
    }
}
