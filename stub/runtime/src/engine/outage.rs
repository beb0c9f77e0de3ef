//! Machines that go away and come back: `reboot` and `wait_for_connection`. A runner does not outlive the machine that it runs on, so
//! that a plan with such a task is run at arm's length: the engine of each host is on the controller, and every task that is for
//! the host's machine goes there over a connection of its own, as a delegated one does.

use std::time::{Duration, Instant};

use rustle_formats::plan::ExecutionPlan;
use rustle_formats::{Map, Value};

use super::driver::{Action, Reply, Request};
use super::invoke::{Call, escalation};
use super::result;
use super::runner::Abort;
use crate::args::{Args, text};

/// How it begins what is said of a command that is not there.
const LACKING: &str = "Unable to find command ";
/// Where commands are looked for by default.
const SEARCHED: &[&str] = &["/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin"];
/// The longest pause between two looks for a machine that restarts.
const LONGEST_PAUSE: Duration = Duration::from_secs(12);

/// Why the controller's own machine is not restarted.
pub const OF_CONTROLLER: &str =
    "Running reboot with local connection would reboot the control node.";

/// Whether tasks of a plan wait for machines that come back.
pub fn waits_for_machines(plan: &ExecutionPlan) -> bool {
    plan.tasks().any(|task| {
        let short = task.module.rsplit('.').next().unwrap_or_default();
        matches!(short, "reboot" | "wait_for_connection")
    })
}

/// Does what the module is for, and makes the result of it.
pub(super) fn run(call: &Call<'_, '_, '_>, args: &Args, name: &str) -> Result<Map, Abort> {
    let outage = Outage {
        call,
        begun: Instant::now(),
    };
    match name {
        "reboot" => outage.reboot(args),
        _ => outage.wait(args),
    }
}

struct Outage<'a, 'c, 't, 'r> {
    call: &'a Call<'c, 't, 'r>,
    begun: Instant,
}

impl Outage<'_, '_, '_, '_> {
    fn wait(&self, args: &Args) -> Result<Map, Abort> {
        if self.call.keywords.check {
            return Ok(Map::new());
        }
        let run = self.call.play.run;
        run.sleep(seconds(args, "delay"))?;
        let end = Instant::now() + seconds(args, "timeout");
        loop {
            let found = self.ask("ansible.builtin.ping", Map::new());
            if !went_wrong(&found) {
                let mut map = Map::new();
                map.insert("changed".into(), false.into());
                map.insert("elapsed".into(), self.elapsed());
                return Ok(map);
            }
            if Instant::now() >= end {
                let why = found.get("msg").map(text).unwrap_or_default();
                let mut map =
                    result::failed(&format!("timed out waiting for ping module test: {why}"));
                map.insert("elapsed".into(), self.elapsed());
                return Ok(map);
            }
            run.sleep(seconds(args, "sleep").max(Duration::from_millis(10)))?;
        }
    }

    fn reboot(&self, args: &Args) -> Result<Map, Abort> {
        let ended = |rebooted: bool| {
            let mut map = Map::new();
            map.insert("changed".into(), rebooted.into());
            map.insert("elapsed".into(), self.elapsed());
            map.insert("rebooted".into(), rebooted.into());
            map
        };
        let failed = |why: String| {
            let mut map = result::failed(&why);
            map.extend(ended(false));
            map
        };
        let no_boot_time = |why: String| {
            let mut map = result::failed(&why);
            map.insert("reboot".into(), false.into());
            map
        };
        if self.call.keywords.check {
            return Ok(ended(true));
        }
        let before = self.shell(args.text("boot_time_command"));
        if went_wrong(&before) {
            return Ok(match before.get("unreachable") {
                Some(_) => before,
                None if part(&before, "msg") == OF_CONTROLLER => failed(OF_CONTROLLER.to_owned()),
                None => no_boot_time(format!(
                    "reboot: failed to get host boot time info, rc: {}, stdout: {}, stderr: {}",
                    part(&before, "rc"),
                    part(&before, "stdout"),
                    part(&before, "stderr")
                )),
            });
        }
        let before = part(&before, "stdout");
        let told = self.shell(&command(args));
        let lacking = part(&told, "stderr");
        if lacking.starts_with(LACKING) && went_wrong(&told) {
            return Ok(result::task_failed(&lacking));
        }
        // Who is cut off by the restart cannot tell how it went.
        if went_wrong(&told) && told.get("unreachable").is_none() {
            return Ok(failed(format!(
                "Reboot command failed. Error was: '{}, {}'",
                part(&told, "stdout"),
                part(&told, "stderr")
            )));
        }
        let run = self.call.play.run;
        run.sleep(seconds(args, "post_reboot_delay"))?;
        let limit = seconds(args, "reboot_timeout");
        let late = |what: &str| {
            let mut map = failed(format!(
                "Timed out waiting for {what} (timeout={})",
                limit.as_secs()
            ));
            map.insert("rebooted".into(), true.into());
            map
        };
        let boot = |map: &Map| !part(map, "stdout").is_empty() && part(map, "stdout") != before;
        if !self.until(args.text("boot_time_command"), limit, &boot)? {
            return Ok(late("last boot time check"));
        }
        if !self.until(args.text("test_command"), limit, &|_| true)? {
            return Ok(late("post-reboot test command"));
        }
        Ok(ended(true))
    }

    /// Says a command again and again, until it succeeds and its result fits; whether it did in time.
    fn until(
        &self,
        said: &str,
        limit: Duration,
        fits: &dyn Fn(&Map) -> bool,
    ) -> Result<bool, Abort> {
        let end = Instant::now() + limit;
        let mut pause = Duration::from_secs(1);
        loop {
            let map = self.shell(said);
            if !went_wrong(&map) && fits(&map) {
                return Ok(true);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            self.call.play.run.sleep(pause.min(left))?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn shell(&self, command: &str) -> Map {
        let mut args = Map::new();
        args.insert("_raw_params".into(), command.into());
        self.ask("ansible.builtin.shell", args)
    }

    /// Has the machine run a module.
    fn ask(&self, module: &str, args: Map) -> Map {
        let store = &self.call.play.run.store;
        let request = Action {
            task: self.call.frame.task.id.clone(),
            delegate_to: self.host().to_owned(),
            module: module.to_owned(),
            args,
            vars: Map::new(),
            folders: Vec::new(),
            environment: Map::new(),
            escalation: escalation(self.call),
            check: false,
            diff: false,
            timeout: 0,
        };
        match store.driver.ask(Request::Action(Box::new(request))) {
            Reply::Result(map) => map,
            Reply::Refused(why) => result::failed(&why),
            _ => result::failed("there is no controller that could look for the machine"),
        }
    }

    fn host(&self) -> &str {
        let own = self.call.play.run.store.host;
        self.call.keywords.delegate_to.as_deref().unwrap_or(own)
    }

    fn elapsed(&self) -> Value {
        Value::Int(i64::try_from(self.begun.elapsed().as_secs()).unwrap_or(i64::MAX))
    }
}

fn seconds(args: &Args, name: &str) -> Duration {
    Duration::from_secs(
        args.int(name)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or(0),
    )
}

fn part(map: &Map, name: &str) -> String {
    let told = map.get(name).map(text).unwrap_or_default();
    told.trim().to_owned()
}

fn went_wrong(map: &Map) -> bool {
    result::is(map, "failed") || result::is(map, "unreachable")
}

/// What restarts the machine: its first word is looked for in folders that a user's PATH may lack.
fn command(args: &Args) -> String {
    let minutes = args.int("pre_reboot_delay").unwrap_or(0).max(0) / 60;
    let own = || format!("shutdown -r {minutes} {}", quoted(args.text("msg")));
    let wanted = args.str("reboot_command").map_or_else(own, str::to_owned);
    let wanted = wanted.trim();
    if wanted.starts_with('/') {
        return wanted.to_owned();
    }
    let (name, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
    let folders = args.list("search_paths");
    let folders = folders.unwrap_or_else(|| SEARCHED.iter().map(|f| (*f).to_owned()).collect());
    let places: Vec<String> = folders
        .iter()
        .map(|folder| quoted(&format!("{}/{name}", folder.trim_end_matches('/'))))
        .collect();
    format!(
        "for c in {}; do if [ -x \"$c\" ]; then exec \"$c\" {rest}; fi; done; echo {} >&2; exit 127",
        places.join(" "),
        quoted(&format!(
            "{LACKING}\"{name}\" in search paths: ['{}']",
            folders.join("', '")
        ))
    )
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}
