//! kill -9 at a given moment.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How many kills a test does: `RUSTLE_TEST_KILLS`, else `usual`.
pub fn how_many_kills(usual: usize) -> usize {
    std::env::var("RUSTLE_TEST_KILLS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(usual)
}

/// Starts a program, and kills it after a while. Says whether it was still running then.
///
/// # Panics
/// Where it cannot be started.
pub fn kill_after(command: &mut Command, moment: Duration) -> bool {
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    // Sleeping is too coarse for moments that are microseconds apart.
    while begun.elapsed() < moment {
        std::hint::spin_loop();
    }
    child.kill().unwrap();
    child.wait().unwrap().code().is_none()
}
