//! Tests: what follows `is`.

mod basic;
mod files;
mod matching;
mod results;
mod versions;

use crate::Error;
#[cfg(feature = "full")]
use crate::collections::test as elsewhere;
use crate::eval::{Args, Interp};
use crate::lookups::short_name;
use crate::value::Value;

#[cfg(feature = "full")]
pub(crate) use versions::loose_key;

type Run = fn(&mut Interp<'_>, &Value, Args) -> Result<bool, Error>;

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Predicate {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
    /// Undefined values are handed to it instead of making its result undefined.
    pub(crate) takes_undefined: bool,
    /// It does not look at the elements of its input, so templates in them need not be rendered.
    pub(crate) lazy: bool,
}

/// A row of a table.
pub(crate) const fn test(name: &'static str, run: Run) -> Predicate {
    Predicate {
        name,
        run,
        takes_undefined: false,
        lazy: false,
    }
}

/// A test that leaves elements alone.
const fn lazy(name: &'static str, run: Run) -> Predicate {
    Predicate {
        name,
        run,
        takes_undefined: false,
        lazy: true,
    }
}

/// A test that takes undefined values and leaves elements alone.
const fn lenient(name: &'static str, run: Run) -> Predicate {
    Predicate {
        name,
        run,
        takes_undefined: true,
        lazy: true,
    }
}

const TABLES: &[&[Predicate]] = &[
    basic::TABLE,
    files::TABLE,
    matching::TABLE,
    results::TABLE,
    versions::TABLE,
];

/// The test of that name, with or without `ansible.builtin.`.
pub(crate) fn find(name: &str) -> Option<Predicate> {
    let short = short_name(name);
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .find(|test| test.name == short)
        .copied()
        .or_else(|| elsewhere(name))
}

#[cfg(not(feature = "full"))]
fn elsewhere(_: &str) -> Option<Predicate> {
    None
}

/// The names of all tests.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|test| test.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = TABLES
            .iter()
            .flat_map(|table| table.iter())
            .map(|test| test.name)
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
