//! What a controller and a runner say to each other over one channel.
//!
//! The channel is a pair of byte streams (an ssh exec channel's stdin and stdout). Each side writes frames: a length in
//! four bytes, little-endian, then one message as postcard. `docs/FORMAT.md` has the normative text.
//!
//! ```text
//! controller                          runner
//!            ◀── Welcome ──
//! ── Offer (what the artifact is made of) ──▶
//!            ◀── Need (pieces that the cache lacks, and from where) ──
//! ── Data … ──▶
//!            ◀── Assembled ──
//! ── Start ──▶
//!            ◀── Event … ──        ── Ack … ──▶
//!            ◀── Ask ──            ── Answer ──▶
//!            ◀── Finished ──       ── Ack ──▶
//!
//! over another channel, where that one was lost:
//!
//! ── Attach ──▶
//!            ◀── Attached ──, and all that did not arrive; or, where the runner has ended,
//!            ◀── Remains … ──      ── Ack ──▶
//! ```

mod framing;
pub mod fuzz;
mod pieces;
mod survival;

use serde::{Deserialize, Serialize};

pub use framing::{FrameError, FrameReader, encode_frame};
pub use pieces::{Piece, PieceSource};
pub use survival::{RunKey, Survive};

use crate::event::Event;
use crate::value::Map;

/// The version of the protocol. Both sides name theirs first and stop where they differ.
pub const SESSION_VERSION: u32 = 8;

/// The longest frame in bytes, length not counted. A longer one is refused before it is allocated.
pub const MAX_FRAME: usize = 16 << 20;
/// The longest overlay that is sent beside an artifact, in bytes: it and the rest of its message fit into a frame.
pub const MAX_OVERLAY_SENT: u64 = 15 << 20;

/// The most content bytes that one [`Down::Data`] carries.
pub const MAX_DATA: usize = 64 << 10;

/// Bytes that are written and read as one, not one by one.
pub type Bytes = serde_bytes::ByteBuf;

/// From the controller to the runner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Down {
    /// What the artifact is made of. The first message.
    Offer(Offer),
    /// Content of a piece that was asked for.
    Data {
        /// The file: 0 the artifact, 1 its sidecar.
        file: u8,
        /// The piece's place in the offer.
        piece: u32,
        /// Where in the piece the bytes belong.
        offset: u64,
        /// The bytes, at most [`MAX_DATA`].
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Run it.
    Start(Box<Start>),
    /// So many messages have arrived and need not be kept: those that count, see [`Up::counts`].
    Ack {
        /// How many, from the first one on.
        received: u64,
    },
    /// Stop: after the current step, or at once.
    Cancel {
        /// Whether the current step is aborted.
        now: bool,
    },
    /// The answer to an [`Up::Ask`].
    Answer {
        /// The question's number.
        id: u64,
        /// The answer, in the engine's own form; or why there is none.
        body: Result<Bytes, String>,
    },
    /// Are you there?
    Ping,
    /// The controller comes back to a session whose channel was lost. The first message of another channel.
    Attach {
        /// [`SESSION_VERSION`].
        version: u32,
        /// The session's key.
        key: RunKey,
        /// How many messages have arrived.
        received: u64,
    },
}

/// What an artifact is made of, so that the runner can put it together from what its cache holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// [`SESSION_VERSION`].
    pub version: u32,
    /// The artifact's root: the name under which the cache keeps it.
    pub root: [u8; 32],
    /// The pieces of the artifact's file, in order, without gaps.
    pub artifact: Vec<Piece>,
    /// The pieces of its sidecar, if it has one.
    pub sidecar: Vec<Piece>,
    /// How many bytes the cache may hold after the run; the least recently used goes first.
    pub cache_limit: u64,
}

/// How to run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Start {
    /// The host to act as, by inventory name.
    pub host: Option<String>,
    /// The host's overlay, where it does not lie in the artifact: at most [`MAX_OVERLAY_SENT`] bytes. It stays in memory.
    pub overlay: Option<Vec<u8>>,
    /// Change nothing, predict.
    pub check: bool,
    /// Show differences.
    pub diff: bool,
    /// How many `-v`.
    pub verbosity: u8,
    /// Only tasks with one of these tags.
    pub tags: Vec<String>,
    /// No tasks with one of these tags.
    pub skip_tags: Vec<String>,
    /// The task to begin with.
    pub start_at_task: Option<String>,
    /// Variables that win over all others.
    pub extra_vars: Map,
    /// Whether handlers run after a failure.
    pub force_handlers: bool,
    /// Seconds that the run may take.
    pub timeout: Option<u64>,
    /// Keys that open the sealed secrets. They stay in memory.
    pub keys: Vec<Key>,
    /// The password for becoming another user, as [`Key::Passphrase`]. It stays in memory.
    pub become_password: Option<Key>,
    /// Seconds to wait for another run on the machine to end; 0: do not wait.
    pub wait_lock: u64,
    /// Whether the controller answers for files, secrets and the other hosts of the run. It then keeps the events too: the
    /// runner has no journal, no report and no lock of its own.
    pub attended: bool,
    /// Why the host cannot be reached, where this runner only stands in for it: what would run there fails so.
    pub unreachable: Option<String>,
    /// Whether notifying what is no handler is a warning, and no error.
    pub unknown_handlers: bool,
    /// Whether conditions may have results that are no booleans.
    pub broken_conditionals: bool,
    /// Whether somebody is asked before every task: then the only host of a play asks for its turns, too.
    pub step: bool,
    /// Whether the engine runs apart from the host's machine, so that what is for that is asked for as a delegated task.
    pub apart: bool,
    /// How many hosts work at a time, as `ansible_forks` says; 0: as Ansible does by default.
    pub forks: u32,
    /// Which of the controller's files lie in the artifact. Without it, the controller is asked for each.
    pub near: Option<Near>,
    /// How the runner goes on where the channel is lost. Without it, it stops then.
    pub survive: Option<Survive>,
}

/// What an artifact knows of the controller's files, as they were when it was packed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Near {
    /// Names of which the controller has no file.
    pub absent: Vec<Vec<u8>>,
    /// Folders that are packed whole. Of others it knows single files only.
    pub folders: Vec<Vec<u8>>,
}

/// A key on its way. `Debug` hides it.
#[derive(
    Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop,
)]
pub enum Key {
    /// The text of a key file or of `RUSTLE_ENCRYPTION_KEY`.
    Raw(String),
    /// A passphrase.
    Passphrase(String),
    /// The text of an X25519 identity file.
    Identity(String),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Key::Raw(_) => "Key::Raw(…)",
            Key::Passphrase(_) => "Key::Passphrase(…)",
            Key::Identity(_) => "Key::Identity(…)",
        })
    }
}

/// From the runner to the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Up {
    /// Who is there. The first message.
    Welcome {
        /// [`SESSION_VERSION`].
        version: u32,
        /// The version of the runner.
        runner: String,
        /// The triple that it was built for.
        target: String,
        /// BLAKE3 of the runner's own file, so that a damaged one is sent again.
        stub: [u8; 32],
        /// The cache's folder.
        cache: String,
        /// What tells this machine's files from others': see `rustle_runtime::this_machine`.
        machine: String,
    },
    /// What the cache lacks.
    Need {
        /// File (0 artifact, 1 sidecar), piece, and the offset to begin with: a partial transfer goes on there.
        pieces: Vec<(u8, u32, u64)>,
    },
    /// The artifact is whole and checked.
    Assembled,
    /// Something happened.
    Event(Event),
    /// The engine needs something that only the controller has.
    Ask {
        /// A number to answer to.
        id: u64,
        /// The question, in the engine's own form.
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
    },
    /// The run ended. The last message.
    Finished {
        /// The exit code.
        exit_code: u8,
        /// The report as JSON, empty where the run did not begin.
        report: String,
    },
    /// It cannot go on. The last message.
    Refused {
        /// The exit code.
        exit_code: u8,
        /// One sentence.
        message: String,
    },
    /// Yes.
    Pong,
    /// The controller is welcome back; what did not arrive follows.
    Attached,
    /// The runner has ended and nobody was there to hear it: what it left, sealed under the session's key.
    Remains {
        /// A part of its journal of the session.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
        /// Whether another part follows.
        more: bool,
    },
    /// There is no such session: why. The last message.
    Gone {
        /// One sentence.
        message: String,
    },
}

impl Up {
    /// Whether the message is one of those that are numbered, from 0 on, and kept until the controller has them.
    pub fn counts(&self) -> bool {
        matches!(
            self,
            Up::Event(_) | Up::Ask { .. } | Up::Finished { .. } | Up::Refused { .. }
        )
    }
}
