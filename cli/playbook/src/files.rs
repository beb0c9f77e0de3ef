//! Access to files, so that nothing in this crate touches the file system by itself.

use std::io;
use std::path::{Component, Path, PathBuf};

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file, or a link to one.
    File,
    /// A folder, or a link to one.
    Folder,
}

/// The files of a repository. What is vaulted is handed out decrypted.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// Those of the file system, and of decrypting.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// What stands at the path, if anything.
    fn kind(&self, path: &Path) -> Option<Kind>;

    /// The names in a folder, in any order; none if it is no folder.
    fn names(&self, path: &Path) -> Vec<String>;

    /// Whether the path is a file.
    fn is_file(&self, path: &Path) -> bool {
        self.kind(path) == Some(Kind::File)
    }

    /// Whether the path is a folder.
    fn is_folder(&self, path: &Path) -> bool {
        self.kind(path) == Some(Kind::Folder)
    }
}

/// A path without `.` and `..`, as text: links are not followed.
pub(crate) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                let above = matches!(
                    out.components().next_back(),
                    None | Some(Component::ParentDir)
                );
                if above {
                    out.push("..");
                } else {
                    out.pop();
                }
            }
            other => out.push(other),
        }
    }
    if out.as_os_str().is_empty() {
        out.push(".");
    }
    out
}

/// The folder that a file stands in; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Files in memory.
    #[derive(Default)]
    pub(crate) struct Memory(BTreeMap<PathBuf, String>);

    impl Memory {
        pub(crate) fn new(files: &[(&str, &str)]) -> Memory {
            Memory(
                files
                    .iter()
                    .map(|(path, text)| (path.into(), (*text).to_owned()))
                    .collect(),
            )
        }
    }

    impl Files for Memory {
        fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
            let text = self.0.get(&clean(path));
            text.map(|text| text.clone().into_bytes())
                .ok_or_else(|| io::ErrorKind::NotFound.into())
        }

        fn kind(&self, path: &Path) -> Option<Kind> {
            let path = clean(path);
            if self.0.contains_key(&path) {
                return Some(Kind::File);
            }
            self.0
                .keys()
                .any(|key| key.starts_with(&path))
                .then_some(Kind::Folder)
        }

        fn names(&self, path: &Path) -> Vec<String> {
            let path = clean(path);
            let mut names: Vec<String> = self
                .0
                .keys()
                .filter_map(|key| key.strip_prefix(&path).ok()?.components().next())
                .map(|name| name.as_os_str().to_string_lossy().into_owned())
                .collect();
            names.dedup();
            names
        }
    }

    #[test]
    fn clean_paths() {
        assert_eq!(clean(Path::new("a/./b/../c")), Path::new("a/c"));
        assert_eq!(clean(Path::new("../a")), Path::new("../a"));
        assert_eq!(clean(Path::new("a/..")), Path::new("."));
    }
}
