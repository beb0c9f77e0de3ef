//! What passes between the two sides of Rustle: bytes and schemas.
//!
//! The command line writes these forms, the runner on the target reads them, and the other way round. Nothing in this
//! crate touches a file system, a clock, the environment or a terminal, so both sides can trust it to do the same.

pub mod artifact;
mod depth;
pub mod event;
mod layers;
mod lexical;
mod nearest;
pub mod order;
pub mod plan;
pub mod redact;
pub mod report;
pub mod seal;
pub mod session;
pub mod sign;
pub mod value;

pub use layers::lay;
pub use lexical::lexical;
pub use nearest::nearest;
pub use value::{Map, Value};
