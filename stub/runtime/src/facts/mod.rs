//! Facts: what is so about this machine.
//!
//! One file for each family, gathered only when asked for. Everything is read from files and system calls, nothing is
//! executed; what a machine lacks (`/proc`, `/sys`, `/etc/os-release`) is left out or said to be unknown, and never
//! fails the task. Paths go through [`Source`], so that tests give a root of their own.

mod capabilities;
mod cmdline;
mod date_time;
mod devices;
mod distribution;
mod dmi;
mod dns;
mod local;
mod lsb;
mod memory;
mod mounts;
mod network;
mod package_manager;
mod platform;
mod processor;
mod python;
mod security;
mod service_manager;
mod ssh_keys;
mod subset;
mod user;
mod virtualization;

use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use rustle_formats::order;
use rustle_formats::{Map, Value};

pub(crate) use subset::wanted;

/// Where facts are read from.
pub(crate) struct Source<'a> {
    /// The root of the file system: `/`, or a test's.
    pub root: &'a Path,
    /// The environment that `ansible_env` shows.
    pub env: &'a IndexMap<String, String>,
    /// The folder of the machine's own facts.
    pub fact_path: &'a str,
}

/// The longest file that facts are read from.
const MAX_FILE: u64 = 4 << 20;

impl Source<'_> {
    /// A path of the machine.
    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A file's text; what is not UTF-8 is replaced. `None` where it cannot be read.
    fn text(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(self.path(path)).ok()?;
        std::io::Read::read_to_end(&mut std::io::Read::take(file, MAX_FILE), &mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file's text without white space around it; `None` where it is empty too.
    fn line(&self, path: &str) -> Option<String> {
        let text = self.text(path)?;
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The names in a folder, sorted.
    fn names(&self, path: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(path))
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        order::sort(&mut names);
        names
    }

    /// The last component of what a link points to.
    fn link_name(&self, path: &str) -> Option<String> {
        let target = std::fs::read_link(self.path(path)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }
}

/// A family of facts.
struct Family {
    name: &'static str,
    /// The names of single facts, which ask for the family too.
    facts: &'static [&'static str],
    /// Families that come with it.
    needs: &'static [&'static str],
    /// Whether it is in the subset `min`.
    minimal: bool,
    gather: fn(&Source<'_>, &mut Map),
}

/// All families, in the order in which they are gathered: later ones read what earlier ones found.
static FAMILIES: &[Family] = &[
    Family {
        name: "platform",
        facts: &[
            "system",
            "kernel",
            "kernel_version",
            "machine",
            "machine_id",
            "architecture",
        ],
        needs: &[],
        minimal: true,
        gather: platform::gather,
    },
    Family {
        name: "distribution",
        facts: &[
            "distribution_version",
            "distribution_release",
            "distribution_major_version",
            "os_family",
        ],
        needs: &[],
        minimal: true,
        gather: distribution::gather,
    },
    Family {
        name: "user",
        facts: &[
            "user_id",
            "user_uid",
            "user_gid",
            "user_gecos",
            "user_dir",
            "user_shell",
            "real_user_id",
            "effective_user_id",
            "effective_group_ids",
        ],
        needs: &[],
        minimal: true,
        gather: user::gather,
    },
    Family {
        name: "env",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: user::gather_env,
    },
    Family {
        name: "date_time",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: date_time::gather,
    },
    Family {
        name: "cmdline",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: cmdline::gather,
    },
    Family {
        name: "dns",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: dns::gather,
    },
    Family {
        name: "fips",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: security::gather_fips,
    },
    Family {
        name: "selinux",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: security::gather_selinux,
    },
    Family {
        name: "apparmor",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: security::gather_apparmor,
    },
    Family {
        name: "caps",
        facts: &["system_capabilities", "system_capabilities_enforced"],
        needs: &[],
        minimal: true,
        gather: capabilities::gather,
    },
    Family {
        name: "local",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: local::gather,
    },
    Family {
        name: "lsb",
        facts: &[],
        needs: &[],
        minimal: true,
        gather: lsb::gather,
    },
    Family {
        name: "service_mgr",
        facts: &["systemd"],
        needs: &["platform", "distribution"],
        minimal: true,
        gather: service_manager::gather,
    },
    Family {
        name: "pkg_mgr",
        facts: &[],
        needs: &["distribution"],
        minimal: true,
        gather: package_manager::gather,
    },
    Family {
        name: "ssh_pub_keys",
        facts: &[
            "ssh_host_pub_keys",
            "ssh_host_key_dsa_public",
            "ssh_host_key_ecdsa_public",
            "ssh_host_key_ed25519_public",
            "ssh_host_key_rsa_public",
        ],
        needs: &[],
        minimal: true,
        gather: ssh_keys::gather,
    },
    Family {
        name: "python",
        facts: &["python_version"],
        needs: &[],
        minimal: true,
        gather: python::gather,
    },
    Family {
        name: "loadavg",
        facts: &[],
        needs: &[],
        minimal: false,
        gather: memory::gather_load,
    },
    Family {
        name: "chroot",
        facts: &["is_chroot"],
        needs: &[],
        minimal: false,
        gather: security::gather_chroot,
    },
    Family {
        name: "hardware",
        facts: &[
            "processor",
            "processor_cores",
            "processor_count",
            "mounts",
            "devices",
        ],
        needs: &["platform"],
        minimal: false,
        gather: gather_hardware,
    },
    Family {
        name: "network",
        facts: &[
            "interfaces",
            "default_ipv4",
            "default_ipv6",
            "all_ipv4_addresses",
            "all_ipv6_addresses",
        ],
        needs: &["platform", "distribution"],
        minimal: false,
        gather: network::gather,
    },
    Family {
        name: "virtual",
        facts: &[
            "virtualization_type",
            "virtualization_role",
            "virtualization_tech_guest",
            "virtualization_tech_host",
        ],
        needs: &[],
        minimal: false,
        gather: virtualization::gather,
    },
    Family {
        name: "iscsi",
        facts: &[],
        needs: &[],
        minimal: false,
        gather: gather_names,
    },
    Family {
        name: "facter",
        facts: &["ohai", "nvme", "fibre_channel_wwn"],
        needs: &[],
        minimal: false,
        gather: nothing,
    },
];

/// Families of Ansible's that this program has nothing to say about.
fn nothing(_: &Source<'_>, _: &mut Map) {}

fn gather_hardware(source: &Source<'_>, facts: &mut Map) {
    processor::gather(source, facts);
    memory::gather(source, facts);
    dmi::gather(source, facts);
    devices::gather(source, facts);
    mounts::gather(source, facts);
    memory::gather_uptime(source, facts);
}

/// Names by which storage networks know the machine.
fn gather_names(source: &Source<'_>, facts: &mut Map) {
    let iqn = source
        .text("/etc/iscsi/initiatorname.iscsi")
        .and_then(|text| {
            text.lines()
                .find_map(|l| l.trim().strip_prefix("InitiatorName=").map(str::to_owned))
        })
        .unwrap_or_default();
    facts.insert("ansible_iscsi_iqn".into(), iqn.into());
    let nqn = source.line("/etc/nvme/hostnqn").unwrap_or_default();
    facts.insert("ansible_hostnqn".into(), nqn.into());
    facts.insert("ansible_fibre_channel_wwn".into(), Value::List(Vec::new()));
}

/// Gathers the families of these names.
pub(crate) fn gather(source: &Source<'_>, families: &[&str]) -> Map {
    let mut facts = Map::new();
    for family in FAMILIES.iter().filter(|f| families.contains(&f.name)) {
        (family.gather)(source, &mut facts);
    }
    facts
}

/// A text as a value, or null.
fn or_null(text: Option<String>) -> Value {
    text.map_or(Value::Null, Value::from)
}

/// A number as a value.
fn number(n: u64) -> Value {
    Value::Int(i64::try_from(n).unwrap_or(i64::MAX))
}

/// A number of bytes as people read it.
fn human(bytes: u64) -> String {
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    for (unit, shift) in units {
        if bytes >= 1 << shift {
            return format!("{:.2} {unit}", bytes as f64 / (1u64 << shift) as f64);
        }
    }
    format!("{bytes:.2} Bytes", bytes = bytes as f64)
}

/// `KEY=value` lines with optional quotes, as in os-release.
fn assignments(text: &str) -> IndexMap<String, String> {
    text.lines()
        .filter_map(|line| line.trim().split_once('='))
        .filter(|(key, _)| !key.starts_with('#'))
        .map(|(key, value)| {
            let value = value.trim();
            let value = value
                .strip_prefix('"')
                .and_then(|v| v.strip_suffix('"'))
                .or_else(|| value.strip_prefix('\'').and_then(|v| v.strip_suffix('\'')))
                .unwrap_or(value);
            (key.trim().to_owned(), value.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests;
