//! What the hosts of one run say to each other, through the coordinator that answers their drivers.
//!
//! Every host has an engine of its own that goes through the whole plan. Where another host could tell the difference it
//! asks for its turn; who answers keeps the hosts in step, carries what they learn from one to the other, and decides
//! what a failure means for the rest.

use rustle_formats::Map;
use serde::{Deserialize, Serialize};

/// How many hosts do a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Once {
    /// Each for itself.
    #[default]
    No,
    /// One, and the others know its result as theirs (`run_once`).
    ForAll,
    /// One, and the others know nothing of it (`add_host`, some of `meta`).
    Alone,
}

/// How what a host did since it last asked has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing that concerns others.
    #[default]
    Fine,
    /// A task failed, and a rescue follows.
    Caught,
    /// A task failed, and neither a rescue nor a keyword forgives it.
    Failed,
    /// The host could not be reached.
    Unreachable,
    /// `meta: end_host`.
    EndHost,
    /// `meta: end_play`.
    EndPlay,
    /// `meta: end_batch`.
    EndBatch,
    /// `meta: clear_host_errors`.
    ClearErrors,
    /// `meta: clear_facts`.
    ClearFacts,
    /// `meta: refresh_inventory`.
    RefreshInventory,
}

/// What a host has to tell when it asks.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Since {
    /// How it ended.
    pub outcome: Outcome,
    /// Facts that were added.
    pub facts: Map,
    /// Variables that `set_fact`, `register` and `include_vars` set.
    pub vars: Map,
    /// Facts about other hosts (`delegate_facts`), by host.
    pub about: Map,
    /// Variables that `set_fact` set of other hosts.
    pub about_vars: Map,
}

/// What a host learns before it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Update {
    /// Facts about it.
    Facts(Map),
    /// Variables of it.
    Vars(Map),
    /// Its facts are forgotten.
    ClearFacts,
    /// These hosts take no part in the play any more.
    Gone(Vec<String>),
    /// These take part again.
    Back(Vec<String>),
    /// The inventory as it is now: groups with their hosts, and the host's own variables.
    Inventory {
        /// Every group with all of its hosts.
        groups: Vec<(String, Vec<String>)>,
        /// The host's variables.
        vars: Map,
    },
}
