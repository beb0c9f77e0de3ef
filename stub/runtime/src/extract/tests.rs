//! Unpacking artifacts that are written here by hand, without the packer.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustle_formats::artifact::{
    Chunk, Container, DirectoryBuilder, Entry, FrameRecord, FrameTable, Header, Kind, Manifest,
    Method, PageBuilder, Placement, Slot, chunk_value, flags, merge_chunk_values,
};

use super::{ExtractError, ExtractOptions, extract};

const OPTIONS: ExtractOptions = ExtractOptions {
    threads: 2,
    owners: false,
    sync: false,
};

/// An artifact with one stored frame for each content.
fn artifact(entries: &[Entry], contents: &[Vec<u8>]) -> Container<Vec<u8>> {
    let mut page = PageBuilder::new(0);
    let mut directory = DirectoryBuilder::new();
    entries.iter().for_each(|e| page.push(e));
    if let Some(first) = entries.first() {
        directory.push(entries.len() as u32, 0, &first.path);
    }
    let manifest = postcard_manifest();
    let mut frames: Vec<Vec<u8>> = contents.to_vec();
    let index_at = Header::LEN + frames.iter().map(Vec::len).sum::<usize>();
    let pages = u32::from(!entries.is_empty());
    if pages > 0 {
        frames.push(page.finish());
    }
    frames.extend([directory.finish(), manifest, vec![1]]);
    let mut payload = vec![0; Header::LEN];
    let mut table = Vec::new();
    for frame in &frames {
        payload.extend_from_slice(frame);
        let len = frame.len() as u32;
        let record = FrameRecord {
            stored_len: len,
            plain_len: len,
            method: Method::None,
            digest: FrameRecord::digest_of(frame),
        };
        record.encode(&mut table);
    }
    let header = Header {
        asset_table_offset: index_at as u64,
        asset_count: entries.len() as u32,
        flags: 0,
        placement: Placement::ElfSection,
        payload_len: (payload.len() + table.len()) as u64,
        frame_table_offset: payload.len() as u64,
        frame_count: frames.len() as u32,
        data_frames: contents.len() as u32,
        index_frames: pages,
        plan_frames: 1,
        plan_len: 1,
        plan_version: 1,
        manifest_version: 1,
        sidecar_len: 0,
        outside_len: 0,
        table_digest: FrameTable::digest_of(&table),
        outside_digest: [0; 32],
        signer: [0; 32],
        signature: [0; 64],
    };
    payload[..Header::LEN].copy_from_slice(&header.encode());
    payload.extend(table);
    let slot = Slot {
        placement: Placement::ElfSection,
        payload_offset: 4096,
        payload_len: payload.len() as u64,
        root: header.root(),
        overlay_offset: 0,
        overlay_len: 0,
        overlay_digest: [0; 32],
        slot_offset: 0,
    };
    assert!(!header.has(flags::SIGNED));
    let mut file = vec![0; 4096];
    file.extend(payload);
    Container::open(file, slot).unwrap()
}

/// The default manifest as postcard: strings, numbers and flags that are all empty or zero, and method 1.
fn postcard_manifest() -> Vec<u8> {
    let zeros = Manifest::default();
    assert_eq!(zeros.method, Method::Zstd);
    vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
}

fn entry(path: &str, kind: Kind, mode: u16) -> Entry {
    Entry {
        path: path.into(),
        kind,
        mode,
        mtime: None,
        owner: None,
    }
}

fn file(frame: u32, content: &[u8]) -> Kind {
    let chunk = Chunk {
        frame: Some(frame),
        offset: 0,
        len: content.len() as u32,
        value: [0; 32],
    };
    let digest = *blake3::hash(content).as_bytes();
    Kind::File {
        size: content.len() as u64,
        digest,
        chunk_log: 0,
        chunks: vec![chunk],
    }
}

fn link(target: &str) -> Kind {
    Kind::Symlink {
        target: target.into(),
    }
}

fn sample() -> Container<Vec<u8>> {
    let hello = b"hello\n".to_vec();
    let mut timed = entry("d/timed", file(0, &hello), 0o640);
    timed.mtime = Some((1_000_000_000, 5));
    let entries = [
        entry("d", Kind::Dir, 0o555),
        entry("d/again", Kind::Hardlink { to: "a".into() }, 0o644),
        entry("d/suid", file(0, &hello), 0o4755),
        timed,
        entry("link", link("d/timed"), 0o777),
        entry("x/y/z", file(0, &hello), 0o444),
    ];
    let mut entries = entries.to_vec();
    entries.insert(0, entry("a", file(0, &hello), 0o600));
    artifact(&entries, &[hello])
}

fn names(dir: &Path) -> Vec<String> {
    let mut out: Vec<String> = std::fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    out.sort();
    out
}

#[test]
fn a_tree_comes_out_as_it_went_in() {
    let home = tempfile::tempdir().unwrap();
    let dest = home.path().join("new");
    let report = extract(&sample(), b"", &dest, OPTIONS).unwrap();
    assert_eq!((report.files, report.dirs, report.symlinks), (5, 3, 1));
    let meta = |name: &str| std::fs::symlink_metadata(dest.join(name)).unwrap();
    let mode = |name: &str| meta(name).permissions().mode() & 0o7777;
    assert_eq!(
        ["a", "d", "d/suid", "d/timed", "x/y/z"].map(mode),
        [0o600, 0o555, 0o4755, 0o640, 0o444]
    );
    assert_eq!(
        (meta("d/timed").mtime(), meta("d/timed").mtime_nsec()),
        (1_000_000_000, 5)
    );
    assert_eq!(meta("a").ino(), meta("d/again").ino());
    assert_eq!(
        std::fs::read_link(dest.join("link")).unwrap(),
        Path::new("d/timed")
    );
    assert_eq!(std::fs::read(dest.join("x/y/z")).unwrap(), b"hello\n");
    assert_eq!(names(home.path()), ["new"], "nothing else is left");
}

#[test]
fn into_a_folder_that_exists() {
    let dest = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dest.path().join("x/y")).unwrap();
    std::fs::write(dest.path().join("x/y/z"), "old").unwrap();
    std::fs::write(dest.path().join("x/other"), "stays").unwrap();
    extract(&sample(), b"", dest.path(), OPTIONS).unwrap();
    assert_eq!(
        std::fs::read(dest.path().join("x/y/z")).unwrap(),
        b"hello\n"
    );
    assert_eq!(
        std::fs::read(dest.path().join("x/other")).unwrap(),
        b"stays"
    );
    assert_eq!(names(dest.path()), ["a", "d", "link", "x"]);
    // And once more over itself.
    extract(&sample(), b"", dest.path(), OPTIONS).unwrap();
}

#[test]
fn a_part_of_the_tree() {
    let home = tempfile::tempdir().unwrap();
    let dest = home.path().join("part");
    extract(&sample(), b"d", &dest, OPTIONS).unwrap();
    assert_eq!(names(&dest), ["again", "suid", "timed"]);
    assert!(matches!(
        extract(&sample(), b"nope", &dest, OPTIONS),
        Err(ExtractError::NotFound(_))
    ));
}

#[test]
fn no_link_leads_out() {
    // A link in the destination where the tree has a folder.
    let home = tempfile::tempdir().unwrap();
    let (dest, outside) = (home.path().join("dest"), home.path().join("outside"));
    std::fs::create_dir_all(&dest).unwrap();
    std::fs::create_dir_all(outside.join("y")).unwrap();
    std::os::unix::fs::symlink(&outside, dest.join("x")).unwrap();
    assert!(extract(&sample(), b"", &dest, OPTIONS).is_err());
    // A link in the tree itself, and a file below it.
    let hello = b"hello\n".to_vec();
    let target = outside.to_str().unwrap();
    let evil = artifact(
        &[
            entry("l", link(target), 0o777),
            entry("l/f", file(0, &hello), 0o644),
        ],
        &[hello],
    );
    assert!(evil.verify_all(1).is_err());
    assert!(extract(&evil, b"", &home.path().join("evil"), OPTIONS).is_err());
    assert_eq!(names(&outside), ["y"]);
    assert_eq!(names(home.path()), ["dest", "outside"]);
    assert_eq!(names(&dest), ["x"], "nothing was moved");
}

#[test]
fn damage_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let hello = b"hello\n".to_vec();
    let lies = artifact(&[entry("a", file(0, b"other\n"), 0o644)], &[hello]);
    let error = extract(&lies, b"", &home.path().join("t"), OPTIONS).unwrap_err();
    assert!(error.to_string().contains("digest"), "{error}");
    assert!(names(home.path()).is_empty());
}

#[test]
fn holes_stay_holes() {
    let len = 1u64 << 20;
    let tail = vec![7u8; 100];
    let zeros = vec![0; len as usize];
    let values: Vec<[u8; 32]> = (0..64)
        .map(|i| chunk_value(&zeros, i * len))
        .chain([chunk_value(&tail, 64 * len)])
        .collect();
    let size = 64 * len + 100;
    let mut chunks: Vec<Chunk> = values
        .iter()
        .map(|v| Chunk {
            frame: None,
            offset: 0,
            len: len as u32,
            value: *v,
        })
        .collect();
    chunks[64] = Chunk {
        frame: Some(0),
        offset: 0,
        len: 100,
        value: values[64],
    };
    let digest = merge_chunk_values(size, 20, &values).unwrap();
    let kind = Kind::File {
        size,
        digest,
        chunk_log: 20,
        chunks,
    };
    let home = tempfile::tempdir().unwrap();
    let dest = home.path().join("t");
    extract(
        &artifact(&[entry("sparse", kind, 0o644)], &[tail]),
        b"",
        &dest,
        OPTIONS,
    )
    .unwrap();
    let meta = std::fs::metadata(dest.join("sparse")).unwrap();
    assert_eq!(meta.len(), size);
    assert!(meta.blocks() * 512 < len, "{} blocks", meta.blocks());
}

#[test]
fn what_a_killed_run_left_is_removed() {
    let home = tempfile::tempdir().unwrap();
    let stale = home.path().join(".rustle-extract-0123");
    std::fs::create_dir_all(stale.join("t/ro")).unwrap();
    std::fs::write(stale.join("t/ro/f"), "half").unwrap();
    std::fs::set_permissions(stale.join("t/ro"), std::fs::Permissions::from_mode(0o500)).unwrap();
    extract(&sample(), b"", &home.path().join("new"), OPTIONS).unwrap();
    assert_eq!(names(home.path()), ["new"]);
}
