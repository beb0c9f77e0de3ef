//! The manifest: what an artifact says of itself, small enough to be read before anything else.

use serde::{Deserialize, Serialize};

use super::codec::Method;

/// The version of the manifest's shape. A reader refuses any other.
pub const MANIFEST_VERSION: u32 = 1;

/// What an artifact says of itself. Written as postcard, in the order of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The program that packed it, with its version.
    pub tool: String,
    /// The target triple of the runner.
    pub target: String,
    /// The plan's name; empty without one.
    pub name: String,
    /// How many tasks the plan has, handlers included.
    pub tasks: u64,
    /// The names of the plan's hosts, if it names any.
    pub hosts: Vec<String>,
    /// How frames were compressed (any frame may be stored instead).
    pub method: Method,
    /// The level of that method.
    pub level: i32,
    /// The library that compressed, with its version.
    pub codec: String,
    /// How many assets are regular files.
    pub files: u64,
    /// The bytes of all regular files, each counted wherever it occurs.
    pub total_bytes: u64,
    /// Whether modification times were recorded for all assets.
    pub times: bool,
    /// Whether numeric owners were recorded for all assets.
    pub owners: bool,
}
