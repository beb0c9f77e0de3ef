//! `rustle template`: what it prints, and what it says where it cannot.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn run(folder: &tempfile::TempDir, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_rustle"))
        .arg("template")
        .args(args)
        .current_dir(folder.path())
        .env_clear()
        .env("HOME", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write(
        "t.j2",
        "{{ name }} on {{ inventory_hostname }}:{{ port }}\n",
    );
    write("vars.yml", "name: ann\nport: 1\n");
    write("hosts", "[web]\nweb1 name=one\n");
    write("group_vars/web.yml", "port: 80\n");
    folder
}

#[test]
fn a_template_is_rendered_with_a_host_s_variables() {
    let folder = folder();
    let out = run(&folder, &["t.j2", "-e", "@vars.yml"], "");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "ann on localhost:1\n");
    let out = run(&folder, &["t.j2", "-i", "hosts", "--host", "web1"], "");
    assert_eq!(String::from_utf8_lossy(&out.stdout), "one on web1:80\n");
    let out = run(&folder, &["-", "-o", "written"], "{{ 1 + 1 }}x\n");
    assert!(out.status.success());
    let written = fs::read_to_string(folder.path().join("written")).unwrap();
    assert_eq!(written, "2x\n");
}

#[test]
fn what_cannot_be_rendered_is_named() {
    let folder = folder();
    let out = run(&folder, &["t.j2"], "");
    let said = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(4));
    assert!(said.contains("t.j2: 'name' is undefined (line 1"), "{said}");
    let out = run(&folder, &["t.j2", "-i", "hosts", "--host", "web9"], "");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("has no host `web9`"), "{said}");
    let out = run(&folder, &["nothing.j2"], "");
    assert_eq!(out.status.code(), Some(1));
}
