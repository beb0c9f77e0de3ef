//! Trees that people do not make on purpose: odd names, holes, links of every kind. Packed, extracted and copied, they come out
//! as they were, or are refused by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustle_tests::{plan, run_rustle, said};
use serde_json::json;

/// Everything below a folder: kind and mode, content or target, and which other name is the same file.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>, Option<PathBuf>)> {
    let mut out = BTreeMap::new();
    let mut first = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    let mut paths = Vec::new();
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                pending.push(path.clone());
            }
            paths.push(path);
        }
    }
    paths.sort();
    for path in paths {
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_symlink() {
            fs::read_link(&path)
                .unwrap()
                .into_os_string()
                .into_encoded_bytes()
        } else if meta.is_dir() {
            Vec::new()
        } else {
            fs::read(&path).unwrap()
        };
        let name = path.strip_prefix(root).unwrap().to_owned();
        let linked = meta.is_file().then(|| {
            first
                .entry(meta.ino())
                .or_insert_with(|| name.clone())
                .clone()
        });
        out.insert(name, (meta.mode(), content, linked));
    }
    out
}

/// A tree with one of everything.
fn odd_tree(root: &Path) {
    let write = |name: &OsStr, content: &[u8]| {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for name in [
        " space ",
        "new\nline",
        "tab\t",
        "quote'\"`",
        "$HOME;{{ x }}*?[a]",
        "-rf",
        "ümläut",
        "日本",
        "\\back",
        "a:b",
        ".hidden",
        "~",
    ] {
        write(OsStr::new(name), name.as_bytes());
    }
    write(OsStr::from_bytes(b"latin\xe9"), b"not UTF-8");
    write(OsStr::from_bytes(b"folder\xff/\x01control"), b"below");
    write(OsStr::new(&"n".repeat(255)), b"255 bytes");
    let deep = ["d".repeat(200), "e".repeat(200), "f".repeat(200)].join("/");
    write(OsStr::new(&format!("{deep}/end")), b"deep");
    write(OsStr::new("Case"), b"upper");
    write(OsStr::new("case"), b"lower");
    write(OsStr::new("empty"), b"");
    fs::create_dir(root.join("empty folder")).unwrap();
    let sparse = File::create(root.join("sparse")).unwrap();
    sparse.write_all_at(b"middle", 30 << 20).unwrap();
    sparse.set_len(64 << 20).unwrap();
    File::create(root.join("hole"))
        .unwrap()
        .set_len(8 << 20)
        .unwrap();
    fs::hard_link(root.join("Case"), root.join("other name")).unwrap();
    fs::hard_link(root.join("sparse"), root.join("other sparse")).unwrap();
    for (name, target) in [
        ("dangling", "nowhere"),
        ("absolute", "/etc/passwd"),
        ("self", "self"),
        ("a loop", "b loop"),
        ("b loop", "a loop"),
        ("up", ".."),
        ("folder", "empty folder"),
        ("climbs", "../../../../etc"),
    ] {
        symlink(target, root.join(name)).unwrap();
    }
    for (name, mode) in [("empty", 0o4711), ("tab\t", 0o000), ("case", 0o444)] {
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(
        root.join("empty folder"),
        fs::Permissions::from_mode(0o1777),
    )
    .unwrap();
}

fn pack_tree(folder: &Path, task: serde_json::Value, more: &[&str]) -> std::process::Output {
    let mut plan = plan(json!([task]));
    plan["assets"] = json!([{"name": "odd", "source": "odd"}]);
    let path = folder.join("plan.json");
    fs::write(&path, plan.to_string()).unwrap();
    let out = folder.join("artifact");
    let mut args = vec![
        "pack",
        path.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
        "--no-cache",
    ];
    args.extend_from_slice(more);
    run_rustle(folder, &args)
}

fn blocks(path: &Path) -> u64 {
    fs::metadata(path).unwrap().blocks() * 512
}

#[test]
fn an_odd_tree_comes_out_as_it_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("odd");
    fs::create_dir(&odd).unwrap();
    odd_tree(&odd);
    let packed = pack_tree(
        dir.path(),
        json!({"name": "none", "module": "debug", "args": {"msg": "x"}}),
        &[],
    );
    assert!(packed.status.success(), "{}", said(&packed));
    let artifact = dir.path().join("artifact");
    let expected = tree(&odd);
    let (own, other) = (dir.path().join("own"), dir.path().join("rustle's"));
    let output = std::process::Command::new(&artifact)
        .arg("--extract")
        .arg(&own)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let output = run_rustle(
        dir.path(),
        &[
            "extract",
            artifact.to_str().unwrap(),
            "-C",
            other.to_str().unwrap(),
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    for out in [own, other] {
        let found = tree(&out.join("odd"));
        for (path, entry) in &expected {
            let got = found
                .get(path)
                .unwrap_or_else(|| panic!("{} is missing", path.display()));
            assert_eq!(
                format!("{:o}", got.0),
                format!("{:o}", entry.0),
                "mode of {}",
                path.display()
            );
            assert!(got.1 == entry.1, "content of {}", path.display());
            assert_eq!(
                got.2,
                entry.2,
                "{}: which names are one file",
                path.display()
            );
        }
        assert_eq!(found.len(), expected.len());
        for name in ["sparse", "hole"] {
            let path = out.join("odd").join(name);
            assert!(
                blocks(&path) <= 8 << 20,
                "{name} takes {} bytes",
                blocks(&path)
            );
        }
    }
}

#[test]
fn copying_an_odd_tree_keeps_names_contents_and_links() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("odd");
    fs::create_dir(&odd).unwrap();
    odd_tree(&odd);
    let dest = dir.path().join("dest");
    let task = json!({"name": "copy", "module": "copy", "args": {"src": "odd/", "dest": dest, "mode": "preserve", "local_follow": false}});
    let packed = pack_tree(dir.path(), task, &[]);
    assert!(packed.status.success(), "{}", said(&packed));
    let run = || {
        std::process::Command::new(dir.path().join("artifact"))
            .args([
                "--journal-dir".as_ref(),
                dir.path().join("journal").as_os_str(),
            ])
            .args(["--lock-file".as_ref(), dir.path().join("lock").as_os_str()])
            .output()
            .unwrap()
    };
    let first = run();
    assert!(first.status.success(), "{}", said(&first));
    let (expected, found) = (tree(&odd), tree(&dest));
    assert_eq!(
        found.keys().collect::<Vec<_>>(),
        expected.keys().collect::<Vec<_>>()
    );
    for (path, entry) in &expected {
        assert!(found[path].1 == entry.1, "content of {}", path.display());
    }
    let second = run();
    assert!(said(&second).contains("changed=0 "), "{}", said(&second));
    let sparse = blocks(&dest.join("sparse"));
    assert!(
        sparse <= 8 << 20,
        "the copy of a sparse file takes {sparse} bytes"
    );
}

fn run(program: &str, args: &[&str], folder: &Path) {
    let status = std::process::Command::new(program)
        .args(args)
        .current_dir(folder)
        .status();
    assert!(status.unwrap().success(), "{program}");
}

/// Makes folders below `root` until their path has more than 4096 bytes: step by step, for no call takes such a path.
fn deeper_than_any_path(root: &Path) {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let mut at = open(root, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for _ in 0..25 {
        let name = "the path".repeat(25);
        mkdirat(&at, &name, Mode::RWXU).unwrap();
        at = openat(&at, &name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
}

#[test]
fn what_cannot_be_packed_is_named_and_nothing_is_written() {
    type Case = (&'static str, fn(&Path));
    let cases: [Case; 6] = [
        ("fifo", |odd| run("mkfifo", &["the fifo"], odd)),
        ("device", |odd| {
            run("mknod", &["the device", "c", "1", "3"], odd)
        }),
        ("socket", |odd| {
            drop(std::os::unix::net::UnixListener::bind(odd.join("the socket")).unwrap());
        }),
        ("path", deeper_than_any_path),
        ("circle", |odd| {
            // Inside a folder a link stays a link; the asset itself is followed.
            fs::remove_dir(odd).unwrap();
            symlink("odd", odd).unwrap();
        }),
        ("missing", |odd| fs::remove_dir(odd).unwrap()),
    ];
    for (what, make) in cases {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("odd");
        fs::create_dir(&odd).unwrap();
        make(&odd);
        let before = fs::read_dir(dir.path()).unwrap().count();
        let output = pack_tree(
            dir.path(),
            json!({"name": "none", "module": "debug", "args": {"msg": "x"}}),
            &[],
        );
        let text = said(&output);
        assert_eq!(output.status.code(), Some(71), "{what}: {text}");
        assert_eq!(text.matches("error: ").count(), 1, "{what}: {text}");
        assert!(text.contains("odd"), "{what}: {text}");
        // The plan is new; nothing else is.
        let left: Vec<_> = fs::read_dir(dir.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(left.len(), before + 1, "{what}: {left:?}");
    }
}
