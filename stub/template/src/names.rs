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

/// The short names of filters and tests, and the methods, that only the full flavour of the stub knows; `encode` stands
/// for the methods of the bytes that it makes.
#[cfg(feature = "full")]
pub fn full_only() -> impl Iterator<Item = &'static str> {
    let methods = ["as_integer_ratio", "conjugate", "hex", "to_bytes", "encode"];
    crate::collections::ROUTED.into_iter().chain(methods)
}

/// The collections whose filters and tests only the full flavour of the stub knows.
#[cfg(feature = "full")]
pub fn full_collections() -> impl Iterator<Item = &'static str> {
    let utils = crate::collections::UTILS.into_iter();
    utils.chain([crate::collections::GENERAL])
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

    /// What the core flavour goes without is named, so that nobody gets a runner that lacks it.
    #[cfg(feature = "full")]
    #[test]
    fn what_is_only_in_the_full_flavour_is_named() {
        let core = |name: &str| crate::filters::in_core(name);
        let known = |name: &str| {
            super::full_only().any(|n| n == name)
                || super::full_collections().any(|c| name.starts_with(&format!("{c}.")))
        };
        for name in super::filters() {
            assert!(core(name) || known(name), "{name}");
        }
    }

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

    /// What `ansible-doc -l` lists of ansible.builtin in ansible-core 2.19.
    const FILTERS: &str = "\
        abs attr b64decode b64encode basename batch bool capitalize center checksum combinations combine \
        comment commonpath count d default dict2items dictsort difference dirname e escape expanduser \
        expandvars extract fileglob filesizeformat first flatten float forceescape format from_json from_yaml \
        from_yaml_all groupby hash human_readable human_to_bytes indent int intersect items items2dict join \
        last length list log lower mandatory map max md5 min normpath password_hash path_join permutations pow \
        pprint product quote random realpath regex_escape regex_findall regex_replace regex_search reject \
        rejectattr rekey_on_member relpath replace reverse root round safe select selectattr sha1 shuffle \
        slice sort split splitext strftime string striptags subelements sum symmetric_difference ternary title \
        to_datetime to_json to_nice_json to_nice_yaml to_uuid to_yaml tojson trim truncate type_debug union \
        unique unvault upper urldecode urlencode urlize urlsplit vault win_basename win_dirname win_splitdrive \
        wordcount wordwrap xmlattr zip zip_longest";
    const TESTS: &str = "\
        abs all any boolean callable change changed contains defined directory divisibleby eq equalto escaped \
        even exists failed failure false falsy file filter finished float ge greaterthan gt in integer is_abs \
        is_dir is_file is_link is_mount is_same_file isnan issubset issuperset iterable le lessthan link \
        link_exists lower lt mapping match mount nan ne none number odd reachable regex same_file sameas \
        search sequence skip skipped started string subset succeeded success successful superset test timedout \
        true truthy undefined unreachable upper uri url urn vault_encrypted vaulted_file version \
        version_compare";

    #[test]
    fn every_filter_and_test_of_ansible_builtin_is_here() {
        for name in FILTERS.split_whitespace() {
            let found = crate::filters::find(name).is_some();
            assert!(found, "the filter {name}");
            assert!(crate::filters::find(&format!("ansible.builtin.{name}")).is_some());
        }
        for name in TESTS.split_whitespace() {
            let found = crate::predicates::find(name).is_some();
            assert!(found, "the test {name}");
        }
    }
}
