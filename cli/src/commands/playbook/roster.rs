//! What the command line knows of the hosts of a run on several: the inventory as it is now, and how each host is reached.

use std::path::PathBuf;

use indexmap::IndexMap;
use rustle_controller::fleet::{Roster as Known, Way};
use rustle_controller::program::ProgramConnection;
use rustle_formats::plan::PlayPlan;
use rustle_formats::{Map, Value, lay};
use rustle_planner::InventoryPart;
use rustle_playbook::inventory::{self, GroupId, Inventory};
use rustle_playbook::pattern::{LOCALHOST, Limit, Mismatch, pick};
use rustle_playbook::words;
use rustle_runtime::report::python_str;
use zeroize::Zeroizing;

use super::PlaybookCommand;
use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::fact_cache::FactCache;
use crate::playbook_source::{Parts, Targets, implicit_vars, inventory_of, merges};
use crate::ssh_way::{Here, Wanted};

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
            None => text(play.and_then(|p| p.port.as_ref()))
                .or_else(|| config.text("DEFAULT_REMOTE_PORT").map(str::to_owned)),
        };
        let port = port
            .map(|port| {
                port.trim()
                    .parse::<u16>()
                    .map_err(|_| format!("`{port}` is not a port"))
            })
            .transpose()?;
        let environment = config.environment();
        let names = ["ansible_ssh_private_key_file", "ansible_private_key_file"];
        let key = self
            .setting(vars, &names)?
            .map(PathBuf::from)
            .or_else(|| given.private_key.clone())
            .or_else(|| config.text("DEFAULT_PRIVATE_KEY_FILE").map(PathBuf::from));
        let names = [
            "ansible_password",
            "ansible_ssh_password",
            "ansible_ssh_pass",
        ];
        let password = self.setting(vars, &names)?.map(Zeroizing::new);
        // A variable wins over what the user typed for all hosts.
        let password = password.or_else(|| self.command.passwords.get()?.connection.clone());
        let checking = self.setting(
            vars,
            &["ansible_ssh_host_key_checking", "ansible_host_key_checking"],
        )?;
        let checking = checking.map_or_else(
            || config.flag("SSH_HOST_KEY_CHECKING") && config.flag("HOST_KEY_CHECKING"),
            |text| !matches!(text.to_lowercase().as_str(), "false" | "no" | "0" | "off"),
        );
        let wanted = Wanted {
            host: address.unwrap_or_else(|| host.to_owned()),
            user: self.user(vars, play)?,
            port,
            keys: key
                .map(|key| environment.path(&key.to_string_lossy()))
                .into_iter()
                .collect(),
            accept_new: (!checking).then_some(true),
            timeout: self.timeout(vars)?,
            password,
            arguments: [
                self.ssh_option(vars, "ssh_common_args", &given.ssh_common_args)?,
                self.ssh_option(vars, "ssh_extra_args", &given.ssh_extra_args)?,
            ]
            .into_iter()
            .flatten()
            .collect(),
            ssh_args: self.ssh_option(vars, "ssh_args", &None)?,
            executable: self.ssh_option(vars, "ssh_executable", &None)?,
            control_dir: config.path("SSH_CONTROL_PATH_DIR"),
            control_path: self.ssh_option(vars, "control_path", &None)?,
            folder: Some(self.folder.clone()),
            ..Wanted::default()
        };
        let own = environment
            .get("USER")
            .or_else(|| environment.get("LOGNAME"));
        wanted.way(&Here {
            home: environment.home.as_deref(),
            user: own.unwrap_or("root"),
            path: environment.get("PATH"),
        })
    }

    fn user(&self, vars: &Map, play: Option<&PlayPlan>) -> Result<Option<String>, String> {
        if let Some(user) = self.setting(vars, &["ansible_ssh_user", "ansible_user"])? {
            return Ok(Some(user));
        }
        let config = &self.parts.surroundings.config;
        Ok(play
            .and_then(|p| p.remote_user.as_ref())
            .map(python_str)
            .or_else(|| self.command.connection.user.clone())
            .or_else(|| config.text("DEFAULT_REMOTE_USER").map(str::to_owned)))
    }

    /// Seconds that connecting may take.
    fn timeout(&self, vars: &Map) -> Result<Option<u64>, String> {
        let number = |text: &str| {
            text.trim()
                .parse::<u64>()
                .map_err(|_| format!("`{text}` is not a number of seconds"))
        };
        if let Some(text) = self.setting(vars, &["ansible_ssh_timeout", "ansible_timeout"])? {
            return number(&text).map(Some);
        }
        let config = &self.parts.surroundings.config;
        if let Some(given) = self.command.connection.timeout {
            return Ok(Some(u64::from(given)));
        }
        let set = ["SSH_TIMEOUT", "DEFAULT_TIMEOUT"];
        let set = set.iter().find(|name| config.is_set(name));
        set.and_then(|name| config.text(name))
            .map(number)
            .transpose()
    }

    /// An option of Ansible's ssh connection: its variable, then the command line, then the configuration. Empty is as good as
    /// none.
    fn ssh_option(
        &self,
        vars: &Map,
        name: &str,
        given: &Option<String>,
    ) -> Result<Option<String>, String> {
        let config = &self.parts.surroundings.config;
        let own = format!("ansible_{name}");
        let setting = match name.strip_prefix("ssh_") {
            Some(_) => name.to_uppercase(),
            None => format!("SSH_{}", name.to_uppercase()),
        };
        let found = self
            .setting(vars, &[&own])?
            .or_else(|| given.clone())
            .or_else(|| config.text(&setting).map(str::to_owned));
        Ok(found.filter(|text| !text.trim().is_empty()))
    }

    /// A container or a chroot, by the program that enters it.
    fn inside(
        &self,
        kind: Inside,
        host: &str,
        vars: &Map,
        play: Option<&PlayPlan>,
    ) -> Result<Way, String> {
        let (name, program) = kind.names();
        let executable = self.setting(vars, &[&format!("ansible_{name}_exe")])?;
        let place = self.setting(vars, &["ansible_host"])?;
        let place = place.unwrap_or_else(|| host.to_owned());
        let mut command = vec![executable.unwrap_or_else(|| program.to_owned())];
        if kind == Inside::Chroot {
            command.push(place);
        } else {
            let names = [format!("ansible_{name}_extra_args")];
            if let Some(text) = self.setting(vars, &[&names[0]])? {
                let split = words::split(&text).map_err(|why| format!("`{text}`: {why}"))?;
                command.extend(split);
            }
            command.extend(["exec".to_owned(), "-i".to_owned()]);
            if let Some(user) = self.user(vars, play)? {
                command.extend(["-u".to_owned(), user]);
            }
            command.push(place);
        }
        Ok(Way::Program(Box::new(ProgramConnection {
            command: command.into_iter().map(Into::into).collect(),
            login_shell: false,
            password: None,
        })))
    }
}

/// What is entered by a program on this machine.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Docker,
    Podman,
    Chroot,
}

impl Inside {
    fn of(kind: &str) -> Option<Inside> {
        Some(match kind {
            "docker" | "community.docker.docker" | "community.general.docker" => Inside::Docker,
            "podman" | "containers.podman.podman" => Inside::Podman,
            "chroot" | "community.general.chroot" => Inside::Chroot,
            _ => return None,
        })
    }

    /// Its name in variables, and its program.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Inside::Docker => ("docker", "docker"),
            Inside::Podman => ("podman", "podman"),
            Inside::Chroot => ("chroot", "chroot"),
        }
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
        let written = self.setting(&vars, &["ansible_connection"])?;
        let kind = written
            .or_else(|| Some(python_str(play?.connection.as_ref()?)))
            .or_else(|| self.command.running.connection.clone())
            .or_else(|| {
                let config = &self.parts.surroundings.config;
                config.text("DEFAULT_TRANSPORT").map(str::to_owned)
            })
            .unwrap_or_else(|| "ssh".to_owned());
        if is_local(&kind) {
            return Ok(Way::Child);
        }
        if is_ssh(&kind) {
            return self.ssh(host, &vars, play);
        }
        if let Some(inside) = Inside::of(&kind) {
            return self.inside(inside, host, &vars, play);
        }
        Err(format!(
            "the connection `{kind}` is not supported: {host} can be reached over `ssh`, `local`, `docker`, `podman` and `chroot`"
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
