//! What a run tells people and programs: pure folds over its events.
//!
//! The event stream is the truth, so nothing here knows the engine, a terminal or a clock. [`TextReporter`] gives what
//! ansible-playbook prints, [`Tally`] the numbers of the recap and the exit code, [`ReportBuilder`] the JSON report.
//! The stub, a session's controller and the command line feed them the same events and so say the same.

mod diff;
mod display;
mod document;
mod json_text;
mod matching;
mod paint;
mod python;
mod result;
mod tally;
mod text;
mod trouble;

pub use diff::render as difference;
pub use display::Display;
#[cfg(feature = "full")]
pub(crate) use display::UNSHOWN_DIFF;
pub use document::ReportBuilder;
pub use json_text::{compact, pretty};
pub use paint::{Colour, columns, paint};
pub use python::{python_repr, python_str};
pub use result::visible;
pub use tally::Tally;
pub use text::{Stream, TextOptions, TextReporter};
pub use trouble::{Cause, Excerpts, describe};
