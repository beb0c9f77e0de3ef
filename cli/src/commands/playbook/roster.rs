//! What the command line knows of the hosts of a run on several: the inventory as it is now, and how each host is reached.

use std::path::PathBuf;

use indexmap::IndexMap;
use rustle_controller::fleet::{Roster as Known, Way};
use rustle_formats::plan::PlayPlan;
use rustle_formats::{Map, lay};
use rustle_planner::InventoryPart;
use rustle_playbook::inventory::{self, GroupId, Inventory};
use rustle_playbook::pattern::{LOCALHOST, Limit, Mismatch, pick};
use zeroize::Zeroizing;

use super::PlaybookCommand;
use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::fact_cache::FactCache;
use crate::playbook_source::{Parts, Targets, implicit_vars, inventory_of, merges};
use crate::reach::Reach;

/// The hosts of a run.
pub(super) struct Roster<'a> {
    command: &'a PlaybookCommand,
    parts: &'a Parts<'a>,
    console: &'a Console,
    loaded: inventory::Loaded,
    limit: Option<Limit>,
    extra: Map,
    /// The inventory's part of the plan, until the inventory changes.
    part: Option<InventoryPart>,
    /// Hosts that tasks added: with their groups and variables, in order.
    added: IndexMap<String, Map>,
    /// Groups that tasks put hosts into.
    grouped: Vec<(String, Vec<String>, String)>,
    /// The `localhost` that no source has, where a play means it.
    pub(super) implicit: Option<String>,
    /// The texts of secrets by name.
    pub(super) secrets: IndexMap<String, Zeroizing<String>>,
    /// A private folder of this run.
    pub(super) folder: PathBuf,
    /// Facts that outlive the run.
    pub(super) fact_cache: Option<FactCache>,
}

impl<'a> Roster<'a> {
    /// The hosts as they are before the run.
    pub(super) fn new(
        command: &'a PlaybookCommand,
        parts: &'a Parts<'a>,
        targets: Targets,
        console: &'a Console,
    ) -> Roster<'a> {
        Roster {
            command,
            parts,
            console,
            loaded: targets.loaded,
            limit: targets.limit,
            extra: targets.extra,
            part: Some(targets.inventory),
            added: IndexMap::new(),
            grouped: Vec::new(),
            implicit: targets.implicit,
            secrets: IndexMap::new(),
            folder: PathBuf::new(),
            fact_cache: None,
        }
    }

    /// The facts of a host that earlier runs have left.
    pub(super) fn cached_facts(&self, host: &str) -> Map {
        let cache = self.fact_cache.as_ref();
        cache.map_or_else(Map::new, |cache| cache.facts(host))
    }

    /// Forgets the facts of all hosts of the inventory.
    pub(super) fn forget_facts(&self) {
        let Some(cache) = &self.fact_cache else {
            return;
        };
        for (_, name, _) in self.loaded.inventory.hosts() {
            let forgotten = cache.forget(name);
            if let Err(why) = forgotten {
                self.console.say(&Diagnostic::new(Level::Warning, why));
            }
        }
    }

    fn reach(&self) -> Reach<'_> {
        Reach {
            config: &self.parts.surroundings.config,
            given: &self.command.connection,
            kind: self.command.running.connection.as_deref(),
            password: self
                .command
                .passwords
                .get()
                .and_then(|p| p.connection.as_ref()),
            extra: &self.extra,
            secrets: &self.secrets,
            folder: &self.folder,
        }
    }

    /// The inventory's part, worked out anew where it has changed.
    fn part(&mut self) -> Result<&InventoryPart, String> {
        let part = match self.part.take() {
            Some(part) => part,
            None => {
                let found = inventory_of(
                    self.parts,
                    &self.loaded,
                    self.implicit.as_deref(),
                    self.console,
                );
                let mut part = found.map_err(|problems| {
                    let first = problems.into_iter().next();
                    first.map_or_else(String::new, |p| p.message.clone())
                })?;
                let merges = merges(&self.parts.surroundings.config);
                for (host, vars) in &self.added {
                    let entry = part.hosts.entry(host.clone()).or_default();
                    lay(&mut entry.vars, vars, merges);
                }
                part
            }
        };
        Ok(self.part.insert(part))
    }
}

/// Puts a group that is below no other below `all`.
fn below_all(inventory: &mut Inventory, group: GroupId) -> Result<(), String> {
    let all = inventory.add_group("all");
    if group == all || !inventory.group(group).parents.is_empty() {
        return Ok(());
    }
    inventory.add_child(all, group)
}

impl Known for Roster<'_> {
    fn facts(&mut self, host: &str) -> Map {
        self.cached_facts(host)
    }

    fn keep_facts(&mut self, host: &str, facts: &Map) {
        let Some(cache) = &self.fact_cache else {
            return;
        };
        if let Err(why) = cache.keep(host, facts, self.secrets.values()) {
            self.console.say(&Diagnostic::new(Level::Warning, why));
        }
    }

    fn hosts(&mut self, play: usize) -> Result<Vec<String>, String> {
        let pattern = &self.parts.playbook.plays[play].hosts;
        let inventory = &self.loaded.inventory;
        let picked = pick(inventory, pattern, self.limit.as_ref(), Mismatch::Warning)
            .map_err(|p| p.message.clone())?;
        let mut names: Vec<String> = picked
            .hosts
            .iter()
            .map(|id| inventory.host_name(*id).to_owned())
            .collect();
        names.extend(picked.implicit);
        Ok(names)
    }

    fn way(&mut self, host: &str, play: Option<&PlayPlan>) -> Result<Way, String> {
        let vars = match self.part()?.hosts.get(host) {
            Some(known) => known.vars.clone(),
            None if LOCALHOST.contains(&host) => implicit_vars(),
            None => Map::new(),
        };
        self.reach().way(host, &vars, play)
    }

    fn connection(&mut self, host: &str, play: Option<&PlayPlan>) -> Result<(String, Map), String> {
        let vars = self.vars(host)?;
        self.reach().connection(host, &vars, play)
    }

    fn add_host(&mut self, name: &str, groups: &[String], vars: &Map) -> Result<bool, String> {
        let inventory = &mut self.loaded.inventory;
        let mut new = inventory.find_host(name).is_none();
        let host = inventory.add_host(name);
        for group in groups {
            let id = inventory.add_group(group);
            new |= !inventory.host(host).groups.contains(&id);
            inventory.add_member(host, id);
            below_all(inventory, id)?;
        }
        if inventory.host(host).groups.is_empty() {
            let ungrouped = inventory.add_group("ungrouped");
            inventory.add_member(host, ungrouped);
        }
        let known = self.added.entry(name.to_owned()).or_default();
        for (key, value) in vars {
            if known.get(key) != Some(value) {
                new = true;
                known.insert(key.clone(), value.clone());
            }
        }
        if new {
            self.part = None;
        }
        Ok(new)
    }

    fn add_group(&mut self, name: &str, parents: &[String], host: &str) -> Result<bool, String> {
        let inventory = &mut self.loaded.inventory;
        let mut new = inventory.find_group(name).is_none();
        let group = inventory.add_group(name);
        for parent in parents {
            let parent = inventory.add_group(parent);
            new |= !inventory.group(parent).children.contains(&group);
            inventory.add_child(parent, group)?;
            below_all(inventory, parent)?;
        }
        below_all(inventory, group)?;
        let host_id = inventory.add_host(host);
        new |= !inventory.host(host_id).groups.contains(&group);
        inventory.add_member(host_id, group);
        if new {
            let entry = (name.to_owned(), parents.to_vec(), host.to_owned());
            self.grouped.push(entry);
            self.part = None;
        }
        Ok(new)
    }

    fn refresh(&mut self) -> Result<(), String> {
        let surroundings = self.parts.surroundings;
        self.loaded = inventory::open(
            &self.command.running.inventory,
            &surroundings.config,
            &surroundings.sources,
            &self.parts.disk.vault,
            self.parts.extra,
        )
        .map_err(|p| p.message.clone())?;
        self.part = None;
        // What tasks added is not in the sources, and is forgotten as under Ansible.
        self.added.clear();
        self.grouped.clear();
        Ok(())
    }

    fn groups(&mut self) -> Vec<(String, Vec<String>)> {
        let inventory = &self.loaded.inventory;
        inventory
            .groups()
            .map(|(id, name, _)| {
                let hosts = inventory.hosts_of(id).into_iter();
                let names = hosts.map(|h| inventory.host_name(h).to_owned());
                (name.to_owned(), names.collect())
            })
            .collect()
    }

    fn vars(&mut self, host: &str) -> Result<Map, String> {
        let known = self.part()?.hosts.get(host);
        Ok(match known {
            Some(known) => known.vars.clone(),
            None if LOCALHOST.contains(&host) => implicit_vars(),
            None => Map::new(),
        })
    }
}
