//! Running playbooks: inventory and playbook become a plan, the plan is checked, and the engine runs it here.

use std::cell::RefCell;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustle_controller::fleet::Roster as _;
use rustle_controller::local::{DiskFiles, LocalRun};
use rustle_formats::Value;
use rustle_formats::event::{Event, EventKind};
use rustle_lookups::OnController;
use rustle_planner::{Planned, Request, plan};
use rustle_playbook::Problem;
use rustle_playbook::pattern::LOCALHOST;
use rustle_runs::Asked;
use rustle_runtime::BECOME_PASSWORD;
use rustle_runtime::check::{CheckOptions, Severity, check};
use rustle_runtime::engine::{Confirm, Machine, Options as EngineOptions};
use rustle_runtime::report::Stream;

use super::PlaybookCommand;
use super::callbacks::Screen;
use super::roster::Roster;
use super::{plugins, prompts, several};
use crate::carried::{self, PythonModulesOption, Refusals};
use crate::checks;
use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::fact_cache::FactCache;
use crate::failure::Failure;
use crate::live::LiveOption;
use crate::plan_input::PlanInput;
use crate::playbook_source::{self as source, Chosen, Parts, Targets};
use crate::reach::is_local;
use crate::reconnect::ReconnectOptions;
use crate::recording::{RecordOptions, Recording};
use crate::surroundings::{Surroundings, refused};
use crate::unfinished::Unfinished;

/// ansible-playbook's options for running.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct RunOptions {
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE")]
    pub(crate) inventory: Vec<String>,
    /// Only hosts that this pattern picks; @FILE: the patterns of a file.
    #[arg(short, long, alias = "subset", value_name = "PATTERN")]
    pub(crate) limit: Option<String>,
    /// The kind of connection where the inventory names none: `ssh` or `local`. Default: ssh.
    #[arg(short, long, value_name = "KIND")]
    pub(crate) connection: Option<String>,
    /// Predict what would be changed, and change nothing.
    #[arg(short = 'C', long)]
    pub(crate) check: bool,
    /// Show what changes in files.
    #[arg(short = 'D', long)]
    pub(crate) diff: bool,
    /// Become another user.
    #[arg(short, long = "become")]
    pub(crate) become_: bool,
    /// That user. Default: root.
    #[arg(long, value_name = "USER")]
    pub(crate) become_user: Option<String>,
    /// How: sudo, su, doas.
    #[arg(long, value_name = "METHOD")]
    pub(crate) become_method: Option<String>,
    /// Start with the task of this name.
    #[arg(long, value_name = "NAME")]
    pub(crate) start_at_task: Option<String>,
    /// Ask before every task whether to do it.
    #[arg(long)]
    pub(crate) step: bool,
    /// Run notified handlers even where a task failed.
    #[arg(long)]
    pub(crate) force_handlers: bool,
    /// How many hosts work at a time. Default: 5.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) forks: Option<u32>,
    /// Forget the facts of earlier runs (`fact_caching`) before this one.
    #[arg(long)]
    pub(crate) flush_cache: bool,
    #[command(flatten)]
    pub(crate) python: PythonModulesOption,
    #[command(flatten)]
    pub(crate) records: RecordOptions,
    #[command(flatten)]
    pub(crate) reconnect: ReconnectOptions,
    #[command(flatten)]
    pub(crate) live: LiveOption,
}

impl PlaybookCommand {
    /// Runs one playbook; gives ansible-playbook's exit code.
    pub(super) fn play(&self, parts: &Parts<'_>, console: &Console) -> Result<u8, Failure> {
        let sources = &parts.surroundings.sources;
        let refuse = |problems: Vec<Problem>| refused(&problems, sources);
        let chosen = Chosen {
            inventory: &self.running.inventory,
            limit: self.running.limit.as_deref(),
        };
        let targets = source::targets(parts, &chosen, console).map_err(refuse)?;
        let host = self.alone(&targets, parts);
        let (inventory, hosts) = (targets.inventory.clone(), targets.hosts.clone());
        let extra_vars = targets.extra.clone();
        let roster = Roster::new(self, parts, targets, console);
        let planned = plan(Request {
            playbook: parts.playbook,
            path: parts.path,
            reader: parts.reader,
            sources,
            inventory,
            hosts,
            directory: parts.surroundings.config.environment().directory.clone(),
            decrypt: parts.open,
            vaulted: parts.vaulted,
            gather: parts.surroundings.config.text("DEFAULT_GATHERING") != Some("explicit"),
            extra_vars,
            runtime: source::runtime(&parts.surroundings.config),
            prompted: prompts::ask(parts, console).map_err(|p| refuse(vec![p]))?,
        })
        .map_err(refuse)?;
        parts.surroundings.say(console, &planned.warnings);
        let host = host.filter(|_| !crate::plan_reach::needs_others(&planned.plan));
        self.execute(parts, planned, host, roster, console)
    }

    /// The only host of the run, where there is but one and it is this machine.
    fn alone(&self, targets: &Targets, parts: &Parts<'_>) -> Option<String> {
        let names = targets.names();
        let Some((first, others)) = names.split_first() else {
            return Some(LOCALHOST[1].to_owned());
        };
        let vars = &targets.inventory.hosts[first].vars;
        let written = targets
            .extra
            .get("ansible_connection")
            .or_else(|| vars.get("ansible_connection"));
        let mut plays = parts.playbook.plays.iter();
        let kind = written
            .and_then(Value::as_str)
            .or_else(|| plays.find_map(|p| p.keywords.get("connection")?.as_str()))
            .or(self.running.connection.as_deref())
            .unwrap_or("ssh");
        let here = others.is_empty() && is_local(kind);
        here.then(|| first.clone())
    }

    fn execute(
        &self,
        parts: &Parts<'_>,
        planned: Planned,
        host: Option<String>,
        mut roster: Roster<'_>,
        console: &Console,
    ) -> Result<u8, Failure> {
        let Planned {
            mut plan,
            mut secrets,
            modules,
            ..
        } = planned;
        let given = self.passwords.get().and_then(|p| p.becoming.clone());
        secrets.extend(given.map(|password| (BECOME_PASSWORD.to_owned(), password)));
        self.fact_cache(parts, &mut roster, console);
        let refusals = carried::declare(
            &mut plan,
            &modules,
            self.running.python.python_modules,
            parts.surroundings,
        )?;
        for play in &mut plan.plays {
            let wants = &self.running;
            if wants.become_ && play.become_.is_none() {
                play.become_ = Some(Value::Bool(true));
            }
            let text = |given: &Option<String>| given.as_deref().map(Value::from);
            play.become_user = play.become_user.take().or(text(&wants.become_user));
            play.become_method = play.become_method.take().or(text(&wants.become_method));
            super::settings::complete(&parts.surroundings.config, play);
        }
        // A `localhost` that no source has is in no group.
        let implicit = roster.implicit.as_ref();
        let own = implicit.and_then(|name| plan.hosts.shift_remove(name));
        roster.secrets.clone_from(&secrets);
        let base = plan.base_dir.clone().unwrap_or_default();
        let input = PlanInput::planned(parts.path.display().to_string(), ".".into(), plan);
        let controller = plugins::controller(parts, input.plan(), console)?;
        self.check_plan(&input, &controller, &refusals, console)?;
        let carried = carried::sources(input.plan(), parts.surroundings)?;
        let work = crate::failure::work_folder("run")?;
        let stop = Arc::new(AtomicBool::new(false));
        super::super::catch_interrupt(&stop);
        let screen = RefCell::new(self.screen(console, parts, input.plan()));
        let opened = parts.disk.vault.opened.clone();
        let recording = Recording::prepare(self.asked(parts), &self.running.records, opened)?;
        let recording = RefCell::new(recording);
        let options = self.engine_options(parts.surroundings, console)?;
        let unfinished = match host {
            None => self.unfinished(&options.run_id, console)?,
            Some(_) => None,
        };
        let live = RefCell::new(self.running.live.live(console));
        let emit = |event: &Event| {
            recording.borrow_mut().event(event);
            if unfinished.as_ref().is_some_and(|run| run.has_shown(event)) {
                // The screen learns of it, and says nothing a second time.
                return screen.borrow_mut().event(event, &mut |_, _| {});
            }
            live.borrow()
                .aside(|| print_event(&mut **screen.borrow_mut(), event));
            live.borrow_mut().event(event);
            if let Some(run) = &unfinished {
                run.shown(event);
            }
        };
        let confirm = |task: &str| {
            let mut answer = Confirm::No;
            live.borrow().aside(|| {
                // Who is asked has seen all that went before.
                let nothing = Event {
                    seq: 0,
                    time_ms: 0,
                    kind: EventKind::Heartbeat {},
                };
                print_event(&mut **screen.borrow_mut(), &nothing);
                answer = super::step::ask(task);
            });
            answer
        };
        let env = &parts.surroundings.config.environment().variables;
        let directory = parts.surroundings.config.environment().directory.clone();
        let home = parts.surroundings.config.environment().home.clone();
        let files = DiskFiles::at(base.clone().into(), home)
            .with(carried.clone())
            .opening(parts.disk.opener());
        let code = match host {
            None => self.several(
                several::Work {
                    parts,
                    plan: input.plan(),
                    secrets,
                    folder: work.path(),
                    emit: &emit,
                    confirm: &confirm,
                    stop,
                    options,
                    base: base.as_ref(),
                    carried,
                    files,
                    controller: &controller,
                    signing: self.connection.sign.signing(console)?,
                    unfinished: unfinished.as_ref(),
                },
                &mut roster,
            )?,
            Some(host) => {
                let summary = LocalRun {
                    plan: input.plan(),
                    host: host.clone(),
                    options: EngineOptions {
                        facts: roster.cached_facts(&host),
                        own_vars: own.map(|host| host.vars).unwrap_or_default(),
                        ..options
                    },
                    files,
                    controller: Some(&controller),
                    secrets,
                    machine: Machine {
                        env: env.iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
                        cwd: directory,
                        work_dir: work.path().to_owned(),
                        async_dir: None,
                        program: std::env::current_exe().ok(),
                        image: None,
                    },
                    others: &|host| roster.cached_facts(host),
                    emit: &emit,
                    cancelled: &|| stop.load(Ordering::Relaxed),
                    confirm: &confirm,
                }
                .run();
                roster.keep_facts(&host, &summary.facts);
                summary.exit_code
            }
        };
        recording.into_inner().end(console)?;
        Ok(code)
    }

    /// What the record says was asked for.
    fn asked(&self, parts: &Parts<'_>) -> Asked {
        let directory = &parts.surroundings.config.environment().directory;
        let (command, what) = match &self.ad_hoc {
            Some(one) => ("run", format!("{} on {}", one.module, one.pattern)),
            None => ("playbook", parts.path.display().to_string()),
        };
        Asked {
            command: command.to_owned(),
            what,
            directory: directory.display().to_string(),
            inventory: self.running.inventory.clone(),
            limit: self.running.limit.clone(),
            tags: self.tags.clone(),
            skip_tags: self.skip_tags.clone(),
        }
    }

    /// Opens the cache of facts that the settings ask for.
    fn fact_cache(&self, parts: &Parts<'_>, roster: &mut Roster<'_>, console: &Console) {
        roster.fact_cache = match FactCache::of(&parts.surroundings.config) {
            Ok(cache) => cache,
            Err(warning) => {
                parts.surroundings.say(console, &[warning]);
                None
            }
        };
        if self.running.flush_cache {
            roster.forget_facts();
        }
    }

    fn check_plan(
        &self,
        input: &PlanInput,
        controller: &OnController<'_>,
        refusals: &Refusals,
        console: &Console,
    ) -> Result<(), Failure> {
        // What is undefined fails where it is used, as under Ansible: a task may never come to it.
        let options = CheckOptions {
            known_variables: Vec::new(),
            attached: true,
            as_reached: true,
            template_text: None,
            missing: Some(&|name| refusals.get(name).cloned()),
            plugin: Some(&|kind, name| controller.knows(kind, name)),
        };
        let problems = check(input.plan(), &options);
        let (errors, warnings): (Vec<_>, Vec<_>) = problems
            .into_iter()
            .partition(|p| p.severity == Severity::Error);
        for warning in checks::diagnostics(input, warnings.into_iter().map(Into::into).collect()) {
            console.say(&warning);
        }
        if errors.is_empty() {
            return Ok(());
        }
        Err(Failure {
            diagnostics: checks::diagnostics(input, errors.into_iter().map(Into::into).collect()),
            exit: Exit::Refused,
        })
    }

    /// What lets a run be gone on with after this process was killed, where it is one that can be.
    fn unfinished(&self, run: &str, console: &Console) -> Result<Option<Unfinished>, Failure> {
        if self.resumed.is_some() {
            return Unfinished::again(run).map(Some);
        }
        if self.playbooks.len() > 1 || self.ad_hoc.is_some() || self.running.records.no_record {
            return Ok(None);
        }
        Ok(Unfinished::begin(run).unwrap_or_else(|e| {
            let text = format!("`rustle resume` will not find this run: {e}");
            console.say(&Diagnostic::new(Level::Warning, text));
            None
        }))
    }

    fn engine_options(
        &self,
        surroundings: &Surroundings,
        console: &Console,
    ) -> Result<EngineOptions, Failure> {
        let words = |given: &[String]| -> Vec<String> { super::words(given).into_iter().collect() };
        let mut options = EngineOptions {
            check: self.running.check,
            diff: self.running.diff,
            tags: words(&self.tags),
            skip_tags: words(&self.skip_tags),
            step: self.running.step,
            start_at_task: self.running.start_at_task.clone(),
            verbosity: console.verbose,
            force_handlers: self.running.force_handlers,
            runner: env!("CARGO_PKG_VERSION").to_owned(),
            run_id: match &self.resumed {
                Some(run) => run.clone(),
                None => rustle_runs::new_id()
                    .map_err(|e| Failure::text(Exit::Machine, format!("no random bytes: {e}")))?,
            },
            ..EngineOptions::default()
        };
        super::settings::apply(&surroundings.config, &mut options);
        Ok(options)
    }
}

/// Prints what a display makes of an event.
pub(crate) fn print_event(screen: &mut dyn Screen, event: &Event) {
    let mut out = std::io::stdout().lock();
    screen.event(event, &mut |stream, text| {
        // Where nobody reads on there is nobody to tell.
        let _ = match stream {
            Stream::Out => out.write_all(text.as_bytes()).and_then(|()| out.flush()),
            Stream::Err => std::io::stderr().write_all(text.as_bytes()),
        };
    });
}
