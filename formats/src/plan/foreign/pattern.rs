//! Host patterns, resolved against the hosts and groups that a plan names.

use indexmap::IndexMap;

use crate::plan::GroupPlan;

/// The hosts that a pattern means: names, groups, `*` and `?`, `all`, joined by `,` or `:`, with `!` and `&`.
///
/// # Errors
/// The part that names no host and no group.
pub(super) fn resolve(
    pattern: &str,
    hosts: &[String],
    groups: &IndexMap<String, GroupPlan>,
) -> Result<Vec<String>, String> {
    let mut chosen: Vec<String> = Vec::new();
    let mut parts: Vec<&str> = pattern
        .split([',', ':'])
        .map(str::trim)
        .filter(|p| !p.is_empty())
        .collect();
    // As in Ansible: first what is added, then what is kept, then what is taken away.
    parts.sort_by_key(|p| match p.as_bytes().first() {
        Some(b'&') => 1,
        Some(b'!') => 2,
        _ => 0,
    });
    if parts.first().is_some_and(|p| p.starts_with(['&', '!'])) {
        chosen = hosts.to_vec();
    }
    for part in parts {
        let (sign, name) = match part.strip_prefix(['&', '!']) {
            Some(name) => (part.as_bytes()[0], name),
            None => (b'+', part),
        };
        let found = members(name, hosts, groups, 0);
        if found.is_empty() && sign == b'+' {
            return Err(name.to_owned());
        }
        match sign {
            b'&' => chosen.retain(|h| found.contains(h)),
            b'!' => chosen.retain(|h| !found.contains(h)),
            _ => {
                for host in found {
                    if !chosen.contains(&host) {
                        chosen.push(host);
                    }
                }
            }
        }
    }
    Ok(chosen)
}

/// The hosts of one name, group or wildcard.
pub(super) fn members(
    name: &str,
    hosts: &[String],
    groups: &IndexMap<String, GroupPlan>,
    depth: usize,
) -> Vec<String> {
    if name == "all" || name == "*" {
        return hosts.to_vec();
    }
    let mut out: Vec<String> = hosts.iter().filter(|h| glob(name, h)).cloned().collect();
    // Groups may contain each other in a circle; no inventory is deeper than this.
    if depth < 64 {
        for (_, group) in groups.iter().filter(|(g, _)| glob(name, g)) {
            out.extend(group.hosts.iter().cloned());
            for child in &group.children {
                out.extend(members(child, hosts, groups, depth + 1));
            }
        }
    }
    let mut seen = std::collections::HashSet::new();
    out.retain(|h| seen.insert(h.clone()));
    out
}

/// Whether a shell pattern of `*` and `?` matches the whole text.
fn glob(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < t.len() {
        if i < p.len() && (p[i] == '?' || p[i] == t[j]) && p[i] != '*' {
            i += 1;
            j += 1;
        } else if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if let Some((si, sj)) = star {
            star = Some((si, sj + 1));
            i = si + 1;
            j = sj + 1;
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_ansible_means() {
        let hosts: Vec<String> = ["web1", "web2", "db1"].map(String::from).into();
        let mut groups = IndexMap::new();
        groups.insert(
            "front".to_owned(),
            GroupPlan {
                hosts: vec!["web1".into()],
                ..GroupPlan::default()
            },
        );
        let of = |p: &str| resolve(p, &hosts, &groups);
        assert_eq!(of("all").unwrap(), hosts);
        assert_eq!(of("web*").unwrap(), ["web1", "web2"]);
        assert_eq!(of("web*:!front").unwrap(), ["web2"]);
        assert_eq!(of("all:&front").unwrap(), ["web1"]);
        assert_eq!(of("db1,front").unwrap(), ["db1", "web1"]);
        assert_eq!(of("web*,mail"), Err("mail".into()));
    }
}
