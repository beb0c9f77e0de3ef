//! `rustle parse | rustle facts | rustle plan`: documents that pass from one to the next, and nothing secret in them.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Runs `rustle` in a folder with something on its standard input; what it printed.
fn rustle(folder: &Path, args: &[&str], input: &str) -> String {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let out = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{args:?}: {said}");
    String::from_utf8(out.stdout).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A repository with a value under `!vault` and a file that is vaulted as a whole.
fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("pw", "pass\n");
    put(
        "hosts",
        "[web]\nweb1 ansible_connection=local\nweb2 ansible_architecture=aarch64\n",
    );
    put("group_vars/web/whole.yml", "whole: in-the-file\n");
    rustle(
        dir.path(),
        &[
            "vault",
            "encrypt",
            "--vault-password-file",
            "pw",
            "group_vars/web/whole.yml",
        ],
        "",
    );
    let single = rustle(
        dir.path(),
        &[
            "vault",
            "encrypt-string",
            "--vault-password-file",
            "pw",
            "by-itself",
            "--name",
            "single",
        ],
        "",
    );
    put("group_vars/web/vars.yml", &single);
    put(
        "site.yml",
        "- hosts: web\n  tasks:\n  - debug: msg='{{ whole }} {{ single }}'\n  - command: id\n  - ping:\n",
    );
    dir
}

#[test]
fn documents_pass_from_one_to_the_next_without_a_secret_in_the_clear() {
    let dir = repository();
    let at = dir.path();
    let site = fs::read_to_string(at.join("site.yml")).unwrap();
    let vault = ["--vault-password-file", "pw"];
    let parsed = rustle(at, &[&["parse", "-", "hosts"], &vault[..]].concat(), &site);
    let enriched = rustle(at, &["facts", "--cache-file", "facts.json"], &parsed);
    let plan = rustle(at, &["plan", "--binary-threshold", "3"], &enriched);
    for text in [&parsed, &enriched, &plan] {
        assert!(
            !text.contains("in-the-file") && !text.contains("by-itself"),
            "{text}"
        );
        assert!(text.contains("$ANSIBLE_VAULT;1.1;AES256"), "{text}");
    }
    assert_eq!(json(&parsed)["vault_ids"], serde_json::json!(["default"]));
    assert_eq!(json(&parsed)["plays"][0]["pattern"], "web");
    let facts = &json(&enriched)["inventory"]["host_facts"];
    assert_eq!(facts["web1"]["ansible_system"], "Linux");
    assert_eq!(facts["web2"]["ansible_architecture"], "aarch64");
    let plan = json(&plan);
    let made = plan["binary_deployments"].as_array().unwrap();
    assert_eq!(
        made.len(),
        if facts["web1"]["ansible_architecture"] == "aarch64" {
            1
        } else {
            2
        }
    );
    assert_eq!(made[0]["tasks"].as_array().unwrap().len(), 3);
    assert_eq!(
        (&made[0]["execution_mode"], &plan["total_tasks"]),
        (&"Standalone".into(), &3.into())
    );
    // What was gathered once is not asked again.
    let cached = fs::read_to_string(at.join("facts.json")).unwrap();
    assert!(cached.contains("web2"));
    fs::write(at.join("facts.json"), cached.replace("aarch64", "s390x")).unwrap();
    let again = rustle(at, &["facts", "--cache-file", "facts.json"], &parsed);
    assert_eq!(
        json(&again)["inventory"]["host_facts"]["web2"]["ansible_architecture"],
        "s390x"
    );
    let late = rustle(
        at,
        &[
            "facts",
            "--cache-file",
            "facts.json",
            "--cache-timeout",
            "1",
        ],
        &parsed,
    );
    let now = json(&late)["inventory"]["host_facts"]["web2"]["ansible_architecture"].clone();
    assert!(now == "s390x" || now == "aarch64");
}

#[test]
fn a_plan_of_a_playbook_is_the_plan_of_its_document() {
    let dir = repository();
    let at = dir.path();
    let vault = ["--vault-password-file", "pw"];
    let direct = rustle(
        at,
        &[
            &["plan", "site.yml", "-i", "hosts", "--extra-vars", "a=1"],
            &vault[..],
        ]
        .concat(),
        "",
    );
    let parsed = rustle(
        at,
        &[
            &["parse", "site.yml", "-i", "hosts", "-e", "a=1"],
            &vault[..],
        ]
        .concat(),
        "",
    );
    let mut piped = json(&rustle(at, &["plan"], &parsed));
    let mut direct = json(&direct);
    // A text of a file that was vaulted as a whole is encrypted under a new salt every time.
    for plan in [&mut piped, &mut direct] {
        for host in ["web1", "web2"] {
            let whole = &mut plan["hosts"][host]["vars"]["whole"]["__ansible_vault"];
            assert!(whole.as_str().unwrap().starts_with("$ANSIBLE_VAULT"));
            *whole = Value::Null;
        }
    }
    assert_eq!(piped, direct);
}
