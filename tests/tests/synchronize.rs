//! `synchronize` over a real sshd: rsync runs on this machine, and on another host.

use std::fs;
use std::path::Path;
use std::process::Output;

use rustle_tests::{Login, Sshd, run_rustle, said};

struct Setup {
    dir: tempfile::TempDir,
    _sshd: Sshd,
}

/// Two hosts behind one sshd, at an address that is not called this machine's.
fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start_with(&dir.path().join("sshd"), "127.0.0.2", Login::Key);
    let (port, key) = (sshd.port, sshd.key());
    let hosts = format!(
        "all:\n  vars: {{ansible_host: 127.0.0.2, ansible_port: {port}, ansible_private_key_file: {key}, \
         ansible_host_key_checking: false, root: {}}}\n  hosts: {{one: {{}}, two: {{}}}}\n",
        dir.path().display()
    );
    fs::write(dir.path().join("hosts.yml"), hosts).unwrap();
    for (name, text) in [("tree/a", "one\n"), ("tree/sub/b", "two\n")] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    Setup { dir, _sshd: sshd }
}

impl Setup {
    fn run(&self, tasks: &str, more: &[&str]) -> Output {
        let site = format!("- hosts: one\n  gather_facts: false\n  tasks:\n{tasks}");
        fs::write(self.dir.path().join("site.yml"), site).unwrap();
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let (hosts, site) = (at("hosts.yml"), at("site.yml"));
        let mut args = vec!["playbook", "-i", &hosts, &site];
        args.extend_from_slice(more);
        run_rustle(self.dir.path(), &args)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join(name)).unwrap_or_default()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn trees_go_both_ways_and_between_hosts() {
    let s = setup();
    let tasks = "  - {ansible.posix.synchronize: {src: tree, dest: '{{ root }}/pushed/'}, register: r}
  - {ansible.posix.synchronize: {src: tree, dest: '{{ root }}/pushed/'}, register: again}
  - {ansible.posix.synchronize: {src: '{{ root }}/pushed/tree/', dest: pulled, mode: pull, checksum: true}}
  - {ansible.posix.synchronize: {src: '{{ root }}/tree', dest: '{{ root }}/between/'}, delegate_to: two}
  - {ansible.posix.synchronize: {src: '{{ root }}/tree', dest: '{{ root }}/within/'}, delegate_to: one}
  - {synchronize: {src: tree/, dest: '{{ root }}/escalated'}, become: true, register: b}
  - {debug: {msg: '{{ r.changed }} {{ again.changed }} {{ b.cmd }}'}}
  - {copy: {content: x, dest: '{{ root }}/pushed/tree/odd'}}
  - {ansible.posix.synchronize: {src: tree, dest: '{{ root }}/pushed/', delete: true}}
";
    let done = s.run(tasks, &[]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    for name in [
        "pushed/tree",
        "pulled",
        "between/tree",
        "within/tree",
        "escalated",
    ] {
        assert_eq!(s.read(&format!("{name}/sub/b")), "two\n", "{name} {text}");
    }
    assert!(text.contains("True False /usr/bin/rsync"), "{text}");
    assert!(text.contains("--rsync-path='sudo -u root rsync'"), "{text}");
    assert!(text.contains("changed: [one -> two(127.0.0.2)]"), "{text}");
    assert!(!s.dir.path().join("pushed/tree/odd").exists());
}

#[test]
fn nothing_is_copied_in_check_mode_and_what_would_be_is_shown() {
    let s = setup();
    let task = "  - {ansible.posix.synchronize: {src: tree, dest: '{{ root }}/out/'}}\n";
    let done = s.run(task, &["-C", "-D"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(
        out(&done).contains("<f+++++++++ tree/sub/b\n"),
        "{}",
        said(&done)
    );
    assert!(out(&done).contains("changed: [one]"), "{}", said(&done));
    assert!(!s.dir.path().join("out").exists());
    let failing = "  - {ansible.posix.synchronize: {src: nowhere, dest: '{{ root }}/out/'}}\n";
    let done = s.run(failing, &[]);
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert!(out(&done).contains("\"rc\": 23"), "{}", said(&done));
}

#[test]
fn an_artifact_has_no_controller_and_says_so() {
    let s = setup();
    let site =
        "- hosts: one\n  tasks:\n    - {ansible.posix.synchronize: {src: tree, dest: /srv}}\n";
    fs::write(s.dir.path().join("site.yml"), site).unwrap();
    let at = |name: &str| s.dir.path().join(name).display().to_string();
    let args = [
        "pack",
        &at("site.yml"),
        "-i",
        &at("hosts.yml"),
        "--host",
        "one",
        "-o",
        &at("out"),
    ];
    let done = run_rustle(s.dir.path(), &args);
    assert_ne!(done.status.code(), Some(0));
    assert!(
        said(&done).contains("it copies between the controller and the target"),
        "{}",
        said(&done)
    );
    assert!(said(&done).contains("site.yml:3"), "{}", said(&done));
    assert!(!Path::new(&at("out")).exists());
}
