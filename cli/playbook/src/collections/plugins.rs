//! Where the files of modules and of action plugins lie: beside the playbook, in roles, on the module path, in
//! collections, and in the installation of Ansible.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::parts;
use crate::play::{Reader, Scope};

/// Endings of files that lie beside modules and are none: Ansible's own list.
const NO_MODULES: &[&str] = &[
    "pyo", "pyc", "swp", "bak", "rpm", "md", "txt", "rst", "yaml", "yml", "ini",
];

/// What a plug-in is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginFile {
    /// A module, in any language.
    Module,
    /// The part of a module that runs on the controller, in Python.
    Action,
}

impl PluginFile {
    /// The folder in a collection's `plugins`.
    fn in_collection(self) -> &'static str {
        match self {
            PluginFile::Module => "modules",
            PluginFile::Action => "action",
        }
    }

    /// The folder beside playbooks and in roles.
    fn beside(self) -> &'static str {
        match self {
            PluginFile::Module => "library",
            PluginFile::Action => "action_plugins",
        }
    }
}

/// The file of a plug-in, by its full name (`cron` of ansible.builtin is `ansible.builtin.cron`; a short name is one that
/// lies in no collection).
pub(crate) fn file(
    reader: &Reader<'_>,
    kind: PluginFile,
    name: &str,
    scope: &Scope,
) -> Option<PathBuf> {
    match parts(name) {
        None => beside(reader, kind, name, scope),
        Some(("ansible.builtin", plugin)) => {
            let installed = reader.options.builtin_plugins.as_ref()?;
            let folder = match kind {
                PluginFile::Module => installed.join("modules"),
                PluginFile::Action => installed.join("plugins/action"),
            };
            of_name(reader, &folder, plugin, kind)
        }
        Some((collection, plugin)) => {
            let folder = reader.collections.folder(reader, collection, scope)?;
            let path = plugin.replace('.', "/");
            let base = folder.join("plugins").join(kind.in_collection()).join(path);
            of_base(reader, &base, kind)
        }
    }
}

/// The file of a plug-in of this name outside of collections.
pub(super) fn beside(
    reader: &Reader<'_>,
    kind: PluginFile,
    name: &str,
    scope: &Scope,
) -> Option<PathBuf> {
    let role = scope.role.as_ref().map(|role| role.path.as_path());
    let own = [Some(scope.playbook_dir.as_path()), role]
        .into_iter()
        .flatten()
        .find_map(|folder| in_libraries(reader, kind, name, &libraries(reader, folder)));
    let elsewhere = || {
        let met = reader.collections.met.borrow();
        in_libraries(reader, kind, name, &met).or_else(|| {
            let path = reader.options.module_path.iter();
            path.filter(|_| kind == PluginFile::Module)
                .find_map(|folder| of_name(reader, folder, name, kind))
        })
    };
    own.or_else(elsewhere)
}

fn in_libraries(
    reader: &Reader<'_>,
    kind: PluginFile,
    name: &str,
    libraries: &[(PluginFile, PathBuf)],
) -> Option<PathBuf> {
    let fitting = libraries.iter().filter(|(of, _)| *of == kind);
    fitting
        .into_iter()
        .find_map(|(_, folder)| of_name(reader, folder, name, kind))
}

/// The folders of plug-ins in a playbook's or a role's folder.
pub(super) type Libraries = Rc<[(PluginFile, PathBuf)]>;

/// The folders of modules and actions in a folder, without those that are empty or do not exist.
pub(super) fn libraries(reader: &Reader<'_>, folder: &Path) -> Libraries {
    let text = folder.as_os_str();
    if let Some(known) = reader.collections.libraries.borrow().get(text) {
        return Rc::clone(known);
    }
    let found: Libraries = [PluginFile::Module, PluginFile::Action]
        .into_iter()
        .map(|kind| (kind, folder.join(kind.beside())))
        .filter(|(_, path)| !listed(reader, path).is_empty())
        .collect();
    let mut libraries = reader.collections.libraries.borrow_mut();
    libraries.insert(text.to_owned(), Rc::clone(&found));
    found
}

/// The plug-in's file at a path without its ending.
pub(super) fn of_base(reader: &Reader<'_>, base: &Path, kind: PluginFile) -> Option<PathBuf> {
    let (folder, name) = (base.parent()?, base.file_name().and_then(OsStr::to_str)?);
    of_name(reader, folder, name, kind)
}

fn of_name(reader: &Reader<'_>, folder: &Path, name: &str, kind: PluginFile) -> Option<PathBuf> {
    let names = listed(reader, folder);
    // A name may have an underscore in front: it is out of favour, and runs all the same.
    let mut fitting: Vec<&String> = names.iter().filter(|file| fits(file, name, kind)).collect();
    fitting.sort_unstable_by_key(|file| (!file.ends_with(".py"), file.len(), (*file).clone()));
    fitting
        .into_iter()
        .map(|file| folder.join(file))
        .find(|path| reader.files.is_file(path))
}

/// Whether a file in a folder of plug-ins is the one of this name.
fn fits(file: &str, name: &str, kind: PluginFile) -> bool {
    let Some(rest) = file.strip_prefix(name) else {
        return false;
    };
    match (kind, rest.strip_prefix('.')) {
        (PluginFile::Action, ending) => ending == Some("py"),
        (PluginFile::Module, None) => rest.is_empty(),
        (PluginFile::Module, Some(ending)) => {
            !ending.contains('.') && !ending.ends_with('~') && !NO_MODULES.contains(&ending)
        }
    }
}

/// The names in a folder of plug-ins, asked for once.
fn listed(reader: &Reader<'_>, folder: &Path) -> Rc<HashSet<String>> {
    // The texts of paths are hashed faster than paths.
    let text = folder.as_os_str();
    if let Some(known) = reader.collections.listed.borrow().get(text) {
        return Rc::clone(known);
    }
    let names: Rc<HashSet<String>> = Rc::new(reader.files.names(folder).into_iter().collect());
    let mut listed = reader.collections.listed.borrow_mut();
    listed.insert(text.to_owned(), Rc::clone(&names));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_ending_but_those_of_documents() {
        for file in ["m", "m.py", "m.sh", "m.exe"] {
            assert!(fits(file, "m", PluginFile::Module), "{file}");
        }
        for file in ["m.pyc", "m.yml", "mm", "m.py~", "m.tar.gz"] {
            assert!(!fits(file, "m", PluginFile::Module), "{file}");
        }
        assert!(fits("m.py", "m", PluginFile::Action) && !fits("m", "m", PluginFile::Action));
    }
}
