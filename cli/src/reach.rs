//! How a host of an inventory is reached: what its variables, the command line and the settings say of the connection, in Ansible's
//! order.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_controller::fleet::Way;
use rustle_controller::program::ProgramConnection;
use rustle_formats::plan::PlayPlan;
use rustle_formats::{Map, Value};
use rustle_playbook::config::Config;
use rustle_playbook::words;
use rustle_runtime::report::python_str;
use zeroize::Zeroizing;

use crate::commands::connection::ConnectionOptions;
use crate::ssh_way::{Here, Wanted};

/// What is the same for all hosts.
pub(crate) struct Reach<'a> {
    /// The settings.
    pub(crate) config: &'a Config,
    /// The command line's options about connections.
    pub(crate) given: &'a ConnectionOptions,
    /// The kind of connection where neither a host nor its play names one.
    pub(crate) kind: Option<&'a str>,
    /// The password that the user typed for all hosts.
    pub(crate) password: Option<&'a Zeroizing<String>>,
    /// Extra variables: they win over a host's.
    pub(crate) extra: &'a Map,
    /// The texts of secrets by name.
    pub(crate) secrets: &'a IndexMap<String, Zeroizing<String>>,
    /// A private folder of this run.
    pub(crate) folder: &'a Path,
}

/// Whether a connection of this name is this machine.
pub(crate) fn is_local(kind: &str) -> bool {
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

impl Reach<'_> {
    /// How this host is reached. `vars`: its variables; `play`: what its play says of the connection.
    ///
    /// # Errors
    /// A sentence, where its variables ask for what cannot be done.
    pub(crate) fn way(
        &self,
        host: &str,
        vars: &Map,
        play: Option<&PlayPlan>,
    ) -> Result<Way, String> {
        let kind = self.kind(vars, play)?;
        if is_local(&kind) {
            return Ok(Way::Child);
        }
        if is_ssh(&kind) {
            return self.ssh(host, vars, play);
        }
        if let Some(inside) = Inside::of(&kind) {
            return self.inside(inside, host, vars, play);
        }
        Err(format!(
            "the connection `{kind}` is not supported: {host} can be reached over `ssh`, `local`, `docker`, `podman` and `chroot`"
        ))
    }

    /// The connection's name.
    fn kind(&self, vars: &Map, play: Option<&PlayPlan>) -> Result<String, String> {
        let written = self.setting(vars, &["ansible_connection"])?;
        Ok(written
            .or_else(|| Some(python_str(play?.connection.as_ref()?)))
            .or_else(|| self.kind.map(str::to_owned))
            .or_else(|| self.config.text("DEFAULT_TRANSPORT").map(str::to_owned))
            .unwrap_or_else(|| "ssh".to_owned()))
    }

    /// The connection by which Ansible would reach this host, and the variables that tell it how.
    ///
    /// # Errors
    /// As [`Reach::way`].
    pub(crate) fn connection(
        &self,
        host: &str,
        vars: &Map,
        play: Option<&PlayPlan>,
    ) -> Result<(String, Map), String> {
        let kind = self.kind(vars, play)?;
        let mut own = Map::new();
        if !is_ssh(&kind) {
            return Ok((kind, own));
        }
        let given = self.given;
        let key = given.private_key.as_ref();
        let key = key.map(|key| key.display().to_string());
        let port = play.and_then(|p| p.port.as_ref()).map(python_str);
        let password = self.password.map(|text| text.to_string());
        let names = [
            (
                vec!["ansible_ssh_host", "ansible_host"],
                Some(host.to_owned()),
            ),
            (vec!["ansible_ssh_port", "ansible_port"], port),
            (
                vec!["ansible_ssh_private_key_file", "ansible_private_key_file"],
                key,
            ),
            (
                vec![
                    "ansible_ssh_pass",
                    "ansible_ssh_password",
                    "ansible_password",
                ],
                password,
            ),
        ];
        let mut put = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                own.insert(name.to_owned(), value.into());
            }
        };
        for (names, otherwise) in names {
            let value = self.setting(vars, &names)?.or(otherwise);
            put(names.last().unwrap_or(&""), value);
        }
        put("ansible_user", self.user(vars, play)?);
        for (name, given) in [
            ("ssh_common_args", &given.ssh_common_args),
            ("ssh_extra_args", &given.ssh_extra_args),
            ("ssh_args", &None),
            ("ssh_executable", &None),
            ("control_path", &None),
        ] {
            put(
                &format!("ansible_{name}"),
                self.ssh_option(vars, name, given)?,
            );
        }
        Ok((kind, own))
    }

    /// A variable of the connection: extra variables win over the host's.
    fn setting(&self, vars: &Map, names: &[&str]) -> Result<Option<String>, String> {
        for layer in [self.extra, vars] {
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
        let config = self.config;
        let given = self.given;
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
        let password = password.or_else(|| self.password.cloned());
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
            folder: Some(self.folder.to_owned()),
            hold: given.hold,
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
        let config = self.config;
        Ok(play
            .and_then(|p| p.remote_user.as_ref())
            .map(python_str)
            .or_else(|| self.given.user.clone())
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
        let config = self.config;
        if let Some(given) = self.given.timeout {
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
        let config = self.config;
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
