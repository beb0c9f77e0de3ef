//! What holds for every task of the file modules: check mode writes nothing and foretells what the run does, and a task
//! that ran once has nothing left to do. Faults: a full disk, leftovers of a killed run.

#[path = "differential/tree.rs"]
mod tree;

mod replay {
    /// Names of backup files are left as they are here.
    pub(crate) fn backup_names(text: &str) -> String {
        text.to_owned()
    }
}

use std::cell::RefCell;
use std::path::Path;

use indexmap::IndexMap;
use proptest::prelude::*;
use rustle_formats::{Map, Value};
use rustle_runtime::args::{Args, Moment};
use rustle_runtime::assets::NoAssets;
use rustle_runtime::context::Context;
use rustle_runtime::modules::find;
use rustle_runtime::outcome::Outcome;

fn run(module: &str, raw: &Map, work: &Path, check: bool) -> Outcome {
    let module = find(module).unwrap();
    let args = match Args::check(module.spec(), raw, Moment::Running) {
        Ok(args) => args,
        Err(_) => {
            return Outcome {
                failed: true,
                ..Outcome::default()
            };
        }
    };
    let environment = IndexMap::new();
    let ctx = Context {
        check,
        diff: true,
        verbosity: 0,
        environment: &environment,
        assets: &NoAssets,
        asset_paths: &[],
        variables: None,
        deadline: None,
        work_dir: work,
        lasting: false,
        no_log: false,
        home: None,
        staging: None,
        cancelled: &|| false,
        warnings: RefCell::default(),
    };
    match module.run(&args, &ctx) {
        Ok(outcome) => outcome,
        Err(failure) => failure.into(),
    }
}

fn args(pairs: &[(&str, Value)]) -> Map {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), v.clone()))
        .collect()
}

/// One task: a module and its arguments, with paths below a folder that is put in later.
#[derive(Debug, Clone)]
struct Task {
    module: &'static str,
    args: Vec<(&'static str, Value)>,
}

impl Task {
    fn map(&self, root: &Path) -> Map {
        let put = |v: &Value| match v {
            Value::Str(s) => Value::Str(s.replace("$ROOT", root.to_str().unwrap())),
            other => other.clone(),
        };
        self.args
            .iter()
            .map(|(k, v)| ((*k).to_owned(), put(v)))
            .collect()
    }
}

fn path() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        "a", "b", "d", "d/x", "d/e/y", "l", "broken", "new", "n/m/o",
    ])
    .prop_map(|p| Value::Str(format!("$ROOT/{p}")))
}

fn mode() -> impl Strategy<Value = Option<Value>> {
    prop::option::of(
        prop::sample::select(vec!["0600", "0644", "u=rw,go=r", "a+rX", "0755", "u+x"])
            .prop_map(|m| Value::Str(m.to_owned())),
    )
}

fn text() -> impl Strategy<Value = Value> {
    "[ab1=]{0,3}(\n[ab=]{1,3}){0,2}".prop_map(Value::Str)
}

fn task() -> impl Strategy<Value = Task> {
    let file = (
        path(),
        prop::sample::select(vec!["file", "directory", "link", "hard", "absent"]),
        path(),
        any::<bool>(),
        any::<bool>(),
        mode(),
    )
        .prop_map(|(path, state, src, force, follow, mode)| {
            let mut args = vec![
                ("path", path),
                ("state", state.into()),
                ("force", force.into()),
                ("follow", follow.into()),
            ];
            if matches!(state, "link" | "hard") {
                args.push(("src", src));
            }
            args.extend(mode.map(|m| ("mode", m)));
            Task {
                module: "file",
                args,
            }
        });
    let copy = (path(), text(), any::<bool>(), any::<bool>(), mode()).prop_map(
        |(dest, content, force, follow, mode)| {
            let mut args = vec![
                ("dest", dest),
                ("content", content),
                ("force", force.into()),
                ("follow", follow.into()),
            ];
            args.extend(mode.map(|m| ("mode", m)));
            Task {
                module: "copy",
                args,
            }
        },
    );
    let remote = (path(), path(), mode()).prop_map(|(src, dest, mode)| {
        let mut args = vec![("src", src), ("dest", dest), ("remote_src", true.into())];
        args.extend(mode.map(|m| ("mode", m)));
        Task {
            module: "copy",
            args,
        }
    });
    let line = (
        path(),
        "[ab=]{1,3}",
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(path, line, create, absent, after)| {
            let mut args = vec![
                ("path", path),
                ("line", line.into()),
                ("create", create.into()),
                ("state", if absent { "absent" } else { "present" }.into()),
            ];
            if after {
                args.push(("insertafter", "^a".into()));
            }
            Task {
                module: "lineinfile",
                args,
            }
        });
    let block = (path(), text(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(path, block, create, blank, before)| {
            let mut args = vec![
                ("path", path),
                ("block", block),
                ("create", create.into()),
                ("append_newline", blank.into()),
                ("prepend_newline", blank.into()),
            ];
            if before {
                args.push(("insertbefore", "^a".into()));
            }
            Task {
                module: "blockinfile",
                args,
            }
        },
    );
    prop_oneof![file, copy, remote, line, block]
}

fn prepare(root: &Path) {
    let at = |name: &str| root.join(name);
    std::fs::create_dir_all(at("d/e")).unwrap();
    std::fs::write(at("a"), "a=1\nb").unwrap();
    std::fs::write(at("b"), "a=1\nb").unwrap();
    std::fs::write(at("d/x"), "").unwrap();
    std::fs::write(at("d/e/y"), "ab\n").unwrap();
    std::os::unix::fs::symlink("a", at("l")).unwrap();
    std::os::unix::fs::symlink("nothing", at("broken")).unwrap();
}

/// The first of these arguments that the task gives.
fn given<'t>(task: &'t Task, names: &[&str]) -> Option<&'t Value> {
    names
        .iter()
        .find_map(|name| task.args.iter().find(|(k, _)| k == name).map(|(_, v)| v))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn check_foretells_and_the_second_run_changes_nothing(task in task()) {
        let scratch = tempfile::tempdir().unwrap();
        let root = scratch.path().join("root");
        std::fs::create_dir(&root).unwrap();
        prepare(&root);
        let map = task.map(&root);
        let before = tree::snapshot(&root);
        let foretold = run(task.module, &map, scratch.path(), true);
        prop_assert_eq!(&before, &tree::snapshot(&root), "check mode wrote something");
        let first = run(task.module, &map, scratch.path(), false);
        let after = tree::snapshot(&root);
        // Check mode takes a folder that is missing for one that an earlier task would have made, as Ansible's does.
        let no_folder = first.failed
            && foretold.changed
            && given(&task, &["dest", "path"])
                .and_then(Value::as_str)
                .is_some_and(|p| !Path::new(&p.replace("$ROOT", &root.display().to_string())).parent().is_some_and(Path::is_dir));
        if !no_folder {
            prop_assert_eq!(foretold.failed, first.failed, "{:?} then {:?}", foretold, first);
            prop_assert_eq!(foretold.changed, first.changed, "{:?} then {:?}", foretold, first);
        }
        if first.failed || !first.changed {
            prop_assert_eq!(&before, &after, "said unchanged: {:?}", first);
        }
        // A link onto itself takes its own ground away.
        let src = given(&task, &["src"]);
        let onto_itself = src.is_some() && src == given(&task, &["path"]);
        if !first.failed && !onto_itself {
            let second = run(task.module, &map, scratch.path(), false);
            prop_assert!(!second.failed && !second.changed, "again: {:?}", second);
            prop_assert_eq!(&after, &tree::snapshot(&root));
        }
    }
}

#[test]
fn names_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = tempfile::tempdir().unwrap();
    let odd = std::ffi::OsStr::from_bytes(b"caf\xe9 \n\xff");
    let source = scratch.path().join("s");
    std::fs::create_dir_all(source.join(odd)).unwrap();
    std::fs::write(source.join(odd).join(odd), "x").unwrap();
    let text = |p: &Path| Value::Str(p.to_str().unwrap().to_owned());
    let dest = scratch.path().join("d");
    let raw = args(&[
        ("src", Value::Str(format!("{}/", source.display()))),
        ("dest", text(&dest)),
        ("remote_src", true.into()),
    ]);
    let outcome = run("copy", &raw, scratch.path(), false);
    assert!(outcome.changed, "{outcome:?}");
    assert_eq!(std::fs::read(dest.join(odd).join(odd)).unwrap(), b"x");
    let raw = args(&[
        ("path", text(&dest)),
        ("state", "directory".into()),
        ("recurse", true.into()),
        ("mode", "u=rwX,go=".into()),
    ]);
    assert!(run("file", &raw, scratch.path(), false).changed);
    let raw = args(&[("path", text(&dest)), ("state", "absent".into())]);
    assert!(run("file", &raw, scratch.path(), false).changed);
    assert!(!dest.exists());
}

/// Where a file system is full, the old content stays, and nothing else does.
#[test]
fn a_full_disk_leaves_the_old_content() {
    // A limit on the size of files fails a write in the middle, as a full disk does, and needs no mount.
    let scratch = tempfile::tempdir().unwrap();
    let target = scratch.path().join("a");
    std::fs::write(&target, "old").unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "limited_child", "--nocapture", "--ignored"])
        .env("RUSTLE_TEST_TARGET", &target)
        .output()
        .unwrap();
    assert!(child.status.success(), "{child:?}");
    assert_eq!(std::fs::read(&target).unwrap(), b"old");
    let names: Vec<_> = std::fs::read_dir(scratch.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["a"]);
}

#[test]
#[ignore = "runs inside a_full_disk_leaves_the_old_content"]
fn limited_child() {
    let Some(target) = std::env::var_os("RUSTLE_TEST_TARGET") else {
        return;
    };
    let target = Path::new(&target);
    let limit = rustix::process::Rlimit {
        current: Some(100_000),
        maximum: Some(100_000),
    };
    rustix::process::setrlimit(rustix::process::Resource::Fsize, limit).unwrap();
    // SAFETY: ignoring a signal installs no handler; nothing else in this process touches SIGXFSZ.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let raw = args(&[
        ("dest", Value::Str(target.to_str().unwrap().to_owned())),
        ("content", Value::Str("x".repeat(200_000))),
    ]);
    let outcome = run("copy", &raw, target.parent().unwrap(), false);
    assert!(outcome.failed, "{outcome:?}");
    let msg = outcome.msg.unwrap();
    assert!(msg.contains("[Errno 27] File too large"), "{msg}");
    assert!(msg.contains("the old content is untouched"), "{msg}");
}

/// A run that is killed at any moment leaves old or new content, and the next one converges and tidies up.
#[test]
fn killed_at_any_moment() {
    let scratch = tempfile::tempdir().unwrap();
    let target = scratch.path().join("a");
    let contents = ["o".repeat(300_000), "n".repeat(300_000)];
    std::fs::write(&target, &contents[0]).unwrap();
    for round in 0..30u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed_child", "--ignored"])
            .env("RUSTLE_TEST_TARGET", &target)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(3000 + round * 400));
        child.kill().unwrap();
        child.wait().unwrap();
        let now = std::fs::read_to_string(&target).unwrap();
        assert!(contents.contains(&now), "half written: {} bytes", now.len());
    }
    let raw = args(&[
        ("dest", Value::Str(target.to_str().unwrap().to_owned())),
        ("content", Value::Str("end".into())),
    ]);
    assert!(run("copy", &raw, scratch.path(), false).changed);
    let names: Vec<_> = std::fs::read_dir(scratch.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["a"]);
}

#[test]
#[ignore = "runs inside killed_at_any_moment"]
fn killed_child() {
    let Some(target) = std::env::var_os("RUSTLE_TEST_TARGET") else {
        return;
    };
    let target = Path::new(&target);
    for letter in ["n", "o"].into_iter().cycle().take(20_000) {
        let raw = args(&[
            ("dest", Value::Str(target.to_str().unwrap().to_owned())),
            ("content", Value::Str(letter.repeat(300_000))),
        ]);
        run("copy", &raw, target.parent().unwrap(), false);
    }
}
