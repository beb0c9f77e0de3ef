//! Filters and tests of other collections than ansible.builtin, as far as plans use them.
//!
//! They are known by their full names, and by their short ones where Ansible's own routing still has those.

mod address;
mod general;
mod hardware;
mod ipaddr;
mod json_query;
mod membership;
mod networks;

use crate::filters::Filter;
use crate::predicates::Predicate;

/// Collections whose filters and tests are here. What `ansible.netcommon` had of them leads to `ansible.utils`.
pub(crate) const UTILS: [&str; 2] = ["ansible.utils", "ansible.netcommon"];
pub(crate) const GENERAL: &str = "community.general";

/// Short names that Ansible's routing knows.
pub(crate) const ROUTED: [&str; 18] = [
    "cidr_merge",
    "hwaddr",
    "ip4_hex",
    "ipaddr",
    "ipmath",
    "ipsubnet",
    "ipv4",
    "ipv6",
    "ipwrap",
    "json_query",
    "network_in_network",
    "network_in_usable",
    "next_nth_usable",
    "nthhost",
    "previous_nth_usable",
    "random_mac",
    "reduce_on_network",
    "slaac",
];

const UTILS_FILTERS: &[&[Filter]] = &[ipaddr::TABLE, networks::TABLE, hardware::TABLE];
const GENERAL_FILTERS: &[&[Filter]] = &[general::TABLE, json_query::TABLE];

fn in_tables(tables: &[&[Filter]], name: &str) -> Option<Filter> {
    let mut all = tables.iter().flat_map(|table| table.iter());
    all.find(|filter| filter.name == name).copied()
}

/// The filter of that name.
pub(crate) fn filter(name: &str) -> Option<Filter> {
    let of = |collection, tables, short| {
        let found = in_tables(tables, short)?;
        Some(Filter {
            collection,
            ..found
        })
    };
    match name.rsplit_once('.') {
        Some((GENERAL, short)) => of(GENERAL, GENERAL_FILTERS, short),
        Some((collection, short)) if UTILS.contains(&collection) => {
            of(UTILS[0], UTILS_FILTERS, short)
        }
        None if ROUTED.contains(&name) => {
            of(UTILS[0], UTILS_FILTERS, name).or_else(|| of(GENERAL, GENERAL_FILTERS, name))
        }
        _ => None,
    }
}

/// The test of that name.
pub(crate) fn test(name: &str) -> Option<Predicate> {
    let (collection, short) = name.rsplit_once('.')?;
    if collection != UTILS[0] {
        return None;
    }
    let mut all = membership::TABLE.iter();
    all.find(|test| test.name == short).copied()
}

/// The names under which filters are found, for hints.
pub(crate) fn filter_names() -> impl Iterator<Item = &'static str> {
    ROUTED.iter().copied()
}
