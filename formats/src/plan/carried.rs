//! Modules that come with a plan: what is written in another language than the runner's. They stand among the plan's
//! [`assets`](super::ExecutionPlan::assets), under names that no task has for a file.

use super::ExecutionPlan;

/// Where modules lie that are run as they are: `_rustle/modules/NAME`.
const FILES: &str = "_rustle/modules/";

/// Where the plan names modules that Python runs with what they import: `_rustle/python/NAME/IMPORTED`. Their contents lie
/// together in [`PYTHON_BUNDLE`].
const PYTHON: &str = "_rustle/python/";

/// The one archive of all Python modules of a plan and what they import.
pub const PYTHON_BUNDLE: &str = "_rustle/python.zip";

/// A module that comes with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Carried<'a> {
    /// The name that tasks have for it.
    pub name: &'a str,
    /// For one in Python with imports of Ansible's: the name to import it by, in [`PYTHON_BUNDLE`]. `None`: a file by itself.
    pub import: Option<&'a str>,
}

impl<'a> Carried<'a> {
    /// The name of the asset that says so.
    pub fn asset(self) -> String {
        match self.import {
            None => format!("{FILES}{}", self.name),
            Some(import) => format!("{PYTHON}{}/{import}", self.name),
        }
    }

    /// What the name of an asset says.
    pub fn of_asset(asset: &'a str) -> Option<Carried<'a>> {
        if let Some(name) = asset.strip_prefix(FILES) {
            return Some(Carried { name, import: None });
        }
        let (name, import) = asset.strip_prefix(PYTHON)?.split_once('/')?;
        Some(Carried {
            name,
            import: Some(import),
        })
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
        let both = [
            Carried {
                name: "mine",
                import: None,
            },
            Carried {
                name: "community.general.alternatives",
                import: Some("ansible_collections.community.general.plugins.modules.alternatives"),
            },
        ];
        for module in both {
            assert_eq!(Carried::of_asset(&module.asset()), Some(module));
        }
        assert_eq!(Carried::of_asset("files/_rustle/modules/x"), None);
        assert_eq!(Carried::of_asset(PYTHON_BUNDLE), None);
    }
}
