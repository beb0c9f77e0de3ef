//! `service`: starts, stops and enables services by whatever runs the machine: systemd, OpenRC, or scripts in
//! `/etc/init.d` with update-rc.d or chkconfig.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::args::Args;
use crate::context::Context;
use crate::modules::{Module, pause, systemd_service};
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Done, Run, find_program, split};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Service;

static SPEC: Spec = Spec {
    name: "service",
    collection: "ansible.builtin",
    summary: "Starts, stops and enables services.",
    args: &[&[
        Arg::new("name", Kind::Str, "The service's name.").required(),
        Arg::new("state", Kind::Str, "What the service is to do.").choices(&[
            "reloaded",
            "restarted",
            "started",
            "stopped",
        ]),
        Arg::new(
            "enabled",
            Kind::Bool,
            "Whether the service starts when the machine does.",
        ),
        Arg::new(
            "sleep",
            Kind::Int,
            "Seconds between stop and start of a restart.",
        ),
        Arg::new(
            "pattern",
            Kind::Str,
            "A text in the process list that shows that it runs.",
        ),
        Arg::new("runlevel", Kind::Str, "OpenRC's runlevel.").default(Default::Str("default")),
        Arg::new(
            "arguments",
            Kind::Str,
            "More arguments for the init script.",
        )
        .aliases(&["args"])
        .default(Default::Str("")),
        Arg::new(
            "use",
            Kind::Str,
            "What runs the machine: auto, systemd, openrc, sysvinit or service.",
        )
        .default(Default::Str("auto")),
    ]],
    free_form: None,
    open: false,
    rules: &[Rule::RequiredOneOf(&["state", "enabled"])],
    check: Support::Full,
    diff: Support::None,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Service {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let named = args.text("use");
        let named = named.rsplit('.').next().unwrap_or(named);
        let systemd = match named {
            "auto" => systemd_service::in_charge(ctx),
            "systemd" | "systemd_service" => true,
            "service" | "openrc" | "sysvinit" => false,
            other => {
                return Err(Failure::new(format!(
                    "use: the service manager '{other}' is not known"
                )));
            }
        };
        if systemd {
            return systemd_service::manage(
                &systemd_service::Wanted {
                    name: args.str("name"),
                    state: args.str("state"),
                    enabled: args.opt_bool("enabled"),
                    ..std::default::Default::default()
                },
                ctx,
            );
        }
        Classic::find(args, ctx, Path::new("/"), named)?.manage()
    }
}

/// A service of a machine without systemd.
struct Classic<'a> {
    args: &'a Args,
    ctx: &'a Context<'a>,
    root: &'a Path,
    name: &'a str,
    manager: Manager,
}

enum Manager {
    /// `rc-service` and `rc-update`.
    OpenRc(PathBuf),
    /// A script in `/etc/init.d`.
    Script(PathBuf),
}

impl<'a> Classic<'a> {
    fn find(
        args: &'a Args,
        ctx: &'a Context<'a>,
        root: &'a Path,
        named: &str,
    ) -> Result<Classic<'a>, Failure> {
        let name = args.text("name");
        let missing = || Failure::new(format!("Could not find the requested service {name}: host"));
        if name.is_empty() || name.contains('/') {
            return Err(missing());
        }
        let script = ["etc/init.d", "etc/rc.d", "usr/local/etc/rc.d"]
            .iter()
            .map(|dir| root.join(dir).join(name))
            .find(|path| path.is_file());
        let openrc = find_program(ctx, "rc-service").filter(|_| named != "sysvinit");
        let manager = match (openrc, script) {
            (Some(openrc), Some(_)) => Manager::OpenRc(openrc),
            (_, Some(script)) => Manager::Script(script),
            (_, None) => return Err(missing()),
        };
        Ok(Classic {
            args,
            ctx,
            root,
            name,
            manager,
        })
    }

    fn manage(&self) -> ModuleResult {
        let mut outcome = Outcome::ok().with("name", self.name);
        if let Some(enabled) = self.args.opt_bool("enabled") {
            outcome.changed |= self.enable(enabled)?;
            outcome = outcome.with("enabled", enabled);
        }
        if let Some(state) = self.args.str("state") {
            outcome.changed |= self.bring(state)?;
            let shown = if state == "stopped" {
                "stopped"
            } else {
                "started"
            };
            outcome = outcome.with("state", shown);
        }
        Ok(outcome)
    }

    fn call(&self, verb: &str) -> Result<Done, Failure> {
        let more = split(self.args.text("arguments")).map_err(Failure::new)?;
        let run = match &self.manager {
            Manager::OpenRc(path) => Run::new(path).args([self.name, verb]),
            Manager::Script(path) => Run::new(path).arg(verb),
        };
        Ok(run.args(more).within(self.ctx).plain().run()?)
    }

    fn must(&self, verb: &str) -> Result<(), Failure> {
        let done = self.call(verb)?;
        if done.ok() {
            return Ok(());
        }
        Err(done.failure(format!(
            "Unable to {verb} service {}: {}",
            self.name,
            done.said()
        )))
    }

    fn running(&self) -> Result<bool, Failure> {
        if let Some(pattern) = self.args.str("pattern") {
            return Ok(in_process_list(pattern));
        }
        let done = self.call("status")?;
        let said = format!("{}{}", done.out(), done.err()).to_lowercase();
        let denies = [
            "not running",
            "is stopped",
            "status: stopped",
            "not started",
            "is dead",
            "inactive",
        ];
        Ok(done.ok() && !denies.iter().any(|text| said.contains(text)))
    }

    fn bring(&self, state: &str) -> Result<bool, Failure> {
        let running = self.running()?;
        let verb = match (state, running) {
            ("started", true) | ("stopped", false) => return Ok(false),
            ("started", false) => "start",
            ("stopped", true) => "stop",
            ("reloaded", true) => "reload",
            ("restarted", true) => "restart",
            _ => "start",
        };
        if self.ctx.check {
            return Ok(true);
        }
        match (verb, self.args.int("sleep")) {
            ("restart", Some(seconds)) if seconds > 0 => {
                self.must("stop")?;
                pause::sleep(self.ctx, Duration::from_secs(seconds as u64))?;
                self.must("start")?;
            }
            _ => self.must(verb)?,
        }
        Ok(true)
    }

    fn enable(&self, wanted: bool) -> Result<bool, Failure> {
        let level = self.args.text("runlevel");
        let enabled = match &self.manager {
            Manager::OpenRc(_) => {
                let links = self.root.join("etc/runlevels");
                links.join(level).join(self.name).symlink_metadata().is_ok()
            }
            Manager::Script(_) => boot_links(self.root, self.name),
        };
        if enabled == wanted {
            return Ok(false);
        }
        if self.ctx.check {
            return Ok(true);
        }
        let word = if wanted { "enable" } else { "disable" };
        for command in self.enable_commands(wanted, level)? {
            let done = command.within(self.ctx).plain().run()?;
            if !done.ok() {
                let message = format!("Failed to {word} service {}: {}", self.name, done.said());
                return Err(done.failure(message));
            }
        }
        Ok(true)
    }

    fn enable_commands(&self, wanted: bool, level: &str) -> Result<Vec<Run<'_>>, Failure> {
        let tool = |name: &str| find_program(self.ctx, name);
        if let Manager::OpenRc(_) = self.manager {
            let update =
                tool("rc-update").ok_or_else(|| Failure::new("rc-update is not installed"))?;
            let verb = if wanted { "add" } else { "del" };
            return Ok(vec![Run::new(update).args([verb, self.name, level])]);
        }
        if let Some(update) = tool("update-rc.d") {
            let verb = if wanted { "enable" } else { "disable" };
            return Ok(vec![
                Run::new(&update).args([self.name, "defaults"]),
                Run::new(&update).args([self.name, verb]),
            ]);
        }
        if let Some(chkconfig) = tool("chkconfig") {
            let switch = if wanted { "on" } else { "off" };
            return Ok(vec![
                Run::new(&chkconfig).args(["--add", self.name]),
                Run::new(&chkconfig).args([self.name, switch]),
            ]);
        }
        Err(Failure::new(format!(
            "cannot enable {}: neither update-rc.d nor chkconfig is installed",
            self.name
        )))
    }
}

/// Whether a script of `/etc/init.d` starts when the machine does.
pub(super) fn starts_at_boot(name: &str) -> bool {
    boot_links(Path::new("/"), name)
}

fn boot_links(root: &Path, name: &str) -> bool {
    let folders = crate::glob::all_matches(root, "etc/rc[2345S].d");
    let nested = crate::glob::all_matches(root, "etc/rc.d/rc[2345S].d");
    folders.iter().chain(&nested).any(|dir| {
        let links = crate::glob::all_matches(dir, "S[0-9][0-9]*");
        links.iter().any(|l| {
            l.file_name()
                .is_some_and(|f| f.to_string_lossy()[3..] == *name)
        })
    })
}

/// Whether a process has the text in its command line.
fn in_process_list(pattern: &str) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return false;
    };
    let own = std::process::id().to_string();
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let process = name.to_string_lossy().bytes().all(|b| b.is_ascii_digit());
        process
            && name.to_string_lossy() != own
            && std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| {
                String::from_utf8_lossy(&line)
                    .replace('\0', " ")
                    .contains(pattern)
            })
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use serde_json::json;

    use super::Classic;
    use crate::outcome::Outcome;
    use crate::trial::Trial;

    const SCRIPT: &str = "#!/bin/sh\ncase $1 in\nstatus) [ -e $0.up ] && echo running || { echo stopped; exit 3; };;\n\
        start) touch $0.up;; stop) rm $0.up;; restart|reload) ;; *) exit 2;; esac\necho $1 >> $0.log\n";
    const UPDATE: &str = "#!/bin/sh\nd=$(dirname $0)/etc/rc2.d; mkdir -p $d\n\
        case $2 in defaults) ;; enable) ln -sf ../init.d/$1 $d/S01$1;; disable) rm $d/S01$1;; esac\n";

    fn executable(path: &std::path::Path, text: &str) {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    #[test]
    fn init_scripts() {
        let dir = tempfile::tempdir().expect("a folder");
        executable(&dir.path().join("etc/init.d/web"), SCRIPT);
        executable(&dir.path().join("update-rc.d"), UPDATE);
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        let run = |check: bool, args: serde_json::Value| -> Outcome {
            let t = Trial {
                check,
                ..Trial::new().env("PATH", &path)
            };
            t.apply("service", args, |a, ctx| {
                Classic::find(a, ctx, dir.path(), "sysvinit")?.manage()
            })
        };
        let up = json!({"name": "web", "state": "started", "enabled": true});
        assert!(run(true, up.clone()).changed);
        assert!(!dir.path().join("etc/init.d/web.up").exists());
        let r = run(false, up.clone());
        assert!(
            r.changed && !r.failed && r.field("state") == "started",
            "{r:?}"
        );
        assert!(!run(false, up).changed);
        assert!(run(false, json!({"name": "web", "state": "restarted"})).changed);
        let down = json!({"name": "web", "state": "stopped", "enabled": false});
        assert!(run(false, down.clone()).changed);
        assert!(!run(false, down).changed);
        let r = run(false, json!({"name": "nope", "state": "started"}));
        assert_eq!(
            r.message(),
            "Could not find the requested service nope: host"
        );
    }
}
