//! Running a playbook on several hosts, or on others than this machine.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;
use rustle_controller::fleet::Fleet;
use rustle_controller::local::DiskFiles;
use rustle_controller::offer::PushArtifact;
use rustle_formats::event::Event;
use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};
use rustle_formats::session::Start;
use rustle_formats::{Map, Value};
use rustle_packer::{AssetSource, Flavour, PackRequest, Silent, pack};
use rustle_playbook::pattern::LOCALHOST;
use rustle_runtime::engine::{Controller, Options as EngineOptions};
use rustle_runtime::report::python_str;
use zeroize::Zeroizing;

use super::PlaybookCommand;
use super::roster::{self, Roster};
use crate::asset_files;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source::Parts;
use crate::stubs::{self, Runner, StubDir};

/// How many hosts work at a time where nobody says so.
const FORKS: usize = 5;
/// How hard files are compressed that go along with a plan: sending them is to be quicker than packing them.
const AHEAD_LEVEL: i32 = 1;
/// How much a host's cache may hold after the run, in bytes.
const CACHE: u64 = 2 << 30;

/// What is to be done.
pub(super) struct Work<'w> {
    pub(super) parts: &'w Parts<'w>,
    pub(super) plan: &'w ExecutionPlan,
    pub(super) secrets: IndexMap<String, Zeroizing<String>>,
    /// A private folder that goes when the run is over.
    pub(super) folder: &'w Path,
    pub(super) emit: &'w dyn Fn(&Event),
    pub(super) stop: Arc<AtomicBool>,
    pub(super) options: EngineOptions,
    pub(super) files: DiskFiles,
    /// The folder that files are named from.
    pub(super) base: &'w Path,
    /// What goes along with the plan in any case: modules in other languages.
    pub(super) carried: Vec<AssetSource>,
    pub(super) controller: &'w dyn Controller,
}

/// Whether a plan for one host needs others all the same: it delegates, or changes the inventory.
pub(super) fn needs_others(plan: &ExecutionPlan) -> bool {
    fn task(task: &Task) -> bool {
        let short = task.module.rsplit('.').next().unwrap_or_default();
        task.delegate_to.is_some() || matches!(short, "add_host" | "group_by")
    }
    fn block(block: &Block) -> bool {
        let mut inner = block.block.iter().chain(&block.rescue).chain(&block.always);
        block.delegate_to.is_some() || inner.any(item)
    }
    fn item(item: &Item) -> bool {
        match item {
            Item::Task(one) => task(one),
            Item::Block(one) => block(one),
        }
    }
    let batches = plan.plays.iter().flat_map(|p| &p.batches);
    plan.tasks().any(task)
        || batches.flat_map(|b| &b.tasks).any(item)
        || plan.task_files.values().flatten().any(item)
        || plan
            .roles
            .values()
            .any(|role| role.tasks.values().flatten().any(item))
}

impl PlaybookCommand {
    /// Whether the run itself may change files on this machine, so that a task must find them as they are then: hosts that are this
    /// machine, and tasks that are delegated.
    fn changes_files_here(&self, work: &Work<'_>, roster: &Roster<'_>) -> bool {
        let plan = work.plan;
        let here = ["ansible_connection"];
        let local = |vars: &Map| here.iter().any(|name| names_here(vars.get(*name)));
        let asked = self.running.connection.as_deref();
        asked.is_some_and(roster::is_local)
            || needs_others(plan)
            || roster.implicit.is_some()
            || local(&work.options.extra_vars)
            || plan.hosts.values().any(|host| local(&host.vars))
            || plan.groups.values().any(|group| local(&group.vars))
            || plan
                .plays
                .iter()
                .any(|play| names_here(play.connection.as_ref()) || local(&play.vars))
            || plan
                .hosts
                .keys()
                .any(|host| LOCALHOST.contains(&host.as_str()))
    }

    /// Runs a plan on all of its hosts; gives ansible-playbook's exit code.
    pub(super) fn several(&self, work: Work<'_>, roster: &mut Roster<'_>) -> Result<u8, Failure> {
        let runner = stubs::find(None, Flavour::Full, &StubDir { stub_dir: None })?;
        roster.folder = work.folder.to_owned();
        let cache = work.folder.join("cache");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&cache)
            .map_err(Failure::io("create", &cache))?;
        let made = |plan: ExecutionPlan| artifact(plan, Vec::new(), &runner, work.folder);
        let ahead = match self.changes_files_here(&work, roster) {
            true => None,
            false => Some(asset_files::at_hand(
                work.plan,
                work.base,
                &crate::disk::is_vaulted,
            )),
        };
        let (mut assets, near) = ahead.map_or((Vec::new(), None), |a| (a.assets, Some(a.near)));
        if near.is_some() {
            assets.extend(work.carried.iter().cloned());
        }
        let artifact = artifact(work.plan.clone(), assets, &runner, work.folder)
            .map_err(|why| Failure::text(Exit::Machine, why))?;
        // The runner as a session knows it: it is checked against the artifact's.
        let program = work.folder.join("runner");
        place(&program, &artifact.runner).map_err(Failure::io("write", &program))?;
        let config = &work.parts.surroundings.config;
        let forks = self.running.forks.map(|n| n as usize);
        let forks = forks.or_else(|| config.text("DEFAULT_FORKS")?.parse().ok());
        let options = work.options;
        let code = Fleet {
            plan: work.plan,
            artifact: Arc::new(artifact),
            pack: &made,
            start: Start {
                check: options.check,
                diff: options.diff,
                verbosity: options.verbosity,
                tags: options.tags,
                skip_tags: options.skip_tags,
                start_at_task: options.start_at_task,
                extra_vars: options.extra_vars,
                force_handlers: options.force_handlers,
                unknown_handlers: options.unknown_handlers,
                near,
                ..Start::default()
            },
            forks: forks.unwrap_or(FORKS).max(1),
            files: work.files,
            controller: work.controller,
            secrets: work.secrets,
            program,
            cache,
            emit: work.emit,
            cancelled: work.stop,
            run_id: options.run_id,
        }
        .run(roster);
        Ok(code)
    }
}

/// Whether a value names the connection to this machine.
fn names_here(value: Option<&Value>) -> bool {
    value.is_some_and(|v| roster::is_local(&python_str(v)))
}

/// Writes the runner where it can be started from.
fn place(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o700);
    options.open(path)?.write_all(bytes)
}

/// A plan as an artifact. It carries these files; hosts ask for all others.
fn artifact(
    plan: ExecutionPlan,
    assets: Vec<AssetSource>,
    runner: &Runner,
    folder: &Path,
) -> Result<PushArtifact, String> {
    let file = tempfile::Builder::new()
        .prefix("plan-")
        .tempfile_in(folder)
        .map_err(|e| format!("no temporary file for the plan: {e}"))?;
    let mut request = PackRequest::new(
        plan,
        runner.bytes.clone(),
        runner.triple.clone(),
        file.path(),
    );
    // Threads cost more than they bring where there is little to do.
    request.threads = usize::from(assets.is_empty());
    request.assets = assets;
    request.level = Some(AHEAD_LEVEL);
    pack(request, &mut Silent).map_err(|e| format!("the plan cannot be packed: {e}"))?;
    // It stays open; its name goes with `file`.
    PushArtifact::open(file.path(), CACHE).map_err(|e| format!("the packed plan: {e}"))
}
