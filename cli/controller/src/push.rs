//! Push and run: one connection, one exec, and only what the host lacks goes over the wire.

use std::fmt;
use std::io;

use rustle_formats::event::Event;
use rustle_formats::session::Start;

use crate::bootstrap::{self, Purpose};
use crate::channel::{Channel, Connection};
use crate::conversation::{Course, Push};
use crate::offer::PushArtifact;
use crate::orders::Orders;
use crate::survival::{self, Survival};

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
    /// The run is about to begin: from here on it may have.
    Starting,
    /// The connection was lost, and is sought again: why.
    Lost(&'a str),
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
    /// How the run outlives its connection. Default: it does not.
    pub survival: Option<Survival<'a>>,
    /// Whether nothing is run: the host's cache has all that a run needs, and the push ends.
    pub place_only: bool,
}

/// Pushes an artifact to a machine, runs it there, and hands its events on as they happen. Where the connection is lost and the
/// run may outlive it, it is sought again.
///
/// # Errors
/// See [`PushError`]. A run with failed tasks is no error: its exit code says so.
pub fn push(
    connection: &mut dyn Connection,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Pushed, PushError> {
    let mut course = Course::default();
    match begin(connection, artifact, options, progress, &mut course) {
        Err(PushError::Lost(why)) if course.spoken => match &options.survival {
            Some(survival) => {
                survival::regain(survival, artifact, options, progress, &mut course, why)
            }
            None => Err(PushError::Lost(why)),
        },
        ended => ended,
    }
}

/// Begins, and goes on to the end or until the connection is lost.
pub(crate) fn begin(
    connection: &mut dyn Connection,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    course: &mut Course,
) -> Result<Pushed, PushError> {
    for fresh in [false, true] {
        let word = random_word()?;
        let (channel, greets) = open(connection, &word, artifact, fresh, Purpose::Session)?;
        let mut push = Push::new(channel, artifact, options, progress, course);
        let rest = if greets {
            push.greet(&word)?
        } else {
            Vec::new()
        };
        if let Attempt::Done(pushed) = push.converse(&rest)? {
            return Ok(pushed);
        }
        // The runner in the cache is damaged: once more, with a fresh one.
    }
    Err(PushError::Host(
        "the runner arrives damaged on this host, twice".to_owned(),
    ))
}

/// How a conversation ended.
pub(crate) enum Attempt {
    /// With the run.
    Done(Pushed),
    /// With a runner that is not the one that was meant.
    StaleRunner,
    /// With a session that nobody can come back to: why.
    Gone(String),
}

/// Starts the runner; whether the host's lines come before it speaks.
pub(crate) fn open<'c>(
    connection: &'c mut dyn Connection,
    word: &str,
    artifact: &PushArtifact,
    fresh: bool,
    purpose: Purpose<'_>,
) -> io::Result<(Box<dyn Channel + 'c>, bool)> {
    if connection.has_runner() {
        return Ok((connection.runner()?, false));
    }
    let command = bootstrap::command(
        word,
        &hex::encode(artifact.runner_digest),
        artifact.runner.len() as u64,
        fresh,
        purpose,
    );
    Ok((connection.exec(&command)?, true))
}

pub(crate) fn random_word() -> Result<String, PushError> {
    let mut bytes = [0u8; 8];
    getrandom::fill(&mut bytes).map_err(|e| PushError::Host(format!("no randomness: {e}")))?;
    Ok(hex::encode(bytes))
}
