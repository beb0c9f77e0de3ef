//! A host whose disk is full: a push says so, and works once there is room.

use std::fs;

use rustle_tests::{Sshd, Tmpfs, own_mounts, pack, plan, run_rustle, said};
use serde_json::json;

#[test]
fn a_full_cache_is_one_clear_error_and_no_obstacle_later() {
    if !own_mounts() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let noise: String = (0..400_000u32)
        .map(|i| format!("{:x}", i.wrapping_mul(2_654_435_761)))
        .collect();
    let tasks = json!([
        {"name": "copy", "module": "copy", "args": {"src": "noise", "dest": dir.path().join("copied")}},
        {"name": "mark", "module": "copy", "args": {"content": "x", "dest": mark}}
    ]);
    let artifact = pack(dir.path(), &plan(tasks), &[("noise", &noise)], &[]);
    let size = fs::metadata(&artifact).unwrap().len();
    // What the host's other places for a cache could take; in this thread's mounts only.
    let cache = Tmpfs::mount(&dir.path().join("sshd/cache"), "size=256k,mode=700");
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let known = dir.path().join("known_hosts").display().to_string();
    let (to, key) = (sshd.destination(), sshd.key());
    let push = || {
        let artifact = artifact.display().to_string();
        run_rustle(
            dir.path(),
            &[
                "push",
                &artifact,
                &to,
                "--ssh-key",
                &key,
                "--no-agent",
                "--known-hosts",
                &known,
                "--accept-new",
                "--wait-lock",
                "60",
            ],
        )
    };
    // No room for the runner; then for the runner and not for the files.
    for room in [
        "size=256k".to_owned(),
        format!("size={}k", (size - 600_000) / 1024),
    ] {
        cache.remount(&room);
        let output = push();
        let text = said(&output);
        assert!(!output.status.success(), "{room}: {text}");
        // The shell that receives the runner cannot say why; the runner can.
        let clear = text.contains("is the host's disk full?") || text.contains("No space left");
        assert!(
            clear && text.matches("error: ").count() == 1,
            "{room}: {text}"
        );
        assert!(!mark.exists(), "{room}");
    }
    cache.remount("size=200m");
    let output = push();
    assert!(output.status.success(), "{}", said(&output));
    assert!(mark.exists());
}
