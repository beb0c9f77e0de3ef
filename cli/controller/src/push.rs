//! Push and run: one connection, one exec, and only what the host lacks goes over the wire.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use rustle_formats::event::Event;
use rustle_formats::session::{
    Down, FrameReader, MAX_DATA, SESSION_VERSION, Start, Up, encode_frame,
};
use rustle_runtime::this_machine;

use crate::bootstrap::{self, Greeting};
use crate::channel::{Channel, Connection, Input};
use crate::offer::PushArtifact;
use crate::orders::Orders;

/// How many bytes are queued before the next piece is read from disk.
const QUEUE: usize = 1 << 20;
/// How much a profile may print before our first line.
const MAX_BANNER: usize = 1 << 20;
/// How long an event may go without being acknowledged.
const ACKNOWLEDGE: Duration = Duration::from_secs(1);
/// How long a host may say nothing at all: it sends a heartbeat far more often.
const SILENCE: Duration = Duration::from_secs(120);

/// What happens meanwhile.
pub enum Progress<'a> {
    /// The host said what it is: system and machine, as `uname` names them.
    Host {
        /// `uname -s`.
        system: &'a str,
        /// `uname -m`.
        machine: &'a str,
    },
    /// Bytes go out: how many of how many.
    Sending {
        /// Bytes sent so far.
        sent: u64,
        /// All bytes that this host lacks.
        total: u64,
    },
    /// An event of the run.
    Event(&'a Event),
    /// A question, where somebody gives orders; the answer is one of them.
    Ask {
        /// Its number.
        id: u64,
        /// The question, in the engine's own form.
        body: Vec<u8>,
    },
    /// The host wrote this to its standard error.
    Stderr(&'a [u8]),
}

/// How a push ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// The run's exit code.
    pub exit_code: u8,
    /// The report as JSON.
    pub report: String,
    /// Bytes of the runner and of the artifact that were sent.
    pub sent: u64,
}

/// Why a push did not end as it should.
#[derive(Debug)]
pub enum PushError {
    /// The artifact is for another kind of machine.
    WrongTarget(String),
    /// The host cannot take or run it: the sentence says why.
    Host(String),
    /// The runner there refused, with its exit code.
    Refused {
        /// The exit code.
        exit_code: u8,
        /// Its sentence.
        message: String,
    },
    /// The connection was lost.
    Lost(String),
    /// The user wanted it so.
    Cancelled,
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PushError::WrongTarget(s) | PushError::Host(s) | PushError::Lost(s) => f.write_str(s),
            PushError::Refused { message, .. } => f.write_str(message),
            PushError::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for PushError {}

impl From<io::Error> for PushError {
    fn from(e: io::Error) -> Self {
        PushError::Lost(format!("the connection was lost: {e}"))
    }
}

/// What a push needs to know beside the artifact.
pub struct PushOptions<'a> {
    /// How to run.
    pub start: Start,
    /// Whether the user wants to stop: asked about four times a second.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
    /// What else is said to the host while it runs. Default: nothing.
    pub orders: Option<&'a Orders>,
}

/// Pushes an artifact to a machine, runs it there, and hands its events on as they happen.
///
/// # Errors
/// See [`PushError`]. A run with failed tasks is no error: its exit code says so.
pub fn push(
    connection: &mut dyn Connection,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Pushed, PushError> {
    match attempt(connection, artifact, options, progress, false)? {
        Attempt::Done(pushed) => Ok(pushed),
        // The runner in the cache is damaged: once more, with a fresh one.
        Attempt::StaleRunner => match attempt(connection, artifact, options, progress, true)? {
            Attempt::Done(pushed) => Ok(pushed),
            Attempt::StaleRunner => Err(PushError::Host(
                "the runner arrives damaged on this host, twice".to_owned(),
            )),
        },
    }
}

enum Attempt {
    Done(Pushed),
    StaleRunner,
}

fn attempt(
    connection: &mut dyn Connection,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    fresh: bool,
) -> Result<Attempt, PushError> {
    let word = random_word()?;
    let (channel, greets) = open(connection, &word, artifact, fresh)?;
    let mut push = Push {
        channel,
        artifact,
        options,
        progress,
        sent: 0,
        total: 0,
        heard: Instant::now(),
        asked_to_stop: false,
        here: false,
        last_ack: Instant::now(),
        unacknowledged: None,
        stderr: Vec::new(),
    };
    let rest = if greets {
        push.greet(&word)?
    } else {
        Vec::new()
    };
    push.converse(&rest)
}

/// Starts the runner; whether the host's lines come before it speaks.
fn open<'c>(
    connection: &'c mut dyn Connection,
    word: &str,
    artifact: &PushArtifact,
    fresh: bool,
) -> io::Result<(Box<dyn Channel + 'c>, bool)> {
    if connection.has_runner() {
        return Ok((connection.runner()?, false));
    }
    let command = bootstrap::command(
        word,
        &hex::encode(artifact.runner_digest),
        artifact.runner.len() as u64,
        fresh,
    );
    Ok((connection.exec(&command)?, true))
}

struct Push<'a> {
    channel: Box<dyn Channel + 'a>,
    artifact: &'a PushArtifact,
    options: &'a PushOptions<'a>,
    progress: &'a mut dyn FnMut(Progress<'_>),
    sent: u64,
    total: u64,
    heard: Instant,
    asked_to_stop: bool,
    /// Whether the host is this machine.
    here: bool,
    last_ack: Instant,
    /// The last event that it does not know has arrived.
    unacknowledged: Option<u64>,
    stderr: Vec<u8>,
}

impl Push<'_> {
    /// Reads the host's lines until the runner speaks; gives what came after the last line.
    fn greet(&mut self, word: &str) -> Result<Vec<u8>, PushError> {
        let mut buffer: Vec<u8> = Vec::new();
        let mut banner = 0;
        loop {
            while let Some(end) = buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line).into_owned();
                match bootstrap::parse(&line, word) {
                    None => {
                        banner += line.len();
                        if banner > MAX_BANNER {
                            return Err(PushError::Host(
                                "the host's profile prints without end".to_owned(),
                            ));
                        }
                    }
                    Some(Greeting::Host {
                        system, machine, ..
                    }) => {
                        (self.progress)(Progress::Host {
                            system: &system,
                            machine: &machine,
                        });
                        if !bootstrap::fits(&self.artifact.target, &system, &machine) {
                            return Err(PushError::WrongTarget(format!(
                                "the artifact is for {}, the host is {system} on {machine}; pack it for that target",
                                self.artifact.target
                            )));
                        }
                    }
                    Some(Greeting::Need) => self.send_runner()?,
                    Some(Greeting::Have | Greeting::Ready) => return Ok(buffer),
                    Some(Greeting::Broken) => {
                        return Err(PushError::Host(format!(
                            "the runner did not arrive whole: is the host's disk full? {}",
                            self.said()
                        )));
                    }
                    Some(Greeting::NoDir) => {
                        return Err(PushError::Host(
                            "no folder can be written to and executed from; tried ~/.cache, /var/cache, /var/tmp, /tmp, /dev/shm and /run".to_owned(),
                        ));
                    }
                }
            }
            match self.next_input()? {
                Input::Stdout(bytes) => buffer.extend(bytes),
                Input::Closed(status) => {
                    return Err(PushError::Host(format!(
                        "the host ended the session before the runner spoke ({}); {}",
                        status.map_or_else(|| "no status".into(), |s| format!("status {s}")),
                        self.said()
                    )));
                }
                Input::Stderr(_) | Input::Idle => {}
            }
        }
    }

    fn send_runner(&mut self) -> Result<(), PushError> {
        self.total += self.artifact.runner.len() as u64;
        for part in self.artifact.runner.chunks(MAX_DATA) {
            self.channel.send(part);
            self.sent += part.len() as u64;
            (self.progress)(Progress::Sending {
                sent: self.sent,
                total: self.total,
            });
        }
        Ok(())
    }

    /// Talks frames until the run has ended.
    fn converse(&mut self, rest: &[u8]) -> Result<Attempt, PushError> {
        let mut reader = FrameReader::default();
        reader.push(rest);
        let mut wanted: Vec<(u8, u32, u64)> = Vec::new();
        loop {
            while let Some(message) = reader.take::<Up>().map_err(broken)? {
                match message {
                    Up::Welcome {
                        version,
                        stub,
                        machine,
                        ..
                    } => {
                        if version != SESSION_VERSION {
                            return Err(PushError::Host(format!(
                                "the artifact's runner speaks version {version} of the session protocol, this program {SESSION_VERSION}; pack it again"
                            )));
                        }
                        if stub != self.artifact.runner_digest {
                            return Ok(Attempt::StaleRunner);
                        }
                        self.here = !machine.is_empty() && machine == this_machine();
                        self.say(&Down::Offer(self.artifact.offer.clone()))?;
                    }
                    Up::Need { pieces } => {
                        for (file, piece, offset) in &pieces {
                            self.total += self.left_of(*file, *piece, *offset)?;
                        }
                        wanted = pieces;
                        wanted.reverse();
                    }
                    Up::Assembled => {
                        let mut start = self.options.start.clone();
                        // What runs on this machine may change the files that it asks for later.
                        start.near = start.near.filter(|_| !self.here);
                        self.say(&Down::Start(Box::new(start)))?;
                    }
                    Up::Event(event) => {
                        (self.progress)(Progress::Event(&event));
                        self.unacknowledged = Some(event.seq);
                    }
                    Up::Ask { id, body } if self.options.orders.is_some() => {
                        (self.progress)(Progress::Ask { id, body });
                    }
                    Up::Ask { id, .. } => self.say(&Down::Answer {
                        id,
                        body: Err("`rustle push` runs one artifact on one host: nobody answers for other hosts".to_owned()),
                    })?,
                    Up::Finished { exit_code, report } => {
                        return Ok(Attempt::Done(Pushed {
                            exit_code,
                            report,
                            sent: self.sent,
                        }));
                    }
                    Up::Refused { exit_code, message } => {
                        return Err(PushError::Refused { exit_code, message });
                    }
                    Up::Pong => {}
                }
            }
            self.acknowledge()?;
            self.obey()?;
            self.feed(&mut wanted)?;
            match self.next_input()? {
                Input::Stdout(bytes) => reader.push(&bytes),
                Input::Closed(_) => {
                    return Err(PushError::Lost(format!(
                        "the runner ended without a word; {}",
                        self.said()
                    )));
                }
                Input::Stderr(_) | Input::Idle => {}
            }
        }
    }

    /// Says which events have arrived: now and then, so that the line is not filled with it.
    fn acknowledge(&mut self) -> Result<(), PushError> {
        if self.last_ack.elapsed() < ACKNOWLEDGE {
            return Ok(());
        }
        let Some(seq) = self.unacknowledged.take() else {
            return Ok(());
        };
        self.last_ack = Instant::now();
        self.say(&Down::Ack { seq })
    }

    /// Says what somebody else wants to be said.
    fn obey(&mut self) -> Result<(), PushError> {
        let Some(orders) = self.options.orders else {
            return Ok(());
        };
        for message in orders.take() {
            self.say(&message)?;
        }
        Ok(())
    }

    /// Queues content until enough is queued.
    fn feed(&mut self, wanted: &mut Vec<(u8, u32, u64)>) -> Result<(), PushError> {
        while self.channel.queued() < QUEUE {
            let Some((file, piece, offset)) = wanted.pop() else {
                return Ok(());
            };
            let bytes = self.artifact.read(file, piece, offset, MAX_DATA)?;
            let read = bytes.len() as u64;
            self.say(&Down::Data {
                file,
                piece,
                offset,
                bytes,
            })?;
            self.sent += read;
            if self.left_of(file, piece, offset + read)? > 0 {
                wanted.push((file, piece, offset + read));
            }
            (self.progress)(Progress::Sending {
                sent: self.sent,
                total: self.total,
            });
        }
        Ok(())
    }

    fn left_of(&self, file: u8, piece: u32, offset: u64) -> Result<u64, PushError> {
        let pieces = if file == 0 {
            &self.artifact.offer.artifact
        } else {
            &self.artifact.offer.sidecar
        };
        pieces
            .get(piece as usize)
            .and_then(|p| p.len.checked_sub(offset))
            .ok_or_else(|| {
                PushError::Host("the host asks for a piece that was not offered".to_owned())
            })
    }

    fn say(&mut self, message: &Down) -> Result<(), PushError> {
        let frame = encode_frame(message).map_err(broken)?;
        self.channel.send(&frame);
        Ok(())
    }

    fn next_input(&mut self) -> Result<Input, PushError> {
        if !self.asked_to_stop && (self.options.cancelled)() {
            self.asked_to_stop = true;
            self.say(&Down::Cancel { now: true })?;
        }
        let input = self.channel.poll(
            Duration::from_millis(250),
            self.options.orders.map(Orders::bell),
        )?;
        match &input {
            Input::Stderr(bytes) => {
                (self.progress)(Progress::Stderr(bytes));
                let room = 2048usize.saturating_sub(self.stderr.len());
                self.stderr
                    .extend_from_slice(&bytes[..room.min(bytes.len())]);
            }
            Input::Idle if self.channel.queued() == 0 && self.heard.elapsed() > SILENCE => {
                return Err(PushError::Lost(format!(
                    "the host has said nothing for {} seconds",
                    SILENCE.as_secs()
                )));
            }
            _ => {}
        }
        if input != Input::Idle {
            self.heard = Instant::now();
        }
        Ok(input)
    }

    /// What the host wrote to its standard error, for messages.
    fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let text = text.trim();
        if text.is_empty() {
            "it said nothing about why".to_owned()
        } else {
            format!("it said: {text}")
        }
    }
}

fn broken(e: rustle_formats::session::FrameError) -> PushError {
    PushError::Lost(format!("the session is broken: {e}"))
}

fn random_word() -> Result<String, PushError> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|e| PushError::Host(format!("no randomness: {e}")))?;
    Ok(hex::encode(bytes))
}
