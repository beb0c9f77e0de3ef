//! A plan on several hosts, or on others than this machine: packed once, with a runner for this one, and handed to the fleet.

use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;
use rustle_controller::fleet::{Fleet, Roster};
use rustle_controller::local::DiskFiles;
use rustle_controller::offer::PushArtifact;
use rustle_controller::survival::{Patience, new_key};
use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::session::Start;
use rustle_packer::{AssetSource, Flavour, PackRequest, Silent, pack};
use rustle_runtime::engine::{Confirm, Controller};
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::expiry::Signing;
use crate::failure::Failure;
use crate::stubs::{self, Runner, StubDir};
use crate::unfinished::Unfinished;

/// How many hosts work at a time where nobody says so.
const FORKS: usize = 5;
/// How hard files are compressed that go along with a plan: sending them is to be quicker than packing them.
const AHEAD_LEVEL: i32 = 1;
/// How much a host's cache may hold after the run, in bytes.
const CACHE: u64 = 2 << 30;

/// What is to be done.
pub(crate) struct OnHosts<'w> {
    /// The plan.
    pub(crate) plan: &'w ExecutionPlan,
    /// Files that go along with it.
    pub(crate) assets: Vec<AssetSource>,
    /// How to run it.
    pub(crate) start: Start,
    /// How many hosts work at a time. Default: 5.
    pub(crate) forks: Option<usize>,
    /// All other files that tasks name.
    pub(crate) files: DiskFiles,
    /// The controller's lookups and plugins.
    pub(crate) controller: &'w dyn Controller,
    /// The texts of secrets by name.
    pub(crate) secrets: IndexMap<String, Zeroizing<String>>,
    /// A private folder that goes when the run is over.
    pub(crate) folder: &'w Path,
    /// Takes every event, in order.
    /// Asks whether to do a task (`--step`).
    pub(crate) confirm: Option<&'w dyn Fn(&str) -> Confirm>,
    pub(crate) emit: &'w dyn Fn(&Event),
    /// Whether the user wants to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// The run: 32 hexadecimal digits.
    pub(crate) run_id: String,
    /// How long a lost connection is sought.
    pub(crate) patience: Patience,
    /// With what is signed what is sent to the hosts. Default: it is not.
    pub(crate) signing: Option<Signing>,
    /// What lets the run be gone on with where this process is killed.
    pub(crate) unfinished: Option<&'w Unfinished>,
}

impl OnHosts<'_> {
    /// Does it; gives ansible-playbook's exit code.
    ///
    /// # Errors
    /// Where nothing was begun: no runner, no temporary files.
    pub(crate) fn run(self, roster: &mut dyn Roster) -> Result<u8, Failure> {
        small_pages();
        let runner = stubs::find(None, Flavour::Full, &StubDir { stub_dir: None })?;
        let cache = self.folder.join("cache");
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(&cache)
            .map_err(Failure::io("create", &cache))?;
        let signing = self.signing.as_ref();
        let made = |plan: ExecutionPlan| artifact(plan, Vec::new(), &runner, self.folder, signing);
        let artifact = artifact(
            self.plan.clone(),
            self.assets,
            &runner,
            self.folder,
            signing,
        )
        .map_err(|why| Failure::text(Exit::Machine, why))?;
        // The runner as a session knows it: it is checked against the artifact's.
        let program = self.folder.join("runner");
        place(&program, &artifact.runner).map_err(Failure::io("write", &program))?;
        let fresh = new_key().map_err(|e| Failure::text(Exit::Machine, e.to_string()))?;
        let kept = self
            .unfinished
            .map(|run| run.keep(&artifact.offer.root, &fresh));
        let (key, diary) = match kept.transpose()? {
            Some((key, diary)) => (key, Some(Arc::new(diary))),
            None => (fresh, None),
        };
        let code = Fleet {
            plan: self.plan,
            artifact: Arc::new(artifact),
            pack: &made,
            start: self.start,
            forks: self.forks.unwrap_or(FORKS).max(1),
            files: self.files,
            controller: self.controller,
            secrets: self.secrets,
            program,
            cache,
            emit: self.emit,
            confirm: self.confirm,
            cancelled: self.stop,
            run_id: self.run_id,
            key: Some(key),
            diary,
            patience: self.patience,
        }
        .run(roster);
        Ok(code)
    }
}

/// Asks for memory in small pieces from now on. Every host has a thread, and each thread would begin with some megabytes of huge pages,
/// of which it needs little: at fifty hosts that was three quarters of all memory. An old kernel that knows no better is no mistake.
fn small_pages() {
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Writes the runner where it can be started from.
fn place(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true).mode(0o700);
    options.open(path)?.write_all(bytes)
}

/// A plan with these files as an artifact, as [`OnHosts`] sends it.
///
/// # Errors
/// No runner, no temporary files.
pub(crate) fn packed(
    plan: &ExecutionPlan,
    assets: Vec<AssetSource>,
    folder: &Path,
    signing: Option<&Signing>,
) -> Result<PushArtifact, Failure> {
    let runner = stubs::find(None, Flavour::Full, &StubDir { stub_dir: None })?;
    artifact(plan.clone(), assets, &runner, folder, signing)
        .map_err(|why| Failure::text(Exit::Machine, why))
}

/// A plan as an artifact. It carries these files; hosts ask for all others.
fn artifact(
    mut plan: ExecutionPlan,
    assets: Vec<AssetSource>,
    runner: &Runner,
    folder: &Path,
    signing: Option<&Signing>,
) -> Result<PushArtifact, String> {
    if let Some(signing) = signing {
        plan.runtime.expires.get_or_insert(signing.expires);
    }
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
    request.signer = signing.map(|signing| &signing.key);
    pack(request, &mut Silent).map_err(|e| format!("the plan cannot be packed: {e}"))?;
    // It stays open; its name goes with `file`.
    PushArtifact::open(file.path(), CACHE).map_err(|e| format!("the packed plan: {e}"))
}
