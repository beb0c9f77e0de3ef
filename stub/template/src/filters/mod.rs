//! Filters: one family per file, each with a table of its names.

mod basic;
mod sequences;

pub(crate) use basic::{pairs, truth_of};
pub(crate) use sequences::{flatten_terms, sort_values};

use crate::eval::{Args, Interp};
use crate::lookups::short_name;
use crate::value::Value;
use crate::Error;

type Run = fn(&mut Interp<'_>, Value, Args) -> Result<Value, Error>;

/// A filter.
#[derive(Clone, Copy)]
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) run: Run,
    /// Undefined values are handed to it instead of making its result undefined.
    pub(crate) takes_undefined: bool,
    /// It does not look at the elements of its input, so templates in them need not be rendered.
    pub(crate) lazy: bool,
}

/// A row of a table.
const fn filter(name: &'static str, run: Run) -> Filter {
    Filter { name, run, takes_undefined: false, lazy: false }
}

/// A filter that takes undefined values and leaves elements alone.
const fn lenient(name: &'static str, run: Run) -> Filter {
    Filter { name, run, takes_undefined: true, lazy: true }
}

/// A filter that leaves elements alone.
const fn lazy(name: &'static str, run: Run) -> Filter {
    Filter { name, run, takes_undefined: false, lazy: true }
}

const TABLES: &[&[Filter]] = &[basic::TABLE, sequences::TABLE];

/// The filter of that name, with or without `ansible.builtin.`.
pub(crate) fn find(name: &str) -> Option<Filter> {
    let short = short_name(name);
    TABLES.iter().flat_map(|table| table.iter()).find(|filter| filter.name == short).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = TABLES.iter().flat_map(|table| table.iter()).map(|filter| filter.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
