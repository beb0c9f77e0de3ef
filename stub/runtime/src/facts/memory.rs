//! Memory, swap, load and uptime.

use std::collections::HashMap;

use rustle_formats::{Map, Value};

use super::{Source, number};

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let Some(text) = source.text("/proc/meminfo") else {
        return;
    };
    // Kibibytes by name.
    let values: HashMap<&str, u64> = text
        .lines()
        .filter_map(|l| l.split_once(':'))
        .filter_map(|(k, v)| Some((k, v.split_whitespace().next()?.parse().ok()?)))
        .collect();
    let kib = |name: &str| values.get(name).copied().unwrap_or(0);
    let mb = |name: &str| number(kib(name) / 1024);
    for (fact, name) in [
        ("memtotal_mb", "MemTotal"),
        ("memfree_mb", "MemFree"),
        ("swaptotal_mb", "SwapTotal"),
        ("swapfree_mb", "SwapFree"),
    ] {
        facts.insert(format!("ansible_{fact}"), mb(name));
    }
    let map = |pairs: &[(&str, u64)]| -> Value {
        Value::Map(
            pairs
                .iter()
                .map(|(name, kib)| ((*name).to_owned(), number(kib / 1024)))
                .collect(),
        )
    };
    let (total, free) = (kib("MemTotal"), kib("MemFree"));
    let nocache = free + kib("Cached") + kib("Buffers");
    let (swap, swap_free) = (kib("SwapTotal"), kib("SwapFree"));
    let mut memory = Map::new();
    memory.insert(
        "real".into(),
        map(&[
            ("total", total),
            ("used", total.saturating_sub(free)),
            ("free", free),
        ]),
    );
    memory.insert(
        "nocache".into(),
        map(&[("free", nocache), ("used", total.saturating_sub(nocache))]),
    );
    memory.insert(
        "swap".into(),
        map(&[
            ("total", swap),
            ("free", swap_free),
            ("used", swap.saturating_sub(swap_free)),
            ("cached", kib("SwapCached")),
        ]),
    );
    facts.insert("ansible_memory_mb".into(), Value::Map(memory));
}

pub(super) fn gather_load(source: &Source<'_>, facts: &mut Map) {
    let Some(text) = source.text("/proc/loadavg") else {
        return;
    };
    let load: Map = ["1m", "5m", "15m"]
        .iter()
        .zip(text.split_whitespace())
        .filter_map(|(name, value)| Some(((*name).to_owned(), Value::Float(value.parse().ok()?))))
        .collect();
    facts.insert("ansible_loadavg".into(), Value::Map(load));
}

pub(super) fn gather_uptime(source: &Source<'_>, facts: &mut Map) {
    let seconds = source
        .text("/proc/uptime")
        .and_then(|t| t.split(['.', ' ']).next()?.parse::<u64>().ok());
    if let Some(seconds) = seconds {
        facts.insert("ansible_uptime_seconds".into(), number(seconds));
    }
}
