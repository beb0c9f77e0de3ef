//! What the command line knows of the hosts of a run on several: the inventory as it is now, and how each host is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use rustle_controller::Destination;
use rustle_controller::fleet::{Roster as Known, Way};
use rustle_controller::ssh::{Question, SshOptions};
use rustle_formats::plan::PlayPlan;
use rustle_formats::{Map, Value};
use rustle_planner::InventoryPart;
use rustle_playbook::inventory::{self, GroupId, Inventory};
use rustle_playbook::pattern::{LOCALHOST, Limit, Mismatch, pick};
use rustle_runtime::report::python_str;
use zeroize::Zeroizing;

use super::PlaybookCommand;
use crate::console::Console;
use crate::playbook_source::{Parts, Targets, implicit_vars, inventory_of};

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
}

/// Whether a connection of this name is this machine.
pub(super) fn is_local(kind: &str) -> bool {
    let short = kind
        .strip_prefix("ansible.builtin.")
        .or_else(|| kind.strip_prefix("ansible.legacy."));
    short.unwrap_or(kind) == "local"
}

fn is_ssh(kind: &str) -> bool {
    let short = kind
        .strip_prefix("ansible.builtin.")
        .or_else(|| kind.strip_prefix("ansible.legacy."));
    matches!(
        short.unwrap_or(kind),
        "ssh" | "smart" | "paramiko" | "paramiko_ssh"
    )
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
        }
    }

    /// The inventory's part, worked out anew where it has changed.
    fn part(&mut self) -> Result<&InventoryPart, String> {
        let part = match self.part.take() {
            Some(part) => part,
            None => {
                let found = inventory_of(self.parts, &self.loaded, self.console);
                let mut part = found.map_err(|problems| {
                    let first = problems.into_iter().next();
                    first.map_or_else(String::new, |p| p.message.clone())
                })?;
                for (host, vars) in &self.added {
                    let entry = part.hosts.entry(host.clone()).or_default();
                    entry.vars.extend(vars.clone());
                }
                part
            }
        };
        Ok(self.part.insert(part))
    }

    /// A variable of the connection: extra variables win over the host's.
    fn setting(&self, vars: &Map, names: &[&str]) -> Result<Option<String>, String> {
        for layer in [&self.extra, vars] {
            for name in names {
                let text = match layer.get(*name) {
                    None | Some(Value::Null) => continue,
                    Some(Value::Secret(name)) => match self.secrets.get(name) {
                        Some(text) => text.as_str().to_owned(),
                        None => continue,
                    },
                    Some(value) => python_str(value),
                };
                if text.contains("{{") {
                    return Err(format!(
                        "the variable `{name}` is a template ({text}), and how a host is reached must be known before anything is rendered: write its value"
                    ));
                }
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    fn ssh(&self, host: &str, vars: &Map, play: Option<&PlayPlan>) -> Result<Way, String> {
        let config = &self.parts.surroundings.config;
        let given = &self.command.connection;
        let text = |value: Option<&Value>| value.map(python_str);
        let address = self.setting(vars, &["ansible_ssh_host", "ansible_host"])?;
        let port = match self.setting(vars, &["ansible_ssh_port", "ansible_port"])? {
            Some(port) => Some(port),
            None => text(play.and_then(|p| p.port.as_ref())),
        };
        let port = port
            .map(|port| {
                port.trim()
                    .parse::<u16>()
                    .map_err(|_| format!("`{port}` is not a port"))
            })
            .transpose()?;
        let user = match self.setting(vars, &["ansible_ssh_user", "ansible_user"])? {
            Some(user) => Some(user),
            None => text(play.and_then(|p| p.remote_user.as_ref()))
                .or_else(|| given.user.clone())
                .or_else(|| config.text("DEFAULT_REMOTE_USER").map(str::to_owned)),
        };
        let environment = config.environment();
        let own = environment
            .get("USER")
            .or_else(|| environment.get("LOGNAME"))
            .unwrap_or("root");
        let names = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
        let key = self
            .setting(vars, &names)?
            .map(PathBuf::from)
            .or_else(|| given.private_key.clone())
            .or_else(|| config.text("DEFAULT_PRIVATE_KEY_FILE").map(PathBuf::from));
        let folder = environment.home.as_ref().map(|home| home.join(".ssh"));
        let key_files = match key {
            Some(key) => vec![environment.path(&key.to_string_lossy())],
            None => ["id_ed25519", "id_ecdsa", "id_rsa"]
                .iter()
                .filter_map(|name| Some(folder.as_ref()?.join(name)))
                .collect(),
        };
        let mut known_hosts: Vec<PathBuf> = folder
            .iter()
            .flat_map(|f| ["known_hosts", "known_hosts2"].map(|n| f.join(n)))
            .collect();
        known_hosts.push("/etc/ssh/ssh_known_hosts".into());
        let names = [
            "ansible_password",
            "ansible_ssh_password",
            "ansible_ssh_pass",
        ];
        let password = self.setting(vars, &names)?.map(Zeroizing::new);
        let checking = self.setting(
            vars,
            &["ansible_ssh_host_key_checking", "ansible_host_key_checking"],
        )?;
        let checking = checking.map_or_else(
            || config.flag("HOST_KEY_CHECKING"),
            |text| !matches!(text.to_lowercase().as_str(), "false" | "no" | "0" | "off"),
        );
        let options = SshOptions {
            user: user.unwrap_or_else(|| own.to_owned()),
            key_files,
            agent: true,
            known_hosts,
            // A key that is known and differs is refused in any case.
            accept_new: !checking,
            timeout: Duration::from_secs(u64::from(given.timeout.unwrap_or(10).max(1))),
            compress: false,
            ask: Some(Arc::new(move |question: Question<'_>| match question {
                Question::Password { .. } | Question::Prompt { echo: false, .. } => {
                    password.clone()
                }
                _ => None,
            })),
        };
        let destination = Destination {
            user: None,
            host: address.unwrap_or_else(|| host.to_owned()),
            port,
        };
        Ok(Way::Ssh(Box::new((destination, options))))
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
        let written = self.setting(&vars, &["ansible_connection"])?;
        let kind = written
            .or_else(|| Some(python_str(play?.connection.as_ref()?)))
            .or_else(|| self.command.running.connection.clone())
            .unwrap_or_else(|| "ssh".to_owned());
        if is_local(&kind) {
            return Ok(Way::Child);
        }
        if is_ssh(&kind) {
            return self.ssh(host, &vars, play);
        }
        Err(format!(
            "the connection `{kind}` is not supported: {host} can be reached over `ssh` and `local`"
        ))
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
