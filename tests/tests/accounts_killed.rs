//! kill -9 while users and groups are changed: the account files are whole at every moment, and the next run completes the work.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use rustle_tests::{Moments, how_many_kills, kill_after, pack, plan, said};
use serde_json::json;

const FILES: [(&str, &str, usize); 6] = [
    (
        "passwd",
        "root:x:0:0:root:/root:/bin/sh\nold:x:1000:1000::/home/old:/bin/sh\n",
        7,
    ),
    ("group", "root:x:0:\nold:x:1000:\nstaff:x:50:\n", 4),
    (
        "shadow",
        "root:*:19000:0:99999:7:::\nold:!:19000:0:99999:7:::\n",
        9,
    ),
    ("gshadow", "root:*::\nold:!::\nstaff:*::\n", 4),
    ("subuid", "old:100000:65536\n", 3),
    ("subgid", "old:100000:65536\n", 3),
];

fn machine(root: &Path) {
    for folder in ["etc", "home", "tmp", "dev"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    let skeleton = root.join("etc/skel/deep");
    fs::create_dir_all(&skeleton).unwrap();
    for i in 0..20 {
        fs::write(skeleton.join(i.to_string()), "x".repeat(1000)).unwrap();
    }
    for (name, content, _) in FILES {
        fs::write(root.join("etc").join(name), content).unwrap();
    }
}

fn command(root: &Path) -> Command {
    let mut command = Command::new("chroot");
    command
        .arg(root)
        .arg("/artifact")
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Every line has its fields, no account is there twice, and what was there before still is.
fn whole(root: &Path, when: &str) {
    for (name, before, fields) in FILES {
        let text = fs::read_to_string(root.join("etc").join(name)).unwrap();
        assert!(text.ends_with('\n'), "{when}: {name}: {text}");
        let mut seen = std::collections::BTreeSet::new();
        for line in text.lines() {
            assert_eq!(line.split(':').count(), fields, "{when}: {name}: {line}");
            assert!(
                seen.insert(line.split(':').next()),
                "{when}: {name}: twice: {line}"
            );
        }
        for line in before.lines() {
            let account = line.split(':').next().unwrap();
            assert!(
                seen.contains(&Some(account)),
                "{when}: {name}: {account} is gone"
            );
        }
    }
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut out: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    out.sort();
    out
}

#[test]
fn account_files_are_whole_and_the_next_run_completes_them() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: needs root for chroot");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let artifact = pack(
        dir.path(),
        &plan(json!([
            {"name": "group", "module": "group", "args": {"name": "web", "gid": 2000}},
            {"name": "ada", "module": "user", "args": {"name": "ada", "groups": "web,staff", "shell": "/bin/sh"}},
            {"name": "bob", "module": "user", "args": {"name": "bob", "group": "web", "comment": "Bob"}},
            {"name": "old", "module": "user", "args": {"name": "old", "groups": "web", "append": true, "comment": "Older"}}
        ])),
        &[],
        &[],
    );
    let build = |name: &str| {
        let root = dir.path().join(name);
        machine(&root);
        fs::copy(&artifact, root.join("artifact")).unwrap();
        root
    };
    let root = build("expected");
    let begun = Instant::now();
    let output = command(&root).output().unwrap();
    let took = begun.elapsed();
    assert!(output.status.success(), "{}", said(&output));
    let expected: Vec<String> = FILES
        .iter()
        .map(|(f, ..)| fs::read_to_string(root.join("etc").join(f)).unwrap())
        .collect();
    let (expected_etc, expected_home) = (names(&root.join("etc")), names(&root.join("home")));
    whole(&root, "without a kill");
    let mut moments = Moments::from_environment();
    let (mut killed, mut between) = (0, 0);
    for round in 0..how_many_kills(8) {
        let root = build(&format!("machine{round}"));
        let moment = moments.before(took);
        killed += usize::from(kill_after(&mut command(&root), moment));
        let when = format!("after {moment:?}");
        whole(&root, &when);
        between += usize::from(
            names(&root.join("etc"))
                .iter()
                .any(|n| n.ends_with('+') || n == ".rustle-accounts"),
        );
        let output = command(&root).output().unwrap();
        assert!(output.status.success(), "{when}: {}", said(&output));
        for ((name, ..), wanted) in FILES.iter().zip(&expected) {
            assert_eq!(
                &fs::read_to_string(root.join("etc").join(name)).unwrap(),
                wanted,
                "{when}: {name}"
            );
        }
        assert_eq!(names(&root.join("home")), expected_home, "{when}");
        assert_eq!(names(&root.join("home/ada/deep")).len(), 20, "{when}");
        assert_eq!(names(&root.join("etc")), expected_etc, "{when}");
        assert_eq!(names(&root.join("tmp")), Vec::<String>::new(), "{when}");
        let again = command(&root).output().unwrap();
        assert!(
            said(&again).contains("changed=0 "),
            "{when}: {}",
            said(&again)
        );
        fs::remove_dir_all(root).unwrap();
    }
    eprintln!("{killed} killed, {between} of them between two files");
}
