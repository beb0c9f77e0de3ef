//! The kernel, the machine's names and its identity.

use rustle_formats::Map;

use super::Source;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let uname = rustix::system::uname();
    let text = |s: &std::ffi::CStr| s.to_string_lossy().into_owned();
    let node = text(uname.nodename());
    let machine = text(uname.machine());
    let fqdn = fqdn(source, &node);
    let domain = fqdn.split_once('.').map_or("", |(_, d)| d).to_owned();
    let bits = if cfg!(target_pointer_width = "64") {
        "64"
    } else {
        "32"
    };
    let architecture = match machine.as_str() {
        "i386" | "i486" | "i586" | "i686" => "i386".to_owned(),
        other => other.to_owned(),
    };
    let mut put = |name: &str, value: String| {
        facts.insert(format!("ansible_{name}"), value.into());
    };
    put("system", text(uname.sysname()));
    put("kernel", text(uname.release()));
    put("kernel_version", text(uname.version()));
    put("machine", machine);
    put("fqdn", fqdn);
    put(
        "hostname",
        node.split('.').next().unwrap_or_default().to_owned(),
    );
    put("nodename", node);
    put("domain", domain);
    put("userspace_bits", bits.to_owned());
    put("architecture", architecture);
    put(
        "userspace_architecture",
        std::env::consts::ARCH
            .replace("x86", "i386")
            .replace("i386_64", "x86_64"),
    );
    let id = source
        .line("/var/lib/dbus/machine-id")
        .or_else(|| source.line("/etc/machine-id"));
    if let Some(id) = id {
        put(
            "machine_id",
            id.lines().next().unwrap_or_default().to_owned(),
        );
    }
}

/// The full name, as far as `/etc/hosts` knows it: the resolver is out of reach of a static program.
fn fqdn(source: &Source<'_>, node: &str) -> String {
    if node.contains('.') {
        return node.to_owned();
    }
    let hosts = source.text("/etc/hosts").unwrap_or_default();
    let lines: Vec<Vec<&str>> = hosts
        .lines()
        .map(|l| {
            l.split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect()
        })
        .collect();
    let Some(address) = lines
        .iter()
        .find(|l| l.iter().skip(1).any(|name| *name == node))
        .and_then(|l| l.first())
    else {
        return node.to_owned();
    };
    let names: Vec<&str> = lines
        .iter()
        .find(|l| l.first() == Some(address))
        .map(|l| l[1..].to_vec())
        .unwrap_or_default();
    names
        .iter()
        .find(|n| n.contains('.'))
        .or_else(|| names.first())
        .map_or_else(|| node.to_owned(), |n| (*n).to_owned())
}
