//! All ways of logging in, against a real sshd.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustle_tests::{Login, PASSWORD, Sshd, USER, pack, plan, rustle, said};
use serde_json::json;

/// Packs a plan that says who it runs as.
fn artifact(folder: &Path) -> String {
    let tasks = json!([{"name": "who", "module": "command", "args": {"argv": ["id", "-u"]}, "register": "who"},
                       {"name": "says", "module": "debug", "args": {"msg": "uid={{ who.stdout }}"}}]);
    pack(folder, &plan(tasks), &[], &[]).display().to_string()
}

fn push(folder: &Path, agent: Option<&Path>, args: &[&str]) -> Output {
    let mut command = Command::new(rustle());
    command
        .arg("push")
        .args(args)
        .arg("--known-hosts")
        .arg(folder.join("known_hosts"))
        .args(["--accept-new", "--wait-lock", "60"])
        .env("HOME", folder)
        .env_remove("RUSTLE_ENCRYPTION_KEY")
        .env_remove("SSH_AUTH_SOCK")
        .stdin(Stdio::null());
    if let Some(socket) = agent {
        command.env("SSH_AUTH_SOCK", socket);
    }
    command.output().unwrap()
}

fn password_login(login: Login) {
    let dir = tempfile::tempdir().unwrap();
    let Some(sshd) = Sshd::with_password(&dir.path().join("sshd"), login) else {
        return;
    };
    let artifact = artifact(dir.path());
    let file = dir.path().join("password").display().to_string();
    let to = format!("{USER}@{}", sshd.destination());
    fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    let args = [
        artifact.as_str(),
        &to,
        "--no-agent",
        "--password-file",
        &file,
    ];
    let done = push(dir.path(), None, &args);
    let log = || fs::read_to_string(sshd.folder.join("log")).unwrap_or_default();
    assert_eq!(done.status.code(), Some(0), "{}\n{}", said(&done), log());
    assert!(said(&done).contains("uid=64123"), "{}", said(&done));
    // What the daemon took is what was meant.
    let way = match login {
        Login::Questions => "Accepted keyboard-interactive/pam for",
        _ => "Accepted password for",
    };
    assert!(log().contains(way), "{}", log());

    fs::write(&file, "wrong").unwrap();
    let refused = push(dir.path(), None, &args);
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(said(&refused).contains("refused"), "{}", said(&refused));
    assert!(!said(&refused).contains("wrong"), "{}", said(&refused));
}

#[test]
fn a_password() {
    password_login(Login::Password);
}

#[test]
fn questions_of_the_host() {
    password_login(Login::Questions);
}

#[test]
fn an_encrypted_key() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let artifact = artifact(dir.path());
    let locked = Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "key phrase", "-f", &sshd.key()])
        .output()
        .unwrap();
    assert!(locked.status.success(), "{}", said(&locked));
    let (to, key) = (sshd.destination(), sshd.key());
    let args = [artifact.as_str(), &to, "--no-agent", "-i", &key];
    let silent = push(dir.path(), None, &args);
    assert_eq!(silent.status.code(), Some(4), "{}", said(&silent));
    assert!(
        said(&silent).contains("it has a passphrase, and nobody gave it"),
        "{}",
        said(&silent)
    );
    let phrase = dir.path().join("phrase").display().to_string();
    for (text, code) in [("key phrase\n", 0), ("another\n", 4)] {
        fs::write(&phrase, text).unwrap();
        let output = push(
            dir.path(),
            None,
            &[&args[..], &["--ssh-passphrase-file", &phrase]].concat(),
        );
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    }
}

/// An agent with one key; ended when dropped.
struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_key_of_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let artifact = artifact(dir.path());
    let socket = dir.path().join("agent");
    let child = Command::new("ssh-agent")
        .arg("-D")
        .arg("-a")
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let _agent = Agent(child);
    let deadline = Instant::now() + Duration::from_secs(20);
    while !socket.exists() {
        assert!(Instant::now() < deadline, "ssh-agent does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let none = push(dir.path(), Some(&socket), &[&artifact, &sshd.destination()]);
    assert_eq!(none.status.code(), Some(4), "{}", said(&none));
    let added = Command::new("ssh-add")
        .arg(sshd.key())
        .env("SSH_AUTH_SOCK", &socket)
        .output()
        .unwrap();
    assert!(added.status.success(), "{}", said(&added));
    let done = push(dir.path(), Some(&socket), &[&artifact, &sshd.destination()]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    only_named_keys_of_the_agent(dir.path(), &sshd, &socket, &artifact);
}

/// With `IdentitiesOnly`, the agent signs with the key that is named, which nobody else can open, and with no other.
fn only_named_keys_of_the_agent(dir: &Path, sshd: &Sshd, socket: &Path, artifact: &str) {
    let locked = Command::new("ssh-keygen")
        .args([
            "-q",
            "-p",
            "-P",
            "",
            "-N",
            "a passphrase",
            "-f",
            &sshd.key(),
        ])
        .output()
        .unwrap();
    assert!(locked.status.success(), "{}", said(&locked));
    fs::create_dir_all(dir.join(".ssh")).unwrap();
    let only = |key: &str| {
        let text = format!("IdentitiesOnly yes\nIdentityFile {key}\n");
        fs::write(dir.join(".ssh/config"), text).unwrap();
        push(dir, Some(socket), &[artifact, &sshd.destination()])
    };
    let another = only(&sshd.folder.join("host_key").display().to_string());
    assert_eq!(another.status.code(), Some(4), "{}", said(&another));
    for beside in [true, false] {
        if !beside {
            // Then the public half is in the key itself.
            fs::remove_file(sshd.folder.join("user_key.pub")).unwrap();
        }
        let named = only(&sshd.key());
        assert_eq!(named.status.code(), Some(0), "{}", said(&named));
    }
}

#[test]
fn an_address_of_ipv6_and_a_user_before_it() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("skipped: this machine has no IPv6");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start_with(&dir.path().join("sshd"), "::1", Login::Key);
    let artifact = artifact(dir.path());
    let own = Command::new("id").arg("-un").output().unwrap();
    let own = String::from_utf8(own.stdout).unwrap();
    for to in [
        format!("[::1]:{}", sshd.port),
        format!("{}@[::1]:{}", own.trim(), sshd.port),
        format!("ssh://{}@[::1]:{}", own.trim(), sshd.port),
    ] {
        let output = push(
            dir.path(),
            None,
            &[&artifact, &to, "--no-agent", "-i", &sshd.key()],
        );
        assert_eq!(output.status.code(), Some(0), "{to}: {}", said(&output));
    }
    let known = fs::read_to_string(dir.path().join("known_hosts")).unwrap();
    assert!(
        known.starts_with(&format!("[::1]:{} ", sshd.port)),
        "{known}"
    );
    assert_eq!(known.lines().count(), 1, "{known}");
}
