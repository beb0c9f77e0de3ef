//! Roles: where they are, which files they consist of, what they depend on.

mod parts;
mod validation;

use std::path::PathBuf;
use std::sync::Arc;

use crate::files::clean;
use crate::play::{Keywords, Reader, RoleUse, Scope, meta_keyword, role_folders, text_of};
use crate::problem::Problem;
use crate::yaml::{Mapping, Node, NodeValue};

/// A role, independent of where it is used. Which of its files count may depend on `…_from`.
#[derive(Debug, Clone, PartialEq)]
pub struct Role {
    /// Its name, in full if it is in a collection.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The name by which it was asked for, in full too: a role in a folder of a collection's roles has that folder in it.
    pub called: String,
    /// The collection that it is in.
    pub collection: Option<String>,
    /// `defaults`, one mapping a file.
    pub defaults: Vec<Node>,
    /// `vars`, one mapping a file.
    pub vars: Vec<Node>,
    /// `meta/main.yml`: `allow_duplicates`.
    pub allow_duplicates: bool,
    /// `meta/main.yml`, with fields such as `galaxy_info`.
    pub meta: Option<Node>,
}

/// Other files in place of `main`.
#[derive(Debug, Clone, PartialEq)]
pub struct From<T> {
    /// `tasks_from`
    pub tasks: Option<T>,
    /// `vars_from`
    pub vars: Option<T>,
    /// `defaults_from`
    pub defaults: Option<T>,
    /// `handlers_from`
    pub handlers: Option<T>,
    /// `rolespec_validate: false`
    pub skip_validation: bool,
}

impl<T> Default for From<T> {
    fn default() -> Self {
        From {
            tasks: None,
            vars: None,
            defaults: None,
            handlers: None,
            skip_validation: false,
        }
    }
}

impl<T> From<T> {
    pub(crate) fn try_map<U>(
        &self,
        f: impl Fn(&T) -> Result<U, Problem>,
    ) -> Result<From<U>, Problem> {
        Ok(From {
            tasks: self.tasks.as_ref().map(&f).transpose()?,
            vars: self.vars.as_ref().map(&f).transpose()?,
            defaults: self.defaults.as_ref().map(&f).transpose()?,
            handlers: self.handlers.as_ref().map(&f).transpose()?,
            skip_validation: self.skip_validation,
        })
    }
}

impl Reader<'_> {
    /// A role with its dependencies and tasks, where it is used. `node` is where it is named.
    pub(crate) fn role_use(
        &self,
        name: &str,
        node: &Node,
        from: From<String>,
        keywords: &Keywords,
        params: Vec<(Node, Node)>,
        scope: &Scope,
    ) -> Result<Arc<RoleUse>, Problem> {
        let (path, collection) = self.find_role(name, node, scope)?;
        self.collections.meet(self, &path);
        let meta = self.role_part(&path, "meta", None, node)?.pop();
        let meta_map = meta
            .as_ref()
            .map(|meta| self.meta(meta))
            .transpose()?
            .flatten();
        let field = |name: &str| meta_map.and_then(|map| map.get(name));
        let role = Arc::new(Role {
            called: match &collection {
                Some(collection) if !name.contains('.') => format!("{collection}.{name}"),
                _ => name.to_owned(),
            },
            name: match &collection {
                // A role in a folder of the collection's roles is called as one beside them.
                Some(collection) => {
                    let short = name.rsplit('.').next().unwrap_or(name);
                    format!("{collection}.{short}")
                }
                None => name.to_owned(),
            },
            defaults: self.role_vars(&path, "defaults", from.defaults.as_deref(), node)?,
            vars: self.role_vars(&path, "vars", from.vars.as_deref(), node)?,
            allow_duplicates: field("allow_duplicates")
                .and_then(Node::as_bool)
                .unwrap_or(false),
            meta: meta.clone(),
            path: path.clone(),
            collection: collection.clone(),
        });
        let inner = role_scope(scope, &role, collection, field("collections"));
        let dependencies = match field("dependencies") {
            Some(list) => self.roles(list, &inner)?,
            None => Vec::new(),
        };
        let tasks = self.role_entries(&path, "tasks", from.tasks.as_deref(), node, &inner)?;
        let handlers =
            self.role_entries(&path, "handlers", from.handlers.as_deref(), node, &inner)?;
        let validation = if from.skip_validation {
            None
        } else {
            self.role_validation(&path, from.tasks.as_deref(), field("argument_specs"), node)?
        };
        Ok(Arc::new(RoleUse {
            at: node.at,
            role,
            keywords: keywords.clone(),
            params,
            dependencies,
            validation,
            tasks,
            handlers,
        }))
    }

    /// The folder of a role, and the collection that it is in.
    fn find_role(
        &self,
        name: &str,
        node: &Node,
        scope: &Scope,
    ) -> Result<(PathBuf, Option<String>), Problem> {
        if let Some(found) = self.collections.role(self, name, scope) {
            return Ok(found);
        }
        let candidates = self.role_candidates(name, scope);
        if let Some(path) = candidates.iter().find(|path| self.files.is_folder(path)) {
            return Ok((path.clone(), None));
        }
        let mut problem = Problem::error(format!("there is no role `{name}`"))
            .general()
            .at(node.at)
            .over(text_of(node).chars().count());
        for path in &candidates {
            problem = problem.note(format!("looked for {}", path.display()));
        }
        let known = self.role_names(scope);
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        if let Some(near) = rustle_formats::nearest(name, &known) {
            problem = problem.hint(format!("there is a role `{near}`"));
        } else if name.matches('.').count() == 2 {
            let collection = name
                .rsplit_once('.')
                .map_or("", |(collection, _)| collection);
            problem = problem.hint(format!(
                "install the collection: ansible-galaxy collection install {collection}"
            ));
        }
        Err(problem)
    }

    /// Where a role may be, in Ansible's order.
    pub(crate) fn role_candidates(&self, name: &str, scope: &Scope) -> Vec<PathBuf> {
        let mut out: Vec<PathBuf> = Vec::new();
        if let Some((path, _)) = self.collections.role(self, name, scope) {
            out.push(path);
        }
        for folder in role_folders(self, scope) {
            let path = clean(&folder.join(name));
            if !out.contains(&path) {
                out.push(path);
            }
        }
        out
    }

    fn role_names(&self, scope: &Scope) -> Vec<String> {
        let folders = role_folders(self, scope);
        folders
            .iter()
            .flat_map(|folder| self.files.names(folder))
            .collect()
    }

    /// The fields of `meta/main.yml`.
    fn meta<'m>(&self, meta: &'m Node) -> Result<Option<&'m Mapping>, Problem> {
        let map = match &meta.value {
            NodeValue::Null => return Ok(None),
            NodeValue::Map(map) => map,
            _ => {
                return Err(Problem::error(format!(
                    "the metadata of a role is a mapping, and this is {}",
                    meta.kind()
                ))
                .at(meta.at));
            }
        };
        for (key, _) in map.iter() {
            let name = text_of(key);
            if !META.contains(&name.as_str()) && meta_keyword(&name).is_none() {
                let mut problem =
                    Problem::error(format!("`{name}` is no field of a role's metadata"))
                        .at(key.at)
                        .over(name.chars().count());
                if let Some(near) = rustle_formats::nearest(&name, META) {
                    problem = problem.hint(format!("did you mean `{near}`?"));
                }
                return Err(problem);
            }
        }
        Ok(Some(map))
    }
}

const META: &[&str] = &[
    "allow_duplicates",
    "argument_specs",
    "collections",
    "dependencies",
    "galaxy_info",
    "standalone",
];

fn role_scope(
    scope: &Scope,
    role: &Arc<Role>,
    collection: Option<String>,
    collections: Option<&Node>,
) -> Scope {
    let mut inner = scope.clone();
    inner.folders.clear();
    inner.collections = collection.into_iter().collect();
    if let Some(NodeValue::List(list)) = collections.map(|node| &node.value) {
        inner.collections.extend(list.iter().map(text_of));
    }
    // Defaults are the weakest: they come before all that is known already.
    let maps = |nodes: &[Node]| {
        let maps = nodes.iter().filter_map(|node| match &node.value {
            NodeValue::Map(map) => Some(map.clone()),
            _ => None,
        });
        maps.collect::<Vec<_>>()
    };
    inner.vars.splice(0..0, maps(&role.defaults));
    inner.vars.extend(maps(&role.vars));
    inner.role = Some(role.clone());
    inner
}
