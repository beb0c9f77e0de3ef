//! FIPS mode, SELinux, AppArmor, and whether this is a chroot.

use std::os::unix::fs::MetadataExt;

use rustle_formats::{Map, Value};

use super::Source;

pub(super) fn gather_fips(source: &Source<'_>, facts: &mut Map) {
    let on = source.line("/proc/sys/crypto/fips_enabled").as_deref() == Some("1");
    facts.insert("ansible_fips".into(), on.into());
}

pub(super) fn gather_selinux(source: &Source<'_>, facts: &mut Map) {
    let mut selinux = Map::new();
    let folder = "/sys/fs/selinux";
    match source.line(&format!("{folder}/enforce")) {
        None => {
            selinux.insert("status".into(), "disabled".into());
        }
        Some(enforce) => {
            let mode = |on: bool| if on { "enforcing" } else { "permissive" };
            selinux.insert("status".into(), "enabled".into());
            selinux.insert("mode".into(), mode(enforce == "1").into());
            let config =
                super::assignments(&source.text("/etc/selinux/config").unwrap_or_default());
            let configured = config.get("SELINUX").map_or("unknown", String::as_str);
            selinux.insert("config_mode".into(), configured.into());
            let kind = config.get("SELINUXTYPE").map_or("unknown", String::as_str);
            selinux.insert("type".into(), kind.into());
            if let Some(version) = source
                .line(&format!("{folder}/policyvers"))
                .and_then(|v| v.parse::<i64>().ok())
            {
                selinux.insert("policyvers".into(), version.into());
            }
        }
    }
    facts.insert("ansible_selinux".into(), Value::Map(selinux));
    facts.insert("ansible_selinux_python_present".into(), true.into());
}

pub(super) fn gather_apparmor(source: &Source<'_>, facts: &mut Map) {
    let on = source.exists("/sys/kernel/security/apparmor");
    let mut apparmor = Map::new();
    apparmor.insert(
        "status".into(),
        if on { "enabled" } else { "disabled" }.into(),
    );
    facts.insert("ansible_apparmor".into(), Value::Map(apparmor));
}

/// In a chroot the root is not the first process's root.
pub(super) fn gather_chroot(source: &Source<'_>, facts: &mut Map) {
    let inode = |path: &str| {
        std::fs::metadata(source.path(path))
            .ok()
            .map(|m| (m.dev(), m.ino()))
    };
    let answer: Value = if source.env.contains_key("debian_chroot") {
        true.into()
    } else {
        match (inode("/"), inode("/proc/1/root/.")) {
            (Some(own), Some(first)) => (own != first).into(),
            // Without the right to look, the usual number of a root folder decides.
            (Some((_, number)), None) => (number != 2 && number != 128 && number != 256).into(),
            _ => Value::Null,
        }
    };
    facts.insert("ansible_is_chroot".into(), answer);
}
