//! Shell-like patterns over the file system (`*`, `?`, `[…]`), for arguments such as `creates`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustle_formats::order;

/// Whether anything exists that the pattern matches; a relative pattern is looked for below `base`. A broken symbolic
/// link counts: its name is taken.
pub fn any_match(base: &Path, pattern: &str) -> bool {
    !matches(base, pattern, 1).is_empty()
}

/// All paths that the pattern matches, sorted.
pub fn all_matches(base: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = matches(base, pattern, usize::MAX);
    order::sort(&mut found);
    found
}

fn matches(base: &Path, pattern: &str, limit: usize) -> Vec<PathBuf> {
    if pattern.is_empty() {
        return Vec::new();
    }
    let full = base.join(pattern);
    if !pattern.contains(['*', '?', '[']) {
        return if full.symlink_metadata().is_ok() {
            vec![full]
        } else {
            Vec::new()
        };
    }
    let start = if pattern.starts_with('/') {
        PathBuf::from("/")
    } else {
        base.to_owned()
    };
    let parts: Vec<&str> = pattern.split('/').filter(|p| !p.is_empty()).collect();
    let mut found = Vec::new();
    descend(&start, &parts, limit, &mut found);
    found
}

fn descend(dir: &Path, parts: &[&str], limit: usize, found: &mut Vec<PathBuf>) {
    let Some((part, rest)) = parts.split_first() else {
        found.push(dir.to_owned());
        return;
    };
    if found.len() >= limit {
        return;
    }
    if !part.contains(['*', '?', '[']) {
        let next = dir.join(part);
        if next.symlink_metadata().is_ok() {
            descend(&next, rest, limit, found);
        }
        return;
    }
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    for entry in entries.flatten() {
        if matches_name(&entry.file_name(), part) {
            descend(&dir.join(entry.file_name()), rest, limit, found);
        }
    }
}

/// Whether a name fits a shell pattern; hidden names only where the pattern says so.
pub(crate) fn matches_name(name: &OsStr, pattern: &str) -> bool {
    let name = name.to_string_lossy();
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let name: Vec<char> = name.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    fnmatch(&name, &pattern)
}

/// One name against one pattern. A star backtracks only to the last one, so the time is bounded by the product of the
/// lengths.
fn fnmatch(name: &[char], pattern: &[char]) -> bool {
    let (mut n, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            None if n == name.len() => return true,
            None => None,
            Some(_) if n == name.len() => None,
            Some('?') => Some(1),
            Some('[') => match class(&pattern[p..], name[n]) {
                Some((true, length)) => Some(length),
                Some((false, _)) => None,
                None => (name[n] == '[').then_some(1),
            },
            Some(c) => (*c == name[n]).then_some(1),
        };
        match (step, star) {
            (Some(length), _) => {
                p += length;
                n += 1;
            }
            (None, Some((after, from))) if from < name.len() => {
                star = Some((after, from + 1));
                p = after;
                n = from + 1;
            }
            (None, _) => return false,
        }
    }
}

/// A bracket expression at the start of `pattern`: whether it takes `c`, and its length. `None` where it is not closed,
/// and so stands for itself.
fn class(pattern: &[char], c: char) -> Option<(bool, usize)> {
    let negated = pattern.get(1) == Some(&'!');
    let start = if negated { 2 } else { 1 };
    let end = (start + 1..pattern.len()).find(|i| pattern[*i] == ']')?;
    let set = &pattern[start..end];
    let mut i = 0;
    let mut inside = false;
    while i < set.len() {
        if i + 2 < set.len() && set[i + 1] == '-' {
            inside |= set[i] <= c && c <= set[i + 2];
            i += 3;
        } else {
            inside |= set[i] == c;
            i += 1;
        }
    }
    Some((inside != negated, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let m = |n: &str, p: &str| matches_name(OsStr::new(n), p);
        assert!(m("passwd", "pass*") && m("abc", "a?c") && m("abc", "*b*") && m("a]c", "a[]]c"));
        assert!(m("f1", "f[0-9]") && m("fx", "f[!0-9]") && m("[", "[") && m("aaab", "*a*b"));
        assert!(!m("passwd", "pass") && !m(".hid", "*") && m(".hid", ".*") && !m("f1", "f[!0-9]"));
        assert!(!m(&"a".repeat(60), &format!("{}b", "a*".repeat(25))));
    }

    #[test]
    fn files() -> std::io::Result<()> {
        let dir = tempfile::tempdir()?;
        std::fs::create_dir_all(dir.path().join("x/y"))?;
        std::fs::write(dir.path().join("x/y/z.txt"), "")?;
        assert!(any_match(dir.path(), "x/*/z.*"));
        assert!(any_match(
            Path::new("/nope"),
            &format!("{}/x/y", dir.path().display())
        ));
        assert!(!any_match(dir.path(), "x/*/q"));
        assert_eq!(all_matches(dir.path(), "x/*"), vec![dir.path().join("x/y")]);
        Ok(())
    }
}
