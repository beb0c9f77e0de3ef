//! What a run and its worker say to each other: a length in four bytes, a byte that tells the kind, and what belongs to it.
//!
//! Both are the same program, so nothing here is a format that lasts. The worker asks for files and renderings while the
//! module runs, and ends with a result.

use std::io::{self, Read, Write};

use rustle_formats::Map;
use serde::{Deserialize, Serialize};

#[cfg(feature = "full")]
use crate::modules::Brought;

/// What a worker does.
#[derive(Serialize, Deserialize)]
pub(crate) struct Job {
    pub module: String,
    /// Where the module is, if it came with the plan.
    #[cfg(feature = "full")]
    pub carried: Option<Brought>,
    /// Whether nothing of the arguments may be logged.
    pub no_log: bool,
    pub args: Map,
    pub environment: Map,
    /// Folders of assets that a relative `src` is looked for in.
    pub folders: Vec<String>,
    pub check: bool,
    pub diff: bool,
    pub verbosity: u8,
    /// Of a background task: the file that tells how it stands. Empty: the result is waited for.
    pub file: String,
    /// Of a background task: how many seconds it may take.
    pub limit: u64,
}

/// The longest message.
const MAX: usize = 256 << 20;
/// How much of a file one message carries.
pub(super) const CHUNK: usize = 64 << 10;

/// To the worker: what to do, a [`Job`] as postcard.
pub(super) const JOB: u8 = b'j';
/// From the worker: the entry of the asset at a path.
pub(super) const ENTRY: u8 = b'n';
/// From the worker: all entries below a path.
pub(super) const BELOW: u8 = b'b';
/// From the worker: the content of the asset at a path.
pub(super) const READ: u8 = b'r';
/// From the worker: the content as it is stored.
pub(super) const STORED: u8 = b's';
/// From the worker: where the file at a path lies. In the core flavour nobody knows.
#[cfg(feature = "full")]
pub(super) const ORIGIN: u8 = b'o';
/// From the worker: a template to be rendered: its text, its name, what it knows of itself, its options.
pub(super) const RENDER: u8 = b't';
/// From the worker: the background task is under way.
pub(super) const STARTED: u8 = b'a';
/// From the worker: the result. The last message.
pub(super) const RESULT: u8 = b'z';
/// To the worker: part of an answer.
pub(super) const PART: u8 = b'p';
/// To the worker: the end of an answer.
pub(super) const END: u8 = b'e';
/// To the worker: there is no answer, and why.
pub(super) const WRONG: u8 = b'x';

/// Writes a message.
pub(super) fn send(out: &mut dyn Write, kind: u8, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let [a, b, c, d] = length.to_le_bytes();
    out.write_all(&[a, b, c, d, kind])?;
    out.write_all(body)
}

/// Where the first message of what arrived ends, if it is whole.
pub(super) fn whole(bytes: &[u8]) -> Option<usize> {
    let end = u32::from_le_bytes(*bytes.first_chunk()?) as usize + 5;
    (bytes.len() >= end).then_some(end)
}

/// Reads a message.
pub(super) fn receive(input: &mut dyn Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 5];
    input.read_exact(&mut head)?;
    let [a, b, c, d, kind] = head;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    if length > MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body)?;
    Ok((kind, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_noise_does_not() {
        let mut bytes = Vec::new();
        send(&mut bytes, JOB, b"abc").unwrap();
        send(&mut bytes, END, b"").unwrap();
        assert_eq!((whole(&bytes), whole(&bytes[..7])), (Some(8), None));
        let mut input = bytes.as_slice();
        assert_eq!(receive(&mut input).unwrap(), (JOB, b"abc".to_vec()));
        assert_eq!(receive(&mut input).unwrap(), (END, Vec::new()));
        assert!(receive(&mut input).is_err());
        assert!(receive(&mut b"Last login".as_slice()).is_err());
    }
}
