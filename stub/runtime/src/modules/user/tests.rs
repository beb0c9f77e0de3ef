use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde_json::json;

use super::apply;
use crate::outcome::Outcome;
use crate::trial::{Trial, root};

const DEFS: (&str, &str) = (
    "etc/login.defs",
    "# rules\nUMASK\t022\nPASS_MAX_DAYS 99999\nPASS_MIN_DAYS 0\nPASS_WARN_AGE 7\nUSERGROUPS_ENAB yes\n",
);

fn run(t: &Trial, root: &Path, args: serde_json::Value) -> Outcome {
    t.apply("user", args, |a, ctx| apply(a, ctx, root))
}

fn line(root: &Path, file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(root.join("etc").join(file)).unwrap_or_default();
    text.lines()
        .find(|l| l.starts_with(&format!("{name}:")))
        .unwrap_or_default()
        .to_owned()
}

/// Files can be given to other users only by root.
fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: only root can make homes of other users");
    }
    root
}

#[test]
fn a_new_user_has_group_shadow_and_home() {
    if !is_root() {
        return;
    }
    let dir = root(&[DEFS, ("etc/skel/.profile", "x"), ("etc/subuid", "ann:100000:65536\n")]);
    let t = Trial::new();
    let check = run(&Trial::checking(), dir.path(), json!({"name": "u1"}));
    assert!(check.changed && check.fields.is_empty());
    let r = run(&t, dir.path(), json!({"name": "u1", "shell": "", "groups": ["sudo"]}));
    assert!(r.changed && !r.failed, "{r:?}");
    assert_eq!((r.field("uid"), r.field("group"), r.field("groups")), ("1001".into(), "1001".into(), "sudo".into()));
    assert_eq!(line(dir.path(), "passwd", "u1"), "u1:x:1001:1001::/home/u1:");
    assert_eq!(line(dir.path(), "shadow", "u1"), format!("u1:!:{}:0:99999:7:::", super::today()));
    assert_eq!(line(dir.path(), "group", "sudo"), "sudo:x:27:u1");
    assert_eq!(line(dir.path(), "gshadow", "sudo"), "sudo:*::u1");
    assert_eq!(line(dir.path(), "subuid", "u1"), "u1:165536:65536");
    let home = std::fs::metadata(dir.path().join("home/u1")).expect("a home");
    assert_eq!((home.mode() & 0o7777, home.uid(), home.gid()), (0o755, 1001, 1001));
    let profile = std::fs::metadata(dir.path().join("home/u1/.profile")).expect("a file");
    assert_eq!(profile.uid(), 1001);
    assert!(!run(&t, dir.path(), json!({"name": "u1", "groups": "sudo"})).changed);
    assert!(dir.path().join("etc/passwd-").exists());
}

#[test]
fn a_root_of_two_files_is_enough() {
    if !is_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("etc")).expect("a folder");
    std::fs::write(dir.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("a file");
    std::fs::write(dir.path().join("etc/group"), "root:x:0:\n").expect("a file");
    let t = Trial::new();
    let r = run(&t, dir.path(), json!({"name": "web", "system": true, "home": "/srv/web"}));
    assert!(r.changed && !r.failed, "{r:?}");
    assert_eq!(line(dir.path(), "passwd", "web"), "web:!:999:999::/srv/web:/bin/sh");
    assert!(!run(&t, dir.path(), json!({"name": "web", "system": true, "home": "/srv/web"})).changed);
    let r = run(&t, dir.path(), json!({"name": "web", "password": "*"}));
    assert!(r.changed);
    assert_eq!(line(dir.path(), "passwd", "web"), "web:*:999:999::/srv/web:/bin/sh");
    let r = run(&t, dir.path(), json!({"name": "web", "expires": 86400}));
    assert!(r.failed && r.message().contains("/etc/shadow"), "{r:?}");
    assert!(!dir.path().join("etc/shadow").exists());
}

#[test]
fn groups_are_replaced_or_added_to() {
    let dir = root(&[DEFS]);
    let t = Trial::new();
    let ann = |more: serde_json::Value| {
        let mut args = json!({"name": "ann", "create_home": false});
        for (k, v) in more.as_object().expect("a mapping") {
            args[k] = v.clone();
        }
        run(&t, dir.path(), args)
    };
    assert!(ann(json!({"groups": ["sudo"], "append": true})).changed);
    assert!(!ann(json!({"groups": ["sudo"], "append": true})).changed);
    assert!(!ann(json!({"groups": ["sudo", "ann"]})).changed);
    assert!(!ann(json!({"groups": [], "append": true})).changed);
    assert!(ann(json!({"groups": ["root"]})).changed);
    assert_eq!(line(dir.path(), "group", "sudo"), "sudo:x:27:");
    assert!(ann(json!({"groups": ""})).changed);
    assert!(!ann(json!({"groups": ""})).changed);
    assert_eq!(ann(json!({"groups": ["nope"]})).message(), "Group nope does not exist");
    assert_eq!(ann(json!({"group": "nope"})).message(), "Group nope does not exist");
    let r = ann(json!({"uid": 0}));
    assert_eq!((r.message(), r.field("rc").as_str()), ("usermod: UID '0' already exists\n", "4"));
    assert!(ann(json!({"group": "27"})).changed);
}

#[test]
fn passwords_locks_and_ages() {
    let dir = root(&[DEFS]);
    let ann = |t: &Trial, more: serde_json::Value| {
        let mut args = json!({"name": "ann", "create_home": false});
        for (k, v) in more.as_object().expect("a mapping") {
            args[k] = v.clone();
        }
        run(t, dir.path(), args)
    };
    let t = Trial::new();
    let r = ann(&t, json!({"password": "*", "password_lock": true}));
    assert!(r.changed && r.field("password") == "NOT_LOGGING_PASSWORD");
    assert!(line(dir.path(), "shadow", "ann").starts_with("ann:!*:"));
    assert!(!ann(&t, json!({"password": "*", "password_lock": true})).changed);
    assert!(!ann(&t, json!({"password": "xyz", "update_password": "on_create"})).changed);
    assert!(ann(&Trial::checking(), json!({"password_lock": false})).changed);
    assert!(ann(&t, json!({"password_lock": false})).changed);
    let r = ann(&t, json!({"password": "plain"}));
    assert_eq!(r.warnings.len(), 1);
    assert!(ann(&t, json!({"expires": 1_422_403_387})).changed);
    assert!(!ann(&t, json!({"expires": 1_422_403_387.5})).changed);
    let ages = json!({"password_expire_max": 30, "password_expire_min": 5, "password_expire_warn": 3,
        "password_expire_account_disable": 4});
    assert!(ann(&t, ages.clone()).changed);
    assert!(!ann(&t, ages).changed);
    assert_eq!(
        line(dir.path(), "shadow", "ann"),
        format!("ann:plain:{}:5:30:3:4:16463:", super::today())
    );
    assert!(ann(&t, json!({"expires": -1})).changed);
    assert!(!ann(&t, json!({"expires": -1})).changed);
    assert!(ann(&t, json!({"comment": "a:b"})).failed);
}

#[test]
fn homes_move_and_go() {
    if !is_root() {
        return;
    }
    let dir = root(&[DEFS, ("home/ann/file", "x")]);
    let home = dir.path().join("home/ann");
    for path in [home.join("file"), home] {
        std::os::unix::fs::chown(path, Some(1000), Some(1000)).expect("root may");
    }
    let t = Trial::new();
    let args = json!({"name": "ann", "home": "/srv/deep/ann", "move_home": true, "uid": 5000});
    assert!(run(&Trial::checking(), dir.path(), args.clone()).changed);
    let r = run(&t, dir.path(), args);
    assert!(r.changed && r.field("home") == "/srv/deep/ann", "{r:?}");
    let file = std::fs::metadata(dir.path().join("srv/deep/ann/file")).expect("moved");
    assert_eq!(file.uid(), 5000);
    assert!(run(&Trial::checking(), dir.path(), json!({"name": "ann", "home": "/home/new"})).changed);
    let r = run(&t, dir.path(), json!({"name": "ann", "state": "absent", "remove": true}));
    assert!(r.changed && r.field("stderr").contains("mail spool"), "{r:?}");
    assert!(!dir.path().join("srv/deep/ann").exists());
    assert_eq!(line(dir.path(), "group", "ann"), "");
    assert!(!run(&t, dir.path(), json!({"name": "ann", "state": "absent"})).changed);
}

#[test]
fn refusals() {
    let dir = root(&[DEFS]);
    let t = Trial::new();
    let r = run(&t, dir.path(), json!({"name": "bad user"}));
    assert_eq!(r.message(), "useradd: invalid user name 'bad user': use --badname to ignore\n");
    let r = run(&t, dir.path(), json!({"name": "u", "uid": 0}));
    assert_eq!(r.message(), "useradd: UID 0 is not unique\n");
    let r = run(&t, dir.path(), json!({"name": "u", "umask": "9"}));
    assert!(r.message().starts_with("umask:"));
    assert_eq!(line(dir.path(), "passwd", "u"), "");
}
