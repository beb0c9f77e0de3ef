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

/// A sample's shape: its name, and what it asks for.
type Shape = (&'static str, fn(&mut PackRequest<'_>));

#[test]
fn samples_of_large_ones_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let tree = make_tree(dir.path());
    let trusted = [key().public("")];
    let shapes: [Shape; 4] = [
        ("appended", |_| {}),
        ("injected", |r| r.placement = Placement::ElfSection),
        ("sidecar", |r| r.stream = true),
        ("overlay", |r| {
            r.overlay = Some(Box::new(|_| Ok(vec![0x5a; 100_000])));
        }),
    ];
    for (what, shape) in shapes {
        let runner = 300_000;
        let Sample { file, sidecar, .. } = sample(what, |r| {
            r.assets = vec![AssetSource::path("tree", &tree)];
            r.method = Method::Zstd;
            r.stub.extend(text(runner, 1));
            shape(r);
        });
        let sidecar = sidecar.as_deref();
        assert!(accepts(&file, sidecar, &trusted), "{what}");
        let number = |i: usize| {
            let hash = blake3::hash(format!("{what} {i}").as_bytes());
            let mut number = [0; 8];
            number.copy_from_slice(&hash.as_bytes()[..8]);
            u64::from_le_bytes(number) as usize
        };
        for_each(48, |i| {
            // Every other one in the runner.
            let span = if i % 4 < 2 { runner } else { file.len() };
            let bit = number(i) % (span * 8);
            let mut bytes = file.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!accepts(&bytes, sidecar, &trusted), "{what}: bit {bit}");
            let cut = &file[..number(i + 1000) % file.len()];
            assert!(
                !accepts(cut, sidecar, &trusted),
                "{what}: {} bytes",
                cut.len()
            );
            let Some(sidecar) = sidecar else { return };
            let bit = number(i + 2000) % (sidecar.len() * 8);
            let mut bytes = sidecar.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(
                !accepts(&file, Some(&bytes), &trusted),
                "{what}: sidecar, bit {bit}"
            );
            let cut = &sidecar[..number(i + 3000) % sidecar.len()];
            assert!(
                !accepts(&file, Some(cut), &trusted),
                "{what}: sidecar of {} bytes",
                cut.len()
            );
        });
    }
}
