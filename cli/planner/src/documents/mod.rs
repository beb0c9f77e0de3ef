//! The documents between the commands: what `rustle parse` writes, what `rustle facts` adds, what `rustle plan` reads.
//!
//! A parsed playbook has its static includes resolved and its hosts picked, so that nothing of the repository has to be read
//! again but the files that tasks name. Every version only adds fields; unknown ones are refused.

mod vaulted;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::plan::{
    AssetSpec, ExecutionPlan, GroupPlan, HostPlan, Item, PLAN_VERSION, PlayPlan, RolePlan,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use vaulted::{VAULT_KEY, hide, show};

/// The version of the documents' shape.
pub const DOCUMENT_VERSION: u32 = 1;

/// A playbook as `rustle parse` writes it. Values under `!vault`, and texts of files that were vaulted as a whole, are
/// `{"__ansible_vault": CIPHERTEXT}`.
pub type ParsedPlaybook = Document<ParsedInventory>;

/// A parsed playbook with the facts of its hosts, as `rustle facts` writes it.
pub type EnrichedPlaybook = Document<EnrichedInventory>;

/// A playbook with its roles, includes, variables and inventory, as the commands pass it on.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "{I}Playbook")]
pub struct Document<I: Default> {
    /// The version of this shape.
    pub version: u32,
    /// Where it comes from.
    pub metadata: PlaybookMetadata,
    /// The plays, in order.
    pub plays: Vec<ParsedPlay>,
    /// `--extra-vars`.
    pub variables: Map,
    /// Whether a play gathers facts.
    pub facts_required: bool,
    /// The vault ids of what is encrypted in it.
    pub vault_ids: Vec<String>,
    /// The hosts and groups.
    pub inventory: I,
    /// The roles by key.
    pub roles: IndexMap<String, RolePlan>,
    /// The files that `include_tasks` may ask for, by path below the playbook's folder.
    pub task_files: IndexMap<String, Vec<Item>>,
    /// Modules by group, for `module_defaults`.
    pub action_groups: IndexMap<String, Vec<String>>,
    /// Modules that come with the plan.
    pub assets: Vec<AssetSpec>,
}

/// Where a parsed playbook comes from.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PlaybookMetadata {
    /// The playbook, as it was named.
    pub file_path: String,
    /// Its folder, absolute: what names of files are relative to.
    pub directory: Option<String>,
    /// The version of the program that read it.
    pub rustle_version: Option<String>,
}

/// A play.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParsedPlay {
    /// The pattern of its hosts. They are in `play.hosts`.
    pub pattern: String,
    /// The play.
    pub play: PlayPlan,
}

/// The inventory.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Parsed")]
pub struct ParsedInventory {
    /// The hosts by name, with all that the inventory, group_vars/ and host_vars/ say of them.
    pub hosts: IndexMap<String, HostPlan>,
    /// The groups by name.
    pub groups: IndexMap<String, GroupPlan>,
}

/// The inventory with facts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Enriched")]
pub struct EnrichedInventory {
    /// The hosts by name.
    pub hosts: IndexMap<String, HostPlan>,
    /// The groups by name.
    pub groups: IndexMap<String, GroupPlan>,
    /// What is known of the hosts' machines, by name.
    pub host_facts: IndexMap<String, ArchitectureFacts>,
}

/// What decides which runner a host needs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArchitectureFacts {
    /// `x86_64`, `aarch64`, …
    pub ansible_architecture: String,
    /// `Linux`, `Darwin`, …
    pub ansible_system: String,
    /// `Debian`, `RedHat`, …; empty: not known.
    pub ansible_os_family: String,
    /// `Ubuntu`, `CentOS`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ansible_distribution: Option<String>,
}

impl ParsedPlaybook {
    /// The document of a plan that was just made. `patterns`: those of the plays, in order.
    pub fn of(plan: ExecutionPlan, patterns: Vec<String>, path: String) -> ParsedPlaybook {
        let facts_required = plan.plays.iter().any(|p| p.gather_facts == Some(true));
        let plays = plan.plays.into_iter().zip(patterns);
        Document {
            version: DOCUMENT_VERSION,
            metadata: PlaybookMetadata {
                file_path: path,
                directory: plan.base_dir,
                rustle_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            },
            plays: plays
                .map(|(play, pattern)| ParsedPlay { pattern, play })
                .collect(),
            variables: plan.extra_vars,
            facts_required,
            vault_ids: Vec::new(),
            inventory: ParsedInventory {
                hosts: plan.hosts,
                groups: plan.groups,
            },
            roles: plan.roles,
            task_files: plan.task_files,
            action_groups: plan.action_groups,
            assets: plan.assets,
        }
    }
}

impl<I: Default> Document<I> {
    /// The same with another inventory.
    pub fn with<J: Default>(self, make: impl FnOnce(I) -> J) -> Document<J> {
        Document {
            version: self.version,
            metadata: self.metadata,
            plays: self.plays,
            variables: self.variables,
            facts_required: self.facts_required,
            vault_ids: self.vault_ids,
            inventory: make(self.inventory),
            roles: self.roles,
            task_files: self.task_files,
            action_groups: self.action_groups,
            assets: self.assets,
        }
    }
}

impl EnrichedPlaybook {
    /// Reads either document; a parsed playbook has no facts yet.
    ///
    /// # Errors
    /// A sentence: it is neither, or of another version.
    pub fn read(document: Json) -> Result<EnrichedPlaybook, String> {
        let version = document.get("version").and_then(Json::as_u64);
        let is_one = document.get("inventory").is_some() && document.get("metadata").is_some();
        match version {
            _ if !is_one => {
                return Err("this is no playbook that `rustle parse` has written".to_owned());
            }
            Some(v) if v == u64::from(DOCUMENT_VERSION) => {}
            Some(v) => {
                return Err(format!(
                    "the document has version {v}, and this program reads version {DOCUMENT_VERSION}"
                ));
            }
            None => return Err("the document has no `version`".to_owned()),
        }
        read_as(document)
    }

    /// The plan with the patterns of its plays.
    pub fn into_plan(
        self,
    ) -> (
        ExecutionPlan,
        Vec<String>,
        IndexMap<String, ArchitectureFacts>,
    ) {
        let (patterns, plays) = self.plays.into_iter().map(|p| (p.pattern, p.play)).unzip();
        let mut plan = ExecutionPlan {
            version: PLAN_VERSION,
            base_dir: self.metadata.directory,
            plays,
            hosts: self.inventory.hosts,
            groups: self.inventory.groups,
            extra_vars: self.variables,
            roles: self.roles,
            task_files: self.task_files,
            action_groups: self.action_groups,
            assets: self.assets,
            ..ExecutionPlan::default()
        };
        plan.metadata.name = Some(self.metadata.file_path);
        (plan, patterns, self.inventory.host_facts)
    }
}

fn read_as<T: DeserializeOwned>(document: Json) -> Result<T, String> {
    serde_json::from_value(document).map_err(|e| format!("the document cannot be read: {e}"))
}
