//! Interfaces, addresses and default routes.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::net::{Ipv4Addr, Ipv6Addr};

use rustle_formats::order;
use rustle_formats::{Map, Value};

use super::{Source, number};

/// An address of an interface.
#[derive(Clone)]
struct V4 {
    address: Ipv4Addr,
    netmask: Ipv4Addr,
    broadcast: Option<Ipv4Addr>,
    label: String,
}

#[derive(Clone)]
struct V6 {
    address: Ipv6Addr,
    prefix: u32,
}

#[derive(Default)]
struct Interface {
    v4: Vec<V4>,
    v6: Vec<V6>,
    mac: Option<String>,
    index: u32,
}

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let interfaces = interfaces(source);
    let mut names: Vec<&String> = interfaces.keys().collect();
    order::sort_by_key(&mut names, |n| (interfaces[*n].index, (*n).clone()));
    let mut all_v4 = Vec::new();
    let mut all_v6 = Vec::new();
    for name in &names {
        let interface = &interfaces[*name];
        all_v4.extend(
            interface
                .v4
                .iter()
                .filter(|a| !a.address.is_loopback())
                .map(|a| Value::from(a.address.to_string())),
        );
        all_v6.extend(
            interface
                .v6
                .iter()
                .filter(|a| !a.address.is_loopback())
                .map(|a| Value::from(a.address.to_string())),
        );
        let key = format!("ansible_{}", name.replace(['-', ':', '.'], "_"));
        facts.insert(key, Value::Map(described(source, name, interface)));
    }
    let list: Vec<&str> = names.iter().map(|n| n.as_str()).collect();
    facts.insert("ansible_interfaces".into(), Value::from(list));
    let v4 = default_v4(source, &interfaces);
    let v6 = default_v6(source, &interfaces);
    facts.insert("ansible_default_ipv4".into(), Value::Map(v4));
    facts.insert("ansible_default_ipv6".into(), Value::Map(v6));
    facts.insert("ansible_all_ipv4_addresses".into(), Value::List(all_v4));
    facts.insert("ansible_all_ipv6_addresses".into(), Value::List(all_v6));
    facts.insert(
        "ansible_locally_reachable_ips".into(),
        reachable(&interfaces, &names),
    );
}

/// Every interface with its addresses: from the kernel, and from `/sys` for those that have none.
fn interfaces(source: &Source<'_>) -> BTreeMap<String, Interface> {
    let mut out: BTreeMap<String, Interface> = BTreeMap::new();
    for name in source.names("/sys/class/net") {
        if source.exists(&format!("/sys/class/net/{name}/ifindex")) {
            out.entry(name).or_default();
        }
    }
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: getifaddrs fills the pointer with a list, which is walked while it lives and freed once.
    unsafe {
        if libc::getifaddrs(&raw mut first) == 0 {
            let mut next = first;
            while let Some(entry) = next.as_ref() {
                add_address(entry, &mut out);
                next = entry.ifa_next;
            }
            libc::freeifaddrs(first);
        }
    }
    for (name, interface) in &mut out {
        let line = |file: &str| source.line(&format!("/sys/class/net/{name}/{file}"));
        interface.index = line("ifindex")
            .and_then(|i| i.parse().ok())
            .unwrap_or(u32::MAX);
        if let Some(mac) = line("address").filter(|m| m != "00:00:00:00:00:00") {
            interface.mac = Some(mac);
        }
    }
    out
}

/// Takes one address of the kernel's list.
///
/// # Safety
/// The entry must be one that `getifaddrs` gave and that was not freed yet.
unsafe fn add_address(entry: &libc::ifaddrs, out: &mut BTreeMap<String, Interface>) {
    // SAFETY: the kernel's list has a name in every entry, and addresses of the family that they say; the caller
    // answers for the entry itself.
    unsafe {
        let label = CStr::from_ptr(entry.ifa_name)
            .to_string_lossy()
            .into_owned();
        let name = label.split(':').next().unwrap_or_default().to_owned();
        let interface = out.entry(name).or_default();
        let Some(address) = entry.ifa_addr.as_ref() else {
            return;
        };
        match i32::from(address.sa_family) {
            libc::AF_INET => {
                let v4 = |p: *const libc::sockaddr| {
                    p.cast::<libc::sockaddr_in>()
                        .as_ref()
                        .map(|a| Ipv4Addr::from(u32::from_be(a.sin_addr.s_addr)))
                };
                let (Some(address), Some(netmask)) = (v4(entry.ifa_addr), v4(entry.ifa_netmask))
                else {
                    return;
                };
                let has_broadcast = entry.ifa_flags & libc::IFF_BROADCAST as u32 != 0;
                interface.v4.push(V4 {
                    address,
                    netmask,
                    broadcast: has_broadcast.then(|| v4(entry.ifa_ifu)).flatten(),
                    label,
                });
            }
            libc::AF_INET6 => {
                let v6 = |p: *const libc::sockaddr| {
                    p.cast::<libc::sockaddr_in6>()
                        .as_ref()
                        .map(|a| Ipv6Addr::from(a.sin6_addr.s6_addr))
                };
                if let (Some(address), Some(mask)) = (v6(entry.ifa_addr), v6(entry.ifa_netmask)) {
                    interface.v6.push(V6 {
                        address,
                        prefix: mask.to_bits().count_ones(),
                    });
                }
            }
            libc::AF_PACKET => {
                if let Some(link) = entry.ifa_addr.cast::<libc::sockaddr_ll>().as_ref()
                    && link.sll_halen == 6
                    && link.sll_addr[..6] != [0; 6]
                {
                    let bytes: Vec<String> = link.sll_addr[..6]
                        .iter()
                        .map(|b| format!("{b:02x}"))
                        .collect();
                    interface.mac = Some(bytes.join(":"));
                }
            }
            _ => {}
        }
    }
}

fn described(source: &Source<'_>, name: &str, interface: &Interface) -> Map {
    let line = |file: &str| source.line(&format!("/sys/class/net/{name}/{file}"));
    let mut map = Map::new();
    map.insert("device".into(), name.into());
    if let Some(mac) = &interface.mac {
        map.insert("macaddress".into(), mac.as_str().into());
    }
    if let Some(mtu) = line("mtu").and_then(|m| m.parse::<i64>().ok()) {
        map.insert("mtu".into(), mtu.into());
    }
    let state = line("operstate").unwrap_or_default();
    let flags = line("flags")
        .and_then(|f| u32::from_str_radix(f.trim_start_matches("0x"), 16).ok())
        .unwrap_or(0);
    let up = flags & libc::IFF_UP as u32 != 0 && state != "down";
    map.insert("active".into(), up.into());
    if let Some(device) = source.link_name(&format!("/sys/class/net/{name}/device")) {
        map.insert("pciid".into(), device.into());
    }
    if let Some(module) = source.link_name(&format!("/sys/class/net/{name}/device/driver/module")) {
        map.insert("module".into(), module.into());
    }
    map.insert(
        "type".into(),
        kind(source, name, line("type").as_deref()).into(),
    );
    if let Some(speed) = line("speed").and_then(|s| s.parse::<i64>().ok()) {
        map.insert("speed".into(), speed.into());
    }
    map.insert(
        "promisc".into(),
        (flags & libc::IFF_PROMISC as u32 != 0).into(),
    );
    if source.exists(&format!("/sys/class/net/{name}/bridge")) {
        let members = source.names(&format!("/sys/class/net/{name}/brif"));
        map.insert("interfaces".into(), Value::from(members));
        if let Some(stp) = line("bridge/stp_state") {
            map.insert("stp".into(), (stp == "1").into());
        }
        if let Some(id) = line("bridge/bridge_id") {
            map.insert("id".into(), id.into());
        }
    }
    if let Some(slaves) = line("bonding/slaves") {
        map.insert(
            "slaves".into(),
            Value::from(slaves.split_whitespace().collect::<Vec<_>>()),
        );
        let mode = line("bonding/mode").unwrap_or_default();
        map.insert(
            "mode".into(),
            mode.split(' ').next().unwrap_or_default().into(),
        );
    }
    let mut v4 = interface.v4.iter();
    if let Some(first) = v4.next() {
        map.insert("ipv4".into(), Value::Map(v4_map(first)));
    }
    let more: Vec<Value> = v4.map(|a| Value::Map(v4_map(a))).collect();
    if !more.is_empty() {
        map.insert("ipv4_secondaries".into(), Value::List(more));
    }
    if !interface.v6.is_empty() {
        let list = interface.v6.iter().map(|a| Value::Map(v6_map(a))).collect();
        map.insert("ipv6".into(), Value::List(list));
    }
    map
}

fn kind(source: &Source<'_>, name: &str, number: Option<&str>) -> &'static str {
    if source.exists(&format!("/sys/class/net/{name}/bridge")) {
        "bridge"
    } else if source.exists(&format!("/sys/class/net/{name}/bonding")) {
        "bonding"
    } else {
        match number {
            Some("1") => "ether",
            Some("32") => "infiniband",
            Some("512") => "ppp",
            Some("772") => "loopback",
            Some("65534") => "tunnel",
            None if name == "lo" => "loopback",
            _ => "unknown",
        }
    }
}

fn v4_map(address: &V4) -> Map {
    let mut map = Map::new();
    map.insert("address".into(), address.address.to_string().into());
    let broadcast = address.broadcast.map(|b| b.to_string()).unwrap_or_default();
    map.insert("broadcast".into(), broadcast.into());
    map.insert("netmask".into(), address.netmask.to_string().into());
    let network = address.address & address.netmask;
    map.insert("network".into(), network.to_string().into());
    let prefix = address.netmask.to_bits().count_ones();
    map.insert("prefix".into(), prefix.to_string().into());
    map
}

fn v6_map(address: &V6) -> Map {
    let mut map = Map::new();
    map.insert("address".into(), address.address.to_string().into());
    map.insert("prefix".into(), address.prefix.to_string().into());
    map.insert("scope".into(), scope(address.address).into());
    map
}

fn scope(address: Ipv6Addr) -> &'static str {
    if address.is_loopback() {
        "host"
    } else if address.segments()[0] & 0xffc0 == 0xfe80 {
        "link"
    } else if address.segments()[0] & 0xffc0 == 0xfec0 {
        "site"
    } else {
        "global"
    }
}

/// What both default routes say of their interface.
fn common(source: &Source<'_>, name: &str, interface: &Interface, map: &mut Map) {
    if let Some(mac) = &interface.mac {
        map.insert("macaddress".into(), mac.as_str().into());
    }
    let line = |file: &str| source.line(&format!("/sys/class/net/{name}/{file}"));
    if let Some(mtu) = line("mtu").and_then(|m| m.parse::<u64>().ok()) {
        map.insert("mtu".into(), number(mtu));
    }
    map.insert(
        "type".into(),
        kind(source, name, line("type").as_deref()).into(),
    );
}

fn default_v4(source: &Source<'_>, interfaces: &BTreeMap<String, Interface>) -> Map {
    let mut map = Map::new();
    let routes = source.text("/proc/net/route").unwrap_or_default();
    // Interface, destination, gateway, flags, …, metric, mask: numbers as the kernel has them in memory.
    let best = routes
        .lines()
        .skip(1)
        .filter_map(|line| {
            let f: Vec<&str> = line.split_whitespace().collect();
            let hex = |i: usize| u32::from_str_radix(f.get(i)?, 16).ok();
            let gateway = u32::from_be_bytes(hex(2)?.to_ne_bytes());
            let metric: u32 = f.get(6)?.parse().ok()?;
            (hex(1)? == 0 && hex(7)? == 0).then(|| (metric, (*f[0]).to_owned(), gateway))
        })
        .min();
    let Some((_, name, gateway)) = best else {
        return map;
    };
    map.insert("gateway".into(), Ipv4Addr::from(gateway).to_string().into());
    map.insert("interface".into(), name.as_str().into());
    if let Some(interface) = interfaces.get(&name) {
        if let Some(address) = interface.v4.first() {
            map.extend(v4_map(address));
            map.insert("alias".into(), address.label.as_str().into());
        }
        common(source, &name, interface, &mut map);
    }
    map
}

fn default_v6(source: &Source<'_>, interfaces: &BTreeMap<String, Interface>) -> Map {
    let mut map = Map::new();
    let routes = source.text("/proc/net/ipv6_route").unwrap_or_default();
    // Destination, its length, source, its length, gateway, metric, …, interface.
    let best = routes
        .lines()
        .filter_map(|line| {
            let f: Vec<&str> = line.split_whitespace().collect();
            let zero = f.first()?.bytes().all(|b| b == b'0') && *f.get(1)? == "00";
            let gateway = u128::from_str_radix(f.get(4)?, 16).ok()?;
            let metric = u32::from_str_radix(f.get(5)?, 16).ok()?;
            (zero && gateway != 0).then(|| (metric, (*f[f.len() - 1]).to_owned(), gateway))
        })
        .min();
    let Some((_, name, gateway)) = best else {
        return map;
    };
    map.insert("gateway".into(), Ipv6Addr::from(gateway).to_string().into());
    map.insert("interface".into(), name.as_str().into());
    if let Some(interface) = interfaces.get(&name) {
        let global = interface.v6.iter().find(|a| scope(a.address) == "global");
        if let Some(address) = global.or_else(|| interface.v6.first()) {
            map.extend(v6_map(address));
        }
        common(source, &name, interface, &mut map);
    }
    map
}

/// Addresses that reach this machine itself.
fn reachable(interfaces: &BTreeMap<String, Interface>, names: &[&String]) -> Value {
    let mut v4: Vec<String> = Vec::new();
    let mut v6: Vec<String> = Vec::new();
    for interface in names.iter().filter_map(|n| interfaces.get(*n)) {
        for address in &interface.v4 {
            if address.address.is_loopback() {
                let prefix = address.netmask.to_bits().count_ones();
                v4.push(format!("{}/{prefix}", address.address & address.netmask));
            }
            v4.push(address.address.to_string());
        }
        v6.extend(interface.v6.iter().map(|a| a.address.to_string()));
    }
    order::sort(&mut v4);
    order::sort(&mut v6);
    let mut map = Map::new();
    map.insert("ipv4".into(), Value::from(v4));
    map.insert("ipv6".into(), Value::from(v6));
    Value::Map(map)
}
