//! Nothing that was changed is accepted: every bit, every length, junk behind the end.

mod common;

use common::{make_tree, request, text};
use rustle_formats::artifact::{Container, Placement};
use rustle_formats::sign::{PublicKey, SecretKey, verify_root};
use rustle_packer::{AssetSource, Method, PackRequest, Silent, pack};

struct Sample {
    what: &'static str,
    file: Vec<u8>,
    sidecar: Option<Vec<u8>>,
}

fn key() -> SecretKey {
    SecretKey::from_seed(&[5; 32])
}

fn sample(what: &'static str, change: impl FnOnce(&mut PackRequest<'_>)) -> Sample {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let key = key();
    let mut request = request(&output);
    request.signer = Some(&key);
    request.plan = common::plan(1).into();
    request.assets = vec![
        AssetSource::bytes("a", *b"some text, some text, some text, some text"),
        AssetSource::bytes("b/c", *b"other"),
    ];
    change(&mut request);
    let report = pack(request, &mut Silent).unwrap();
    let sidecar = report.sidecar.map(|path| std::fs::read(path).unwrap());
    Sample {
        what,
        file: std::fs::read(&output).unwrap(),
        sidecar,
    }
}

/// The four ways in which an artifact can lie.
fn samples() -> Vec<Sample> {
    vec![
        sample("appended", |_| {}),
        sample("injected", |r| r.placement = Placement::ElfSection),
        sample("sidecar", |r| r.stream = true),
        sample("overlay", |r| {
            r.overlay = Some(Box::new(|_| Ok(vec![0x5a; 40])))
        }),
        sample("injected overlay", |r| {
            r.placement = Placement::ElfSection;
            r.overlay = Some(Box::new(|_| Ok(vec![0x5a; 40])));
        }),
    ]
}

/// What `rustle verify --trusted` does.
fn accepts(file: &[u8], sidecar: Option<&[u8]>, trusted: &[PublicKey]) -> bool {
    let Ok(mut container) = Container::open_file(file) else {
        return false;
    };
    if let Some(sidecar) = sidecar
        && container
            .attach_sidecar(Box::new(sidecar.to_vec()))
            .is_err()
    {
        return false;
    }
    container.verify_all(1).is_ok()
        && verify_root(trusted, &container.root(), container.signature().as_ref()).is_ok()
}

/// Runs `test` for every number below `count`, on two threads.
fn for_each(count: usize, test: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        let test = &test;
        scope.spawn(move || (0..count).step_by(2).for_each(test));
        (1..count).step_by(2).for_each(test);
    });
}

#[test]
fn every_flipped_bit_is_refused() {
    let trusted = [key().public("")];
    for Sample {
        what,
        file,
        sidecar,
    } in samples()
    {
        assert!(accepts(&file, sidecar.as_deref(), &trusted), "{what}");
        for_each(file.len(), |at| {
            let mut bytes = file.clone();
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(
                    !accepts(&bytes, sidecar.as_deref(), &trusted),
                    "{what}: byte {at}, bit {bit}"
                );
                bytes[at] ^= 1 << bit;
            }
        });
        let Some(sidecar) = sidecar else { continue };
        for_each(sidecar.len() * 8, |bit| {
            let mut bytes = sidecar.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !accepts(&file, Some(&bytes), &trusted),
                "{what}: sidecar, bit {bit}"
            );
        });
    }
}

#[test]
fn every_other_length_is_refused() {
    let trusted = [key().public("")];
    for Sample {
        what,
        file,
        sidecar,
    } in samples()
    {
        for_each(file.len(), |len| {
            assert!(
                !accepts(&file[..len], sidecar.as_deref(), &trusted),
                "{what}: {len} bytes"
            );
        });
        for junk in [&b"\0"[..], b"\n", &[0; 4096], &file.clone()] {
            let longer = [&file, junk].concat();
            assert!(
                !accepts(&longer, sidecar.as_deref(), &trusted),
                "{what}: {} more",
                junk.len()
            );
        }
        let Some(sidecar) = sidecar else { continue };
        for len in 0..sidecar.len() {
            assert!(
                !accepts(&file, Some(&sidecar[..len]), &trusted),
                "{what}: sidecar of {len} bytes"
            );
        }
        assert!(
            !accepts(&file, Some(&[sidecar.as_slice(), b"\0"].concat()), &trusted),
            "{what}"
        );
    }
}

#[test]
fn a_missing_payload_says_so() {
    let Sample { file, .. } = sample("appended", |_| {});
    // What `strip` leaves of it: the runner, with its slot still packed.
    for len in [
        common::tiny_elf(true, false).len(),
        4096,
        4097,
        file.len() - 1,
    ] {
        let error = Container::open_file(&file[..len]).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "payload missing (stripped or truncated?)",
            "{len}"
        );
    }
    let bare = Container::open_file(common::tiny_elf(true, false))
        .map(|_| ())
        .unwrap_err();
    assert!(bare.to_string().contains("bare runner"), "{bare}");
}

#[test]
fn samples_of_a_large_one_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    let trusted = [key().public("")];
    let Sample { file, .. } = sample("large", |r| {
        r.assets = vec![AssetSource::path("tree", &tree)];
        r.method = Method::Zstd;
        r.stub.extend(text(300_000, 1));
    });
    for_each(64, |i| {
        let hash = blake3::hash(&(i as u64).to_le_bytes());
        let mut number = [0; 8];
        number.copy_from_slice(&hash.as_bytes()[..8]);
        let bit = u64::from_le_bytes(number) % (file.len() as u64 * 8);
        let mut bytes = file.clone();
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        assert!(!accepts(&bytes, None, &trusted), "bit {bit}");
        assert!(
            !accepts(&file[..(bit / 8) as usize], None, &trusted),
            "{} bytes",
            bit / 8
        );
    });
}
