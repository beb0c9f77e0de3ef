//! The fuzz targets without a fuzzer: their bodies, driven with damaged copies of what lies in `fixtures/`, for a bounded time.
//!
//! `RUSTLE_TEST_FUZZ_SECONDS` sets how long each target runs (default: 0.4), `RUSTLE_TEST_SEED` where the damage comes from.
//! `scripts/fuzz` runs the same bodies under libFuzzer.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use rustle_tests::{Moments, top};

type Body = fn(&[u8]);

/// Every target of `fuzz/`, with the folder of its seeds.
const TARGETS: &[(&str, &str, Body)] = &[
    (
        "artifact",
        "artifacts",
        rustle_formats::artifact::fuzz::artifact,
    ),
    (
        "repaired",
        "artifacts",
        rustle_formats::artifact::fuzz::repaired,
    ),
    ("slot", "artifacts", rustle_formats::artifact::fuzz::slot),
    (
        "header",
        "artifacts",
        rustle_formats::artifact::fuzz::header,
    ),
    ("index", "artifacts", rustle_formats::artifact::fuzz::index),
    (
        "manifest",
        "artifacts",
        rustle_formats::artifact::fuzz::manifest,
    ),
    ("plan_json", "plans", rustle_formats::plan::fuzz::json),
    (
        "plan_postcard",
        "artifacts",
        rustle_formats::plan::fuzz::postcard,
    ),
    (
        "session",
        "artifacts",
        rustle_formats::session::fuzz::stream,
    ),
    ("section", "seal", rustle_formats::seal::fuzz::section),
    ("overlay", "seal", rustle_formats::seal::fuzz::overlay),
    ("key_text", "seal", rustle_formats::seal::fuzz::key_text),
    (
        "template",
        "template/files",
        rustle_template::fuzz::template,
    ),
    ("yaml", "template/files", rustle_template::fuzz::yaml),
    ("vault", "engine/cases", rustle_playbook::vault::fuzz),
    ("playbook_yaml", "engine/cases", rustle_playbook::yaml::fuzz),
];

/// The files in a folder of `fixtures/` that are not large.
fn seeds(folder: &str) -> Vec<Vec<u8>> {
    let mut out = Vec::new();
    let mut paths: Vec<_> = fs::read_dir(top().join("fixtures").join(folder))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.is_file())
        .collect();
    paths.sort();
    for path in paths {
        let bytes = fs::read(path).unwrap();
        if bytes.len() <= 100_000 {
            out.push(bytes);
        }
    }
    assert!(!out.is_empty(), "{folder}");
    out
}

/// Numbers that limits are made of.
const EDGES: &[u64] = &[
    0,
    1,
    127,
    128,
    255,
    4096,
    65_535,
    1 << 22,
    u32::MAX as u64,
    1 << 40,
    i64::MAX as u64,
    u64::MAX,
];

/// What syntaxes are made of.
const WORDS: &[&[u8]] = &[
    b"{{",
    b"}}",
    b"{%",
    b"%}",
    b"\"",
    b"'",
    b"[",
    b"]",
    b"{",
    b"}",
    b"(",
    b")",
    b":",
    b",",
    b"\\",
    b"\n",
    b"- ",
    b"&a ",
    b"*a",
    b"|",
    b"not ",
    b"\xff",
    b"\xc3\xa9",
    b"{\"",
    b"1e999",
    b"-",
];

/// A damaged copy of one of the seeds: bits, numbers, words, pieces of others, or a cut.
fn damaged(random: &mut Moments, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        match random.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
            1 if at < bytes.len() => bytes[at] = random.below(256) as u8,
            2 => {
                let number = EDGES[random.below(EDGES.len())].to_le_bytes();
                let width = [1, 2, 4, 8][random.below(4)];
                let end = (at + width).min(bytes.len());
                bytes.splice(at..end, number[..width].iter().copied());
            }
            3 => bytes.truncate(at),
            4 => {
                let end = (at + random.below(64)).min(bytes.len());
                bytes.drain(at..end);
            }
            5 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len() + 1);
                let end = (from + random.below(256)).min(other.len());
                bytes.splice(at..at, other[from..end].iter().copied());
            }
            6 => {
                let word = WORDS[random.below(WORDS.len())];
                let times = if random.below(20) == 0 { 3000 } else { 1 };
                bytes.splice(at..at, word.repeat(times));
            }
            _ => {
                let end = (at + random.below(32)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    // The header alone has one length.
    if random.below(4) == 0 && bytes.len() > 256 {
        let at = bytes.windows(8).position(|w| w == b"RUSTLE01").unwrap_or(0);
        let end = (at + 256).min(bytes.len());
        return bytes[at..end].to_vec();
    }
    bytes
}

#[test]
fn hostile_bytes_give_errors_and_no_panics() {
    let seconds: f64 = std::env::var("RUSTLE_TEST_FUZZ_SECONDS")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0.4);
    let mut random = Moments::from_environment();
    let mut told = String::new();
    for (name, folder, body) in TARGETS {
        let seeds = seeds(folder);
        let begun = Instant::now();
        let (mut count, mut slowest) = (0u64, Duration::ZERO);
        while begun.elapsed().as_secs_f64() < seconds {
            let bytes = if (count as usize) < seeds.len() {
                seeds[count as usize].clone()
            } else {
                damaged(&mut random, &seeds)
            };
            let one = Instant::now();
            if catch_unwind(AssertUnwindSafe(|| body(&bytes))).is_err() {
                let kept =
                    std::env::temp_dir().join(format!("rustle-{name}-{}", std::process::id()));
                fs::write(&kept, &bytes).unwrap();
                panic!("{name}: the input that did it is {}", kept.display());
            }
            slowest = slowest.max(one.elapsed());
            count += 1;
        }
        told += &format!("{name}: {count} inputs, the slowest took {slowest:?}\n");
        assert!(
            slowest < Duration::from_secs(20),
            "{name}: an input took {slowest:?}"
        );
    }
    eprint!("{told}");
}

#[test]
fn every_target_is_in_fuzz() {
    let manifest = fs::read_to_string(top().join("fuzz/Cargo.toml")).unwrap();
    for (name, _, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let body = fs::read_to_string(
            top()
                .join("fuzz/fuzz_targets")
                .join(name)
                .with_extension("rs"),
        )
        .unwrap();
        assert!(body.contains("::fuzz"), "{name}");
    }
    let count = fs::read_dir(Path::new(&top()).join("fuzz/fuzz_targets"))
        .unwrap()
        .count();
    assert_eq!(count, TARGETS.len());
}
