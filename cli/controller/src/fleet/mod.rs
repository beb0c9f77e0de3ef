//! One plan on several hosts.
//!
//! Every host has a session: a runner of its own, in a process on this machine or behind ssh, whose engine goes through
//! the plan and asks for its turn before every task. The coordinator here answers: it lets the hosts of a play meet where
//! the play's strategy says so, decides what a failure means for the others, carries facts and results from one host to
//! the other, serves files and secrets, and makes one stream of all events.
//!
//! ```text
//! mod          what a run is given, and the run over all plays
//! member       a host of the run: its session, what it waits for, what is known of it
//! diary        what was heard of the hosts, to go on with after the controller was killed
//! session      the thread that talks to a host
//! questions    files, secrets and variables that hosts ask for
//! permits      what they may ask for
//! delegate     tasks that another host does
//! batches      the order of a play's hosts, and how many run at a time
//! play         one play: its batches, and what follows from their end
//! linear       the strategy where all hosts meet before every task
//! free         the strategies where they do not
//! verdict      what an ending means for the others
//! story        one stream of events from all
//! ```

mod batches;
mod delegate;
mod diary;
mod free;
mod linear;
mod member;
mod past;
mod permits;
mod play;
mod questions;
mod session;
mod story;
mod synchronize;
mod verdict;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::event::Event;
use rustle_formats::plan::{ExecutionPlan, PlayPlan};
use rustle_formats::session::{RunKey, Start};
use rustle_runtime::engine::{Confirm, Controller};
use zeroize::Zeroizing;

use crate::destination::Destination;
use crate::local::DiskFiles;
use crate::offer::PushArtifact;
use crate::program::ProgramConnection;
use crate::ssh::SshOptions;
use crate::survival::Patience;

pub use diary::Diary;
use play::Coordinator;

/// How a host is reached.
#[derive(Clone)]
pub enum Way {
    /// A process on this machine.
    Child,
    /// ssh, by libssh2.
    Ssh(Box<(Destination, SshOptions)>),
    /// Another program: the system's ssh, or the client of a container or a chroot.
    Program(Box<ProgramConnection>),
}

/// What is known of the hosts outside of the run.
pub trait Roster {
    /// The hosts of a play by its index, in the order of the inventory, as the inventory is now.
    ///
    /// # Errors
    /// A sentence, where the play's pattern is wrong.
    fn hosts(&mut self, play: usize) -> Result<Vec<String>, String>;

    /// How a host is reached, with what its play says of the connection.
    ///
    /// # Errors
    /// A sentence, where its variables ask for what cannot be done.
    fn way(&mut self, host: &str, play: Option<&PlayPlan>) -> Result<Way, String>;

    /// The connection by which Ansible would reach a host, by its name, and the variables that tell it how.
    ///
    /// # Errors
    /// As [`Roster::way`].
    fn connection(&mut self, host: &str, play: Option<&PlayPlan>) -> Result<(String, Map), String>;

    /// Takes in a host and the groups that it belongs to (`add_host`); whether anything is new.
    ///
    /// # Errors
    /// A sentence, where a name cannot be one.
    fn add_host(&mut self, name: &str, groups: &[String], vars: &Map) -> Result<bool, String>;

    /// Takes in a group, the groups above it, and a host of it (`group_by`); whether anything is new.
    ///
    /// # Errors
    /// A sentence, where a name cannot be one.
    fn add_group(&mut self, name: &str, parents: &[String], host: &str) -> Result<bool, String>;

    /// Reads the inventory again (`meta: refresh_inventory`).
    ///
    /// # Errors
    /// A sentence, where that does not work.
    fn refresh(&mut self) -> Result<(), String>;

    /// Every group with all of its hosts.
    fn groups(&mut self) -> Vec<(String, Vec<String>)>;

    /// A host's variables, as the inventory has them.
    ///
    /// # Errors
    /// A sentence, where a file of variables is wrong.
    fn vars(&mut self, host: &str) -> Result<Map, String>;

    /// The facts that are known of a host before the run.
    fn facts(&mut self, host: &str) -> Map;

    /// Keeps what is known of a host after it.
    fn keep_facts(&mut self, host: &str, facts: &Map);
}

/// Makes an artifact of a plan: what delegated tasks are sent as.
pub type Packing<'a> = dyn Fn(ExecutionPlan) -> Result<PushArtifact, String> + 'a;

/// A run on several hosts.
pub struct Fleet<'a> {
    /// The plan.
    pub plan: &'a ExecutionPlan,
    /// The same as an artifact.
    pub artifact: Arc<PushArtifact>,
    /// How delegated tasks become artifacts.
    pub pack: &'a Packing<'a>,
    /// How to run: options that are the same for every host.
    pub start: Start,
    /// How many hosts work at a time.
    pub forks: usize,
    /// The files that tasks name.
    pub files: DiskFiles,
    /// The controller's lookups and plugins.
    pub controller: &'a dyn Controller,
    /// The texts of secrets by name.
    pub secrets: IndexMap<String, Zeroizing<String>>,
    /// The runner, as a program on this machine.
    pub program: PathBuf,
    /// A private folder for what runners on this machine keep.
    pub cache: PathBuf,
    /// Asks whether to do a task, by its name; on all hosts or on none. Default: nobody is asked.
    pub confirm: Option<&'a dyn Fn(&str) -> Confirm>,
    /// Takes every event, in order.
    pub emit: &'a dyn Fn(&Event),
    /// Whether the user wants to stop.
    pub cancelled: Arc<AtomicBool>,
    /// The key from which those of the sessions come, so that they outlive their connections. Default: they do not.
    pub key: Option<RunKey>,
    /// Where what the hosts tell is written down, so that the run can be gone on with where this process is killed. Where
    /// there is something in it, this is that. Default: nowhere.
    pub diary: Option<Arc<Diary>>,
    /// How long a lost connection is sought.
    pub patience: Patience,
    /// Identifies the run in its events: 32 hexadecimal digits.
    pub run_id: String,
}

impl Fleet<'_> {
    /// Runs it; gives ansible-playbook's exit code.
    pub fn run(&self, roster: &mut dyn Roster) -> u8 {
        Coordinator::new(self, roster).run()
    }
}
