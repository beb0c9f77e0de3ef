//! What only the controller can evaluate is evaluated when a playbook is packed, or refused with its place.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const PLAYBOOK: &str = r#"- hosts: all
  gather_facts: false
  vars: {base: '{{ playbook_dir }}/passwords', piped: "{{ lookup('pipe', 'echo a{{ x }}b') }}"}
  tasks:
    - debug: {msg: "{{ piped }} {{ lookup('file', 'f') }} {{ lookup('env', 'PACKED') }} {{ lookup('template', 't.j2') }}"}
    - debug: {msg: "{{ lookup('pipe', 'echo ' ~ own) }}"}
      when: lookup('pipe', 'echo yes') == 'yes'
    - set_fact: {drawn: "{{ lookup('password', base ~ '/' ~ inventory_hostname) }}"}
    - copy: {content: "{{ drawn }}", dest: "{{ out }}", mode: '0600'}
"#;

fn rustle(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", folder)
        .env("PACKED", "here")
        .output()
        .unwrap()
}

fn folder(playbook: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let hosts = "one own=1 ansible_connection=local\ntwo own=2 ansible_connection=local\n";
    for (name, text) in [
        ("site.yml", playbook),
        ("hosts", hosts),
        ("f", "content"),
        ("t.j2", "t{{ own }}"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn lookups_of_the_controller_are_packed_as_values() {
    let dir = folder(PLAYBOOK);
    let here = dir.path();
    let done = rustle(here, &["keygen", "--symmetric", "-q", "-o", "key"]);
    assert!(done.status.success());
    let packed = rustle(
        here,
        &[
            "pack",
            "site.yml",
            "-i",
            "hosts",
            "-o",
            "art",
            "--key-file",
            "key",
            "--run-var",
            "out",
        ],
    );
    let said = String::from_utf8_lossy(&packed.stderr).into_owned();
    assert!(packed.status.success(), "{said}");
    for (host, own) in [("one", "1"), ("two", "2")] {
        let drawn = fs::read_to_string(here.join("passwords").join(host)).unwrap();
        let elsewhere = here.join(own);
        fs::create_dir(&elsewhere).unwrap();
        let out = elsewhere.join("out");
        let overlay = here.join(format!("art.overlays/{host}.overlay"));
        let overlay = overlay.display().to_string();
        let ran = Command::new(here.join("art"))
            .args(["--key-file", "../key", "--overlay", &overlay, "-e"])
            .arg(format!("out={}", out.display()))
            .current_dir(&elsewhere)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output()
            .unwrap();
        let both = [ran.stdout, ran.stderr].concat();
        let text = String::from_utf8_lossy(&both).into_owned();
        assert!(ran.status.success(), "{said}{text}");
        let first = format!("\"msg\": \"a{{{{ x }}}}b content here t{own}\"");
        assert!(text.contains(&first), "{text}");
        assert!(text.contains(&format!("\"msg\": \"{own}\"")), "{text}");
        let drawn = drawn.trim_end().split(" salt=").next().unwrap().to_owned();
        assert_eq!(fs::read_to_string(&out).unwrap(), drawn);
        let bytes = fs::read(here.join("art")).unwrap();
        assert!(!bytes.windows(drawn.len()).any(|w| w == drawn.as_bytes()));
    }
}

#[test]
fn what_depends_on_the_run_is_refused_with_its_place() {
    let dir = folder(
        r#"- hosts: one
  gather_facts: true
  tasks:
    - command: echo hi
      register: r
    - debug: {msg: "{{ lookup('pipe', 'echo ' ~ r.stdout) }}"}
    - debug: {msg: x}
      when: lookup('pipe', 'echo ' ~ ansible_os_family) == 'x'
    - debug: {msg: "{{ lookup('pipe', 'exit 3') }}"}
"#,
    );
    let packed = rustle(
        dir.path(),
        &["pack", "site.yml", "-i", "hosts", "-o", "art"],
    );
    let said = String::from_utf8_lossy(&packed.stderr).into_owned();
    let said = said.replace(&dir.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(said);
    assert!(!packed.status.success());
    assert!(!dir.path().join("art").exists());
}
