//! Hosts, groups, and who belongs to whom.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::vars::{HashBehaviour, Variables};
use crate::yaml::{Node, NodeValue};

/// A group's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(u32);

/// A host's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostId(u32);

/// The group of all hosts.
pub const ALL: GroupId = GroupId(0);
/// The group of the hosts that are in no other.
pub const UNGROUPED: GroupId = GroupId(1);

/// The variable that sets a group's priority, and is none of its hosts'.
const PRIORITY: &str = "ansible_group_priority";

/// A group.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Its variables in the inventory.
    pub vars: Variables,
    /// Its child groups, in the order in which they were added.
    pub children: Vec<GroupId>,
    /// The groups that it is a child of.
    pub parents: Vec<GroupId>,
    /// Its direct hosts, in order.
    pub hosts: Vec<HostId>,
    /// Among groups of one depth the higher wins. Default: 1.
    pub priority: i64,
    /// The longest way from `all`. Known once the inventory is complete.
    pub depth: u32,
}

/// A host.
#[derive(Debug, Clone, Default)]
pub struct Host {
    /// Its variables in the inventory.
    pub vars: Variables,
    /// The groups that it belongs to directly, in order.
    pub groups: Vec<GroupId>,
    /// It is in no source: `localhost`, as everybody has it.
    pub implicit: bool,
    /// The source that named it first: a file, or a list of hosts.
    pub source: Option<Arc<str>>,
}

/// All that the sources say.
#[derive(Debug, Clone)]
pub struct Inventory {
    groups: IndexMap<String, Group>,
    hosts: IndexMap<String, Host>,
    /// How mappings that are set twice go together.
    pub hash_behaviour: HashBehaviour,
    /// The source that is being read.
    pub(super) source: Option<Arc<str>>,
}

impl Default for Inventory {
    fn default() -> Inventory {
        Inventory::new(HashBehaviour::Replace)
    }
}

impl Inventory {
    /// One with the groups `all` and `ungrouped` and no host.
    pub fn new(hash_behaviour: HashBehaviour) -> Inventory {
        let mut out = Inventory {
            groups: IndexMap::new(),
            hosts: IndexMap::new(),
            hash_behaviour,
            source: None,
        };
        out.add_group("all");
        out.add_group("ungrouped");
        out.groups[0].children.push(UNGROUPED);
        out.groups[1].parents.push(ALL);
        out
    }

    /// Adds a group, if it is not there.
    pub fn add_group(&mut self, name: &str) -> GroupId {
        let at = match self.groups.get_index_of(name) {
            Some(at) => at,
            None => {
                let group = Group {
                    priority: 1,
                    ..Group::default()
                };
                self.groups.insert_full(name.to_owned(), group).0
            }
        };
        GroupId(index(at))
    }

    /// Adds a host, if it is not there.
    pub fn add_host(&mut self, name: &str) -> HostId {
        let at = match self.hosts.get_index_of(name) {
            Some(at) => at,
            None => {
                let host = Host {
                    source: self.source.clone(),
                    ..Host::default()
                };
                self.hosts.insert_full(name.to_owned(), host).0
            }
        };
        HostId(index(at))
    }

    /// Puts a host into a group.
    pub fn add_member(&mut self, host: HostId, group: GroupId) {
        let record = &mut self.hosts[host.0 as usize];
        if !record.groups.contains(&group) {
            record.groups.push(group);
            self.groups[group.0 as usize].hosts.push(host);
        }
    }

    /// Makes a group the child of another.
    ///
    /// # Errors
    /// Where it would be its own descendant.
    pub fn add_child(&mut self, parent: GroupId, child: GroupId) -> Result<(), String> {
        if parent == child {
            return Err(format!(
                "the group `{}` cannot be its own child",
                self.group_name(parent)
            ));
        }
        if self.group(parent).children.contains(&child) {
            return Ok(());
        }
        if self.descendants(child).contains(&parent) {
            return Err(format!(
                "the group `{}` cannot be a child of `{}`, which is a child of it",
                self.group_name(child),
                self.group_name(parent)
            ));
        }
        self.groups[parent.0 as usize].children.push(child);
        self.groups[child.0 as usize].parents.push(parent);
        Ok(())
    }

    /// Sets a host's variable.
    pub fn set_host_var(&mut self, host: HostId, name: &str, value: Node) {
        let behaviour = self.hash_behaviour;
        let value = own(&value);
        self.hosts[host.0 as usize].vars.set(name, value, behaviour);
    }

    /// Sets a group's variable, or its priority.
    ///
    /// # Errors
    /// Where the priority is no number.
    pub fn set_group_var(&mut self, group: GroupId, name: &str, value: Node) -> Result<(), String> {
        let behaviour = self.hash_behaviour;
        let record = &mut self.groups[group.0 as usize];
        if name == PRIORITY {
            let number = value
                .as_i64()
                .or_else(|| value.as_str().and_then(|t| t.trim().parse().ok()))
                .or_else(|| value.as_bool().map(i64::from));
            record.priority = number.ok_or_else(|| {
                format!("{PRIORITY} must be a whole number, and is {}", value.kind())
            })?;
        }
        record.vars.set(name, own(&value), behaviour);
        Ok(())
    }

    /// Marks a host as one that no source has.
    pub(super) fn set_implicit(&mut self, host: HostId) {
        self.hosts[host.0 as usize].implicit = true;
    }

    /// A group.
    pub fn group(&self, id: GroupId) -> &Group {
        &self.groups[id.0 as usize]
    }

    /// A group's name.
    pub fn group_name(&self, id: GroupId) -> &str {
        self.groups
            .get_index(id.0 as usize)
            .map_or("", |(name, _)| name)
    }

    /// The group of a name.
    pub fn find_group(&self, name: &str) -> Option<GroupId> {
        self.groups.get_index_of(name).map(|at| GroupId(index(at)))
    }

    /// All groups, in the order in which they were added; `all` and `ungrouped` first.
    pub fn groups(&self) -> impl Iterator<Item = (GroupId, &str, &Group)> {
        let all = self.groups.iter().enumerate();
        all.map(|(at, (name, group))| (GroupId(index(at)), name.as_str(), group))
    }

    /// A host.
    pub fn host(&self, id: HostId) -> &Host {
        &self.hosts[id.0 as usize]
    }

    /// A host's name.
    pub fn host_name(&self, id: HostId) -> &str {
        self.hosts
            .get_index(id.0 as usize)
            .map_or("", |(name, _)| name)
    }

    /// The host of a name.
    pub fn find_host(&self, name: &str) -> Option<HostId> {
        self.hosts.get_index_of(name).map(|at| HostId(index(at)))
    }

    /// All hosts, in the order in which they were added.
    pub fn hosts(&self) -> impl Iterator<Item = (HostId, &str, &Host)> {
        let all = self.hosts.iter().enumerate();
        all.map(|(at, (name, host))| (HostId(index(at)), name.as_str(), host))
    }

    /// How many hosts there are.
    pub fn host_count(&self) -> usize {
        self.hosts.len()
    }

    /// The groups below a group, each once.
    pub fn descendants(&self, group: GroupId) -> Vec<GroupId> {
        self.reach(group, |g| &g.children)
    }

    /// The groups above a group, each once.
    pub fn ancestors(&self, group: GroupId) -> Vec<GroupId> {
        self.reach(group, |g| &g.parents)
    }

    fn reach(&self, from: GroupId, next: impl Fn(&Group) -> &[GroupId]) -> Vec<GroupId> {
        let mut seen = vec![false; self.groups.len()];
        let mut out = Vec::new();
        let mut open: Vec<GroupId> = next(self.group(from)).iter().rev().copied().collect();
        while let Some(group) = open.pop() {
            if !std::mem::replace(&mut seen[group.0 as usize], true) {
                out.push(group);
                open.extend(next(self.group(group)).iter().rev());
            }
        }
        out
    }

    /// All hosts of a group: its own, then those of its children, each once.
    pub fn hosts_of(&self, group: GroupId) -> Vec<HostId> {
        let mut seen = vec![false; self.hosts.len()];
        let mut out = Vec::new();
        for group in std::iter::once(group).chain(self.descendants(group)) {
            for host in &self.group(group).hosts {
                if !std::mem::replace(&mut seen[host.0 as usize], true) {
                    out.push(*host);
                }
            }
        }
        out
    }

    /// All groups of a host, parents included, in the order in which their variables count: by depth, then priority,
    /// then name. `all` is the first.
    pub fn groups_of(&self, host: HostId) -> Vec<GroupId> {
        let mut out: Vec<GroupId> = Vec::new();
        for group in &self.host(host).groups {
            if !out.contains(group) {
                out.push(*group);
            }
            for above in self.ancestors(*group) {
                if !out.contains(&above) {
                    out.push(above);
                }
            }
        }
        if !out.contains(&ALL) {
            out.push(ALL);
        }
        self.sort_groups(&mut out);
        out
    }

    /// Puts groups into the order in which their variables count.
    pub fn sort_groups(&self, groups: &mut [GroupId]) {
        groups.sort_by(|a, b| {
            let (x, y) = (self.group(*a), self.group(*b));
            (x.depth, x.priority, self.group_name(*a)).cmp(&(
                y.depth,
                y.priority,
                self.group_name(*b),
            ))
        });
    }

    /// The names of a host's groups without `all`, sorted: the variable `group_names`.
    pub fn group_names(&self, host: HostId) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .groups_of(host)
            .into_iter()
            .filter(|g| *g != ALL)
            .map(|g| self.group_name(g))
            .collect();
        names.sort_unstable();
        names
    }

    /// Completes the inventory: every group is below `all`, every host is in a group, depths are known. May be called
    /// again after more was added.
    pub(super) fn complete(&mut self) {
        for at in 2..self.groups.len() {
            if self.groups[at].parents.is_empty() {
                self.groups[0].children.push(GroupId(index(at)));
                self.groups[at].parents.push(ALL);
            }
        }
        for at in 0..self.hosts.len() {
            let host = HostId(index(at));
            let elsewhere = |g: &GroupId| *g != ALL && *g != UNGROUPED;
            let record = &mut self.hosts[at];
            if record.groups.iter().any(elsewhere) {
                if record.groups.contains(&UNGROUPED) {
                    record.groups.retain(|g| *g != UNGROUPED);
                    self.groups[1].hosts.retain(|h| *h != host);
                }
            } else if !record.implicit {
                self.add_member(host, UNGROUPED);
            }
        }
        self.measure();
    }

    /// The longest way from `all` to each group. Groups form no loops, so that this ends.
    fn measure(&mut self) {
        let mut missing: Vec<usize> = self.groups.values().map(|g| g.parents.len()).collect();
        let mut open = vec![ALL];
        while let Some(group) = open.pop() {
            let depth = self.group(group).depth + 1;
            for child in self.group(group).children.clone() {
                let record = &mut self.groups[child.0 as usize];
                record.depth = record.depth.max(depth);
                let left = &mut missing[child.0 as usize];
                *left = left.saturating_sub(1);
                if *left == 0 {
                    open.push(child);
                }
            }
        }
    }
}

/// A copy that shares nothing: printed YAML shows what is shared, and values that sources set are not.
fn own(node: &Node) -> Node {
    match &node.value {
        NodeValue::List(items) => Node::list(items.iter().map(own).collect(), node.at),
        NodeValue::Map(map) => {
            let entries = map.iter().map(|(k, v)| (k.clone(), own(v)));
            Node::map(entries.collect(), node.at)
        }
        _ => node.clone(),
    }
}

/// Hosts and groups are counted in 32 bits: their names alone would fill the memory before.
fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_ordered_by_depth_priority_and_name() {
        let mut inventory = Inventory::default();
        let [a, b, c] = ["a", "b", "c"].map(|n| inventory.add_group(n));
        inventory.add_child(c, a).unwrap();
        let host = inventory.add_host("h");
        inventory.add_member(host, b);
        inventory.add_member(host, a);
        assert!(inventory.add_child(a, c).is_err());
        assert!(inventory.add_child(a, a).is_err());
        inventory.complete();
        assert_eq!(inventory.groups_of(host), [ALL, b, c, a]);
        assert_eq!(inventory.group_names(host), ["a", "b", "c"]);
        assert_eq!(inventory.group(ALL).children, [UNGROUPED, b, c]);
        assert_eq!(inventory.hosts_of(ALL), [host]);
    }

    #[test]
    fn hosts_without_a_group_are_ungrouped_until_they_have_one() {
        let mut inventory = Inventory::default();
        let host = inventory.add_host("h");
        inventory.complete();
        assert_eq!(inventory.host(host).groups, [UNGROUPED]);
        let web = inventory.add_group("web");
        inventory.add_member(host, web);
        inventory.complete();
        assert_eq!(inventory.host(host).groups, [web]);
        assert!(inventory.group(UNGROUPED).hosts.is_empty());
    }
}
