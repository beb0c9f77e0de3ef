//! What templates may name: for checks before a template is ever rendered, and for hints at what was meant.

use crate::lookups::short_name;
use crate::{filters, lookups, predicates};

/// The names of all filters, without their collection.
pub fn filters() -> impl Iterator<Item = &'static str> {
    filters::names()
}

/// The names of all tests, without their collection.
pub fn tests() -> impl Iterator<Item = &'static str> {
    predicates::names()
}

/// The names of the lookups that need nothing from a caller, without their collection.
pub fn lookups() -> impl Iterator<Item = &'static str> {
    lookups::NAMES.iter().copied()
}

/// The names that only the full flavour of the stub knows, without their collections.
pub fn full_only() -> impl Iterator<Item = &'static str> {
    // Whoever gates a filter behind the feature `full` names it here.
    [].into_iter()
}

/// The name without the collection that everything built in belongs to: `ansible.builtin.default` is `default`.
pub fn without_collection(name: &str) -> &str {
    short_name(name)
}

/// Whether text is rendered where it stands for a template, rather than taken as it is.
pub fn is_template(text: &str) -> bool {
    crate::value::looks_like_template(text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::{Engine, ErrorKind, Value};

    #[test]
    fn every_lookup_that_is_named_exists() {
        let engine = Engine::new();
        let scope: HashMap<String, Value> = HashMap::new();
        for name in super::lookups() {
            if let Err(error) = engine.eval_expr(&scope, &format!("lookup('{name}')")) {
                assert!(
                    !matches!(error.kind(), ErrorKind::UnknownLookup(_)),
                    "{name}"
                );
            }
        }
    }
}
