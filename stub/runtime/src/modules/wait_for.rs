//! `wait_for`: waits until a port opens or closes, its connections drain, a file is there or gone, a text appears.
//! Without any of these it waits for a time.

mod connections;

use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustle_formats::{Map, Value};

use crate::accounts::Accounts;
use crate::args::Args;
use crate::context::Context;
use crate::modules::{Module, pause};
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::expand;
use crate::spec::{Arg, Default, Kind, Place, Reach, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct WaitFor;

static SPEC: Spec = Spec {
    name: "wait_for",
    collection: "ansible.builtin",
    summary: "Waits for a port, a file or a text.",
    args: &[&[
        Arg::new("host", Kind::Str, "The host to connect to.").default(Default::Str("127.0.0.1")),
        Arg::new("port", Kind::Int, "The port to wait for."),
        Arg::new("path", Kind::Path, "The file to wait for."),
        Arg::new(
            "search_regex",
            Kind::Str,
            "The text to wait for, in the file or from the port.",
        ),
        Arg::new("state", Kind::Str, "What to wait for.")
            .default(Default::Str("started"))
            .choices(&["absent", "drained", "present", "started", "stopped"]),
        Arg::new("timeout", Kind::Int, "The most seconds to wait.").default(Default::Int(300)),
        Arg::new(
            "connect_timeout",
            Kind::Int,
            "The most seconds for a connection.",
        )
        .default(Default::Int(5)),
        Arg::new("delay", Kind::Int, "Seconds to wait before the first look.")
            .default(Default::Int(0)),
        Arg::new("sleep", Kind::Int, "Seconds between looks.").default(Default::Int(1)),
        Arg::new(
            "active_connection_states",
            Kind::List(&Kind::Str),
            "The states that count for drained.",
        ),
        Arg::new(
            "exclude_hosts",
            Kind::List(&Kind::Str),
            "Hosts whose connections do not count for drained.",
        ),
        Arg::new("msg", Kind::Str, "What is said when the time is up."),
    ]],
    free_form: None,
    open: false,
    rules: &[],
    check: Support::None,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for WaitFor {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        if ctx.check {
            return Ok(Outcome {
                skipped: true,
                msg: Some("remote module (wait_for) does not support check mode".to_owned()),
                ..Outcome::ok()
            });
        }
        let wait = Wait::new(args, ctx)?;
        wait.run(ctx)
    }
}

/// What is waited for.
struct Wait<'a> {
    args: &'a Args,
    path: Option<PathBuf>,
    port: Option<u16>,
    regex: Option<regex::bytes::Regex>,
    begun: Instant,
    until: Instant,
}

/// What was found in the end.
#[derive(std::default::Default)]
struct Found {
    groups: Vec<Value>,
    named: Map,
    file: Map,
}

impl<'a> Wait<'a> {
    fn new(args: &'a Args, ctx: &Context<'_>) -> Result<Wait<'a>, Failure> {
        let state = args.text("state");
        let refuse = |msg: &str| Err(Failure::new(msg).with("elapsed", 0i64));
        let port = match args.int("port") {
            None | Some(0) => None,
            Some(n) => match u16::try_from(n) {
                Ok(port) => Some(port),
                Err(_) => return refuse(&format!("port: {n} is not a port")),
            },
        };
        if port.is_some() && args.has("path") {
            return refuse("port and path parameter can not both be passed to wait_for");
        }
        if args.has("path") && matches!(state, "stopped" | "drained") {
            return refuse(&format!(
                "state={state} should only be used for checking a port in the wait_for module"
            ));
        }
        if args.list("exclude_hosts").is_some_and(|l| !l.is_empty()) && state != "drained" {
            return refuse("exclude_hosts should only be with state=drained");
        }
        let states = args.list("active_connection_states").unwrap_or_default();
        if let Some(unknown) = states.iter().find(|s| connections::code(s).is_none()) {
            return refuse(&format!(
                "unknown active_connection_state ({unknown}) defined"
            ));
        }
        let regex = match args.str("search_regex") {
            None => None,
            Some(text) => Some(
                regex::bytes::RegexBuilder::new(text)
                    .multi_line(true)
                    .build()
                    .map_err(|e| Failure::new(format!("Invalid regular expression: {e}")))?,
            ),
        };
        let begun = Instant::now();
        let seconds = |name: &str| Duration::from_secs(args.int(name).unwrap_or(0).max(0) as u64);
        Ok(Wait {
            args,
            path: args.str("path").map(|p| expand(ctx, p)),
            port,
            regex,
            begun,
            until: begun + seconds("timeout").min(Duration::from_secs(u64::from(u32::MAX))),
        })
    }

    fn seconds(&self, name: &str) -> Duration {
        Duration::from_secs(
            self.args
                .int(name)
                .unwrap_or(0)
                .clamp(0, i64::from(u32::MAX)) as u64,
        )
    }

    fn run(&self, ctx: &Context<'_>) -> ModuleResult {
        pause::sleep(ctx, self.seconds("delay"))?;
        let state = self.args.text("state");
        if self.port.is_none() && self.path.is_none() && state != "drained" {
            // There is nothing to look at: the time is not counted from the beginning here.
            pause::sleep(ctx, self.seconds("timeout"))?;
            return Ok(self.outcome(Found::default()));
        }
        let mut looked = false;
        while !looked || Instant::now() < self.until {
            looked = true;
            if let Some(found) = self.look(state)? {
                return Ok(self.outcome(found));
            }
            let left = self.until.saturating_duration_since(Instant::now());
            pause::sleep(ctx, self.seconds("sleep").min(left))?;
        }
        Err(Failure::new(self.complaint(state)).with("elapsed", self.elapsed()))
    }

    /// Looks once. `None` where it is not so yet.
    fn look(&self, state: &str) -> Result<Option<Found>, Failure> {
        let done = |yes: bool| Ok(yes.then(Found::default));
        match (&self.path, state) {
            (Some(path), "absent") => done(path.symlink_metadata().is_err() || !path.exists()),
            (Some(path), _) => self.look_at_file(path),
            (None, "absent" | "stopped") => done(self.connect().is_none()),
            (None, "drained") => {
                let port = self.port.unwrap_or(0);
                done(connections::active(self.args, port)? == 0)
            }
            (None, _) => match (self.connect(), &self.regex) {
                (None, _) => Ok(None),
                (Some(_), None) => done(true),
                (Some(stream), Some(regex)) => done(self.hears(stream, regex)),
            },
        }
    }

    fn look_at_file(&self, path: &Path) -> Result<Option<Found>, Failure> {
        if !path.exists() {
            return Ok(None);
        }
        let mut found = Found::default();
        if let Some(regex) = &self.regex {
            // It may be a file that cannot be read yet, or a folder: not so yet.
            let Ok(text) = std::fs::read(path) else {
                return Ok(None);
            };
            let Some(captures) = regex.captures(&text) else {
                return Ok(None);
            };
            let value = |m: Option<regex::bytes::Match<'_>>| match m {
                Some(m) => Value::Str(String::from_utf8_lossy(m.as_bytes()).into_owned()),
                None => Value::Null,
            };
            found.groups = captures.iter().skip(1).map(value).collect();
            for name in regex.capture_names().flatten() {
                found
                    .named
                    .insert(name.to_owned(), value(captures.name(name)));
            }
        }
        found.file = about(path);
        Ok(Some(found))
    }

    /// A connection to the port, where it opens in time.
    fn connect(&self) -> Option<TcpStream> {
        let port = self.port?;
        let limit = self
            .seconds("connect_timeout")
            .max(Duration::from_millis(1));
        let left = self.until.saturating_duration_since(Instant::now());
        let limit = limit.min(left.max(Duration::from_secs(1)));
        let addresses = (self.args.text("host"), port).to_socket_addrs().ok()?;
        addresses
            .into_iter()
            .find_map(|a| TcpStream::connect_timeout(&a, limit).ok())
    }

    /// Whether the text comes from the port before the time is up.
    fn hears(&self, mut stream: TcpStream, regex: &regex::bytes::Regex) -> bool {
        const MOST: usize = 16 << 20;
        let mut heard = Vec::new();
        let mut buffer = [0u8; 4096];
        while Instant::now() < self.until && heard.len() < MOST {
            let left = self.until.saturating_duration_since(Instant::now());
            let limit = left.min(self.seconds("connect_timeout").max(Duration::from_secs(1)));
            if stream
                .set_read_timeout(Some(limit.max(Duration::from_millis(1))))
                .is_err()
            {
                return false;
            }
            match stream.read(&mut buffer) {
                Ok(0) => return false,
                Ok(n) => heard.extend_from_slice(&buffer[..n]),
                Err(_) => return false,
            }
            if regex.is_match(&heard) {
                return true;
            }
        }
        false
    }

    fn elapsed(&self) -> i64 {
        self.begun.elapsed().as_secs() as i64
    }

    fn outcome(&self, found: Found) -> Outcome {
        let given = |name: &str| self.args.get(name).cloned().unwrap_or_default();
        let mut outcome = Outcome::ok()
            .with("state", self.args.text("state"))
            .with("port", given("port"))
            .with("search_regex", given("search_regex"))
            .with("match_groups", Value::List(found.groups))
            .with("match_groupdict", found.named)
            .with(
                "path",
                self.path
                    .as_ref()
                    .map_or(Value::Null, |p| p.to_string_lossy().into_owned().into()),
            )
            .with("elapsed", self.elapsed());
        outcome.fields.extend(found.file);
        outcome
    }

    /// What is said when the time is up.
    fn complaint(&self, state: &str) -> String {
        if let Some(msg) = self.args.str("msg") {
            return msg.to_owned();
        }
        let regex = self.args.str("search_regex");
        let place = match (&self.path, self.port) {
            (Some(path), _) => path.display().to_string(),
            (None, port) => format!("{}:{}", self.args.text("host"), port.unwrap_or(0)),
        };
        match (state, &self.path, regex) {
            ("absent", Some(_), _) => format!("Timeout when waiting for {place} to be absent."),
            ("absent" | "stopped", None, _) => format!("Timeout when waiting for {place} to stop."),
            ("drained", ..) => format!("Timeout when waiting for {place} to drain"),
            (_, _, Some(regex)) => {
                format!("Timeout when waiting for search string {regex} in {place}")
            }
            (_, Some(_), None) => format!("Timeout when waiting for file {place}"),
            (_, None, None) => format!("Timeout when waiting for {place}"),
        }
    }
}

/// What the result says about a file.
fn about(path: &Path) -> Map {
    use std::os::unix::fs::MetadataExt;
    let mut map = Map::new();
    let Ok(meta) = path.symlink_metadata() else {
        return map;
    };
    let accounts = Accounts::load(Path::new("/")).unwrap_or_default();
    let name_or_number = |name: Option<String>, id: u32| name.unwrap_or_else(|| id.to_string());
    let user = accounts.user_by_id(meta.uid()).map(|u| u.name.clone());
    let group = accounts.group_by_id(meta.gid()).map(|g| g.name.clone());
    let state = match meta.file_type() {
        t if t.is_symlink() => "link",
        t if t.is_dir() => "directory",
        t if t.is_file() && meta.nlink() > 1 => "hard",
        _ => "file",
    };
    map.insert("uid".into(), i64::from(meta.uid()).into());
    map.insert("gid".into(), i64::from(meta.gid()).into());
    map.insert("owner".into(), name_or_number(user, meta.uid()).into());
    map.insert("group".into(), name_or_number(group, meta.gid()).into());
    map.insert(
        "mode".into(),
        format!("{:04o}", meta.mode() & 0o7777).into(),
    );
    map.insert("size".into(), (meta.size() as i64).into());
    map.insert("state".into(), state.into());
    map
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use serde_json::json;

    use crate::trial::Trial;

    #[test]
    fn files_and_texts() {
        let t = Trial::new();
        let path = t.work.path().join("f").display().to_string();
        let gone = t.run(
            "wait_for",
            json!({"path": path, "state": "absent", "timeout": 1}),
        );
        assert!(!gone.failed && gone.field("state") == "absent");
        let r = t.run("wait_for", json!({"path": path, "timeout": 1}));
        assert_eq!(
            (r.message(), r.field("elapsed").as_str()),
            (
                format!("Timeout when waiting for file {path}").as_str(),
                "1"
            )
        );
        std::fs::write(&path, "one\ntwo 42\n").expect("a file");
        let r = t.run(
            "wait_for",
            json!({"path": path, "search_regex": "^two (?P<n>.)(x)?"}),
        );
        assert_eq!(r.field("match_groups"), "[\"4\",null]", "{r:?}");
        assert_eq!(r.field("match_groupdict"), "{\"n\":\"4\"}");
        assert_eq!(
            (r.field("state").as_str(), r.field("size").as_str()),
            ("file", "11")
        );
        let r = t.run(
            "wait_for",
            json!({"path": path, "search_regex": "three", "timeout": 0, "msg": "mine"}),
        );
        assert_eq!(r.message(), "mine");
        assert!(
            t.run("wait_for", json!({"path": path, "search_regex": "("}))
                .failed
        );
    }

    #[test]
    fn ports() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = std::thread::spawn(move || {
            for _ in 0..3 {
                if let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.write_all(b"hello world\n");
                }
            }
        });
        let t = Trial::new();
        assert!(
            !t.run("wait_for", json!({"port": port, "timeout": 5}))
                .failed
        );
        let r = t.run(
            "wait_for",
            json!({"port": port, "timeout": 5, "search_regex": "wor(ld)"}),
        );
        assert!(!r.failed && r.field("match_groups") == "[]", "{r:?}");
        let r = t.run(
            "wait_for",
            json!({"port": port, "timeout": 1, "state": "stopped"}),
        );
        assert_eq!(
            r.message(),
            format!("Timeout when waiting for 127.0.0.1:{port} to stop.")
        );
        server.join().expect("the server ends");
        assert!(
            !t.run(
                "wait_for",
                json!({"port": port, "timeout": 5, "state": "stopped"})
            )
            .failed
        );
        assert!(
            !t.run(
                "wait_for",
                json!({"port": 9, "timeout": 5, "state": "drained"})
            )
            .failed
        );
    }

    #[test]
    fn contradictions() {
        let t = Trial::new();
        let say = |args| t.run("wait_for", args).message().to_owned();
        assert_eq!(
            say(json!({"port": 1, "path": "/x"})),
            "port and path parameter can not both be passed to wait_for"
        );
        assert!(
            say(json!({"path": "/x", "state": "drained"})).starts_with("state=drained should only")
        );
        assert!(say(json!({"port": 1, "exclude_hosts": ["a"]})).starts_with("exclude_hosts"));
        assert!(say(json!({"port": 1, "active_connection_states": ["X"]})).contains("(X)"));
        let r = t.run("wait_for", json!({"timeout": 1}));
        assert_eq!(
            (r.field("elapsed").as_str(), r.field("path").as_str()),
            ("1", "null")
        );
    }
}
