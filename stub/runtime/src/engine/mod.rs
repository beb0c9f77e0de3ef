//! The engine: runs the plays of a plan for one host, task by task, as ansible-playbook does.
//!
//! From the outside in: [`Runner`] goes through the plays; `play` through a play's batches, blocks and handlers;
//! `task` decides whether a task is done and how often; `attempt` tries it until it is right; `invoke` calls the
//! module, here or in a child process. What happens is told as events; the outside is asked through [`Driver`].

mod ahead;
mod applied;
mod asked;
mod attempt;
mod batches;
mod blocks;
pub(crate) mod child;
mod controller;
#[cfg(feature = "full")]
mod deliver;
mod driver;
mod frame;
mod handlers;
mod hosts;
mod includes;
mod invoke;
mod jobs;
mod keywords;
mod level;
mod list;
mod loops;
mod meta;
#[cfg(feature = "full")]
mod mirror;
mod options;
#[cfg(feature = "full")]
mod outage;
mod play;
mod rehearse;
mod result;
mod role;
mod runner;
mod tags;
mod task;
mod together;
mod turns;

pub use asked::{Asked, Plugin, Question, answer};
#[cfg(feature = "full")]
pub(crate) use attempt::HIDDEN;
pub(crate) use attempt::{name_free_form, with_defaults};
pub use controller::Controller;
#[cfg(feature = "full")]
pub use deliver::Delivery;
pub use driver::{Action, Confirm, Driver, Machine, READ_CHUNK, Reply, Request};
pub(crate) use frame::Frame;
pub use hosts::choose_host;
#[cfg(feature = "full")]
pub(crate) use includes::clean;
pub(crate) use includes::{included_files, is_include};
#[cfg(feature = "full")]
pub(crate) use invoke::Call;
pub(crate) use invoke::run_module;
pub(crate) use jobs::{Background, background};
pub(crate) use keywords::{flag, words};
pub(crate) use level::Level;
pub use list::{ListedTask, list_tasks};
pub(crate) use meta::{ACTIONS as META_ACTIONS, action as meta_action, is_meta};
#[cfg(feature = "full")]
pub use mirror::READY as SYNCHRONIZE_HERE;
pub use options::Options;
#[cfg(feature = "full")]
pub use outage::{OF_CONTROLLER, waits_for_machines};
pub(crate) use play::glob as fits;
pub(crate) use role::{Role, below, stem};
pub use runner::{RunSummary, Runner};
pub use together::{Once, Outcome, Since, Update};
