//! Atomic plays: all that a play puts into place is staged and checked before the first of it is put there.

use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustle_formats::artifact::{Container, Kind};
use rustle_tests::{pack, plan, said};
use serde_json::{Value, json};

/// A plan of five tasks that put files into `root`, and one before them that makes the folder.
fn five(root: &Path) -> Value {
    let at = |name: &str| root.join(name).display().to_string();
    plan(json!([
        {"name": "folder", "module": "file", "args": {"path": at("etc"), "state": "directory"}},
        {"name": "first", "module": "copy", "args": {"src": "a.bin", "dest": at("etc/a"), "mode": "0640"}},
        {"name": "rendered", "module": "template", "args": {"src": "t.j2", "dest": at("etc/t")},
         "vars": {"port": 8080}},
        {"name": "text", "module": "copy", "args": {"content": "{{ item }}\n", "dest": at("etc/c-{{ item }}")},
         "loop": ["one", "two"]},
        {"name": "tree", "module": "copy", "args": {"src": "d", "dest": at("deep/down/")}},
        {"name": "last", "module": "copy", "args": {"src": "z.bin", "dest": at("etc/z")}},
    ]))
}

/// Bytes that do not compress.
fn noise(seed: u64) -> String {
    let mut state = seed;
    (0..600_000)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            char::from(b' ' + u8::try_from((state >> 33) % 95).unwrap())
        })
        .collect()
}

struct Scene {
    dir: tempfile::TempDir,
    root: PathBuf,
    artifact: PathBuf,
}

fn scene(change: impl FnOnce(&Path, &mut Value), more: &[&str]) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir(&root).unwrap();
    let mut plan = five(&root);
    change(&root, &mut plan);
    let files = [
        ("a.bin", noise(1)),
        ("z.bin", noise(2)),
        ("t.j2", "port {{ port }}\n".to_owned()),
        ("d/x", "x\n".to_owned()),
        ("d/sub/y", "y\n".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(n, c)| (*n, c.as_str())).collect();
    let artifact = pack(dir.path(), &plan, &files, more);
    Scene {
        dir,
        root,
        artifact,
    }
}

impl Scene {
    fn args(&self) -> Vec<String> {
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let pairs = [
            ("--journal-dir", "journal"),
            ("--lock-file", "lock"),
            ("--work-dir", "work"),
        ];
        fs::create_dir_all(at("work")).unwrap();
        pairs
            .iter()
            .flat_map(|(option, name)| [(*option).to_owned(), at(name)])
            .collect()
    }

    fn run(&self, more: &[&str]) -> Output {
        Command::new(&self.artifact)
            .args(self.args())
            .args(more)
            .env("HOME", self.dir.path())
            .output()
            .unwrap()
    }

    /// Turns a bit in the frame of an asset.
    fn damage(&self, asset: &str) {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&self.artifact)
            .unwrap();
        let container = Container::open_file(file.try_clone().unwrap()).unwrap();
        let entry = container
            .assets()
            .map(Result::unwrap)
            .find(|e| e.path.ends_with(asset.as_bytes()))
            .unwrap();
        let Kind::File { chunks, .. } = entry.kind else {
            panic!("{asset} is no file")
        };
        let frame = container.frame(chunks[0].frame.unwrap()).unwrap();
        let at = frame.offset + u64::from(frame.record.stored_len) / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        // Writing to a file that is being executed is refused; nothing runs it now.
        file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    }

    /// Every path below the root.
    fn tree(&self) -> Vec<String> {
        let mut out = Vec::new();
        walk(&self.root, &mut out);
        out.sort();
        out.iter()
            .map(|p| p.strip_prefix(&self.root).unwrap().display().to_string())
            .collect()
    }
}

fn walk(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, out);
        }
        out.push(path);
    }
}

const ALL: &[&str] = &[
    "deep",
    "deep/down",
    "deep/down/d",
    "deep/down/d/sub",
    "deep/down/d/sub/y",
    "deep/down/d/x",
    "etc",
    "etc/a",
    "etc/c-one",
    "etc/c-two",
    "etc/t",
    "etc/z",
];

#[test]
fn a_damaged_asset_changes_nothing() {
    let scene = scene(|_, _| (), &["--atomic"]);
    scene.damage("z.bin");
    for check in [&["--check"][..], &[]] {
        let output = scene.run(check);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(
            text.contains("the play 'test' is atomic and was not begun: the task 'last'"),
            "{text}"
        );
        assert_eq!(scene.tree(), Vec::<String>::new());
    }
}

#[test]
fn without_it_a_damaged_asset_stops_the_play_in_the_middle() {
    let scene = scene(|_, _| (), &[]);
    scene.damage("z.bin");
    let output = scene.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(scene.tree().contains(&"etc/a".to_owned()));
}

#[test]
fn all_goes_into_place_and_a_second_run_changes_nothing() {
    let scene = scene(|_, plan| plan["plays"][0]["atomic"] = json!(true), &[]);
    let check = scene.run(&["--check"]);
    assert_eq!(check.status.code(), Some(0), "{}", said(&check));
    assert_eq!(scene.tree(), Vec::<String>::new());
    let first = scene.run(&[]);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(said(&first).contains("changed=6"), "{}", said(&first));
    assert_eq!(scene.tree(), ALL);
    let read = |name: &str| fs::read_to_string(scene.root.join(name)).unwrap();
    assert_eq!(read("etc/t"), "port 8080\n");
    assert_eq!(read("etc/z"), noise(2));
    assert_eq!(read("deep/down/d/sub/y"), "y\n");
    let mode = fs::metadata(scene.root.join("etc/a")).unwrap().mode();
    assert_eq!(mode & 0o777, 0o640);
    let plain = fs::metadata(scene.root.join("etc/z")).unwrap().mode();
    assert_eq!(plain & 0o777, 0o644);
    let second = scene.run(&[]);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert!(said(&second).contains("changed=0"), "{}", said(&second));
    assert_eq!(scene.tree(), ALL);
}

#[test]
fn a_failure_in_the_middle_leaves_no_staged_files() {
    let scene = scene(
        |_, plan| {
            let tasks = plan["plays"][0]["batches"][0]["tasks"]
                .as_array_mut()
                .unwrap();
            tasks.insert(
                2,
                json!({"name": "no", "module": "fail", "args": {"msg": "enough"}}),
            );
        },
        &["--atomic"],
    );
    let output = scene.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(scene.tree(), ["etc", "etc/a"]);
}

#[test]
fn what_is_known_only_later_is_refused() {
    let scene = scene(
        |root, plan| {
            let tasks = plan["plays"][0]["batches"][0]["tasks"]
                .as_array_mut()
                .unwrap();
            tasks.insert(0, json!({"name": "ask", "module": "command", "args": {"argv": ["echo", "hi"]}, "register": "said"}));
            tasks.push(json!({"name": "later", "module": "copy",
                "args": {"content": "{{ said.stdout }}", "dest": root.join("later")}}));
        },
        &["--atomic"],
    );
    let output = scene.run(&[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("the task 'later'"), "{text}");
    assert!(text.contains("'said' is undefined"), "{text}");
    assert_eq!(scene.tree(), Vec::<String>::new());
}

#[test]
fn another_users_files_are_staged_as_that_users() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: only root can become another user");
        return;
    }
    let scene = scene(
        |root, plan| {
            let task = json!({"name": "as nobody", "module": "copy", "become": true, "become_user": "nobody",
                "args": {"src": "a.bin", "dest": root.join("open/a")}});
            plan["plays"][0]["batches"][0]["tasks"] = json!([task]);
        },
        &["--atomic"],
    );
    // Every folder on the way must let the user through.
    use std::os::unix::fs::PermissionsExt;
    let open = scene.root.join("open");
    fs::create_dir(&open).unwrap();
    for folder in [scene.dir.path(), &scene.root, &open] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let output = scene.run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(scene.tree(), ["open", "open/a"]);
    let made = fs::metadata(open.join("a")).unwrap();
    let nobody = fs::read_to_string("/etc/passwd").unwrap();
    let nobody = nobody.lines().find(|l| l.starts_with("nobody:")).unwrap();
    assert_eq!(made.uid().to_string(), nobody.split(':').nth(2).unwrap());
}

/// What the script tells of the folder afterwards: the mount is gone with the namespace.
const IN_TMPFS: &str = r#"
folder=$1; size=$2; listing=$3; shift 3
mount -t tmpfs -o size="$size" tmpfs "$folder" || exit 90
"$@"; code=$?
(cd "$folder" && find . | sort) > "$listing"
exit $code
"#;

#[test]
fn a_full_disk_changes_nothing() {
    let able = Command::new("unshare").args(["-m", "true"]).status();
    if !able.is_ok_and(|s| s.success()) {
        eprintln!("skipped: no mount namespace can be made (root and unshare are needed)");
        return;
    }
    let scene = scene(|_, _| (), &["--atomic"]);
    let listing = scene.dir.path().join("listing");
    let run = |size: &str| {
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", IN_TMPFS, "sh"])
            .arg(&scene.root)
            .arg(size)
            .arg(&listing)
            .arg(&scene.artifact)
            .args(scene.args())
            .env("HOME", scene.dir.path())
            .output()
            .unwrap();
        (output, fs::read_to_string(&listing).unwrap())
    };
    // Two files of 600 kB: one fits, both do not.
    let (full, left) = run("900k");
    let text = said(&full);
    assert_eq!(full.status.code(), Some(1), "{text}");
    assert!(
        text.contains("was not begun: the task 'last' cannot be staged")
            && text.contains("No space left on device"),
        "{text}"
    );
    assert_eq!(left, ".\n", "{text}");
    // What is staged is renamed, not written a second time: twice as much would not fit.
    let (fits, made) = run("1400k");
    assert_eq!(fits.status.code(), Some(0), "{}", said(&fits));
    assert_eq!(made.lines().count(), ALL.len() + 1, "{made}");
}
