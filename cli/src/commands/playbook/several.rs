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
use rustle_packer::{Flavour, PackRequest, Silent, pack};
use rustle_runtime::engine::{Controller, Options as EngineOptions};
use zeroize::Zeroizing;

use super::PlaybookCommand;
use super::roster::Roster;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source::Parts;
use crate::stubs::{self, Runner, StubDir};

/// How many hosts work at a time where nobody says so.
const FORKS: usize = 5;
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
    /// Runs a plan on all of its hosts; gives ansible-playbook's exit code.
    pub(super) fn several(&self, work: Work<'_>, roster: &mut Roster<'_>) -> Result<u8, Failure> {
        let runner = stubs::find(None, Flavour::Full, &StubDir { stub_dir: None })?;
        roster.folder = work.folder.to_owned();
        let cache = work.folder.join("cache");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&cache)
            .map_err(Failure::io("create", &cache))?;
        let made = |plan: ExecutionPlan| artifact(plan, &runner, work.folder);
        let artifact = made(work.plan.clone()).map_err(|why| Failure::text(Exit::Machine, why))?;
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

/// Writes the runner where it can be started from.
fn place(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o700);
    options.open(path)?.write_all(bytes)
}

/// A plan as an artifact that carries no files: hosts ask for those.
fn artifact(plan: ExecutionPlan, runner: &Runner, folder: &Path) -> Result<PushArtifact, String> {
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
    request.threads = 1;
    pack(request, &mut Silent).map_err(|e| format!("the plan cannot be packed: {e}"))?;
    // It stays open; its name goes with `file`.
    PushArtifact::open(file.path(), CACHE).map_err(|e| format!("the packed plan: {e}"))
}
