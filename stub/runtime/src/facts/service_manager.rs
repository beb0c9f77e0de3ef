//! What starts services here.

use rustle_formats::Map;

use super::Source;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    facts.insert("ansible_service_mgr".into(), find(source).into());
}

fn find(source: &Source<'_>) -> String {
    let first = source.line("/proc/1/comm");
    match first.as_deref() {
        Some("procd") => "openwrt_init".into(),
        Some("runit-init") => "runit".into(),
        Some("svscan") => "svc".into(),
        Some("openrc-init") => "openrc".into(),
        // Shells and the like start containers; they manage nothing, and Ansible looks further too.
        Some("init" | "systemd" | "sh" | "bash" | "COMMAND") | None => by_traces(source),
        Some(other) => other.to_owned(),
    }
}

fn by_traces(source: &Source<'_>) -> String {
    let init = source.link_name("/sbin/init").unwrap_or_default();
    let running_systemd = ["/run/systemd/system", "/dev/.run/systemd", "/dev/.systemd"]
        .iter()
        .any(|p| source.exists(p));
    if running_systemd {
        "systemd".into()
    } else if source.exists("/sbin/openrc") {
        "openrc".into()
    } else if init == "systemd" {
        "systemd".into()
    } else if source.exists("/etc/init.d") && source.exists("/etc/rc.d") {
        "sysvinit".into()
    } else if init.ends_with("dinit") {
        "dinit".into()
    } else {
        "service".into()
    }
}
