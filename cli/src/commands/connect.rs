//! `rustle connect`: whether hosts can be reached, and how quickly; and connections that are held open for the commands that follow.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustle_controller::channel::Input as Heard;
use rustle_controller::fleet::{Roster as _, Way};
use rustle_formats::Map;
use rustle_formats::report::{ConnectionReport, ConnectionStatus};

use super::connection::ConnectionOptions;
use crate::connected::connection;
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::expiry::seconds_of;
use crate::failure::Failure;
use crate::plan_roster::PlanRoster;
use crate::planning::{Input, STDIN, SourceOptions, make};
use crate::playbook_source::openable;
use crate::reach::Reach;
use crate::several_at_once::several_at_once;
use crate::surroundings::Surroundings;

/// The version of the report's shape.
const VERSION: u32 = 1;
/// What begins the answer of a host: its profile may print other things before.
const MARK: &str = "RUSTLE-CONNECT";
/// What is run there: it says what the host is, and repeats a word.
const PROBE: &str =
    "exec sh -c 'echo RUSTLE-CONNECT $(uname -s) $(uname -m) $(id -un); read x; echo $x'";
/// How long a host may be silent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects to all hosts at once, and says which can be reached, what they are and how quickly they answer. Ends with 4 where one
/// cannot.
#[derive(Debug, clap::Args)]
pub(crate) struct Connect {
    /// The hosts, by a pattern.
    #[arg(value_name = "PATTERN", default_value = "all")]
    pattern: String,
    #[command(flatten)]
    options: SourceOptions,
    /// The kind of connection where a host's variables name none. Default: ssh.
    #[arg(short, long, value_name = "KIND")]
    connection: Option<String>,
    /// Leave connections over ssh open for so long after their last use (10m, 8h): until then other commands go through them. The
    /// system's ssh holds them.
    #[arg(long, value_name = "TIME", value_parser = seconds_of, conflicts_with = "close")]
    hold: Option<u64>,
    /// Close what is held open.
    #[arg(long)]
    close: bool,
    /// How many hosts at once.
    #[arg(short, long, value_name = "N", default_value_t = 25)]
    forks: usize,
    /// Print JSON (`rustle schema connections`).
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    reaching: ConnectionOptions,
}

impl Connect {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let text = serde_json::json!([{"hosts": self.pattern, "gather_facts": false}]).to_string();
        let made = make(
            Input::Playbook(PathBuf::from(STDIN), Some(text.into_bytes())),
            &self.options,
            console,
        )?;
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        let vault = self.options.open_vault(&surroundings, console)?;
        let secrets = openable(&vault, &made.ciphertexts);
        let passwords = self.reaching.passwords(config).get(config, None)?;
        let folder = crate::failure::work_folder("connect")?;
        let mut given = self.reaching.clone();
        given.hold = self.hold.or(self.close.then_some(0));
        let reach = Reach {
            config,
            given: &given,
            kind: self.connection.as_deref(),
            password: passwords.connection.as_ref(),
            extra: &Map::new(),
            secrets: &secrets,
            folder: folder.path(),
        };
        let mut roster = PlanRoster::new(&made.plan, reach);
        let mut ways = Vec::new();
        for play in 0..made.plan.plays.len() {
            let hosts = roster.hosts(play);
            for host in hosts.map_err(|why| Failure::text(Exit::Refused, why))? {
                let way = roster.way(&host, None);
                ways.push((host, way));
            }
        }
        let report = ConnectionReport {
            version: VERSION,
            hosts: several_at_once(&ways, self.forks, |(host, way)| {
                (host.clone(), self.one(way))
            })
            .into_iter()
            .collect(),
        };
        print(&if self.json {
            super::json(&report)?
        } else {
            report.hosts.iter().map(|(h, s)| line(h, s)).collect()
        })?;
        let reachable = report.hosts.values().all(|s| s.reachable);
        Ok(if reachable { 0 } else { Exit::Refused as u8 })
    }

    fn one(&self, way: &Result<Way, String>) -> ConnectionStatus {
        let mut status = ConnectionStatus::default();
        let asked = match way {
            Err(why) => Err(why.clone()),
            Ok(Way::Program(program)) if self.close => program.end().map_err(|e| e.to_string()),
            Ok(_) if self.close => Ok(()),
            Ok(way) => ask(way, &mut status),
        };
        match asked {
            Ok(()) => {
                status.reachable = true;
                let over_ssh = matches!(way, Ok(Way::Program(program)) if program.login_shell);
                status.held_seconds = self.hold.filter(|_| over_ssh);
            }
            Err(why) => status.error = Some(why),
        }
        status
    }
}

/// One host's line for people.
fn line(host: &str, status: &ConnectionStatus) -> String {
    let Some(why) = &status.error else {
        let Some(connect) = status.connect_seconds else {
            return format!("{host}  closed\n");
        };
        let held = status.held_seconds;
        let held = held.map_or(String::new(), |s| format!("; held open for {s} s"));
        return format!(
            "{host}  ok  {} {} as {}; connected in {:.0} ms, answers in {:.1} ms{held}\n",
            status.system,
            status.machine,
            status.user,
            connect * 1000.0,
            status.answer_seconds.unwrap_or_default() * 1000.0
        );
    };
    format!("{host}  unreachable  {}\n", why.trim())
}

/// Connects, and asks what the host is and for an echo.
fn ask(way: &Way, status: &mut ConnectionStatus) -> Result<(), String> {
    let began = Instant::now();
    let Some(mut connection) = connection(way)? else {
        // This machine.
        let own = rustix::system::uname();
        status.system = own.sysname().to_string_lossy().into_owned();
        status.machine = own.machine().to_string_lossy().into_owned();
        status.user = super::push::own_name();
        status.connect_seconds = Some(0.0);
        status.answer_seconds = Some(0.0);
        return Ok(());
    };
    let explained = |why: String| match way {
        Way::Program(program) => program.explain(&why),
        _ => why,
    };
    let mut channel = connection.exec(PROBE).map_err(|e| e.to_string())?;
    let mut heard = String::new();
    let mut wrong = String::new();
    let mut asked = None;
    loop {
        match channel.poll(PATIENCE, None).map_err(|e| e.to_string())? {
            Heard::Stdout(bytes) => heard.push_str(&String::from_utf8_lossy(&bytes)),
            Heard::Stderr(bytes) => wrong.push_str(&String::from_utf8_lossy(&bytes)),
            Heard::Closed(code) => {
                let code = code.map_or_else(|| "no status".to_owned(), |c| format!("status {c}"));
                return Err(explained(format!(
                    "the host ended the session ({code}); it said: {}",
                    wrong.trim()
                )));
            }
            Heard::Idle if asked.is_none() && began.elapsed() > PATIENCE => {
                return Err(explained("the host says nothing".to_owned()));
            }
            Heard::Idle => {}
        }
        let answer = heard.split_once(MARK).map(|(_, after)| after);
        let Some((first, after)) = answer.and_then(|after| after.split_once('\n')) else {
            continue;
        };
        match asked {
            None => {
                let mut words = first.split_whitespace().map(str::to_owned);
                let mut word = || words.next().unwrap_or_default();
                (status.system, status.machine, status.user) = (word(), word(), word());
                status.connect_seconds = Some(began.elapsed().as_secs_f64());
                asked = Some(Instant::now());
                channel.send(b"echo\n");
            }
            Some(asked) if after.contains("echo\n") => {
                status.answer_seconds = Some(asked.elapsed().as_secs_f64());
                return Ok(());
            }
            Some(asked) if asked.elapsed() > PATIENCE => {
                return Err("the host does not answer".to_owned());
            }
            Some(_) => {}
        }
    }
}
