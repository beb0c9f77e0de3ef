//! Edits of a text by whole lines.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A text and the edits that it is to get. Lines count from 0.
pub(super) struct Lines<'t> {
    lines: Vec<&'t str>,
    taken: BTreeSet<usize>,
    changed: BTreeMap<usize, String>,
    before: BTreeMap<usize, Vec<String>>,
}

/// The column of the first character that is no blank.
pub(super) fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line is blank or only a comment.
fn is_aside(line: &str) -> bool {
    let text = line.trim();
    text.is_empty() || text.starts_with('#')
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Lines<'t> {
        Lines {
            lines: text.split_inclusive('\n').collect(),
            taken: BTreeSet::new(),
            changed: BTreeMap::new(),
            before: BTreeMap::new(),
        }
    }

    pub(super) fn line(&self, at: usize) -> &'t str {
        self.lines.get(at).copied().unwrap_or_default()
    }

    /// The lines of the item of a list whose mapping begins at this line and column (from 1): with the comments right above
    /// it. `None` where the item does not begin a line.
    pub(super) fn item(&self, line: usize, column: usize) -> Option<Range<usize>> {
        let first = line.checked_sub(1)?;
        let text = self.line(first);
        let before = text.get(..column.checked_sub(1)?)?;
        if before.trim() != "-" {
            return None;
        }
        let dash = indent(text);
        let mut start = first;
        while start > 0 {
            let above = self.line(start - 1);
            if !(above.trim().starts_with('#') && indent(above) == dash) {
                break;
            }
            start -= 1;
        }
        let mut end = first + 1;
        while end < self.lines.len() && (is_aside(self.line(end)) || indent(self.line(end)) > dash)
        {
            end += 1;
        }
        // What stands between two items belongs to the second.
        while end > first + 1 && is_aside(self.line(end - 1)) {
            end -= 1;
        }
        Some(start..end)
    }

    /// Takes lines out.
    pub(super) fn take(&mut self, lines: Range<usize>) {
        self.taken.extend(lines);
    }

    /// What a line without a `key: value` is: its comment, or nothing.
    pub(super) fn without_key(&self, at: usize) -> Option<String> {
        let text = self.line(at);
        let comment = text.find(" #")?;
        let column = indent(text);
        Some(format!(
            "{:column$}{}",
            "",
            text[comment + 1..].trim_start()
        ))
    }

    /// Takes the key on a line out. A comment behind it stays.
    pub(super) fn take_key(&mut self, at: usize) {
        match self.without_key(at) {
            Some(comment) => {
                self.changed.insert(at, comment);
            }
            None => {
                self.taken.insert(at);
            }
        }
    }

    /// Puts text before a line.
    pub(super) fn put_before(&mut self, at: usize, text: String) {
        self.before.entry(at).or_default().push(text);
    }

    /// The number of lines.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// The text with its edits.
    pub(super) fn finish(self) -> String {
        let mut out = String::new();
        for at in 0..=self.lines.len() {
            for text in self.before.get(&at).into_iter().flatten() {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
                out.push_str(text);
            }
            if self.taken.contains(&at) {
                continue;
            }
            out.push_str(self.changed.get(&at).map_or(self.line(at), String::as_str));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_with_what_follows_them() {
        let text = "- a: 1\n  # of a\n  b: 2\n\n# of c\n- c: 1\n- d: 1 # why\n";
        let mut lines = Lines::of(text);
        assert_eq!(lines.item(1, 3), Some(0..3));
        assert_eq!(lines.item(6, 3), Some(4..6));
        assert_eq!(lines.item(3, 3), None);
        lines.take(4..6);
        lines.take_key(6);
        lines.put_before(0, "- new: 1\n".to_owned());
        assert_eq!(
            lines.finish(),
            "- new: 1\n- a: 1\n  # of a\n  b: 2\n\n# why\n"
        );
    }
}
