//! Where artifacts cannot be written, and plans that are very small or very large.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustle_tests::{Tmpfs, own_mounts, plan, run_rustle, said};
use serde_json::json;

fn pack_to(folder: &Path, out: &Path, more: &[&str]) -> Output {
    let path = folder.join("plan.json");
    let noise: String = (0..30_000u32)
        .map(|i| format!("{:x} ", i.wrapping_mul(2_654_435_761)))
        .collect();
    fs::write(folder.join("big"), noise).unwrap();
    let dest = folder.join("copied");
    let tasks = json!([{"name": "copy", "module": "copy", "args": {"src": "big", "dest": dest}}]);
    fs::write(&path, plan(tasks).to_string()).unwrap();
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

fn names(folder: &Path) -> Vec<String> {
    let mut out: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    out.sort();
    out
}

/// One clear error of this kind.
fn refused(output: &Output, code: i32, words: &str) {
    let text = said(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert_eq!(text.matches("error: ").count(), 1, "{text}");
    assert!(text.contains(words), "{text}");
}

#[test]
fn a_folder_that_is_not_there_or_may_not_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let output = pack_to(dir.path(), &dir.path().join("nowhere/artifact"), &[]);
    refused(&output, 74, "nowhere: No such file or directory");
    fs::create_dir(dir.path().join("taken")).unwrap();
    let output = pack_to(dir.path(), &dir.path().join("taken"), &[]);
    refused(&output, 74, "taken");
    assert_eq!(names(&dir.path().join("taken")), Vec::<String>::new());
    assert!(
        !names(dir.path()).iter().any(|n| n.starts_with(".rustle")),
        "{:?}",
        names(dir.path())
    );
    if !own_mounts() {
        return;
    }
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=1m");
    disk.remount("ro");
    let output = pack_to(dir.path(), &disk.path().join("artifact"), &[]);
    refused(&output, 74, "Read-only file system");
}

#[test]
fn a_full_disk_leaves_the_old_artifact() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=200m");
    let out = disk.path().join("artifact");
    let output = pack_to(dir.path(), &out, &[]);
    assert!(output.status.success(), "{}", said(&output));
    let old = fs::read(&out).unwrap();
    for more in [
        &[][..],
        &["--inject"],
        &["--stream"],
        &["--compress", "none"],
    ] {
        disk.fill(1 << 20);
        let output = pack_to(dir.path(), &out, more);
        refused(&output, 74, "No space left on device");
        disk.empty();
        assert_eq!(names(disk.path()), ["artifact"], "{more:?}");
        assert!(fs::read(&out).unwrap() == old, "{more:?}");
    }
    // A cache that cannot be written is no reason not to pack.
    let cache = Tmpfs::mount(&dir.path().join("cache"), "size=64k");
    cache.fill(0);
    let path = cache.path().join("rustle");
    let plan = dir.path().join("plan.json");
    let output = run_rustle(
        dir.path(),
        &[
            "pack",
            plan.to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
            "--cache",
            path.to_str().unwrap(),
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    assert!(fs::read(&out).unwrap() == old);

    // Extraction: nothing is left, and with room it works.
    let small = Tmpfs::mount(&dir.path().join("small"), "size=100k");
    let dest = small.path().join("new");
    let args = [
        "extract",
        out.to_str().unwrap(),
        "-C",
        dest.to_str().unwrap(),
    ];
    refused(
        &run_rustle(dir.path(), &args),
        74,
        "No space left on device",
    );
    assert_eq!(names(small.path()), Vec::<String>::new());
    small.remount("size=2m");
    let output = run_rustle(dir.path(), &args);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn an_artifact_that_is_running_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("artifact");
    let path = dir.path().join("sleep.json");
    let tasks = json!([{"name": "sleep", "module": "command", "args": {"argv": ["sleep", "30"]}}]);
    fs::write(&path, plan(tasks).to_string()).unwrap();
    let output = run_rustle(
        dir.path(),
        &[
            "pack",
            path.to_str().unwrap(),
            "-o",
            out.to_str().unwrap(),
            "--no-cache",
        ],
    );
    assert!(output.status.success(), "{}", said(&output));
    let mut child = Command::new(&out)
        .args([
            "--journal-dir".as_ref(),
            dir.path().join("journal").as_os_str(),
        ])
        .args(["--lock-file".as_ref(), dir.path().join("lock").as_os_str()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let output = pack_to(dir.path(), &out, &[]);
    let output_inject = pack_to(dir.path(), &out, &["--inject"]);
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&child),
        rustix::process::Signal::TERM,
    )
    .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(output_inject.status.success(), "{}", said(&output_inject));
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn a_file_that_changes_while_it_is_packed_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, big) = (dir.path().to_owned(), dir.path().join("grows"));
    let mut file = fs::File::create(&big).unwrap();
    let noise: Vec<u8> = (0..8u32 << 20)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    file.write_all(&noise).unwrap();
    let tasks = json!([{"name": "copy", "module": "copy", "args": {"src": "grows", "dest": folder.join("copied")}}]);
    let path = folder.join("plan.json");
    fs::write(&path, plan(tasks).to_string()).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let out = folder.join("artifact");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                file.write_all(b"more").unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let output = run_rustle(
            &folder,
            &[
                "pack",
                path.to_str().unwrap(),
                "-o",
                out.to_str().unwrap(),
                "--no-cache",
            ],
        );
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        refused(&output, 74, "changed while");
    });
    assert!(!out.exists());
    assert!(
        !names(&folder).iter().any(|n| n.starts_with(".rustle")),
        "{:?}",
        names(&folder)
    );
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: needs root to become another user");
        return;
    }
    use std::os::unix::process::CommandExt as _;
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    pack_to(dir.path(), &dir.path().join("artifact"), &["--dry-run"]);
    fs::set_permissions(dir.path().join("big"), fs::Permissions::from_mode(0o600)).unwrap();
    // The program may lie where only root can go.
    let program = dir.path().join("rustle");
    fs::copy(rustle_tests::rustle(), &program).unwrap();
    let output = Command::new(&program)
        .args(["pack", "plan.json", "-o", "artifact", "--no-cache"])
        .current_dir(dir.path())
        .env("HOME", dir.path())
        .uid(65534)
        .gid(65534)
        .output()
        .unwrap();
    let text = said(&output);
    assert!(matches!(output.status.code(), Some(71 | 74)), "{text}");
    assert!(
        text.contains("big") && text.contains("Permission denied"),
        "{text}"
    );
    assert!(!dir.path().join("artifact").exists());
}

#[test]
fn a_plan_without_tasks_runs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("artifact");
    for (name, text) in [
        ("no plays", json!({"version": 1, "plays": []})),
        ("no tasks", plan(json!([]))),
    ] {
        let path = dir.path().join("empty.json");
        fs::write(&path, text.to_string()).unwrap();
        let output = run_rustle(
            dir.path(),
            &[
                "pack",
                path.to_str().unwrap(),
                "-o",
                out.to_str().unwrap(),
                "--no-cache",
            ],
        );
        assert!(output.status.success(), "{name}: {}", said(&output));
        let output = Command::new(&out)
            .args([
                "--journal-dir".as_ref(),
                dir.path().join("journal").as_os_str(),
            ])
            .args(["--lock-file".as_ref(), dir.path().join("lock").as_os_str()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", said(&output));
    }
}
