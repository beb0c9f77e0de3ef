//! The run's side of a worker: starts it, gets it past the password, gives it its job, answers what it asks.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustle_formats::Map;
use zeroize::Zeroizing;

use super::command::SUCCESS;
use super::{Method, Started, command, wire};
use crate::assets::Assets;
use crate::context::{RenderRequest, Variables};
use crate::engine::child::{self, End};
use crate::outcome::ModuleResult;

/// How long changing the user may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing may follow what looks like a prompt before it is answered.
const PAUSE: Duration = Duration::from_millis(40);
/// How long nothing may follow what looks like a prompt that nobody can answer.
const SILENCE: Duration = Duration::from_millis(300);
/// How much of what is said before the worker speaks is kept.
const MAX_SAID: usize = 64 << 10;

/// What a worker may ask for.
pub(crate) struct Answers<'a> {
    pub assets: &'a dyn Assets,
    pub variables: &'a dyn Variables,
}

/// What became of a job.
pub(crate) enum Told {
    /// It was done.
    Result(Box<ModuleResult>),
    /// It goes on in the background; its state is in this file. What it asks for is to be answered as long as it runs.
    Background(String),
}

/// A started worker.
pub(crate) struct Talk<'a> {
    child: Child,
    /// Standard input; none once it was closed.
    input: Option<File>,
    streams: [Stream; 3],
    /// The other side of the terminal: without it the terminal would be gone when the last program closes it.
    _terminal: Option<OwnedFd>,
    deadline: Option<Instant>,
    cancelled: &'a dyn Fn() -> bool,
}

/// Something that the other side writes to: standard output, standard error, the terminal.
#[derive(Default)]
struct Stream {
    file: Option<File>,
    bytes: Vec<u8>,
    /// What was looked at for prompts.
    seen: usize,
}

/// Why a worker did not come to be.
enum Why {
    /// The prompt came again.
    Repeated,
    /// Nothing happened for too long.
    TimedOut,
    /// What should start it ended.
    Ended,
}

const OUT: usize = 0;
const ERR: usize = 1;
const TTY: usize = 2;

impl<'a> Talk<'a> {
    /// Starts a worker, and gets it past the password.
    ///
    /// # Errors
    /// Ansible's sentence about what went wrong, with what was printed.
    pub(crate) fn begin(
        started: &Started,
        deadline: Option<Instant>,
        cancelled: &'a dyn Fn() -> bool,
    ) -> Result<Talk<'a>, End> {
        let key = new_key();
        let password = started.password.as_ref();
        let line = command::line(
            &started.escalate,
            &started.program,
            &key,
            password.is_some(),
        );
        let terminal = matches!(started.escalate.method, Method::Su | Method::Doas);
        let mut talk = Talk::start(&line, terminal, deadline, cancelled).map_err(|e| {
            End::Died(format!(
                "cannot start {}: {e}",
                started.escalate.method.name()
            ))
        })?;
        talk.escalate(&key, started)?;
        Ok(talk)
    }

    fn start(
        line: &str,
        terminal: bool,
        deadline: Option<Instant>,
        cancelled: &'a dyn Fn() -> bool,
    ) -> io::Result<Talk<'a>> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", line])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let pair = terminal.then(open_terminal).transpose()?;
        let slave = pair.as_ref().map(|(_, slave)| slave.as_raw_fd());
        // SAFETY: the closure makes system calls alone, all async-signal-safe, and touches nothing but its own copy of a number.
        unsafe {
            command.pre_exec(move || {
                libc::setsid();
                child::default_signals();
                if let Some(slave) = slave {
                    libc::ioctl(slave, libc::TIOCSCTTY, 0);
                }
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let (master, slave) = pair.unzip();
        let stream = |fd: Option<OwnedFd>| Stream {
            file: fd.map(File::from),
            ..Stream::default()
        };
        Ok(Talk {
            input: child.stdin.take().map(|fd| OwnedFd::from(fd).into()),
            streams: [
                stream(child.stdout.take().map(Into::into)),
                stream(child.stderr.take().map(Into::into)),
                stream(master),
            ],
            _terminal: slave,
            child,
            deadline,
            cancelled,
        })
    }

    /// Waits for the worker's sign, and answers the prompt on the way.
    fn escalate(&mut self, key: &str, started: &Started) -> Result<(), End> {
        let password = started.password.as_ref();
        let sudo = started.escalate.method == Method::Sudo;
        let sign = format!("{SUCCESS}{key}\n");
        let prompt = (sudo && password.is_some()).then(|| command::prompt(key));
        let until = Instant::now() + PATIENCE;
        let mut answered = false;
        let mut heard = Instant::now();
        let why = loop {
            if let Some(at) = find(&self.streams[OUT].bytes, sign.as_bytes()) {
                self.streams[OUT].bytes.drain(..at + sign.len());
                return Ok(());
            }
            let quiet = |span| prompt.is_some() || heard.elapsed() > span;
            match (self.asking(prompt.as_deref()), password) {
                (Some(_), Some(_)) if answered && quiet(SILENCE) => break Why::Repeated,
                (Some(stream), Some(password)) if !answered && quiet(PAUSE) => {
                    answered = true;
                    self.answer(stream, password);
                }
                // Nobody will ever answer.
                (Some(_), None) if quiet(SILENCE) => break Why::TimedOut,
                _ if Instant::now() > until => break Why::TimedOut,
                _ => {}
            }
            if self.streams[OUT].file.is_none() {
                let end = Instant::now() + SILENCE;
                while self.streams[ERR].file.is_some() && Instant::now() < end {
                    self.wait()?;
                }
                break Why::Ended;
            }
            if self.wait()? {
                heard = Instant::now();
            }
        };
        Err(self.said(&why, started, answered))
    }

    /// The stream on which a password is asked for. Only sudo can be told how to ask: others end with a colon, in whatever
    /// language.
    fn asking(&self, prompt: Option<&str>) -> Option<usize> {
        [ERR, TTY].into_iter().find(|stream| {
            let stream = &self.streams[*stream];
            let new = &stream.bytes[stream.seen.min(stream.bytes.len())..];
            match prompt {
                Some(prompt) => find(new, prompt.as_bytes()).is_some(),
                None => {
                    let end = new.trim_ascii_end();
                    let kept = &new[end.len()..];
                    (end.ends_with(b":") || end.ends_with("：".as_bytes()))
                        && !kept.contains(&b'\n')
                }
            }
        })
    }

    /// Writes the password where it was asked for. If that fails, the end of the streams will tell.
    fn answer(&mut self, asked_on: usize, password: &str) {
        let mut line = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        line.extend_from_slice(password.as_bytes());
        line.push(b'\n');
        let place = match asked_on {
            TTY => self.streams[TTY].file.as_mut(),
            _ => self.input.as_mut(),
        };
        if let Some(place) = place {
            let _ = place.write_all(&line);
        }
        let stream = &mut self.streams[asked_on];
        // As it would stand on a terminal.
        stream.bytes.push(b'\n');
        stream.seen = stream.bytes.len();
    }

    /// Why there is no worker: Ansible's sentence, and what was printed.
    fn said(&self, why: &Why, started: &Started, answered: bool) -> End {
        let text = |stream: usize| {
            let bytes = &self.streams[stream].bytes;
            String::from_utf8_lossy(bytes).replace('\r', "")
        };
        let (out, err) = (text(OUT), text(TTY) + &text(ERR));
        let method = started.escalate.method;
        if started.remote {
            let refused = answered && method != Method::Sudo;
            match why {
                Why::TimedOut => {
                    return End::Unreachable(
                        format!(
                            "Timeout (12s) waiting for privilege escalation prompt: {out}{err}"
                        )
                        .trim_end()
                        .to_owned(),
                    );
                }
                Why::Ended if err.contains(" required") => {
                    return End::Died(format!("Missing {} password", method.name()));
                }
                Why::Ended if !refused => {}
                _ => return End::Died(format!("Incorrect {} password", method.name())),
            }
        }
        let mut message = match why {
            Why::Repeated => "Duplicate become password prompt encountered",
            Why::TimedOut => "Timed out",
            Why::Ended => "Premature end of stream",
        }
        .to_owned();
        message.push_str(" waiting for become success");
        if started.password.is_some() && !answered {
            message.push_str(" or become password prompt");
        }
        message.push('.');
        for (name, text) in [("Output", out), ("Error", err)] {
            if !text.is_empty() {
                message.push_str("\n>>> Standard ");
                message.push_str(name);
                message.push('\n');
                message.push_str(&text);
            }
        }
        message.truncate(message.trim_end().len());
        match why {
            Why::TimedOut => End::Unreachable(message),
            _ => End::Died(message),
        }
    }

    /// Waits for something to be read, not for long, and reads it. Whether there was anything.
    fn wait(&mut self) -> Result<bool, End> {
        if (self.cancelled)() {
            return Err(End::Cancelled);
        }
        if self.deadline.is_some_and(|at| Instant::now() >= at) {
            return Err(End::TimedOut);
        }
        let mut polls = [libc::pollfd {
            fd: -1,
            events: libc::POLLIN,
            revents: 0,
        }; 3];
        for (poll, stream) in polls.iter_mut().zip(&self.streams) {
            if let Some(file) = &stream.file {
                poll.fd = file.as_raw_fd();
            }
        }
        // SAFETY: three valid entries.
        unsafe { libc::poll(polls.as_mut_ptr(), 3, 50) };
        let mut some = false;
        for (poll, stream) in polls.iter().zip(&mut self.streams) {
            if poll.revents == 0 {
                continue;
            }
            let mut chunk = [0; 16 << 10];
            let read = stream.file.as_mut().map_or(Ok(0), |f| f.read(&mut chunk));
            match read {
                Ok(n) if n > 0 => {
                    some = true;
                    stream.bytes.extend_from_slice(&chunk[..n]);
                }
                // A terminal that nobody has open any more gives an error.
                _ => stream.file = None,
            }
        }
        // What is said beside the conversation is kept for messages alone.
        for stream in &mut self.streams[ERR..] {
            stream.bytes.truncate(MAX_SAID);
        }
        Ok(some)
    }

    /// Gives the worker its job, and answers it until it is done.
    pub(crate) fn job(&mut self, job: &wire::Job, answers: &Answers<'_>) -> Result<Told, End> {
        let body = postcard::to_stdvec(job).map_err(|e| End::Died(e.to_string()))?;
        self.send(wire::JOB, &Zeroizing::new(body))?;
        self.listen(answers)
    }

    /// Answers a worker until it tells what became of its job.
    pub(crate) fn listen(&mut self, answers: &Answers<'_>) -> Result<Told, End> {
        loop {
            let (kind, body) = self.receive()?;
            match kind {
                wire::RESULT => {
                    // It has nothing more to say, and sudo ends with it.
                    self.input = None;
                    return child::unsealed(&body).map(|r| Told::Result(Box::new(r)));
                }
                wire::STARTED => {
                    return Ok(Told::Background(
                        String::from_utf8_lossy(&body).into_owned(),
                    ));
                }
                kind => self.reply(kind, &body, answers)?,
            }
        }
    }

    fn receive(&mut self) -> Result<(u8, Vec<u8>), End> {
        loop {
            let bytes = &mut self.streams[OUT].bytes;
            if let Some(end) = wire::whole(bytes) {
                let message = wire::receive(&mut &bytes[..end]);
                bytes.drain(..end);
                return message.map_err(|e| End::Died(e.to_string()));
            }
            if self.streams[OUT].file.is_none() {
                let err = String::from_utf8_lossy(&self.streams[ERR].bytes);
                return Err(End::Died(format!(
                    "the task's process ended without a result (killed, or out of memory?) {}",
                    err.trim()
                )));
            }
            self.wait()?;
        }
    }

    fn reply(&mut self, kind: u8, body: &[u8], answers: &Answers<'_>) -> Result<(), End> {
        let assets = answers.assets;
        let list = |found: io::Result<Vec<_>>| {
            found.and_then(|list| postcard::to_stdvec(&list).map_err(io::Error::other))
        };
        let answer = match kind {
            wire::ENTRY => list(assets.entry(body).map(|e| e.into_iter().collect())),
            wire::BELOW => list(assets.below(body)),
            wire::READ | wire::STORED => {
                let mut parts = Parts { talk: self };
                let read = match kind {
                    wire::READ => assets.read(body, &mut parts),
                    _ => assets.read_as_stored(body, &mut parts),
                };
                read.map(|()| Vec::new())
            }
            #[cfg(feature = "full")]
            wire::ORIGIN => postcard::to_stdvec(&assets.origin(body)).map_err(io::Error::other),
            _ => render(body, answers.variables)
                .map(String::into_bytes)
                .map_err(io::Error::other),
        };
        match answer {
            Ok(answer) => {
                for part in answer.chunks(wire::CHUNK) {
                    self.send(wire::PART, part)?;
                }
                self.send(wire::END, &[])
            }
            Err(e) => self.send(wire::WRONG, e.to_string().as_bytes()),
        }
    }

    /// Writes a message.
    fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), End> {
        let mut message = Zeroizing::new(Vec::with_capacity(body.len() + 5));
        wire::send(&mut *message, kind, body).map_err(|e| End::Died(e.to_string()))?;
        // A pipe that can take something takes so much, so that a worker that hangs holds up nobody.
        for part in message.chunks(4096) {
            while !self.takes() {
                self.wait()?;
            }
            // A worker that is gone is told of by the end of its output.
            if let Some(input) = self.input.as_mut()
                && input.write_all(part).is_err()
            {
                self.input = None;
            }
        }
        Ok(())
    }

    /// Whether the worker's input takes something now.
    fn takes(&self) -> bool {
        let mut poll = libc::pollfd {
            fd: self.input.as_ref().map_or(-1, |input| input.as_raw_fd()),
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: one valid entry.
        poll.fd < 0 || unsafe { libc::poll(&raw mut poll, 1, 20) > 0 }
    }
}

impl Drop for Talk<'_> {
    fn drop(&mut self) {
        // Without a run to speak to the worker ends, and what started it; a process of another user cannot be told otherwise.
        self.input = None;
        self.streams = Default::default();
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end && matches!(self.child.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let _ = self.child.kill();
    }
}

/// Gives what is written to the worker, as parts of an answer.
struct Parts<'t, 'a> {
    talk: &'t mut Talk<'a>,
}

impl Write for Parts<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(wire::CHUNK)];
        let sent = self.talk.send(wire::PART, part);
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn render(body: &[u8], variables: &dyn Variables) -> Result<String, String> {
    let (text, name, about, options): (String, String, Map, Map) =
        postcard::from_bytes(body).map_err(|e| e.to_string())?;
    variables.render(&RenderRequest {
        text: &text,
        name: &name,
        about,
        options,
    })
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// What tells one start from all others: 32 letters.
fn new_key() -> String {
    let mut bytes = [0u8; 32];
    // Without randomness it is still no word that a program prints.
    let _ = getrandom::fill(&mut bytes);
    bytes.iter().map(|b| char::from(b'a' + b % 26)).collect()
}

/// A terminal of our own, for programs that ask nowhere else: the side that we hold, and the one that they get.
fn open_terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let failed = io::Error::last_os_error;
    // SAFETY: plain system calls, each checked; the descriptors are ours alone.
    unsafe {
        let master = libc::posix_openpt(libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        if master < 0 {
            return Err(failed());
        }
        let master = OwnedFd::from_raw_fd(master);
        let mut name = [0 as libc::c_char; 64];
        if libc::grantpt(master.as_raw_fd()) != 0
            || libc::unlockpt(master.as_raw_fd()) != 0
            || libc::ptsname_r(master.as_raw_fd(), name.as_mut_ptr(), name.len()) != 0
        {
            return Err(failed());
        }
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let slave = libc::open(name.as_ptr(), flags);
        if slave < 0 {
            return Err(failed());
        }
        Ok((master, OwnedFd::from_raw_fd(slave)))
    }
}
