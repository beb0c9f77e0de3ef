//! What is said to one host over one channel, from the first line to the end of the run or of the channel.

use std::time::{Duration, Instant};

use rustle_formats::seal::JournalSeal;
use rustle_formats::session::{
    Down, FrameReader, MAX_DATA, SESSION_VERSION, Survive, Up, encode_frame,
};
use rustle_runtime::this_machine;

use crate::bootstrap::{self, Greeting};
use crate::channel::{Channel, Input};
use crate::offer::PushArtifact;
use crate::orders::Orders;
use crate::push::{Attempt, Progress, PushError, PushOptions, Pushed};

/// How many bytes are queued before the next piece is read from disk.
const QUEUE: usize = 256 << 10;
/// How much a profile may print before our first line.
const MAX_BANNER: usize = 1 << 20;
/// How long an event may go without being acknowledged.
const ACKNOWLEDGE: Duration = Duration::from_secs(1);
/// How long a host may say nothing at all: it sends a heartbeat far more often.
const SILENCE: Duration = Duration::from_secs(120);
/// How long the last word may take to leave.
const FAREWELL: Duration = Duration::from_secs(2);
/// The longest journal of a session that is taken, in bytes.
const MAX_REMAINS: usize = 256 << 20;

/// What is known of a session, whatever channel it goes over.
#[derive(Default)]
pub(crate) struct Course {
    /// Whether the host has spoken.
    pub(crate) spoken: bool,
    /// Whether the run may have begun.
    pub(crate) started: bool,
    /// Whether the host knew the controller when it came back, over this channel.
    pub(crate) attached: bool,
    /// How many messages of those that count have arrived.
    pub(crate) received: u64,
    acknowledged: u64,
    /// The answer that was given last, as a frame: it may have been lost on the way.
    answer: Option<Vec<u8>>,
    /// Whether the run is to end.
    pub(crate) cancelled: bool,
    sent: u64,
    total: u64,
}

impl Course {
    /// That of a session of which another controller has dealt with so many messages.
    pub(crate) fn at(received: u64) -> Course {
        Course {
            spoken: true,
            started: true,
            received,
            ..Course::default()
        }
    }

    /// Takes in what is to be said while there is nobody to say it to.
    pub(crate) fn remember(&mut self, message: &Down) {
        match message {
            Down::Answer { .. } => self.answer = encode_frame(message).ok(),
            Down::Cancel { .. } => self.cancelled = true,
            _ => {}
        }
    }
}

/// One channel to a host, and what is said over it.
pub(crate) struct Push<'a> {
    channel: Box<dyn Channel + 'a>,
    artifact: &'a PushArtifact,
    options: &'a PushOptions<'a>,
    progress: &'a mut dyn FnMut(Progress<'_>),
    course: &'a mut Course,
    heard: Instant,
    /// How much was queued when it was looked at last.
    queued: usize,
    /// What of the runner is not queued yet.
    runner_left: std::ops::Range<usize>,
    asked_to_stop: bool,
    /// Whether the runner listens: before, nothing can be said to it.
    introduced: bool,
    /// Whether the host is this machine.
    here: bool,
    last_ack: Instant,
    /// What a session that has ended has left.
    remains: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Push<'a> {
    /// A channel that has just been opened.
    pub(crate) fn new(
        channel: Box<dyn Channel + 'a>,
        artifact: &'a PushArtifact,
        options: &'a PushOptions<'a>,
        progress: &'a mut dyn FnMut(Progress<'_>),
        course: &'a mut Course,
    ) -> Push<'a> {
        Push {
            channel,
            artifact,
            options,
            progress,
            course,
            heard: Instant::now(),
            queued: 0,
            runner_left: 0..0,
            asked_to_stop: false,
            introduced: false,
            here: false,
            last_ack: Instant::now(),
            remains: Vec::new(),
            stderr: Vec::new(),
        }
    }

    /// Reads the host's lines until the runner speaks; gives what came after the last line.
    pub(crate) fn greet(&mut self, word: &str) -> Result<Vec<u8>, PushError> {
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
                    Some(Greeting::Need) => {
                        self.course.total += self.artifact.runner.len() as u64;
                        self.runner_left = 0..self.artifact.runner.len();
                    }
                    Some(Greeting::Have | Greeting::Ready) => {
                        self.course.spoken = true;
                        return Ok(buffer);
                    }
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
            self.send_runner();
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

    /// Queues the runner's bytes until enough is queued.
    fn send_runner(&mut self) {
        while !self.runner_left.is_empty() && self.channel.queued() < QUEUE {
            let from = self.runner_left.start;
            let to = self.runner_left.end.min(from + MAX_DATA);
            self.channel.send(&self.artifact.runner[from..to]);
            self.runner_left.start = to;
            self.course.sent += (to - from) as u64;
            (self.progress)(Progress::Sending {
                sent: self.course.sent,
                total: self.course.total,
            });
        }
    }

    /// Talks frames until the run has ended.
    pub(crate) fn converse(&mut self, rest: &[u8]) -> Result<Attempt, PushError> {
        self.introduced = true;
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
                            self.course.total += self.left_of(*file, *piece, *offset)?;
                        }
                        wanted = pieces;
                        wanted.reverse();
                    }
                    Up::Assembled if self.options.place_only => {
                        self.say(&Down::Cancel { now: true })?;
                        return Ok(Attempt::Done(Pushed {
                            exit_code: 0,
                            report: String::new(),
                            sent: self.course.sent,
                        }));
                    }
                    Up::Assembled => self.start()?,
                    Up::Attached => self.course.attached = true,
                    Up::Remains { bytes, more } => {
                        if self.remains.len() > MAX_REMAINS {
                            return Err(PushError::Host(
                                "the host's journal has no end".to_owned(),
                            ));
                        }
                        self.remains.extend(bytes);
                        if !more {
                            return self.inherit();
                        }
                    }
                    Up::Gone { message } => return Ok(Attempt::Gone(message)),
                    Up::Pong => {}
                    counted => {
                        if let Some(ended) = self.take(counted)? {
                            return Ok(ended);
                        }
                    }
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

    fn start(&mut self) -> Result<(), PushError> {
        let mut start = self.options.start.clone();
        // What runs on this machine may change the files that it asks for later.
        start.near = start.near.filter(|_| !self.here);
        start.survive = self.options.survival.as_ref().map(|survival| Survive {
            key: survival.key.clone(),
            seconds: u32::try_from(survival.patience.alone.as_secs()).unwrap_or(u32::MAX),
        });
        self.course.started = true;
        (self.progress)(Progress::Starting);
        self.say(&Down::Start(Box::new(start)))
    }

    /// Takes a message of those that count; gives the end, if it was the last.
    fn take(&mut self, message: Up) -> Result<Option<Attempt>, PushError> {
        let ended = match message {
            Up::Event(event) => {
                (self.progress)(Progress::Event(&event));
                None
            }
            Up::Ask { id, body } if self.options.orders.is_some() => {
                (self.progress)(Progress::Ask { id, body });
                None
            }
            Up::Ask { id, .. } => {
                self.say(&Down::Answer {
                    id,
                    body: Err("`rustle push` runs one artifact on one host: nobody answers for other hosts".to_owned()),
                })?;
                None
            }
            Up::Finished { exit_code, report } => Some(Ok(Attempt::Done(Pushed {
                exit_code,
                report,
                sent: self.course.sent,
            }))),
            Up::Refused { exit_code, message } => {
                Some(Err(PushError::Refused { exit_code, message }))
            }
            _ => None,
        };
        self.course.received += 1;
        if let Some(survival) = &self.options.survival {
            (survival.note)(self.course.received);
        }
        match ended {
            Some(ended) => {
                self.part();
                ended.map(Some)
            }
            None => Ok(None),
        }
    }

    /// Comes back to a session over a channel that has just been opened.
    pub(crate) fn attach(&mut self, rest: &[u8]) -> Result<Attempt, PushError> {
        let Some(survival) = &self.options.survival else {
            return Ok(Attempt::Gone(
                "the session cannot be come back to".to_owned(),
            ));
        };
        self.say(&Down::Attach {
            version: SESSION_VERSION,
            key: survival.key.clone(),
            received: self.course.received,
        })?;
        // The host may never have heard them; twice they do no harm.
        if let Some(answer) = &self.course.answer {
            self.channel.send(answer);
        }
        if self.course.cancelled {
            self.say(&Down::Cancel { now: true })?;
        }
        self.converse(rest)
    }

    /// Takes in what a session left that ended without being heard.
    fn inherit(&mut self) -> Result<Attempt, PushError> {
        let Some(survival) = &self.options.survival else {
            return Ok(Attempt::Gone(
                "the session cannot be come back to".to_owned(),
            ));
        };
        let left = std::mem::take(&mut self.remains);
        let (first, messages) = JournalSeal::new(&survival.key)
            .open(&left)
            .map_err(PushError::Host)?;
        let mut ended = None;
        for (number, message) in (first..).zip(messages) {
            if number < self.course.received {
                continue;
            }
            if number > self.course.received {
                return Ok(Attempt::Gone(
                    "the host's journal of the run does not follow what has arrived".to_owned(),
                ));
            }
            let message = postcard::from_bytes(&message)
                .map_err(|e| PushError::Host(format!("the host's journal of the run: {e}")))?;
            // Nobody waits for an answer there any more.
            ended = match message {
                Up::Ask { .. } => {
                    self.course.received += 1;
                    None
                }
                message => self.take(message)?,
            };
        }
        if let Some(ended) = ended {
            return Ok(ended);
        }
        self.part();
        Ok(Attempt::Gone(
            "the runner was killed on the host before its run was over; all that it told until then has arrived".to_owned(),
        ))
    }

    /// Says that all has arrived, so that the host need not keep it. It is the last word.
    fn part(&mut self) {
        if self.options.survival.is_none() {
            return;
        }
        let received = self.course.received;
        if self.say(&Down::Ack { received }).is_err() {
            return;
        }
        let until = Instant::now() + FAREWELL;
        while self.channel.queued() > 0 && Instant::now() < until {
            // Where it does not get there, the host keeps its journal for some days.
            if !matches!(
                self.channel.poll(Duration::from_millis(100), None),
                Ok(Input::Stdout(_) | Input::Stderr(_) | Input::Idle)
            ) {
                return;
            }
        }
    }

    /// Says what has arrived: now and then, so that the line is not filled with it.
    fn acknowledge(&mut self) -> Result<(), PushError> {
        let received = self.course.received;
        if self.last_ack.elapsed() < ACKNOWLEDGE || received == self.course.acknowledged {
            return Ok(());
        }
        self.last_ack = Instant::now();
        self.course.acknowledged = received;
        self.say(&Down::Ack { received })
    }

    /// Says what somebody else wants to be said.
    fn obey(&mut self) -> Result<(), PushError> {
        let Some(orders) = self.options.orders else {
            return Ok(());
        };
        for message in orders.take() {
            self.course.remember(&message);
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
            self.course.sent += read;
            if self.left_of(file, piece, offset + read)? > 0 {
                wanted.push((file, piece, offset + read));
            }
            (self.progress)(Progress::Sending {
                sent: self.course.sent,
                total: self.course.total,
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
        let stop = !self.asked_to_stop && (self.options.cancelled)();
        if stop && !self.introduced && !self.course.started {
            return Err(PushError::Cancelled);
        }
        if stop && self.introduced {
            self.asked_to_stop = true;
            self.course.cancelled = true;
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
            Input::Idle if self.channel.queued() < self.queued => self.heard = Instant::now(),
            Input::Idle if self.heard.elapsed() > self.patience() => {
                return Err(PushError::Lost(format!(
                    "the host has said nothing for {} seconds",
                    self.patience().as_secs()
                )));
            }
            _ => {}
        }
        if input != Input::Idle {
            self.heard = Instant::now();
        }
        self.queued = self.channel.queued();
        Ok(input)
    }

    /// How long the host may say nothing.
    fn patience(&self) -> Duration {
        match &self.options.survival {
            // Missing it costs little where the run goes on.
            Some(survival) if self.course.started => survival.patience.silence,
            _ => SILENCE,
        }
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
