//! Who drives a run: the artifact started by hand, a session over ssh, or the command line for `connection: local`.
//!
//! The engine is the same for all three. What only the outside can give (files, secrets, the clock, leave to go on, the
//! work of a controller) comes through [`Driver`]; a driver without a controller answers [`Reply::Refused`].

use std::path::PathBuf;
use std::time::SystemTime;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::event::Event;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Controller;
use crate::assets::Assets;

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
    /// This program, for starting it again as another user where the engine is not root.
    pub program: Option<PathBuf>,
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

    /// What the process knows.
    fn machine(&self) -> &Machine;

    /// The controller, where the run has one in its process.
    fn controller(&self) -> Option<&dyn Controller> {
        None
    }
}

/// A place in a run, the same on every host: the play, and how many of its tasks have been passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Index of the play.
    pub play: u32,
    /// How many tasks of the play came before.
    pub task: u32,
}

/// Why hosts meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Meeting {
    /// A play begins.
    PlayStart,
    /// Before a task whose effects or observations leave the host.
    Task,
    /// Before handlers are run.
    Handlers,
    /// A play has ended here.
    PlayEnd,
}

/// What a run asks its driver for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Leave to go on, when the other hosts of the batch have come as far.
    Barrier {
        /// Where.
        position: Position,
        /// The task's id, or empty.
        task: String,
        /// Why.
        meeting: Meeting,
        /// Whether this host has failed in the play.
        failed: bool,
    },
    /// The variables of another host, as they are when it has passed the position.
    HostVars {
        /// The other host.
        host: String,
        /// The position.
        position: Position,
    },
    /// The result of a task that one host does for all. [`Reply::Go`] makes this host the one.
    RunOnce {
        /// Where.
        position: Position,
        /// The task's id.
        task: String,
    },
    /// The result of a `run_once` task that this host did for all.
    RunOnceDone {
        /// The task's id.
        task: String,
        /// The result.
        result: Map,
    },
    /// Work for the controller or for another host: a delegated task, a module that runs there.
    Action {
        /// Where.
        position: Position,
        /// The task's id.
        task: String,
        /// The host that shall do it.
        delegate_to: String,
        /// The module's full name.
        module: String,
        /// Its templated arguments.
        args: Map,
        /// Whether nothing may be changed.
        check: bool,
        /// Whether differences are wanted.
        diff: bool,
    },
}

/// What a driver answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    /// There is nobody who could: the sentence says why.
    Refused(String),
    /// Go on.
    Go,
    /// The play ends here for this host: other hosts failed (`any_errors_fatal`, `max_fail_percentage`), with the reason.
    Stop(String),
    /// Another host's variables.
    Vars(Map),
    /// A result.
    Result(Map),
}
