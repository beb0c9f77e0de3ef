//! The open line to the controller while a run is under way: events out, answers and orders in.
//!
//! A line that outlives its channel numbers what it says and keeps it until the controller has it. While there is no
//! channel the run goes on, up to the next question, and what it says is written down; see [`super::keep`].

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustle_formats::session::{
    Bytes, Down, FrameReader, SESSION_VERSION, Survive, Up, encode_frame,
};

use super::keep::Keeping;

/// How often the runner shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long a channel may take nothing before it counts as lost, in seconds.
const STUCK: i64 = 10;
/// How many bytes are kept for a controller that is away; a run that says more waits.
const MOST_KEPT: usize = 64 << 20;
/// How long the end of a run waits to be acknowledged.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long who comes to the socket may take to say who it is.
const INTRODUCTION: Duration = Duration::from_secs(10);

/// An answer to a question: its number, and the answer.
type Answer = (u64, Result<Vec<u8>, String>);

/// The line. It is shared by the engine's thread, those that listen and the one whose heart beats.
pub struct Link {
    shared: Arc<Shared>,
    answers: Mutex<Receiver<Answer>>,
    to_answers: Sender<Answer>,
    next_question: AtomicU64,
    /// The process that the line belongs to: a task's own process has a copy that nobody listens to.
    owner: u32,
}

struct Shared {
    state: Mutex<State>,
    /// Rings when something was acknowledged or the channel was lost.
    news: Condvar,
    cancelled: AtomicBool,
}

struct State {
    /// The channel; none while the controller is away.
    out: Option<File>,
    /// Which one: what a channel that was replaced has to say does not count.
    channel: u64,
    /// Since when there is none.
    lost: Option<Instant>,
    /// Frames that the controller may not have.
    kept: VecDeque<Vec<u8>>,
    kept_bytes: usize,
    /// The number of the first of them.
    first: u64,
    keeping: Option<Keeping>,
}

impl Link {
    /// A line over standard output.
    ///
    /// # Errors
    /// Where the process has no file descriptors left.
    pub(super) fn new() -> io::Result<Link> {
        let (to_answers, answers) = channel();
        let out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Link {
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    out: Some(out),
                    channel: 0,
                    lost: None,
                    kept: VecDeque::new(),
                    kept_bytes: 0,
                    first: 0,
                    keeping: None,
                }),
                news: Condvar::new(),
                cancelled: AtomicBool::new(false),
            }),
            answers: Mutex::new(answers),
            to_answers,
            next_question: AtomicU64::new(1),
            owner: std::process::id(),
        })
    }

    /// Sends a message. Where the controller has gone for good the message is dropped.
    pub fn send(&self, message: &Up) {
        self.shared.send(message);
    }

    /// Whether the run shall stop: the controller said so, or is gone for good.
    pub fn cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed) || self.lost()
    }

    /// Whether the controller is gone for good.
    pub fn lost(&self) -> bool {
        self.shared.state().is_given_up()
    }

    /// Asks the controller and waits for its answer.
    ///
    /// # Errors
    /// What the controller answers in place of an answer, or that it is gone.
    pub fn ask(&self, body: Vec<u8>) -> Result<Vec<u8>, String> {
        // Its question would bear the number of the run's next one, and the answer would go to the run.
        if std::process::id() != self.owner {
            return Err(
                "a task in a process of its own (async, timeout, become) cannot ask the controller"
                    .to_owned(),
            );
        }
        let id = self.next_question.fetch_add(1, Ordering::Relaxed);
        self.send(&Up::Ask { id, body });
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match answers.recv_timeout(Duration::from_millis(200)) {
                Ok((answered, answer)) if answered == id => return answer,
                Ok(_) => {}
                Err(_) if self.lost() => return Err("the controller has gone".to_owned()),
                Err(_) => {}
            }
        }
    }

    /// From now on the line outlives its channel. Where the cache cannot have what that needs, it does not.
    pub(super) fn outlive(&self, cache: &Path, survive: &Survive) {
        let Ok((keeping, listener)) = Keeping::begin(cache, survive) else {
            return;
        };
        self.shared.state().keeping = Some(keeping);
        let shared = Arc::clone(&self.shared);
        let answers = self.to_answers.clone();
        thread::spawn(move || shared.welcome_back(&listener, &answers));
    }

    /// Begins to listen and to beat. `reader` may hold bytes that came already.
    pub(super) fn listen(&self, reader: FrameReader) {
        let shared = Arc::clone(&self.shared);
        let answers = self.to_answers.clone();
        thread::spawn(move || shared.listen(&mut io::stdin(), reader, 0, &answers));
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            loop {
                thread::sleep(HEARTBEAT);
                shared.send(&Up::Pong);
            }
        });
    }

    /// Says the last word, and waits until it has been heard, or is written down.
    pub(super) fn finish(&self, last: &Up) {
        self.send(last);
        let until = Instant::now() + FAREWELL;
        let mut state = self.shared.state();
        loop {
            let (away, given_up) = (state.out.is_none(), state.is_given_up());
            // Who wanted the run to end does not come back for it.
            let unwanted = away && self.shared.cancelled.load(Ordering::Relaxed);
            let heard = state.kept.is_empty() || unwanted;
            let Some(keeping) = &mut state.keeping else {
                return;
            };
            if heard {
                return keeping.remove();
            }
            if away && (keeping.is_written() || given_up) {
                return keeping.leave();
            }
            if !away && Instant::now() >= until {
                state.lose();
                continue;
            }
            state = self.shared.wait(state);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others at it for a moment.
    fn wait<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        let moment = Duration::from_millis(200);
        let woken = self.news.wait_timeout(state, moment);
        woken.unwrap_or_else(PoisonError::into_inner).0
    }

    fn send(&self, message: &Up) {
        let Ok(frame) = encode_frame(message) else {
            return;
        };
        let mut state = self.state();
        if state.keeping.is_none() || !message.counts() {
            return state.write(&frame);
        }
        while state.out.is_none() && state.kept_bytes > MOST_KEPT && !state.is_given_up() {
            state = self.wait(state);
        }
        state.say(frame);
    }

    /// Reads orders until the channel ends.
    fn listen(
        &self,
        from: &mut dyn Read,
        mut reader: FrameReader,
        channel: u64,
        answers: &Sender<Answer>,
    ) {
        let mut buffer = [0u8; 16 << 10];
        loop {
            match reader.take::<Down>() {
                Ok(Some(message)) => {
                    self.obey(message, answers);
                    continue;
                }
                Ok(None) => {}
                Err(_) => break,
            }
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => reader.push(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let mut state = self.state();
        if state.channel == channel {
            state.lose();
        }
        drop(state);
        self.news.notify_all();
    }

    fn obey(&self, message: Down, answers: &Sender<Answer>) {
        match message {
            Down::Cancel { .. } => self.cancelled.store(true, Ordering::Relaxed),
            Down::Answer { id, body } => {
                // Nobody listens any more when the run is over.
                let _ = answers.send((id, body.map(Bytes::into_vec)));
            }
            Down::Ping => self.send(&Up::Pong),
            Down::Ack { received } => {
                self.state().acknowledge(received);
                self.news.notify_all();
            }
            _ => {}
        }
    }

    /// Waits for controllers that come back.
    fn welcome_back(self: &Arc<Shared>, listener: &UnixListener, answers: &Sender<Answer>) {
        for stream in listener.incoming().flatten() {
            // Who does not say the right thing is turned away.
            let _ = self.admit(stream, answers);
        }
    }

    fn admit(
        self: &Arc<Shared>,
        mut stream: UnixStream,
        answers: &Sender<Answer>,
    ) -> io::Result<()> {
        stream.set_read_timeout(Some(INTRODUCTION))?;
        let mut reader = FrameReader::default();
        let mut buffer = [0u8; 1 << 10];
        let (key, received) = loop {
            match reader.take::<Down>().map_err(io::Error::other)? {
                Some(Down::Attach {
                    version: SESSION_VERSION,
                    key,
                    received,
                }) => break (key, received),
                Some(_) => return Err(io::Error::other("not an introduction")),
                None => match stream.read(&mut buffer)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    n => reader.push(&buffer[..n]),
                },
            }
        };
        stream.set_read_timeout(None)?;
        let mut state = self.state();
        if !state.keeping.as_ref().is_some_and(|k| k.admits(&key)) {
            return Err(io::Error::other("another session's key"));
        }
        let out = File::from(OwnedFd::from(stream.try_clone()?));
        let channel = state.replace(out, received)?;
        drop(state);
        let shared = Arc::clone(self);
        let answers = answers.clone();
        thread::Builder::new()
            .spawn(move || shared.listen(&mut stream, reader, channel, &answers))?;
        Ok(())
    }
}

impl State {
    /// Whether nobody is expected to come back.
    fn is_given_up(&self) -> bool {
        let patience = self.keeping.as_ref().map_or(Duration::ZERO, |k| k.patience);
        self.lost.is_some_and(|since| since.elapsed() >= patience)
    }

    /// Says what counts.
    fn say(&mut self, frame: Vec<u8>) {
        let number = self.first + self.kept.len() as u64;
        self.kept_bytes += frame.len();
        if self.out.is_some() {
            // Kept first: a channel that is lost now must not take it along.
            self.kept.push_back(frame);
            if let (Some(out), Some(frame)) = (&self.out, self.kept.back())
                && write_all(out, frame).is_err()
            {
                self.lose();
            }
            return;
        }
        if let Some(keeping) = &mut self.keeping {
            keeping.add(number, &frame);
        }
        self.kept.push_back(frame);
    }

    /// Says what does not count, or on a line that keeps nothing.
    fn write(&mut self, frame: &[u8]) {
        let Some(out) = &mut self.out else { return };
        let written = match self.keeping {
            Some(_) => write_all(out, frame),
            None => out.write_all(frame),
        };
        if written.is_err() {
            self.lose();
        }
    }

    fn acknowledge(&mut self, received: u64) {
        while self.first < received
            && let Some(frame) = self.kept.pop_front()
        {
            self.kept_bytes -= frame.len();
            self.first += 1;
        }
    }

    /// The channel is gone. What the controller may not have is written down.
    fn lose(&mut self) {
        if self.out.take().is_none() {
            return;
        }
        self.lost = Some(Instant::now());
        if let Some(keeping) = &mut self.keeping {
            if self.channel == 0 {
                let_go();
            }
            keeping.begin_journal(self.first, &self.kept);
        }
    }

    /// Goes on over another channel, with what the controller has not heard.
    fn replace(&mut self, out: File, received: u64) -> io::Result<u64> {
        self.lose();
        self.acknowledge(received);
        let welcome = encode_frame(&Up::Attached).map_err(io::Error::other)?;
        write_all(&out, &welcome)?;
        for frame in &self.kept {
            write_all(&out, frame)?;
        }
        self.out = Some(out);
        self.lost = None;
        self.channel += 1;
        if let Some(keeping) = &mut self.keeping {
            keeping.forget_journal();
        }
        Ok(self.channel)
    }
}

/// Writes all of it, and waits for room no longer than [`STUCK`].
fn write_all(mut out: &File, bytes: &[u8]) -> io::Result<()> {
    // Where there is room at all there is room for so much.
    for part in bytes.chunks(4 << 10) {
        let mut room = [PollFd::new(out, PollFlags::OUT)];
        let wait = Timespec {
            tv_sec: STUCK,
            tv_nsec: 0,
        };
        if poll(&mut room, Some(&wait))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        out.write_all(part)?;
    }
    Ok(())
}

/// Lets go of the first channel's streams: nobody else may wait for this process to end.
fn let_go() {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(&null);
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
