//! What a module may know and use while it runs.

use std::cell::RefCell;
use std::path::Path;
use std::time::Instant;

use indexmap::IndexMap;
use rustle_formats::plan::{asset_candidates, asset_name};
use rustle_formats::{Map, Value};

use crate::assets::{AssetEntry, Assets};
pub use crate::fsops::staging::Staging;
use crate::outcome::Failure;

/// The variables of the host, for modules that template by themselves. Only modules with
/// [`Place::Engine`](crate::spec::Place) and `template` have it.
pub trait Variables {
    /// The value of a bare expression as it is printed (`debug: var=…`): what is undefined or omitted is no failure but a placeholder, with a
    /// warning.
    ///
    /// # Errors
    /// A sentence, where it cannot be evaluated.
    fn show(&self, expression: &str) -> Result<(Value, Option<String>), String>;

    /// The value of a variable, templated; none where there is no variable of this name.
    ///
    /// # Errors
    /// A sentence, where it cannot be templated.
    fn get(&self, name: &str) -> Result<Option<Value>, String>;

    /// Whether there is a variable of this name.
    fn has(&self, name: &str) -> bool;

    /// Evaluates one condition (`assert: that=…`).
    ///
    /// # Errors
    /// A sentence, where it cannot be evaluated.
    fn condition(&self, condition: &Value) -> Result<bool, String>;

    /// The conditions that an expression gives: none where it gives no list. Text that is no expression of the playbook's
    /// own is [`Value::Unsafe`].
    ///
    /// # Errors
    /// A sentence, where it cannot be evaluated.
    fn conditions(&self, expression: &str) -> Result<Option<Vec<Value>>, String>;

    /// Renders the text of a file as the module `template` does.
    ///
    /// # Errors
    /// A sentence with the position in the file.
    fn render(&self, request: &RenderRequest<'_>) -> Result<String, String>;
}

/// A template file to be rendered.
#[derive(Debug)]
pub struct RenderRequest<'a> {
    /// The text.
    pub text: &'a str,
    /// Its name in messages, and where `include` searches from.
    pub name: &'a str,
    /// What it knows of itself (`template_path`, `template_destpath`, …), on top of the task's variables. Its
    /// moments are templates, the rest is data.
    pub about: Map,
    /// `block_start_string` and the like, by Ansible's names; also trim_blocks, lstrip_blocks, newline_sequence.
    pub options: Map,
}

/// What a running module gets besides its arguments.
pub struct Context<'a> {
    /// Nothing may be changed; predict.
    pub check: bool,
    /// Differences are wanted.
    pub diff: bool,
    /// How many `-v`.
    pub verbosity: u8,
    /// The task's `environment`, for child processes, on top of the process's own.
    pub environment: &'a IndexMap<String, String>,
    /// Files that came with the plan.
    pub assets: &'a dyn Assets,
    /// Folders of assets that a relative `src` is looked for in.
    pub asset_paths: &'a [String],
    /// The host's variables, for modules that template.
    pub variables: Option<&'a dyn Variables>,
    /// When the task must be done.
    pub deadline: Option<Instant>,
    /// A private folder for temporary files, 0700, writable by the user that the module runs as.
    pub work_dir: &'a Path,
    /// Whether that folder lives as long as the run: what is left there serves later tasks.
    pub lasting: bool,
    /// Whether nothing of the arguments may be logged (`no_log`).
    pub no_log: bool,
    /// The user's home, for `~`.
    pub home: Option<&'a Path>,
    /// What an atomic play has staged, or stages now.
    pub staging: Option<&'a Staging>,
    /// Whether the run was asked to stop.
    pub cancelled: &'a dyn Fn() -> bool,
    /// Warnings so far.
    pub warnings: RefCell<Vec<String>>,
}

impl Context<'_> {
    /// Adds a warning to the result.
    pub fn warn(&self, message: impl Into<String>) {
        self.warnings.borrow_mut().push(message.into());
    }

    /// Finds the asset that `src` names: in the task's folders first, then from the assets' root. `kind` is the
    /// conventional folder, `files` or `templates`, tried inside each.
    ///
    /// # Errors
    /// Where there is none, with all places that were searched.
    pub fn find_asset(&self, src: &str, kind: &str) -> Result<AssetEntry, Failure> {
        find_asset(self.assets, self.asset_paths, src, kind)
    }
}

/// As [`Context::find_asset`], where there is no context.
///
/// # Errors
/// Where there is none, with all places that were searched.
pub(crate) fn find_asset(
    assets: &dyn Assets,
    folders: &[String],
    src: &str,
    kind: &str,
) -> Result<AssetEntry, Failure> {
    let mut tried = Vec::new();
    for candidate in asset_candidates(folders, kind, src) {
        match assets.entry(asset_name(&candidate).as_bytes()) {
            Ok(Some(entry)) => return Ok(entry),
            Ok(None) => tried.push(candidate),
            Err(e) => return Err(Failure::new(format!("cannot read the assets: {e}"))),
        }
    }
    Err(Failure::new(format!(
        "Could not find or access '{src}'\nSearched in the artifact:\n\t{}",
        tried.join("\n\t")
    )))
}
