//! Whether the options of a `Host` or `Match` section count.

use std::path::{Path, PathBuf};

use super::{Query, Settings};

/// The section that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// Its options count.
    Open,
    /// They do not.
    Closed,
    /// Only `ssh` can tell.
    Unknown,
}

impl Section {
    /// `Host`: one pattern fits, and none of the excluded ones.
    pub(super) fn host(patterns: &[String], host: &str) -> Section {
        if any(patterns.iter().map(String::as_str), host) {
            Section::Open
        } else {
            Section::Closed
        }
    }

    /// `Match`: all criteria hold.
    pub(super) fn matching(
        criteria: &[String],
        query: &Query<'_>,
        settings: &Settings,
    ) -> Result<Section, String> {
        let mut unknown = false;
        let mut rest = criteria.iter();
        while let Some(word) = rest.next() {
            let (negated, name) = match word.strip_prefix('!') {
                Some(name) => (true, name),
                None => (false, word.as_str()),
            };
            let (name, inline) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let name = name.to_ascii_lowercase();
            if name == "all" {
                continue;
            }
            if matches!(name.as_str(), "canonical" | "final") {
                // A second reading, which only `ssh` does.
                unknown |= !negated;
                continue;
            }
            let value = match inline {
                Some(value) => value,
                None => rest
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("`Match {name}` has no value"))?,
            };
            let user = query.user.or(settings.user.as_deref());
            let subject = match name.as_str() {
                "host" => settings.host_name.as_deref().unwrap_or(query.host),
                "originalhost" => query.host,
                "user" => user.unwrap_or(query.local_user),
                "localuser" => query.local_user,
                "exec" | "localnetwork" | "tagged" | "command" | "version" | "sessiontype" => {
                    unknown = true;
                    continue;
                }
                _ => return Err(format!("`Match {name}` is not known")),
            };
            if any(value.split(','), subject) == negated {
                return Ok(Section::Closed);
            }
        }
        Ok(if unknown {
            Section::Unknown
        } else {
            Section::Open
        })
    }
}

fn any<'p>(patterns: impl Iterator<Item = &'p str>, subject: &str) -> bool {
    let mut found = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if fits(pattern.as_bytes(), subject.as_bytes()) => return false,
            Some(_) => {}
            None => found |= fits(pattern.as_bytes(), subject.as_bytes()),
        }
    }
    found
}

/// `*` and `?`, without regard to case.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || c.eq_ignore_ascii_case(&text[t]) => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// The files that a path with wildcards in its last part names, in order of their names.
pub(super) fn glob(path: &Path) -> Vec<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !name.contains(['*', '?']) {
        return vec![path.to_owned()];
    }
    let Some(folder) = path.parent() else {
        return Vec::new();
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut out: Vec<PathBuf> = entries
        .filter(|e| {
            let own = e.file_name();
            let own = own.to_string_lossy();
            !own.starts_with('.') && fits(name.as_bytes(), own.as_bytes())
        })
        .map(|e| e.path())
        .collect();
    out.sort();
    out
}
