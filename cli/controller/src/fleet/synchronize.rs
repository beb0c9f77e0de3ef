//! `synchronize`: which machine runs rsync, and how it reaches the other one. What a host says of connections does not count, because
//! rsync runs here what its options name: they are made of the inventory and of the plan.

use std::path::{Component, Path, PathBuf};

use rustle_formats::plan::{PlayPlan, Task, asset_candidates, asset_name};
use rustle_formats::{Map, Value};
use rustle_runtime::engine::{Action, Reply, SYNCHRONIZE_HERE};
use rustle_runtime::report::python_str;

use super::Way;
use super::play::Coordinator;

/// Addresses that are this machine's.
const HERE: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// The options of ssh where nobody sets others, as Ansible has them.
const SSH_ARGS: &str = "-C -o ControlMaster=auto -o ControlPersist=60s";

impl Coordinator<'_> {
    /// Lets rsync run where it belongs, and its asker know what came of it.
    pub(super) fn synchronize(&mut self, member: usize, id: u64, action: Action) {
        if let Err(why) = self.permits.synchronized(&action) {
            return self.members[member].say(id, &Reply::Refused(why));
        }
        match self.prepared(member, action) {
            Err(why) => self.members[member].say(id, &Reply::Refused(why)),
            Ok((action, way)) => self.send_on_errand(member, id, action, way),
        }
    }

    /// The action with its arguments made, and the way to the host that does it.
    fn prepared(
        &mut self,
        member: usize,
        mut action: Action,
    ) -> Result<(Action, Result<Way, String>), String> {
        let host = self.members[member].name.clone();
        let plan = self.fleet.plan;
        let play = plan.plays.get(self.play);
        let task = plan.tasks().find(|task| task.id == action.task);
        let settings = self.settings(&host, play, task)?;
        let delegate = std::mem::take(&mut action.delegate_to);
        let elsewhere = !delegate.is_empty() && delegate != host;
        let user = match elsewhere && settings.own_user.is_none() {
            true => {
                let (_, of_delegate) = self.roster.connection(&delegate, None)?;
                of_delegate.get("ansible_user").map(python_str)
            }
            false => settings.user.clone(),
        };
        let swapped = delegate.is_empty() && !settings.is_local();
        if settings.is_inside() && !delegate.is_empty() && !elsewhere {
            return Err(format!(
                "`synchronize` delegated to '{delegate}' would run inside it, over the connection `{}`: copy there by `command: rsync`",
                settings.kind
            ));
        }
        let local = !elsewhere
            && (settings.is_local() || !delegate.is_empty() || HERE.contains(&settings.address()));
        let escalation = std::mem::take(&mut action.escalation);
        let sudo = escalation.get("become_method").and_then(Value::as_str) == Some("sudo");
        if sudo
            && (elsewhere || delegate.is_empty())
            && !settings.is_local()
            && !settings.is_inside()
            && !is_given(&action, "rsync_path")
        {
            let user = escalation.get("become_user").map(python_str);
            let program = format!("sudo -u {} rsync", user.unwrap_or_default());
            action.args.insert("rsync_path".into(), program.into());
        }
        self.fill_places(&mut action, local);
        if !local {
            let secret = settings.text("ansible_password").map(|password| {
                let name = format!("rustle_synchronize_{host}");
                self.passwords.insert(name.clone(), password.into());
                name
            });
            settings.fill(
                &mut action.args,
                user.as_deref(),
                &escalation,
                secret.as_deref(),
            )?;
        }
        if elsewhere {
            action.args.insert(
                "_substitute_controller".into(),
                (!HERE.contains(&delegate.as_str())).into(),
            );
        }
        if let Some(program) = settings.text("ansible_rsync_path") {
            action
                .args
                .insert("_local_rsync_path".into(), program.into());
        }
        if !swapped {
            action.escalation = escalation;
        }
        action.vars = Map::from_iter([(SYNCHRONIZE_HERE.to_owned(), true.into())]);
        let way = match delegate.is_empty() {
            true => Ok(Way::Child),
            false => {
                let own = play.filter(|_| !elsewhere);
                self.roster.way(&delegate, own)
            }
        };
        action.delegate_to = match delegate.is_empty() {
            true => "localhost".to_owned(),
            false => delegate,
        };
        Ok((action, way))
    }

    /// What inventory and plan say of a host's connection.
    fn settings(
        &mut self,
        host: &str,
        play: Option<&PlayPlan>,
        task: Option<&Task>,
    ) -> Result<Settings, String> {
        let known = self.roster.vars(host)?;
        let (mut kind, own) = self.roster.connection(host, play)?;
        let mut vars = known;
        vars.extend(own);
        let own_user = ["ansible_user", "ansible_ssh_user"];
        let known = self.roster.vars(host)?;
        let mut own_user = own_user
            .iter()
            .find_map(|name| known.get(*name))
            .map(python_str);
        // What a task says of it does not count, as with Ansible.
        let address = vars.get("ansible_host").map(python_str);
        if let Some(play) = play {
            add(&mut vars, &play.vars);
        }
        if let Some(task) = task {
            add(&mut vars, &task.vars);
            own_user = task.vars.get("ansible_user").map(python_str).or(own_user);
            if let Some(user) = literal(task.remote_user.as_ref()) {
                vars.entry("ansible_user".into()).or_insert(user.into());
            }
            if let Some(of_task) = literal(task.connection.as_ref()) {
                kind = of_task;
            }
        }
        let text = |value: Option<&Value>| value.map(python_str).filter(|t| !t.is_empty());
        Ok(Settings {
            host: host.to_owned(),
            address: address.unwrap_or_else(|| host.to_owned()),
            user: text(vars.get("ansible_user")).or_else(|| own_user.clone()),
            own_user,
            kind,
            vars,
        })
    }

    /// Makes the paths of files of this machine whole: `src`, in mode `pull` `dest`; both where nothing leaves it.
    fn fill_places(&self, action: &mut Action, both: bool) {
        let pull = action.args.get("mode").and_then(Value::as_str) == Some("pull");
        let own = if pull { "dest" } else { "src" };
        for name in ["src", "dest"] {
            if (name == own || both)
                && let Some(Value::Str(text) | Value::Unsafe(text)) = action.args.get(name)
            {
                let whole = self.whole(text, &action.folders);
                action.args.insert(name.into(), whole.into());
            }
        }
    }

    /// Where a file of a task lies: in its role, beside the playbook, or nowhere yet.
    fn whole(&self, text: &str, folders: &[String]) -> String {
        let head = text.split('/').next().unwrap_or_default();
        if text.starts_with(['/', '~', '$']) || head.contains(':') {
            return text.to_owned();
        }
        let Some(root) = self.fleet.files.root() else {
            return text.to_owned();
        };
        let mut places = asset_candidates(folders, "files", text).into_iter();
        let found = places.find_map(|name| self.fleet.files.place_of(asset_name(&name).as_bytes()));
        let place = plain(&found.unwrap_or_else(|| root.join(text)));
        let slash = text.ends_with('/') || text.is_empty();
        format!("{}{}", place.display(), if slash { "/" } else { "" })
    }
}

/// How a host is reached, by the names of Ansible's variables.
struct Settings {
    host: String,
    address: String,
    /// The user to log in as.
    user: Option<String>,
    /// The user that the host's variables name.
    own_user: Option<String>,
    kind: String,
    vars: Map,
}

impl Settings {
    fn short(&self) -> &str {
        self.kind.rsplit('.').next().unwrap_or(&self.kind)
    }

    fn is_local(&self) -> bool {
        self.short() == "local"
    }

    /// Whether it is entered by a container's command line.
    fn is_inside(&self) -> bool {
        matches!(self.short(), "docker" | "podman")
    }

    fn address(&self) -> &str {
        &self.address
    }

    fn text(&self, name: &str) -> Option<String> {
        let text = python_str(self.vars.get(name)?);
        (!text.contains("{{")).then_some(text)
    }

    /// The arguments that lead to the host.
    fn fill(
        &self,
        args: &mut Map,
        user: Option<&str>,
        escalation: &Map,
        secret: Option<&str>,
    ) -> Result<(), String> {
        let given = |args: &Map, name: &str| args.get(name).is_some_and(|v| !v.is_null());
        let flag =
            |args: &Map, name: &str| args.get(name).map(python_str).map(|t| t.to_lowercase());
        if self.short() == "chroot" {
            return Err(format!(
                "`synchronize` cannot reach {} over the connection `{}`: rsync reaches hosts over ssh, docker and podman",
                self.host, self.kind
            ));
        }
        let mut user = user.filter(|_| {
            let wanted = flag(args, "set_remote_user");
            !wanted.is_some_and(|t| matches!(t.as_str(), "false" | "no" | "off" | "0" | "n" | "f"))
        });
        let become_user = escalation.get("become_user").map(python_str);
        if self.is_inside() {
            let named = become_user.as_deref().or(user.take());
            let named = named.map(|user| format!(" -u {user}")).unwrap_or_default();
            let mut options = vec![Value::from(format!(
                "--rsh='{} exec -i{named}'",
                self.short()
            ))];
            match args.get("rsync_opts") {
                Some(Value::List(list)) => options.extend(list.iter().cloned()),
                Some(Value::Null) | None => {}
                Some(text) => options.push(text.clone()),
            }
            args.insert("rsync_opts".into(), Value::List(options));
        } else {
            let key = self.text("ansible_ssh_private_key_file");
            let key = key.or_else(|| self.text("ansible_private_key_file"));
            let port = self
                .text("ansible_port")
                .or_else(|| self.text("ansible_ssh_port"));
            for (name, value) in [("private_key", key), ("dest_port", port)] {
                if let Some(value) = value.filter(|_| !given(args, name)) {
                    args.insert(name.into(), value.into());
                }
            }
            if let Some(secret) = secret {
                args.insert(
                    "_local_rsync_password".into(),
                    Value::Secret(secret.to_owned()),
                );
            }
            let wanted = flag(args, "use_ssh_args");
            if wanted.is_some_and(|t| matches!(t.as_str(), "true" | "yes" | "on" | "1" | "y" | "t"))
                && !self.short().starts_with("paramiko")
            {
                let all = self
                    .text("ansible_ssh_args")
                    .or_else(|| Some(SSH_ARGS.to_owned()));
                let more = ["ansible_ssh_common_args", "ansible_ssh_extra_args"];
                let more = more.iter().filter_map(|name| self.text(name));
                let all: Vec<String> = all
                    .into_iter()
                    .chain(more)
                    .filter(|t| !t.is_empty())
                    .collect();
                args.insert("_ssh_args".into(), all.join(" ").into());
            }
        }
        let pull = args.get("mode").and_then(Value::as_str) == Some("pull");
        let name = if pull { "src" } else { "dest" };
        if let Some(Value::Str(path) | Value::Unsafe(path)) = args.get(name) {
            let path = remote(path, user, &self.address);
            args.insert(name.into(), path.into());
        }
        Ok(())
    }
}

/// A path of another machine, unless it names one itself.
fn remote(path: &str, user: Option<&str>, address: &str) -> String {
    let head = path.split('/').next().unwrap_or_default();
    if head.contains(':') {
        return path.to_owned();
    }
    let address = match address.contains(':') && !address.starts_with('[') {
        true => format!("[{address}]"),
        false => address.to_owned(),
    };
    match user {
        Some(user) => format!("{user}@{address}:{path}"),
        None => format!("{address}:{path}"),
    }
}

/// Lays those of a play's or task's variables over others that are no templates and tell of connections.
fn add(vars: &mut Map, of: &Map) {
    for (name, value) in of {
        if name.starts_with("ansible_") && literal(Some(value)).is_some() {
            vars.insert(name.clone(), value.clone());
        }
    }
}

/// The text of what is no template.
fn literal(value: Option<&Value>) -> Option<String> {
    let text = python_str(value?);
    (!text.is_empty() && !text.contains("{{") && !text.contains("{%")).then_some(text)
}

fn is_given(action: &Action, name: &str) -> bool {
    action.args.get(name).is_some_and(|v| !v.is_null())
}

/// A path without `.` and `..`, as it is written.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}
