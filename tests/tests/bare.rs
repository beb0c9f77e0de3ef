//! Artifacts in roots that have next to nothing: no libc, no /proc, no /dev, no Python.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustle_tests::{run_rustle, said, top};

/// Whether this process may chroot. CI runs as root; elsewhere the tests say so and pass.
fn root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("left out: needs root for chroot");
    }
    root
}

fn pack_example(name: &str, into: &Path) {
    let plan = top().join(format!("fixtures/plans/{name}.json"));
    let out = into.join("artifact");
    let output = run_rustle(
        into,
        &[
            "pack",
            plan.to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
            "--no-cache",
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
}

/// A statically linked shell, where the machine has one.
fn static_shell() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox", "/bin/bash-static"]
        .iter()
        .map(PathBuf::from)
        .find(|p| {
            // A static program names no interpreter.
            fs::read(p).is_ok_and(|b| !b.windows(8).take(8192).any(|w| w == b"ld-linux"))
        })
}

fn run_in(root: &Path) -> Output {
    Command::new("chroot")
        .arg(root)
        .arg("/artifact")
        .env_clear()
        .env("PATH", "/bin:/usr/bin:/sbin:/usr/sbin")
        .output()
        .unwrap()
}

#[test]
fn files_templates_and_commands_with_nothing_but_a_shell() {
    let Some(shell) = static_shell().filter(|_| root()) else {
        eprintln!("left out: needs root and a static shell (busybox-static)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("bin")).unwrap();
    let sh = dir.path().join("bin/sh");
    fs::copy(shell, &sh).unwrap();
    fs::set_permissions(&sh, fs::Permissions::from_mode(0o755)).unwrap();
    pack_example("files-only", dir.path());
    let first = run_in(dir.path());
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(dir.path().join("rustle-demo/etc/settings").exists());
    let second = run_in(dir.path());
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert!(said(&second).contains("changed=0 "), "{}", said(&second));
}

#[test]
fn users_with_nothing_but_their_files() {
    if !root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("etc")).unwrap();
    fs::write(
        dir.path().join("etc/passwd"),
        "root:x:0:0:root:/root:/bin/sh\n",
    )
    .unwrap();
    fs::write(dir.path().join("etc/group"), "root:x:0:\n").unwrap();
    pack_example("users", dir.path());
    let first = run_in(dir.path());
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    let passwd = fs::read_to_string(dir.path().join("etc/passwd")).unwrap();
    assert!(passwd.contains("\nada:"), "{passwd}");
    let second = run_in(dir.path());
    assert!(said(&second).contains("changed=0 "), "{}", said(&second));
}
