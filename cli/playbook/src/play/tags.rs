//! Tags: which are written, which apply, and which tasks they select.

use std::collections::BTreeSet;

use super::keywords::Keywords;
use super::model::text_of;
use crate::problem::Problem;
use crate::yaml::{Node, NodeValue};

/// The tags that keywords set. A text may hold several, with commas.
pub fn written(keywords: &Keywords) -> Vec<String> {
    let Some(tags) = keywords.get("tags") else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let mut add = |node: &Node| {
        let text = text_of(node);
        let parts = text.split(',').map(str::trim).filter(|tag| !tag.is_empty());
        out.extend(parts.map(str::to_owned));
    };
    match tags.as_list() {
        Some(list) => list.iter().for_each(&mut add),
        None => add(tags),
    }
    out
}

/// Tags are a text, or a list.
pub(crate) fn check(keywords: &Keywords) -> Result<(), Problem> {
    let Some(tags) = keywords.get("tags") else {
        return Ok(());
    };
    let wrong = |node: &Node, what: &str| {
        Err(
            Problem::error(format!("{what}, and this is {}", node.kind()))
                .general()
                .at(node.at)
                .hint("write `tags: NAME`, or a list of names"),
        )
    };
    match &tags.value {
        NodeValue::Str(_) => Ok(()),
        NodeValue::List(list) => match list
            .iter()
            .find(|tag| !matches!(tag.value, NodeValue::Str(_) | NodeValue::Int(_)))
        {
            Some(tag) => wrong(tag, "a tag is text"),
            None => Ok(()),
        },
        _ => wrong(tags, "`tags` is text or a list"),
    }
}

/// `--tags` and `--skip-tags`.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Only these; empty: `all`.
    pub only: BTreeSet<String>,
    /// Not these.
    pub skip: BTreeSet<String>,
}

impl Selection {
    /// Whether a task with these tags runs.
    pub fn selects(&self, tags: &BTreeSet<String>) -> bool {
        let has = |set: &BTreeSet<String>, tag: &str| set.contains(tag);
        let untagged = tags.is_empty();
        let mut runs = true;
        let all = self.only.is_empty() || has(&self.only, "all");
        if !self.only.is_empty() || !all {
            runs = has(tags, "always")
                || (has(&self.only, "all") && !has(tags, "never"))
                || !tags.is_disjoint(&self.only)
                || (has(&self.only, "tagged") && !untagged && !has(tags, "never"))
                || (has(&self.only, "untagged") && untagged);
        } else if has(tags, "never") {
            runs = false;
        }
        if runs && !self.skip.is_empty() {
            let skipped = if has(&self.skip, "all") {
                !has(tags, "always") || has(&self.skip, "always")
            } else {
                !tags.is_disjoint(&self.skip)
                    || (has(&self.skip, "tagged") && !untagged)
                    || (has(&self.skip, "untagged") && untagged)
            };
            runs = !skipped;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| tag.to_string()).collect()
    }

    #[test]
    fn always_and_never() {
        let runs = |only: &[&str], skip: &[&str], tags: &[&str]| {
            let selection = Selection {
                only: set(only),
                skip: set(skip),
            };
            selection.selects(&set(tags))
        };
        assert!(runs(&[], &[], &["a"]) && !runs(&[], &[], &["never"]));
        assert!(runs(&["a"], &[], &["a", "never"]) && runs(&["b"], &[], &["always"]));
        assert!(!runs(&["b"], &[], &["a"]) && !runs(&["b"], &["always"], &["always"]));
        assert!(runs(&["tagged"], &[], &["a"]) && !runs(&["tagged"], &[], &[]));
        assert!(runs(&["untagged"], &[], &[]) && !runs(&["all"], &["a"], &["a"]));
    }
}
