//! The inventory's part of a plan: hosts with their variables, groups with their members.

use std::path::Path;

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::plan::{GroupPlan, HostPlan};
use rustle_playbook::inventory::Inventory;
use rustle_playbook::vars::Variables;
use rustle_playbook::yaml::Vault;
use rustle_playbook::{Position, Problem, Sources};
use zeroize::Zeroizing;

use crate::Opened;
use crate::vaulted::{self, VaultedFiles};

/// Gives the variables of a host, all layers of the inventory merged.
pub type HostLayer<'a> = &'a mut dyn FnMut(&str) -> Result<Variables, Problem>;

/// Hosts and groups as a plan has them.
#[derive(Debug, Clone, Default)]
pub struct InventoryPart {
    /// The hosts by name.
    pub hosts: IndexMap<String, HostPlan>,
    /// The groups by name.
    pub groups: IndexMap<String, GroupPlan>,
    /// The texts of secrets in their variables.
    pub secrets: IndexMap<String, Zeroizing<String>>,
}

/// The inventory's part of a plan. A host's variables are those that `variables` gives: with those of its groups, of
/// group_vars/ and of host_vars/, so that groups have none of their own in the plan. The texts of files for which
/// `is_vaulted` says yes become secrets, like what stands under `!vault`.
///
/// # Errors
/// Everything that is wrong with files of variables.
pub fn inventory_part(
    inventory: &Inventory,
    variables: HostLayer<'_>,
    decrypt: &dyn Fn(&Vault) -> Result<Opened, String>,
    sources: &Sources,
    is_vaulted: &dyn Fn(&Path) -> bool,
) -> Result<InventoryPart, Vec<Problem>> {
    let mut out = InventoryPart::default();
    let mut problems = Vec::new();
    let mut files = VaultedFiles::default();
    let mut hidden = |at| files.contains(at, sources, is_vaulted);
    for (id, name, _) in inventory.hosts() {
        let vars =
            variables(name).and_then(|vars| plain(&vars, &mut out.secrets, decrypt, &mut hidden));
        let vars = vars.unwrap_or_else(|problem| {
            problems.push(problem);
            Map::new()
        });
        let groups = inventory.host(id).groups.iter();
        out.hosts.insert(
            name.to_owned(),
            HostPlan {
                vars,
                groups: groups
                    .map(|g| inventory.group_name(*g).to_owned())
                    .collect(),
            },
        );
    }
    for (_, name, group) in inventory.groups() {
        let hosts = group
            .hosts
            .iter()
            .map(|h| inventory.host_name(*h).to_owned());
        let children = group
            .children
            .iter()
            .map(|c| inventory.group_name(*c).to_owned());
        out.groups.insert(
            name.to_owned(),
            GroupPlan {
                vars: Map::new(),
                hosts: hosts.collect(),
                children: children.collect(),
                priority: group.priority,
            },
        );
    }
    if problems.is_empty() {
        Ok(out)
    } else {
        Err(problems)
    }
}

impl InventoryPart {
    /// The variables of `--extra-vars` as a plan has them. Their secrets join those of the hosts.
    ///
    /// # Errors
    /// Where what is vaulted cannot be opened, or would be readable in an artifact.
    pub fn extra(
        &mut self,
        vars: &Variables,
        decrypt: &dyn Fn(&Vault) -> Result<Opened, String>,
        sources: &Sources,
        is_vaulted: &dyn Fn(&Path) -> bool,
    ) -> Result<Map, Problem> {
        let mut files = VaultedFiles::default();
        let mut hidden = |at| files.contains(at, sources, is_vaulted);
        plain(vars, &mut self.secrets, decrypt, &mut hidden)
    }
}

fn plain(
    vars: &Variables,
    secrets: &mut IndexMap<String, Zeroizing<String>>,
    decrypt: &dyn Fn(&Vault) -> Result<Opened, String>,
    hidden: &mut dyn FnMut(Position) -> bool,
) -> Result<Map, Problem> {
    vars.iter()
        .map(|(name, node)| {
            let value = vaulted::value(node, hidden(node.at), secrets, decrypt)?;
            Ok((name.to_owned(), value))
        })
        .collect()
}
