//! kill -9 at random moments: every file is the old one or the new one, with its own mode and owner, and the next run makes
//! everything right and cleans up.
//!
//! The moments come from a seed, `RUSTLE_TEST_SEED`, that is printed; `RUSTLE_TEST_KILLS` sets how many there are.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use common::{Bench, plan, stderr, stdout};
use rustle_packer::AssetSource;
use rustle_tests::{Moments, how_many_kills, kill_after};

/// Everything below a folder: mode, owner, and content or the target of a link.
type Tree = BTreeMap<PathBuf, (u32, u32, Vec<u8>)>;

fn tree(root: &Path) -> Tree {
    let mut out = Tree::new();
    let mut pending = vec![root.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let content = if meta.is_symlink() {
                fs::read_link(&path)
                    .unwrap()
                    .into_os_string()
                    .into_encoded_bytes()
            } else if meta.is_dir() {
                pending.push(path.clone());
                Vec::new()
            } else {
                fs::read(&path).unwrap()
            };
            let name = path.strip_prefix(root).unwrap().to_owned();
            out.insert(name, (meta.mode(), meta.uid(), content));
        }
    }
    out
}

/// Whether a name is that of a temporary file of ours.
fn temporary(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|n| n.as_encoded_bytes().starts_with(b".rustle-"))
}

/// The tasks that bring the files below `at` to version `v`, with one or more files for every module that writes one.
fn tasks(at: &Path, source: &Path, v: &str) -> serde_json::Value {
    let root = rustix::process::geteuid().is_root();
    let (mode, owner) = if v == "one" {
        ("0640", 1001)
    } else {
        ("0604", 1002)
    };
    let text = format!("{v} ").repeat(40_000);
    let at = |name: &str| at.join(name).to_str().unwrap().to_owned();
    let source = |name: &str| source.join(name).to_str().unwrap().to_owned();
    let mut list = vec![];
    let mut add = |module: &str, mut args: serde_json::Value, dressed: bool| {
        if dressed {
            args["mode"] = mode.into();
            if root {
                args["owner"] = owner.to_string().into();
            }
        }
        let id = format!("t{}", list.len());
        list.push(serde_json::json!({"id": id, "name": id, "module": module, "args": args}));
    };
    use serde_json::json;
    add(
        "copy",
        json!({"content": text, "dest": at("content")}),
        true,
    );
    add(
        "copy",
        json!({"src": "tree/", "dest": at("tree"), "local_follow": false}),
        true,
    );
    add(
        "copy",
        json!({"src": source(&format!("{v}/")), "dest": at("remote"), "remote_src": true}),
        false,
    );
    add(
        "copy",
        json!({"content": text, "dest": at("backed"), "backup": false}),
        true,
    );
    add(
        "template",
        json!({"src": "page.j2", "dest": at("page")}),
        true,
    );
    add(
        "lineinfile",
        json!({"path": at("line"), "regexp": "^key=", "line": format!("key={text}"), "create": true}),
        true,
    );
    add(
        "blockinfile",
        json!({"path": at("block"), "block": text, "create": true}),
        true,
    );
    add(
        "replace",
        json!({"path": at("words"), "regexp": "(one|two)", "replace": v}),
        true,
    );
    add(
        "assemble",
        json!({"src": source(&format!("{v}/parts")), "dest": at("assembled"), "remote_src": true}),
        true,
    );
    add(
        "get_url",
        json!({"url": format!("file://{}", source(&format!("{v}/big"))), "dest": at("fetched"), "force": true}),
        true,
    );
    add(
        "file",
        json!({"src": format!("/{v}"), "dest": at("link"), "state": "link", "force": true}),
        false,
    );
    add(
        "file",
        json!({"src": source(&format!("{v}/big")), "dest": at("hard"), "state": "hard", "force": true}),
        false,
    );
    serde_json::Value::Array(list)
}

/// An artifact for each version, and what the machine looks like after each.
struct Versions {
    benches: [Bench; 2],
    root: PathBuf,
    after: [Tree; 2],
    took: Duration,
    _dir: tempfile::TempDir,
}

fn assets(v: &str) -> Vec<AssetSource> {
    let mut assets: Vec<AssetSource> = (0..6u8)
        .map(|i| {
            AssetSource::bytes(
                format!("tree/{i}"),
                format!("{v}{i} ").repeat(20_000).into_bytes(),
            )
        })
        .collect();
    assets.push(AssetSource::bytes(
        "page.j2",
        format!("{{{{ '{v}' }}}}{}", format!("{v}\n").repeat(20_000)).into_bytes(),
    ));
    assets
}

fn versions() -> Versions {
    let dir = tempfile::tempdir().unwrap();
    let (root, source) = (dir.path().join("root"), dir.path().join("source"));
    fs::create_dir(&root).unwrap();
    for v in ["one", "two"] {
        fs::create_dir_all(source.join(v).join("parts")).unwrap();
        fs::write(source.join(v).join("big"), format!("{v} ").repeat(50_000)).unwrap();
        for part in ["1", "2"] {
            fs::write(
                source.join(v).join("parts").join(part),
                format!("{v}{part}\n").repeat(20_000),
            )
            .unwrap();
        }
    }
    fs::write(root.join("words"), "one ".repeat(30_000)).unwrap();
    let benches = ["one", "two"].map(|v| {
        Bench::of(
            plan(&tasks(&root, &source, v).to_string()),
            assets(v),
            |_| {},
        )
    });
    let mut took = Duration::ZERO;
    let after = [0, 1].map(|i: usize| {
        let begun = Instant::now();
        let output = benches[i].run(&[]);
        took = begun.elapsed();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
        let now = tree(&root);
        let again = benches[i].run(&[]);
        assert!(stdout(&again).contains("changed=0 "), "{}", stdout(&again));
        now
    });
    Versions {
        benches,
        root,
        after,
        took,
        _dir: dir,
    }
}

#[test]
fn modules_leave_the_old_file_or_the_new_one() {
    let versions = versions();
    let mut moments = Moments::from_environment();
    let (mut killed, mut mixed, mut left) = (0, 0, 0);
    let mut took = versions.took;
    for round in 0..how_many_kills(12) {
        // The machine is in the state of version two when the first round begins.
        let (new, old) = (round % 2, (round + 1) % 2);
        let bench = &versions.benches[new];
        let moment = moments.before(took);
        killed += usize::from(kill_after(&mut bench.command(), moment));
        let now = tree(&versions.root);
        for (path, entry) in &now {
            let known = [old, new]
                .iter()
                .any(|v| versions.after[*v].get(path) == Some(entry));
            assert!(
                known || temporary(path),
                "after {moment:?}: {} is neither old nor new (mode {:o}, owner {}, {} bytes)",
                path.display(),
                entry.0,
                entry.1,
                entry.2.len()
            );
        }
        for path in versions.after[old].keys() {
            assert!(
                now.contains_key(path),
                "after {moment:?}: {} is gone",
                path.display()
            );
        }
        left += now.keys().filter(|p| temporary(p)).count();
        mixed += usize::from(now != versions.after[old] && now != versions.after[new]);
        let one = Instant::now();
        let output = bench.run(&[]);
        took = one.elapsed();
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
        let names = |t: &Tree| t.keys().cloned().collect::<Vec<_>>();
        assert_eq!(
            names(&tree(&versions.root)),
            names(&versions.after[new]),
            "after {moment:?}"
        );
        assert!(
            tree(&versions.root) == versions.after[new],
            "after {moment:?}: the next run does not converge"
        );
        assert_eq!(
            bench.left_behind(),
            Vec::<String>::new(),
            "after {moment:?}"
        );
    }
    eprintln!("{killed} killed, {mixed} in between, {left} temporary files left and removed");
    assert!(killed > 0);
}

#[test]
fn an_extraction_is_there_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let assets = (0..60u32)
        .map(|i| {
            AssetSource::bytes(
                format!("tree/{}/{i}", i % 7),
                format!("{i} ").repeat(20_000).into_bytes(),
            )
        })
        .collect();
    let bench = Bench::of(plan("[]"), assets, |_| {});
    let whole = dir.path().join("whole");
    let begun = Instant::now();
    assert_eq!(
        bench
            .run(&["--extract", whole.to_str().unwrap()])
            .status
            .code(),
        Some(0)
    );
    let mut took = begun.elapsed();
    let expected = tree(&whole);
    let mut moments = Moments::from_environment();
    let (mut killed, mut begun) = (0, 0);
    for round in 0..how_many_kills(16) {
        let home = dir.path().join(format!("home{round}"));
        let dest = home.join("dest");
        // Every other time into a folder that is there and empty.
        fs::create_dir_all(if round % 2 == 0 { &home } else { &dest }).unwrap();
        let moment = moments.before(took);
        killed += usize::from(kill_after(
            bench.command().arg("--extract").arg(&dest),
            moment,
        ));
        begun += usize::from(tree(&home).keys().any(|p| temporary(p)));
        if dest.exists() {
            for (path, entry) in tree(&dest) {
                let ours = path.components().any(|c| temporary(c.as_os_str().as_ref()));
                assert!(
                    ours || expected.get(&path) == Some(&entry) || entry.2.is_empty(),
                    "after {moment:?}: {}",
                    path.display()
                );
            }
        }
        if round % 2 == 0 && dest.exists() {
            assert!(
                tree(&dest) == expected,
                "after {moment:?}: a new folder is whole"
            );
            fs::remove_dir_all(&dest).unwrap();
        }
        if round % 2 == 1 && tree(&dest) == expected {
            fs::remove_dir_all(&home).unwrap();
            continue;
        }
        let one = Instant::now();
        let output = bench.run(&["--extract", dest.to_str().unwrap()]);
        // A busy machine is not equally busy all the time.
        took = one.elapsed();
        assert_eq!(
            output.status.code(),
            Some(0),
            "after {moment:?}: {}",
            stderr(&output)
        );
        assert!(
            tree(&dest) == expected,
            "after {moment:?}: the next extraction does not converge"
        );
        assert_eq!(common::names(&home), ["dest"], "after {moment:?}");
        fs::remove_dir_all(&home).unwrap();
    }
    eprintln!("{killed} killed, {begun} of them while they wrote");
    assert!(killed > 0);
}
