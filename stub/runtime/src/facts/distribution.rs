//! Which distribution this is.

use rustle_formats::Map;

use super::{Source, assignments};

/// Names of distributions by the `ID` of os-release.
const NAMES: &[(&str, &str)] = &[
    ("almalinux", "AlmaLinux"),
    ("alpine", "Alpine"),
    ("altlinux", "Altlinux"),
    ("amzn", "Amazon"),
    ("arch", "Archlinux"),
    ("archarm", "Archlinux"),
    ("centos", "CentOS"),
    ("debian", "Debian"),
    ("devuan", "Devuan"),
    ("elementary", "Elementary OS"),
    ("fedora", "Fedora"),
    ("flatcar", "Flatcar"),
    ("gentoo", "Gentoo"),
    ("kali", "Kali"),
    ("linuxmint", "Linux Mint"),
    ("mageia", "Mageia"),
    ("manjaro", "Manjaro"),
    ("neon", "KDE neon"),
    ("nixos", "NixOS"),
    ("ol", "OracleLinux"),
    ("openEuler", "openEuler"),
    ("opensuse-leap", "openSUSE Leap"),
    ("opensuse-tumbleweed", "openSUSE Tumbleweed"),
    ("openwrt", "OpenWrt"),
    ("photon", "VMware PhotonOS"),
    ("pop", "Pop!_OS"),
    ("raspbian", "Debian"),
    ("rhel", "RedHat"),
    ("rocky", "Rocky"),
    ("slackware", "Slackware"),
    ("sles", "SLES"),
    ("sled", "SLED"),
    ("ubuntu", "Ubuntu"),
    ("void", "Void"),
];

/// Families by the distribution's name.
const FAMILIES: &[(&str, &[&str])] = &[
    (
        "RedHat",
        &[
            "RedHat",
            "Fedora",
            "CentOS",
            "Scientific",
            "OracleLinux",
            "Amazon",
            "AlmaLinux",
            "Rocky",
            "VMware PhotonOS",
            "openEuler",
        ],
    ),
    (
        "Debian",
        &[
            "Debian",
            "Ubuntu",
            "Raspbian",
            "KDE neon",
            "Linux Mint",
            "Kali",
            "Devuan",
            "Pop!_OS",
            "Elementary OS",
        ],
    ),
    (
        "Suse",
        &[
            "SLES",
            "SLED",
            "openSUSE Leap",
            "openSUSE Tumbleweed",
            "openSUSE",
        ],
    ),
    ("Archlinux", &["Archlinux", "Manjaro"]),
    ("Mandrake", &["Mandrake", "Mageia"]),
];

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let mut put = |name: &str, value: String| {
        facts.insert(format!("ansible_{name}"), value.into());
    };
    let Some((path, text)) = ["/etc/os-release", "/usr/lib/os-release"]
        .iter()
        .find_map(|p| source.text(p).map(|t| (*p, t)))
    else {
        let system = rustix::system::uname();
        put(
            "distribution",
            system.sysname().to_string_lossy().into_owned(),
        );
        put("distribution_release", "NA".into());
        put("distribution_version", "NA".into());
        put("distribution_major_version", "NA".into());
        put("os_family", system.sysname().to_string_lossy().into_owned());
        return;
    };
    let release = assignments(&text);
    let get = |key: &str| release.get(key).cloned().unwrap_or_default();
    let id = get("ID");
    let name = NAMES
        .iter()
        .find(|(known, _)| *known == id)
        .map_or_else(|| get("NAME"), |(_, name)| (*name).to_owned());
    let family = FAMILIES
        .iter()
        .find(|(_, members)| members.contains(&name.as_str()))
        .map_or_else(
            || like(&get("ID_LIKE")).unwrap_or(&name).to_owned(),
            |(family, _)| (*family).to_owned(),
        );
    let version = version(source, &id, &family, get("VERSION_ID"));
    let codename = ["VERSION_CODENAME", "UBUNTU_CODENAME", "DEBIAN_CODENAME"]
        .iter()
        .find_map(|k| release.get(*k))
        .cloned()
        .or_else(|| in_parentheses(&get("VERSION")))
        .filter(|c| !c.is_empty())
        .unwrap_or_else(|| "NA".into());
    let mut parts = version.split('.');
    put("distribution", name);
    put("distribution_release", codename);
    put("distribution_version", version.clone());
    put(
        "distribution_major_version",
        parts.next().unwrap_or("NA").to_owned(),
    );
    put("distribution_file_path", path.to_owned());
    put("distribution_file_variety", variety(&family).to_owned());
    if let (Some(minor), true) = (parts.next(), family == "Debian" && id == "debian") {
        put("distribution_minor_version", minor.to_owned());
    }
    put("os_family", family);
    facts.insert("ansible_distribution_file_parsed".into(), true.into());
}

/// The family of an unknown distribution, by what it says it is like.
fn like(ids: &str) -> Option<&'static str> {
    ids.split_whitespace().find_map(|id| match id {
        "debian" | "ubuntu" => Some("Debian"),
        "rhel" | "fedora" | "centos" => Some("RedHat"),
        "suse" | "opensuse" => Some("Suse"),
        "arch" => Some("Archlinux"),
        _ => None,
    })
}

/// The kind of file that Ansible would have recognised.
fn variety(family: &str) -> &str {
    match family {
        "Suse" => "SUSE",
        other => other,
    }
}

/// os-release says less than the distributions' own files in some cases.
fn version(source: &Source<'_>, id: &str, family: &str, version_id: String) -> String {
    let precise = match id {
        "debian" | "raspbian" => source
            .line("/etc/debian_version")
            .filter(|v| v.starts_with(|c: char| c.is_ascii_digit())),
        "alpine" => source.line("/etc/alpine-release"),
        "centos" | "rhel" | "rocky" | "almalinux" | "ol" if family == "RedHat" => {
            ["/etc/redhat-release", "/etc/centos-release"]
                .iter()
                .find_map(|p| source.line(p))
                .and_then(|l| first_number(&l))
        }
        _ => None,
    };
    let version = precise.unwrap_or(version_id);
    if version.is_empty() {
        "NA".into()
    } else {
        version
    }
}

/// The first word of digits and points.
fn first_number(text: &str) -> Option<String> {
    text.split_whitespace()
        .find(|w| w.starts_with(|c: char| c.is_ascii_digit()))
        .map(|w| {
            w.chars()
                .take_while(|c| c.is_ascii_digit() || *c == '.')
                .collect()
        })
}

fn in_parentheses(text: &str) -> Option<String> {
    let inside = text.split_once('(')?.1.split_once(')')?.0;
    Some(inside.to_owned())
}
