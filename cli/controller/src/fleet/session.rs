//! The thread that talks to a host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use rustle_formats::event::Event;
use rustle_formats::session::{RunKey, Start};
use rustle_runtime::engine::Request;

use super::Way;
use super::diary::Diary;
use crate::channel::Connection;
use crate::local::ChildConnection;
use crate::offer::PushArtifact;
use crate::orders::Orders;
use crate::push::{Progress, PushError, PushOptions, push};
use crate::ssh::SshConnection;
use crate::survival::{Patience, Survival, resume};

/// What comes from a host.
pub(super) enum News {
    /// Its run is about to begin: from here on it may have.
    Starting,
    /// Something happened there.
    Event(Box<Event>),
    /// Its engine asks.
    Ask(u64, Box<Request>),
    /// The connection was lost, and is sought again: why.
    Away(String),
    /// The session ended as it should.
    Ended,
    /// It could not be reached, or was lost on the way: why.
    Lost(String),
    /// Its runner refused to run, which is nobody's absence: why.
    Refused(String),
}

/// What a session is made of.
pub(super) struct Session {
    /// The host's place among the members.
    pub member: usize,
    pub way: Way,
    /// The runner on this machine.
    pub child: ChildConnection,
    pub artifact: Arc<PushArtifact>,
    pub start: Start,
    pub orders: Arc<Orders>,
    pub cancelled: Arc<AtomicBool>,
    /// The key by which the session can be come back to, and how long to try. None: on this machine.
    pub key: Option<(RunKey, Patience)>,
    pub tell: Sender<(usize, News)>,
    /// Where news are written down first.
    pub diary: Option<Arc<Diary>>,
    /// How many of its messages have been dealt with by a controller that was killed: then the session is come back to.
    pub resumed: Option<u64>,
}

impl Session {
    /// Starts the thread. It ends when the session does.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn begin(self) -> std::io::Result<JoinHandle<()>> {
        let name = format!("host {}", self.member);
        thread::Builder::new()
            .name(name)
            .spawn(move || self.serve())
    }

    fn serve(self) {
        let news = match self.converse() {
            Ok(()) => News::Ended,
            Err(PushError::Refused { message, .. }) => News::Refused(message),
            Err(e) => News::Lost(e.to_string()),
        };
        self.report(news);
    }

    fn report(&self, news: News) {
        match &self.diary {
            Some(diary) => diary.tell(&self.tell, self.member, news),
            None => {
                // Nobody listens any more when the run is over.
                let _ = self.tell.send((self.member, news));
            }
        }
    }

    fn converse(&self) -> Result<(), PushError> {
        let pushed = match self.resumed {
            Some(_) => self.push(None),
            None => {
                let mut connection = self.connect().map_err(PushError::Lost)?;
                self.push(Some(connection.as_mut()))
            }
        };
        match &self.way {
            Way::Program(program) => pushed.map_err(|e| match e {
                // The program itself could not get there.
                PushError::Host(why) | PushError::Lost(why) => {
                    PushError::Lost(program.explain(&why))
                }
                e => e,
            }),
            _ => pushed,
        }
    }

    fn connect(&self) -> Result<Box<dyn Connection>, String> {
        Ok(match &self.way {
            Way::Child => Box::new(self.child.clone()),
            Way::Ssh(to) => {
                let (destination, options) = &**to;
                let opened = SshConnection::open(destination, options);
                Box::new(opened.map_err(|e| format!("Failed to connect to the host via ssh: {e}"))?)
            }
            Way::Program(program) => program.clone(),
        })
    }

    fn push(&self, connection: Option<&mut dyn Connection>) -> Result<(), PushError> {
        let reconnect = || self.connect();
        let survival = self.key.as_ref().map(|(key, patience)| Survival {
            key: key.clone(),
            patience: *patience,
            reconnect: &reconnect,
            note: &|_| {},
        });
        let options = PushOptions {
            survival,
            start: self.start.clone(),
            cancelled: &|| self.cancelled.load(Ordering::Relaxed),
            orders: Some(&self.orders),
            place_only: false,
        };
        let mut progress = |progress: Progress<'_>| {
            self.report(match progress {
                Progress::Event(event) => News::Event(Box::new(event.clone())),
                Progress::Ask { id, body } => match postcard::from_bytes(&body) {
                    Ok(request) => News::Ask(id, Box::new(request)),
                    Err(e) => News::Lost(format!("the host asks what cannot be understood: {e}")),
                },
                Progress::Starting => News::Starting,
                Progress::Lost(why) => News::Away(why.to_owned()),
                _ => return,
            });
        };
        let artifact = &self.artifact;
        match (connection, &options.survival, self.resumed) {
            (_, Some(survival), Some(received)) => {
                resume(survival, artifact, &options, &mut progress, received)
            }
            (Some(connection), _, None) => push(connection, artifact, &options, &mut progress),
            _ => Err(PushError::Lost(
                "it ran as a process of the controller that was killed, and ended with it"
                    .to_owned(),
            )),
        }
        .map(|_| ())
    }
}
