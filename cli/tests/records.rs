//! What is kept of a run: its record, which is printed again as it was; its report; its lines in the audit log. And no secret in any.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SECRET: &str = "tr0ub4dor-and-three";
const PLAYBOOK: &str = r#"- hosts: all
  gather_facts: false
  vars_files: [secret.yml]
  tasks:
    - copy: {content: "{{ password }}", dest: "{{ out }}/{{ inventory_hostname }}"}
    - debug: {msg: "{{ password }}"}
      no_log: true
    - command: 'false'
      when: inventory_hostname == 'two'
"#;

fn rustle(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A folder with a playbook and a vaulted password.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    fs::write(here.join("site.yml"), PLAYBOOK).unwrap();
    fs::write(here.join("vault-password"), "x\n").unwrap();
    fs::write(here.join("secret.yml"), format!("password: {SECRET}\n")).unwrap();
    let done = rustle(
        here,
        &[
            "vault",
            "encrypt",
            "--vault-password-file",
            "vault-password",
            "secret.yml",
        ],
    );
    assert!(done.status.success(), "{done:?}");
    dir
}

fn play(here: &Path, more: &[&str]) -> Output {
    let out = format!("out={}", here.display());
    let mut arguments = vec![
        "playbook",
        "site.yml",
        "-i",
        "one,two,",
        "-c",
        "local",
        "--vault-password-file",
        "vault-password",
        "--diff",
        "-e",
        &out,
    ];
    arguments.extend(more);
    rustle(here, &arguments)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => out.extend(files_below(&entry.path())),
            false => out.push(entry.path()),
        }
    }
    out
}

#[test]
fn a_run_is_listed_printed_again_and_reported() {
    let dir = folder();
    let here = dir.path();
    let ran = play(here, &["--report-file", "report.json"]);
    assert_eq!(ran.status.code(), Some(2), "{ran:?}");

    let listed = text(&rustle(here, &["runs"]));
    assert!(
        listed.contains("exit 2") && listed.contains("site.yml"),
        "{listed}"
    );
    assert!(listed.contains("1 changed, 1 failed"), "{listed}");

    let again = rustle(here, &["replay"]);
    assert_eq!(again.status.code(), Some(2));
    assert_eq!(text(&again), text(&ran).replace(SECRET, "********"));

    let report: serde_json::Value =
        serde_json::from_slice(&fs::read(here.join("report.json")).unwrap()).unwrap();
    let printed: serde_json::Value =
        serde_json::from_slice(&rustle(here, &["report"]).stdout).unwrap();
    assert_eq!(report, printed);
    assert_eq!(report["exit_code"], 2);

    let made = rustle(here, &["report", "--html", "-o", "page.html"]);
    assert!(made.status.success(), "{made:?}");
    let page = fs::read_to_string(here.join("page.html")).unwrap();
    assert!(page.contains("<h2>Failures</h2>") && page.contains("<h2>Timeline</h2>"));
    let junit = text(&rustle(here, &["report", "--junit"]));
    assert!(junit.contains(r##"tests="6" failures="1""##), "{junit}");
}

#[test]
fn no_secret_is_kept_and_all_of_it_is_private() {
    let dir = folder();
    let here = dir.path();
    play(
        here,
        &[
            "--report-file",
            "report.json",
            "-vvv",
            "-e",
            "other=extra-secret",
        ],
    );
    rustle(here, &["report", "--html", "-o", "page.html"]);
    assert_eq!(fs::read_to_string(here.join("one")).unwrap(), SECRET);
    let state = here.join(".local/state/rustle");
    let mut kept = files_below(&state);
    assert_eq!(kept.len(), 3, "{kept:?}");
    kept.extend([here.join("report.json"), here.join("page.html")]);
    for file in kept {
        let content = fs::read_to_string(&file).unwrap();
        assert!(!content.contains(SECRET), "{}: {content}", file.display());
        assert!(!content.contains("extra-secret"), "{}", file.display());
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.display());
    }
}

#[test]
fn the_audit_log_tells_of_changes() {
    let dir = folder();
    let here = dir.path();
    play(here, &[]);
    play(here, &["--check", "--no-record"]);
    let shown = rustle(here, &["audit"]);
    assert!(
        text(&shown).contains("4 entries, all as written"),
        "{shown:?}"
    );
    assert!(
        text(&shown).contains("one changed") && text(&shown).contains("two failed"),
        "{shown:?}"
    );
    let last = text(&shown).trim().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(text(&rustle(here, &["runs"])).lines().count(), 1);

    let path = here.join(".local/state/rustle/audit.jsonl");
    let whole = fs::read_to_string(&path).unwrap();
    let shorter: Vec<&str> = whole.lines().take(2).collect();
    fs::write(&path, shorter.join("\n") + "\n").unwrap();
    // The end was cut off: only who kept the last digest can tell.
    assert!(rustle(here, &["audit"]).status.success());
    let held = rustle(here, &["audit", "--contains", &last]);
    assert_eq!(held.status.code(), Some(65), "{held:?}");
    fs::write(&path, whole.replace("two", "ten")).unwrap();
    assert_eq!(rustle(here, &["audit"]).status.code(), Some(65));
}

#[test]
fn a_place_that_cannot_be_written_is_said() {
    let dir = folder();
    let here = dir.path();
    let wrong = play(here, &["--report-file", "nowhere/report.json"]);
    assert_eq!(wrong.status.code(), Some(74));
    assert!(!here.join("one").exists());
    // Where no record can be kept the run goes on, and says so.
    fs::create_dir_all(here.join(".local/state")).unwrap();
    fs::write(here.join(".local/state/rustle"), "a file").unwrap();
    let ran = play(here, &[]);
    assert_eq!(ran.status.code(), Some(2));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("this run is not recorded"), "{said}");
    assert!(here.join("one").exists());
}
