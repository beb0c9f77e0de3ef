//! A secret is nowhere in the clear: not in the artifact, the events, the output, the report, the journal or the diff.

use std::fs;
use std::path::Path;
use std::process::Command;

use rustle_tests::{run_rustle, said};
use serde_json::json;

const SECRET: &str = "correct-horse-battery-staple-7f3a";

fn contains(bytes: &[u8], needle: &str) -> bool {
    bytes.windows(needle.len()).any(|w| w == needle.as_bytes())
}

/// All files below a folder that hold the secret, but for those that shall.
fn leaks(folder: &Path, allowed: &[&Path]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if allowed.contains(&path.as_path()) {
            continue;
        }
        if path.is_dir() {
            found.extend(leaks(&path, allowed));
        } else if fs::read(&path).is_ok_and(|b| contains(&b, SECRET)) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn a_secret_goes_nowhere_but_into_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let path = |name: &str| at(name).display().to_string();
    fs::write(at("password"), format!("{SECRET}\n")).unwrap();
    fs::write(at("app.j2"), "password = {{ db_password }}\n").unwrap();
    let plan = json!({
        "version": 1,
        "secrets": [{"name": "db_password", "file": "password"}],
        "plays": [{"name": "p", "batches": [{"tasks": [
            {"name": "config", "module": "template", "args": {"src": "app.j2", "dest": at("app.conf"), "mode": "0600"}},
            {"name": "says it", "module": "command", "args": {"argv": ["echo", "{{ db_password }}"]}, "register": "out"},
            {"name": "shows it", "module": "debug", "args": {"var": "out"}},
            {"name": "shouts it", "module": "fail", "args": {"msg": "it is {{ db_password }}"}},
        ]}]}]
    });
    fs::write(at("plan.json"), plan.to_string()).unwrap();
    let made = run_rustle(dir.path(), &["keygen", "-o", &path("k"), "--symmetric"]);
    assert!(made.status.success(), "{}", said(&made));
    let packed = run_rustle(
        dir.path(),
        &[
            "pack",
            &path("plan.json"),
            "-o",
            &path("artifact"),
            "--key-file",
            &path("k"),
            "--no-cache",
        ],
    );
    assert!(packed.status.success(), "{}", said(&packed));

    let locked = Command::new(at("artifact"))
        .env_remove("RUSTLE_ENCRYPTION_KEY")
        .env("HOME", dir.path())
        .output()
        .unwrap();
    assert_eq!(locked.status.code(), Some(70), "{}", said(&locked));
    assert!(!at("app.conf").exists());

    let run = Command::new(at("artifact"))
        .args(["--key-file", &path("k"), "--diff", "-vvv"])
        .args(["--events", &path("events"), "--report", &path("report")])
        .args([
            "--journal-dir",
            &path("journal"),
            "--lock-file",
            &path("lock"),
        ])
        .env("HOME", dir.path())
        .output()
        .unwrap();
    assert_eq!(run.status.code(), Some(2), "{}", said(&run));
    assert_eq!(
        fs::read_to_string(at("app.conf")).unwrap(),
        format!("password = {SECRET}\n")
    );
    assert!(!said(&run).contains(SECRET), "{}", said(&run));
    assert!(at("events").exists() && at("report").exists());
    let allowed = [at("password"), at("app.conf")];
    let allowed: Vec<&Path> = allowed.iter().map(|p| p.as_path()).collect();
    assert_eq!(leaks(dir.path(), &allowed), Vec::<String>::new());
}
