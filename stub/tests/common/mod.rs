//! Packs plans behind the runner that was just built, and runs them with everything they write in one folder.

// Every test program includes this file and uses a part of it.
#![allow(dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustle_formats::plan::ExecutionPlan;
use rustle_packer::{AssetSource, PackRequest, Silent, pack};

/// A folder with an artifact, its lock, its journal and its work folder.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) artifact: PathBuf,
}

/// The plan of these tasks, on localhost.
pub(crate) fn plan(tasks: &str) -> ExecutionPlan {
    let json = format!(
        r#"{{"version": 1, "metadata": {{"name": "test"}}, "plays": [{{"play_id": "p1", "name": "one",
            "batches": [{{"batch_id": "b1", "tasks": {tasks}}}]}}]}}"#
    );
    serde_json::from_str(&json).unwrap()
}

/// The runner under test: the one that was just built, or the one that `RUSTLE_TEST_STUB` names (a release stub, say).
pub(crate) fn stub() -> PathBuf {
    std::env::var_os("RUSTLE_TEST_STUB")
        .map_or_else(|| env!("CARGO_BIN_EXE_rustle-stub").into(), PathBuf::from)
}

impl Bench {
    pub(crate) fn new(tasks: &str) -> Bench {
        Bench::of(plan(tasks), Vec::new(), |_| {})
    }

    pub(crate) fn of(
        plan: ExecutionPlan,
        assets: Vec<AssetSource>,
        change: impl FnOnce(&mut PackRequest<'_>),
    ) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let artifact = dir.path().join("site");
        let stub = fs::read(stub()).unwrap();
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let mut request = PackRequest::new(plan, stub, target, &artifact);
        request.assets = assets;
        change(&mut request);
        pack(request, &mut Silent).unwrap();
        for sub in ["work", "journal"] {
            fs::create_dir(dir.path().join(sub)).unwrap();
        }
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(
            dir.path().join("journal"),
            fs::Permissions::from_mode(0o700),
        )
        .unwrap();
        Bench { dir, artifact }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The artifact with its places inside the bench.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.artifact);
        command
            .arg("--work-dir")
            .arg(self.path("work"))
            .arg("--journal-dir")
            .arg(self.path("journal"))
            .arg("--lock-file")
            .arg(self.path("lock"))
            .env_remove("ANSIBLE_FORCE_COLOR");
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    /// The names in the work folder.
    pub(crate) fn left_behind(&self) -> Vec<String> {
        names(&self.path("work"))
    }
}

/// The names in a folder, sorted.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut out: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    out.sort();
    out
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
