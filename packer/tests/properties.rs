//! What holds for any tree and for any damage.

mod common;

use common::{content, packed, request};
use proptest::prelude::*;
use rustle_formats::artifact::fuzz;
use rustle_packer::{AssetSource, Method, Placement};

/// Contents that compress, do not, repeat, are empty.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        Just(b"the same".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..2000),
        (any::<u8>(), 0usize..100_000).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn methods() -> impl Strategy<Value = Method> {
    prop_oneof![
        Just(Method::Zstd),
        Just(Method::Xz),
        Just(Method::Gzip),
        Just(Method::Lz4),
        Just(Method::None)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_comes_back(
        files in proptest::collection::btree_map("[a-c]{1,3}(/[a-c]{1,3}){0,2}\\.f", contents(), 0..40),
        method in methods(),
        inject in any::<bool>(),
        threads in 1usize..4,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut request = request(&dir.path().join("out"));
        request.method = method;
        request.threads = threads;
        request.placement = if inject { Placement::ElfSection } else { Placement::Append };
        request.assets = files.iter().map(|(n, c)| AssetSource::bytes(n.as_bytes(), c.as_slice())).collect();
        let (_, bytes) = packed(request);
        let container = rustle_formats::artifact::Container::open_file(bytes).unwrap();
        container.verify_all(2).unwrap();
        let names: Vec<_> = container.assets().map(|a| a.unwrap().path).collect();
        prop_assert_eq!(names, files.keys().map(|n| n.as_bytes().to_vec()).collect::<Vec<_>>());
        for (name, expected) in &files {
            prop_assert_eq!(&content(&container, name), expected);
        }
    }
}

/// Every valid test vector and a forged one, changed at random, through the bodies of the fuzz targets.
#[test]
fn no_damage_makes_the_reader_panic() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/artifacts");
    for item in std::fs::read_dir(folder).unwrap() {
        let path = item.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        if path.extension().is_none_or(|e| e != "bin") || bytes.len() > 100_000 {
            continue;
        }
        fuzz::artifact(&bytes);
        for round in 0..60u64 {
            let mut changed = bytes.clone();
            let noise = common::noise(64, round);
            for pair in noise.chunks(8).take(1 + round as usize % 6) {
                // Mostly where it matters: the slot, and from the payload on.
                let span = if pair[7] < 64 {
                    0..200.min(changed.len())
                } else {
                    4000.min(changed.len())..changed.len()
                };
                let spot = u32::from_le_bytes([pair[0], pair[1], pair[2], pair[3]]) as usize;
                if !span.is_empty() {
                    changed[span.start + spot % span.len()] = pair[4];
                }
            }
            fuzz::artifact(&changed);
            fuzz::repaired(&changed);
        }
    }
}
