//! From the names that tasks use to files on this machine.
//!
//! A name is looked up as the runner will look it up: in the task's folders, each with `files` or `templates`, then from
//! the root; here, first beside the plan, then under every `--asset-root`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rustle_formats::plan::{AssetSpec, ExecutionPlan, asset_candidates, asset_name};
use rustle_formats::session::Near;
use rustle_packer::AssetSource;
use rustle_runtime::check::{AssetRequest, Problem, Wanted, asset_requests};

use crate::carried;
use crate::checks::{self, Noted, label};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::plan_cache::Watch;
use crate::plan_input::PlanInput;

/// The most bytes of a template that are read to check it.
const MAX_TEMPLATE: u64 = 4 << 20;

/// The most bytes of assets that are sent before a run begins; what is beyond is asked for when a task needs it.
const MAX_AHEAD: u64 = 512 << 20;

/// Files that are sent along with a plan, so that no host has to ask for them.
#[derive(Default)]
pub(crate) struct Ahead {
    /// The files and folders.
    pub(crate) assets: Vec<AssetSource>,
    /// What they are to those who look for files.
    pub(crate) near: Near,
}

/// What the tasks of a plan name and what is there now. What is vaulted is left out: nobody keeps it in the clear.
pub(crate) fn at_hand(plan: &ExecutionPlan, base: &Path, vaulted: &dyn Fn(&Path) -> bool) -> Ahead {
    let search = Search {
        roots: vec![base.to_owned()],
        watch: None,
    };
    let mut found: BTreeMap<Vec<u8>, AssetSource> = BTreeMap::new();
    let mut absent: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut folders: BTreeSet<Vec<u8>> = BTreeSet::new();
    let mut left = MAX_AHEAD;
    for request in asset_requests(plan) {
        let (Wanted::File(src) | Wanted::Folder(src)) = &request.wanted;
        let names = candidates(&request, src);
        let Some((name, path)) = search.first(&names, Path::exists) else {
            continue;
        };
        let before = names.iter().take_while(|other| **other != name);
        absent.extend(before.map(|other| asset_name(other).into_bytes()));
        let name = asset_name(&name).into_bytes();
        if found.contains_key(&name) {
            continue;
        }
        let Some(size) = open_size(&path, vaulted, left) else {
            continue;
        };
        left -= size;
        if path.is_dir() {
            folders.insert(name.clone());
        }
        found.insert(name.clone(), AssetSource::path(name, path));
    }
    Ahead {
        assets: found.into_values().collect(),
        near: Near {
            absent: absent.into_iter().collect(),
            folders: folders.into_iter().collect(),
        },
    }
}

/// [`at_hand`] for a plan that is a document of its own; `None` where its run may change files on this machine. `asked`: the kind of
/// connection where nothing names one.
pub(crate) fn ahead(plan: &ExecutionPlan, base: &Path, asked: Option<&str>) -> Option<Ahead> {
    let here = crate::plan_reach::changes_files_here(plan, asked);
    (!here).then(|| at_hand(plan, base, &crate::disk::is_vaulted))
}

/// The bytes of a file, or of all below a folder; `None` where something of it is vaulted, cannot be read, or is more than
/// `limit`.
fn open_size(path: &Path, vaulted: &dyn Fn(&Path) -> bool, limit: u64) -> Option<u64> {
    let mut sum = 0;
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let meta = std::fs::metadata(&path).ok()?;
        if meta.is_dir() {
            for item in std::fs::read_dir(&path).ok()? {
                let item = item.ok()?;
                // A link is kept as one.
                if !item.file_type().ok()?.is_symlink() {
                    pending.push(item.path());
                }
            }
            continue;
        }
        if !meta.is_file() || vaulted(&path) {
            return None;
        }
        sum += meta.len();
        if sum > limit {
            return None;
        }
    }
    Some(sum)
}

/// Where names are looked up.
pub(crate) struct Search {
    roots: Vec<PathBuf>,
    /// Takes note of all that is looked for.
    watch: Option<Watch>,
}

impl Search {
    /// Beside the plan, in the folder of the playbook that it was made from, then under each root.
    pub(crate) fn new(input: &PlanInput, roots: &[PathBuf]) -> Search {
        let mut search = vec![input.folder.clone()];
        search.extend(input.plan().base_dir.as_ref().map(PathBuf::from));
        search.extend_from_slice(roots);
        search.dedup();
        Search {
            roots: search,
            watch: None,
        }
    }

    /// With someone who takes note of all that is looked for.
    pub(crate) fn watched(mut self, watch: Option<Watch>) -> Search {
        self.watch = watch;
        self
    }

    fn noted(&self, path: &Path) {
        if let Some(watch) = &self.watch {
            watch.note(path);
        }
    }

    /// Every place where a file of this name may lie.
    fn places(&self, name: &str) -> Vec<PathBuf> {
        if let Some(rest) = name.strip_prefix("~/") {
            std::env::home_dir()
                .map(|h| h.join(rest))
                .into_iter()
                .collect()
        } else if name.starts_with('/') {
            vec![PathBuf::from(name)]
        } else {
            self.roots.iter().map(|root| root.join(name)).collect()
        }
    }

    /// The first candidate that is there: its name and its place.
    fn first(&self, candidates: &[String], fits: fn(&Path) -> bool) -> Option<(String, PathBuf)> {
        candidates.iter().find_map(|name| {
            let path = self.places(name).into_iter().find(|p| {
                self.noted(p);
                fits(p)
            })?;
            Some((name.clone(), path))
        })
    }

    /// The file that a task names, where it is there.
    pub(crate) fn file(&self, request: &AssetRequest) -> Option<PathBuf> {
        let Wanted::File(src) = &request.wanted else {
            return None;
        };
        let (_, path) = self.first(&candidates(request, src), Path::is_file)?;
        Some(path)
    }

    /// The text of a template that a task names, where it is there and is text.
    pub(crate) fn template_text(&self, request: &AssetRequest) -> Option<String> {
        self.template_at(&self.file(request)?)
    }

    /// The text of a template, where it is text and not too large to be one.
    pub(crate) fn template_at(&self, path: &Path) -> Option<String> {
        self.noted(path);
        let small = path.metadata().is_ok_and(|m| m.len() <= MAX_TEMPLATE);
        small.then(|| std::fs::read_to_string(path).ok()).flatten()
    }
}

/// All files that go into the artifact, by name.
///
/// # Errors
/// Every file that is missing, with the task that names it and the places where it was looked for.
pub(crate) fn collect(input: &PlanInput, search: &Search) -> Result<Vec<AssetSource>, Failure> {
    let plan = input.plan();
    let mut found: BTreeMap<Vec<u8>, AssetSource> = BTreeMap::new();
    let mut problems: Vec<Noted> = Vec::new();
    for (i, spec) in plan.assets.iter().enumerate() {
        if carried::is_bundled(&spec.name) || carried::is_action(&spec.name) {
            // They lie in one archive with what they import, or stay on the controller.
            continue;
        }
        match declared(spec, search) {
            Ok(source) => {
                found.insert(source.name.clone(), source);
            }
            Err((message, notes)) => problems.push(Noted {
                problem: Problem::new(format!("/assets/{i}"), message),
                notes,
            }),
        }
    }
    for request in asset_requests(plan) {
        problems.extend(resolve(&request, search, &mut found).err().map(|b| *b));
    }
    if problems.is_empty() {
        Ok(found.into_values().collect())
    } else {
        Err(Failure {
            diagnostics: checks::diagnostics(input, problems),
            exit: Exit::Asset,
        })
    }
}

/// An entry of the plan's `assets`.
fn declared(spec: &AssetSpec, search: &Search) -> Result<AssetSource, (String, Vec<String>)> {
    let name = asset_name(&spec.name);
    let mut source = match &spec.content {
        Some(content) => AssetSource::bytes(name, content.clone().into_bytes()),
        None => {
            let from = spec.source.as_deref().unwrap_or(&spec.name);
            let tried = search.places(from);
            match tried.iter().find(|p| p.exists()) {
                Some(path) => AssetSource::path(name, path),
                None => {
                    return Err((
                        format!("the asset `{}` is missing", spec.name),
                        looked_for(&tried),
                    ));
                }
            }
        }
    };
    source.size = spec.size;
    if let Some(hex) = &spec.sha256 {
        source.sha256 = Some(digest(hex).ok_or_else(|| {
            (
                format!("`{hex}` is no SHA-256 (64 hexadecimal digits)"),
                Vec::new(),
            )
        })?);
    }
    Ok(source)
}

/// A digest of 32 bytes in hexadecimal.
pub(crate) fn digest(hex: &str) -> Option<[u8; 32]> {
    let bytes = (0..32)
        .map(|i| u8::from_str_radix(hex.get(2 * i..2 * i + 2)?, 16).ok())
        .collect::<Option<Vec<u8>>>()?;
    <[u8; 32]>::try_from(bytes).ok().filter(|_| hex.len() == 64)
}

fn looked_for(tried: &[PathBuf]) -> Vec<String> {
    tried
        .iter()
        .map(|p| format!("looked for {}", p.display()))
        .collect()
}

/// The names under which the runner looks for a file, in its order.
fn candidates(request: &AssetRequest, src: &str) -> Vec<String> {
    asset_candidates(&request.folders, request.kind, src)
}

fn resolve(
    request: &AssetRequest,
    search: &Search,
    found: &mut BTreeMap<Vec<u8>, AssetSource>,
) -> Result<(), Box<Noted>> {
    let (src, folder) = match &request.wanted {
        Wanted::File(src) => (src, false),
        Wanted::Folder(src) => (src, true),
    };
    let candidates = candidates(request, src);
    if candidates.iter().any(|name| is_packed(found, name)) {
        return Ok(());
    }
    let fits: fn(&Path) -> bool = if folder { Path::is_dir } else { Path::exists };
    if let Some((name, path)) = search.first(&candidates, fits) {
        let name = asset_name(&name).into_bytes();
        found
            .entry(name.clone())
            .or_insert_with(|| AssetSource::path(name, path));
        return Ok(());
    }
    let tried: Vec<PathBuf> = candidates.iter().flat_map(|n| search.places(n)).collect();
    Err(Box::new(missing(request, src, folder, &tried)))
}

/// Whether something is packed under this name, or below it.
fn is_packed(found: &BTreeMap<Vec<u8>, AssetSource>, name: &str) -> bool {
    let name = asset_name(name).into_bytes();
    if found.contains_key(&name) {
        return true;
    }
    let below = [name.as_slice(), b"/"].concat();
    let inside = found
        .range(below.clone()..)
        .next()
        .is_some_and(|(n, _)| n.starts_with(&below));
    // A folder that is packed whole holds whatever lies in it.
    let around = (0..name.len()).filter(|i| name[*i] == b'/').any(|i| {
        let Some(AssetSource {
            from: rustle_packer::AssetFrom::Path(folder),
            ..
        }) = found.get(&name[..i])
        else {
            return false;
        };
        std::str::from_utf8(&name[i + 1..]).is_ok_and(|rest| folder.join(rest).exists())
    });
    inside || around
}

fn missing(request: &AssetRequest, src: &str, folder: bool, tried: &[PathBuf]) -> Noted {
    let (what, hint) = if folder {
        (
            "the folder",
            "the file's name is known only on the target: a folder that it begins with is packed whole; or list the files under `assets`",
        )
    } else {
        (
            "the file",
            "put it beside the plan, or say where it is with --asset-root",
        )
    };
    let src = if src.is_empty() { request.kind } else { src };
    let mut notes: Vec<String> = label(Some(&request.task), Some(&request.name))
        .into_iter()
        .collect();
    notes.extend(looked_for(tried));
    Noted {
        problem: Problem {
            task: Some(request.task.clone()),
            name: Some(request.name.clone()),
            source: request.source.clone(),
            hint: Some(hint.to_owned()),
            ..Problem::new(
                request.pointer.clone(),
                format!("{what} `{src}` is missing"),
            )
        },
        notes,
    }
}
