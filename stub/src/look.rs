//! `--inspect`: what is inside, for people and as JSON.

use std::fs::File;

use rustle_formats::artifact::{Container, Kind, flags};
use rustle_formats::plan::ExecutionPlan;
use serde_json::{Value, json};

use crate::exit::Failure;

/// Everything that there is to say, as JSON.
///
/// # Errors
/// Where a part of the artifact cannot be read.
pub(crate) fn document(container: &Container<File>) -> Result<Value, Failure> {
    let plan = container.plan()?;
    let manifest = container.manifest();
    let header = container.header();
    let mut stored = 0u64;
    for index in 0..container.frame_count() {
        if let Some(frame) = container.frame(index) {
            stored += u64::from(frame.record.stored_len);
        }
    }
    let mut assets = Vec::new();
    for entry in container.assets() {
        assets.push(asset(&entry?));
    }
    Ok(json!({
        "name": manifest.name,
        "root": hex(&container.root()),
        "target": manifest.target,
        "runner": env!("CARGO_PKG_VERSION"),
        "packed_by": manifest.tool,
        "signer": container.signature().map(|s| s.key_id().to_string()),
        "placement": format!("{:?}", header.placement).to_lowercase(),
        "payload_bytes": header.payload_len,
        "sidecar_bytes": header.sidecar_len,
        "needs_overlay": header.has(flags::NEEDS_OVERLAY),
        "overlay_bytes": container.slot().overlay_len,
        "compression": {"method": format!("{:?}", manifest.method).to_lowercase(), "level": manifest.level,
                        "frames": container.frame_count(), "stored_bytes": stored},
        "hosts": manifest.hosts,
        "plays": plays(&plan),
        "tasks": manifest.tasks,
        "files": manifest.files,
        "total_bytes": manifest.total_bytes,
        "assets": assets,
    }))
}

fn asset(entry: &rustle_formats::artifact::Entry) -> Value {
    let path = String::from_utf8_lossy(&entry.path);
    let mode = format!("{:04o}", entry.mode);
    match &entry.kind {
        Kind::File { size, digest, .. } => {
            json!({"path": path, "kind": "file", "mode": mode, "size": size, "blake3": hex(digest)})
        }
        Kind::Dir => json!({"path": path, "kind": "dir", "mode": mode}),
        Kind::Symlink { target } => {
            json!({"path": path, "kind": "symlink", "target": String::from_utf8_lossy(target)})
        }
        Kind::Hardlink { to } => {
            json!({"path": path, "kind": "hardlink", "to": String::from_utf8_lossy(to)})
        }
    }
}

fn plays(plan: &ExecutionPlan) -> Vec<Value> {
    let task = |t: &rustle_formats::plan::Task| json!({"id": t.id, "name": t.name, "module": t.module, "tags": t.tags});
    plan.plays
        .iter()
        .map(|play| {
            let mut tasks = Vec::new();
            for item in play.batches.iter().flat_map(|b| &b.tasks) {
                item.collect(&mut tasks);
            }
            json!({
                "id": play.play_id,
                "name": play.name,
                "hosts": play.hosts,
                "tasks": tasks.into_iter().map(task).collect::<Vec<_>>(),
                "handlers": play.handlers.iter().map(task).collect::<Vec<_>>(),
            })
        })
        .collect()
}

/// The same for people.
pub(crate) fn text(document: &Value) -> String {
    let get = |key: &str| document.get(key).unwrap_or(&Value::Null);
    let plain = |value: &Value| match value {
        Value::String(s) => s.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let mut out = String::new();
    for (title, key) in [
        ("plan", "name"),
        ("root", "root"),
        ("target", "target"),
        ("packed by", "packed_by"),
        ("signer", "signer"),
        ("placement", "placement"),
        ("payload", "payload_bytes"),
        ("overlay", "overlay_bytes"),
        ("tasks", "tasks"),
        ("files", "files"),
        ("bytes", "total_bytes"),
    ] {
        out.push_str(&format!("{title:<11}{}\n", plain(get(key))));
    }
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for play in list(get("plays")) {
        out.push_str(&format!("\nplay {}\n", plain(&play["name"])));
        for (kind, mark) in [("tasks", ""), ("handlers", " (handler)")] {
            for task in list(&play[kind]) {
                out.push_str(&format!(
                    "  {:<20} {}{mark}\n",
                    plain(&task["module"]),
                    plain(&task["name"])
                ));
            }
        }
    }
    let assets = list(get("assets"));
    if !assets.is_empty() {
        out.push_str("\nassets\n");
    }
    for asset in assets {
        let size = asset
            .get("size")
            .map_or_else(|| plain(&asset["kind"]), plain);
        let arrow = match asset.get("target").or_else(|| asset.get("to")) {
            Some(to) => format!(" -> {}", plain(to)),
            None => String::new(),
        };
        let mode = asset.get("mode").map_or_else(String::new, plain);
        out.push_str(&format!(
            "  {mode:<5}{size:>12} {}{arrow}\n",
            plain(&asset["path"])
        ));
    }
    out
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
