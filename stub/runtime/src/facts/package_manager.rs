//! Which package manager the machine has.

use rustle_formats::{Map, Value};

use super::Source;

/// Programs and what they are called, the ones that decide first.
const PROGRAMS: &[(&str, &str)] = &[
    ("/usr/bin/apt-get", "apt"),
    ("/usr/bin/dnf5", "dnf5"),
    ("/usr/bin/dnf-3", "dnf"),
    ("/usr/bin/dnf", "dnf"),
    ("/usr/bin/yum", "yum"),
    ("/usr/bin/rpm-ostree", "atomic_container"),
    ("/sbin/apk", "apk"),
    ("/usr/bin/pacman", "pacman"),
    ("/usr/bin/zypper", "zypper"),
    ("/usr/sbin/urpmi", "urpmi"),
    ("/usr/bin/emerge", "portage"),
    ("/usr/bin/xbps-install", "xbps"),
    ("/bin/opkg", "opkg"),
    ("/usr/bin/swupd", "swupd"),
    ("/usr/sbin/sorcery", "sorcery"),
];

/// What a family is expected to use: another one's program beside it does not count.
const EXPECTED: &[(&str, &[&str])] = &[
    ("Debian", &["apt"]),
    ("RedHat", &["dnf5", "dnf", "yum", "atomic_container"]),
    ("Suse", &["zypper"]),
    ("Alpine", &["apk"]),
    ("Archlinux", &["pacman"]),
    ("Gentoo", &["portage"]),
    ("Mandrake", &["urpmi", "dnf"]),
];

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let present: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(path, _)| source.exists(path))
        .map(|(_, name)| *name)
        .collect();
    let family = facts.get("ansible_os_family").and_then(Value::as_str);
    let expected = family.and_then(|f| EXPECTED.iter().find(|(name, _)| *name == f));
    let found = expected
        .and_then(|(_, names)| names.iter().find(|n| present.contains(n)).copied())
        .or_else(|| present.first().copied())
        .unwrap_or("unknown");
    facts.insert("ansible_pkg_mgr".into(), found.into());
}
