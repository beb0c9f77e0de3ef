//! Packing a playbook: playbook, inventory and variables become a plan, and what is vaulted is sealed into overlays.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::Map;
use rustle_formats::plan::ExecutionPlan;
use rustle_packer::AssetSource;
use rustle_planner::{Planned, Request, plan};
use rustle_playbook::Problem;
use rustle_playbook::play::Reader;
use rustle_playbook::vault;
use zeroize::Zeroizing;

use super::Pack;
use super::folding::{Evaluating, fold};
use crate::carried::{self, PythonModulesOption, Refusals};
use crate::checks;
use crate::commands::playbook::plugins;
use crate::console::Console;
use crate::disk::Disk;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_input::PlanInput;
use crate::playbook_source::{self as source, Chosen, Parts};
use crate::surroundings::{Surroundings, refused};
use crate::vault_options::VaultOptions;

/// What only a playbook needs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Playbooks")]
pub(super) struct PlaybookOptions {
    /// A file, directory or program of hosts, or hosts divided by commas. May be given several times.
    #[arg(short, long, alias = "inventory-file", value_name = "SOURCE")]
    inventory: Vec<String>,
    /// Pack for the hosts of this group: one artifact, and a file in FILE.overlays for each host.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["host", "limit"])]
    group: Option<String>,
    /// Pack for the hosts that this pattern picks; @FILE: the patterns of a file.
    #[arg(
        short,
        long,
        alias = "subset",
        value_name = "PATTERN",
        conflicts_with = "host"
    )]
    limit: Option<String>,
    /// Variables: key=value, YAML, JSON, or @FILE. May be given several times.
    #[arg(short, long, value_name = "VARS")]
    extra_vars: Vec<String>,
    #[command(flatten)]
    python: PythonModulesOption,
    #[command(flatten)]
    vault: VaultOptions,
}

/// What is packed.
pub(super) struct PackInput {
    /// The plan.
    pub(super) plan: PlanInput,
    /// The playbook that it was made from, if it was made now.
    pub(super) of: Option<PackedPlaybook>,
    /// The plan's modules in Python.
    pub(super) bundle: Option<AssetSource>,
    /// Modules that cannot come with the plan.
    pub(super) refusals: Refusals,
}

/// A playbook as it is packed.
pub(super) struct PackedPlaybook {
    /// The hosts that it is for.
    pub(super) hosts: Vec<String>,
    /// The passwords of vaulted files.
    pub(super) vault: vault::Vault,
}

impl PlaybookOptions {
    /// The first option that was given, as the user writes it.
    fn first_given(&self) -> Option<&'static str> {
        [
            (!self.inventory.is_empty(), "--inventory"),
            (self.group.is_some(), "--group"),
            (self.limit.is_some(), "--limit"),
            (!self.extra_vars.is_empty(), "--extra-vars"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

impl Pack {
    /// What is packed: a plan as it stands, or the plan of a playbook.
    pub(super) fn input(&self, console: &Console) -> Result<PackInput, Failure> {
        if is_playbook(&self.plan) {
            return self.planned(console);
        }
        if let Some(option) = self.playbook.first_given() {
            return Err(Failure::text(
                Exit::Usage,
                format!(
                    "{option} is for playbooks, and {} is a plan",
                    self.plan.display()
                ),
            )
            .hint("a plan has its hosts and variables in it; --host chooses one of them"));
        }
        let mut input = PlanInput::read(&self.plan, console)?;
        if !input.ciphertexts.is_empty() {
            let surroundings = Surroundings::load(console)?;
            let vault = self.playbook.vault.vault(&surroundings, console, false)?;
            input.open(|text| source::opened(&vault, text))?;
        }
        let bundled = input
            .plan()
            .assets
            .iter()
            .any(|a| carried::is_bundled(&a.name));
        let bundle = match bundled {
            true => carried::bundle(input.plan(), &Surroundings::load(console)?)?,
            false => None,
        };
        Ok(PackInput {
            plan: input,
            of: None,
            bundle,
            refusals: Refusals::new(),
        })
    }

    fn planned(&self, console: &Console) -> Result<PackInput, Failure> {
        let options = &self.playbook;
        let surroundings = Surroundings::load(console)?;
        surroundings.say_unhonoured(console);
        let disk = Disk::new(options.vault.vault(&surroundings, console, false)?);
        let sources = &surroundings.sources;
        let refuse = |problems: Vec<Problem>| refused(&problems, sources);
        let one = |problem: Problem| refuse(vec![problem]);
        let extra = source::extra(&surroundings, &disk, &options.extra_vars).map_err(one)?;
        let reading = source::options(&surroundings, &extra);
        let reader = Reader::new(sources, &disk, &reading);
        let playbook = source::read(&reader, &self.plan).map_err(one)?;
        surroundings.say(console, &playbook.warnings);
        let parts = Parts {
            path: &self.plan,
            playbook: &playbook,
            reader: &reader,
            surroundings: &surroundings,
            disk: &disk,
            extra: &extra,
            open: &|vault| source::open(&disk, vault),
            vaulted: &|path| disk.is_vaulted(path),
        };
        let limit = self.host.as_deref().or(options.group.as_deref());
        let chosen = Chosen {
            inventory: &options.inventory,
            limit: limit.or(options.limit.as_deref()),
        };
        let targets = source::targets(&parts, &chosen, console).map_err(refuse)?;
        let hosts = targets.names();
        if hosts.is_empty() {
            return Err(no_hosts(&self.plan, chosen.limit));
        }
        source::refuse_prompts(&parts, &targets.extra).map_err(one)?;
        let Planned {
            mut plan,
            secrets,
            modules,
            warnings,
        } = plan(Request {
            playbook: &playbook,
            path: &self.plan,
            reader: &reader,
            sources,
            inventory: targets.inventory,
            hosts: targets.hosts,
            directory: surroundings.config.environment().directory.clone(),
            decrypt: parts.open,
            vaulted: &|path| disk.is_vaulted(path),
            gather: surroundings.config.text("DEFAULT_GATHERING") != Some("explicit"),
            extra_vars: targets.extra,
            runtime: source::runtime(&surroundings.config),
            prompted: IndexMap::new(),
        })
        .map_err(refuse)?;
        surroundings.say(console, &warnings);
        let refusals = carried::declare(
            &mut plan,
            &modules,
            options.python.python_modules,
            &surroundings,
        )?;
        let bundle = carried::bundle(&plan, &surroundings)?;
        let folder = match self.plan.parent() {
            Some(folder) if folder != Path::new("") => folder.to_owned(),
            _ => PathBuf::from("."),
        };
        let input = self.folded(plan, secrets, &parts, &hosts, &folder, console)?;
        drop(reader);
        let vault = disk.vault;
        let of = PackedPlaybook { hosts, vault };
        Ok(PackInput {
            plan: input,
            of: Some(of),
            bundle,
            refusals,
        })
    }

    /// The plan with the values of what only the controller can evaluate.
    fn folded(
        &self,
        plan: ExecutionPlan,
        mut secrets: IndexMap<String, Zeroizing<String>>,
        parts: &Parts<'_>,
        hosts: &[String],
        folder: &Path,
        console: &Console,
    ) -> Result<PlanInput, Failure> {
        let name = self.plan.display().to_string();
        let work = tempfile::Builder::new()
            .prefix(".rustle-pack-")
            .tempdir()
            .map_err(|e| Failure::text(Exit::Machine, format!("no temporary folder: {e}")))?;
        let mut evaluating = Evaluating {
            controller: plugins::controller(parts, &plan, console)?,
            surroundings: parts.surroundings,
            hosts: hosts.to_vec(),
            secrets: &mut secrets,
            work: work.path(),
            shared: Map::new(),
            own: IndexMap::new(),
        };
        let plan = fold(plan, &mut evaluating).map_err(|wrong| {
            let (plan, problems) = *wrong;
            let input = PlanInput::planned(name.clone(), folder.to_owned(), plan);
            let noted = problems.into_iter().map(Into::into).collect();
            Failure {
                diagnostics: checks::diagnostics(&input, noted),
                exit: Exit::Refused,
            }
        })?;
        let mut input = PlanInput::planned(name, folder.to_owned(), plan);
        input.given = secrets;
        Ok(input)
    }
}

fn no_hosts(path: &Path, limit: Option<&str>) -> Failure {
    let of = limit.map_or(String::new(), |limit| format!(" that `{limit}` picks"));
    Failure::text(
        Exit::Options,
        format!("{}: no play has a host{of}", path.display()),
    )
    .hint("name the inventory with -i, and look at it with `rustle inventory --graph`")
}

/// Whether a file is a playbook rather than a plan: by its extension, else by how it begins.
fn is_playbook(path: &Path) -> bool {
    match path.extension().and_then(|e| e.to_str()) {
        Some("yml" | "yaml") => return true,
        Some("json") => return false,
        _ if path == Path::new("-") => return false,
        _ => {}
    }
    let mut start = Vec::new();
    let read = File::open(path).and_then(|f| f.take(4096).read_to_end(&mut start));
    let first = start.trim_ascii_start().first();
    read.is_ok() && matches!(first, Some(b'-' | b'#' | b'%' | b'['))
}
