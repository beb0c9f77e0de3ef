//! What the runner may cost: size, time to the first task, memory. The numbers mean something for a release stub only:
//! `RUSTLE_TEST_STUB=FILE cargo test -p rustle-stub --test budgets -- --ignored --nocapture`.

mod common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Bench, plan, stub};
use rustle_packer::{AssetSource, Method};

/// The most bytes of the core flavour.
const SIZE: u64 = 4 << 20;
/// The longest start.
const START: Duration = Duration::from_millis(5);
/// The most memory, in KiB.
const MEMORY: u64 = 16 << 10;
const TASK: &str = r#"[{"id": "t", "name": "t", "module": "debug", "args": {"msg": "x"}}]"#;

/// Bytes that do not compress.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut out = Vec::with_capacity(len + 8);
    while out.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        out.extend_from_slice(&state.to_le_bytes());
    }
    out.truncate(len);
    out
}

fn bench(megabytes: usize) -> Bench {
    let content = noise(megabytes * 1_000_000);
    Bench::of(plan(TASK), vec![AssetSource::bytes("data", content)], |r| {
        r.method = Method::None
    })
}

/// The median time from start to end of a run with one task that does nothing.
fn median(bench: &Bench) -> Duration {
    let mut times: Vec<Duration> = (0..101)
        .map(|_| {
            let begun = Instant::now();
            let status = bench.command().stdout(Stdio::null()).status().unwrap();
            assert!(status.success());
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// The peak resident memory of a run in KiB, as the shell's `time` tells it.
fn peak(bench: &Bench) -> Option<u64> {
    let inner = bench.command();
    let output = Command::new("/usr/bin/time")
        .args(["-f", "%M"])
        .arg(inner.get_program())
        .args(inner.get_args())
        .stdout(Stdio::null())
        .output()
        .ok()?;
    String::from_utf8_lossy(&output.stderr).trim().parse().ok()
}

#[test]
#[ignore = "for a release stub, on a quiet machine"]
fn the_runner_stays_within_its_budgets() {
    let size = std::fs::metadata(stub()).unwrap().len();
    let (small, large) = (bench(1), bench(500));
    // In turns, so that both see the same machine.
    let rounds: Vec<(Duration, Duration)> =
        (0..3).map(|_| (median(&small), median(&large))).collect();
    let a = rounds.iter().map(|r| r.0).min().unwrap();
    let b = rounds.iter().map(|r| r.1).min().unwrap();
    let memory = peak(&large);
    println!("size {size} B, run with 1 MB {a:?}, with 500 MB {b:?}, peak memory {memory:?} KiB");
    assert!(size <= SIZE, "{size} bytes");
    assert!(a <= START && b <= START, "{a:?} {b:?}");
    assert!(b.as_secs_f64() <= a.as_secs_f64() * 1.1, "{a:?} {b:?}");
    assert!(memory.is_none_or(|m| m <= MEMORY), "{memory:?} KiB");
}
