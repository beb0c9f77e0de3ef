//! What is packed is read back, whatever the method, the way of placing and the number of threads.

mod common;

use common::{content, make_tree, noise, packed, plan, request, text, tiny_elf};
use rustle_formats::artifact::{Container, Kind};
use rustle_formats::sign::SecretKey;
use rustle_packer::{AssetSource, Method, PackError, Placement, Silent, pack, sidecar_path};

#[test]
fn a_small_artifact_holds_what_was_put_in() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(&dir.path().join("out"));
    request.assets = vec![
        AssetSource::bytes("motd", *b"welcome\n"),
        AssetSource::bytes("a/b", text(100_000, 1)),
    ];
    let (report, bytes) = packed(request);
    assert_eq!(
        (report.assets, report.files, report.total_bytes),
        (2, 2, 100_008)
    );
    let container = Container::open_file(bytes).unwrap();
    assert_eq!(container.plan().unwrap(), plan(3));
    assert_eq!(content(&container, "motd"), b"welcome\n");
    assert_eq!(content(&container, "a/b"), text(100_000, 1));
    assert!(container.find(b"a").unwrap().is_none());
    assert!(container.is_dir(b"a").unwrap() && !container.is_dir(b"motd").unwrap());
    assert_eq!(container.manifest().tasks, 3);
    container.verify_all(2).unwrap();
}

#[test]
fn an_artifact_without_assets_or_tasks_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(&dir.path().join("out"));
    request.plan = plan(0).into();
    request.stream = true;
    let container = Container::open_file(packed(request).1).unwrap();
    container.verify_all(1).unwrap();
    assert!(container.assets().next().is_none());
    assert!(container.below(b"").unwrap().next().is_none());
}

#[test]
fn every_method_and_placement_reads_back() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    for method in [
        Method::Zstd,
        Method::Xz,
        Method::Gzip,
        Method::Lz4,
        Method::None,
    ] {
        for (placement, stream) in [
            (Placement::Append, false),
            (Placement::ElfSection, false),
            (Placement::Append, true),
        ] {
            let output = dir.path().join("out");
            let mut request = request(&output);
            request.method = method;
            request.level = Some(rustle_formats::artifact::Encoder::levels(method).0);
            request.placement = placement;
            request.stream = stream;
            request.assets = vec![AssetSource::path("tree", &tree)];
            let (_, bytes) = packed(request);
            let mut container = Container::open_file(bytes).unwrap();
            if stream {
                assert!(container.verify_all(1).is_err());
                container
                    .attach_sidecar(Box::new(std::fs::read(sidecar_path(&output)).unwrap()))
                    .unwrap();
            }
            container
                .verify_all(2)
                .unwrap_or_else(|e| panic!("{method:?} {placement:?}: {e}"));
            assert_eq!(content(&container, "tree/large"), text(2_500_000, 2));
            assert_eq!(content(&container, "tree/noise"), noise(700_000, 1));
            assert_eq!(content(&container, "tree/hello.hard"), b"hello\n");
            let sparse = std::fs::read(tree.join("sparse")).unwrap();
            assert_eq!(content(&container, "tree/sparse"), sparse);
            assert_eq!(container.below(b"tree/deep/er").unwrap().count(), 302);
            let link = container.find(b"tree/deep/er/link").unwrap().unwrap();
            assert_eq!(
                link.kind,
                Kind::Symlink {
                    target: b"../hello.txt".to_vec()
                }
            );
            assert!(container.find(b"tree/caf\xe9").unwrap().is_some());
        }
    }
}

#[test]
fn all_elf_shapes_take_an_injected_payload() {
    let dir = tempfile::tempdir().unwrap();
    for (wide, big) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut request = request(&dir.path().join("out"));
        request.stub = tiny_elf(wide, big);
        request.placement = Placement::ElfSection;
        request.assets = vec![AssetSource::bytes("x", *b"content")];
        request.overlay = Some(Box::new(|_| Ok(b"for one host".to_vec())));
        let (_, bytes) = packed(request);
        let container = Container::open_file(bytes).unwrap();
        container.verify_all(1).unwrap();
        assert_eq!(container.overlay().unwrap().unwrap(), b"for one host");
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for (place, threads) in [("one", 1), ("two", 2), ("three", 7)] {
        let root = dir.path().join(place);
        let tree = make_tree(&root);
        let mut request = request(&root.join("out"));
        request.threads = threads;
        request.assets = vec![AssetSource::path("tree", &tree)];
        let key = SecretKey::from_seed(&[1; 32]);
        request.signer = Some(&key);
        seen.push(packed(request).1);
    }
    assert!(seen[0] == seen[1] && seen[1] == seen[2]);
}

#[test]
fn overlays_leave_the_root_alone() {
    let dir = tempfile::tempdir().unwrap();
    for placement in [Placement::Append, Placement::ElfSection] {
        let mut roots = Vec::new();
        for overlay in [None, Some(b"a".to_vec()), Some(vec![7; 5000])] {
            let mut request = request(&dir.path().join("out"));
            request.placement = placement;
            request.overlay = overlay
                .map(|bytes| -> rustle_packer::OverlayMaker<'_> { Box::new(move |_| Ok(bytes)) });
            let container = Container::open_file(packed(request).1).unwrap();
            container.verify_all(1).unwrap();
            roots.push(container.root());
        }
        assert!(roots.windows(2).all(|w| w[0] == w[1]));
    }
}

#[test]
fn contents_are_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut request = request(&dir.path().join("out"));
    let big = noise(3_000_000, 9);
    request.assets = (0..20)
        .map(|i| AssetSource::bytes(format!("copy-{i}"), big.clone()))
        .collect();
    let (report, bytes) = packed(request);
    assert!(report.size < 3_100_000, "{}", report.size);
    Container::open_file(bytes).unwrap().verify_all(2).unwrap();
}

#[test]
fn bad_requests_say_why_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let tree = make_tree(dir.path());
    let fails = |change: &dyn Fn(&mut rustle_packer::PackRequest<'static>)| {
        let mut request = request(&output);
        change(&mut request);
        pack(request, &mut Silent).unwrap_err()
    };
    let climbing = fails(&|r| r.assets = vec![AssetSource::bytes("../x", *b"")]);
    assert!(matches!(climbing, PackError::Name { .. }), "{climbing}");
    let twice = fails(&|r| {
        r.assets = vec![
            AssetSource::bytes("x", *b"1"),
            AssetSource::bytes("x", *b"2"),
        ]
    });
    assert!(matches!(twice, PackError::Twice(_)), "{twice}");
    let below = fails(&|r| {
        r.assets = vec![
            AssetSource::bytes("x", *b"1"),
            AssetSource::bytes("x/y", *b"2"),
        ]
    });
    assert!(matches!(below, PackError::Twice(_)), "{below}");
    let missing = fails(&|r| r.assets = vec![AssetSource::path("x", "/nowhere/at/all")]);
    assert!(matches!(missing, PackError::Io { .. }), "{missing}");
    let level = fails(&|r| r.level = Some(99));
    assert!(level.to_string().contains("levels"), "{level}");
    let stub = fails(&|r| r.stub = b"#!/bin/sh\n".to_vec());
    assert!(matches!(stub, PackError::Stub(_)), "{stub}");
    let size = fails(&|r| {
        r.assets = vec![AssetSource {
            size: Some(7),
            ..AssetSource::path("x", tree.join("hello.txt"))
        }];
    });
    assert!(matches!(size, PackError::Mismatch { .. }), "{size}");
    let hash = fails(&|r| {
        r.assets = vec![AssetSource {
            sha256: Some([1; 32]),
            ..AssetSource::bytes("x", *b"1")
        }]
    });
    assert!(hash.to_string().contains("SHA-256"), "{hash}");
    let names: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["tree"]);
}
