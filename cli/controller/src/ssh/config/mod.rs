//! What `ssh_config` files say of a host, as far as libssh2 can do it.
//!
//! ssh_config(5) decides: the first value wins, identities add up, `Host` and `Match` open sections, `Include` reads in
//! place. What libssh2 cannot do is not dropped: it is listed in [`Settings::beyond`], and the system's `ssh`, which
//! reads the same files, carries the session then.

mod lines;
mod section;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lines::{Line, flag, words};
use section::Section;

/// How many files may be read for one host.
const MAX_FILES: usize = 256;
/// How deep files may include each other, as OpenSSH has it.
const MAX_DEPTH: usize = 16;

/// Which host is meant, and who asks.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The host as it was named.
    pub host: &'a str,
    /// The user, if one was given: it wins.
    pub user: Option<&'a str>,
    /// The port, if one was given.
    pub port: Option<u16>,
    /// Who runs this program.
    pub local_user: &'a str,
    /// Their home folder.
    pub home: Option<&'a Path>,
}

/// What to do with a host key that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strict {
    /// It is refused.
    Yes,
    /// It is kept and used.
    AcceptNew,
}

/// What the files say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The real name or address (`HostName`).
    pub host_name: Option<String>,
    /// The user.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Key files, in order; `none` gives an empty entry's place to no file.
    pub identity_files: Vec<PathBuf>,
    /// Whether only those are offered, and not all that the agent has.
    pub identities_only: bool,
    /// Whether the agent is asked (`IdentityAgent none` says no).
    pub no_agent: bool,
    /// The user's files of known hosts.
    pub user_known_hosts: Option<Vec<PathBuf>>,
    /// The machine's files of known hosts.
    pub global_known_hosts: Option<Vec<PathBuf>>,
    /// What to do with an unknown host key.
    pub strict: Option<Strict>,
    /// The name under which the host's key is known.
    pub key_alias: Option<String>,
    /// Whether the stream is compressed.
    pub compress: Option<bool>,
    /// How long connecting may take.
    pub connect_timeout: Option<Duration>,
    /// How often the host hears that we are there.
    pub keepalive: Option<Duration>,
    /// What only the system's `ssh` can do: each with its file and line.
    pub beyond: Vec<String>,
}

/// Reads the files, in order: the user's first. A missing one is an empty one.
///
/// # Errors
/// A sentence with file and line, where a file cannot be read or understood.
pub fn load(files: &[PathBuf], query: Query<'_>) -> Result<Settings, String> {
    let mut reader = Reader {
        query,
        settings: Settings::default(),
        files: 0,
    };
    for (index, file) in files.iter().enumerate() {
        let mut open = Section::Open;
        reader.file(file, index == 0, &mut open, 0)?;
    }
    let mut settings = reader.settings;
    if let Some(name) = &settings.host_name {
        settings.host_name = Some(
            name.replace("%%", "\0")
                .replace("%h", query.host)
                .replace('\0', "%"),
        );
    }
    Ok(settings)
}

struct Reader<'a> {
    query: Query<'a>,
    settings: Settings,
    files: usize,
}

impl Reader<'_> {
    fn file(
        &mut self,
        path: &Path,
        users: bool,
        section: &mut Section,
        depth: usize,
    ) -> Result<(), String> {
        let text = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && depth == 0 => return Ok(()),
            Err(e) => return Err(format!("cannot read {}: {e}", path.display())),
        };
        self.files += 1;
        if self.files > MAX_FILES || depth > MAX_DEPTH {
            return Err(format!(
                "{}: ssh_config files include each other without end",
                path.display()
            ));
        }
        for (number, raw) in text.lines().enumerate() {
            let at = format!("{}:{}", path.display(), number + 1);
            let Some(line) = Line::read(raw).map_err(|why| format!("{at}: {why}"))? else {
                continue;
            };
            self.line(&line, &at, path, users, section, depth)?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        line: &Line,
        at: &str,
        path: &Path,
        users: bool,
        section: &mut Section,
        depth: usize,
    ) -> Result<(), String> {
        match line.key.as_str() {
            "host" => {
                let patterns = words(line.value).map_err(|why| format!("{at}: {why}"))?;
                *section = Section::host(&patterns, self.query.host);
            }
            "match" => {
                let criteria = words(line.value).map_err(|why| format!("{at}: {why}"))?;
                *section = Section::matching(&criteria, &self.query, &self.settings)
                    .map_err(|why| format!("{at}: {why}"))?;
                if *section == Section::Unknown {
                    self.settings
                        .beyond
                        .push(format!("Match {} ({at})", line.value));
                    *section = Section::Closed;
                }
            }
            "include" if *section == Section::Open => {
                for pattern in words(line.value).map_err(|why| format!("{at}: {why}"))? {
                    for file in self.included(&pattern, path, users) {
                        let mut inner = Section::Open;
                        self.file(&file, users, &mut inner, depth + 1)?;
                    }
                }
            }
            _ if *section == Section::Open => self
                .option(line, at, users)
                .map_err(|why| format!("{at}: {why}"))?,
            _ => {}
        }
        Ok(())
    }

    /// Files that an `Include` names: relative ones lie in `~/.ssh`, or for the machine's file beside it.
    fn included(&self, pattern: &str, from: &Path, users: bool) -> Vec<PathBuf> {
        let mut full = self.path(pattern);
        if full.is_relative() {
            let folder = match (users, self.query.home) {
                (true, Some(home)) => home.join(".ssh"),
                _ => from.parent().unwrap_or(Path::new("/")).to_owned(),
            };
            full = folder.join(full);
        }
        section::glob(&full)
    }

    fn option(&mut self, line: &Line, at: &str, users: bool) -> Result<(), String> {
        let value = lines::one(line.value)?;
        let is_none = value.eq_ignore_ascii_case("none");
        match line.key.as_str() {
            "hostname" => {
                self.settings.host_name.get_or_insert(value);
            }
            "user" => {
                self.settings.user.get_or_insert(value);
            }
            "port" => {
                let port = value
                    .parse()
                    .map_err(|_| format!("`{value}` is not a port"))?;
                self.settings.port.get_or_insert(port);
            }
            "identityfile" if !is_none => match self.expand(&value) {
                Some(file) => self.settings.identity_files.push(file),
                None => self.beyond(line, at),
            },
            "identityfile" => {}
            "identitiesonly" => self.settings.identities_only |= flag(&value)?,
            "identityagent" if is_none => self.settings.no_agent = true,
            "identityagent" if value == "SSH_AUTH_SOCK" => {}
            "userknownhostsfile" => {
                let files = self.known_hosts(line.value)?;
                self.settings.user_known_hosts.get_or_insert(files);
            }
            "globalknownhostsfile" => {
                let files = self.known_hosts(line.value)?;
                self.settings.global_known_hosts.get_or_insert(files);
            }
            "stricthostkeychecking" => {
                // There is no way to take a key that has changed: `no` is no more than `accept-new` here.
                let strict = match value.to_lowercase().as_str() {
                    "accept-new" | "no" | "off" => Strict::AcceptNew,
                    _ => Strict::Yes,
                };
                self.settings.strict.get_or_insert(strict);
            }
            "hostkeyalias" => {
                self.settings.key_alias.get_or_insert(value);
            }
            "compression" => {
                let compress = flag(&value)?;
                self.settings.compress.get_or_insert(compress);
            }
            "connecttimeout" if !is_none => {
                let time = seconds(&value)?;
                self.settings.connect_timeout.get_or_insert(time);
            }
            "serveraliveinterval" => {
                let time = seconds(&value)?;
                self.settings.keepalive.get_or_insert(time);
            }
            key if IGNORED.contains(&key) => {}
            // Distributions set it for everybody; a user who sets it means it.
            "gssapiauthentication" if !users || !flag(&value)? => {}
            key if is_none && OFF_BY_NONE.contains(&key) => {}
            key if OFF_BY_NO.contains(&key) && matches!(flag(&value), Ok(false)) => {}
            key if ON_ANYWAY.contains(&key) && matches!(flag(&value), Ok(true)) => {}
            _ => self.beyond(line, at),
        }
        Ok(())
    }

    fn beyond(&mut self, line: &Line, at: &str) {
        self.settings.beyond.push(format!("{} ({at})", line.name));
    }

    fn known_hosts(&self, value: &str) -> Result<Vec<PathBuf>, String> {
        let files = words(value)?;
        Ok(files
            .iter()
            .filter(|f| !f.eq_ignore_ascii_case("none"))
            .filter_map(|f| self.expand(f))
            .collect())
    }

    fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), self.query.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        }
    }

    /// A path with its `~` and `%` words put in; `None` where one is not known here.
    fn expand(&self, text: &str) -> Option<PathBuf> {
        if text.contains("${") || text.starts_with('~') && !text.starts_with("~/") {
            return None;
        }
        let mut out = String::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            let host = self.settings.host_name.as_deref();
            match rest.next()? {
                '%' => out.push('%'),
                'h' => out.push_str(host.unwrap_or(self.query.host)),
                'n' => out.push_str(self.query.host),
                'r' => out.push_str(self.remote_user()),
                'u' => out.push_str(self.query.local_user),
                'd' => out.push_str(self.query.home?.to_str()?),
                'p' => out.push_str(&self.port().to_string()),
                _ => return None,
            }
        }
        Some(self.path(&out))
    }

    fn remote_user(&self) -> &str {
        self.query
            .user
            .or(self.settings.user.as_deref())
            .unwrap_or(self.query.local_user)
    }

    fn port(&self) -> u16 {
        self.query.port.or(self.settings.port).unwrap_or(22)
    }
}

fn seconds(value: &str) -> Result<Duration, String> {
    let number: u64 = value
        .trim_end_matches(['s', 'S'])
        .parse()
        .map_err(|_| format!("`{value}` is not a number of seconds"))?;
    Ok(Duration::from_secs(number))
}

/// Options that change nothing for a session that runs one command: how output looks, what is asked of a person, what is
/// kept, what a terminal would get. `SendEnv` is here because the runner sets its own environment.
const IGNORED: &[&str] = &[
    "addkeystoagent",
    "batchmode",
    "checkhostip",
    "escapechar",
    "exitonforwardfailure",
    "fingerprinthash",
    "forwardx11timeout",
    "gssapidelegatecredentials",
    "hashknownhosts",
    "ignoreunknown",
    "ipqos",
    "loglevel",
    "numberofpasswordprompts",
    "obscurekeystroketiming",
    "permitlocalcommand",
    "rekeylimit",
    "sendenv",
    "serveralivecountmax",
    "streamlocalbindmask",
    "streamlocalbindunlink",
    "tcpkeepalive",
    "updatehostkeys",
    "visualhostkey",
    "xauthlocation",
    "controlpersist",
    "connectionattempts",
];
/// Options that do nothing when their value is `none`.
const OFF_BY_NONE: &[&str] = &[
    "proxycommand",
    "proxyjump",
    "controlpath",
    "certificatefile",
    "remotecommand",
    "pkcs11provider",
    "knownhostscommand",
];
/// Options that do nothing when they are off.
const OFF_BY_NO: &[&str] = &[
    "controlmaster",
    "forwardagent",
    "forwardx11",
    "forwardx11trusted",
    "hostbasedauthentication",
    "enablesshkeysign",
    "requesttty",
    "canonicalizehostname",
    "verifyhostkeydns",
    "nohostauthenticationforlocalhost",
    "clearallforwardings",
    "gatewayports",
    "stdinnull",
    "forkafterauthentication",
    "proxyusefdpass",
    "usekeychain",
    "tunnel",
];
/// Options that are on without being written.
const ON_ANYWAY: &[&str] = &[
    "pubkeyauthentication",
    "passwordauthentication",
    "kbdinteractiveauthentication",
    "challengeresponseauthentication",
];

#[cfg(test)]
mod tests;
