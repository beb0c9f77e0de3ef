//! The open line to the controller while a run is under way: events out, answers and orders in.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rustle_formats::session::{Bytes, Down, FrameReader, Up, encode_frame};

/// How often the runner shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// An answer to a question: its number, and the answer.
type Answer = (u64, Result<Vec<u8>, String>);

/// The line. It is shared by the engine's thread, the one that listens and the one whose heart beats.
pub struct Link {
    shared: Arc<Shared>,
    answers: Mutex<Receiver<Answer>>,
    to_answers: Sender<Answer>,
    next_question: AtomicU64,
}

struct Shared {
    out: Mutex<Box<dyn Write + Send>>,
    cancelled: AtomicBool,
    lost: AtomicBool,
}

impl Link {
    /// A line that writes there.
    pub(super) fn new(out: Box<dyn Write + Send>) -> Link {
        let (to_answers, answers) = channel();
        Link {
            shared: Arc::new(Shared {
                out: Mutex::new(out),
                cancelled: AtomicBool::new(false),
                lost: AtomicBool::new(false),
            }),
            answers: Mutex::new(answers),
            to_answers,
            next_question: AtomicU64::new(1),
        }
    }

    /// Sends a message. Where the controller has gone the message is dropped: the journal has it.
    pub fn send(&self, message: &Up) {
        self.shared.send(message);
    }

    /// Whether the run shall stop: the controller said so, or is gone.
    pub fn cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed) || self.lost()
    }

    /// Whether the controller is gone.
    pub fn lost(&self) -> bool {
        self.shared.lost.load(Ordering::Relaxed)
    }

    /// Asks the controller and waits for its answer.
    ///
    /// # Errors
    /// What the controller answers in place of an answer, or that it is gone.
    pub fn ask(&self, body: Vec<u8>) -> Result<Vec<u8>, String> {
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

    /// Begins to listen and to beat. `reader` may hold bytes that came already.
    pub(super) fn listen(&self, reader: FrameReader) {
        let shared = Arc::clone(&self.shared);
        let answers = self.to_answers.clone();
        thread::spawn(move || shared.listen(reader, &answers));
        let shared = Arc::clone(&self.shared);
        thread::spawn(move || {
            while !shared.lost.load(Ordering::Relaxed) {
                thread::sleep(HEARTBEAT);
                shared.send(&Up::Pong);
            }
        });
    }
}

impl Shared {
    fn send(&self, message: &Up) {
        let Ok(frame) = encode_frame(message) else {
            return;
        };
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        if out.write_all(&frame).and_then(|()| out.flush()).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }

    fn listen(&self, mut reader: FrameReader, answers: &Sender<Answer>) {
        let mut buffer = [0u8; 16 << 10];
        loop {
            loop {
                match reader.take::<Down>() {
                    Ok(Some(Down::Cancel { .. })) => {
                        self.cancelled.store(true, Ordering::Relaxed);
                    }
                    Ok(Some(Down::Answer { id, body })) => {
                        // Nobody listens any more when the run is over.
                        let _ = answers.send((id, body.map(Bytes::into_vec)));
                    }
                    Ok(Some(Down::Ping)) => self.send(&Up::Pong),
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(_) => {
                        self.lost.store(true, Ordering::Relaxed);
                        return;
                    }
                }
            }
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => reader.push(&buffer[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        self.lost.store(true, Ordering::Relaxed);
    }
}
