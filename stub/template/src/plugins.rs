//! Filters and tests beyond those of this crate.

use crate::value::Value;
use crate::{Args, Error};

/// Filters and tests of a caller: plugins of a repository, and what only a controller can do. They are asked for names
/// that this crate does not know, and for the filters `vault` and `unvault`.
pub trait Plugins {
    /// Applies a filter; `None` if there is none of that name. Input and arguments are rendered and defined.
    fn filter(&self, name: &str, input: &Value, args: &Args) -> Option<Result<Value, Error>>;

    /// Asks a test; `None` if there is none of that name. Input and arguments are rendered and defined.
    fn test(&self, name: &str, input: &Value, args: &Args) -> Option<Result<bool, Error>>;
}
