//! Collections: where they are installed, what is in them, and what their `meta/runtime.yml` redirects.

mod builtin;
pub(crate) mod plugins;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use builtin::{BUILTIN, renamed};
use plugins::PluginFile;

use crate::play::{Action, Reader, Scope, text_of};
use crate::problem::Problem;
use crate::yaml::Node;

/// How often a name may be redirected.
const MAX_REDIRECTS: usize = 16;

/// The collections that were looked for.
#[derive(Default)]
pub(crate) struct Collections {
    folders: RefCell<HashMap<String, Option<PathBuf>>>,
    modules: RefCell<HashMap<(PathBuf, String), bool>>,
    /// The names in folders of plug-ins: asking for each task's module in every place would be most of the reading.
    listed: RefCell<HashMap<OsString, Rc<HashSet<String>>>>,
    /// Of a playbook's or a role's folder, the folders of plug-ins in it that have something in them.
    libraries: RefCell<HashMap<OsString, plugins::Libraries>>,
    /// Those of the roles that were met: what lies in one's `library` is there for all that comes after.
    met: RefCell<Vec<(PluginFile, PathBuf)>>,
}

/// What a collection's `plugin_routing` says of a module.
enum Route {
    None,
    Redirect(String),
    Removed(String),
}

impl Collections {
    /// Takes note of a role, whose modules may be used from now on.
    pub(crate) fn meet(&self, reader: &Reader<'_>, role: &Path) {
        let libraries = plugins::libraries(reader, role);
        let mut met = self.met.borrow_mut();
        for library in libraries.iter() {
            if !met.contains(library) {
                met.push(library.clone());
            }
        }
    }

    /// The folder of an installed collection.
    fn folder(&self, reader: &Reader<'_>, collection: &str, scope: &Scope) -> Option<PathBuf> {
        if let Some(known) = self.folders.borrow().get(collection) {
            return known.clone();
        }
        let (namespace, name) = collection.split_once('.')?;
        let beside = scope.playbook_dir.join("collections");
        let found = std::iter::once(&beside)
            .chain(&reader.options.collections_path)
            .map(|path| {
                let root = if path.ends_with("ansible_collections") {
                    path.clone()
                } else {
                    path.join("ansible_collections")
                };
                root.join(namespace).join(name)
            })
            .find(|path| reader.files.is_folder(path));
        self.folders
            .borrow_mut()
            .insert(collection.to_owned(), found.clone());
        found
    }

    /// A role by its full name, or in one of the collections of the scope.
    pub(crate) fn role(
        &self,
        reader: &Reader<'_>,
        name: &str,
        scope: &Scope,
    ) -> Option<(PathBuf, Option<String>)> {
        let full = parts(name);
        let wanted: Vec<(&str, &str)> = match full {
            Some(pair) => vec![pair],
            None if name.contains('/') => Vec::new(),
            None => scope
                .collections
                .iter()
                .map(|collection| (collection.as_str(), name))
                .collect(),
        };
        wanted.into_iter().find_map(|(collection, role)| {
            let folder = self.folder(reader, collection, scope)?;
            let path = folder.join("roles").join(role.replace('.', "/"));
            reader
                .files
                .is_folder(&path)
                .then(|| (path, Some(collection.to_owned())))
        })
    }

    /// A playbook by its full name.
    pub(crate) fn playbook(
        &self,
        reader: &Reader<'_>,
        name: &str,
        scope: &Scope,
    ) -> Option<PathBuf> {
        let (collection, playbook) = parts(name)?;
        let folder = self.folder(reader, collection, scope)?.join("playbooks");
        let base = folder.join(playbook.replace('.', "/"));
        ["", ".yml", ".yaml"]
            .iter()
            .map(|extension| PathBuf::from(format!("{}{extension}", base.display())))
            .find(|path| reader.files.is_file(path))
    }

    /// The full name of a module, redirects followed. A module outside of collections keeps its name.
    pub(crate) fn module(
        &self,
        reader: &Reader<'_>,
        action: &Action,
        scope: &Scope,
    ) -> Result<String, Problem> {
        let mut name = action.name.clone();
        for _ in 0..MAX_REDIRECTS {
            if reader.options.native_modules.contains(&name) {
                return Ok(name);
            }
            let found = match parts(&name) {
                Some(("ansible.builtin" | "ansible.legacy", module)) => {
                    self.builtin(reader, module, name.starts_with("ansible.legacy"), scope)?
                }
                Some((collection, module)) => {
                    self.in_collection(reader, collection, module, scope)?
                }
                None => self.short(reader, &name, scope)?,
            };
            match found {
                Route::None => return Ok(full_name(reader, &name, scope)),
                Route::Redirect(next) => name = next,
                Route::Removed(why) => return Err(removed(&name, &why)),
            }
        }
        Err(Problem::error(format!(
            "`{}` is redirected in a circle",
            action.name
        )))
    }

    fn in_collection(
        &self,
        reader: &Reader<'_>,
        collection: &str,
        module: &str,
        scope: &Scope,
    ) -> Result<Route, Problem> {
        let Some(folder) = self.folder(reader, collection, scope) else {
            return Err(
                Problem::error(format!("the collection `{collection}` is not installed"))
                    .hint(format!("ansible-galaxy collection install {collection}")),
            );
        };
        let route = self.route(reader, &folder.join("meta/runtime.yml"), module)?;
        if !matches!(route, Route::None) {
            return Ok(route);
        }
        if self.has_module(reader, &folder, module) {
            return Ok(Route::None);
        }
        let modules = reader.files.names(&folder.join("plugins/modules"));
        let names: Vec<&str> = modules
            .iter()
            .filter_map(|file| file.split('.').next())
            .collect();
        let problem = Problem::error(format!(
            "the collection `{collection}` has no module `{module}`"
        ));
        Err(match rustle_formats::nearest(module, &names) {
            Some(near) => problem.hint(format!("did you mean `{collection}.{near}`?")),
            None => problem.note(format!("it is in {}", folder.display())),
        })
    }

    fn builtin(
        &self,
        reader: &Reader<'_>,
        module: &str,
        legacy: bool,
        scope: &Scope,
    ) -> Result<Route, Problem> {
        if legacy && library(reader, module, scope) || BUILTIN.contains(&module) {
            return Ok(Route::None);
        }
        if let Some(new) = renamed(module) {
            return Ok(Route::Redirect(new.to_owned()));
        }
        if let Some(routing) = &reader.options.builtin_routing {
            let route = self.route(reader, routing, module)?;
            if !matches!(route, Route::None) {
                return Ok(route);
            }
        }
        Err(unknown(&format!("ansible.builtin.{module}"), module))
    }

    fn short(&self, reader: &Reader<'_>, name: &str, scope: &Scope) -> Result<Route, Problem> {
        for collection in &scope.collections {
            if matches!(collection.as_str(), "ansible.builtin" | "ansible.legacy") {
                continue;
            }
            let Some(folder) = self.folder(reader, collection, scope) else {
                continue;
            };
            let route = self.route(reader, &folder.join("meta/runtime.yml"), name)?;
            if !matches!(route, Route::None) || self.has_module(reader, &folder, name) {
                return Ok(Route::Redirect(format!("{collection}.{name}")));
            }
        }
        if library(reader, name, scope) || BUILTIN.contains(&name) {
            return Ok(Route::None);
        }
        if let Some(new) = renamed(name) {
            return Ok(Route::Redirect(new.to_owned()));
        }
        match &reader.options.builtin_routing {
            Some(routing) => match self.route(reader, routing, name)? {
                Route::None => Err(unknown(name, name)),
                route => Ok(route),
            },
            None => Err(unknown(name, name)),
        }
    }

    /// What `plugin_routing` of a `meta/runtime.yml` says of a module.
    fn route(&self, reader: &Reader<'_>, file: &Path, module: &str) -> Result<Route, Problem> {
        if !reader.files.is_file(file) {
            return Ok(Route::None);
        }
        let document = reader.document(file, None)?;
        for kind in ["action", "modules"] {
            let entry = field(&document, &["plugin_routing", kind, module]).and_then(Node::as_map);
            let Some(entry) = entry else { continue };
            if let Some(next) = entry.get("redirect") {
                return Ok(Route::Redirect(text_of(next)));
            }
            if let Some(tombstone) = entry.get("tombstone").and_then(Node::as_map) {
                let why = tombstone
                    .get("warning_text")
                    .map(text_of)
                    .unwrap_or_default();
                return Ok(Route::Removed(why));
            }
        }
        Ok(Route::None)
    }

    /// Whether there is a lookup of this name outside of ansible.builtin: in an installed collection by its full name,
    /// in one of the collections of the scope, or moved to a collection.
    pub(crate) fn has_lookup(&self, reader: &Reader<'_>, name: &str, scope: &Scope) -> bool {
        let in_collection = |collection: &str, lookup: &str| {
            self.folder(reader, collection, scope)
                .is_some_and(|folder| {
                    is_plugin(reader, &folder.join("plugins/lookup").join(lookup))
                        || routes(reader, &folder.join("meta/runtime.yml"), "lookup", lookup)
                })
        };
        if let Some((collection, lookup)) = parts(name) {
            return in_collection(collection, lookup);
        }
        let collections = &scope.collections;
        let routing = reader.options.builtin_routing.as_ref();
        collections
            .iter()
            .any(|collection| in_collection(collection, name))
            || routing.is_some_and(|file| routes(reader, file, "lookup", name))
    }

    /// The modules of an action group, full names, for `module_defaults: {group/NAME: …}`. `name` is a full name
    /// (`amazon.aws.aws`); groups that it extends are included.
    pub(crate) fn action_group(
        &self,
        reader: &Reader<'_>,
        name: &str,
        scope: &Scope,
    ) -> Vec<String> {
        let mut modules = Vec::new();
        let mut wanted = vec![name.to_owned()];
        let mut seen: Vec<String> = Vec::new();
        while let Some(name) = wanted.pop() {
            if seen.contains(&name) {
                continue;
            }
            seen.push(name.clone());
            let Some((collection, group)) = parts(&name) else {
                continue;
            };
            let Some(folder) = self.folder(reader, collection, scope) else {
                continue;
            };
            let file = folder.join("meta/runtime.yml");
            let Ok(document) = reader.document(&file, None) else {
                continue;
            };
            let qualified = |name: String| match parts(&name) {
                Some(_) => name,
                None => format!("{collection}.{name}"),
            };
            let entries = field(&document, &["action_groups", group]).and_then(Node::as_list);
            for entry in entries.unwrap_or_default() {
                match field(entry, &["metadata", "extend_group"]) {
                    Some(more) => {
                        let more = more.as_list().unwrap_or(std::slice::from_ref(more));
                        wanted.extend(more.iter().map(|name| qualified(text_of(name))));
                    }
                    None if entry.as_map().is_none() => modules.push(qualified(text_of(entry))),
                    None => {}
                }
            }
        }
        modules
    }

    fn has_module(&self, reader: &Reader<'_>, folder: &Path, module: &str) -> bool {
        let key = (folder.to_owned(), module.to_owned());
        if let Some(known) = self.modules.borrow().get(&key) {
            return *known;
        }
        let path = module.replace('.', "/");
        let found = ["modules", "action"].iter().any(|kind| {
            let base = folder.join("plugins").join(kind).join(&path);
            is_plugin(reader, &base)
        });
        self.modules.borrow_mut().insert(key, found);
        found
    }
}

/// What stands below a path of keys.
fn field<'n>(node: &'n Node, path: &[&str]) -> Option<&'n Node> {
    path.iter()
        .try_fold(node, |node, key| node.as_map()?.get(key))
}

/// Whether `plugin_routing` of a `meta/runtime.yml` redirects a plug-in.
fn routes(reader: &Reader<'_>, file: &Path, kind: &str, name: &str) -> bool {
    reader.files.is_file(file)
        && reader.document(file, None).is_ok_and(|document| {
            field(&document, &["plugin_routing", kind, name, "redirect"]).is_some()
        })
}

/// `namespace.collection` and the rest of a full name.
fn parts(name: &str) -> Option<(&str, &str)> {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    let (first, rest) = name.split_once('.')?;
    let (second, last) = rest.split_once('.')?;
    let all = is_part(first) && is_part(second) && last.split('.').all(is_part);
    all.then(|| (&name[..first.len() + 1 + second.len()], last))
}

fn full_name(reader: &Reader<'_>, name: &str, scope: &Scope) -> String {
    match parts(name) {
        Some(("ansible.legacy", module)) => full_name(reader, module, scope),
        Some(_) => name.to_owned(),
        None if library(reader, name, scope) => name.to_owned(),
        None => format!("ansible.builtin.{name}"),
    }
}

/// Whether a file is a plug-in, whatever its language.
fn is_plugin(reader: &Reader<'_>, base: &Path) -> bool {
    plugins::of_base(reader, base, PluginFile::Module).is_some()
}

/// Whether a module is in a `library` or an action in an `action_plugins`, next to the playbook or in the role.
fn library(reader: &Reader<'_>, name: &str, scope: &Scope) -> bool {
    [PluginFile::Module, PluginFile::Action]
        .into_iter()
        .any(|kind| plugins::beside(reader, kind, name, scope).is_some())
}

fn removed(name: &str, why: &str) -> Problem {
    let problem = Problem::error(format!("the module `{name}` was removed"));
    if why.is_empty() {
        problem
    } else {
        problem.note(why.to_owned())
    }
}

fn unknown(name: &str, module: &str) -> Problem {
    let problem = Problem::error(format!("there is no module `{name}`"));
    if let Some(near) = rustle_formats::nearest(module, BUILTIN) {
        return problem.hint(format!("did you mean `{near}`?"));
    }
    let keywords: Vec<&str> = crate::play::KEYWORDS
        .iter()
        .map(|keyword| keyword.name)
        .collect();
    if let Some(near) = rustle_formats::nearest(module, &keywords) {
        return problem.hint(format!("did you mean the keyword `{near}`?"));
    }
    problem.hint("if it belongs to a collection, write its full name: NAMESPACE.COLLECTION.MODULE")
}
