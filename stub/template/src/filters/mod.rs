//! Filters: one family per file, each with a table of its names.

mod attribute;
mod basic;
mod comment;
mod data;
mod dates;
mod group;
mod hashes;
mod mappings;
mod maths;
mod paths;
mod regexes;
mod select;
mod sequences;
mod strings;
mod urls;

pub(crate) use basic::{pairs, truth_of};
pub(crate) use sequences::{flatten_terms, sort_keyed, sort_values};

use crate::Error;
#[cfg(feature = "full")]
use crate::collections::{filter as elsewhere, filter_names as further_names};
use crate::eval::{Args, Interp};
use crate::lookups::short_name;
use crate::value::Value;

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
    /// It is a method of text in Python, and fails for anything else.
    pub(crate) text_only: bool,
    /// The collection that it belongs to.
    pub(crate) collection: &'static str,
}

/// A row of a table.
pub(crate) const fn filter(name: &'static str, run: Run) -> Filter {
    Filter {
        name,
        run,
        takes_undefined: false,
        lazy: false,
        text_only: false,
        collection: "ansible.builtin",
    }
}

/// A filter that takes nothing but text.
const fn of_text(name: &'static str, run: Run) -> Filter {
    Filter {
        text_only: true,
        ..filter(name, run)
    }
}

/// A filter that takes undefined values and leaves elements alone.
const fn lenient(name: &'static str, run: Run) -> Filter {
    Filter {
        takes_undefined: true,
        lazy: true,
        ..filter(name, run)
    }
}

/// A filter that leaves elements alone.
const fn lazy(name: &'static str, run: Run) -> Filter {
    Filter {
        lazy: true,
        ..filter(name, run)
    }
}

const TABLES: &[&[Filter]] = &[
    basic::TABLE,
    comment::TABLE,
    data::TABLE,
    dates::TABLE,
    hashes::TABLE,
    mappings::TABLE,
    maths::TABLE,
    paths::TABLE,
    regexes::TABLE,
    select::TABLE,
    sequences::TABLE,
    strings::TABLE,
    urls::TABLE,
];

/// An undefined result with a message of its own.
fn undefined(message: &str) -> Value {
    Value::Undefined(std::rc::Rc::new(crate::Undefined::message_only(
        None, message,
    )))
}

/// The filter of that name, with or without `ansible.builtin.`.
pub(crate) fn find(name: &str) -> Option<Filter> {
    let short = short_name(name);
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .find(|filter| filter.name == short)
        .copied()
        .or_else(|| elsewhere(name))
}

#[cfg(not(feature = "full"))]
fn elsewhere(_: &str) -> Option<Filter> {
    None
}

/// Whether the core flavour has a filter of that name.
#[cfg(all(test, feature = "full"))]
pub(crate) fn in_core(name: &str) -> bool {
    let mut all = TABLES.iter().flat_map(|table| table.iter());
    all.any(|filter| filter.name == name)
}

/// The names of all filters.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|filter| filter.name)
        .chain(further_names())
}

#[cfg(not(feature = "full"))]
fn further_names() -> std::iter::Empty<&'static str> {
    std::iter::empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = TABLES
            .iter()
            .flat_map(|table| table.iter())
            .map(|filter| filter.name)
            .collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
