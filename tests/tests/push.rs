//! `rustle push` against a real sshd.

use std::fs;
use std::process::Output;

use rustle_tests::{Sshd, pack, plan, run_rustle, said};
use serde_json::json;

struct Setup {
    dir: tempfile::TempDir,
    sshd: Sshd,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    Setup { dir, sshd }
}

impl Setup {
    fn push(&self, more: &[&str]) -> Output {
        let artifact = self.dir.path().join("artifact").display().to_string();
        let known = self.dir.path().join("known_hosts").display().to_string();
        let (to, key) = (self.sshd.destination(), self.sshd.key());
        let mut args = vec![
            "push",
            &artifact,
            &to,
            "--ssh-key",
            &key,
            "--no-agent",
            "--known-hosts",
            &known,
            "-v",
            "--wait-lock",
            "60",
        ];
        args.extend_from_slice(more);
        run_rustle(self.dir.path(), &args)
    }
}

/// How many bytes `-v` says were sent.
fn sent(output: &Output) -> u64 {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text
        .lines()
        .find(|l| l.ends_with(" bytes sent"))
        .unwrap_or_else(|| panic!("no bytes: {}", said(output)));
    line.split(' ').nth_back(2).unwrap().parse().unwrap()
}

fn hello() -> serde_json::Value {
    plan(json!([{"name": "hello", "module": "debug", "args": {"msg": "hello"}}]))
}

#[test]
fn a_second_push_sends_the_difference_only() {
    let s = setup();
    let root = s.dir.path().join("root");
    let big: String = (0..40_000)
        .map(|n| format!("line {}\n", n * 7919 % 100_003))
        .collect();
    let tasks = |text: &str| {
        plan(json!([
            {"name": "a folder", "module": "file", "args": {"path": root, "state": "directory"}},
            {"name": "a file", "module": "copy", "args": {"src": "big.txt", "dest": root.join("big.txt")}},
            {"name": "a text", "module": "copy", "args": {"content": text, "dest": root.join("text")}},
        ]))
    };
    pack(s.dir.path(), &tasks("one"), &[("big.txt", &big)], &[]);

    let unknown = s.push(&[]);
    assert_eq!(unknown.status.code(), Some(4), "{}", said(&unknown));
    assert!(
        said(&unknown).contains("is not known"),
        "{}",
        said(&unknown)
    );
    assert!(!root.exists());

    let report = s.dir.path().join("report.json");
    let first = s.push(&["--accept-new", "--report", report.to_str().unwrap()]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(said(&first).contains("PLAY RECAP"), "{}", said(&first));
    assert_eq!(fs::read_to_string(root.join("big.txt")).unwrap(), big);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert!(report.to_string().contains("a file"), "{report}");

    let again = s.push(&[]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(said(&again).contains("changed=0"), "{}", said(&again));

    pack(s.dir.path(), &tasks("two"), &[("big.txt", &big)], &[]);
    let changed = s.push(&[]);
    assert_eq!(changed.status.code(), Some(0), "{}", said(&changed));
    assert_eq!(fs::read_to_string(root.join("text")).unwrap(), "two");
    let (all, difference) = (sent(&first), sent(&changed));
    assert!(all > 1_000_000, "{all}");
    assert!(difference < 20_000, "{difference} of {all}");
}

#[test]
fn a_damaged_cache_is_mended() {
    let s = setup();
    pack(s.dir.path(), &hello(), &[], &[]);
    let first = s.push(&["--accept-new"]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    // A runner that still starts but is not the one that was sent.
    let stubs = s.sshd.folder.join("cache/rustle/stub");
    for entry in fs::read_dir(stubs).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend_from_slice(b"junk");
        fs::write(&path, bytes).unwrap();
    }
    let second = s.push(&[]);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert!(sent(&second) > 100_000);
    assert_eq!(sent(&s.push(&[])), 0);
}

#[test]
fn failures_and_several_hosts() {
    let s = setup();
    let tasks = json!([{"name": "no", "module": "fail", "args": {"msg": "as it should"}}]);
    pack(s.dir.path(), &plan(tasks), &[], &[]);
    let output = s.push(&["--accept-new", "127.0.0.1:1"]);
    let text = said(&output);
    // 2 (a failed task) and 4 (an unreachable host) together.
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(
        text.contains("as it should") && text.contains("cannot connect"),
        "{text}"
    );
}

#[test]
fn a_changed_host_key_is_refused() {
    let s = setup();
    pack(s.dir.path(), &hello(), &[], &[]);
    let other = fs::read_to_string(s.sshd.folder.join("user_key.pub")).unwrap();
    let mut words = other.split(' ');
    let line = format!(
        "[127.0.0.1]:{} {} {}\n",
        s.sshd.port,
        words.next().unwrap(),
        words.next().unwrap()
    );
    fs::write(s.dir.path().join("known_hosts"), line).unwrap();
    let refused = s.push(&["--accept-new"]);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("has changed"), "{}", said(&refused));
}
