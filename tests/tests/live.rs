//! The line of progress: on a terminal, for several hosts, and never within what is printed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use rustle_tests::{run_rustle, rustle, said};

const SITE: &str = "- hosts: all
  gather_facts: false
  tasks:
    - {name: short, debug: {msg: \"{{ inventory_hostname }}\"}}
    - {name: longer, shell: \"sleep {{ n }}\"}
    - {name: bad, command: 'false', when: n == 1, register: r, no_log: true}
    - {name: last, debug: {msg: bye}}
";

fn files(folder: &Path, hosts: &str) {
    fs::write(folder.join("site.yml"), SITE).unwrap();
    let inventory = format!("all:\n  vars: {{ansible_connection: local}}\n  hosts: {hosts}\n");
    fs::write(folder.join("hosts.yml"), inventory).unwrap();
}

/// What a terminal gets, byte for byte. `None`: this machine has no program that makes one.
fn on_terminal(folder: &Path, more: &str) -> Option<String> {
    let said = format!(
        "{} --color never playbook -f 1 -i hosts.yml site.yml {more}",
        rustle().display()
    );
    let made = Command::new("script")
        .args(["-qec", &said, "/dev/null"])
        .current_dir(folder)
        .env("HOME", folder)
        .env("TERM", "xterm")
        .env_remove("RUSTLE_PROGRESS")
        .stdin(Stdio::null())
        .output();
    match made {
        Ok(made) => Some(String::from_utf8_lossy(&made.stdout).into_owned()),
        Err(_) => {
            eprintln!("skipped: there is no `script`, which makes terminals");
            None
        }
    }
}

/// What stays on the screen: each line after returns and erasures.
fn screen(bytes: &str) -> String {
    let mut out = String::new();
    for line in bytes.split('\n') {
        // Whatever stood before an erasure is gone.
        let line = line.rsplit("\u{1b}[2K").next().unwrap_or_default();
        let line = line.trim_end_matches('\r');
        assert!(!line.contains(" running"), "progress stays in {line:?}");
        out.push_str(line.rsplit('\r').next().unwrap_or_default());
        out.push('\n');
    }
    out.trim_end().to_owned()
}

#[test]
fn it_is_drawn_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), "{a: {n: 1}, b: {n: 0.4}}");
    let Some(drawn) = on_terminal(dir.path(), "") else {
        return;
    };
    for told in [
        "0/2 done, 2 running: longer",
        "1/2 done, 1 running: longer",
        "0/2 done, 1 running, 1 failed: last",
    ] {
        assert!(drawn.contains(told), "{told} is not in {drawn:?}");
    }
    let at = |name: &str| dir.path().join(name).display().to_string();
    let args = [
        "playbook",
        "-f",
        "1",
        "-i",
        &at("hosts.yml"),
        &at("site.yml"),
    ];
    let piped = run_rustle(dir.path(), &args);
    let text = String::from_utf8_lossy(&piped.stdout).into_owned();
    // A terminal's headings are as wide as it is.
    let plain = |text: &str| {
        let lines = text.lines().map(|l| l.trim_end_matches('*').to_owned());
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        plain(&screen(&drawn)).trim(),
        plain(&text).trim(),
        "{}",
        said(&piped)
    );
    assert!(!said(&piped).contains("running"), "{}", said(&piped));
}

#[test]
fn it_is_not_drawn_for_one_host_or_where_it_is_not_wanted() {
    let dir = tempfile::tempdir().unwrap();
    files(dir.path(), "{a: {n: 0}, b: {n: 0}}");
    let Some(drawn) = on_terminal(dir.path(), "--no-progress") else {
        return;
    };
    assert!(!drawn.contains(" running"), "{drawn:?}");
    files(dir.path(), "{a: {n: 0}}");
    let drawn = on_terminal(dir.path(), "").unwrap_or_default();
    assert!(!drawn.contains(" running"), "{drawn:?}");
}
