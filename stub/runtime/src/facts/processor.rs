//! The processors.

use std::collections::BTreeMap;

use rustle_formats::{Map, Value};

use super::{Source, number};

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let text = source.text("/proc/cpuinfo").unwrap_or_default();
    let mut described: Vec<Value> = Vec::new();
    let mut sockets: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    let mut socket = String::new();
    let mut count = 0u64;
    let mut flags: Option<Vec<&str>> = None;
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        match key {
            "model name" | "Processor" | "vendor_id" | "cpu" | "Vendor" | "processor" => {
                described.push(value.into());
                if key == "processor" {
                    count += 1;
                }
            }
            "physical id" => {
                socket = value.to_owned();
                sockets.entry(socket.clone()).or_insert((1, 1));
            }
            "siblings" => {
                sockets.entry(socket.clone()).or_insert((1, 1)).1 = value.parse().unwrap_or(1)
            }
            "cpu cores" => {
                sockets.entry(socket.clone()).or_insert((1, 1)).0 = value.parse().unwrap_or(1)
            }
            "flags" | "Features" if flags.is_none() => {
                flags = Some(value.split_whitespace().collect())
            }
            _ => {}
        }
    }
    if let Some(flags) = flags {
        facts.insert("ansible_flags".into(), Value::from(flags));
    }
    let nproc = std::thread::available_parallelism().map_or(count, |n| n.get() as u64);
    let (sockets_count, cores, threads) = match sockets.values().next() {
        Some((cores, siblings)) => (
            sockets.len() as u64,
            *cores,
            (siblings / (*cores).max(1)).max(1),
        ),
        None => (count.max(1), 1, 1),
    };
    let mut put = |name: &str, n: u64| {
        facts.insert(format!("ansible_processor_{name}"), number(n));
    };
    put("count", sockets_count);
    put("cores", cores);
    put("threads_per_core", threads);
    put("vcpus", threads * sockets_count * cores);
    put("nproc", nproc);
    facts.insert("ansible_processor".into(), Value::List(described));
}
