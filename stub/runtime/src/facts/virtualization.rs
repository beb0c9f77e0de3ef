//! Whether this is a virtual machine or a container, or holds some.

use rustle_formats::{Map, Value};

use super::Source;

/// What is found out.
#[derive(Default)]
struct Found {
    guest: Vec<&'static str>,
    host: Vec<&'static str>,
    first: Option<(&'static str, &'static str)>,
}

impl Found {
    fn guest(&mut self, kind: &'static str) {
        if !self.guest.contains(&kind) {
            self.guest.push(kind);
        }
        self.first.get_or_insert((kind, "guest"));
    }

    fn host(&mut self, kind: &'static str) {
        if !self.host.contains(&kind) {
            self.host.push(kind);
        }
        self.first.get_or_insert((kind, "host"));
    }
}

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let mut found = Found::default();
    containers(source, &mut found);
    machines(source, &mut found);
    hosts(source, &mut found);
    let (kind, role) = found.first.unwrap_or(("NA", "NA"));
    facts.insert("ansible_virtualization_type".into(), kind.into());
    facts.insert("ansible_virtualization_role".into(), role.into());
    facts.insert(
        "ansible_virtualization_tech_guest".into(),
        Value::from(found.guest),
    );
    facts.insert(
        "ansible_virtualization_tech_host".into(),
        Value::from(found.host),
    );
}

fn containers(source: &Source<'_>, found: &mut Found) {
    let groups = source.text("/proc/1/cgroup").unwrap_or_default();
    let docker = groups.contains("/docker") || groups.contains("docker-");
    if docker || source.exists("/.dockerenv") || source.exists("/.dockerinit") {
        found.guest("docker");
        found.guest("container");
    }
    if groups.contains("/lxc") || source.exists("/dev/lxd/sock") {
        found.guest("lxc");
        found.guest("container");
    }
    let environ = source.text("/proc/1/environ").unwrap_or_default();
    let named = environ
        .split('\0')
        .find_map(|v| v.strip_prefix("container="))
        .map(str::to_owned)
        .or_else(|| source.line("/run/systemd/container"));
    match named.as_deref() {
        Some("lxc") => found.guest("lxc"),
        Some("podman") => found.guest("podman"),
        Some("docker") => found.guest("docker"),
        _ if source.exists("/run/.containerenv") => found.guest("podman"),
        _ => {}
    }
    if named.is_some() {
        found.guest("container");
    }
    if source.exists("/proc/vz") && !source.exists("/proc/bc") {
        found.guest("openvz");
    }
}

fn machines(source: &Source<'_>, found: &mut Found) {
    let dmi = |file: &str| {
        source
            .line(&format!("/sys/devices/virtual/dmi/id/{file}"))
            .unwrap_or_default()
    };
    let (product, vendor, bios) = (dmi("product_name"), dmi("sys_vendor"), dmi("bios_vendor"));
    match (product.as_str(), vendor.as_str(), bios.as_str()) {
        (
            "KVM"
            | "KVM Server"
            | "Bochs"
            | "AHV"
            | "RHEV Hypervisor"
            | "OpenStack Compute"
            | "Google Compute Engine",
            _,
            _,
        )
        | (
            _,
            "QEMU" | "Google" | "Amazon EC2" | "DigitalOcean" | "Hetzner" | "Scaleway" | "oVirt"
            | "Alibaba Cloud",
            _,
        )
        | (_, _, "Amazon EC2") => found.guest("kvm"),
        (name, _, _) if name.starts_with("Standard PC") => found.guest("kvm"),
        (name, _, _) if name.starts_with("VMware") => found.guest("VMware"),
        (_, "VMware, Inc.", _) => found.guest("VMware"),
        ("VirtualBox", _, _) | (_, "innotek GmbH", _) => found.guest("virtualbox"),
        ("HVM domU", _, _) | (_, "Xen", _) | (_, _, "Xen") => found.guest("xen"),
        ("Virtual Machine", "Microsoft Corporation", _) => found.guest("VirtualPC"),
        (name, _, _) if name.starts_with("Parallels") => found.guest("parallels"),
        _ => {}
    }
    if source.line("/sys/hypervisor/type").as_deref() == Some("xen") {
        match source.line("/proc/xen/capabilities").as_deref() {
            Some(text) if text.contains("control_d") => found.host("xen"),
            _ => found.guest("xen"),
        }
    }
    let cpuinfo = source.text("/proc/cpuinfo").unwrap_or_default();
    if cpuinfo.contains("QEMU Virtual CPU") || cpuinfo.contains("Common KVM processor") {
        found.guest("kvm");
    }
}

fn hosts(source: &Source<'_>, found: &mut Found) {
    let modules = source.text("/proc/modules").unwrap_or_default();
    let loaded = |name: &str| modules.lines().any(|l| l.split(' ').next() == Some(name));
    if loaded("kvm") || loaded("kvm_intel") || loaded("kvm_amd") || source.exists("/dev/kvm") {
        found.host("kvm");
    }
    if loaded("vboxdrv") {
        found.host("virtualbox");
    }
    if source.exists("/proc/vz") && source.exists("/proc/bc") {
        found.host("openvz");
    }
}
