//! Hosts and groups for a plan.
//!
//! The engine joins the variables of a host's groups by depth, priority and name, and then the host's own. Ansible's order has
//! more steps (group_vars/all wins over the variables of another group in a source, say). So a host's own variables in the
//! plan are its own, and those for which the two orders differ.

use std::collections::HashSet;

use indexmap::IndexMap;
use rustle_formats::Value;
use rustle_formats::plan::{GroupPlan, HostPlan};

use super::model::{ALL, GroupId, HostId, Inventory};
use crate::problem::Problem;
use crate::source::Position;
use crate::vars::{InventoryVars, Variables};
use crate::yaml::Vault;

/// What a plan has of an inventory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Planned {
    /// Hosts by name.
    pub hosts: IndexMap<String, HostPlan>,
    /// Groups by name; those without a host among `hosts` are there too, because `groups` names them.
    pub groups: IndexMap<String, GroupPlan>,
}

/// Says what becomes of a ciphertext.
pub type Secrets<'a> = dyn FnMut(&Vault, Position) -> Result<Value, Problem> + 'a;

/// The plan of these hosts and of all groups.
///
/// # Errors
/// Where a file of variables is wrong, and those of `secrets`.
pub fn plan(
    inventory: &Inventory,
    hosts: &[HostId],
    vars: &mut InventoryVars<'_>,
    secrets: &mut Secrets<'_>,
) -> Result<Planned, Problem> {
    let mut out = Planned::default();
    let chosen: HashSet<HostId> = hosts.iter().copied().collect();
    let mut of_groups: IndexMap<GroupId, Variables> = IndexMap::new();
    for (id, name, group) in inventory.groups() {
        let mut own = vars.group(id)?;
        own.remove("ansible_group_priority");
        let member = |h: &&HostId| chosen.contains(h);
        out.groups.insert(
            name.to_owned(),
            GroupPlan {
                vars: data(&own, secrets)?,
                hosts: names(
                    group
                        .hosts
                        .iter()
                        .filter(member)
                        .map(|h| inventory.host_name(*h)),
                ),
                children: names(group.children.iter().map(|g| inventory.group_name(*g))),
                priority: group.priority,
            },
        );
        of_groups.insert(id, own);
    }
    for host in hosts {
        let exact = vars.host(*host)?;
        let mut own = vars.host_only(*host)?;
        let groups = inventory.groups_of(*host);
        for (name, value) in exact.iter() {
            let last = groups
                .iter()
                .rev()
                .find_map(|g| of_groups.get(g)?.get(name));
            if own.get(name).or(last) != Some(value) {
                own.set(name, value.clone(), inventory.hash_behaviour);
            }
        }
        let direct = inventory.host(*host).groups.iter().filter(|g| **g != ALL);
        out.hosts.insert(
            inventory.host_name(*host).to_owned(),
            HostPlan {
                vars: data(&own, secrets)?,
                groups: names(direct.map(|g| inventory.group_name(*g))),
            },
        );
    }
    Ok(out)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(str::to_owned).collect()
}

fn data(vars: &Variables, secrets: &mut Secrets<'_>) -> Result<rustle_formats::Map, Problem> {
    vars.iter()
        .map(|(name, node)| {
            let value = node.to_value(&mut |secret, at| secrets(secret, at))?;
            Ok((name.to_owned(), value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::inventory::{Options, load};
    use crate::source::Sources;
    use crate::vars::{Roots, VarsFiles};

    #[test]
    fn a_host_has_what_the_groups_alone_would_not_give() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("group_vars")).unwrap();
        fs::write(
            dir.path().join("hosts"),
            "[web]\nw1 own=1\n[web:vars]\nx=source\ny=web\n",
        )
        .unwrap();
        fs::write(dir.path().join("group_vars/all.yml"), "x: file\nz: all\n").unwrap();
        let sources = Sources::default();
        let vault = crate::vault::Vault::default();
        let options = Options {
            directory: dir.path().to_owned(),
            ..Options::default()
        };
        let loaded = load(&["hosts".to_owned()], &options, &sources, &vault).unwrap();
        let roots = Roots {
            inventory: loaded.roots.clone(),
            playbook: Vec::new(),
        };
        let precedence = "all_inventory groups_inventory all_plugins_inventory all_plugins_play groups_plugins_inventory groups_plugins_play";
        let precedence = precedence.split(' ').map(str::to_owned).collect();
        let files = VarsFiles::new(&sources, &vault);
        let inventory = &loaded.inventory;
        let mut vars = InventoryVars::new(inventory, roots, files, precedence);
        let hosts: Vec<HostId> = inventory.hosts().map(|(id, ..)| id).collect();
        let mut secrets = |_: &Vault, at| Err(Problem::error("no secret").at(at));
        let planned = plan(inventory, &hosts, &mut vars, &mut secrets).unwrap();
        let host = &planned.hosts["w1"];
        assert_eq!(host.groups, ["web"]);
        assert_eq!(host.vars["own"], Value::Int(1));
        // group_vars/all wins over the group in the source, and the groups alone would say otherwise.
        assert_eq!(host.vars["x"], Value::from("file"));
        assert_eq!(host.vars.len(), 2);
        assert_eq!(planned.groups["web"].vars["y"], Value::from("web"));
        assert_eq!(planned.groups["all"].vars["z"], Value::from("all"));
        assert_eq!(planned.groups["all"].children, ["ungrouped", "web"]);
    }
}
