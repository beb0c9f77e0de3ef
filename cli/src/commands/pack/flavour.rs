//! Which flavour of the runner a plan needs: the core one, unless it names something that only the full one has.

use std::path::Path;

use rustle_formats::plan::{ExecutionPlan, Way, carried};
use rustle_packer::{AssetFrom, AssetSource, Flavour};
use rustle_runtime::flavour::Needs;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::stubs::flavour;

/// The runner itself refuses to read templates and variables from a file of more bytes.
const MAX_FILE: u64 = 64 << 20;

/// The flavour that was asked for; none: what the plan needs.
#[derive(Debug, clap::Args)]
pub(super) struct FlavourOption {
    /// The runner's flavour: `core`, or `full`, which knows every module and filter. Default: what the plan needs.
    #[arg(long, value_name = "FLAVOUR", value_parser = flavour)]
    flavour: Option<Flavour>,
}

impl FlavourOption {
    /// The smallest that may be taken before the plan is known.
    pub(super) fn at_least(&self) -> Flavour {
        self.flavour.unwrap_or(Flavour::Core)
    }

    /// Whether a runner of the core flavour, which was asked for or given, may be exchanged for the full one.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn exchange(&self, name: &str, given: Option<&Path>) -> Result<(), Failure> {
        let what = match (self.flavour, given) {
            (_, Some(file)) => format!("{} is a runner of the core flavour", file.display()),
            (Some(Flavour::Core), None) => "the core flavour was asked for".to_owned(),
            _ => return Ok(()),
        };
        Err(Failure::text(
            Exit::Stub,
            format!("{what}, and the plan names `{name}`, which only the full one has"),
        )
        .hint("leave the choice to rustle, or take `--flavour full`"))
    }
}

/// Looks through the words of a plan; takes as long as checking it.
pub(super) fn of_plan(plan: &ExecutionPlan) -> Needs {
    let mut needs = Needs::default();
    // What cannot be written as JSON cannot be packed either, and is refused there.
    let _ = serde_json::to_writer(Words(&mut needs), plan);
    needs
}

/// The name in plan and files that only the full flavour knows; none: the core one will do. The words of the plan and the
/// templates that the check of it has read are in `needs` already.
pub(super) fn name(
    mut needs: Needs,
    plan: &ExecutionPlan,
    assets: &[AssetSource],
) -> Option<&'static str> {
    if needs.full().is_none() && carried(plan).any(|module| module.way != Way::Action) {
        return Some("modules in other languages");
    }
    if needs.full().is_none() && plan.plays.iter().any(|play| !play.vars_choices.is_empty()) {
        return Some("vars_files");
    }
    for asset in assets.iter().filter(|a| is_read_by_engine(&a.name)) {
        match &asset.from {
            AssetFrom::Path(path) => look_below(&mut needs, path),
            AssetFrom::Bytes(bytes) => needs.look(bytes),
        }
    }
    needs.full()
}

/// Looks through a file, or all files of a folder. What cannot be read is told when it is packed.
fn look_below(needs: &mut Needs, path: &Path) {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            for entry in entries.filter(|e| e.file_type().is_ok_and(|t| !t.is_symlink())) {
                look_below(needs, &entry.path());
            }
        }
        Ok(meta) if meta.len() <= MAX_FILE => {
            if let Ok(bytes) = std::fs::read(path) {
                needs.look(&bytes);
            }
        }
        _ => {}
    }
}

/// What serde_json writes piece by piece, no word in two pieces: text is only divided where something is escaped.
struct Words<'a>(&'a mut Needs);

impl std::io::Write for Words<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.look(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Whether the engine may read templates in a file of this name, rather than a module take it as it is.
fn is_read_by_engine(name: &[u8]) -> bool {
    let ends = |suffix: &str| name.ends_with(suffix.as_bytes());
    [".j2", ".yml", ".yaml", ".json"].iter().any(|s| ends(s))
        || name
            .split(|b| *b == b'/')
            .any(|part| part == b"templates" || part == b"vars")
}
