//! YAML as PyYAML and Ansible read it, with the place of every value.
//!
//! The grammar is libyaml's, which Ansible uses, through a port to Rust: parsers of YAML 1.2 refuse what real
//! playbooks contain (a flow list that is closed in the first column, say). Scalars mean what they mean in YAML 1.1.
//! [`read`] gives the only document of a file as a [`Node`].

mod compose;
mod convert;
mod events;
mod json;
mod mapping;
mod node;
mod syntax;
mod tags;

use std::path::Path;

pub use node::{Mapping, Node, NodeValue, Style, Text, Vault};

use crate::problem::Problem;
use crate::source::{FileId, Position, Sources};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 100 << 20;

/// What happens when a key is there twice in one mapping (Ansible's `DUPLICATE_YAML_DICT_KEY`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DuplicateKeys {
    /// The last one counts, with a warning.
    #[default]
    Warn,
    /// The last one counts.
    Ignore,
    /// An error.
    Error,
}

/// How files are read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// What happens when a key is there twice in one mapping. Default: a warning.
    pub duplicate_keys: DuplicateKeys,
}

/// What a file contains.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file, for messages.
    pub file: FileId,
    /// Its value; `Null` for an empty file.
    pub root: Node,
    /// What Ansible warns of.
    pub warnings: Vec<Problem>,
}

/// Reads the text of a file: JSON if it is JSON, else YAML. `path` is what messages show.
///
/// # Errors
/// Text that is neither, more than one document, a document beyond the bounds (100 MB, 100 levels, ten million values).
pub fn read(
    sources: &Sources,
    path: &Path,
    bytes: &[u8],
    options: &Options,
) -> Result<Document, Problem> {
    if bytes.len() > MAX_BYTES {
        let file = sources.add(path, "");
        return Err(Problem::error(format!(
            "the file has {} bytes, and more than {MAX_BYTES} are not read",
            bytes.len()
        ))
        .at(whole(file)));
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let file = sources.add(path, String::from_utf8_lossy(bytes));
            return Err(not_utf8(bytes, error.valid_up_to(), file));
        }
    };
    let file = sources.add(path, text);
    read_text(text, file, options)
}

/// Reads a text that is among the sources already, and maybe was decrypted.
///
/// # Errors
/// As [`read`].
pub fn read_text(text: &str, file: FileId, options: &Options) -> Result<Document, Problem> {
    let done = |root: Option<Node>, warnings| Document {
        file,
        root: root.unwrap_or(Node {
            value: NodeValue::Null,
            at: whole(file),
        }),
        warnings,
    };
    if let Some(root) = json::read(text, file) {
        return Ok(done(Some(root), Vec::new()));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    refuse_control_characters(text, file)?;
    let (text, inserted) = events::separated(text);
    let events = events::Events::new(&text, &inserted, file);
    let mut composer = compose::Composer::new(&text, events, options);
    let root = composer.document()?;
    Ok(done(root, composer.warnings))
}

fn whole(file: FileId) -> Position {
    Position {
        file,
        line: 0,
        column: 0,
    }
}

/// The place of an offset.
fn place(before: &str, file: FileId) -> Position {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    Position {
        file,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
    }
}

fn not_utf8(bytes: &[u8], offset: usize, file: FileId) -> Problem {
    let before = String::from_utf8_lossy(&bytes[..offset]);
    Problem::error(format!("the byte 0x{:02x} is no UTF-8", bytes[offset]))
        .at(place(&before, file))
        .over(1)
        .hint("save the file as UTF-8")
}

/// YAML allows no control characters but tabs and line breaks.
fn refuse_control_characters(text: &str, file: FileId) -> Result<(), Problem> {
    let suspect = |byte: &u8| (*byte < b' ' && !b"\t\n\r".contains(byte)) || *byte >= 0x7f;
    let Some(start) = text.as_bytes().iter().position(suspect) else {
        return Ok(());
    };
    // What precedes a suspect byte is ASCII, so that this is a border between characters.
    let found = text[start..].char_indices().find(|(_, c)| {
        let allowed = matches!(c, '\t' | '\n' | '\r' | ' '..='\u{7e}' | '\u{85}'
            | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
        !allowed
    });
    match found {
        None => Ok(()),
        Some((offset, c)) => Err(Problem::error(format!(
            "the character U+{:04X} is not allowed in YAML",
            u32::from(c)
        ))
        .at(place(&text[..start + offset], file))
        .over(1)
        .hint("remove it, or write it in double quotes as an escape (`\\x1b`)")),
    }
}

/// For the fuzzer: whatever the bytes are, they give a value or a problem.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let _ = read(
        &Sources::default(),
        Path::new("x"),
        bytes,
        &Options::default(),
    );
}

#[cfg(test)]
mod tests;
