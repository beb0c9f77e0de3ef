//! The files of a role: `main` with its extensions, folders of variables, and files named by `…_from`.

use std::path::{Path, PathBuf};

use crate::play::{Entry, Reader, Scope, text_of};
use crate::problem::Problem;
use crate::yaml::{Node, NodeValue};

/// In the order in which they are tried.
const EXTENSIONS: [&str; 4] = [".yml", ".yaml", ".json", ""];

impl Reader<'_> {
    /// The document in a folder of a role: `main`, or the file named by `from`.
    pub(super) fn role_part(
        &self,
        role: &Path,
        part: &str,
        from: Option<&str>,
        asked: &Node,
    ) -> Result<Vec<Node>, Problem> {
        let folder = role.join(part);
        let name = from.unwrap_or("main");
        let mut tried = EXTENSIONS.map(|extension| folder.join(format!("{name}{extension}")));
        // A name with an extension is tried as it is first.
        tried.rotate_right(usize::from(from.is_some()));
        match tried.iter().find(|path| self.files.is_file(path)) {
            Some(path) => Ok(vec![self.document(path, Some(asked.at))?]),
            None if from.is_none() => Ok(Vec::new()),
            None => Err(missing(name, part, &folder, asked)),
        }
    }

    /// The variables of a role: a file, or else all files in a folder of that name.
    pub(super) fn role_vars(
        &self,
        role: &Path,
        part: &str,
        from: Option<&str>,
        asked: &Node,
    ) -> Result<Vec<Node>, Problem> {
        // A file goes before a folder of the same name.
        let folder = role.join(part).join(from.unwrap_or("main"));
        let documents = match self.role_part(role, part, from, asked) {
            Ok(documents) if !documents.is_empty() => documents,
            _ if self.files.is_folder(&folder) => {
                let mut files = Vec::new();
                self.variable_files(&folder, 0, &mut files);
                files
                    .iter()
                    .map(|path| self.document(path, Some(asked.at)))
                    .collect::<Result<Vec<_>, _>>()?
            }
            other => other?,
        };
        let mut out = Vec::new();
        for document in documents {
            match &document.value {
                NodeValue::Null => {}
                NodeValue::Map(_) => out.push(document),
                _ => {
                    return Err(Problem::error(format!(
                        "`{part}` of a role is a mapping of names and values, and this is {}",
                        document.kind()
                    ))
                    .at(document.at));
                }
            }
        }
        Ok(out)
    }

    fn variable_files(&self, folder: &Path, depth: usize, out: &mut Vec<PathBuf>) {
        let mut names = self.files.names(folder);
        names.sort();
        for name in names {
            let path = folder.join(&name);
            let hidden = name.starts_with('.') || name.ends_with('~');
            if self.files.is_folder(&path) {
                if depth < 16 && !hidden {
                    self.variable_files(&path, depth + 1, out);
                }
            } else if !hidden
                && [".yml", ".yaml", ".json"]
                    .iter()
                    .any(|end| name.ends_with(end))
            {
                out.push(path);
            }
        }
    }

    /// The tasks or handlers of a role.
    pub(super) fn role_entries(
        &self,
        role: &Path,
        part: &str,
        from: Option<&str>,
        asked: &Node,
        scope: &Scope,
    ) -> Result<Vec<Entry>, Problem> {
        let mut inner = scope.clone();
        inner.handlers = part == "handlers";
        inner.folders.push(role.join(part));
        match self.role_part(role, part, from, asked)?.pop() {
            Some(document) => self.entries(&document, &format!("`{part}` of a role"), &inner),
            None => Ok(Vec::new()),
        }
    }
}

fn missing(name: &str, part: &str, folder: &Path, asked: &Node) -> Problem {
    Problem::error(format!(
        "the role `{}` has no file `{part}/{name}`",
        text_of(asked)
    ))
    .at(asked.at)
    .note(format!("looked into {}", folder.display()))
}
