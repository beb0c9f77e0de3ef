//! How ssh reaches a host: what was asked for, what the `ssh_config` files say, and who carries the session, libssh2 or the
//! system's `ssh`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustle_controller::Destination;
use rustle_controller::fleet::Way;
use rustle_controller::program::{Password, ProgramConnection};
use rustle_controller::ssh::config::{self, Query, Settings, Strict};
use rustle_controller::ssh::{Ask, Question, SshOptions};
use rustle_playbook::words;
use zeroize::Zeroizing;

/// Seconds that connecting may take where nobody says.
const TIMEOUT: u64 = 10;
/// What Ansible gives `ssh` where nobody says: one connection for several commands. (It also compresses, which the runner and
/// its payload are already.)
const SHARING: [&str; 4] = ["-o", "ControlMaster=auto", "-o", "ControlPersist=60s"];
/// Keys that are tried where none is named.
const KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What was asked for.
#[derive(Default)]
pub(crate) struct Wanted {
    /// The host: a name, an address, or a `Host` of the configuration.
    pub(crate) host: String,
    pub(crate) user: Option<String>,
    pub(crate) port: Option<u16>,
    /// The only keys to be tried; empty: the configured or usual ones.
    pub(crate) keys: Vec<PathBuf>,
    /// Whether the agent is left alone.
    pub(crate) no_agent: bool,
    /// The only file of known hosts.
    pub(crate) known_hosts: Option<PathBuf>,
    /// Whether an unknown host key is taken; `None`: as the configuration says.
    pub(crate) accept_new: Option<bool>,
    /// Seconds.
    pub(crate) timeout: Option<u64>,
    pub(crate) password: Option<Zeroizing<String>>,
    /// Asks somebody else, where the password is not given.
    pub(crate) ask: Option<Arc<Ask>>,
    /// Arguments of `ssh` itself, each a text as a shell would split it, in their order.
    pub(crate) arguments: Vec<String>,
    /// The usual ones, where others than Ansible's are wanted.
    pub(crate) ssh_args: Option<String>,
    /// The program.
    pub(crate) executable: Option<String>,
    /// Where sockets of shared connections lie.
    pub(crate) control_dir: Option<PathBuf>,
    /// The name of such a socket.
    pub(crate) control_path: Option<String>,
    /// A private folder of this run.
    pub(crate) folder: Option<PathBuf>,
    /// For how many seconds the connection shall stay open after its last use.
    pub(crate) hold: Option<u64>,
}

/// Who asks.
pub(crate) struct Here<'a> {
    pub(crate) home: Option<&'a Path>,
    pub(crate) user: &'a str,
    pub(crate) path: Option<&'a str>,
}

impl Wanted {
    /// Decides.
    ///
    /// # Errors
    /// A sentence: a configuration that cannot be read, or one that asks for the system's `ssh` where there is none.
    pub(crate) fn way(self, here: &Here<'_>) -> Result<Way, String> {
        let files: Vec<PathBuf> = here
            .home
            .map(|home| home.join(".ssh/config"))
            .into_iter()
            .chain([PathBuf::from("/etc/ssh/ssh_config")])
            .collect();
        let query = Query {
            host: &self.host,
            user: self.user.as_deref(),
            port: self.port,
            local_user: here.user,
            home: here.home,
        };
        let settings = config::load(&files, query)?;
        let why = match (self.why_system(&settings, here), self.hold) {
            (Some(why), _) => why,
            (None, Some(_)) => "it holds connections".to_owned(),
            (None, None) => match self.held(here) {
                true => "it holds the connection".to_owned(),
                false => return Ok(self.by_library(settings, here)),
            },
        };
        let program = self.executable.as_deref().unwrap_or("ssh");
        if !found(program, here.path) {
            return Err(format!(
                "{} needs the system's ssh ({why}), and there is no `{program}` on this machine",
                self.host
            ));
        }
        self.by_program(here).map(|p| Way::Program(Box::new(p)))
    }

    /// Why only the system's `ssh` can do it, if so.
    fn why_system(&self, settings: &Settings, here: &Here<'_>) -> Option<String> {
        if let Some(text) = self.arguments.iter().chain(&self.ssh_args).next() {
            return Some(format!("its arguments `{text}`"));
        }
        if let Some(program) = self.executable.as_deref().filter(|p| *p != "ssh") {
            return Some(format!("the program `{program}`"));
        }
        if let Some(what) = settings.beyond.first() {
            return Some(what.clone());
        }
        let keys = self.key_files(settings, here);
        let hardware = keys.iter().find(|key| is_hardware(key))?;
        Some(format!("the key {} in hardware", hardware.display()))
    }

    /// The socket of a connection that is held for this host and no other, asked for in the same way.
    fn own_socket(&self, here: &Here<'_>) -> PathBuf {
        let mut hasher = blake3::Hasher::new();
        let known = self.known_hosts.as_ref();
        for part in [
            format!("{:?}", (&self.host, &self.user, self.port)),
            format!("{:?}", (&self.keys, known, here.user)),
        ] {
            hasher.update(part.as_bytes());
        }
        let name = hasher.finalize().to_hex();
        self.control_folder(here)
            .join(format!("rustle-{}", &name[..24]))
    }

    /// Whether a connection to this host is held open (`rustle connect --hold`).
    fn held(&self, here: &Here<'_>) -> bool {
        std::os::unix::net::UnixStream::connect(self.own_socket(here)).is_ok()
    }

    fn key_files(&self, settings: &Settings, here: &Here<'_>) -> Vec<PathBuf> {
        if !self.keys.is_empty() {
            return self.keys.clone();
        }
        if !settings.identity_files.is_empty() {
            return settings.identity_files.clone();
        }
        let folder = here.home.map(|home| home.join(".ssh"));
        KEYS.iter()
            .filter_map(|name| Some(folder.as_ref()?.join(name)))
            .collect()
    }

    fn by_library(self, settings: Settings, here: &Here<'_>) -> Way {
        let key_files = self.key_files(&settings, here);
        let known_hosts = match self.known_hosts {
            Some(file) => vec![file],
            None => {
                let folder = here.home.map(|home| home.join(".ssh"));
                let own = settings.user_known_hosts.unwrap_or_else(|| {
                    let names = ["known_hosts", "known_hosts2"];
                    folder
                        .iter()
                        .flat_map(|f| names.map(|n| f.join(n)))
                        .collect()
                });
                let machines = settings
                    .global_known_hosts
                    .unwrap_or_else(|| vec!["/etc/ssh/ssh_known_hosts".into()]);
                own.into_iter().chain(machines).collect()
            }
        };
        let timeout = self.timeout.map(Duration::from_secs);
        let timeout = timeout
            .or(settings.connect_timeout)
            .unwrap_or(Duration::from_secs(TIMEOUT));
        let (password, ask) = (self.password, self.ask);
        let options = SshOptions {
            user: settings.user.unwrap_or_else(|| here.user.to_owned()),
            key_files,
            agent: !(self.no_agent || settings.no_agent),
            only_named: settings.identities_only,
            known_hosts,
            // A key that is known and differs is refused in any case.
            accept_new: self
                .accept_new
                .unwrap_or(settings.strict == Some(Strict::AcceptNew)),
            key_alias: settings.key_alias,
            timeout: timeout.max(Duration::from_secs(1)),
            compress: settings.compress.unwrap_or(false),
            ask: Some(Arc::new(move |question: Question<'_>| {
                let wants_password = matches!(
                    question,
                    Question::Password { .. } | Question::Prompt { echo: false, .. }
                );
                match (&password, &ask) {
                    (Some(text), _) if wants_password => Some(text.clone()),
                    (_, Some(ask)) => ask(question),
                    _ => None,
                }
            })),
        };
        let destination = Destination {
            user: self.user,
            host: settings.host_name.unwrap_or(self.host),
            port: self.port.or(settings.port),
        };
        Way::Ssh(Box::new((destination, options)))
    }

    fn by_program(self, here: &Here<'_>) -> Result<ProgramConnection, String> {
        let mut command: Vec<OsString> = vec![self.executable.as_deref().unwrap_or("ssh").into()];
        let mut shares = true;
        let mut usual = Vec::new();
        match &self.ssh_args {
            Some(text) => {
                usual = split(text)?;
                shares = usual.iter().any(|a| a.contains("ControlPersist"));
            }
            None => usual.extend(SHARING.map(str::to_owned)),
        }
        if let (Some(seconds), true) = (self.hold, shares) {
            usual = vec![
                "-oControlMaster=auto".to_owned(),
                format!("-oControlPersist={seconds}s"),
                // Who holds it must hear of its end.
                "-oServerAliveInterval=15".to_owned(),
            ];
        }
        let mut further = Vec::new();
        for text in &self.arguments {
            further.extend(split(text)?);
        }
        let named = usual
            .iter()
            .chain(&further)
            .any(|a| a.contains("ControlPath"));
        command.extend(usual.into_iter().map(OsString::from));
        let mut option = |text: String| command.extend(["-o".into(), OsString::from(text)]);
        if let Some(port) = self.port {
            option(format!("Port={port}"));
        }
        for key in &self.keys {
            option(format!("IdentityFile=\"{}\"", key.display()));
        }
        if let Some(user) = &self.user {
            option(format!("User=\"{user}\""));
        }
        let timeout = self.timeout.unwrap_or(TIMEOUT);
        option(format!("ConnectTimeout={timeout}"));
        if let Some(file) = &self.known_hosts {
            option(format!("UserKnownHostsFile=\"{}\"", file.display()));
        }
        match self.accept_new {
            Some(true) => option("StrictHostKeyChecking=accept-new".to_owned()),
            // Nobody is there to be asked.
            Some(false) => option("StrictHostKeyChecking=yes".to_owned()),
            None => {}
        }
        match (&self.password, &self.ask) {
            (Some(_), _) => option("NumberOfPasswordPrompts=1".to_owned()),
            (None, None) => option("BatchMode=yes".to_owned()),
            // It asks on the terminal by itself.
            (None, Some(_)) => {}
        }
        command.extend(further.into_iter().map(OsString::from));
        if shares && !named {
            let plain = self.arguments.is_empty() && self.control_path.is_none();
            let path = match plain && (self.hold.is_some() || self.held(here)) {
                true => {
                    self.control_socket(here)?;
                    self.own_socket(here).display().to_string()
                }
                false => self.control_socket(here)?,
            };
            command.extend(["-o".into(), format!("ControlPath=\"{path}\"").into()]);
        }
        // A host is no option.
        command.extend(["--".into(), OsString::from(&self.host)]);
        let password = match (self.password, self.folder) {
            (Some(text), Some(folder)) => Some(Password {
                text,
                asker: std::env::current_exe().map_err(|e| e.to_string())?,
                folder,
            }),
            (Some(_), None) => {
                return Err(format!(
                    "a password for {} cannot be handed to the system's ssh here",
                    self.host
                ));
            }
            (None, _) => None,
        };
        Ok(ProgramConnection {
            command,
            login_shell: true,
            password,
        })
    }

    /// Where sockets of shared connections lie.
    fn control_folder(&self, here: &Here<'_>) -> PathBuf {
        match (&self.control_dir, here.home) {
            (Some(folder), _) => folder.clone(),
            (None, Some(home)) => home.join(".ansible/cp"),
            (None, None) => std::env::temp_dir().join("rustle-cp"),
        }
    }

    /// The name of the shared connection's socket; its folder is made.
    fn control_socket(&self, here: &Here<'_>) -> Result<String, String> {
        use std::os::unix::fs::DirBuilderExt as _;
        let folder = self.control_folder(here);
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
        let shown = folder.to_string_lossy();
        Ok(match &self.control_path {
            Some(path) => path.replace("%(directory)s", &shown).replace("%%", "%"),
            None => format!("{shown}/%C"),
        })
    }
}

/// Splits arguments as a shell would.
fn split(text: &str) -> Result<Vec<String>, String> {
    words::split(text).map_err(|why| format!("the arguments `{text}` for ssh: {why}"))
}

/// Whether a program can be found, by its path or in one of the folders.
fn found(program: &str, path: Option<&str>) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let mut folders = path.unwrap_or("/usr/bin:/bin").split(':');
    folders.any(|folder| Path::new(folder).join(program).is_file())
}

/// Whether a key lies in hardware: its public part says so.
fn is_hardware(key: &Path) -> bool {
    let mut public = key.as_os_str().to_owned();
    public.push(".pub");
    std::fs::read_to_string(public).is_ok_and(|text| text.starts_with("sk-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(config: &str, wanted: Wanted) -> (Way, tempfile::TempDir) {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".ssh")).unwrap();
        std::fs::write(home.path().join(".ssh/config"), config).unwrap();
        let here = Here {
            home: Some(home.path()),
            user: "me",
            path: Some("/usr/bin:/bin"),
        };
        (wanted.way(&here).unwrap(), home)
    }

    fn host(name: &str) -> Wanted {
        Wanted {
            host: name.to_owned(),
            ..Wanted::default()
        }
    }

    #[test]
    fn the_configuration_counts_and_what_was_given_wins() {
        let text = "Host web\n HostName 10.0.0.1\n Port 2222\n User deploy\n IdentityFile ~/.ssh/web\n HostKeyAlias w\n \
                    StrictHostKeyChecking accept-new\n";
        let (way, home) = way(
            text,
            Wanted {
                port: Some(7),
                ..host("web")
            },
        );
        let Way::Ssh(to) = way else { panic!() };
        assert_eq!((to.0.host.as_str(), to.0.port), ("10.0.0.1", Some(7)));
        assert_eq!(to.1.user, "deploy");
        assert_eq!(to.1.key_files, [home.path().join(".ssh/web")]);
        assert!(to.1.accept_new && to.1.agent);
        assert_eq!(to.1.key_alias.as_deref(), Some("w"));
    }

    #[test]
    fn arguments_and_what_libssh2_cannot_do_go_to_ssh() {
        let wanted = Wanted {
            arguments: vec!["-F '/my conf'".to_owned()],
            user: Some("root".to_owned()),
            ..host("web")
        };
        let (found, home) = way("", wanted);
        let Way::Program(program) = found else {
            panic!()
        };
        let shown: Vec<_> = program
            .command
            .iter()
            .map(|a| a.to_string_lossy())
            .collect();
        let shown = shown
            .join(" ")
            .replace(&*home.path().to_string_lossy(), "~");
        assert_eq!(
            shown,
            "ssh -o ControlMaster=auto -o ControlPersist=60s -o User=\"root\" -o ConnectTimeout=10 -o BatchMode=yes -F /my conf \
             -o ControlPath=\"~/.ansible/cp/%C\" -- web"
        );
        let (found, _home) = way("Host web\n ProxyJump gate\n", host("web"));
        assert!(matches!(found, Way::Program(_)));
        let (found, _home) = way("Host web\n ProxyJump gate\n", host("other"));
        assert!(matches!(found, Way::Ssh(_)));
    }

    #[test]
    fn without_ssh_it_is_said_why() {
        let here = Here {
            home: None,
            user: "me",
            path: Some("/nonexistent"),
        };
        let wanted = Wanted {
            arguments: vec!["-4".to_owned()],
            ..host("web")
        };
        let e = wanted.way(&here).err().unwrap();
        assert_eq!(
            e,
            "web needs the system's ssh (its arguments `-4`), and there is no `ssh` on this machine"
        );
    }
}
