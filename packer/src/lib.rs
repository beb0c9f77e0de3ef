//! placeholder
pub mod keys;
pub mod overlay;
