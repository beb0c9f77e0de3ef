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
}

/// A row of a table.
const fn filter(name: &'static str, run: Run) -> Filter {
    Filter {
        name,
        run,
        takes_undefined: false,
        lazy: false,
    }
}

/// A filter that takes undefined values and leaves elements alone.
const fn lenient(name: &'static str, run: Run) -> Filter {
    Filter {
        name,
        run,
        takes_undefined: true,
        lazy: true,
    }
}

/// A filter that leaves elements alone.
const fn lazy(name: &'static str, run: Run) -> Filter {
    Filter {
        name,
        run,
        takes_undefined: false,
        lazy: true,
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
}

/// The names of all filters.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLES
        .iter()
        .flat_map(|table| table.iter())
        .map(|filter| filter.name)
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
