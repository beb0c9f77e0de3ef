//! YAML for the filters: a writer that gives what PyYAML gives, and a reader for YAML 1.1 as people write it.

mod emit;
mod flow;
mod parse;
mod resolve;
#[cfg(feature = "full")]
mod result;
mod timestamp;

pub use emit::yaml_scalar;
pub(crate) use emit::{Style, emit};
pub(crate) use parse::parse;
pub use resolve::Scalar;
#[cfg(feature = "full")]
pub use result::yaml_result;
