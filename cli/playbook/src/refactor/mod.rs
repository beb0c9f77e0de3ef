//! Rewrites of playbooks that keep comments and layout: whole lines are moved or taken out, nothing else changes.

mod delegates;
mod lines;
mod movable;

use crate::source::Position;

pub use delegates::{Delegation, delegations, fix_delegates};

/// A file with its rewrites.
#[derive(Debug, Clone, Default)]
pub struct Refactored {
    /// The new text.
    pub text: String,
    /// What was done.
    pub done: Vec<Note>,
    /// What was left as it is, and why.
    pub left: Vec<Note>,
}

/// Something about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Where the task begins.
    pub at: Position,
    /// The task's name, or its module.
    pub task: String,
    /// What is said of it, as part of a sentence.
    pub what: String,
}
