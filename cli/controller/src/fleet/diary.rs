//! What came from the hosts of a run, in the order in which it came, on disk: enough to come to the same place again after the
//! controller was killed.
//!
//! The coordinator is the same for the same news, so it is led through them once more with nobody listening, and then goes on
//! with the sessions that had not ended. A piece of news is in the diary before anything is acknowledged to its host.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, PoisonError};

use rustle_formats::event::Event;
use rustle_runtime::engine::Request;
use serde::{Deserialize, Serialize};

use super::session::News;

/// The longest entry, in bytes: longer than any message.
const MAX_ENTRY: usize = 32 << 20;

/// One entry.
#[derive(Serialize, Deserialize)]
struct Entry {
    member: u32,
    told: Told,
}

#[derive(Serialize, Deserialize)]
enum Told {
    Starting,
    Event(Event),
    Ask(u64, Request),
    Ended,
    Lost(String),
    Refused(String),
}

/// An open diary. It holds what hosts tell of themselves, which may be secret.
pub struct Diary {
    /// None: it could not be written, and is worth nothing any more.
    file: Mutex<Option<File>>,
    /// None: it was begun by this process.
    past: Mutex<Option<Vec<(usize, News)>>>,
}

impl Diary {
    /// Begins one, in a new file for this user alone.
    ///
    /// # Errors
    /// What the system says.
    pub fn begin(path: &Path) -> io::Result<Diary> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Diary::of(file, None))
    }

    /// Goes on with one. An entry that was not written to its end is left out.
    ///
    /// # Errors
    /// What the system says, and where it was written by another version.
    pub fn again(path: &Path) -> io::Result<Diary> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut rest = bytes.as_slice();
        let mut past = Vec::new();
        while let Some((length, body)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(entry) = body.get(..length).filter(|_| length <= MAX_ENTRY) else {
                break;
            };
            let entry: Entry = postcard::from_bytes(entry).map_err(|e| {
                io::Error::other(format!("it is damaged, or of another version: {e}"))
            })?;
            let news = match entry.told {
                Told::Event(event) => News::Event(Box::new(event)),
                Told::Ask(id, request) => News::Ask(id, Box::new(request)),
                Told::Starting => News::Starting,
                Told::Ended => News::Ended,
                Told::Lost(why) => News::Lost(why),
                Told::Refused(why) => News::Refused(why),
            };
            past.push((entry.member as usize, news));
            rest = &body[length..];
        }
        let whole = (bytes.len() - rest.len()) as u64;
        file.set_len(whole)?;
        file.seek(io::SeekFrom::Start(whole))?;
        Ok(Diary::of(file, Some(past)))
    }

    fn of(file: File, past: Option<Vec<(usize, News)>>) -> Diary {
        Diary {
            file: Mutex::new(Some(file)),
            past: Mutex::new(past),
        }
    }

    /// What came before, once. Questions that were answered since, and whose answers change nothing here, are `None`.
    pub(super) fn take_past(&self) -> Option<std::vec::IntoIter<(usize, Option<News>)>> {
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        let mut went_on = BTreeSet::new();
        let mut out = Vec::new();
        for (member, news) in past.take()?.into_iter().rev() {
            let answered = !went_on.insert(member);
            let idle = matches!(&news, News::Ask(_, request) if changes_nothing(request));
            out.push((member, Some(news).filter(|_| !(answered && idle))));
        }
        out.reverse();
        Some(out.into_iter())
    }

    /// Writes down a piece of news and hands it on: in one order.
    pub(super) fn tell(&self, to: &Sender<(usize, News)>, member: usize, news: News) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match &news {
            News::Event(event) => Some(Told::Event((**event).clone())),
            News::Ask(id, request) => Some(Told::Ask(*id, (**request).clone())),
            News::Starting => Some(Told::Starting),
            News::Ended => Some(Told::Ended),
            News::Lost(why) => Some(Told::Lost(why.clone())),
            News::Refused(why) => Some(Told::Refused(why.clone())),
            News::Away(_) => None,
        };
        if let (Some(told), Some(out)) = (told, file.as_mut())
            && write(out, member, told).is_err()
        {
            // With a gap in it, it leads nowhere.
            let _ = out.set_len(0);
            *file = None;
        }
        // Nobody listens any more when the run is over.
        let _ = to.send((member, news));
    }
}

fn write(out: &mut File, member: usize, told: Told) -> io::Result<()> {
    let member = u32::try_from(member).map_err(io::Error::other)?;
    let mut bytes =
        postcard::to_extend(&Entry { member, told }, vec![0u8; 4]).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    out.write_all(&bytes)
}

/// Whether answering changes nothing but what the host knows.
fn changes_nothing(request: &Request) -> bool {
    matches!(
        request,
        Request::HostVars { .. }
            | Request::Ask(_)
            | Request::Secret { .. }
            | Request::Entry { .. }
            | Request::Below { .. }
            | Request::Read { .. }
    )
}
