//! What the kernel lets this process do.

use rustle_formats::{Map, Value};

use super::Source;

/// The kernel's names, by number.
const NAMES: &[&str] = &[
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let effective = source.text("/proc/self/status").and_then(|text| {
        let line = text.lines().find_map(|l| l.strip_prefix("CapEff:"))?;
        u64::from_str_radix(line.trim(), 16).ok()
    });
    let Some(set) = effective else {
        facts.insert("ansible_system_capabilities".into(), "NA".into());
        facts.insert("ansible_system_capabilities_enforced".into(), "NA".into());
        return;
    };
    let full = (1u64 << NAMES.len()) - 1;
    let has = |i: usize| set & (1 << i) != 0;
    let enforced = set & full != full;
    let list: Vec<Value> = if enforced {
        NAMES
            .iter()
            .enumerate()
            .filter(|(i, _)| has(*i))
            .map(|(_, name)| Value::from(*name))
            .collect()
    } else {
        Vec::new()
    };
    facts.insert("ansible_system_capabilities".into(), Value::List(list));
    let word = if enforced { "True" } else { "False" };
    facts.insert("ansible_system_capabilities_enforced".into(), word.into());
}
