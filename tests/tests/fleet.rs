//! `rustle playbook` on several hosts, over a real sshd and beside processes on this machine.

use std::fs;
use std::path::Path;
use std::process::Output;

use rustle_tests::{Sshd, run_rustle, said};

struct Setup {
    dir: tempfile::TempDir,
    sshd: Sshd,
}

/// An sshd, and an inventory with two hosts behind it, one that nobody answers for, and this machine.
fn setup(checking: &str) -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let (port, key) = (sshd.port, sshd.key());
    write(
        dir.path(),
        "hosts.yml",
        &format!(
            "all:\n  vars:\n    ansible_host: 127.0.0.1\n    ansible_private_key_file: {key}\n    ansible_host_key_checking: {checking}\n  \
             hosts:\n    one: {{ansible_port: {port}, n: 1}}\n    two: {{ansible_port: {port}, n: 2}}\n    \
             gone: {{ansible_port: 1}}\n    here: {{ansible_connection: local, n: 3}}\n"
        ),
    );
    Setup { dir, sshd }
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Setup {
    fn run(&self, playbook: &str, more: &[&str]) -> Output {
        write(self.dir.path(), "site.yml", playbook);
        let hosts = self.dir.path().join("hosts.yml").display().to_string();
        let site = self.dir.path().join("site.yml").display().to_string();
        let mut args = vec!["playbook", "-i", &hosts, &site];
        args.extend_from_slice(more);
        run_rustle(self.dir.path(), &args)
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn hosts_behind_ssh_and_here_run_in_step() {
    let s = setup("false");
    let root = s.dir.path().join("root");
    fs::create_dir(&root).unwrap();
    write(s.dir.path(), "a.txt", "a file\n");
    write(s.dir.path(), "t.j2", "{{ inventory_hostname }} {{ n }}\n");
    let playbook = format!(
        "- hosts: one,two,here
  gather_facts: false
  tasks:
  - shell: echo {{{{ inventory_hostname }}}} >> {root}/log
  - shell: echo {{{{ inventory_hostname }}}} >> {root}/log; echo {{{{ n }}}}
    register: r
  - copy: {{src: a.txt, dest: \"{root}/a.{{{{ n }}}}\"}}
  - template: {{src: t.j2, dest: \"{root}/t.{{{{ n }}}}\"}}
  - debug:
      msg: \"{{{{ ansible_play_hosts | map('extract', hostvars) | map(attribute='r.stdout') | join('-') }}}}\"
  - command: cat {root}/t.1
    delegate_to: two
    run_once: true
    register: d
  - debug: {{var: d.stdout}}
",
        root = root.display()
    );
    let done = s.run(&playbook, &[]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    for host in ["one", "two", "here"] {
        let line = text
            .lines()
            .find(|l| l.starts_with(host) && l.contains(" : "))
            .unwrap();
        assert!(line.contains("failed=0"), "{}", said(&done));
        assert!(
            text.contains(&format!("ok: [{host}] => {{\n    \"msg\": \"1-2-3\"")),
            "{}",
            said(&done)
        );
        assert!(
            text.contains(&format!("ok: [{host}] => {{\n    \"d.stdout\": \"one 1\"")),
            "{}",
            said(&done)
        );
    }
    assert!(text.contains("changed: [one -> two"), "{}", said(&done));
    assert_eq!(fs::read_to_string(root.join("a.2")).unwrap(), "a file\n");
    assert_eq!(fs::read_to_string(root.join("t.3")).unwrap(), "here 3\n");
    // Nobody was at the second task before all had done the first.
    let log = fs::read_to_string(root.join("log")).unwrap();
    let mut first: Vec<&str> = log.lines().take(3).collect();
    first.sort_unstable();
    assert_eq!(first, ["here", "one", "two"], "{log}");
}

#[test]
fn who_cannot_be_reached_is_left_out() {
    let s = setup("false");
    let playbook = "- hosts: all
  gather_facts: false
  tasks:
  - command: echo {{ inventory_hostname }}
  - debug: {msg: after}
- hosts: gone,one
  gather_facts: false
  tasks:
  - debug: {msg: second}
";
    let done = s.run(playbook, &[]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(4), "{}", said(&done));
    assert!(
        text.contains("fatal: [gone]: UNREACHABLE! => {\"changed\": false, \"msg\": \"Failed to connect to the host via ssh: "),
        "{}",
        said(&done)
    );
    assert!(text.contains("\"unreachable\": true}"), "{}", said(&done));
    assert_eq!(text.matches("UNREACHABLE").count(), 1, "{}", said(&done));
    let recap = |host: &str| {
        text.lines()
            .find(|l| l.starts_with(host) && l.contains(" : "))
            .unwrap()
            .to_owned()
    };
    assert!(
        recap("gone").contains("ok=0 ") && recap("gone").contains("unreachable=1"),
        "{text}"
    );
    assert!(recap("one").contains("ok=3 "), "{text}");
    assert!(recap("two").contains("ok=2 "), "{text}");
}

#[test]
fn ignoring_an_unreachable_host_tries_it_with_every_task() {
    let s = setup("false");
    let playbook = "- hosts: gone,here
  gather_facts: false
  ignore_unreachable: true
  tasks:
  - command: echo {{ inventory_hostname }}
  - debug: {msg: \"{{ inventory_hostname }}\"}
  - command: echo again
";
    let done = s.run(playbook, &[]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(
        text.matches("fatal: [gone]: UNREACHABLE!").count(),
        2,
        "{}",
        said(&done)
    );
    assert!(text.contains("\"msg\": \"gone\""), "{}", said(&done));
}

#[test]
fn an_unknown_host_key_is_refused() {
    let s = setup("true");
    let done = s.run(
        "- hosts: one\n  gather_facts: false\n  tasks:\n  - command: echo\n",
        &[],
    );
    assert_eq!(done.status.code(), Some(4), "{}", said(&done));
    assert!(said(&done).contains("is not known"), "{}", said(&done));
    assert!(!s.sshd.folder.join("cache/rustle").exists());
}

#[test]
fn a_failed_host_ends_the_run_with_two() {
    let s = setup("false");
    let playbook = "- hosts: one,here
  gather_facts: false
  tasks:
  - fail: {msg: stop}
    when: n == 1
  - debug: {msg: \"{{ ansible_play_hosts }}\"}
";
    let done = s.run(playbook, &["-f", "1"]);
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert!(
        out(&done).contains("fatal: [one]: FAILED! => {\"changed\": false, \"msg\": \"stop\"}"),
        "{}",
        said(&done)
    );
    assert!(
        out(&done).contains("ok: [here] => {\n    \"msg\": [\n        \"here\"\n    ]"),
        "{}",
        said(&done)
    );
}

/// What runs in a process of its own has no line to the controller: it says so, where it would wait for ever.
#[test]
fn a_background_task_that_needs_the_controller_fails_at_once() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("library")).unwrap();
    std::fs::write(
        dir.path().join("library/own.sh"),
        "#!/bin/sh\n# WANT_JSON\necho '{\"changed\": true}'\n",
    )
    .unwrap();
    let site = dir.path().join("site.yml").display().to_string();
    std::fs::write(
        &site,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - own: {}\n      async: 30\n      poll: 1\n",
    )
    .unwrap();
    let output = rustle_tests::run_rustle(
        dir.path(),
        &["playbook", "-i", "a,b,", "-c", "local", &site],
    );
    let text = rustle_tests::said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(
        text.matches("cannot ask the controller\",").count(),
        2,
        "{text}"
    );
}

/// The runner guards its own folders, and leaves the umask of who logs in to what the tasks make.
#[test]
fn files_without_a_mode_have_that_of_the_login() {
    use std::os::unix::fs::PermissionsExt as _;
    let s = setup("false");
    let folder = s.sshd.folder.join("made");
    std::fs::create_dir(&folder).unwrap();
    let playbook = format!(
        "- hosts: one,here
  gather_facts: false
  tasks:
  - file: {{path: \"{0}/{{{{ inventory_hostname }}}}\", state: directory}}
  - copy: {{content: x, dest: \"{0}/{{{{ inventory_hostname }}}}/copied\"}}
  - shell: echo > \"{0}/{{{{ inventory_hostname }}}}/written\"
",
        folder.display()
    );
    for _ in 0..2 {
        let done = s.run(&playbook, &[]);
        assert_eq!(done.status.code(), Some(0), "{}", said(&done));
        let mode = |name: &str| {
            let meta = std::fs::metadata(folder.join(name)).unwrap();
            meta.permissions().mode() & 0o777
        };
        for name in ["", "/copied", "/written"] {
            let (far, near) = (mode(&format!("one{name}")), mode(&format!("here{name}")));
            assert_eq!(far, near, "{name}: {far:o}, here {near:o}");
        }
        // The second time the runner is there already.
        std::fs::remove_dir_all(folder.join("one")).unwrap();
        std::fs::remove_dir_all(folder.join("here")).unwrap();
    }
}
