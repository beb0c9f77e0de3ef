//! The thread that talks to a host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::thread::{self, JoinHandle};

use rustle_formats::event::Event;
use rustle_formats::session::Start;
use rustle_runtime::engine::Request;

use super::Way;
use crate::channel::Connection;
use crate::local::ChildConnection;
use crate::offer::PushArtifact;
use crate::orders::Orders;
use crate::push::{Progress, PushError, PushOptions, push};
use crate::ssh::SshConnection;

/// What comes from a host.
pub(super) enum News {
    /// Something happened there.
    Event(Box<Event>),
    /// Its engine asks.
    Ask(u64, Box<Request>),
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
    pub tell: Sender<(usize, News)>,
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
        // Nobody listens any more when the run is over.
        let _ = self.tell.send((self.member, news));
    }

    fn converse(&self) -> Result<(), PushError> {
        match &self.way {
            Way::Child => self.push(&mut self.child.clone()),
            Way::Ssh(to) => {
                let (destination, options) = &**to;
                let mut connection = SshConnection::open(destination, options).map_err(|e| {
                    PushError::Lost(format!("Failed to connect to the host via ssh: {e}"))
                })?;
                self.push(&mut connection)
            }
            Way::Program(program) => {
                self.push(&mut program.as_ref().clone())
                    .map_err(|e| match e {
                        // The program itself could not get there.
                        PushError::Host(why) | PushError::Lost(why) => {
                            PushError::Lost(program.explain(&why))
                        }
                        e => e,
                    })
            }
        }
    }

    fn push(&self, connection: &mut dyn Connection) -> Result<(), PushError> {
        let options = PushOptions {
            start: self.start.clone(),
            cancelled: &|| self.cancelled.load(Ordering::Relaxed),
            orders: Some(&self.orders),
        };
        push(connection, &self.artifact, &options, &mut |progress| {
            let news = match progress {
                Progress::Event(event) => News::Event(Box::new(event.clone())),
                Progress::Ask { id, body } => match postcard::from_bytes(&body) {
                    Ok(request) => News::Ask(id, Box::new(request)),
                    Err(e) => News::Lost(format!("the host asks what cannot be understood: {e}")),
                },
                _ => return,
            };
            let _ = self.tell.send((self.member, news));
        })
        .map(|_| ())
    }
}
