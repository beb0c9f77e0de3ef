//! How a planner grouped tasks for binary deployment: the seeds' BinaryDeployment.
//!
//! Packing needs none of this; it is kept because other tools write and read it.

use serde::{Deserialize, Serialize};

use crate::value::{Map, Value};

/// A group of tasks that one binary carries.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct BinaryDeployment {
    /// An identifier, unique in the plan.
    pub deployment_id: String,
    /// The hosts that it is for.
    pub target_hosts: Vec<String>,
    /// The file name of the binary.
    pub binary_name: String,
    /// The ids of its tasks.
    pub tasks: Vec<String>,
    /// The modules that its tasks use.
    pub modules: Vec<String>,
    /// What the binary embeds.
    pub embedded_data: EmbeddedData,
    /// `Standalone`, `Controller` or `Hybrid`.
    pub execution_mode: Option<String>,
    /// Bytes, guessed.
    pub estimated_size: Option<u64>,
    /// What compiling it would need.
    pub compilation_requirements: Option<Value>,
}

/// What a binary embeds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct EmbeddedData {
    /// The plan of the group, as JSON in a string.
    pub execution_plan: String,
    /// Files.
    pub static_files: Vec<StaticFile>,
    /// Variables.
    pub variables: Map,
    /// Facts that the tasks read.
    pub facts_required: Vec<String>,
}

/// A file that a binary embeds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StaticFile {
    /// Where it lies when packing.
    pub src_path: String,
    /// Where it goes.
    pub dest_path: String,
    /// SHA-256 in hexadecimal, or empty.
    pub checksum: String,
    /// Bytes.
    pub size: u64,
}
