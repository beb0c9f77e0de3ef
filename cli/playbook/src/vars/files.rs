//! The files of group_vars/ and host_vars/.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::variables::{HashBehaviour, Variables};
use crate::problem::Problem;
use crate::source::Sources;
use crate::vault::{Vault, is_encrypted};
use crate::yaml;

/// Reads files of variables, each once.
#[derive(Debug)]
pub struct VarsFiles<'a> {
    /// Where texts are kept for messages.
    pub sources: &'a Sources,
    /// The passwords of encrypted files.
    pub vault: &'a Vault,
    /// The extensions of such files, with their dots (Ansible's `YAML_FILENAME_EXTENSIONS`).
    pub extensions: Vec<String>,
    /// How several files of one directory go together.
    pub behaviour: HashBehaviour,
    /// How YAML is read.
    pub options: yaml::Options,
    known: HashMap<PathBuf, Option<Arc<Variables>>>,
    folders: HashMap<PathBuf, bool>,
    warnings: Vec<Problem>,
}

/// Deeper folders are refused: they are a loop of links.
const MAX_DEPTH: usize = 40;

impl<'a> VarsFiles<'a> {
    /// A reader with Ansible's defaults.
    pub fn new(sources: &'a Sources, vault: &'a Vault) -> VarsFiles<'a> {
        VarsFiles {
            sources,
            vault,
            extensions: [".yml", ".yaml", ".json"].map(str::to_owned).to_vec(),
            behaviour: HashBehaviour::Replace,
            options: yaml::Options::default(),
            known: HashMap::new(),
            folders: HashMap::new(),
            warnings: Vec::new(),
        }
    }

    /// What Ansible warns of in the files that were read. Empties it.
    pub fn take_warnings(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.warnings)
    }

    /// The variables of an entity (`web`) below a folder (`…/group_vars`): of the first that is there of `web`, `web.yml`,
    /// `web.yaml`, `web.json`, which may be a directory with files.
    ///
    /// # Errors
    /// Where a file cannot be read, decrypted or parsed, or is no mapping.
    pub fn entity(&mut self, folder: &Path, name: &str) -> Result<Option<Arc<Variables>>, Problem> {
        // A name with slashes would climb out; an absolute one would replace the folder.
        if name.contains('/') || !self.is_folder(folder) {
            return Ok(None);
        }
        let path = folder.join(name);
        if let Some(known) = self.known.get(&path) {
            return Ok(known.clone());
        }
        let found = self.find(&path)?.map(Arc::new);
        self.known.insert(path, found.clone());
        Ok(found)
    }

    /// Thousands of hosts ask for the same few folders.
    fn is_folder(&mut self, folder: &Path) -> bool {
        if let Some(known) = self.folders.get(folder) {
            return *known;
        }
        let is = folder.is_dir();
        self.folders.insert(folder.to_owned(), is);
        is
    }

    fn find(&mut self, path: &Path) -> Result<Option<Variables>, Problem> {
        let candidates = std::iter::once(String::new()).chain(self.extensions.clone());
        for extension in candidates {
            let mut candidate = path.as_os_str().to_owned();
            candidate.push(&extension);
            let candidate = PathBuf::from(candidate);
            let Ok(meta) = fs::metadata(&candidate) else {
                continue;
            };
            let mut out = Variables::default();
            if meta.is_dir() {
                let mut files = Vec::new();
                self.collect(&candidate, &mut files, 0)?;
                for file in files {
                    let vars = self.read(&file)?;
                    out.merge(&vars, self.behaviour);
                }
            } else {
                out = self.read(&candidate)?;
            }
            return Ok(Some(out));
        }
        Ok(None)
    }

    /// The files of a directory and of those in it, in the order of their names.
    fn collect(&self, folder: &Path, out: &mut Vec<PathBuf>, depth: usize) -> Result<(), Problem> {
        let wrong = |e: io::Error| Problem::error(format!("cannot read {}: {e}", folder.display()));
        if depth > MAX_DEPTH {
            return Err(Problem::error(format!(
                "{} lies more than {MAX_DEPTH} folders deep",
                folder.display()
            )));
        }
        let mut names = Vec::new();
        for entry in fs::read_dir(folder).map_err(wrong)? {
            names.push(entry.map_err(wrong)?.file_name());
        }
        names.sort();
        for name in names {
            let text = name.to_string_lossy();
            if text.starts_with('.') || text.ends_with('~') {
                continue;
            }
            let path = folder.join(&name);
            if path.is_dir() {
                self.collect(&path, out, depth + 1)?;
            } else {
                let extension = path
                    .extension()
                    .map(|e| format!(".{}", e.to_string_lossy()));
                if extension.is_none_or(|e| self.extensions.contains(&e)) {
                    out.push(path);
                }
            }
        }
        Ok(())
    }

    /// Reads a file of variables, encrypted or not.
    ///
    /// # Errors
    /// Where it cannot be read, decrypted or parsed, or is no mapping.
    pub fn read(&mut self, path: &Path) -> Result<Variables, Problem> {
        let bytes = fs::read(path).map_err(|e| {
            Problem::error(format!("cannot read {}: {e}", path.display())).general()
        })?;
        let document = if is_encrypted(&bytes) {
            let plain = self
                .vault
                .decrypt(&bytes)
                .map_err(|e| Problem::error(format!("{}: {e}", path.display())).general())?;
            yaml::read(self.sources, path, &plain.text, &self.options)?
        } else {
            yaml::read(self.sources, path, &bytes, &self.options)?
        };
        self.warnings.extend(document.warnings);
        if document.root.is_null() {
            return Ok(Variables::default());
        }
        let Some(mapping) = document.root.as_map() else {
            return Err(Problem::error(format!(
                "{} must be a mapping of variables, and is {}",
                path.display(),
                document.root.kind()
            ))
            .at(document.root.at));
        };
        let (vars, refused) = Variables::from_mapping(mapping);
        self.warnings.extend(refused.iter().map(|key| {
            Problem::warning(format!(
                "a variable's name must be text, and is {}",
                key.kind()
            ))
            .at(key.at)
            .hint("quote it")
        }));
        Ok(vars)
    }
}
