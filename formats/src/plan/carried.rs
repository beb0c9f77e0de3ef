//! Modules that come with a plan: what is written in another language than the runner's. They stand among the plan's
//! [`assets`](super::ExecutionPlan::assets), under names that no task has for a file.

use super::ExecutionPlan;

/// Where modules lie that are run as they are: `_rustle/modules/NAME`.
const FILES: &str = "_rustle/modules/";

/// Where the plan names modules that Python runs with what they import: `_rustle/python/NAME/IMPORTED`. Their contents lie
/// together in [`PYTHON_BUNDLE`].
const PYTHON: &str = "_rustle/python/";

/// Where the plan names modules whose part on the controller does their work: `_rustle/actions/NAME`. They stay there.
const ACTIONS: &str = "_rustle/actions/";

/// The one archive of all Python modules of a plan and what they import.
pub const PYTHON_BUNDLE: &str = "_rustle/python.zip";

/// A module that comes with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The name that tasks have for it.
    pub name: &'a str,
    /// How it is run.
    pub way: Way<'a>,
}

/// How a module that comes with a plan is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way<'a> {
    /// As a program or script by itself.
    File,
    /// By Python, with imports of Ansible's: the name to import it by, in [`PYTHON_BUNDLE`].
    Python(&'a str),
    /// By the controller, as an action plugin.
    Action,
}

impl<'a> Carried<'a> {
    /// The name of the asset that says so.
    pub fn asset(self) -> String {
        match self.way {
            Way::File => format!("{FILES}{}", self.name),
            Way::Python(import) => format!("{PYTHON}{}/{import}", self.name),
            Way::Action => format!("{ACTIONS}{}", self.name),
        }
    }

    /// What the name of an asset says.
    pub fn of_asset(asset: &'a str) -> Option<Carried<'a>> {
        let of = |name, way| Some(Carried { name, way });
        if let Some(name) = asset.strip_prefix(FILES) {
            return of(name, Way::File);
        }
        if let Some(name) = asset.strip_prefix(ACTIONS) {
            return of(name, Way::Action);
        }
        let (name, import) = asset.strip_prefix(PYTHON)?.split_once('/')?;
        of(name, Way::Python(import))
    }
}

/// The modules that come with a plan.
pub fn carried(plan: &ExecutionPlan) -> impl Iterator<Item = Carried<'_>> {
    plan.assets
        .iter()
        .filter_map(|spec| Carried::of_asset(&spec.name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_modules_from_other_files() {
        let all = [
            Carried {
                name: "mine",
                way: Way::File,
            },
            Carried {
                name: "unarchive",
                way: Way::Action,
            },
            Carried {
                name: "community.general.alternatives",
                way: Way::Python(
                    "ansible_collections.community.general.plugins.modules.alternatives",
                ),
            },
        ];
        for module in all {
            assert_eq!(Carried::of_asset(&module.asset()), Some(module));
        }
        assert_eq!(Carried::of_asset("files/_rustle/modules/x"), None);
        assert_eq!(Carried::of_asset(PYTHON_BUNDLE), None);
    }
}
