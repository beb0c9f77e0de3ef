//! What is mounted where, and how full it is.

use rustle_formats::{Map, Value};

use super::{Source, number};

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let text = source
        .text("/proc/self/mounts")
        .or_else(|| source.text("/etc/mtab"))
        .unwrap_or_default();
    let uuids: Vec<(String, String)> = source
        .names("/dev/disk/by-uuid")
        .into_iter()
        .filter_map(|name| {
            Some((
                source.link_name(&format!("/dev/disk/by-uuid/{name}"))?,
                name,
            ))
        })
        .collect();
    let mut mounts = Vec::new();
    for line in text.lines() {
        let fields: Vec<String> = line.split_whitespace().map(unescaped).collect();
        let [device, mount, fstype, options, dump, pass, ..] = fields.as_slice() else {
            continue;
        };
        if !(device.starts_with(['/', '\\']) || device.contains(":/")) || fstype == "none" {
            continue;
        }
        let uuid = device
            .strip_prefix("/dev/")
            .and_then(|short| uuids.iter().find(|(target, _)| target == short))
            .map_or("N/A", |(_, uuid)| uuid.as_str());
        let mut map = Map::new();
        let mut put = |name: &str, value: Value| {
            map.insert(name.to_owned(), value);
        };
        put("mount", mount.as_str().into());
        put("device", device.as_str().into());
        put("fstype", fstype.as_str().into());
        put("options", options.as_str().into());
        put("dump", dump.parse::<i64>().unwrap_or(0).into());
        put("passno", pass.parse::<i64>().unwrap_or(0).into());
        // A server that does not answer would hold the run up for good: what is far away is not asked.
        if !device.contains(":/")
            && let Ok(stat) = rustix::fs::statvfs(source.path(mount))
        {
            put(
                "size_total",
                number(stat.f_frsize.saturating_mul(stat.f_blocks)),
            );
            put(
                "size_available",
                number(stat.f_frsize.saturating_mul(stat.f_bavail)),
            );
            put("block_size", number(stat.f_bsize));
            put("block_total", number(stat.f_blocks));
            put("block_available", number(stat.f_bavail));
            put(
                "block_used",
                number(stat.f_blocks.saturating_sub(stat.f_bavail)),
            );
            put("inode_total", number(stat.f_files));
            put("inode_available", number(stat.f_favail));
            put(
                "inode_used",
                number(stat.f_files.saturating_sub(stat.f_favail)),
            );
        }
        put("uuid", uuid.into());
        mounts.push(Value::Map(map));
    }
    facts.insert("ansible_mounts".into(), Value::List(mounts));
}

/// The kernel writes white space in names as octal numbers.
fn unescaped(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes {
        let code = rest
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(byte) => {
                out.push(byte);
                bytes = &rest[3..];
            }
            None => {
                out.push(*first);
                bytes = rest;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
