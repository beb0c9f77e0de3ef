//! The texts and the small mappings that `--diff` shows.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustle_formats::{Map, Value};

/// Files above this size are not shown, only named: Ansible's default for `max_diff_size`.
pub(crate) const LIMIT: u64 = 104_448;
/// How much of a file is looked at for NUL bytes.
const HEAD: usize = 8192;

/// What changes of a file's attributes: names and values before and after.
#[derive(Debug, Default, Clone)]
pub(crate) struct Pair {
    /// Values before.
    pub(crate) before: Map,
    /// Values after.
    pub(crate) after: Map,
}

impl Pair {
    /// Notes a change.
    pub(crate) fn note(&mut self, name: &str, before: impl Into<Value>, after: impl Into<Value>) {
        self.before.insert(name.to_owned(), before.into());
        self.after.insert(name.to_owned(), after.into());
    }

    /// As a result holds it.
    pub(crate) fn into_value(self) -> Value {
        let mut map = Map::new();
        map.insert("before".into(), self.before.into());
        map.insert("after".into(), self.after.into());
        Value::Map(map)
    }
}

/// Whether bytes are no text: they hold a NUL.
pub(crate) fn is_binary(bytes: &[u8]) -> bool {
    bytes.iter().take(HEAD).any(|b| *b == 0)
}

/// One side of a difference.
pub(crate) enum Side {
    /// The text.
    Text(String),
    /// More than [`LIMIT`] bytes.
    Large,
    /// No text.
    Binary,
}

impl Side {
    /// Of bytes in memory.
    pub(crate) fn of(bytes: &[u8]) -> Side {
        if is_binary(bytes) {
            Side::Binary
        } else if bytes.len() as u64 > LIMIT {
            Side::Large
        } else {
            Side::Text(String::from_utf8_lossy(bytes).into_owned())
        }
    }

    /// Of a file. One that cannot be read counts as empty.
    pub(crate) fn of_file(path: &Path) -> Side {
        let mut head = Vec::new();
        let Ok(file) = File::open(path) else {
            return Side::Text(String::new());
        };
        // An error in the middle leaves what was read, which is enough to show.
        let _ = file.take(LIMIT + 1).read_to_end(&mut head);
        Side::of(&head)
    }

    /// Content that is not shown has no header either.
    fn put(self, map: &mut Map, side: &str, header: Option<String>) {
        let short = if side == "before" { "dst" } else { "src" };
        match self {
            Side::Text(text) => {
                if let Some(header) = header {
                    map.insert(format!("{side}_header"), header.into());
                }
                map.insert(side.to_owned(), text.into());
            }
            Side::Large => {
                map.insert(format!("{short}_larger"), Value::Int(LIMIT as i64));
            }
            Side::Binary => {
                map.insert(format!("{short}_binary"), Value::Int(1));
            }
        }
    }
}

/// A difference between two contents, with what each side is called.
pub(crate) fn contents(
    before: Side,
    after: Side,
    before_header: Option<String>,
    after_header: Option<String>,
) -> Value {
    let mut map = Map::new();
    before.put(&mut map, "before", before_header);
    after.put(&mut map, "after", after_header);
    Value::Map(map)
}
