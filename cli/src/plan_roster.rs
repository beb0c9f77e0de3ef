//! The hosts of a plan that is a document of its own: its inventory is what stands in it.

use indexmap::IndexMap;
use rustle_controller::fleet::{Roster, Way};
use rustle_formats::plan::{ExecutionPlan, PlayPlan};
use rustle_formats::{Map, Value};
use rustle_playbook::pattern::LOCALHOST;
use rustle_runtime::inventory;

use crate::reach::Reach;

/// The hosts of a run.
pub(crate) struct PlanRoster<'a> {
    plan: &'a ExecutionPlan,
    reach: Reach<'a>,
    /// Groups with their hosts, as they are now.
    groups: Vec<(String, Vec<String>)>,
    /// What tasks added, by host.
    added: IndexMap<String, Map>,
}

impl<'a> PlanRoster<'a> {
    /// The hosts of the plan.
    pub(crate) fn new(plan: &'a ExecutionPlan, reach: Reach<'a>) -> PlanRoster<'a> {
        PlanRoster {
            plan,
            reach,
            groups: inventory::groups(plan),
            added: IndexMap::new(),
        }
    }

    /// Puts a host into a group; whether it was not there.
    fn join(&mut self, group: &str, host: &str) -> bool {
        match self.groups.iter_mut().find(|(name, _)| name == group) {
            Some((_, hosts)) if hosts.iter().any(|h| h == host) => false,
            Some((_, hosts)) => {
                hosts.push(host.to_owned());
                true
            }
            None => {
                self.groups.push((group.to_owned(), vec![host.to_owned()]));
                true
            }
        }
    }
}

impl Roster for PlanRoster<'_> {
    fn hosts(&mut self, play: usize) -> Result<Vec<String>, String> {
        let names = &self.plan.plays[play].hosts;
        let mut out = inventory::hosts(self.plan, names);
        for name in names {
            let of_group = self.groups.iter().filter(|(group, _)| group == name);
            let of_group = of_group.flat_map(|(_, hosts)| hosts.iter().cloned());
            let known = LOCALHOST.contains(&name.as_str()) || self.added.contains_key(name);
            for host in of_group.chain(known.then(|| name.clone())) {
                if !out.contains(&host) {
                    out.push(host);
                }
            }
        }
        Ok(out)
    }

    fn way(&mut self, host: &str, play: Option<&PlayPlan>) -> Result<Way, String> {
        let vars = self.vars(host)?;
        self.reach.way(host, &vars, play)
    }

    fn connection(&mut self, host: &str, play: Option<&PlayPlan>) -> Result<(String, Map), String> {
        let vars = self.vars(host)?;
        self.reach.connection(host, &vars, play)
    }

    fn add_host(&mut self, name: &str, groups: &[String], vars: &Map) -> Result<bool, String> {
        let mut new = !self.plan.hosts.contains_key(name) && !self.added.contains_key(name);
        for group in ["all"].into_iter().chain(groups.iter().map(String::as_str)) {
            new |= self.join(group, name);
        }
        let known = self.added.entry(name.to_owned()).or_default();
        for (key, value) in vars {
            new |= known.get(key) != Some(value);
            known.insert(key.clone(), value.clone());
        }
        Ok(new)
    }

    fn add_group(&mut self, name: &str, parents: &[String], host: &str) -> Result<bool, String> {
        let mut new = self.join(name, host);
        for parent in parents {
            new |= self.join(parent, host);
        }
        Ok(new)
    }

    fn refresh(&mut self) -> Result<(), String> {
        Err("a plan has no inventory that could be read again: run the playbook with `rustle playbook`".to_owned())
    }

    fn groups(&mut self) -> Vec<(String, Vec<String>)> {
        self.groups.clone()
    }

    fn vars(&mut self, host: &str) -> Result<Map, String> {
        let mut vars = inventory::vars(self.plan, host);
        if let Some(added) = self.added.get(host) {
            rustle_formats::lay(&mut vars, added, false);
        }
        let implicit = LOCALHOST.contains(&host) && !self.plan.hosts.contains_key(host);
        if implicit && !vars.contains_key("ansible_connection") {
            vars.insert("ansible_connection".to_owned(), Value::from("local"));
        }
        Ok(vars)
    }

    fn facts(&mut self, _: &str) -> Map {
        Map::new()
    }

    fn keep_facts(&mut self, _: &str, _: &Map) {}
}
