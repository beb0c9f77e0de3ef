//! Where things were written: the files that were read, and places in them. A place is small, because every value has one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rustle_formats::plan::Source;

/// One of the files of a [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(u32);

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The file.
    pub file: FileId,
    /// The line, from 1; 0: the file as a whole.
    pub line: u32,
    /// The column in characters, from 1; 0: the line as a whole.
    pub column: u32,
}

/// The files that were read, with their texts, so that a message can show the line. Shared by all readers of a command.
#[derive(Debug, Default)]
pub struct Sources {
    files: RwLock<Vec<Arc<File>>>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    text: Arc<str>,
}

impl Sources {
    /// Adds a file with its text. `path` is what messages show.
    ///
    /// # Panics
    /// With more than 2³² files.
    pub fn add(&self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> FileId {
        let mut files = self.files.write().unwrap_or_else(|e| e.into_inner());
        let id = u32::try_from(files.len()).expect("fewer than 2^32 files are read");
        files.push(Arc::new(File {
            path: path.into(),
            text: text.into(),
        }));
        FileId(id)
    }

    /// The file's path, as it was added.
    pub fn path(&self, file: FileId) -> PathBuf {
        self.file(file).path.clone()
    }

    /// The file's text.
    pub fn text(&self, file: FileId) -> Arc<str> {
        Arc::clone(&self.file(file).text)
    }

    /// The text of a line, from 1.
    pub fn line(&self, position: Position) -> Option<String> {
        let line = usize::try_from(position.line).ok()?.checked_sub(1)?;
        self.file(position.file)
            .text
            .lines()
            .nth(line)
            .map(str::to_owned)
    }

    /// The place as a plan has it.
    pub fn source(&self, position: Position) -> Source {
        Source {
            file: show(&self.file(position.file).path),
            line: position.line,
            column: position.column,
        }
    }

    fn file(&self, file: FileId) -> Arc<File> {
        let files = self.files.read().unwrap_or_else(|e| e.into_inner());
        Arc::clone(&files[file.0 as usize])
    }
}

fn show(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_its_line() {
        let sources = Sources::default();
        let file = sources.add("a.yml", "one\ntwo\n");
        let at = Position {
            file,
            line: 2,
            column: 1,
        };
        assert_eq!(sources.line(at).as_deref(), Some("two"));
        assert_eq!(sources.source(at).file, "a.yml");
        assert_eq!(sources.line(Position { line: 3, ..at }), None);
        assert_eq!(sources.line(Position { line: 0, ..at }), None);
    }
}
