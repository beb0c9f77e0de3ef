//! A full disk, wherever a run writes: one clear error, the old content untouched, no temporary file left, and a second run
//! that does the work once there is room.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use common::{Bench, names, plan, stderr, stdout};
use rustle_packer::AssetSource;
use rustle_tests::{Tmpfs, own_mounts};

/// What the old files hold.
const OLD: &str = "old\n";

/// A file-writing task: the module, its arguments, the file that it writes.
struct Writer {
    module: &'static str,
    args: serde_json::Value,
    dest: &'static str,
}

/// Every module that writes a file, each told to write some 40 kB to a place of its own.
fn writers(disk: &Path, source: &Path) -> Vec<Writer> {
    let big = "many words ".repeat(4000);
    let at = |name: &str| disk.join(name).to_str().unwrap().to_owned();
    let source = |name: &str| source.join(name).to_str().unwrap().to_owned();
    let json = |value| value;
    let writer = |module, dest, args| Writer { module, args, dest };
    vec![
        writer(
            "copy",
            "copied",
            json(serde_json::json!({"content": big, "dest": at("copied")})),
        ),
        writer(
            "copy",
            "asset",
            json(serde_json::json!({"src": "big", "dest": at("asset")})),
        ),
        writer(
            "copy",
            "remote",
            json(
                serde_json::json!({"src": source("big"), "dest": at("remote"), "remote_src": true}),
            ),
        ),
        writer(
            "template",
            "rendered",
            json(serde_json::json!({"src": "big.j2", "dest": at("rendered")})),
        ),
        writer(
            "lineinfile",
            "line",
            json(serde_json::json!({"path": at("line"), "line": big})),
        ),
        writer(
            "blockinfile",
            "block",
            json(serde_json::json!({"path": at("block"), "block": big})),
        ),
        writer(
            "replace",
            "replaced",
            json(serde_json::json!({"path": at("replaced"), "regexp": "^old", "replace": big})),
        ),
        writer(
            "assemble",
            "assembled",
            json(
                serde_json::json!({"src": source("parts"), "dest": at("assembled"), "remote_src": true}),
            ),
        ),
        writer(
            "get_url",
            "fetched",
            json(
                serde_json::json!({"url": format!("file://{}", source("big")), "dest": at("fetched"), "force": true}),
            ),
        ),
        writer(
            "copy",
            "kept",
            json(serde_json::json!({"content": "new\n", "dest": at("kept"), "backup": true})),
        ),
    ]
}

fn tree(folder: &Path) -> Vec<(String, Vec<u8>)> {
    names(folder)
        .into_iter()
        .filter(|n| n != "filler")
        .map(|n| (n.clone(), fs::read(folder.join(n)).unwrap()))
        .collect()
}

#[test]
fn every_module_leaves_the_old_file_and_says_so() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("source");
    fs::create_dir_all(source.join("parts")).unwrap();
    let big = "many words\n".repeat(4000);
    fs::write(source.join("big"), &big).unwrap();
    fs::write(source.join("parts/1"), &big).unwrap();
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=1m");
    for writer in writers(disk.path(), &source) {
        let what = format!("{} {}", writer.module, writer.dest);
        let tasks = serde_json::json!([{"id": "t", "name": "t", "module": writer.module, "args": writer.args}]);
        let assets = vec![
            AssetSource::bytes("big", big.as_bytes()),
            AssetSource::bytes("big.j2", format!("{{{{ 1 }}}}{big}").into_bytes()),
        ];
        let bench = Bench::of(plan(&tasks.to_string()), assets, |_| {});
        let dest = disk.path().join(writer.dest);
        fs::write(
            &dest,
            OLD.repeat(if writer.dest == "kept" { 4000 } else { 1 }),
        )
        .unwrap();
        fs::set_permissions(&dest, fs::Permissions::from_mode(0o640)).unwrap();
        let before = tree(disk.path());
        disk.fill(4096);
        let output = bench.run(&[]);
        let said = stdout(&output);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{what}: {said}{}",
            stderr(&output)
        );
        assert_eq!(said.matches("fatal: ").count(), 1, "{what}: {said}");
        assert!(said.contains("No space left on device"), "{what}: {said}");
        assert_eq!(stderr(&output), "", "{what}");
        disk.empty();
        assert_eq!(tree(disk.path()), before, "{what}");
        assert_eq!(
            fs::metadata(&dest).unwrap().permissions().mode() & 0o777,
            0o640
        );
        for wanted in ["changed=1 ", "changed=0 "] {
            let output = bench.run(&[]);
            assert!(
                stdout(&output).contains(wanted),
                "{what}: {}",
                stdout(&output)
            );
        }
        for name in names(disk.path()) {
            assert!(!name.starts_with(".rustle-"), "{what}: {name}");
            fs::remove_file(disk.path().join(name)).unwrap();
        }
    }
}

/// A plan that leaves a mark.
fn marking(bench_dir: &Path) -> String {
    let mark = bench_dir.join("mark");
    serde_json::json!([{"id": "t", "name": "t", "module": "copy", "args": {"content": "x", "dest": mark}}]).to_string()
}

#[test]
fn a_full_work_folder_stops_the_run_before_it_begins() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(&marking(dir.path()));
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=64k");
    disk.fill(0);
    let output = bench.run(&["--work-dir", disk.path().to_str().unwrap()]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(74), String::new())
    );
    assert!(
        stderr(&output).contains("no place for temporary files"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert_eq!(names(disk.path()), ["filler"]);
    assert!(!dir.path().join("mark").exists());
    assert_eq!(
        names(&bench.path("journal")),
        Vec::<String>::new(),
        "a run that did not begin has no journal"
    );

    // Among the candidates a full one is passed over.
    let mut command = std::process::Command::new(&bench.artifact);
    command
        .env("TMPDIR", disk.path())
        .arg("--journal-dir")
        .arg(bench.path("journal"));
    let output = command
        .arg("--lock-file")
        .arg(bench.path("lock"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(names(disk.path()), ["filler"]);
    assert!(dir.path().join("mark").exists());
}

#[test]
fn a_noexec_folder_is_passed_over_where_programs_are_to_be_started() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tasks = serde_json::json!([{"id": "t", "name": "t", "module": "script", "args": {"_raw_params": "go.sh"}}]);
    let script = AssetSource::bytes("go.sh", *b"#!/bin/sh\necho went\n");
    let bench = Bench::of(plan(&tasks.to_string()), vec![script], |_| {});
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=64k,noexec");
    let output = bench.run(&["--work-dir", disk.path().to_str().unwrap()]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(74), String::new())
    );
    assert!(
        stderr(&output).contains("mounted noexec"),
        "{}",
        stderr(&output)
    );
    let output = std::process::Command::new(&bench.artifact)
        .env("TMPDIR", disk.path())
        .arg("--journal-dir")
        .arg(bench.path("journal"))
        .arg("--lock-file")
        .arg(bench.path("lock"))
        .output()
        .unwrap();
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}{}",
        stdout(&output),
        stderr(&output)
    );
    assert_eq!(names(disk.path()), Vec::<String>::new());
}

#[test]
fn a_folder_that_may_not_be_written_is_named() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("left out: needs root to become another user");
        return;
    }
    use std::os::unix::process::CommandExt as _;
    let bench = Bench::new("[]");
    fs::set_permissions(bench.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for sub in ["journal", "lock"] {
        let _ = fs::File::create(bench.path("lock"));
        std::os::unix::fs::chown(bench.path(sub), Some(65534), Some(65534)).unwrap();
    }
    let output = bench.command().uid(65534).gid(65534).output().unwrap();
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(74), String::new())
    );
    let work = bench.path("work");
    assert!(
        stderr(&output).contains(&format!("{}: Permission denied", work.display())),
        "{}",
        stderr(&output)
    );
    assert_eq!(names(&bench.path("journal")), Vec::<String>::new());
}

#[test]
fn journal_report_and_events_that_do_not_fit_are_told_and_leave_no_half() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let bench = Bench::new(&marking(dir.path()));
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=64k");
    let journal = disk.path().join("journal");
    fs::create_dir(&journal).unwrap();
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o700)).unwrap();
    let (report, events) = (disk.path().join("report.json"), disk.path().join("events"));
    let run = || {
        std::process::Command::new(&bench.artifact)
            .args(["--work-dir".as_ref(), bench.path("work").as_os_str()])
            .args(["--lock-file".as_ref(), bench.path("lock").as_os_str()])
            .args(["--journal-dir".as_ref(), journal.as_os_str()])
            .args(["--report".as_ref(), report.as_os_str()])
            .args(["--events".as_ref(), events.as_os_str()])
            .output()
            .unwrap()
    };
    disk.fill(0);
    let output = run();
    let said = stderr(&output);
    // What was asked for is done; what could not be written is said, once each.
    assert!(dir.path().join("mark").exists());
    assert_eq!(output.status.code(), Some(74), "{said}");
    for what in ["the journal: No space left", "--report", "--events"] {
        assert_eq!(said.matches(what).count(), 1, "{what}: {said}");
    }
    for file in [&report, &events] {
        assert!(
            !file.exists() || fs::read(file).unwrap().is_empty(),
            "{}",
            file.display()
        );
    }
    for name in names(&journal) {
        let text = fs::read_to_string(journal.join(name)).unwrap();
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "half a line: {text}"
        );
    }
    disk.empty();
    let output = run();
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    serde_json::from_slice::<serde_json::Value>(&fs::read(&report).unwrap()).unwrap();
}

#[test]
fn an_extraction_that_does_not_fit_leaves_nothing() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let assets = (0..20u8)
        .map(|i| AssetSource::bytes(format!("tree/{i}"), vec![i + 1; 30_000]))
        .collect();
    let bench = Bench::of(plan("[]"), assets, |_| {});
    let disk = Tmpfs::mount(&dir.path().join("disk"), "size=200k");
    let existing = disk.path().join("existing");
    fs::create_dir(&existing).unwrap();
    for dest in [disk.path().join("new"), existing.clone()] {
        let output = bench.run(&["--extract", dest.to_str().unwrap()]);
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(74), String::new())
        );
        assert!(
            stderr(&output).contains("No space left on device"),
            "{}",
            stderr(&output)
        );
        assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
        assert_eq!(names(disk.path()), ["existing"]);
        assert_eq!(names(&existing), Vec::<String>::new());
    }
    disk.remount("size=2m");
    for dest in [disk.path().join("new"), existing] {
        assert_eq!(
            bench
                .run(&["--extract", dest.to_str().unwrap()])
                .status
                .code(),
            Some(0)
        );
        assert_eq!(names(&dest.join("tree")).len(), 20);
    }
}
