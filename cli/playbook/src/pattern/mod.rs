//! Host patterns: `web:&staging:!web3`, `db[0:2]`, `~web\d+`, `*.example.com`.
//!
//! A pattern picks hosts by the names of groups and hosts. Several are joined, intersected (`&`) and taken away (`!`).

mod glob;
mod split;
mod subscript;

use std::collections::HashSet;
use std::path::PathBuf;

use crate::inventory::{ALL, HostId, Inventory};
use crate::problem::Problem;

pub use split::split;

use glob::Matcher;
use subscript::Subscript;

/// What happens where a pattern picks nothing (Ansible's `HOST_PATTERN_MISMATCH`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mismatch {
    /// A warning.
    #[default]
    Warning,
    /// An error.
    Error,
    /// Nothing.
    Ignore,
}

/// The hosts that were picked.
#[derive(Debug, Clone, Default)]
pub struct Picked {
    /// In the order of the pattern, each once.
    pub hosts: Vec<HostId>,
    /// The pattern names `localhost`, and no source has it: the implicit one is meant, under this name.
    pub implicit: Option<String>,
    /// Warnings.
    pub warnings: Vec<Problem>,
}

/// The names that mean this machine.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "localhost", "::1"];

/// Picks hosts by patterns, each of which may have several parts, and then of these those of a limit.
///
/// # Errors
/// A wrong regular expression or subscript, a file of a limit that cannot be read, or a pattern without hosts where that is
/// an error.
pub fn pick(
    inventory: &Inventory,
    patterns: &[impl AsRef<str>],
    limit: Option<&Limit>,
    mismatch: Mismatch,
) -> Result<Picked, Problem> {
    let mut picked = Picked::default();
    // A list of nothing, as a template may give it, is for nobody.
    if patterns.is_empty() {
        return Ok(picked);
    }
    let words = ordered(patterns.iter().flat_map(|p| split(p.as_ref())).collect());
    picked.hosts = evaluate(
        inventory,
        &words,
        mismatch,
        &mut picked.warnings,
        &mut picked.implicit,
    )?;
    if let Some(limit) = limit {
        let mut implicit = None;
        let words = ordered(limit.words.clone());
        let allowed = evaluate(
            inventory,
            &words,
            mismatch,
            &mut picked.warnings,
            &mut implicit,
        )?;
        let allowed: HashSet<HostId> = allowed.into_iter().collect();
        picked.hosts.retain(|h| allowed.contains(h));
        if implicit.is_none() {
            picked.implicit = None;
        }
    }
    Ok(picked)
}

/// The patterns of `--limit`, with those of its files.
#[derive(Debug, Clone, Default)]
pub struct Limit {
    words: Vec<String>,
}

impl Limit {
    /// Reads it. A pattern `@FILE` stands for the patterns in the lines of a file; `path` makes a path of its name.
    ///
    /// # Errors
    /// Where a file cannot be read.
    pub fn parse(text: &str, path: impl Fn(&str) -> PathBuf) -> Result<Limit, Problem> {
        let mut words = Vec::new();
        for word in split(text) {
            let Some(name) = word.strip_prefix('@') else {
                words.push(word);
                continue;
            };
            let file = path(name);
            if file.is_dir() {
                return Err(Problem::error(format!(
                    "the limit file {} must be a file",
                    file.display()
                ))
                .general());
            }
            let content = std::fs::read_to_string(&file).map_err(|e| {
                Problem::error(format!(
                    "cannot read the limit file {}: {e}",
                    file.display()
                ))
                .general()
            })?;
            words.extend(
                content
                    .lines()
                    .map(str::trim)
                    .filter(|l| !l.is_empty())
                    .flat_map(split),
            );
        }
        Ok(Limit { words })
    }
}

/// Plain patterns first, then those that intersect, then those that take away. Without plain ones: all hosts.
fn ordered(words: Vec<String>) -> Vec<String> {
    let rank = |w: &str| match w.as_bytes().first() {
        Some(b'&') => 1,
        Some(b'!') => 2,
        _ => 0,
    };
    let mut words: Vec<String> = words.into_iter().filter(|w| !w.is_empty()).collect();
    words.sort_by_key(|w| rank(w));
    if words.first().is_none_or(|w| rank(w) > 0) {
        words.insert(0, "all".to_owned());
    }
    words
}

fn evaluate(
    inventory: &Inventory,
    words: &[String],
    mismatch: Mismatch,
    warnings: &mut Vec<Problem>,
    implicit: &mut Option<String>,
) -> Result<Vec<HostId>, Problem> {
    let mut hosts: Vec<HostId> = Vec::new();
    let mut known: HashSet<HostId> = HashSet::new();
    for word in words {
        // A host by its name: the commonest pattern, and the quickest.
        if let Some(host) = inventory
            .find_host(word)
            .filter(|_| inventory.find_group(word).is_none())
        {
            if known.insert(host) {
                hosts.push(host);
            }
            continue;
        }
        let (operator, rest) = match word.as_bytes().first() {
            Some(b'&') => ('&', &word[1..]),
            Some(b'!') => ('!', &word[1..]),
            _ => (' ', word.as_str()),
        };
        let found = one(inventory, rest, mismatch, warnings, implicit)?;
        match operator {
            ' ' => {
                for host in found {
                    if known.insert(host) {
                        hosts.push(host);
                    }
                }
            }
            operator => {
                let found: HashSet<HostId> = found.into_iter().collect();
                hosts.retain(|h| found.contains(h) == (operator == '&'));
                known = hosts.iter().copied().collect();
            }
        }
    }
    Ok(hosts)
}

/// The hosts of one pattern without operator.
fn one(
    inventory: &Inventory,
    pattern: &str,
    mismatch: Mismatch,
    warnings: &mut Vec<Problem>,
    implicit: &mut Option<String>,
) -> Result<Vec<HostId>, Problem> {
    let (name, subscript) = Subscript::split(pattern);
    if subscript.as_ref().is_some_and(Subscript::is_old) {
        warnings.push(Problem::warning(format!(
            "`{pattern}`: write [x:y], with a colon, for a range of hosts"
        )));
    }
    let hosts = by_name(inventory, name)?;
    if hosts.is_empty() {
        if LOCALHOST.contains(&name) {
            *implicit = Some(name.to_owned());
            return Ok(hosts);
        }
        if name != "all" {
            let message = format!("the pattern `{name}` fits no host");
            match mismatch {
                Mismatch::Warning => warnings.push(Problem::warning(message)),
                Mismatch::Error => return Err(Problem::error(message)),
                Mismatch::Ignore => {}
            }
        }
        return Ok(hosts);
    }
    match subscript {
        None => Ok(hosts),
        Some(subscript) => subscript.of(&hosts).ok_or_else(|| {
            Problem::error(format!("no host has the place that `{pattern}` names")).note(format!(
                "`{name}` has {} hosts, counted from 0",
                hosts.len()
            ))
        }),
    }
}

/// The hosts of all groups of a name; where there is no such group, or the name is an expression, hosts of that name too.
fn by_name(inventory: &Inventory, name: &str) -> Result<Vec<HostId>, Problem> {
    if name == "all" {
        return Ok(inventory.hosts_of(ALL));
    }
    let matcher = Matcher::new(name)?;
    let mut hosts = Vec::new();
    let mut known = HashSet::new();
    let mut any_group = false;
    for (group, group_name, _) in inventory.groups() {
        if matcher.is_match(group_name) {
            any_group = true;
            hosts.extend(
                inventory
                    .hosts_of(group)
                    .into_iter()
                    .filter(|h| known.insert(*h)),
            );
        }
    }
    if !any_group || matcher.is_expression() {
        for (host, host_name, _) in inventory.hosts() {
            if matcher.is_match(host_name) && known.insert(host) {
                hosts.push(host);
            }
        }
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn inventory() -> Inventory {
        let mut out = Inventory::default();
        let web = out.add_group("web");
        for n in 1..=12 {
            let host = out.add_host(&format!("web{n:02}"));
            out.add_member(host, web);
        }
        let db = out.add_group("db");
        for name in ["db1", "db2", "web01"] {
            let host = out.add_host(name);
            out.add_member(host, db);
        }
        for group in [web, db] {
            out.add_child(ALL, group).unwrap();
        }
        out
    }

    fn names(pattern: &str) -> String {
        let inventory = inventory();
        match pick(&inventory, &[pattern], None, Mismatch::Warning) {
            Ok(picked) => {
                let hosts: Vec<&str> = picked
                    .hosts
                    .iter()
                    .map(|h| inventory.host_name(*h))
                    .collect();
                let warned = picked
                    .warnings
                    .iter()
                    .map(|w| format!(" ({w})"))
                    .collect::<String>();
                format!("{}{warned}", hosts.join(" "))
            }
            Err(e) => format!("error: {e}"),
        }
    }

    #[test]
    fn patterns_pick_what_ansible_picks() {
        assert_eq!(names("db"), "db1 db2 web01");
        assert_eq!(names("web:&db"), "web01");
        assert_eq!(names("!web"), "db1 db2");
        assert_eq!(names("&db"), "web01 db1 db2");
        assert_eq!(names("web[0:1]"), "web01 web02");
        assert_eq!(names("web[-1]"), "web12");
        assert_eq!(names("web[10:]"), "web11 web12");
        assert_eq!(names("~web0[1-2]"), "web01 web02");
        assert_eq!(names("web?2,db1"), "web02 web12 db1");
        assert_eq!(names("[w]eb01"), "web01");
        assert_eq!(names("db1 web02"), "db1 web02");
        assert_eq!(names("web02:web01:db"), "web02 web01 db1 db2");
        insta::assert_snapshot!(names("nope"), @" (the pattern `nope` fits no host)");
        insta::assert_snapshot!(names("web[20]"), @"error: no host has the place that `web[20]` names");
        insta::assert_snapshot!(names("db[0-1]"), @"db1 db2 (`db[0-1]`: write [x:y], with a colon, for a range of hosts)");
    }

    proptest! {
        #[test]
        fn any_pattern_is_answered(text in "[a-c0-2\\[\\]:,!&~*?. -]{0,24}") {
            names(&text);
        }
    }
}
