//! A runner small enough to be flipped bit by bit, and trees to pack.

#![allow(dead_code, unreachable_pub)] // Each test file uses its own part of this.

use std::path::{Path, PathBuf};

use rustle_formats::artifact::{Container, EMPTY_SLOT, ReadAt};
use rustle_formats::plan::{ExecutionPlan, Item, PlayPlan, Task, TaskBatch};
use rustle_packer::{PackReport, PackRequest, Silent, pack};

/// The smallest ELF file with a slot: a header, the slot, section names, a section table. It cannot run.
pub fn tiny_elf(wide: bool, big: bool) -> Vec<u8> {
    elf(wide, big, None)
}

/// The same, saying of itself what a runner says in its section of names.
pub fn named_elf(name: &str) -> Vec<u8> {
    elf(true, false, Some(name))
}

fn elf(wide: bool, big: bool, name: Option<&str>) -> Vec<u8> {
    let half = |n: u16| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let word = |n: u32| {
        if big {
            n.to_be_bytes()
        } else {
            n.to_le_bytes()
        }
    };
    let long = |n: u64| -> Vec<u8> {
        match (wide, big) {
            (true, true) => n.to_be_bytes().to_vec(),
            (true, false) => n.to_le_bytes().to_vec(),
            (false, _) => word(n as u32).to_vec(),
        }
    };
    let head_len: u64 = if wide { 64 } else { 52 };
    let entry_len: u16 = if wide { 64 } else { 40 };
    let mut names = b"\0.rustle.slot\0.shstrtab\0".to_vec();
    if name.is_some() {
        names.extend(b".rustle.stub\0");
    }
    let own = name.unwrap_or_default().as_bytes();
    let sections = if name.is_some() { 4 } else { 3 };
    let slot_at = head_len;
    let names_at = slot_at + EMPTY_SLOT.len() as u64;
    let own_at = names_at + names.len() as u64;
    let table_at = own_at + own.len() as u64;
    let mut out = vec![
        0x7f,
        b'E',
        b'L',
        b'F',
        if wide { 2 } else { 1 },
        if big { 2 } else { 1 },
        1,
    ];
    out.resize(16, 0);
    out.extend(half(2)); // executable
    out.extend(half(62));
    out.extend(word(1));
    out.extend(long(0));
    out.extend(long(0));
    out.extend(long(table_at));
    out.extend(word(0));
    for n in [head_len as u16, 0, 0, entry_len, sections, 2] {
        out.extend(half(n));
    }
    out.extend(EMPTY_SLOT);
    out.extend(&names);
    out.extend(own);
    let mut section = |name: u32, kind: u32, offset: u64, len: u64| {
        out.extend(word(name));
        out.extend(word(kind));
        for n in [0, 0, offset, len] {
            out.extend(long(n));
        }
        out.extend(word(0));
        out.extend(word(0));
        for n in [1, 0] {
            out.extend(long(n));
        }
    };
    section(0, 0, 0, 0);
    section(1, 1, slot_at, EMPTY_SLOT.len() as u64);
    section(14, 3, names_at, names.len() as u64);
    if name.is_some() {
        section(24, 1, own_at, own.len() as u64);
    }
    out
}

/// A plan with so many tasks.
pub fn plan(tasks: usize) -> ExecutionPlan {
    let tasks = (0..tasks)
        .map(|i| {
            Item::Task(Box::new(Task {
                id: format!("task-{i}"),
                name: format!("Task number {i}"),
                module: "debug".into(),
                args: [("msg".to_string(), format!("hello {i}").into())]
                    .into_iter()
                    .collect(),
                ..Task::default()
            }))
        })
        .collect();
    ExecutionPlan {
        version: rustle_formats::plan::PLAN_VERSION,
        plays: vec![PlayPlan {
            name: "all".into(),
            batches: vec![TaskBatch {
                tasks,
                ..TaskBatch::default()
            }],
            ..PlayPlan::default()
        }],
        ..ExecutionPlan::default()
    }
}

/// A request for a small plan and the tiny runner.
pub fn request(output: &Path) -> PackRequest<'static> {
    PackRequest::new(
        plan(3),
        tiny_elf(true, false),
        "x86_64-unknown-linux-musl",
        output,
    )
}

/// Packs, and gives the report and the file's bytes.
pub fn packed(request: PackRequest<'_>) -> (PackReport, Vec<u8>) {
    let report = pack(request, &mut Silent).unwrap();
    let bytes = std::fs::read(&report.output).unwrap();
    (report, bytes)
}

/// The content of an asset.
pub fn content<R: ReadAt>(container: &Container<R>, path: &str) -> Vec<u8> {
    let mut out = Vec::new();
    container.read_asset(path.as_bytes(), &mut out).unwrap();
    out
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut out = vec![0; len];
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    hasher.finalize_xof().fill(&mut out);
    out
}

/// Text that does compress.
pub fn text(len: usize, seed: u64) -> Vec<u8> {
    let words = noise(len / 3 + 8, seed);
    words
        .iter()
        .flat_map(|b| format!("w{} ", b % 64).into_bytes())
        .take(len)
        .collect()
}

/// A tree with everything that a tree can have.
pub fn make_tree(root: &Path) -> PathBuf {
    use std::os::unix::ffi::OsStrExt;
    let dir = root.join("tree");
    let sub = dir.join("deep/er");
    std::fs::create_dir_all(&sub).unwrap();
    std::fs::create_dir_all(dir.join("empty dir")).unwrap();
    std::fs::write(dir.join("empty"), b"").unwrap();
    std::fs::write(dir.join("hello.txt"), b"hello\n").unwrap();
    std::fs::write(sub.join("again.txt"), b"hello\n").unwrap();
    std::fs::write(dir.join("noise"), noise(700_000, 1)).unwrap();
    std::fs::write(dir.join("large"), text(2_500_000, 2)).unwrap();
    std::fs::write(dir.join("sp ec\n\"ial'$"), text(3000, 3)).unwrap();
    std::fs::write(
        dir.join(std::ffi::OsStr::from_bytes(b"caf\xe9")),
        b"latin-1",
    )
    .unwrap();
    let sparse = std::fs::File::create(dir.join("sparse")).unwrap();
    sparse.set_len(4_300_001).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"island", 2_200_000).unwrap();
    std::os::unix::fs::symlink("../hello.txt", sub.join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere/at all", dir.join("dangling")).unwrap();
    std::fs::hard_link(dir.join("hello.txt"), dir.join("hello.hard")).unwrap();
    for i in 0..300 {
        std::fs::write(sub.join(format!("f{i:03}")), text(50 + i * 37, i as u64)).unwrap();
    }
    let mut long = dir.clone();
    for i in 0..8 {
        long = long.join(format!("{i}{}", "x".repeat(200)));
    }
    std::fs::create_dir_all(&long).unwrap();
    std::fs::write(long.join("end"), b"far away").unwrap();
    dir
}
