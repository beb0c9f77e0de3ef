//! `--list`: the whole inventory as JSON or YAML.

use std::collections::HashSet;

use super::emit_json;
use super::emit_yaml::{self, Item};
use super::model::{ALL, GroupId, HostId, Inventory};
use crate::problem::Problem;
use crate::vars::Variables;

/// Who knows the variables that are printed.
pub trait VarsOf {
    /// Those of a host.
    ///
    /// # Errors
    /// Where a file of variables is wrong.
    fn host(&mut self, host: HostId) -> Result<Variables, Problem>;

    /// Those of a group.
    ///
    /// # Errors
    /// Where a file of variables is wrong.
    fn group(&mut self, group: GroupId) -> Result<Variables, Problem>;

    /// The plain text of a ciphertext; `None`: it cannot be had.
    fn decrypt(&mut self, secret: &crate::yaml::Vault) -> Option<String>;
}

/// What is printed.
#[derive(Debug, Clone, Copy)]
pub struct Tree<'a> {
    /// The inventory.
    pub inventory: &'a Inventory,
    /// The hosts that are meant; `None`: all.
    pub hosts: Option<&'a HashSet<HostId>>,
    /// The variables of groups are printed with the groups.
    pub export: bool,
}

impl Tree<'_> {
    fn members(&self, group: GroupId) -> Vec<HostId> {
        if group == ALL {
            return Vec::new();
        }
        let hosts = &self.inventory.group(group).hosts;
        let meant = |h: &&HostId| self.hosts.is_none_or(|m| m.contains(h));
        hosts.iter().filter(meant).copied().collect()
    }
}

/// As JSON, with a final newline.
///
/// # Errors
/// Where a file of variables is wrong.
pub fn list_json(tree: Tree<'_>, vars: &mut dyn VarsOf) -> Result<String, Problem> {
    let inventory = tree.inventory;
    let mut groups: Vec<GroupId> = inventory.descendants(ALL);
    groups.push(ALL);
    groups.sort_by_key(|g| inventory.group_name(*g));
    let mut out = String::from("{");
    let mut meta = Some(hostvars(tree, vars)?);
    for group in groups {
        // Among the groups, by its name.
        if inventory.group_name(group) > "_meta"
            && let Some(text) = meta.take()
        {
            entry(&text, &mut out);
        }
        let children: Vec<&str> = inventory
            .group(group)
            .children
            .iter()
            .map(|g| inventory.group_name(*g))
            .collect();
        let members: Vec<&str> = tree
            .members(group)
            .into_iter()
            .map(|h| inventory.host_name(h))
            .collect();
        let own = if tree.export {
            vars.group(group)?
        } else {
            Variables::default()
        };
        let parts = [
            ("children", !children.is_empty(), Part::Names(&children)),
            ("hosts", !members.is_empty(), Part::Names(&members)),
            ("vars", !own.is_empty(), Part::Vars(&own)),
        ];
        if parts.iter().all(|(_, any, _)| !any) {
            continue;
        }
        entry("", &mut out);
        emit_json::string(inventory.group_name(group), &mut out);
        out.push_str(": ");
        let parts = parts
            .iter()
            .filter(|(_, any, _)| *any)
            .map(|(k, _, p)| (*k, p));
        emit_json::object(parts, 1, &mut out, |part, depth, out| match part {
            Part::Names(names) => {
                emit_json::list(names.iter(), depth, out, |n, _, out| {
                    emit_json::string(n, out)
                });
            }
            Part::Vars(own) => variables(own, depth, out),
        });
    }
    if let Some(text) = meta {
        entry(&text, &mut out);
    }
    out.push_str("\n}\n");
    Ok(out)
}

/// Begins an entry of the outermost mapping.
fn entry(text: &str, out: &mut String) {
    out.push_str(if out.len() > 1 { ",\n    " } else { "\n    " });
    out.push_str(text);
}

/// The entry `_meta`, with the variables of all hosts that have any.
fn hostvars(tree: Tree<'_>, vars: &mut dyn VarsOf) -> Result<String, Problem> {
    let inventory = tree.inventory;
    let mut hosts: Vec<HostId> = inventory.hosts_of(ALL);
    hosts.retain(|h| tree.hosts.is_none_or(|m| m.contains(h)));
    hosts.sort_by_key(|h| inventory.host_name(*h));
    let mut entries = Vec::new();
    for host in hosts {
        let of = vars.host(host)?;
        if !of.is_empty() {
            entries.push((inventory.host_name(host), of));
        }
    }
    let mut out = String::from("\"_meta\": {\n        \"hostvars\": ");
    emit_json::object(entries.iter().map(|(k, v)| (*k, v)), 2, &mut out, variables);
    out.push_str(",\n        \"profile\": \"inventory_legacy\"\n    }");
    Ok(out)
}

enum Part<'a> {
    Names(&'a [&'a str]),
    Vars(&'a Variables),
}

fn variables(vars: &Variables, depth: usize, out: &mut String) {
    let mut sorted: Vec<_> = vars.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    emit_json::object(sorted.into_iter(), depth, out, emit_json::write);
}

/// As YAML, with a final newline.
///
/// # Errors
/// Where a file of variables is wrong.
pub fn list_yaml(tree: Tree<'_>, vars: &mut dyn VarsOf) -> Result<String, Problem> {
    let mut seen = Seen::default();
    let all = group_item(tree, ALL, vars, &mut seen)?;
    let entries = all.map(|item| ("all".to_owned(), item));
    Ok(emit_yaml::document(&Item::Map(
        entries.into_iter().collect(),
    )))
}

#[derive(Default)]
struct Seen {
    groups: HashSet<GroupId>,
    hosts: HashSet<HostId>,
}

/// A group with its children and hosts; `None`: there is nothing in it.
fn group_item(
    tree: Tree<'_>,
    group: GroupId,
    vars: &mut dyn VarsOf,
    seen: &mut Seen,
) -> Result<Option<Item>, Problem> {
    let inventory = tree.inventory;
    let mut children = Vec::new();
    for child in &inventory.group(group).children {
        let name = inventory.group_name(*child).to_owned();
        if seen.groups.contains(child) {
            children.push((name, Item::Map(Vec::new())));
            continue;
        }
        if let Some(item) = group_item(tree, *child, vars, seen)? {
            children.push((name, item));
        }
        seen.groups.insert(*child);
    }
    let mut hosts = Vec::new();
    for host in tree.members(group) {
        let own = if seen.hosts.insert(host) {
            vars.host(host)?
        } else {
            Variables::default()
        };
        hosts.push((inventory.host_name(host).to_owned(), variables_item(&own)));
    }
    let own = if tree.export {
        vars.group(group)?
    } else {
        Variables::default()
    };
    let mut parts = Vec::new();
    if !children.is_empty() {
        parts.push(("children".to_owned(), sorted(children)));
    }
    if !hosts.is_empty() {
        parts.push(("hosts".to_owned(), sorted(hosts)));
    }
    if !own.is_empty() {
        parts.push(("vars".to_owned(), variables_item(&own)));
    }
    Ok((!parts.is_empty()).then_some(Item::Map(parts)))
}

fn variables_item(vars: &Variables) -> Item {
    let entries = vars
        .iter()
        .map(|(k, v)| (k.to_owned(), Item::Node(v.clone())));
    sorted(entries.collect())
}

fn sorted(mut entries: Vec<(String, Item)>) -> Item {
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    Item::Map(entries)
}
