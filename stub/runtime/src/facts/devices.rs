//! Block devices and the links that name them.

use rustle_formats::{Map, Value};

use super::{Source, human, number, or_null};

/// Names of devices by kind of link, read from `/dev/disk`.
struct Links {
    by_kind: Vec<(&'static str, Vec<(String, String)>)>,
}

impl Links {
    fn read(source: &Source<'_>) -> Links {
        let by_kind = [
            ("ids", "by-id"),
            ("uuids", "by-uuid"),
            ("labels", "by-label"),
        ]
        .into_iter()
        .map(|(kind, folder)| {
            let folder = format!("/dev/disk/{folder}");
            let pairs = source
                .names(&folder)
                .into_iter()
                .filter_map(|name| Some((source.link_name(&format!("{folder}/{name}"))?, name)))
                .collect();
            (kind, pairs)
        })
        .collect();
        Links { by_kind }
    }

    /// The links that name a device.
    fn of(&self, device: &str) -> Value {
        let mut map: Map = self
            .by_kind
            .iter()
            .map(|(kind, pairs)| {
                let names: Vec<Value> = pairs
                    .iter()
                    .filter(|(target, _)| target == device)
                    .map(|(_, name)| name.as_str().into())
                    .collect();
                ((*kind).to_owned(), Value::List(names))
            })
            .collect();
        map.insert("masters".into(), Value::List(Vec::new()));
        Value::Map(map)
    }

    /// All of them, by kind and device.
    fn all(&self) -> Value {
        let mut map = Map::new();
        for (kind, pairs) in &self.by_kind {
            let mut devices = Map::new();
            for (device, name) in pairs {
                let list = devices
                    .entry(device.clone())
                    .or_insert_with(|| Value::List(Vec::new()));
                if let Value::List(list) = list {
                    list.push(name.as_str().into());
                }
            }
            map.insert((*kind).to_owned(), Value::Map(devices));
        }
        map.insert("masters".into(), Value::Map(Map::new()));
        Value::Map(map)
    }

    fn uuid(&self, device: &str) -> Option<String> {
        let (_, uuids) = self.by_kind.iter().find(|(kind, _)| *kind == "uuids")?;
        uuids
            .iter()
            .find(|(target, _)| target == device)
            .map(|(_, name)| name.clone())
    }
}

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let links = Links::read(source);
    facts.insert("ansible_device_links".into(), links.all());
    let mut devices = Map::new();
    for name in source.names("/sys/block") {
        devices.insert(name.clone(), device(source, &links, &name));
    }
    facts.insert("ansible_devices".into(), Value::Map(devices));
    facts.insert("ansible_lvm".into(), "N/A".into());
}

fn device(source: &Source<'_>, links: &Links, name: &str) -> Value {
    let base = format!("/sys/block/{name}");
    let line = |file: &str| source.line(&format!("{base}/{file}"));
    let mut map = Map::new();
    let is_virtual = std::fs::canonicalize(source.path(&base))
        .is_ok_and(|p| p.to_string_lossy().contains("/virtual/"));
    map.insert("virtual".into(), i64::from(is_virtual).into());
    map.insert("links".into(), links.of(name));
    map.insert("vendor".into(), or_null(line("device/vendor")));
    map.insert("model".into(), or_null(line("device/model")));
    map.insert("sas_address".into(), Value::Null);
    map.insert("sas_device_handle".into(), Value::Null);
    if let Some(serial) = line("device/serial") {
        map.insert("serial".into(), serial.into());
    }
    map.insert("removable".into(), or_null(line("removable")));
    map.insert(
        "support_discard".into(),
        or_null(line("queue/discard_granularity")),
    );
    let mut partitions = Map::new();
    for entry in source.names(&base) {
        if entry.starts_with(name) && source.exists(&format!("{base}/{entry}/start")) {
            partitions.insert(entry.clone(), partition(source, links, &base, &entry));
        }
    }
    map.insert("partitions".into(), Value::Map(partitions));
    map.insert("rotational".into(), or_null(line("queue/rotational")));
    let scheduler = line("queue/scheduler").unwrap_or_default();
    let mode = scheduler
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'))
        .map_or(scheduler.as_str(), |(mode, _)| mode);
    map.insert("scheduler_mode".into(), mode.into());
    let sectors = line("size")
        .and_then(|s| s.parse::<u64>().ok())
        .unwrap_or(0);
    map.insert("sectors".into(), number(sectors));
    let size = line("queue/logical_block_size").unwrap_or_else(|| "512".into());
    map.insert("sectorsize".into(), size.into());
    // The kernel counts in 512 bytes, whatever the device's sectors are.
    map.insert("size".into(), human(sectors.saturating_mul(512)).into());
    map.insert("host".into(), "".into());
    let holders = source.names(&format!("{base}/holders"));
    map.insert("holders".into(), Value::from(holders));
    Value::Map(map)
}

fn partition(source: &Source<'_>, links: &Links, base: &str, name: &str) -> Value {
    let line = |file: &str| source.line(&format!("{base}/{name}/{file}"));
    let sectors = line("size")
        .and_then(|s| s.parse::<u64>().ok())
        .unwrap_or(0);
    let mut map = Map::new();
    map.insert("links".into(), links.of(name));
    map.insert(
        "start".into(),
        line("start").unwrap_or_else(|| "0".into()).into(),
    );
    map.insert("sectors".into(), number(sectors));
    map.insert("sectorsize".into(), 512.into());
    map.insert("size".into(), human(sectors.saturating_mul(512)).into());
    map.insert("uuid".into(), or_null(links.uuid(name)));
    let holders = source.names(&format!("{base}/{name}/holders"));
    map.insert("holders".into(), Value::from(holders));
    Value::Map(map)
}
