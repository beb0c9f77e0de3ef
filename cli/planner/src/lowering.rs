//! What all parts of the planning share: the plan as it grows, secrets, problems, names of files.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::plan::{ExecutionPlan, PLAN_VERSION, Source};
use rustle_playbook::play::{PluginFile, Site};
use rustle_playbook::{FileId, Position, Problem};
use zeroize::Zeroizing;

use crate::vaulted::{VaultedFiles, specs};
use crate::{ModuleFiles, Planned, Request};

/// A plan in the making.
pub(crate) struct Lowering<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) plan: ExecutionPlan,
    pub(crate) secrets: IndexMap<String, Zeroizing<String>>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) warnings: Vec<Problem>,
    /// The folders of roles by key.
    pub(crate) role_paths: IndexMap<String, PathBuf>,
    /// Files that may be included and are no files of tasks.
    pub(crate) no_tasks: HashSet<PathBuf>,
    /// The files of modules, by the name that tasks have for them.
    pub(crate) modules: IndexMap<String, ModuleFiles>,
    /// Which files were vaulted as a whole.
    pub(crate) vaulted: VaultedFiles,
    /// The playbook's folder, absolute.
    base: PathBuf,
    /// The absolute paths of the files that were read.
    files: HashMap<FileId, String>,
    tasks: u64,
}

/// Makes the plan.
pub(crate) fn run(request: Request<'_>) -> (Planned, Vec<Problem>) {
    let folder = request.path.parent().unwrap_or(Path::new(""));
    let base = absolute(&request.directory, folder);
    let mut lowering = Lowering {
        plan: ExecutionPlan {
            version: PLAN_VERSION,
            base_dir: Some(base.to_string_lossy().into_owned()),
            extra_vars: request.extra_vars.clone(),
            hosts: request.inventory.hosts.clone(),
            groups: request.inventory.groups.clone(),
            runtime: request.runtime.clone(),
            ..ExecutionPlan::default()
        },
        secrets: request.inventory.secrets.clone(),
        problems: Vec::new(),
        warnings: Vec::new(),
        role_paths: IndexMap::new(),
        no_tasks: HashSet::new(),
        modules: IndexMap::new(),
        vaulted: VaultedFiles::default(),
        base,
        files: HashMap::new(),
        tasks: 0,
        request,
    };
    lowering.plan.metadata.name = Some(lowering.request.path.display().to_string());
    for (index, play) in lowering.request.playbook.plays.iter().enumerate() {
        let made = lowering.play(index, play);
        lowering.plan.plays.push(made);
    }
    lowering.plan.secrets = specs(&lowering.plan, lowering.secrets.keys());
    let planned = Planned {
        plan: lowering.plan,
        secrets: lowering.secrets,
        modules: lowering.modules,
        warnings: lowering.warnings,
    };
    (planned, lowering.problems)
}

impl Lowering<'_> {
    /// The name of a file in the plan: below the playbook's folder where it lies there, else its absolute path.
    pub(crate) fn name_of(&self, path: &Path) -> String {
        let path = absolute(&self.request.directory, path);
        let name = path.strip_prefix(&self.base).unwrap_or(&path);
        name.to_string_lossy().into_owned()
    }

    /// Takes note of the files of a module. `name`: the plan's name for it; `full`: as the reader resolved it.
    pub(crate) fn note_module(&mut self, name: &str, full: &str, site: &Site) {
        if full.contains("{{") || self.modules.contains_key(name) {
            return;
        }
        let find = |kind| {
            let found = self.request.reader.plugin_file(kind, full, site)?;
            Some(absolute(&self.request.directory, &found))
        };
        let files = ModuleFiles {
            module: find(PluginFile::Module),
            action: find(PluginFile::Action),
            in_library: !full.contains('.'),
        };
        self.modules.insert(name.to_owned(), files);
    }

    /// A place as a plan has it, with the file's absolute path.
    pub(crate) fn source(&mut self, at: Position) -> Source {
        let mut source = self.request.sources.source(at);
        let known = self.files.entry(at.file).or_insert_with(|| {
            let path = absolute(&self.request.directory, Path::new(&source.file));
            path.to_string_lossy().into_owned()
        });
        source.file.clone_from(known);
        source
    }

    /// A new task's id.
    pub(crate) fn task_id(&mut self) -> String {
        self.tasks += 1;
        format!("t{}", self.tasks)
    }
}

/// A path from the root on, without `.` and `..`.
fn absolute(directory: &Path, path: &Path) -> PathBuf {
    rustle_formats::lexical(&directory.join(path))
}
