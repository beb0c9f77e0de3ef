//! A path's shortest spelling, by its text alone.

use std::path::{Component, Path, PathBuf};

/// The path without `.`, `..` and repeated slashes. Nothing is looked up on the disk, so links are not followed; `..` above
/// the beginning disappears.
pub fn lexical(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_alone_decides() {
        for (path, shortest) in [
            ("/a/./b//c", "/a/b/c"),
            ("/a/../b", "/b"),
            ("/../b", "/b"),
            ("a/..", ""),
            ("../a", "a"),
        ] {
            assert_eq!(lexical(Path::new(path)), Path::new(shortest), "{path}");
        }
    }
}
