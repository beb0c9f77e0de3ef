//! Sessions that other programs carry: the system's ssh where a host's configuration needs it, and chroots.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use rustle_tests::{Login, PASSWORD, Sshd, USER, run_rustle, said};

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
