//! Who drives a run: the artifact started by hand, a session over ssh, or the command line for `connection: local`.
//!
//! The engine is the same for all three. What only the outside can give (files, secrets, the clock, leave to go on, the
//! work of a controller) comes through [`Driver`]; a driver without a controller answers [`Reply::Refused`].

use std::path::PathBuf;
use std::time::SystemTime;

use indexmap::IndexMap;
use rustle_formats::event::Event;
use rustle_formats::session::Bytes;
use rustle_formats::{Map, Value};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Controller;
use super::asked::Question;
use super::together::{Once, Since, Update};
use crate::assets::{AssetEntry, Assets};

/// What the process knows and the engine must be told.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The process's environment.
    pub env: IndexMap<String, String>,
    /// The folder that relative paths of modules start from.
    pub cwd: PathBuf,
    /// A private folder for temporary files, 0700. Folders for other users are made beside it.
    pub work_dir: PathBuf,
    /// Where background tasks leave their state: `~/.ansible_async` by default. It outlives the run.
    pub async_dir: Option<PathBuf>,
    /// This program, for starting it again as another user where the engine is not root: with [`crate::WORKER`] as its only
    /// argument it serves as a [`crate::Worker`].
    pub program: Option<PathBuf>,
    /// How many bytes of its file the program itself has, where something is packed behind it.
    pub image: Option<u64>,
}

/// The outside of a run.
pub trait Driver {
    /// Takes an event. Events come in order, from one thread.
    fn emit(&self, event: Event);

    /// The files that came with the plan.
    fn assets(&self) -> &dyn Assets;

    /// The text of a sealed secret.
    ///
    /// # Errors
    /// A sentence, where there is no such secret or no key for it.
    fn secret(&self, name: &str) -> Result<Zeroizing<String>, String>;

    /// Asks for what needs a controller.
    fn ask(&self, request: Request) -> Reply;

    /// The clock.
    fn now(&self) -> SystemTime;

    /// Whether the run shall stop (a signal, a lost session).
    fn cancelled(&self) -> bool;

    /// Asks whether to do a task, told as `TASK: NAME`, under [`super::Options::step`]. Default: to do it.
    fn confirm(&self, _task: &str) -> Confirm {
        Confirm::Yes
    }

    /// What the process knows.
    fn machine(&self) -> &Machine;

    /// The controller, where the run has one in its process.
    fn controller(&self) -> Option<&dyn Controller> {
        None
    }
}

/// How much of a file one answer carries, in bytes.
pub const READ_CHUNK: usize = 4 << 20;

/// Whether to do a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Do it.
    Yes,
    /// Leave it out.
    No,
    /// Do it, and ask no more in this play.
    All,
}

/// What a run asks its driver for. The first four are asked only where [`super::Options::attended`] says that somebody
/// answers for other hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Leave to begin with a play; the one before is done. Answered by [`Reply::Play`], or [`Reply::Pass`] where it is not
    /// for this host.
    Play {
        /// Its index; the number of plays when all are done.
        index: u32,
        /// What happened before.
        since: Since,
    },
    /// Leave to run a task: [`Reply::Go`], [`Reply::Pass`] where another host did it for all, [`Reply::Fail`] or
    /// [`Reply::EndPlay`].
    Turn {
        /// Where the task stands: in the order of the play, places are sorted.
        place: Vec<u32>,
        /// The task's id.
        task: String,
        /// Whether one host does it for all.
        once: Once,
        /// Whether a rescue would catch a failure here.
        rescued: bool,
        /// How many hosts may do it at a time; 0: any number.
        throttle: u32,
        /// What happened before.
        since: Since,
    },
    /// Whether to go on after a task whose failure concerns others: answered as [`Request::Turn`] is.
    Done {
        /// Whether a failure ends the play for all.
        fatal: bool,
        /// Whether a rescue would catch a failure here.
        rescued: bool,
        /// What happened.
        since: Since,
    },
    /// In which order to follow what the task wants to be included: [`Reply::Order`] with a number for each.
    Includes {
        /// What tells one from the other.
        keys: Vec<String>,
    },
    /// Takes in a host or a group: the result of `add_host` or `group_by`. Answered by [`Reply::Go`] where nothing is new,
    /// by [`Reply::Pass`] where something is.
    Inventory {
        /// The result.
        named: Map,
    },
    /// The variables of another host.
    HostVars {
        /// The other host.
        host: String,
    },
    /// Work for the controller or for another host: a delegated task, a module that runs there.
    Action(Box<Action>),
    /// What only the controller can evaluate: [`Reply::Value`], or [`Reply::Pass`] where it has nothing of that name.
    Ask(Box<Question>),
    /// The text of a secret: [`Reply::Text`].
    Secret {
        /// Its name.
        name: String,
    },
    /// An asset's entry: [`Reply::Entries`] with one or none.
    Entry {
        /// Its path.
        path: Vec<u8>,
    },
    /// All entries below a folder: [`Reply::Entries`].
    Below {
        /// The folder.
        path: Vec<u8>,
    },
    /// Part of a file: [`Reply::Bytes`].
    Read {
        /// Its path.
        path: Vec<u8>,
        /// Where to begin.
        offset: u64,
    },
    /// To keep a file of this host: [`Reply::Text`] with the place of one that is wanted or was written, [`Reply::Value`] with
    /// that of one that is there already.
    #[cfg(feature = "full")]
    Keep(Box<super::Delivery>),
}

/// A module that another host shall run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// The task's id.
    pub task: String,
    /// The host that shall do it.
    pub delegate_to: String,
    /// The module's full name.
    pub module: String,
    /// Its templated arguments.
    pub args: Map,
    /// The variables that the module renders templates with, where it does.
    pub vars: Map,
    /// The folders in which files are looked for.
    pub folders: Vec<String>,
    /// The environment of the task.
    pub environment: Map,
    /// The user to become there, with method, flags and program, and `async` with `poll`, by the keywords' names.
    pub escalation: Map,
    /// Whether nothing may be changed.
    pub check: bool,
    /// Whether differences are wanted.
    pub diff: bool,
    /// Seconds that it may take; 0: any number.
    pub timeout: u64,
}

/// What a driver answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// There is nobody who could: the sentence says why.
    Refused(String),
    /// Go on.
    Go(Vec<Update>),
    /// Go on with what comes after.
    Pass(Vec<Update>),
    /// Others failed: this host has failed, too.
    Fail(Vec<Update>),
    /// The play ends here for this host.
    EndPlay(Vec<Update>),
    /// A play begins.
    Play {
        /// The play's hosts, all batches together.
        hosts: Vec<String>,
        /// Those of them that run now.
        batch: Vec<String>,
        /// Those of them that have failed already.
        gone: Vec<String>,
        /// What happened before.
        updates: Vec<Update>,
    },
    /// Another host's variables.
    Vars {
        /// What the inventory says of it, where the plan does not know.
        inventory: Option<Map>,
        /// Its facts.
        facts: Map,
        /// What tasks set.
        vars: Map,
    },
    /// A result.
    Result(Map),
    /// What came of a question.
    Value(Value),
    /// Numbers by which to sort.
    Order(Vec<u32>),
    /// A text. It is secret.
    Text(String),
    /// Entries of assets.
    Entries(Vec<AssetEntry>),
    /// Bytes of a file: fewer than [`READ_CHUNK`] at its end.
    Bytes(Bytes),
}
