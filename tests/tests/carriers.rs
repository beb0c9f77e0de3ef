//! Sessions that other programs carry: the system's ssh where a host's configuration needs it, and chroots.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustle_tests::{Login, PASSWORD, Sshd, Tmpfs, USER, own_mounts, run_rustle, rustle, said};

/// Runs a play on a host of this inventory line; the play writes a file and says who it was.
fn play(folder: &Path, line: &str, more: &[&str]) -> (Output, String) {
    let site = folder.join("site.yml");
    let made = folder.join("made");
    fs::write(folder.join("hosts"), format!("{line}\n")).unwrap();
    fs::write(
        &site,
        format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {{content: \"by {{{{ inventory_hostname }}}}\", dest: {}}}\n    \
             - command: id -un\n      register: who\n    - debug: var=who.stdout\n",
            made.display()
        ),
    )
    .unwrap();
    let (hosts, site) = (
        folder.join("hosts").display().to_string(),
        site.display().to_string(),
    );
    let mut args = vec!["playbook", "-i", &hosts, &site];
    args.extend_from_slice(more);
    let output = run_rustle(folder, &args);
    (output, fs::read_to_string(made).unwrap_or_default())
}

/// An ssh_config that names the daemon `web`.
fn config(folder: &Path, sshd: &Sshd) -> String {
    let known = folder.join("known");
    let key = fs::read_to_string(sshd.folder.join("host_key.pub")).unwrap();
    fs::write(&known, format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    let path = folder.join("ssh_config");
    fs::write(
        &path,
        format!(
            "Host web\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n",
            sshd.port,
            sshd.key(),
            known.display()
        ),
    )
    .unwrap();
    path.display().to_string()
}

#[test]
fn arguments_for_ssh_reach_ssh() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let config = config(dir.path(), &sshd);
    let args = format!("-F {config} -o ControlMaster=no");
    let line = format!("web ansible_ssh_common_args='{args}' ansible_ssh_args='-4'");
    let (output, made) = play(dir.path(), &line, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(made, "by web");
    fs::remove_file(dir.path().join("made")).unwrap();
    let (output, made) = play(dir.path(), "web", &["--ssh-common-args", &args]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(made, "by web");
}

/// The second run goes through the connection of the first, which outlives it.
#[test]
fn a_shared_connection_is_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let config = config(dir.path(), &sshd);
    let socket = dir.path().join("cp");
    let line = format!(
        "web ansible_ssh_extra_args='-F {config}' ansible_control_path={}",
        socket.display()
    );
    for _ in 0..2 {
        let (output, made) = play(dir.path(), &line, &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(made, "by web");
    }
    assert!(socket.exists());
    let ended = Command::new("ssh")
        .args(["-O", "exit", "-o"])
        .arg(format!("ControlPath={}", socket.display()))
        .arg("web")
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", said(&ended));
    let log = fs::read_to_string(sshd.folder.join("log")).unwrap();
    assert_eq!(log.matches("Accepted publickey").count(), 1, "{log}");
}

#[test]
fn a_password_goes_to_ssh_by_no_argument() {
    let dir = tempfile::tempdir().unwrap();
    let Some(sshd) = Sshd::with_password(&dir.path().join("sshd"), Login::Password) else {
        return;
    };
    // The other user writes there too.
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    for (password, good) in [(PASSWORD, true), ("wrong-word", false)] {
        let line = format!(
            "web ansible_host=127.0.0.1 ansible_port={} ansible_user={USER} ansible_password={password} \
             ansible_ssh_args='-o ControlMaster=no' ansible_host_key_checking=false \
             ansible_ssh_common_args='-o UserKnownHostsFile={}/known'",
            sshd.port,
            dir.path().display()
        );
        let (output, _) = play(dir.path(), &line, &["-vvvv"]);
        let text = said(&output);
        let is_user = text.contains(&format!("\"who.stdout\": \"{USER}\""));
        assert_eq!(is_user, good, "{text}");
        assert!(!text.contains(password), "{text}");
        if !good {
            assert_eq!(output.status.code(), Some(4), "{text}");
            assert!(
                text.contains("Failed to connect to the host via ssh"),
                "{text}"
            );
        }
    }
}

#[test]
fn who_ssh_cannot_reach_is_unreachable() {
    let dir = tempfile::tempdir().unwrap();
    let (output, _) = play(
        dir.path(),
        "web ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_args=-4",
        &[],
    );
    let text = said(&output);
    assert_eq!(output.status.code(), Some(4), "{text}");
    assert!(
        text.contains("Failed to connect to the host via ssh: ")
            && text.contains("Connection refused"),
        "{text}"
    );
}

#[test]
fn a_chroot_is_a_host() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: only root can enter a chroot");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let line = "cage ansible_connection=community.general.chroot ansible_host=/";
    let (output, made) = play(dir.path(), line, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(made, "by cage");
}

/// Another machine, as far as files go: a root of its own with this machine's programs. Its files come along with the plan, once;
/// what lies there is not sent again.
#[test]
fn files_come_along_to_another_machine() {
    let able = Command::new("unshare").args(["-m", "true"]).output();
    if !rustix::process::geteuid().is_root() || !able.is_ok_and(|o| o.status.success()) {
        eprintln!("left out: needs root and mount namespaces");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let write = |name: &str, text: &str| {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), text).unwrap();
    };
    write("files/one", "first");
    write("files/tree/a/deep", "deep");
    write("templates/t.j2", "for {{ inventory_hostname }}");
    write("late.txt", "late");
    write(
        "site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {src: one, dest: /tmp/one}\n    \
         - copy: {src: tree/, dest: /tmp/tree}\n    - template: {src: t.j2, dest: /tmp/t}\n    \
         - command: sh -c 'sleep {{ pause | default(0) }}; echo late.txt'\n      changed_when: false\n      register: name\n    \
         - copy: {src: \"{{ name.stdout }}\", dest: /tmp/late}\n    - copy: {src: one, dest: /tmp/again}\n",
    );
    write(
        "hosts",
        &format!(
            "cage ansible_connection=chroot ansible_host={}\n",
            at("root").display()
        ),
    );
    let script = "for d in usr proc dev; do mkdir -p $1/$d; mount --rbind /$d $1/$d; done; mkdir -p $1/tmp $1/etc $1/var/tmp; \
                  for d in bin sbin lib lib64; do [ -e $1/$d ] || ln -s usr/$d $1/$d; done; shift; exec \"$@\"";
    let run = |more: &[&str]| {
        let mut command = Command::new("unshare");
        command
            .args(["-m", "sh", "-c", script, "sh"])
            .arg(at("root"))
            .arg(rustle())
            .args(["playbook", "-i"])
            .arg(at("hosts"))
            .arg(at("site.yml"))
            .args(more)
            .env("HOME", dir.path());
        command
    };
    let running = run(&["-e", "pause=2"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // By then the plan is packed: a file that it names is sent as it was, one whose name is known only there is asked for.
    for _ in 0..200 {
        if at("root/tmp/t").exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    fs::write(at("files/one"), "changed").unwrap();
    fs::write(at("late.txt"), "later").unwrap();
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let read = |name: &str| fs::read_to_string(at("root/tmp").join(name)).unwrap();
    assert_eq!(read("one"), "first");
    assert_eq!(read("again"), "first");
    assert_eq!(read("tree/a/deep"), "deep");
    assert_eq!(read("t"), "for cage");
    assert_eq!(read("late"), "later");
    let output = run(&[]).output().unwrap();
    assert!(said(&output).contains("changed=2 "), "{}", said(&output));
    let output = run(&[]).output().unwrap();
    assert!(said(&output).contains("changed=0 "), "{}", said(&output));
}

/// What `rustle connect --hold` opened, runs go through, until it is closed.
#[test]
fn a_held_connection_carries_what_follows() {
    // `ssh` looks below the user's real home, whatever HOME says: there it finds a folder of this thread's own.
    if !own_mounts() {
        return;
    }
    let home = Tmpfs::mount(Path::new("/root/.ssh"), "size=1m,mode=700");
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let known = dir.path().join(".ssh/known_hosts");
    fs::create_dir(dir.path().join(".ssh")).unwrap();
    let key = fs::read_to_string(sshd.folder.join("host_key.pub")).unwrap();
    for known in [known, home.path().join("known_hosts")] {
        fs::write(known, format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    }
    let line = format!(
        "web ansible_host=127.0.0.1 ansible_port={} ansible_ssh_private_key_file={}",
        sshd.port,
        sshd.key()
    );
    fs::write(
        dir.path().join("hosts"),
        format!("{line}\ngone ansible_host=127.0.0.1 ansible_port=1\n"),
    )
    .unwrap();
    let hosts = dir.path().join("hosts").display().to_string();
    let connect =
        |more: &[&str]| run_rustle(dir.path(), &[&["connect", "-i", &hosts][..], more].concat());
    let both = connect(&["--json"]);
    assert_eq!(both.status.code(), Some(4), "{}", said(&both));
    let report: serde_json::Value = serde_json::from_slice(&both.stdout).unwrap();
    assert_eq!(report["hosts"]["web"]["reachable"], true);
    assert_eq!(report["hosts"]["web"]["system"], "Linux");
    assert_eq!(report["hosts"]["gone"]["reachable"], false);

    let logins = || {
        let log = fs::read_to_string(sshd.folder.join("log")).unwrap();
        log.matches("Accepted publickey").count()
    };
    assert_eq!(logins(), 1);
    let held = connect(&["web", "--hold", "5m"]);
    assert!(
        said(&held).contains("held open for 300 s"),
        "{}",
        said(&held)
    );
    for _ in 0..2 {
        let (output, made) = play(dir.path(), &line, &[]);
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(made, "by web");
        assert_eq!(logins(), 2);
    }
    fs::write(&hosts, format!("{line}\n")).unwrap();
    let closed = connect(&["--close"]);
    assert!(said(&closed).contains("web  closed"), "{}", said(&closed));
    let (output, _) = play(dir.path(), &line, &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(logins(), 3);
}

/// The host is known behind another alone: the way leads through that one's sshd.
#[test]
fn a_host_behind_another_is_reached_through_it() {
    let dir = tempfile::tempdir().unwrap();
    let outer = Sshd::start(&dir.path().join("outer"));
    let inner = Sshd::start(&dir.path().join("inner"));
    let of = |name: &str, sshd: &Sshd| {
        format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {}\n  IdentityFile {}\n  StrictHostKeyChecking no\n  UserKnownHostsFile {}\n",
            sshd.port,
            sshd.key(),
            dir.path().join("known").display()
        )
    };
    let text = format!(
        "{}{}  ProxyJump outer\n",
        of("outer", &outer),
        of("inner", &inner)
    );
    let config = dir.path().join("ssh_config");
    fs::write(&config, &text).unwrap();
    // Rustle reads the user's own file, ssh the one that it is told.
    fs::create_dir_all(dir.path().join(".ssh")).unwrap();
    fs::write(dir.path().join(".ssh/config"), &text).unwrap();
    let line = format!("inner ansible_ssh_common_args='-F {}'", config.display());
    let (done, made) = play(dir.path(), &line, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(made, "by inner");
    for sshd in [&outer, &inner] {
        let log = fs::read_to_string(sshd.folder.join("log")).unwrap();
        assert!(log.contains("Accepted publickey"), "{log}");
    }
}
