//! `apt`: installs, upgrades and removes Debian's packages by apt-get, and asks dpkg-query what is there.
//!
//! apt-get is only started where dpkg-query's answer, or a simulation, says that there is something to do.

mod installed;

use std::path::Path;
use std::time::{Duration, SystemTime};

use rustle_formats::{Map, Value};

use crate::args::Args;
use crate::context::Context;
use crate::modules::Module;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Done, Run, expand, lines, program};
use crate::spec::{Arg, Default, Kind, Place, Reach, Rule, Spec, Support};

/// See the module's page in Ansible's documentation.
pub(super) struct Apt;

static WHAT_ARGS: &[Arg] = &[
    Arg::new(
        "name",
        Kind::List(&Kind::Str),
        "Packages, also as `name=version`.",
    )
    .aliases(&["package", "pkg"]),
    Arg::new(
        "state",
        Kind::Str,
        "Whether the packages are to be there, and how new.",
    )
    .default(Default::Str("present"))
    .choices(&["absent", "build-dep", "latest", "present", "fixed"]),
    Arg::new("deb", Kind::Path, "A package file on the target."),
    Arg::new("upgrade", Kind::Str, "Whether to upgrade all packages.")
        .default(Default::Str("no"))
        .choices(&["dist", "full", "no", "safe", "yes"]),
    Arg::new(
        "update_cache",
        Kind::Bool,
        "Whether the lists of packages are fetched first.",
    )
    .aliases(&["update-cache"]),
    Arg::new(
        "cache_valid_time",
        Kind::Int,
        "Seconds for which fetched lists are good enough.",
    )
    .default(Default::Int(0)),
    Arg::new(
        "update_cache_retries",
        Kind::Int,
        "How often fetching the lists is tried.",
    )
    .default(Default::Int(5)),
    Arg::new(
        "update_cache_retry_max_delay",
        Kind::Int,
        "The most seconds between tries.",
    )
    .default(Default::Int(12)),
    Arg::new(
        "autoremove",
        Kind::Bool,
        "Whether packages that nobody needs any more go.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "autoclean",
        Kind::Bool,
        "Whether outdated package files go.",
    )
    .default(Default::Bool(false)),
    Arg::new("clean", Kind::Bool, "Whether all package files go.").default(Default::Bool(false)),
    Arg::new(
        "purge",
        Kind::Bool,
        "Whether the configuration of removed packages goes too.",
    )
    .default(Default::Bool(false)),
];

static HOW_ARGS: &[Arg] = &[
    Arg::new(
        "default_release",
        Kind::Str,
        "The release that is preferred.",
    )
    .aliases(&["default-release"]),
    Arg::new(
        "install_recommends",
        Kind::Bool,
        "Whether recommended packages come too.",
    )
    .aliases(&["install-recommends"]),
    Arg::new(
        "only_upgrade",
        Kind::Bool,
        "Whether only packages that are there are touched.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "force",
        Kind::Bool,
        "Whether to go on in spite of signatures and downgrades.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "allow_unauthenticated",
        Kind::Bool,
        "Whether packages without a signature are taken.",
    )
    .aliases(&["allow-unauthenticated"])
    .default(Default::Bool(false)),
    Arg::new(
        "allow_downgrade",
        Kind::Bool,
        "Whether an older version may replace a newer.",
    )
    .aliases(&["allow-downgrade", "allow_downgrades", "allow-downgrades"])
    .default(Default::Bool(false)),
    Arg::new(
        "allow_change_held_packages",
        Kind::Bool,
        "Whether packages on hold are touched.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "dpkg_options",
        Kind::Str,
        "Options for dpkg, without dashes, between commas.",
    )
    .default(Default::Str("force-confdef,force-confold")),
    Arg::new(
        "fail_on_autoremove",
        Kind::Bool,
        "Whether to fail where a package would have to go.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "force_apt_get",
        Kind::Bool,
        "Whether apt-get is preferred to aptitude, which is always so here.",
    )
    .default(Default::Bool(false)),
    Arg::new(
        "lock_timeout",
        Kind::Int,
        "Seconds to wait for another package tool.",
    )
    .default(Default::Int(60)),
    Arg::new(
        "policy_rc_d",
        Kind::Int,
        "The answer to packages that want to start services.",
    ),
    Arg::new(
        "auto_install_module_deps",
        Kind::Bool,
        "Whether Ansible's own needs are met; nothing is needed here.",
    )
    .default(Default::Bool(true)),
];

static SPEC: Spec = Spec {
    name: "apt",
    collection: "ansible.builtin",
    summary: "Installs, upgrades and removes Debian's packages.",
    args: &[WHAT_ARGS, HOW_ARGS],
    free_form: None,
    open: false,
    rules: &[
        Rule::MutuallyExclusive(&["deb", "name", "upgrade"]),
        Rule::RequiredOneOf(&[
            "autoremove",
            "deb",
            "name",
            "update_cache",
            "upgrade",
            "autoclean",
            "clean",
        ]),
    ],
    check: Support::Full,
    diff: Support::Full,
    reach: Reach::Outside,
    place: Place::Target,
};

impl Module for Apt {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let apt = AptGet { args, ctx };
        let updated = apt.update_cache()?;
        let mut outcome = apt.act()?;
        outcome = outcome
            .with("cache_updated", updated)
            .with("cache_update_time", cache_time());
        if !args.has("name") && !args.has("deb") && args.text("upgrade") == "no" {
            outcome.changed |= updated;
        }
        Ok(outcome)
    }
}

/// apt-get with the task's options.
struct AptGet<'a> {
    args: &'a Args,
    ctx: &'a Context<'a>,
}

impl AptGet<'_> {
    fn act(&self) -> ModuleResult {
        let upgrade = match self.args.text("upgrade") {
            "yes" | "safe" => Some(vec!["upgrade", "--with-new-pkgs"]),
            "full" | "dist" => Some(vec!["dist-upgrade"]),
            _ => None,
        };
        if let Some(verb) = upgrade {
            return self.transact(&verb, &[]);
        }
        if self.args.bool("clean") {
            let done = self.command(&["clean"])?;
            return Ok(Outcome::changed(true)
                .with("stdout", done.out())
                .with("stderr", done.err()));
        }
        if let Some(deb) = self.args.str("deb") {
            return self.install_file(&expand(self.ctx, deb));
        }
        if let Some(names) = self.args.list("name") {
            return self.packages(&names);
        }
        if self.args.bool("autoremove") {
            return self.transact(&["autoremove"], &[]);
        }
        if self.args.bool("autoclean") {
            return self.transact(&["autoclean"], &[]);
        }
        Ok(Outcome::ok())
    }

    fn packages(&self, names: &[String]) -> ModuleResult {
        let names: Vec<&str> = names
            .iter()
            .map(|n| n.trim())
            .filter(|n| !n.is_empty())
            .collect();
        if names.contains(&"*") {
            return match self.args.text("state") {
                "latest" => self.transact(&["upgrade", "--with-new-pkgs"], &[]),
                _ => Err(Failure::new(
                    "unable to install all packages, use state=latest to upgrade them",
                )),
            };
        }
        let there = installed::query(self.ctx, &names)?;
        let autoremove = self.args.bool("autoremove").then_some("--auto-remove");
        let verb = |word: &'static str| {
            [Some(word), autoremove]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
        };
        match self.args.text("state") {
            "absent" => {
                let purge = self.args.bool("purge");
                let gone: Vec<&str> = names
                    .iter()
                    .copied()
                    .filter(|n| there.has(n) || purge && there.has_configuration(n))
                    .collect();
                if gone.is_empty() {
                    return Ok(Outcome::ok());
                }
                self.transact(&verb(if purge { "purge" } else { "remove" }), &gone)
            }
            "build-dep" => self.transact(&["build-dep"], &names),
            "latest" => self.transact(&verb("install"), &names),
            "fixed" => self.transact(&["install", "--fix-broken"], &names),
            _ => {
                let missing: Vec<&str> = names.iter().copied().filter(|n| !there.has(n)).collect();
                let missing: Vec<&str> = match self.args.bool("only_upgrade") {
                    true => missing
                        .into_iter()
                        .filter(|n| there.has(installed::name_of(n)))
                        .collect(),
                    false => missing,
                };
                if missing.is_empty() {
                    return Ok(Outcome::ok());
                }
                self.transact(&verb("install"), &missing)
            }
        }
    }

    fn install_file(&self, path: &Path) -> ModuleResult {
        if !path.is_file() {
            return Err(Failure::new(format!(
                "Unable to install package: {} does not exist",
                path.display()
            )));
        }
        let (name, version) = installed::of_file(self.ctx, path)?;
        let there = installed::query(self.ctx, &[&name])?;
        if there.version(&name) == Some(version.as_str()) {
            return Ok(Outcome::ok());
        }
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.transact(&["install"], &[&path.to_string_lossy()])
    }

    /// Runs a verb that changes packages. A simulation says whether there is anything to do, and is all that check mode
    /// does.
    fn transact(&self, verb: &[&str], packages: &[&str]) -> ModuleResult {
        let mut simulation = verb.to_vec();
        simulation.push("--simulate");
        let plan = self.call(&simulation, packages)?;
        let work = if verb[0] == "autoclean" {
            plan.out().lines().any(|l| l.starts_with("Del "))
        } else {
            plan.out().lines().any(|l| {
                ["Inst ", "Remv ", "Purg ", "Conf "]
                    .iter()
                    .any(|p| l.starts_with(p))
            })
        };
        if self.args.bool("fail_on_autoremove")
            && plan.out().lines().any(|l| l.starts_with("Remv "))
            && verb[0] != "remove"
        {
            return Err(plan
                .failure("packages would have to be removed, and fail_on_autoremove forbids it"));
        }
        let done = if !work || self.ctx.check {
            plan
        } else {
            self.call(verb, packages)?
        };
        let (out, err) = (done.out(), done.err());
        let mut outcome = Outcome::changed(work)
            .with("stdout_lines", lines(&out))
            .with("stderr_lines", lines(&err))
            .with("stdout", out.as_str())
            .with("stderr", err);
        if self.ctx.diff && work {
            let prepared = installed::summary(&out);
            let diff: Map = [("prepared".to_owned(), Value::from(prepared))]
                .into_iter()
                .collect();
            outcome.diff = Some(diff.into());
        }
        Ok(outcome)
    }

    fn call(&self, verb: &[&str], packages: &[&str]) -> Result<Done, Failure> {
        let _quiet = PolicyRcD::place(self.args, self.ctx)?;
        let run = self.base()?.args(self.options()).args(verb).args(packages);
        let line = run.command_line();
        let done = run.run()?;
        if done.ok() {
            return Ok(done);
        }
        let err = done.err();
        let unknown = err.lines().find_map(|l| {
            l.strip_prefix("E: Unable to locate package ").or_else(|| {
                Some(
                    l.strip_prefix("E: Package '")?
                        .split_once("' has no installation candidate")?
                        .0,
                )
            })
        });
        Err(done.failure(match unknown {
            Some(name) => format!("No package matching '{name}' is available"),
            None => format!("'{line}' failed: {err}"),
        }))
    }

    fn command(&self, words: &[&str]) -> Result<Done, Failure> {
        let mut run = self.base()?.args(words);
        if self.ctx.check {
            run = run.arg("--simulate");
        }
        let done = run.run()?;
        if done.ok() {
            return Ok(done);
        }
        let message = format!("'apt-get {}' failed: {}", words.join(" "), done.err());
        Err(done.failure(message))
    }

    fn base(&self) -> Result<Run<'_>, Failure> {
        let wait = self.args.int("lock_timeout").unwrap_or(60);
        Ok(Run::new(program(self.ctx, "apt-get")?)
            .arg("-y")
            .args(["-o", &format!("DPkg::Lock::Timeout={wait}")])
            .within(self.ctx)
            .plain()
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("DEBIAN_PRIORITY", "critical"))
    }

    fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        for option in self
            .args
            .text("dpkg_options")
            .split(',')
            .filter(|o| !o.is_empty())
        {
            options.extend(["-o".to_owned(), format!("Dpkg::Options::=--{option}")]);
        }
        let force = self.args.bool("force");
        let flags = [
            (
                force || self.args.bool("allow_unauthenticated"),
                "--allow-unauthenticated",
            ),
            (
                force || self.args.bool("allow_downgrade"),
                "--allow-downgrades",
            ),
            (
                force || self.args.bool("allow_change_held_packages"),
                "--allow-change-held-packages",
            ),
            (force, "--allow-remove-essential"),
            (self.args.bool("only_upgrade"), "--only-upgrade"),
            (self.args.bool("purge"), "--purge"),
            (
                self.args.opt_bool("install_recommends") == Some(true),
                "--install-recommends",
            ),
            (
                self.args.opt_bool("install_recommends") == Some(false),
                "--no-install-recommends",
            ),
        ];
        options.extend(
            flags
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, flag)| (*flag).to_owned()),
        );
        if let Some(release) = self.args.str("default_release") {
            options.extend(["-t".to_owned(), release.to_owned()]);
        }
        options
    }

    /// Fetches the lists of packages where they are wanted and too old. Whether they were, or would be in check mode.
    fn update_cache(&self) -> Result<bool, Failure> {
        let valid = self.args.int("cache_valid_time").unwrap_or(0);
        let wanted = self.args.opt_bool("update_cache").unwrap_or(valid > 0);
        let age = seconds_now().saturating_sub(cache_time());
        if !wanted || (valid > 0 && age <= valid) {
            return Ok(false);
        }
        if self.ctx.check {
            return Ok(true);
        }
        let tries = self.args.int("update_cache_retries").unwrap_or(5).max(1);
        let longest = self
            .args
            .int("update_cache_retry_max_delay")
            .unwrap_or(12)
            .max(0) as u64;
        let mut said = String::new();
        for attempt in 0..tries {
            let done = self.base()?.arg("update").run()?;
            // apt-get ends well though a list could not be fetched, and says so.
            let partly = done
                .err()
                .lines()
                .any(|l| l.starts_with("W: Failed to fetch"));
            if done.ok() && !partly {
                return Ok(true);
            }
            said = done.err().trim().to_owned();
            if attempt + 1 < tries {
                let delay = (1u64 << attempt.min(10)).min(longest);
                super::pause::sleep(self.ctx, Duration::from_secs(delay))?;
            }
        }
        Err(Failure::new(format!(
            "Failed to update apt cache after {tries} retries: {said}"
        )))
    }
}

/// When the lists of packages were fetched, in seconds since 1970; zero where they never were.
fn cache_time() -> i64 {
    let places = [
        "/var/lib/apt/periodic/update-success-stamp",
        "/var/lib/apt/lists",
    ];
    places
        .iter()
        .find_map(|p| std::fs::metadata(p).and_then(|m| m.modified()).ok())
        .and_then(|t| t.duration_since(SystemTime::UNIX_EPOCH).ok())
        .map_or(0, |d| d.as_secs() as i64)
}

fn seconds_now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// `/usr/sbin/policy-rc.d`, which answers packages that want to start services; put back when dropped.
struct PolicyRcD {
    before: Option<Vec<u8>>,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl PolicyRcD {
    fn place(args: &Args, ctx: &Context<'_>) -> Result<Option<PolicyRcD>, Failure> {
        use std::os::unix::fs::PermissionsExt;
        let Some(answer) = args.int("policy_rc_d").filter(|_| !ctx.check) else {
            return Ok(None);
        };
        let before = std::fs::read(POLICY).ok();
        std::fs::write(POLICY, format!("#!/bin/sh\nexit {answer}\n"))
            .and_then(|()| std::fs::set_permissions(POLICY, std::fs::Permissions::from_mode(0o755)))
            .map_err(|e| Failure::new(format!("cannot write {POLICY}: {e}")))?;
        Ok(Some(PolicyRcD { before }))
    }
}

impl Drop for PolicyRcD {
    fn drop(&mut self) {
        let _ = match &self.before {
            Some(bytes) => std::fs::write(POLICY, bytes),
            None => std::fs::remove_file(POLICY),
        };
    }
}

#[cfg(test)]
mod tests;
