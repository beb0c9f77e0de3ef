//! The test vectors under `fixtures/artifacts/`: valid artifacts, and one for each way of being wrong.
//!
//! `RUSTLE_WRITE_VECTORS=1 cargo test -p rustle-packer --test vectors` writes them again; without it, they must be what is there.

#[path = "vectors/bad_assets.rs"]
mod bad_assets;
mod common;
#[path = "common/forge.rs"]
mod forge;

use std::path::{Path, PathBuf};

use common::{plan, request, tiny_elf};
use forge::{Forge, entry, file, page};
use rustle_formats::artifact::{Container, Header, Kind, Placement, check_path};
use rustle_formats::sign::SecretKey;
use rustle_packer::{AssetSource, Method, PackRequest, Silent, pack, sidecar_path};
use serde::{Deserialize, Serialize};

/// A line of `expect.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Expect {
    file: String,
    /// The sidecar's file, if it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    sidecar: Option<String>,
    /// What it is, or what is wrong with it.
    what: String,
    /// Part of the message; none for valid ones.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    error: Option<String>,
    /// For valid ones: the BLAKE3 hash of every file among the assets, by path.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    assets: Vec<(String, String)>,
}

struct Vector {
    expect: Expect,
    bytes: Vec<u8>,
    sidecar: Option<Vec<u8>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/artifacts")
}

/// Opens and checks everything.
fn check(bytes: &[u8], sidecar: Option<&[u8]>) -> Result<Vec<(String, String)>, String> {
    let mut container = Container::open_file(bytes).map_err(|e| e.to_string())?;
    if let Some(sidecar) = sidecar {
        container
            .attach_sidecar(Box::new(sidecar.to_vec()))
            .map_err(|e| e.to_string())?;
    }
    container.verify_all(1).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    for asset in container.assets() {
        let asset = asset.map_err(|e| e.to_string())?;
        if let Kind::File { digest, .. } = asset.kind {
            let path = String::from_utf8_lossy(&asset.path).into_owned();
            out.push((path, blake3::Hash::from_bytes(digest).to_hex().to_string()));
        }
    }
    Ok(out)
}

fn valid(name: &str, what: &str, change: impl FnOnce(&mut PackRequest<'_>)) -> Vector {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let key = SecretKey::from_seed(&[9; 32]);
    let mut request = request(&output);
    request.signer = (name == "signed").then_some(&key);
    request.level = Some(match request.method {
        Method::Zstd => 3,
        _ => 0,
    });
    let numbers: String = (0..400).map(|i| format!("line {i}\n")).collect();
    request.assets = vec![
        AssetSource::bytes("etc/motd", *b"welcome\n"),
        AssetSource::bytes("etc/numbers", numbers.into_bytes()),
        AssetSource::bytes("etc/same", *b"welcome\n"),
        AssetSource::bytes("etc/empty", *b""),
        AssetSource {
            mode: Some(0o755),
            ..AssetSource::bytes(b"bin/caf\xe9".to_vec(), *b"#!/bin/sh\n")
        },
    ];
    request.level = None;
    change(&mut request);
    let report = pack(request, &mut Silent).unwrap();
    let bytes = std::fs::read(&output).unwrap();
    let sidecar = report
        .sidecar
        .map(|_| std::fs::read(sidecar_path(&output)).unwrap());
    let assets = check(&bytes, sidecar.as_deref()).unwrap();
    let expect = Expect {
        file: format!("{name}.bin"),
        sidecar: sidecar.as_ref().map(|_| format!("{name}.bin.rustle-data")),
        what: what.into(),
        error: None,
        assets,
    };
    Vector {
        expect,
        bytes,
        sidecar,
    }
}

fn good() -> Vec<Vector> {
    vec![
        valid("appended", "zstd, appended", |_| {}),
        valid("injected", "in an ELF section", |r| {
            r.placement = Placement::ElfSection
        }),
        valid(
            "injected-32-bit-big-endian",
            "in a section of a 32-bit big-endian file",
            |r| {
                r.stub = tiny_elf(false, true);
                r.placement = Placement::ElfSection;
            },
        ),
        valid("sidecar", "contents in a sidecar", |r| r.stream = true),
        valid(
            "overlay",
            "with an overlay (whose own content is not one)",
            |r| {
                r.overlay = Some(Box::new(|_| Ok(b"opaque to the container".to_vec())));
            },
        ),
        valid(
            "injected-overlay",
            "in an ELF section, with an overlay",
            |r| {
                r.placement = Placement::ElfSection;
                r.overlay = Some(Box::new(|_| Ok(b"opaque to the container".to_vec())));
            },
        ),
        valid("signed", "signed with the seed of 32 bytes 9", |_| {}),
        valid(
            "needs-overlay",
            "a base that runs only with an overlay, and has none: right, though it does not run",
            |r| r.needs_overlay = true,
        ),
        valid("xz", "xz", |r| r.method = Method::Xz),
        valid("gzip", "gzip", |r| r.method = Method::Gzip),
        valid("lz4", "LZ4 blocks", |r| r.method = Method::Lz4),
        valid("stored", "not compressed", |r| r.method = Method::None),
        valid("nothing", "no tasks and no assets", |r| {
            r.plan = plan(0).into();
            r.assets.clear();
        }),
        valid("chunks", "a file of two chunks, the first all zeros", |r| {
            let mut bytes = vec![0; 2 << 20];
            bytes.extend(b" end");
            r.assets = vec![AssetSource::bytes("large", bytes)];
        }),
    ]
}

/// The forged artifact that the wrong ones are made from.
fn base() -> Forge {
    Forge::new(
        &[file("a", 0, 0, b"first"), file("b/c", 0, 5, b"second")],
        &[b"firstsecond"],
    )
}

fn forged(change: impl FnOnce(&mut Forge)) -> Vec<u8> {
    let mut forge = base();
    change(&mut forge);
    forge.build()
}

fn bad(name: &str, what: &str, error: &str, bytes: Vec<u8>) -> Vector {
    let expect = Expect {
        file: format!("bad-{name}.bin"),
        sidecar: None,
        what: what.into(),
        error: Some(error.into()),
        assets: Vec::new(),
    };
    Vector {
        expect,
        bytes,
        sidecar: None,
    }
}

/// Wrong numbers in slot, header and frame table, each behind a right digest.
fn bad_structure() -> Vec<Vector> {
    let header = |edit: fn(&mut Header)| forged(|f| f.header = Box::new(edit));
    let raw = |at: usize, value: u8| forged(|f| f.header_bytes = Box::new(move |b| b[at] = value));
    let table = |at: usize, value: u8| forged(|f| f.table = Box::new(move |t| t[at] = value));
    let edit = |edit: fn(&mut Vec<u8>)| forged(|f| f.file = Box::new(edit));
    vec![
        bad(
            "magic",
            "the magic is another",
            "payload missing",
            raw(0, b'X'),
        ),
        bad(
            "format-version",
            "format version 2",
            "format version 2",
            raw(8, 2),
        ),
        bad(
            "flag",
            "a flag that nobody knows",
            "flags 0x80",
            header(|h| h.flags = 0x80),
        ),
        bad(
            "placement",
            "the header says another placement",
            "disagree",
            header(|h| h.placement = Placement::ElfSection),
        ),
        bad(
            "placement-unknown",
            "a placement that nobody knows",
            "placement 9",
            raw(28, 9),
        ),
        bad(
            "payload-length",
            "slot and header disagree on the length",
            "disagree",
            forged(|f| f.slot = Box::new(|s| s.payload_len += 48)),
        ),
        bad(
            "frame-count",
            "the counts of frames do not add up",
            "add up",
            header(|h| h.frame_count += 1),
        ),
        bad(
            "frame-count-huge",
            "2^32 - 1 frames",
            "too many frames",
            header(|h| h.frame_count = u32::MAX),
        ),
        bad(
            "table-offset",
            "the frame table does not end the payload",
            "frame table",
            header(|h| h.frame_table_offset -= 1),
        ),
        bad(
            "index-offset",
            "the index is not where the header says",
            "not where",
            header(|h| h.asset_table_offset += 1),
        ),
        bad(
            "asset-count",
            "one asset more than there are",
            "number of assets",
            header(|h| h.asset_count += 1),
        ),
        bad(
            "plan-length",
            "the plan has another length",
            "plan",
            header(|h| h.plan_len += 1),
        ),
        bad(
            "plan-huge",
            "a plan of 2^60 bytes",
            "too long",
            header(|h| h.plan_len = 1 << 60),
        ),
        bad(
            "plan-version",
            "plan version 99",
            "plan version 99",
            header(|h| h.plan_version = 99),
        ),
        bad(
            "manifest-version",
            "manifest version 9",
            "manifest version 9",
            header(|h| h.manifest_version = 9),
        ),
        bad(
            "sidecar-length",
            "a sidecar's length without its flag",
            "sidecar",
            header(|h| h.sidecar_len = 64),
        ),
        bad(
            "signature-stray",
            "a signature without its flag",
            "without its flag",
            header(|h| h.signature[0] = 1),
        ),
        bad(
            "outside-length",
            "the runner has another length",
            "runner",
            header(|h| h.outside_len += 1),
        ),
        bad(
            "outside-digest",
            "the runner has another digest",
            "runner",
            header(|h| h.outside_digest[3] ^= 1),
        ),
        bad(
            "root",
            "the slot names another root",
            "header",
            forged(|f| f.slot = Box::new(|s| s.root[0] ^= 1)),
        ),
        bad(
            "slot-place",
            "the slot says that it lies elsewhere",
            "own place",
            forged(|f| f.slot = Box::new(|s| s.slot_offset = 72)),
        ),
        bad(
            "record-reserved",
            "a reserved byte in a frame record",
            "unknown fields",
            table(9, 1),
        ),
        bad(
            "record-method",
            "a compression method that nobody knows",
            "method 7",
            table(8, 7),
        ),
        bad(
            "record-length",
            "a stored frame with two lengths",
            "out of range",
            table(4, 10),
        ),
        bad(
            "record-huge",
            "a frame of 2^24 bytes",
            "out of range",
            table(7, 1),
        ),
        bad(
            "frame-digest",
            "a frame has another digest",
            "frame 0",
            table(16, 0),
        ),
        bad(
            "frame-broken",
            "a frame that is no zstd frame",
            "decompress",
            {
                forged(|f| {
                    f.table = Box::new(|t| {
                        t[8] = 1;
                        t[4] = 200;
                    });
                })
            },
        ),
        bad(
            "slot-empty",
            "nothing was packed",
            "bare runner",
            tiny_elf(true, false),
        ),
        bad(
            "slot-gone",
            "no ELF file and no footer",
            "not a Rustle artifact",
            b"#!/bin/sh\necho hello\n".repeat(20),
        ),
        bad(
            "slot-state",
            "a state that nobody knows",
            "slot state 2",
            edit(|f| f[80] = 2),
        ),
        bad(
            "footer-other",
            "slot and footer differ",
            "footer",
            edit(|f| *f.last_mut().unwrap() ^= 1),
        ),
        bad(
            "padding",
            "a byte of the padding is not zero",
            "runner",
            edit(|f| f[4000] = 1),
        ),
        bad(
            "runner-bit",
            "a bit of the runner was flipped",
            "runner",
            edit(|f| f[20] ^= 1),
        ),
        bad(
            "junk",
            "a byte behind the footer",
            "after the footer",
            edit(|f| f.push(0)),
        ),
        bad(
            "truncated",
            "the last byte is gone",
            "payload missing",
            edit(|f| f.truncate(f.len() - 1)),
        ),
        bad(
            "stripped",
            "the runner alone, its slot still packed",
            "payload missing",
            edit(|f| f.truncate(tiny_elf(true, false).len())),
        ),
    ]
}

#[test]
fn vectors_are_as_expected() {
    let dir = folder();
    let vectors: Vec<Vector> = good()
        .into_iter()
        .chain(bad_structure())
        .chain(bad_assets::bad_assets())
        .collect();
    assert!(
        check(&base().build(), None).is_ok(),
        "the forged base itself is right"
    );
    for Vector {
        expect,
        bytes,
        sidecar,
    } in &vectors
    {
        match (&expect.error, check(bytes, sidecar.as_deref())) {
            (None, Ok(assets)) => assert_eq!(assets, expect.assets, "{}", expect.file),
            (Some(part), Err(message)) => {
                assert!(message.contains(part), "{}: {message}", expect.file)
            }
            (_, other) => panic!("{}: {other:?}", expect.file),
        }
    }
    if std::env::var_os("RUSTLE_WRITE_VECTORS").is_some() {
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        for Vector {
            expect,
            bytes,
            sidecar,
        } in &vectors
        {
            std::fs::write(dir.join(&expect.file), bytes).unwrap();
            if let (Some(name), Some(sidecar)) = (&expect.sidecar, sidecar) {
                std::fs::write(dir.join(name), sidecar).unwrap();
            }
        }
        let lines: Vec<&Expect> = vectors.iter().map(|v| &v.expect).collect();
        std::fs::write(
            dir.join("expect.json"),
            serde_json::to_string_pretty(&lines).unwrap() + "\n",
        )
        .unwrap();
    }
    let text = std::fs::read_to_string(dir.join("expect.json")).unwrap();
    let written: Vec<Expect> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        written,
        vectors.iter().map(|v| v.expect.clone()).collect::<Vec<_>>()
    );
    for Vector {
        expect,
        bytes,
        sidecar,
    } in &vectors
    {
        assert!(
            std::fs::read(dir.join(&expect.file)).unwrap() == *bytes,
            "{} is another",
            expect.file
        );
        if let (Some(name), Some(sidecar)) = (&expect.sidecar, sidecar) {
            assert!(
                std::fs::read(dir.join(name)).unwrap() == *sidecar,
                "{name} is another"
            );
        }
    }
}
