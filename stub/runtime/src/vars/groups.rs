//! The inventory's groups: which ones a host is in, and in which order their variables win.

use std::collections::{BTreeMap, BTreeSet};

use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, GroupPlan};

/// The groups of a plan, with the hosts in each, those of child groups among them.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    hosts: BTreeMap<String, Vec<String>>,
    depth: BTreeMap<String, u32>,
}

impl Groups {
    /// Works the groups of a plan out. Circles among children end where they close.
    pub(crate) fn of(plan: &ExecutionPlan) -> Groups {
        let mut groups = Groups::default();
        for name in plan.groups.keys() {
            groups.depth.insert(name.clone(), depth(plan, name));
        }
        // Inserted, not collected: that would sort, with a copy of the sorting code for each type.
        let mut named = BTreeSet::new();
        named.extend(plan.groups.keys().cloned());
        for host in plan.hosts.values() {
            named.extend(host.groups.iter().cloned());
        }
        for name in named {
            let mut seen = BTreeSet::new();
            let mut members = Vec::new();
            members_of(plan, &name, &mut seen, &mut members);
            groups.depth.entry(name.clone()).or_insert(1);
            groups.hosts.insert(name, members);
        }
        let everybody = all_hosts(plan);
        let listed = groups.hosts.iter();
        let mut grouped = BTreeSet::new();
        grouped.extend(
            listed
                .filter(|(name, _)| *name != "all" && *name != "ungrouped")
                .flat_map(|(_, hosts)| hosts),
        );
        let ungrouped = everybody
            .iter()
            .filter(|h| !grouped.contains(h))
            .cloned()
            .collect();
        groups.hosts.insert("ungrouped".into(), ungrouped);
        groups.hosts.insert("all".into(), everybody);
        groups.depth.insert("all".into(), 0);
        groups.depth.entry("ungrouped".into()).or_insert(1);
        groups
    }

    /// Takes groups over as somebody else worked them out.
    pub(crate) fn replace(&mut self, groups: Vec<(String, Vec<String>)>) {
        self.hosts.clear();
        self.hosts.extend(groups);
    }

    /// All groups with their hosts.
    pub(crate) fn all(&self) -> &BTreeMap<String, Vec<String>> {
        &self.hosts
    }

    /// The names of the groups that a host is in, `all` apart, sorted.
    pub(crate) fn names_of(&self, host: &str) -> Vec<&str> {
        self.hosts
            .iter()
            .filter(|(name, hosts)| *name != "all" && hosts.iter().any(|h| h == host))
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The groups of a host in the order in which their variables are laid over each other: `all` first.
    pub(crate) fn order_for<'p>(
        &self,
        plan: &'p ExecutionPlan,
        host: &str,
    ) -> Vec<(&'p str, &'p GroupPlan)> {
        let mut mine: Vec<(&str, &GroupPlan)> = plan
            .groups
            .iter()
            .filter(|(name, _)| {
                *name == "all"
                    || self
                        .hosts
                        .get(*name)
                        .is_some_and(|hosts| hosts.iter().any(|h| h == host))
            })
            .map(|(name, group)| (name.as_str(), group))
            .collect();
        order::sort_by_key(&mut mine, |(name, group)| {
            (
                self.depth.get(*name).copied().unwrap_or(1),
                group.priority,
                (*name).to_owned(),
            )
        });
        mine
    }

    /// Whether a name that a play or a task gives as its host (a host, a group, `all`) includes this host.
    pub(crate) fn includes(&self, name: &str, host: &str) -> bool {
        name == host
            || name == "all"
            || name == "*"
            || self
                .hosts
                .get(name)
                .is_some_and(|hosts| hosts.iter().any(|h| h == host))
    }
}

/// The hosts of a plan: those that it describes and those that only groups name.
fn all_hosts(plan: &ExecutionPlan) -> Vec<String> {
    let mut hosts: Vec<String> = plan.hosts.keys().cloned().collect();
    for host in plan.groups.values().flat_map(|g| &g.hosts) {
        if !hosts.contains(host) {
            hosts.push(host.clone());
        }
    }
    hosts
}

fn members_of(
    plan: &ExecutionPlan,
    group: &str,
    seen: &mut BTreeSet<String>,
    out: &mut Vec<String>,
) {
    if !seen.insert(group.to_owned()) {
        return;
    }
    if let Some(entry) = plan.groups.get(group) {
        for host in &entry.hosts {
            if !out.contains(host) {
                out.push(host.clone());
            }
        }
    }
    for (host, entry) in &plan.hosts {
        if entry.groups.iter().any(|g| g == group) && !out.contains(host) {
            out.push(host.clone());
        }
    }
    if let Some(entry) = plan.groups.get(group) {
        for child in &entry.children {
            members_of(plan, child, seen, out);
        }
    }
}

/// The longest way from `all`: groups without parents have depth 1.
fn depth(plan: &ExecutionPlan, group: &str) -> u32 {
    fn climb(plan: &ExecutionPlan, group: &str, path: &mut Vec<String>) -> u32 {
        if group == "all" || path.iter().any(|g| g == group) {
            return 0;
        }
        path.push(group.to_owned());
        let deepest = plan
            .groups
            .iter()
            .filter(|(_, parent)| parent.children.iter().any(|c| c == group))
            .map(|(name, _)| climb(plan, name, path))
            .max()
            .unwrap_or(0);
        path.pop();
        deepest + 1
    }
    climb(plan, group, &mut Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustle_formats::plan::HostPlan;

    fn group(hosts: &[&str], children: &[&str], priority: i64) -> GroupPlan {
        GroupPlan {
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            children: children.iter().map(|h| (*h).to_owned()).collect(),
            priority,
            ..GroupPlan::default()
        }
    }

    #[test]
    fn deeper_groups_win_then_priority_then_name() {
        let mut plan = ExecutionPlan::default();
        plan.hosts.insert("h".into(), HostPlan::default());
        plan.hosts.insert("lonely".into(), HostPlan::default());
        plan.groups.insert("b".into(), group(&["h"], &[], 1));
        plan.groups.insert("a".into(), group(&["h"], &[], 2));
        plan.groups.insert("child".into(), group(&["h"], &[], 1));
        plan.groups
            .insert("parent".into(), group(&[], &["child"], 9));
        plan.groups.insert("all".into(), group(&[], &["parent"], 1));
        let groups = Groups::of(&plan);
        let order: Vec<&str> = groups
            .order_for(&plan, "h")
            .iter()
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(order, ["all", "b", "a", "parent", "child"]);
        assert_eq!(groups.names_of("h"), ["a", "b", "child", "parent"]);
        assert_eq!(groups.names_of("lonely"), ["ungrouped"]);
    }

    #[test]
    fn a_circle_of_children_comes_to_an_end() {
        let mut plan = ExecutionPlan::default();
        plan.groups.insert("a".into(), group(&["h"], &["b"], 1));
        plan.groups.insert("b".into(), group(&[], &["a"], 1));
        assert_eq!(Groups::of(&plan).names_of("h"), ["a", "b"]);
    }
}
