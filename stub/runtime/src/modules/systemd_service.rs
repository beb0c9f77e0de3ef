//! `systemd_service`: starts, stops, enables and masks units by the machine's systemctl.
//!
//! `systemd` is the same module by its old name, and `service` comes here where systemd runs the machine.

use std::path::{Path, PathBuf};

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Done, Run, find_program, program, variable};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct SystemdService;

const ARGS: &[Arg] = &[
    Arg::new("name", Kind::Str, "The unit's name.").aliases(&["service", "unit"]),
    Arg::new("state", Kind::Str, "What the unit is to do.").choices(&[
        "reloaded",
        "restarted",
        "started",
        "stopped",
    ]),
    Arg::new(
        "enabled",
        Kind::Bool,
        "Whether the unit starts when the machine does.",
    ),
    Arg::new("masked", Kind::Bool, "Whether nothing can start the unit."),
    Arg::new("force", Kind::Bool, "Whether existing links are replaced."),
    Arg::new(
        "daemon_reload",
        Kind::Bool,
        "Whether systemd reads its units again first.",
    )
    .aliases(&["daemon-reload"])
    .default(Default::Bool(false)),
    Arg::new(
        "daemon_reexec",
        Kind::Bool,
        "Whether systemd starts itself again first.",
    )
    .aliases(&["daemon-reexec"])
    .default(Default::Bool(false)),
    Arg::new("scope", Kind::Str, "Whose units.")
        .default(Default::Str("system"))
        .choices(&["system", "user", "global"]),
    Arg::new(
        "no_block",
        Kind::Bool,
        "Whether not to wait for the end of the operation.",
    )
    .default(Default::Bool(false)),
];

const RULES: &[Rule] = &[
    Rule::RequiredOneOf(&[
        "state",
        "enabled",
        "masked",
        "daemon_reload",
        "daemon_reexec",
        "name",
    ]),
    Rule::RequiredBy("state", &["name"]),
    Rule::RequiredBy("enabled", &["name"]),
    Rule::RequiredBy("masked", &["name"]),
];

/// The SPEC under one of the module's two names.
pub(super) const fn spec(name: &'static str) -> Spec {
    Spec {
        name,
        collection: "ansible.builtin",
        summary: "Starts, stops, enables and masks systemd's units.",
        args: &[ARGS],
        free_form: None,
        open: false,
        rules: RULES,
        check: Support::Full,
        diff: Support::None,
        reach: Reach::Outside,
        place: Place::Target,
    }
}

static SPEC: Spec = spec("systemd_service");

impl Module for SystemdService {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        run(args, ctx)
    }
}

/// What is wanted of a unit.
#[derive(Debug, Clone, std::default::Default)]
pub(super) struct Wanted<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) state: Option<&'a str>,
    pub(super) enabled: Option<bool>,
    pub(super) masked: Option<bool>,
    pub(super) reload: bool,
    pub(super) reexec: bool,
    /// Options of systemctl's.
    pub(super) options: Vec<&'static str>,
}

pub(super) fn run(args: &Args, ctx: &Context<'_>) -> ModuleResult {
    let mut options = Vec::new();
    match args.text("scope") {
        "user" => options.push("--user"),
        "global" => options.push("--global"),
        _ => {}
    }
    if args.bool("no_block") {
        options.push("--no-block");
    }
    if args.bool("force") {
        options.push("--force");
    }
    manage(
        &Wanted {
            name: args.str("name"),
            state: args.str("state"),
            enabled: args.opt_bool("enabled"),
            masked: args.opt_bool("masked"),
            reload: args.bool("daemon_reload"),
            reexec: args.bool("daemon_reexec"),
            options,
        },
        ctx,
    )
}

/// Brings a unit into the wanted state.
pub(super) fn manage(wanted: &Wanted<'_>, ctx: &Context<'_>) -> ModuleResult {
    if let Some(name) = wanted.name
        && let Some(glob) = name.chars().find(|c| "*?[".contains(*c))
    {
        return Err(Failure::new(format!(
            "This module does not currently support using glob patterns, found '{glob}' in service name: {name}"
        )));
    }
    let control = Systemctl {
        path: program(ctx, "systemctl")?,
        options: &wanted.options,
        ctx,
    };
    for (asked, verb) in [
        (wanted.reload, "daemon-reload"),
        (wanted.reexec, "daemon-reexec"),
    ] {
        if asked && !ctx.check {
            let done = control.run(&[verb])?;
            if !done.ok() && !control.offline() {
                return Err(done.failure(format!(
                    "failure {} during {verb}: {}",
                    done.rc,
                    done.err()
                )));
            }
        }
    }
    let Some(name) = wanted.name else {
        return Ok(Outcome::ok()
            .with("name", Value::Null)
            .with("status", Map::new()));
    };
    let unit = Unit::look(&control, name)?;
    let mut outcome = Outcome::ok().with("name", name);
    if let Some(masked) = wanted.masked {
        outcome.changed |= unit.mask(masked)?;
    }
    if let Some(enabled) = wanted.enabled {
        unit.must_exist()?;
        outcome.changed |= unit.enable(enabled)?;
        outcome = outcome.with("enabled", enabled);
    }
    if let Some(state) = wanted.state {
        unit.must_exist()?;
        outcome.changed |= unit.bring(state)?;
        let shown = if matches!(state, "started" | "stopped") {
            state
        } else {
            "started"
        };
        outcome = outcome.with("state", shown);
    }
    Ok(outcome.with("status", unit.status))
}

/// The machine's systemctl.
struct Systemctl<'a> {
    path: PathBuf,
    options: &'a [&'static str],
    ctx: &'a Context<'a>,
}

impl Systemctl<'_> {
    fn run(&self, args: &[&str]) -> Result<Done, Failure> {
        let mut run = Run::new(&self.path)
            .args(self.options)
            .args(args)
            .within(self.ctx)
            .plain();
        if self.options.contains(&"--user") && variable(self.ctx, "XDG_RUNTIME_DIR").is_none() {
            let uid = rustix::process::geteuid().as_raw();
            run = run.env("XDG_RUNTIME_DIR", format!("/run/user/{uid}"));
        }
        Ok(run.run()?)
    }

    /// Whether no systemd runs that could be asked: a chroot, or an image in the making.
    fn offline(&self) -> bool {
        variable(self.ctx, "SYSTEMD_OFFLINE").is_some_and(|v| v == "1")
            || !Path::new("/run/systemd/system").exists()
    }
}

/// A unit as it is.
struct Unit<'a> {
    control: &'a Systemctl<'a>,
    name: &'a str,
    status: Map,
    known: bool,
    script: bool,
}

impl<'a> Unit<'a> {
    fn look(control: &'a Systemctl<'a>, name: &'a str) -> Result<Unit<'a>, Failure> {
        let shown = control.run(&["show", name])?;
        let status = if shown.ok() {
            properties(&shown.out())
        } else {
            Map::new()
        };
        let load = status.get("LoadState").and_then(Value::as_str);
        let base = name.strip_suffix(".service").unwrap_or(name);
        let script = Path::new("/etc/init.d").join(base).is_file();
        let known = match load {
            Some("not-found") => false,
            Some("error" | "bad-setting") if !script => {
                let reason = status
                    .get("LoadError")
                    .map(ToString::to_string)
                    .unwrap_or_default();
                return Err(
                    Failure::new(format!("Error loading unit file '{name}': {reason}"))
                        .with("status", status),
                );
            }
            Some(_) => true,
            // Without a running systemd only the files can be asked.
            None => control
                .run(&["is-enabled", name])?
                .out()
                .lines()
                .next()
                .is_some_and(|l| l != "not-found"),
        };
        Ok(Unit {
            control,
            name,
            status,
            known: known || script,
            script,
        })
    }

    fn must_exist(&self) -> Result<(), Failure> {
        if self.known || self.control.ctx.check && self.control.offline() {
            return Ok(());
        }
        let name = self.name;
        Err(Failure::new(format!(
            "Could not find the requested service {name}: host"
        )))
    }

    fn must(&self, verb: &str) -> Result<(), Failure> {
        let done = self.control.run(&[verb, self.name])?;
        if done.ok() {
            return Ok(());
        }
        Err(done.failure(format!(
            "Unable to {verb} service {}: {}",
            self.name,
            done.err()
        )))
    }

    fn mask(&self, wanted: bool) -> Result<bool, Failure> {
        let done = self.control.run(&["is-enabled", self.name])?;
        let masked = done.out().trim() == "masked";
        if masked == wanted {
            return Ok(false);
        }
        if !self.control.ctx.check {
            self.must(if wanted { "mask" } else { "unmask" })?;
        }
        Ok(true)
    }

    fn enable(&self, wanted: bool) -> Result<bool, Failure> {
        let done = self.control.run(&["is-enabled", self.name, "-l"])?;
        let said = done.out();
        let only: Vec<&str> = said.lines().collect();
        let mut enabled = done.ok() && !matches!(only.as_slice(), ["indirect"] | ["alias"]);
        if !done.ok() && self.script {
            let base = self.name.strip_suffix(".service").unwrap_or(self.name);
            enabled = crate::modules::service::starts_at_boot(base);
        }
        if enabled == wanted {
            return Ok(false);
        }
        if !self.control.ctx.check {
            self.must(if wanted { "enable" } else { "disable" })?;
        }
        Ok(true)
    }

    fn bring(&self, state: &str) -> Result<bool, Failure> {
        let Some(active) = self.status.get("ActiveState").and_then(Value::as_str) else {
            if self.control.offline() {
                self.control.ctx.warn(
                    "Target is a chroot or systemd is offline. This can lead to false positives or prevent the init \
                     system tools from working.",
                );
                return Ok(false);
            }
            return Err(
                Failure::new("Service is in unknown state").with("status", self.status.clone())
            );
        };
        let up = matches!(active, "active" | "activating" | "reloading");
        let verb = match state {
            "started" => (!up).then_some("start"),
            "stopped" => (up || active == "deactivating").then_some("stop"),
            "reloaded" if up => Some("reload"),
            "restarted" if up => Some("restart"),
            _ => Some("start"),
        };
        let Some(verb) = verb else {
            return Ok(false);
        };
        if !self.control.ctx.check {
            self.must(verb)?;
        }
        Ok(true)
    }
}

/// What `systemctl show` says: `NAME=VALUE`, where a value in braces may go over several lines.
fn properties(text: &str) -> Map {
    let mut map = Map::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        if let Some((name, mut value)) = open.take() {
            value.push('\n');
            value.push_str(line);
            if line.trim_end().ends_with('}') {
                map.insert(name, value.trim().into());
            } else {
                open = Some((name, value));
            }
            continue;
        }
        let Some((name, value)) = line.split_once('=') else {
            continue;
        };
        let braces = name.starts_with("Exec") && value.trim_start().starts_with('{');
        if braces && !value.trim_end().ends_with('}') {
            open = Some((name.to_owned(), value.to_owned()));
        } else {
            map.insert(name.to_owned(), value.trim().into());
        }
    }
    if let Some((name, value)) = open {
        map.insert(name, value.trim().into());
    }
    map
}

/// Whether systemd runs this machine.
pub(super) fn in_charge(ctx: &Context<'_>) -> bool {
    Path::new("/run/systemd/system").exists() && find_program(ctx, "systemctl").is_some()
}

#[cfg(test)]
mod tests;
