//! The target's side of a session: the runner, started by the bootstrap line, takes an artifact from its controller, puts it
//! together in the host's cache, runs it, and tells what happens.
//!
//! It reads frames from standard input and writes frames to standard output; nothing else may be written there.

mod attach;
mod cache;
mod keep;
mod link;
mod run;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustle_formats::session::{Down, FrameReader, Offer, SESSION_VERSION, Start, Up};

pub(crate) use attach::main as attach;
pub use cache::{Assembly, Cache, MAX_PIECE};
pub use link::Link;
pub(crate) use run::main;

use crate::signals;

/// An artifact that is whole, and how to run it.
pub struct Ready {
    /// The artifact's file in the cache.
    pub artifact: PathBuf,
    /// Its sidecar in the cache.
    pub sidecar: Option<PathBuf>,
    /// How to run it.
    pub start: Start,
}

/// How a session ended.
pub enum Ended {
    /// The run ended, with its exit code and its report as JSON.
    Finished {
        /// The exit code.
        exit_code: u8,
        /// The report.
        report: String,
    },
    /// It did not begin.
    Refused {
        /// The exit code.
        exit_code: u8,
        /// One sentence.
        message: String,
    },
}

/// What the runner says of itself.
pub struct Myself<'a> {
    /// Its version.
    pub version: &'a str,
    /// The triple that it was built for.
    pub target: &'a str,
    /// Its own file.
    pub program: &'a File,
    /// The exit code for what goes wrong before a run begins.
    pub failure_code: u8,
}

/// Serves one session over standard input and output; gives the process's exit code.
///
/// `run` runs the artifact and sends its events through the link.
pub fn serve(folder: &Path, myself: &Myself<'_>, run: impl FnOnce(Ready, &Link) -> Ended) -> u8 {
    let Ok(link) = Link::new() else {
        return myself.failure_code;
    };
    let ended = match prepare(folder, myself, &link) {
        Ok((cache, offer, mut assembly, reader, start)) => {
            let ended = match assembly.finish() {
                Ok((artifact, sidecar)) => {
                    if let Some(survive) = &start.survive {
                        signals::outlive_terminal();
                        link.outlive(folder, survive);
                    }
                    link.listen(reader);
                    run(
                        Ready {
                            artifact,
                            sidecar,
                            start,
                        },
                        &link,
                    )
                }
                Err(e) => refused(
                    myself,
                    &format!("cannot put the artifact in its place: {e}"),
                ),
            };
            cache.trim(offer.cache_limit);
            drop(assembly);
            ended
        }
        Err(message) => refused(myself, &message),
    };
    let (exit_code, last) = match ended {
        Ended::Finished { exit_code, report } => (exit_code, Up::Finished { exit_code, report }),
        Ended::Refused { exit_code, message } => (exit_code, Up::Refused { exit_code, message }),
    };
    link.finish(&last);
    exit_code
}

fn refused(myself: &Myself<'_>, message: &str) -> Ended {
    Ended::Refused {
        exit_code: myself.failure_code,
        message: message.to_owned(),
    }
}

type Prepared = (Cache, Offer, Assembly, FrameReader, Start);

/// From the welcome to the start: afterwards the artifact is whole.
fn prepare(folder: &Path, myself: &Myself<'_>, link: &Link) -> Result<Prepared, String> {
    let mut input = Incoming {
        stdin: io::stdin(),
        frames: FrameReader::default(),
    };
    link.send(&Up::Welcome {
        version: SESSION_VERSION,
        runner: myself.version.to_owned(),
        target: myself.target.to_owned(),
        stub: digest(myself.program)
            .map_err(|e| format!("cannot read the runner's own file: {e}"))?,
        cache: folder.display().to_string(),
        machine: rustle_runtime::this_machine(),
    });
    let offer = match input.next()? {
        Down::Offer(offer) => offer,
        _ => return Err("the session does not begin with an offer".to_owned()),
    };
    if offer.version != SESSION_VERSION {
        return Err(format!(
            "the controller speaks version {} of the session protocol, this runner {SESSION_VERSION}",
            offer.version
        ));
    }
    let cache = Cache::open(folder)
        .map_err(|e| format!("cannot use the cache {}: {e}", folder.display()))?;
    // Room first, so that a full disk is not made fuller by what nobody needs.
    cache.trim(offer.cache_limit);
    let mut assembly = cache.assemble(&offer, myself.program).map_err(|e| {
        format!(
            "cannot put the artifact together in {}: {e}",
            folder.display()
        )
    })?;
    let pieces = assembly
        .missing()
        .iter()
        .map(|(f, p)| (*f, *p, 0))
        .collect();
    link.send(&Up::Need { pieces });
    receive(&mut input, &mut assembly, link)?;
    link.send(&Up::Assembled);
    loop {
        match input.next()? {
            Down::Start(start) => return Ok((cache, offer, assembly, input.frames, *start)),
            Down::Ping => link.send(&Up::Pong),
            Down::Cancel { .. } => return Err("cancelled before the run began".to_owned()),
            _ => return Err("the controller sends what was not asked for".to_owned()),
        }
    }
}

/// Takes content until nothing is missing. Parts of a piece come in order.
fn receive(input: &mut Incoming, assembly: &mut Assembly, link: &Link) -> Result<(), String> {
    let mut piece_bytes: Vec<u8> = Vec::new();
    let mut last_pong = Instant::now();
    while !assembly.missing().is_empty() {
        match input.next()? {
            Down::Data {
                file,
                piece,
                offset,
                bytes,
            } => {
                let len = assembly
                    .piece_len(file, piece)
                    .filter(|len| *len <= MAX_PIECE)
                    .ok_or("content of a piece that does not exist")?;
                if offset == 0 {
                    piece_bytes.clear();
                }
                if offset != piece_bytes.len() as u64 || offset + bytes.len() as u64 > len {
                    return Err("content that does not follow what came before".to_owned());
                }
                piece_bytes.extend_from_slice(&bytes);
                if piece_bytes.len() as u64 == len {
                    assembly
                        .take(file, piece, &piece_bytes)
                        .map_err(|e| format!("cannot store what arrived: {e}"))?;
                    piece_bytes.clear();
                }
                // A sign of life while much is on its way.
                if last_pong.elapsed() > Duration::from_secs(5) {
                    last_pong = Instant::now();
                    link.send(&Up::Pong);
                }
            }
            Down::Ping => link.send(&Up::Pong),
            Down::Cancel { .. } => return Err("cancelled before the run began".to_owned()),
            _ => return Err("the controller sends what was not asked for".to_owned()),
        }
    }
    Ok(())
}

/// Messages from standard input, one after the other.
struct Incoming {
    stdin: io::Stdin,
    frames: FrameReader,
}

impl Incoming {
    fn next(&mut self) -> Result<Down, String> {
        let mut buffer = [0u8; 64 << 10];
        loop {
            if let Some(message) = self.frames.take::<Down>().map_err(|e| e.to_string())? {
                return Ok(message);
            }
            match self.stdin.lock().read(&mut buffer) {
                Ok(0) => return Err("the controller has gone".to_owned()),
                Ok(n) => self.frames.push(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(format!("cannot read from the controller: {e}")),
            }
        }
    }
}

/// BLAKE3 of a whole file.
fn digest(file: &File) -> io::Result<[u8; 32]> {
    use std::os::unix::fs::FileExt;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut at = 0;
    loop {
        let n = file.read_at(&mut buffer, at)?;
        if n == 0 {
            return Ok(*hasher.finalize().as_bytes());
        }
        hasher.update(&buffer[..n]);
        at += n as u64;
    }
}
