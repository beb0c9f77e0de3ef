//! `rustle exec`: runs an execution plan, a document that `rustle plan` or somebody else wrote, on its hosts.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustle_controller::fleet::Roster as _;
use rustle_controller::local::DiskFiles;
use rustle_controller::sweep::sweep;
use rustle_formats::Map;
use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::session::Start;
use rustle_lookups::OnController;
use rustle_planner::InventoryPart;
use rustle_playbook::vault::Opened;
use rustle_runs::Asked;
use rustle_runtime::BECOME_PASSWORD;
use rustle_runtime::check::{CheckOptions, Severity, check};
use rustle_runtime::report::TextReporter;

use super::connection::ConnectionOptions;
use super::playbook::run::print_event;
use super::playbook::{causes::Lines, settings};
use crate::asset_files;
use crate::checks;
use crate::connected::connection;
use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::live::LiveOption;
use crate::on_hosts::OnHosts;
use crate::plan_input::PlanInput;
use crate::plan_roster::PlanRoster;
use crate::playbook_source::{self as source, opened};
use crate::reach::Reach;
use crate::reconnect::ReconnectOptions;
use crate::recording::{RecordOptions, Recording};
use crate::surroundings::{Surroundings, refused};
use crate::vault_options::VaultOptions;

/// When tasks run by themselves on their hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BinaryMode {
    /// Whatever can; the controller does the rest.
    Auto,
    /// All of them: a plan with a task that needs the controller is refused.
    Always,
    /// None: the controller sends each task by itself.
    Never,
}

/// Runs an execution plan on its hosts.
#[derive(Debug, clap::Args)]
pub(crate) struct Exec {
    /// The plan, as JSON (`rustle schema plan`); `-`: standard input.
    #[arg(value_name = "PLAN", default_value = "-")]
    plan: PathBuf,
    /// When tasks run by themselves on their hosts.
    #[arg(long, value_enum, default_value = "auto", value_name = "MODE")]
    binary_mode: BinaryMode,
    /// Take the runner and all artifacts from the hosts' caches when the run is over.
    #[arg(long)]
    cleanup_binaries: bool,
    /// Seconds that the plan may take on a host; then it is ended, and what there is reported. Default: no limit.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    binary_timeout: Option<u64>,
    /// Variables: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    /// Only tasks with these tags.
    #[arg(short, long, value_name = "TAGS")]
    tags: Vec<String>,
    /// Not the tasks with these tags.
    #[arg(long, value_name = "TAGS")]
    skip_tags: Vec<String>,
    /// Predict what would be changed, and change nothing.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show what changes in files.
    #[arg(short = 'D', long)]
    diff: bool,
    /// The kind of connection where the plan names none: `ssh` or `local`. Default: ssh.
    #[arg(short, long, value_name = "KIND")]
    connection: Option<String>,
    /// How many hosts work at a time. Default: 5.
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    forks: Option<u32>,
    #[command(flatten)]
    reconnect: ReconnectOptions,
    #[command(flatten)]
    live: LiveOption,
    #[command(flatten)]
    reaching: ConnectionOptions,
    #[command(flatten)]
    vault: VaultOptions,
    #[command(flatten)]
    records: RecordOptions,
}

impl Exec {
    /// Runs it; gives ansible-playbook's exit code.
    pub(crate) fn run(&self, console: &Console) -> Result<u8, Failure> {
        let surroundings = Surroundings::load(console)?;
        let config = &surroundings.config;
        let vault = self.vault.vault(&surroundings, console, false)?;
        let mut input = PlanInput::read(&self.plan, console)?;
        input.open(|ciphertext| opened(&vault, ciphertext))?;
        self.sound(&input, console)?;
        let disk = Disk::new(vault.clone());
        let sources = &surroundings.sources;
        let mut part = InventoryPart::default();
        let extra = source::extra(&surroundings, &disk, &self.extra_vars)
            .and_then(|vars| {
                let open = |vault: &_| source::open(&disk, vault);
                part.extra(&vars, &open, sources, &|path| disk.is_vaulted(path))
            })
            .map_err(|p| refused(&[p], sources))?;
        let wanted = self.reaching.passwords(config);
        let passwords = wanted.get(config, None)?;
        let mut secrets = std::mem::take(&mut input.given);
        let become_password = passwords.becoming.clone();
        secrets.extend(part.secrets);
        secrets.extend(become_password.map(|p| (BECOME_PASSWORD.to_owned(), p)));
        let folder = crate::failure::work_folder("run")?;
        let stop = Arc::new(AtomicBool::new(false));
        super::catch_interrupt(&stop);
        let recording = self.recording(&surroundings, vault.opened.clone())?;
        let recording = RefCell::new(recording);
        let screen = RefCell::new(self.screen(console, &surroundings));
        let live = RefCell::new(self.live.live(console));
        let emit = |event: &Event| {
            recording.borrow_mut().event(event);
            live.borrow()
                .aside(|| print_event(&mut *screen.borrow_mut(), event));
            live.borrow_mut().event(event);
        };
        let plan = input.plan();
        let base = input.base();
        let ahead = asset_files::ahead(plan, &base, self.connection.as_deref());
        let (assets, near) = ahead.map_or((Vec::new(), None), |a| (a.assets, Some(a.near)));
        let mut roster = PlanRoster::new(
            plan,
            Reach {
                config,
                given: &self.reaching,
                kind: self.connection.as_deref(),
                password: passwords.connection.as_ref(),
                extra: &extra,
                secrets: &secrets,
                folder: folder.path(),
            },
        );
        let home = config.environment().home.clone();
        let code = OnHosts {
            plan,
            assets,
            start: Start {
                near,
                ..self.start(console, &surroundings, extra.clone())
            },
            forks: self.forks.map(|n| n as usize),
            files: DiskFiles::at(base, home).opening(disk.opener()),
            controller: &OnController::new(config, &vault),
            secrets: secrets.clone(),
            folder: folder.path(),
            emit: &emit,
            confirm: None,
            stop,
            run_id: rustle_runs::new_id()
                .map_err(|e| Failure::text(Exit::Machine, format!("no random bytes: {e}")))?,
            patience: self.reconnect.patience(),
            signing: self.reaching.sign.signing(console)?,
            unfinished: None,
        }
        .run(&mut roster)?;
        recording.into_inner().end(console)?;
        if self.cleanup_binaries {
            self.clean(plan, &mut roster, console);
        }
        Ok(code)
    }

    /// Takes runners and artifacts from the hosts' caches. Where that does not work, it is a warning.
    fn clean(&self, plan: &ExecutionPlan, roster: &mut PlanRoster<'_>, console: &Console) {
        for host in plan.hosts.keys() {
            let opened = roster.way(host, None).and_then(|way| connection(&way));
            let swept = opened.and_then(|opened| match opened {
                Some(mut connection) => sweep(connection.as_mut()),
                None => Ok(()),
            });
            if let Err(why) = swept {
                let text = format!("{host} keeps what it has in its cache: {why}");
                console.say(&Diagnostic::new(Level::Warning, text));
            }
        }
    }

    /// Refuses what is wrong with the plan, before anything is begun.
    fn sound(&self, input: &PlanInput, console: &Console) -> Result<(), Failure> {
        let plan = input.plan();
        let missing = plan
            .secrets
            .iter()
            .find(|s| !input.given.contains_key(&s.name));
        if let Some(secret) = missing {
            return Err(Failure::text(
                Exit::Refused,
                format!(
                    "the plan takes the secret `{}` from a file or the environment of the machine that packs it",
                    secret.name
                ),
            )
            .hint("rustle pack PLAN -o FILE, and rustle push FILE HOST"));
        }
        let options = CheckOptions {
            known_variables: Vec::new(),
            attached: self.binary_mode != BinaryMode::Always,
            as_reached: self.binary_mode != BinaryMode::Always,
            template_text: None,
            missing: None,
            plugin: None,
        };
        let (errors, warnings): (Vec<_>, Vec<_>) = check(plan, &options)
            .into_iter()
            .partition(|p| p.severity == Severity::Error);
        for warning in checks::diagnostics(input, warnings.into_iter().map(Into::into).collect()) {
            console.say(&warning);
        }
        match errors.is_empty() {
            true => Ok(()),
            false => Err(Failure {
                diagnostics: checks::diagnostics(
                    input,
                    errors.into_iter().map(Into::into).collect(),
                ),
                exit: Exit::Refused,
            }),
        }
    }

    fn recording(
        &self,
        surroundings: &Surroundings,
        opened: Opened,
    ) -> Result<Recording<'_>, Failure> {
        let directory = &surroundings.config.environment().directory;
        let asked = Asked {
            command: "exec".to_owned(),
            what: self.plan.display().to_string(),
            directory: directory.display().to_string(),
            tags: self.tags.clone(),
            skip_tags: self.skip_tags.clone(),
            ..Asked::default()
        };
        Recording::prepare(asked, &self.records, opened)
    }

    fn screen(&self, console: &Console, surroundings: &Surroundings) -> TextReporter {
        let plain = surroundings.config.flag("ANSIBLE_NOCOLOR");
        let directory = surroundings.config.environment().directory.clone();
        TextReporter::new(console.text_options(plain))
            .showing(settings::display(&surroundings.config))
            .with_excerpts(Box::new(Lines::below(directory)))
    }

    fn start(&self, console: &Console, surroundings: &Surroundings, extra_vars: Map) -> Start {
        let words = |given: &[String]| -> Vec<String> {
            let words = given.iter().flat_map(|text| text.split(','));
            let words = words.map(|word| word.trim().to_owned());
            words.filter(|word| !word.is_empty()).collect()
        };
        Start {
            check: self.check,
            diff: self.diff || surroundings.config.flag("DIFF_ALWAYS"),
            verbosity: console.verbose,
            tags: words(&self.tags),
            skip_tags: words(&self.skip_tags),
            extra_vars,
            timeout: self.binary_timeout,
            apart: self.binary_mode == BinaryMode::Never,
            unknown_handlers: !surroundings.config.flag("ERROR_ON_MISSING_HANDLER"),
            broken_conditionals: surroundings.config.flag("ALLOW_BROKEN_CONDITIONALS"),
            ..Start::default()
        }
    }
}
