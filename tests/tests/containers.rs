//! Hosts that are containers, over the connection `podman`. Left out, with a line that says so, where podman is not there or cannot
//! run anything.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustle_tests::{rustle_command, said};

/// Runs nested in containers and under old control groups, too.
const OPTIONS: &str = "--storage-driver vfs --runtime runc --cgroup-manager cgroupfs";

/// A container made of busybox alone, without a network, removed when dropped.
struct Container {
    folder: PathBuf,
}

impl Container {
    fn start(folder: &Path) -> Option<Container> {
        let busybox = ["/usr/bin/busybox", "/bin/busybox"].map(Path::new);
        let busybox = busybox.into_iter().find(|p| p.exists());
        let able = |name: &str| {
            let asked = Command::new(name).arg("--version").output();
            asked.is_ok_and(|done| done.status.success())
        };
        let (Some(busybox), true, true) = (busybox, able("podman"), able("runc")) else {
            eprintln!("left out: needs podman, runc and a static busybox");
            return None;
        };
        let root = folder.join("root");
        for name in ["bin", "etc", "tmp", "root", "home/worker"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::copy(busybox, root.join("bin/busybox")).unwrap();
        for applet in
            "sh ls cat id mkdir chmod uname rm mv ln env dd printf test hostname sleep".split(' ')
        {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let users = "root:x:0:0::/root:/bin/sh\nworker:x:1000:1000::/home/worker:/bin/sh\n";
        fs::write(root.join("etc/passwd"), users).unwrap();
        fs::write(root.join("etc/group"), "root:x:0:\nworker:x:1000:\n").unwrap();
        let open = fs::Permissions::from_mode(0o777);
        for name in ["tmp", "home/worker"] {
            fs::set_permissions(root.join(name), open.clone()).unwrap();
        }
        // What the play calls `podman` keeps its images and containers here.
        let at = folder.display();
        let wrapper = format!(
            "#!/bin/sh\nexec {} --root {at}/store --runroot {at}/run {OPTIONS} \"$@\"\n",
            program()
        );
        fs::create_dir(folder.join("bin")).unwrap();
        fs::write(folder.join("bin/podman"), wrapper).unwrap();
        fs::set_permissions(folder.join("bin/podman"), open).unwrap();
        let container = Container {
            folder: folder.to_owned(),
        };
        let archive = folder.join("image.tar").display().to_string();
        let tar = Command::new("tar")
            .args(["-C"])
            .arg(&root)
            .args(["-cf", &archive, "."])
            .status();
        assert!(tar.unwrap().success());
        let limits = [
            "--ulimit",
            "nofile=1024:1024",
            "--ulimit",
            "nproc=1024:1024",
        ];
        let started = container
            .podman(&["import", &archive, "rustle-try"])
            .status
            .success()
            && container
                .podman(
                    &[
                        &["run", "-d", "--name", "web", "--network", "none"],
                        &limits[..],
                        &["rustle-try", "/bin/sleep", "600"],
                    ]
                    .concat(),
                )
                .status
                .success();
        if !started {
            eprintln!("left out: podman cannot run a container here");
            return None;
        }
        Some(container)
    }

    fn podman(&self, words: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command
            .arg("60")
            .arg(self.folder.join("bin/podman"))
            .args(words);
        command.stdin(Stdio::null()).output().unwrap()
    }

    fn play(&self, line: &str, tasks: &str) -> Output {
        let site = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}");
        fs::write(self.folder.join("site.yml"), site).unwrap();
        fs::write(self.folder.join("hosts"), format!("{line}\n")).unwrap();
        let at = |name: &str| self.folder.join(name).display().to_string();
        let path = format!(
            "{}:{}",
            at("bin"),
            std::env::var("PATH").unwrap_or_default()
        );
        let mut command = rustle_command(
            &self.folder,
            &["playbook", "-i", &at("hosts"), &at("site.yml")],
        );
        command.env("PATH", path).output().unwrap()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.podman(&["rm", "-f", "-t", "0", "web"]);
    }
}

/// Where the real program is.
fn program() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path).map(|f| f.join("podman"));
    found
        .find(|p| p.exists())
        .map_or_else(|| "podman".to_owned(), |p| p.display().to_string())
}

#[test]
fn a_container_is_a_host() {
    let dir = tempfile::tempdir().unwrap();
    let Some(container) = Container::start(dir.path()) else {
        return;
    };
    let tasks = "    - copy: {content: \"by {{ inventory_hostname }}\\n\", dest: /tmp/made}
      register: c
    - command: id -un
      register: who
    - fetch: {src: /tmp/made, dest: got, flat: true}
    - debug: {msg: \"{{ who.stdout }} {{ c is changed }}\"}
";
    let done = container.play("web ansible_connection=podman", tasks);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(
        said(&done).contains("\"msg\": \"root True\""),
        "{}",
        said(&done)
    );
    assert_eq!(
        fs::read_to_string(dir.path().join("got")).unwrap(),
        "by web\n"
    );
    // Another name for it, and another user.
    let line =
        "site ansible_connection=containers.podman.podman ansible_host=web ansible_user=worker";
    let again = container.play(line, &tasks.replace("/tmp/made", "/home/worker/made"));
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    assert!(
        said(&again).contains("\"msg\": \"worker True\""),
        "{}",
        said(&again)
    );
    let gone = container.play("nobody ansible_connection=podman", tasks);
    assert_eq!(gone.status.code(), Some(4), "{}", said(&gone));
}
