//! How a run behaves as a whole: the seeds' RuntimeConfig.

use serde::{Deserialize, Serialize};

use super::Span;

/// Limits and reporting of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeConfig {
    /// An `http://` or `https://` address that the report and the heartbeats are posted to.
    pub controller_endpoint: Option<String>,
    /// How long the whole run may take. Default: no limit.
    pub execution_timeout: Option<Span>,
    /// The time between interim reports to the controller endpoint. Default: only the last one.
    pub report_interval: Option<Span>,
    /// The time between heartbeats to the controller endpoint. Default: 30 s.
    pub heartbeat_interval: Option<Span>,
    /// How often a post to the controller endpoint is tried again. Default: 3.
    pub max_retries: Option<u32>,
    /// Whether the artifact removes itself after a run without failures. Default: no.
    pub cleanup_on_completion: Option<bool>,
    /// `error`, `warn`, `info` (default), `debug`: `debug` is one `-v` more.
    pub log_level: Option<String>,
    /// Whether mappings that several levels set under one name are merged, as `hash_behaviour = merge` has it. Default: the
    /// strongest one replaces the others.
    pub merge_hashes: Option<bool>,
    /// Whether facts that are known of a host are not gathered again (`gathering = smart`). Default: every play that gathers
    /// does so anew.
    pub smart_gathering: Option<bool>,
    /// Whether facts are found below `ansible_facts` only (`inject_facts_as_vars = false`). Default: as variables of their own,
    /// too.
    pub facts_apart: Option<bool>,
    /// The names of the machines that it may run on: a machine's own name, with or without its domain, or one that its policy
    /// gives it. Default: any machine.
    pub bound_to: Vec<String>,
    /// When it stops running, in seconds since 1970-01-01 UTC. Default: never.
    pub expires: Option<u64>,
}
