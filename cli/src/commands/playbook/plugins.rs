//! What the controller adds to a run in this process: its lookups, and the Python plugins that lie in the repository.

use std::path::PathBuf;

use rustle_formats::plan::ExecutionPlan;
use rustle_lookups::{OnController, Python, discover};

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source::{self as source, Parts};

/// The controller of a run.
///
/// # Errors
/// Where the repository has plugins of a kind that cannot be run.
pub(in crate::commands) fn controller<'a>(
    parts: &Parts<'a>,
    plan: &ExecutionPlan,
    console: &Console,
) -> Result<OnController<'a>, Failure> {
    let config = &parts.surroundings.config;
    let controller = OnController::new(config, &parts.disk.vault);
    let folders = folders(plan);
    let mut python = false;
    for found in discover(&folders) {
        match found.folder {
            "filter_plugins" | "test_plugins" | "lookup_plugins" => python = true,
            "vars_plugins" => {
                return Err(Failure::new(
                    Exit::Refused,
                    Diagnostic::error(format!(
                        "{}: vars plugins cannot be run here",
                        found.path.display()
                    ))
                    .hint("put the variables that it makes into group_vars/ or host_vars/, or into a script of the inventory"),
                ));
            }
            "callback_plugins" | "strategy_plugins" => console.say(&Diagnostic::new(
                Level::Warning,
                format!("{}: such plugins are not run here", found.path.display()),
            )),
            // A task that uses one names it as its module, and is refused at its place.
            _ => {}
        }
    }
    let collections = source::collections(parts.surroundings);
    let helper = Python::new(config, folders, collections);
    if python && helper.interpreter().is_none() {
        console.say(&Diagnostic::new(
            Level::Warning,
            "the repository has plugins in Python, and no Python with ansible-core was found: neither that of the first ansible-playbook in PATH, nor python3",
        ));
    }
    Ok(controller.with_python(helper))
}

/// The playbook's folder and those of its roles.
fn folders(plan: &ExecutionPlan) -> Vec<PathBuf> {
    let base = PathBuf::from(plan.base_dir.clone().unwrap_or_default());
    let roles = plan.roles.values().map(|role| base.join(&role.path));
    let mut out = vec![base.clone()];
    for folder in roles {
        if !out.contains(&folder) {
            out.push(folder);
        }
    }
    out
}
