//! Random plays over four hosts that read each other's variables and append to one log: what came of them under ansible-playbook
//! (`scripts/random-plays --record`) comes of them here. Hosts run ahead where nobody can tell; this is where one could.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/order");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 16);
    files
}

/// Runs the plays of a record in a fresh folder.
fn outcome(files: &Value) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let out = here.join("out");
    fs::create_dir(&out).unwrap();
    for (name, text) in files.as_object().unwrap() {
        fs::write(here.join(name), text.as_str().unwrap()).unwrap();
    }
    let hosts: String = (0..4)
        .map(|n| format!("h{n} ansible_connection=local\n"))
        .collect();
    fs::write(here.join("hosts"), hosts).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(["playbook", "-i", "hosts", "site.yml", "-e"])
        .arg(format!("out={}", out.display()))
        .current_dir(here)
        .env("ANSIBLE_NOCOLOR", "1")
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&done.stdout);
    let recap: BTreeMap<&str, &str> = printed
        .lines()
        .filter_map(|line| line.split_once(" : "))
        .map(|(host, counts)| (host.trim(), counts.trim()))
        .filter(|(host, _)| host.len() == 2)
        .collect();
    json!({
        "exit": done.status.code(),
        "recap": recap,
        "log": log(&out),
        "left": left(&out, here),
    })
}

/// The tasks of the log one after the other, each with its lines in any order: hosts work side by side.
fn log(out: &Path) -> Value {
    let text = fs::read_to_string(out.join("log")).unwrap_or_default();
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        let tag = line.split(' ').next().unwrap();
        match groups.last_mut() {
            Some((last, lines)) if *last == tag => lines.push(line),
            _ => groups.push((tag, vec![line])),
        }
    }
    for (_, lines) in &mut groups {
        lines.sort_unstable();
    }
    json!(groups)
}

fn left(out: &Path, here: &Path) -> Value {
    let mut left = serde_json::Map::new();
    for entry in fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name != "log" {
            let text = fs::read_to_string(&path).unwrap();
            left.insert(
                name,
                text.replace(&here.display().to_string(), "FOLDER").into(),
            );
        }
    }
    Value::Object(left)
}

fn compare(every: usize, from: usize) {
    for path in recorded().into_iter().skip(from).step_by(every) {
        let record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let ours = outcome(&record["files"]);
        for part in ["exit", "recap", "log", "left"] {
            assert_eq!(
                ours[part],
                record["outcome"][part],
                "{part} of {}",
                path.display()
            );
        }
    }
}

#[test]
fn random_plays_come_out_as_under_ansible() {
    compare(2, 0);
}

/// The other half, by another process of the tests.
#[test]
fn more_random_plays_come_out_as_under_ansible() {
    compare(2, 1);
}
