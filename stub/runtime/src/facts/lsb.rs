//! What the Linux Standard Base calls the distribution.

use rustle_formats::{Map, Value};

use super::{Source, assignments};

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let mut lsb = Map::new();
    if let Some(text) = source.text("/etc/lsb-release") {
        let values = assignments(&text);
        for (key, name) in [
            ("DISTRIB_ID", "id"),
            ("DISTRIB_RELEASE", "release"),
            ("DISTRIB_DESCRIPTION", "description"),
            ("DISTRIB_CODENAME", "codename"),
        ] {
            if let Some(value) = values.get(key) {
                lsb.insert(name.into(), value.as_str().into());
            }
        }
    } else if source.exists("/usr/bin/lsb_release") {
        // What that program would answer where there is no file: it reads os-release.
        let values = assignments(&source.text("/etc/os-release").unwrap_or_default());
        let mut id = values.get("ID").cloned().unwrap_or_default();
        if let Some(first) = id.get_mut(0..1) {
            first.make_ascii_uppercase();
        }
        lsb.insert("id".into(), id.into());
        for (key, name) in [
            ("PRETTY_NAME", "description"),
            ("VERSION_ID", "release"),
            ("VERSION_CODENAME", "codename"),
        ] {
            if let Some(value) = values.get(key) {
                lsb.insert(name.into(), value.as_str().into());
            }
        }
    }
    if let Some(Value::Str(release)) = lsb.get("release") {
        let major = release.split('.').next().unwrap_or_default().to_owned();
        lsb.insert("major_release".into(), major.into());
    }
    facts.insert("ansible_lsb".into(), Value::Map(lsb));
}
