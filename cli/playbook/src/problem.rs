//! What is wrong with what was read, and where: the library's side of a message. The command line renders it.

use std::fmt;

use crate::source::Position;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Severity {
    /// It cannot be done as it is written.
    Error,
    /// It is done, but Ansible warns here, or an option has no effect.
    Warning,
}

/// What kind of mistake an error is: it decides how a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Fault {
    /// What was read is not written as the language wants it.
    #[default]
    Wording,
    /// It is, and what is named is not there, cannot be opened or is not known, or a value is of no use.
    General,
    /// An option of the command line is wrong.
    Option,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// How grave it is.
    pub severity: Severity,
    /// What kind of mistake.
    pub fault: Fault,
    /// What is wrong, as a sentence without a full stop that quotes the value.
    pub message: String,
    /// Where.
    pub at: Option<Position>,
    /// How many characters are to blame; 0: not known.
    pub length: u32,
    /// More about it, one line each.
    pub notes: Vec<String>,
    /// What may help.
    pub hint: Option<String>,
}

impl Problem {
    /// An error.
    pub fn error(message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Error,
            fault: Fault::Wording,
            message: message.into(),
            at: None,
            length: 0,
            notes: Vec::new(),
            hint: None,
        }
    }

    /// A warning.
    pub fn warning(message: impl Into<String>) -> Problem {
        Problem {
            severity: Severity::Warning,
            ..Problem::error(message)
        }
    }

    /// Not a fault of the syntax.
    #[must_use]
    pub fn general(mut self) -> Problem {
        self.fault = Fault::General;
        self
    }

    /// Of an option of the command line.
    #[must_use]
    pub fn of_option(mut self) -> Problem {
        self.fault = Fault::Option;
        self
    }

    /// With its place.
    #[must_use]
    pub fn at(mut self, position: Position) -> Problem {
        self.at = Some(position);
        self
    }

    /// With the number of characters that are to blame.
    #[must_use]
    pub fn over(mut self, length: usize) -> Problem {
        self.length = u32::try_from(length).unwrap_or(u32::MAX);
        self
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Problem {
        self.hint = Some(hint.into());
        self
    }

    /// With one more line about it.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Problem {
        self.notes.push(note.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}
