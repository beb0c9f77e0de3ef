//! What displays write beside the screen: files of hosts that failed, results by host, JUnit's XML.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const SITE: &str = "- name: first
  hosts: all
  gather_facts: false
  tasks:
    - name: say
      debug: {msg: \"<{{ inventory_hostname }}>\"}
    - name: only some
      fail: {msg: no more}
      when: inventory_hostname != 'b'
    - name: EXPECTED FAILURE
      fail:
      ignore_errors: true
";

fn run(dir: &Path, args: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
    fs::write(dir.join("site.yml"), SITE).unwrap();
    let hosts = "all: {hosts: {c: {}, b: {}, a: {}}}\n";
    fs::write(dir.join("hosts.yml"), hosts).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(["playbook", "-i", "hosts.yml", "-c", "local", "site.yml"])
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (out.status.code(), text(&out.stdout), text(&out.stderr))
}

#[test]
fn a_retry_file_names_the_hosts_that_failed_and_limits_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let on = [("ANSIBLE_RETRY_FILES_ENABLED", "1")];
    let (code, out, _) = run(dir.path(), &[], &on);
    assert_eq!(code, Some(2));
    let retry = dir.path().join("site.retry");
    assert_eq!(fs::read_to_string(&retry).unwrap(), "a\nc\n");
    let told = format!("\tto retry, use: --limit @{}\n", retry.display());
    assert!(out.contains(&told), "{out}");
    let limit = format!("@{}", retry.display());
    let (code, out, _) = run(dir.path(), &["--limit", &limit, "--list-hosts"], &on);
    assert_eq!(code, Some(0));
    assert!(out.contains("hosts (2):"), "{out}");
}

#[test]
fn a_retry_file_that_cannot_be_written_is_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let env = [
        ("ANSIBLE_RETRY_FILES_ENABLED", "1"),
        ("ANSIBLE_RETRY_FILES_SAVE_PATH", "file/below"),
    ];
    let (code, out, err) = run(dir.path(), &[], &env);
    assert_eq!(code, Some(2));
    assert!(!out.contains("to retry"), "{out}");
    assert!(err.contains("Could not create retry file"), "{err}");
}

#[test]
fn junit_and_tree_write_files() {
    let dir = tempfile::tempdir().unwrap();
    let env = [
        ("ANSIBLE_CALLBACKS_ENABLED", "junit,tree"),
        ("JUNIT_OUTPUT_DIR", "results"),
        ("JUNIT_TASK_RELATIVE_PATH", "."),
        ("ANSIBLE_CALLBACK_TREE_DIR", "tree"),
    ];
    let (code, ..) = run(dir.path(), &[], &env);
    assert_eq!(code, Some(2));
    let files: Vec<_> = fs::read_dir(dir.path().join("results")).unwrap().collect();
    assert_eq!(files.len(), 1);
    let xml = fs::read_to_string(files[0].as_ref().unwrap().path()).unwrap();
    for part in [
        "<testsuite disabled=\"0\" errors=\"2\" failures=\"0\" name=\"site\" skipped=\"1\" tests=\"7\"",
        "classname=\"site.yml:5\" name=\"[a] first: say msg=&lt;{{ inventory_hostname }}&gt;\"",
        "<error message=\"Task failed: Action failed: no more\" type=\"error\">",
        "<skipped>Conditional result was False</skipped>",
        "name=\"[b] first: EXPECTED FAILURE\"",
    ] {
        assert!(xml.contains(part), "{part} is not in\n{xml}");
    }
    let tree = fs::read_to_string(dir.path().join("tree/a")).unwrap();
    assert_eq!(tree, r#"{"changed": false, "msg": "no more"}"#);
}

#[test]
fn a_display_that_is_not_there_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let env = [("ANSIBLE_STDOUT_CALLBACK", "community.general.dense")];
    let (code, out, err) = run(dir.path(), &[], &env);
    assert_eq!(code, Some(2));
    assert!(out.contains("PLAY RECAP"), "{out}");
    assert!(
        err.contains("the display `community.general.dense`"),
        "{err}"
    );
}
