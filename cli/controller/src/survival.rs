//! Runs that outlive their connection: it is sought again, and the session goes on where it was.

use std::thread;
use std::time::{Duration, Instant};

use rustle_formats::session::RunKey;

use crate::bootstrap::Purpose;
use crate::channel::Connection;
use crate::conversation::{Course, Push};
use crate::offer::PushArtifact;
use crate::orders::Orders;
use crate::push::{Attempt, Progress, PushError, PushOptions, Pushed, begin, open, random_word};

/// A connection that lasts so long is no failed try, whatever came over it.
const STEADY: Duration = Duration::from_secs(20);

/// How long a host that has told nothing yet may know nothing of the run.
const EARLY: Duration = Duration::from_secs(4);

/// How long both sides wait for each other when the connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long the controller seeks the connection. Zero: a lost connection ends the run on its host.
    pub seek: Duration,
    /// How long the host may say nothing before the connection counts as lost; it says something every 10 seconds.
    pub silence: Duration,
    /// How long the host goes on alone, up to the next question; then it stops.
    pub alone: Duration,
    /// The pause before the second try; the first comes at once. It doubles with every try.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Patience {
    /// Two minutes of seeking, with pauses of 1 to 15 seconds; five minutes alone.
    fn default() -> Patience {
        Patience {
            seek: Duration::from_secs(120),
            silence: Duration::from_secs(40),
            alone: Duration::from_secs(300),
            pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(15),
        }
    }
}

/// Opens a connection to the same host again.
pub type Reconnect<'a> = dyn Fn() -> Result<Box<dyn Connection>, String> + Sync + 'a;

/// What a run needs to outlive its connection.
#[derive(Clone)]
pub struct Survival<'a> {
    /// The session's key: new for every session.
    pub key: RunKey,
    /// How long to wait.
    pub patience: Patience,
    /// The way to the host.
    pub reconnect: &'a Reconnect<'a>,
    /// Is told how many messages have been dealt with, after each.
    pub note: &'a (dyn Fn(u64) + Sync),
}

/// A key that nobody can guess.
///
/// # Errors
/// The system has no randomness.
pub fn new_key() -> std::io::Result<RunKey> {
    let mut key = RunKey([0; 32]);
    getrandom::fill(&mut key.0)
        .map_err(|e| std::io::Error::other(format!("no randomness: {e}")))?;
    Ok(key)
}

/// Comes back to a session that another controller began and did not see the end of. `received` is how many messages that
/// one has dealt with.
///
/// # Errors
/// See [`PushError`]; [`PushError::Lost`] where the session cannot be come back to.
pub fn resume(
    survival: &Survival<'_>,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    received: u64,
) -> Result<Pushed, PushError> {
    let mut course = Course::at(received);
    seek(
        survival,
        artifact,
        options,
        progress,
        &mut course,
        String::new(),
    )
}

/// Seeks a connection that was lost, and goes on to the end of the run.
pub(crate) fn regain(
    survival: &Survival<'_>,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    course: &mut Course,
    why: String,
) -> Result<Pushed, PushError> {
    progress(Progress::Lost(&why));
    seek(survival, artifact, options, progress, course, why)
}

fn seek(
    survival: &Survival<'_>,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    course: &mut Course,
    mut why: String,
) -> Result<Pushed, PushError> {
    let patience = &survival.patience;
    let mut until = Instant::now() + patience.seek;
    let mut pause = patience.pause;
    let early = Instant::now() + EARLY;
    loop {
        let last = (options.cancelled)() || course.cancelled;
        course.attached = false;
        let (began, before) = (Instant::now(), course.received);
        match once(survival, artifact, options, progress, course) {
            Ok(Attempt::Done(pushed)) => return Ok(pushed),
            // The word to start may still be on its way through the host.
            Ok(Attempt::Gone(message)) if course.received == 0 && Instant::now() < early => {
                why = message;
            }
            Ok(Attempt::Gone(message)) => return Err(PushError::Lost(message)),
            Ok(Attempt::StaleRunner) => {}
            // Before the run has begun a host may say no for good.
            Err(PushError::Host(message)) if !course.started => {
                return Err(PushError::Host(message));
            }
            Err(PushError::Lost(message) | PushError::Host(message)) => why = message,
            Err(e) => return Err(e),
        }
        if course.attached && (course.received > before || began.elapsed() > STEADY) {
            // It was there, and was lost once more.
            progress(Progress::Lost(&why));
            until = Instant::now() + patience.seek;
            pause = patience.pause;
        }
        if last {
            return Err(PushError::Cancelled);
        }
        if Instant::now() + pause > until {
            return Err(PushError::Lost(format!(
                "{why} (the connection was lost, and not had again within {} seconds)",
                patience.seek.as_secs()
            )));
        }
        rest(pause, options, course);
        pause = (pause * 2).min(patience.longest_pause);
    }
}

/// One try.
fn once(
    survival: &Survival<'_>,
    artifact: &PushArtifact,
    options: &PushOptions<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
    course: &mut Course,
) -> Result<Attempt, PushError> {
    let mut connection = (survival.reconnect)().map_err(PushError::Lost)?;
    if !course.started {
        return begin(connection.as_mut(), artifact, options, progress, course).map(Attempt::Done);
    }
    let word = random_word()?;
    let name = survival.key.name();
    let (channel, _) = open(
        connection.as_mut(),
        &word,
        artifact,
        false,
        Purpose::Attach(&name),
    )?;
    let mut push = Push::new(channel, artifact, options, progress, course);
    let rest = push.greet(&word)?;
    push.attach(&rest)
}

/// Waits, but not when the user wants to stop.
fn rest(pause: Duration, options: &PushOptions<'_>, course: &mut Course) {
    let until = Instant::now() + pause;
    while Instant::now() < until && !course.cancelled && !(options.cancelled)() {
        for message in options.orders.map(Orders::take).unwrap_or_default() {
            course.remember(&message);
        }
        thread::sleep(Duration::from_millis(50).min(pause));
    }
}
