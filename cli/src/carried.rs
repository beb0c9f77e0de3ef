//! Modules that no runner has: what lies in `library` folders and collections in any language, and Ansible's own Python
//! modules. They come with the plan, as files among its assets.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::plan::{AssetSpec, Carried, ExecutionPlan, PYTHON_BUNDLE, Way};
use rustle_modules::{Bundle, Language, Places};
use rustle_packer::AssetSource;
use rustle_planner::ModuleFiles;
use rustle_runtime::modules::find;

use crate::disk::installation;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::playbook_source as source;
use crate::surroundings::Surroundings;

/// Whether modules in Python are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum PythonModules {
    /// Where the runner has no module of its own.
    #[default]
    Auto,
    /// Not at all: a task that needs one is refused.
    Never,
    /// Wherever there is one that runs on the target alone, also in place of the runner's own: to compare both.
    Always,
}

/// The option for it.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct PythonModulesOption {
    /// Whether modules in Python are used, run by the target's Python: `auto`, where the runner has no module of its own;
    /// `never`; `always`, wherever there is one.
    #[arg(
        long = "python-modules",
        value_enum,
        default_value = "auto",
        value_name = "WHEN"
    )]
    pub(crate) python_modules: PythonModules,
}

/// Why a module cannot come with a plan, and what may help.
pub(crate) type Refusals = HashMap<String, (String, Option<String>)>;

/// Declares the modules that come with a plan among its assets. What cannot come is handed back by name.
///
/// # Errors
/// Where a module's file cannot be read.
pub(crate) fn declare(
    plan: &mut ExecutionPlan,
    modules: &IndexMap<String, ModuleFiles>,
    wanted: PythonModules,
    surroundings: &Surroundings,
) -> Result<Refusals, Failure> {
    let search = surroundings.config.environment().get("PATH");
    let has_ansible = installation(search).package.is_some();
    let mut refused = Refusals::new();
    for (name, files) in modules {
        let own = is_flow(name) || find(name).is_some();
        let preferred = wanted == PythonModules::Always && files.action.is_none();
        if own && !files.in_library && !preferred {
            continue;
        }
        if let (Some(action), false) = (&files.action, own) {
            if !has_ansible {
                refused.insert(name.clone(), without_ansible(name, action));
                continue;
            }
            // Its part on the controller starts what runs on the target, if there is anything.
            plan.assets.push(AssetSpec {
                name: Carried {
                    name,
                    way: Way::Action,
                }
                .asset(),
                source: Some(action.to_string_lossy().into_owned()),
                ..AssetSpec::default()
            });
            continue;
        }
        let Some(path) = &files.module else {
            continue;
        };
        let content = std::fs::read(path).map_err(Failure::io("read", path))?;
        let language = Language::of(&content);
        match refusal(name, language, wanted) {
            Some(_) if own && !files.in_library => {}
            Some(why) => {
                refused.insert(name.clone(), why);
            }
            None => plan.assets.push(AssetSpec {
                name: asset(name, files, language),
                source: Some(path.to_string_lossy().into_owned()),
                ..AssetSpec::default()
            }),
        }
    }
    Ok(refused)
}

/// Whether a name means a part of the engine.
pub(crate) fn is_flow(name: &str) -> bool {
    let short = name
        .strip_prefix("ansible.builtin.")
        .or(name.strip_prefix("ansible.legacy."))
        .unwrap_or(name);
    matches!(short, "meta" | "include_tasks" | "include_role" | "include")
}

fn without_ansible(name: &str, action: &Path) -> (String, Option<String>) {
    let why = format!(
        "the module `{name}` is an action plugin in Python ({}), and there is no ansible-core to run it",
        action.display()
    );
    (
        why,
        Some("install ansible-core, so that ansible-playbook is in PATH".to_owned()),
    )
}

fn refusal(
    name: &str,
    language: Language,
    wanted: PythonModules,
) -> Option<(String, Option<String>)> {
    if language == Language::PowerShell {
        let why = format!("the module `{name}` is for Windows, which rustle does not manage");
        return Some((why, None));
    }
    if language == Language::Python && wanted == PythonModules::Never {
        let why =
            format!("the module `{name}` is in Python, and `--python-modules never` was given");
        return Some((why, Some("take `--python-modules auto`".to_owned())));
    }
    None
}

/// The name of a module's asset.
fn asset(name: &str, files: &ModuleFiles, language: Language) -> String {
    let short = name.rsplit('.').next().unwrap_or(name);
    let import = match name.split('.').collect::<Vec<_>>().as_slice() {
        _ if language == Language::Own => None,
        _ if files.in_library => Some(format!("ansible.legacy.{short}")),
        ["ansible", "builtin" | "legacy", module] | [module] => {
            Some(format!("ansible.modules.{module}"))
        }
        [namespace, collection, module @ ..] => Some(format!(
            "ansible_collections.{namespace}.{collection}.plugins.modules.{}",
            module.join(".")
        )),
        _ => Some(format!("ansible.legacy.{short}")),
    };
    let way = import.as_deref().map_or(Way::File, Way::Python);
    Carried { name, way }.asset()
}

/// Whether an asset of this name is in the archive of Python modules.
pub(crate) fn is_bundled(asset: &str) -> bool {
    Carried::of_asset(asset).is_some_and(|module| matches!(module.way, Way::Python(_)))
}

/// Whether an asset of this name only names what stays on the controller.
pub(crate) fn is_action(asset: &str) -> bool {
    Carried::of_asset(asset).is_some_and(|module| module.way == Way::Action)
}

/// The contents of all modules that a plan declares.
///
/// # Errors
/// Where something cannot be read, or there is no ansible-core for modules in Python.
pub(crate) fn sources(
    plan: &ExecutionPlan,
    surroundings: &Surroundings,
) -> Result<Vec<AssetSource>, Failure> {
    let mut out = Vec::new();
    for spec in plan.assets.iter().filter(|s| !is_bundled(&s.name)) {
        let module = Carried::of_asset(&spec.name).filter(|m| m.way == Way::File);
        if let (Some(_), Some(path)) = (module, &spec.source) {
            out.push(AssetSource::path(spec.name.as_str(), path));
        }
    }
    out.extend(bundle(plan, surroundings)?);
    Ok(out)
}

/// The archive of the Python modules that a plan declares, if there are any.
///
/// # Errors
/// As [`sources`].
pub(crate) fn bundle(
    plan: &ExecutionPlan,
    surroundings: &Surroundings,
) -> Result<Option<AssetSource>, Failure> {
    let bundled: Vec<&AssetSpec> = plan.assets.iter().filter(|s| is_bundled(&s.name)).collect();
    if bundled.is_empty() {
        return Ok(None);
    }
    let refuse = |message: String| Failure::text(Exit::Asset, message);
    let places = places(plan, surroundings).ok_or_else(|| {
        refuse(
            "the plan has modules in Python, and no ansible-core was found whose module_utils they need: there is no ansible-playbook in PATH"
                .to_owned(),
        )
    })?;
    let mut bundle = Bundle::new(&places).map_err(|e| refuse(e.to_string()))?;
    for spec in bundled {
        let module = Carried::of_asset(&spec.name);
        if let (Some(Way::Python(import)), Some(path)) = (module.map(|m| m.way), &spec.source) {
            let added = bundle.add(import, Path::new(path));
            added.map_err(|e| refuse(e.to_string()))?;
        }
    }
    Ok(Some(AssetSource::bytes(PYTHON_BUNDLE, bundle.finish())))
}

/// Where Python modules import from.
fn places(plan: &ExecutionPlan, surroundings: &Surroundings) -> Option<Places> {
    let config = &surroundings.config;
    let installed = installation(config.environment().get("PATH"));
    let base = PathBuf::from(plan.base_dir.clone().unwrap_or_default());
    let roles = plan.roles.values().map(|role| base.join(&role.path));
    let beside = std::iter::once(base.clone()).chain(roles);
    let mut shared: Vec<PathBuf> = beside.map(|folder| folder.join("module_utils")).collect();
    shared.extend(config.paths("DEFAULT_MODULE_UTILS_PATH"));
    shared.retain(|folder| folder.is_dir());
    let mut collections = vec![base.join("collections")];
    collections.extend(source::collections(surroundings));
    Some(Places {
        package: installed.package?,
        shared,
        collections,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(in_library: bool) -> ModuleFiles {
        ModuleFiles {
            module: Some("/x".into()),
            in_library,
            ..ModuleFiles::default()
        }
    }

    #[test]
    fn names_say_how_a_module_is_imported() {
        let of = |name, library, language| asset(name, &files(library), language);
        assert_eq!(
            of("cron", false, Language::Python),
            "_rustle/python/cron/ansible.modules.cron"
        );
        assert_eq!(
            of("cron", true, Language::Python),
            "_rustle/python/cron/ansible.legacy.cron"
        );
        assert_eq!(
            of("a.b.c.d", false, Language::Python),
            "_rustle/python/a.b.c.d/ansible_collections.a.b.plugins.modules.c.d"
        );
        assert_eq!(of("mine", true, Language::Own), "_rustle/modules/mine");
    }
}
