//! What the end-to-end tests share: the built program, scratch folders, a real sshd on loopback.

mod kill;
mod moments;
mod mounts;
mod people;
mod real_hosts;
mod relay;
mod sshd;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub use kill::{how_many_kills, kill_after};
pub use moments::Moments;
pub use mounts::{Tmpfs, own_mounts};
pub use people::People;
pub use real_hosts::RealHosts;
pub use relay::{Relay, until};
pub use sshd::{Login, PASSWORD, Sshd, USER};

/// The `rustle` program that `cargo build` made, beside this test's own program.
///
/// # Panics
/// Where it was not built: `scripts/test` builds it first.
pub fn rustle() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own
        .ancestors()
        .find(|p| p.file_name().is_some_and(|n| n == "deps"))
        .and_then(Path::parent)
        .unwrap();
    let program = folder.join("rustle");
    assert!(
        program.exists(),
        "{} is missing: run `cargo build -p rustle` first",
        program.display()
    );
    program
}

/// The repository's root.
pub fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

/// Runs `rustle` with these arguments, without the caller's keys and home.
pub fn run_rustle(home: &Path, args: &[&str]) -> Output {
    rustle_command(home, args).output().unwrap()
}

/// `rustle` with these arguments, not yet started.
pub fn rustle_command(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(rustle());
    command
        .args(args)
        .env("HOME", home)
        .env("XDG_CACHE_HOME", home.join(".cache"))
        .env_remove("RUSTLE_ENCRYPTION_KEY")
        .env_remove("SSH_AUTH_SOCK");
    command
}

/// Standard output and error as text, for messages.
pub fn said(output: &Output) -> String {
    format!(
        "status {:?}\n{}{}",
        output.status.code(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Packs a plan, given as JSON, with files; gives the artifact.
///
/// # Panics
/// Where packing fails.
pub fn pack(
    folder: &Path,
    plan: &serde_json::Value,
    files: &[(&str, &str)],
    more: &[&str],
) -> PathBuf {
    for (name, content) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let plan_path = folder.join("plan.json");
    std::fs::write(&plan_path, plan.to_string()).unwrap();
    let out = folder.join("artifact");
    let mut args = vec![
        "pack",
        plan_path.to_str().unwrap(),
        "-o",
        out.to_str().unwrap(),
        "--no-cache",
    ];
    args.extend_from_slice(more);
    let output = run_rustle(folder, &args);
    assert!(output.status.success(), "{}", said(&output));
    out
}

/// A plan of one play with these tasks.
pub fn plan(tasks: serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "version": 1,
        "plays": [{"name": "test", "batches": [{"tasks": tasks}]}]
    })
}
