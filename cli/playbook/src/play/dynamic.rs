//! What is read for tasks that include at run time: any file of tasks, any role, any file of variables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entries::texts;
use super::keywords::Keywords;
use super::model::{Entry, RoleUse};
use super::plays::role_folders;
use super::reader::{Reader, Scope};
use crate::collections::plugins::PluginFile;
use crate::files::{Kind, parent};
use crate::problem::Problem;
use crate::roles::{From, Role};
use crate::yaml::{Mapping, Node};

/// Where a task stands.
#[derive(Debug, Clone)]
pub struct Site {
    /// The playbook's folder.
    pub playbook_dir: PathBuf,
    /// The folder of the file that the task stands in.
    pub folder: PathBuf,
    /// The role that it belongs to.
    pub role: Option<Arc<Role>>,
    /// Whether it is a handler.
    pub handlers: bool,
    /// `collections` of what surrounds it.
    pub collections: Vec<String>,
}

impl Site {
    /// One for the tasks of a play.
    pub fn of_play(file: &Path, collections: Option<&Node>) -> Site {
        Site {
            playbook_dir: parent(file).to_owned(),
            folder: parent(file).to_owned(),
            role: None,
            handlers: false,
            collections: collections.map(texts).unwrap_or_default(),
        }
    }

    fn scope(&self) -> Scope {
        Scope {
            playbook_dir: self.playbook_dir.clone(),
            folders: vec![self.folder.clone()],
            role: self.role.clone(),
            handlers: self.handlers,
            in_block: false,
            collections: self.collections.clone(),
            vars: Vec::new(),
            depth: 0,
        }
    }
}

impl Reader<'_> {
    /// The tasks of a file that a task at `site` may include.
    ///
    /// # Errors
    /// Where it is no file of tasks.
    pub fn included_tasks(&self, path: &Path, site: &Site) -> Result<Vec<Entry>, Problem> {
        let mut scope = site.scope();
        scope.folders = vec![parent(path).to_owned()];
        let document = self.document(path, None)?;
        self.entries(&document, "a file of tasks", &scope)
    }

    /// A role that a task at `site` may include. `node` is where it is named.
    ///
    /// # Errors
    /// Where there is none, or it is wrong.
    pub fn included_role(
        &self,
        name: &str,
        node: &Node,
        from: From<String>,
        site: &Site,
    ) -> Result<Arc<RoleUse>, Problem> {
        let keywords = Keywords::default();
        self.role_use(name, node, from, &keywords, Vec::new(), &site.scope())
    }

    /// The names of the roles in the folders that a task at `site` may include roles from.
    pub fn roles_around(&self, site: &Site) -> Vec<String> {
        const PARTS: [&str; 6] = ["tasks", "handlers", "defaults", "vars", "meta", "files"];
        let mut out: Vec<String> = Vec::new();
        for folder in role_folders(self, &site.scope()) {
            for name in self.files.names(&folder) {
                let role = folder.join(&name);
                if PARTS
                    .iter()
                    .any(|part| self.files.is_folder(&role.join(part)))
                {
                    out.push(name);
                }
            }
        }
        out.sort_unstable();
        out.dedup();
        out
    }

    /// All YAML files below a folder, at most `depth` folders deep, sorted.
    pub fn yaml_below(&self, folder: &Path, depth: usize) -> Vec<PathBuf> {
        let mut out = Vec::new();
        for name in self.files.names(folder) {
            let path = folder.join(&name);
            match self.files.kind(&path) {
                Some(Kind::Folder) if depth > 0 => out.extend(self.yaml_below(&path, depth - 1)),
                Some(Kind::File)
                    if [".yml", ".yaml", ".json"]
                        .iter()
                        .any(|end| name.ends_with(end)) =>
                {
                    out.push(path);
                }
                _ => {}
            }
        }
        out.sort_unstable();
        out
    }

    /// The folders of files in which a task at `site` looks for a file of tasks, in Ansible's order.
    pub fn task_folders(&self, site: &Site) -> Vec<PathBuf> {
        let mut out = vec![site.folder.clone()];
        match &site.role {
            Some(role) => out.push(role.path.join("tasks")),
            None => out.push(site.playbook_dir.join("tasks")),
        }
        out.dedup();
        out
    }

    /// A file of variables, as a mapping. `asked` is where it is named.
    ///
    /// # Errors
    /// Where it cannot be read, or is no mapping.
    pub fn variables_file(&self, path: &Path, asked: &Node) -> Result<Node, Problem> {
        let node = self.document(path, Some(asked.at))?;
        if node.is_null() || node.as_map().is_some() {
            return Ok(node);
        }
        Err(Problem::error(format!(
            "a file of variables is a mapping, and this is {}",
            node.kind()
        ))
        .at(node.at))
    }

    /// The file of the module or action plugin that a task at `site` means by a full name, or by the short name of one that
    /// lies in no collection.
    pub fn plugin_file(&self, kind: PluginFile, name: &str, site: &Site) -> Option<PathBuf> {
        crate::collections::plugins::file(self, kind, name, &site.scope())
    }

    /// Whether there is a file at the path.
    pub fn is_file(&self, path: &Path) -> bool {
        self.files.is_file(path)
    }

    /// A text whose templates may use `vars` and the extra variables only.
    ///
    /// # Errors
    /// Where it needs others.
    pub fn rendered(
        &self,
        node: &Node,
        site: &Site,
        vars: &[Arc<Mapping>],
    ) -> Result<String, Problem> {
        let mut scope = site.scope();
        scope.vars = vars.to_vec();
        self.render(node, &scope)
    }
}
