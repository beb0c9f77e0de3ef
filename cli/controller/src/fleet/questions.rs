//! What hosts ask for beside leave to go on: files, secrets, each other's variables.

use rustle_formats::plan::{Way, carried};
use rustle_formats::{Map, Value};
use rustle_runtime::assets::{AssetEntry, Assets as _};
use rustle_runtime::engine::{Plugin, READ_CHUNK, Reply, Request, Since, Update, answer};
use zeroize::Zeroizing;

use super::permits::is_synchronize;
use super::play::{Coordinator, Stop};

impl Coordinator<'_> {
    /// Answers at once, or lets somebody else answer.
    pub(super) fn answer_question(&mut self, member: usize, id: u64, request: Request) {
        let files = &self.fleet.files;
        let entries = |found: std::io::Result<Vec<AssetEntry>>| match found {
            Ok(entries) => Reply::Entries(entries),
            Err(e) => Reply::Refused(e.to_string()),
        };
        let reply = match request {
            Request::HostVars { host } => return self.tell_of(member, id, &host),
            Request::Inventory { named } => {
                let reply = self.take_in(member, &named);
                self.members[member].say(id, &reply);
                return;
            }
            Request::Ask(question) if question.plugin == Plugin::Action => {
                self.act(member, question.named)
            }
            Request::Ask(question)
                if question.plugin == Plugin::Lookup && !self.permits.lookup(&question.name) =>
            {
                Reply::Refused(format!(
                    "nothing in the playbook names the lookup '{}', therefore no host may ask for it",
                    question.name
                ))
            }
            Request::Ask(question) => {
                let mut vars = Map::new();
                let groups = self.roster.groups().into_iter();
                let groups = groups.map(|(name, hosts)| (name, Value::from(hosts)));
                vars.insert("groups".into(), Value::Map(groups.collect()));
                answer(self.fleet.controller, *question, &vars)
            }
            Request::Secret { name } => match self.secret(member, &name) {
                Some(text) => Reply::Text(text.as_str().to_owned()),
                None => Reply::Refused(format!("there is no secret '{name}' for this host")),
            },
            Request::Entry { path } => entries(files.entry(&path).map(|e| e.into_iter().collect())),
            Request::Below { path } => entries(files.below(&path)),
            Request::Read { path, offset } => match files.read_part(&path, offset, READ_CHUNK) {
                Ok(bytes) => Reply::Bytes(bytes.into()),
                Err(e) => Reply::Refused(e.to_string()),
            },
            // A host can leave files here only in a run that asks for them.
            Request::Keep(delivery) if self.permits.fetched(&delivery) => files.keep(&delivery),
            Request::Keep(delivery) => Reply::Refused(format!(
                "no task of the run fetches anything to '{}'",
                delivery.dest
            )),
            Request::Action(action) if is_synchronize(&action) => {
                return self.synchronize(member, id, *action);
            }
            Request::Action(action) => {
                // Where a host's engine is a process of this machine, it is nobody else's.
                let own = self.apart && self.members[member].errand.is_none();
                if own || self.permits.delegated(&action) {
                    return self.delegate(member, id, *action);
                }
                Reply::Refused(format!(
                    "the plan has nobody on '{}' do this for others",
                    action.delegate_to
                ))
            }
            _ => Reply::Refused("this is asked at the wrong time".to_owned()),
        };
        self.members[member].say(id, &reply);
    }

    /// Runs an action plugin in Python for a host: one that the plan names, over the connection by which the host is reached,
    /// whatever the host says of itself.
    fn act(&mut self, member: usize, mut told: Map) -> Reply {
        let name = told.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut known = carried(self.fleet.plan);
        if !known.any(|module| module.way == Way::Action && module.name == name) {
            return Reply::Refused(format!(
                "no task of the run names the action plugin '{name}'"
            ));
        }
        // A delegated task is done over the other host's connection.
        let host = told.get("host").and_then(Value::as_str);
        let host = host.unwrap_or(&self.members[member].name).to_owned();
        let play = self.fleet.plan.plays.get(self.play);
        let (kind, own) = match self.roster.connection(&host, play) {
            Ok(found) => found,
            Err(why) => return Reply::Refused(why),
        };
        told.insert("connection".into(), kind.into());
        if let Some(Value::Map(variables)) = told.get_mut("variables") {
            // How a connection is made is not for the host to say: `ssh` runs what its options name, here.
            variables.retain(|name, _| !is_of_connection(name));
            variables.extend(own);
        }
        match self.fleet.controller.action(&told) {
            Ok(result) => Reply::Value(Value::Map(result)),
            Err(why) => Reply::Refused(why),
        }
    }

    /// The text of a secret. Passwords of connections are for those who do a task for another.
    fn secret(&self, member: usize, name: &str) -> Option<&Zeroizing<String>> {
        let on_errand = self.members[member].errand.is_some();
        let lent = on_errand.then(|| self.passwords.get(name)).flatten();
        lent.or_else(|| self.fleet.secrets.get(name))
    }

    /// Takes in the hosts and groups that a task names, and tells all hosts.
    pub(super) fn change_inventory(&mut self, since: &Since) -> Result<(), Stop> {
        let mut changed = false;
        if since.outcome == rustle_runtime::engine::Outcome::RefreshInventory {
            self.roster.refresh().map_err(Stop::Error)?;
            changed = true;
        }
        if changed {
            self.tell_inventory().map_err(Stop::Error)?;
        }
        Ok(())
    }

    /// Lets all hosts know the inventory as it is now.
    fn tell_inventory(&mut self) -> Result<(), String> {
        self.renewed = true;
        for member in 0..self.members.len() {
            let update = self.inventory_for(member)?;
            self.members[member].receive(update);
        }
        Ok(())
    }

    /// Whether the plan does not have a host's variables as they are: the inventory has changed since, or it is a `localhost`
    /// that no source has.
    pub(super) fn is_unlike_the_plan(&self, host: &str) -> bool {
        self.renewed || !self.fleet.plan.hosts.contains_key(host)
    }

    /// The inventory as a host sees it.
    pub(super) fn inventory_for(&mut self, member: usize) -> Result<Update, String> {
        Ok(Update::Inventory {
            groups: self.roster.groups(),
            vars: self.roster.vars(&self.members[member].name)?,
        })
    }

    /// Takes in what `add_host` or `group_by` names, and tells all hosts.
    fn take_in(&mut self, member: usize, named: &Map) -> Reply {
        let done = self.name(named).and_then(|changed| {
            if changed {
                self.tell_inventory()?;
            }
            Ok(changed)
        });
        let updates = std::mem::take(&mut self.members[member].updates);
        match done {
            Ok(true) => Reply::Pass(updates),
            Ok(false) => Reply::Go(updates),
            Err(why) => Reply::Refused(why),
        }
    }

    /// Tells one host of another.
    fn tell_of(&mut self, member: usize, id: u64, host: &str) {
        let inventory = match self.is_unlike_the_plan(host) {
            true => self.roster.vars(host).ok(),
            false => None,
        };
        let facts = match self.known(host) {
            Some(known) => known.facts.clone(),
            None => self.roster.facts(host),
        };
        let known = self.known(host);
        let reply = Reply::Vars {
            inventory,
            facts,
            vars: known.map_or_else(Map::new, |k| k.vars.clone()),
        };
        self.members[member].say(id, &reply);
    }

    /// What one `add_host` or `group_by` names; whether anything is new.
    fn name(&mut self, named: &Map) -> Result<bool, String> {
        let text = |map: &Map, key: &str| {
            map.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let texts = |value: Option<&Value>| -> Vec<String> {
            let list = value.and_then(Value::as_list).unwrap_or_default();
            list.iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        if let Some(Value::Map(host)) = named.get("add_host") {
            let vars = match host.get("host_vars") {
                Some(Value::Map(vars)) => vars.clone(),
                _ => Map::new(),
            };
            let groups = texts(host.get("groups"));
            return self
                .roster
                .add_host(&text(host, "host_name"), &groups, &vars);
        }
        let group = text(named, "add_group");
        let parents = texts(named.get("parent_groups"));
        self.roster
            .add_group(&group, &parents, &text(named, "host"))
    }
}

/// Whether a variable tells Ansible how to make a connection.
fn is_of_connection(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("ansible_") else {
        return false;
    };
    let plugins = [
        "ssh",
        "sftp",
        "scp",
        "sshpass",
        "paramiko",
        "control_path",
        "docker",
        "podman",
        "chroot",
    ];
    let own = [
        "host",
        "port",
        "user",
        "password",
        "private_key_file",
        "timeout",
        "pipelining",
    ];
    own.contains(&rest) || plugins.iter().any(|plugin| rest.starts_with(plugin))
}
