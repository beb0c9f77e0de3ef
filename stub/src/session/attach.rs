//! The way back to a session whose channel was lost: a process of its own between the new channel and the session's socket.
//! Where the session has ended, it gives the controller what was left of it.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use rustle_formats::session::{Down, FrameReader, MAX_DATA, Up, encode_frame};

use super::keep;
use crate::exit;

/// Serves standard input and output; gives the exit code. `name` is the session's, as its key tells it.
pub(crate) fn main(cache: &Path, name: &str) -> u8 {
    let sound = name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let folder = keep::folder(cache, if sound { name } else { "-" });
    let done = match UnixStream::connect(keep::socket(&folder)) {
        Ok(session) => pass(&session),
        Err(_) => hand_over(&folder),
    };
    if done.is_ok() { exit::OK } else { exit::IO }
}

/// Carries bytes both ways until one side ends.
fn pass(session: &UnixStream) -> io::Result<()> {
    let mut up = session.try_clone()?;
    thread::Builder::new().spawn(move || {
        // Whatever ends it, the session hears that the channel is gone.
        let _ = copy(&mut io::stdin().lock(), &mut up);
        let _ = up.shutdown(Shutdown::Write);
    })?;
    let mut session = session;
    copy(&mut session, &mut io::stdout().lock())
}

fn copy(from: &mut dyn Read, to: &mut dyn Write) -> io::Result<()> {
    let mut buffer = [0u8; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => {
                to.write_all(&buffer[..n])?;
                to.flush()?;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Sends the journal of a session that has ended, and removes it when it has arrived.
fn hand_over(folder: &Path) -> io::Result<()> {
    let left = match fs::read(keep::journal(folder)) {
        Ok(bytes) => bytes,
        Err(_) => {
            let message = if folder.exists() {
                let _ = fs::remove_dir_all(folder);
                "the runner was killed on the host: it left neither an end nor a journal"
            } else {
                "the host has no such run: it never began, was killed with its folder, or has been heard to its end"
            };
            return say(&Up::Gone {
                message: message.to_owned(),
            });
        }
    };
    let mut parts = left.chunks(MAX_DATA).peekable();
    while let Some(part) = parts.next() {
        say(&Up::Remains {
            bytes: part.to_vec(),
            more: parts.peek().is_some(),
        })?;
    }
    if left.is_empty() {
        say(&Up::Remains {
            bytes: Vec::new(),
            more: false,
        })?;
    }
    let mut reader = FrameReader::default();
    let mut buffer = [0u8; 4 << 10];
    loop {
        while let Some(message) = reader.take::<Down>().map_err(io::Error::other)? {
            if let Down::Ack { .. } = message {
                return fs::remove_dir_all(folder);
            }
        }
        match io::stdin().lock().read(&mut buffer)? {
            0 => return Ok(()),
            n => reader.push(&buffer[..n]),
        }
    }
}

fn say(message: &Up) -> io::Result<()> {
    let frame = encode_frame(message).map_err(io::Error::other)?;
    let mut out = io::stdout().lock();
    out.write_all(&frame)?;
    out.flush()
}
