//! Package tools that have no module of their own here: what to call for what.

use crate::args::Args;
use crate::context::Context;
use crate::outcome::{Failure, ModuleResult, Outcome};
use crate::process::{Run, find_program, lines, program};

/// A tool's command lines; the packages come after them.
pub(super) struct Tool {
    name: &'static str,
    /// The programs that may be there, the best first.
    programs: &'static [&'static str],
    /// Asks whether one package is installed.
    query: &'static [&'static str],
    install: &'static [&'static str],
    remove: &'static [&'static str],
    latest: &'static [&'static str],
    refresh: &'static [&'static str],
    /// The option that makes it only pretend.
    pretend: &'static str,
    /// What it says where there is nothing to do.
    idle: &'static [&'static str],
}

const RPM_QUERY: &[&str] = &["rpm", "-q", "--whatprovides"];

static TOOLS: &[Tool] = &[
    Tool {
        name: "dnf",
        programs: &["dnf", "microdnf"],
        query: RPM_QUERY,
        install: &["-y", "install"],
        remove: &["-y", "remove"],
        latest: &["-y", "upgrade"],
        refresh: &["makecache"],
        pretend: "--assumeno",
        idle: &["Nothing to do"],
    },
    Tool {
        name: "yum",
        programs: &["yum", "dnf"],
        query: RPM_QUERY,
        install: &["-y", "install"],
        remove: &["-y", "remove"],
        latest: &["-y", "update"],
        refresh: &["makecache"],
        pretend: "--assumeno",
        idle: &["Nothing to do", "No packages marked for update"],
    },
    Tool {
        name: "zypper",
        programs: &["zypper"],
        query: RPM_QUERY,
        install: &["--non-interactive", "install", "--auto-agree-with-licenses"],
        remove: &["--non-interactive", "remove"],
        latest: &["--non-interactive", "update", "--auto-agree-with-licenses"],
        refresh: &["--non-interactive", "refresh"],
        pretend: "--dry-run",
        idle: &["Nothing to do"],
    },
    Tool {
        name: "apk",
        programs: &["apk"],
        query: &["apk", "info", "-e"],
        install: &["add"],
        remove: &["del"],
        latest: &["add", "--upgrade"],
        refresh: &["update"],
        pretend: "--simulate",
        idle: &[],
    },
    Tool {
        name: "pacman",
        programs: &["pacman"],
        query: &["pacman", "-Q"],
        install: &["-S", "--noconfirm", "--needed"],
        remove: &["-R", "--noconfirm"],
        latest: &["-S", "--noconfirm", "--needed"],
        refresh: &["-Sy"],
        pretend: "--print",
        idle: &["there is nothing to do"],
    },
];

/// The tool of this name.
pub(super) fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|t| t.name == name)
}

impl Tool {
    pub(super) fn run(&self, args: &Args, ctx: &Context<'_>) -> ModuleResult {
        let mut names = Vec::new();
        match args.get("name") {
            Some(value) => match value.as_list() {
                Some(list) => names.extend(
                    list.iter()
                        .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)),
                ),
                None => names.extend(
                    value
                        .as_str()
                        .unwrap_or_default()
                        .split(',')
                        .map(|n| n.trim().to_owned()),
                ),
            },
            None => return Err(Failure::new("missing required arguments: name")),
        }
        names.retain(|n| !n.is_empty());
        if let Some(option) = names.iter().find(|n| n.starts_with('-')) {
            return Err(Failure::new(format!(
                "name: '{option}' is an option, not a package"
            )));
        }
        let program = self
            .programs
            .iter()
            .find_map(|p| find_program(ctx, p))
            .ok_or_else(|| Failure::new(format!("{} is not installed", self.name)))?;
        if args
            .get("update_cache")
            .is_some_and(|v| v.as_bool() == Some(true))
            && !ctx.check
        {
            let done = Run::new(&program)
                .args(self.refresh)
                .within(ctx)
                .plain()
                .run()?;
            if !done.ok() {
                return Err(done.failure(format!(
                    "{} could not fetch its lists: {}",
                    self.name,
                    done.said()
                )));
            }
        }
        let (verb, wanted) = match args.text("state") {
            "present" | "installed" => (self.install, self.missing(ctx, names, false)?),
            "absent" | "removed" => (self.remove, self.missing(ctx, names, true)?),
            "latest" => {
                let missing = self.missing(ctx, names.clone(), false)?;
                let verb = if missing.is_empty() {
                    self.latest
                } else {
                    self.install
                };
                (verb, names)
            }
            other => {
                return Err(Failure::new(format!(
                    "value of state must be one of: absent, installed, latest, present, removed, got: {other}"
                )));
            }
        };
        if wanted.is_empty() {
            return Ok(Outcome::ok().with("rc", 0i64).with("msg", "Nothing to do"));
        }
        self.transact(&program, verb, &wanted, ctx)
    }

    /// The packages that are not installed, or with `installed` those that are.
    fn missing(
        &self,
        ctx: &Context<'_>,
        names: Vec<String>,
        installed: bool,
    ) -> Result<Vec<String>, Failure> {
        let Some((tool, options)) = self.query.split_first() else {
            return Ok(names);
        };
        let tool = program(ctx, tool)?;
        let mut out = Vec::new();
        for name in names {
            let done = Run::new(&tool)
                .args(options)
                .arg(&name)
                .within(ctx)
                .plain()
                .run()?;
            if done.ok() == installed {
                out.push(name);
            }
        }
        Ok(out)
    }

    fn transact(
        &self,
        program: &std::path::Path,
        verb: &[&str],
        names: &[String],
        ctx: &Context<'_>,
    ) -> ModuleResult {
        let mut run = Run::new(program).args(verb);
        if ctx.check {
            run = run.arg(self.pretend);
        }
        let run = run.args(names).within(ctx).plain();
        let line = run.command_line();
        let done = run.run()?;
        let (out, err) = (done.out(), done.err());
        let idle = self
            .idle
            .iter()
            .any(|text| out.contains(text) || err.contains(text));
        // An upgrade of apk's names every package that it touches.
        let idle = idle || self.name == "apk" && !out.lines().any(|l| l.starts_with('('));
        // A pretending dnf ends with 1 since its question was answered with no.
        let declined = ctx.check && self.pretend == "--assumeno" && done.rc == 1;
        if !done.ok() && !declined {
            return Err(done.failure(format!("'{line}' failed: {}", done.said())));
        }
        Ok(Outcome::changed(!idle)
            .with("rc", i64::from(done.rc))
            .with("stdout_lines", lines(&out))
            .with("stderr_lines", lines(&err))
            .with("stdout", out)
            .with("stderr", err))
    }
}
