//! Python modules with all that they import of Ansible's and of collections, as one archive.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::archive;
use crate::imports::{self, Import};

/// The archive's own program.
const MAIN: &str = include_str!("main.py");

/// Where Ansible's shared code for modules is imported from.
const SHARED: &str = "ansible.module_utils";

/// The part of it that is loaded by computed names: it always comes along.
const LOADED: &str = "_internal";

/// Where files to be imported lie on the controller.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The folder of the Python package `ansible`.
    pub package: PathBuf,
    /// Folders named `module_utils` beside the playbook, in roles and in the configuration, the strongest first.
    pub shared: Vec<PathBuf>,
    /// The folders of installed collections that contain `ansible_collections`.
    pub collections: Vec<PathBuf>,
}

/// Why there is no archive.
#[derive(Debug)]
pub enum BundleError {
    /// A file cannot be read.
    Read(PathBuf, io::Error),
    /// There is no ansible-core where it was looked for.
    NoAnsible(PathBuf),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BundleError::Read(path, e) => write!(f, "{} cannot be read: {e}", path.display()),
            BundleError::NoAnsible(path) => write!(
                f,
                "modules in Python need Ansible's module_utils, and {} has none",
                path.display()
            ),
        }
    }
}

impl std::error::Error for BundleError {}

/// An archive in the making.
pub struct Bundle<'p> {
    places: &'p Places,
    files: BTreeMap<String, Vec<u8>>,
    /// Names that were looked for.
    met: HashSet<String>,
    /// Files whose imports have not been followed yet: the name, and whether it is a package.
    open: Vec<(String, bool, String)>,
}

impl<'p> Bundle<'p> {
    /// One with what every module needs.
    ///
    /// # Errors
    /// Where there is no ansible-core.
    pub fn new(places: &'p Places) -> Result<Bundle<'p>, BundleError> {
        let shared = places.package.join("module_utils");
        if !shared.join("basic.py").is_file() {
            return Err(BundleError::NoAnsible(places.package.clone()));
        }
        let mut bundle = Bundle {
            places,
            files: BTreeMap::from([
                ("__main__.py".to_owned(), MAIN.into()),
                ("ansible/__init__.py".to_owned(), Vec::new()),
            ]),
            met: HashSet::from(["ansible".to_owned()]),
            open: Vec::new(),
        };
        bundle.name(&format!("{SHARED}.basic"))?;
        bundle.below(&shared.join(LOADED), &format!("{SHARED}.{LOADED}"))?;
        bundle.follow()?;
        Ok(bundle)
    }

    /// Adds a module by the name that it is imported by.
    ///
    /// # Errors
    /// Where it, or something that it imports, cannot be read.
    pub fn add(&mut self, import: &str, file: &Path) -> Result<(), BundleError> {
        if self.met.insert(import.to_owned()) {
            self.parents(import)?;
            self.file(import, file, false)?;
        }
        self.follow()
    }

    /// The archive's bytes: the same for the same files.
    pub fn finish(self) -> Vec<u8> {
        archive::of(&self.files)
    }

    /// All files below a folder of shared code.
    fn below(&mut self, folder: &Path, name: &str) -> Result<(), BundleError> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let inner = format!("{name}.{stem}");
            if path.is_dir() {
                self.below(&path, &inner)?;
            } else if path.extension().is_some_and(|e| e == "py") {
                self.name(if stem == "__init__" { name } else { &inner })?;
            }
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<(), BundleError> {
        while let Some((name, package, text)) = self.open.pop() {
            for import in imports::of(&text) {
                self.import(&name, package, &import)?;
            }
        }
        Ok(())
    }

    fn import(&mut self, from: &str, package: bool, import: &Import) -> Result<(), BundleError> {
        let Some(base) = absolute(from, package, import) else {
            return Ok(());
        };
        if !is_shared(&base) {
            return Ok(());
        }
        self.name(&base)?;
        for inner in &import.names {
            self.name(&format!("{base}.{inner}"))?;
        }
        Ok(())
    }

    /// Takes in what is imported by a name, if there is such a file.
    fn name(&mut self, name: &str) -> Result<(), BundleError> {
        if !self.met.insert(name.to_owned()) {
            return Ok(());
        }
        if let Some((file, package)) = self.find(name) {
            self.parents(name)?;
            self.file(name, &file, package)?;
        }
        Ok(())
    }

    /// The packages that a name is in.
    fn parents(&mut self, name: &str) -> Result<(), BundleError> {
        for (at, _) in name.match_indices('.') {
            let parent = &name[..at];
            if !self.met.insert(parent.to_owned()) && self.files.contains_key(&init(parent)) {
                continue;
            }
            match self.find(parent) {
                Some((file, true)) if is_shared(parent) => self.file(parent, &file, true)?,
                _ => {
                    self.files.entry(init(parent)).or_default();
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, file: &Path, package: bool) -> Result<(), BundleError> {
        let content = std::fs::read(file).map_err(|e| BundleError::Read(file.to_owned(), e))?;
        let text = String::from_utf8_lossy(&content).into_owned();
        let path = match package {
            true => init(name),
            false => format!("{}.py", name.replace('.', "/")),
        };
        self.files.insert(path, content);
        self.open.push((name.to_owned(), package, text));
        Ok(())
    }

    /// The file of a name, and whether it is a package's.
    fn find(&self, name: &str) -> Option<(PathBuf, bool)> {
        let bases: Vec<PathBuf> = if name == SHARED {
            vec![self.places.package.join("module_utils")]
        } else if let Some(rest) = name.strip_prefix("ansible.module_utils.") {
            let rest = rest.replace('.', "/");
            let own = self.places.package.join("module_utils");
            self.places
                .shared
                .iter()
                .chain([&own])
                .map(|folder| folder.join(&rest))
                .collect()
        } else {
            let rest = name.strip_prefix("ansible_collections.")?.replace('.', "/");
            let roots = self.places.collections.iter();
            roots
                .map(|root| match root.ends_with("ansible_collections") {
                    true => root.join(&rest),
                    false => root.join("ansible_collections").join(&rest),
                })
                .collect()
        };
        bases.into_iter().find_map(|base| {
            let package = base.join("__init__.py");
            if package.is_file() {
                return Some((package, true));
            }
            let file = base.with_extension("py");
            file.is_file().then_some((file, false))
        })
    }
}

/// Whether a name is one of those that come along: all others are the target's own.
fn is_shared(name: &str) -> bool {
    name.starts_with(SHARED) || name.starts_with("ansible_collections.")
}

fn init(package: &str) -> String {
    format!("{}/__init__.py", package.replace('.', "/"))
}

/// The full name that an import means in the file of the name `from`.
fn absolute(from: &str, package: bool, import: &Import) -> Option<String> {
    if import.level == 0 {
        return Some(import.module.clone());
    }
    let up = import.level - usize::from(package);
    let mut around = from;
    for _ in 0..up {
        around = around.rsplit_once('.')?.0;
    }
    Some(match import.module.as_str() {
        "" => around.to_owned(),
        module => format!("{around}.{module}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn what_is_imported_comes_along_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            &[
                ("ansible/module_utils/__init__.py", ""),
                (
                    "ansible/module_utils/basic.py",
                    "from ansible.module_utils.common import text\n",
                ),
                ("ansible/module_utils/common/__init__.py", ""),
                (
                    "ansible/module_utils/common/text.py",
                    "from . import other\nfrom .. import _x\n",
                ),
                ("ansible/module_utils/common/other.py", ""),
                ("ansible/module_utils/common/unused.py", ""),
                ("ansible/module_utils/_internal/__init__.py", ""),
                ("ansible/module_utils/_internal/deep/loaded.py", ""),
                (
                    "mine/module_utils/helper.py",
                    "import ansible.module_utils.common.other\n",
                ),
                (
                    "c/ansible_collections/a/b/plugins/modules/m.py",
                    "from ..module_utils.u import v\n",
                ),
                (
                    "c/ansible_collections/a/b/plugins/module_utils/u.py",
                    "import os\n",
                ),
                ("lib/own.py", "from ansible.module_utils.helper import h\n"),
            ],
        );
        let places = Places {
            package: root.join("ansible"),
            shared: vec![root.join("mine/module_utils")],
            collections: vec![root.join("c")],
        };
        let mut bundle = Bundle::new(&places).unwrap();
        let m = "c/ansible_collections/a/b/plugins/modules/m.py";
        bundle
            .add("ansible_collections.a.b.plugins.modules.m", &root.join(m))
            .unwrap();
        bundle
            .add("ansible.legacy.own", &root.join("lib/own.py"))
            .unwrap();
        let names: Vec<&str> = bundle.files.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "__main__.py",
                "ansible/__init__.py",
                "ansible/legacy/__init__.py",
                "ansible/legacy/own.py",
                "ansible/module_utils/__init__.py",
                "ansible/module_utils/_internal/__init__.py",
                "ansible/module_utils/_internal/deep/__init__.py",
                "ansible/module_utils/_internal/deep/loaded.py",
                "ansible/module_utils/basic.py",
                "ansible/module_utils/common/__init__.py",
                "ansible/module_utils/common/other.py",
                "ansible/module_utils/common/text.py",
                "ansible/module_utils/helper.py",
                "ansible_collections/__init__.py",
                "ansible_collections/a/__init__.py",
                "ansible_collections/a/b/__init__.py",
                "ansible_collections/a/b/plugins/__init__.py",
                "ansible_collections/a/b/plugins/module_utils/__init__.py",
                "ansible_collections/a/b/plugins/module_utils/u.py",
                "ansible_collections/a/b/plugins/modules/__init__.py",
                "ansible_collections/a/b/plugins/modules/m.py",
            ]
        );
    }

    #[test]
    fn without_ansible_there_is_none() {
        let places = Places {
            package: "/nonexistent/ansible".into(),
            ..Places::default()
        };
        let why = Bundle::new(&places).err().map(|e| e.to_string());
        assert_eq!(
            why.as_deref(),
            Some(
                "modules in Python need Ansible's module_utils, and /nonexistent/ansible has none"
            )
        );
    }
}
