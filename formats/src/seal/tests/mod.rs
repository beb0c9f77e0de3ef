mod overlay;

use zeroize::Zeroizing;

use super::*;
use crate::sign::SecretKey;
use crate::value::{Map, Value};

/// Bytes that look random and are the same every time. For tests only.
struct Counted(blake3::OutputReader);

impl Counted {
    fn new(seed: &str) -> Counted {
        Counted(
            blake3::Hasher::new_derive_key("rustle tests")
                .update(seed.as_bytes())
                .finalize_xof(),
        )
    }
}

impl Randomness for Counted {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), SealError> {
        self.0.fill(out);
        Ok(())
    }
}

struct Broken;

impl Randomness for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), SealError> {
        Err(SealError::Randomness)
    }
}

const ROOT: [u8; 32] = [0x11; 32];
const WEB1: Context<'static> = Context {
    base_root: &ROOT,
    host: "web1",
};
const CHEAP: Argon2Cost = Argon2Cost {
    memory_kib: 8192,
    passes: 1,
    lanes: 1,
};

fn raw(n: u8) -> RawKey {
    RawKey::from_bytes(&[n; 32])
}

fn pass(text: &str) -> Passphrase {
    Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap()
}

fn identity(n: u8) -> Identity {
    Identity::from_seed(&[n; 32])
}

fn secret<'a>(name: &'a str, content: &'a [u8]) -> Item<'a> {
    Item {
        kind: ItemKind::Secret,
        name,
        mode: None,
        content,
    }
}

fn all_locks() -> Vec<Lock> {
    vec![
        Lock::Key(raw(0x42)),
        Lock::Passphrase(pass("correct horse"), CHEAP),
        Lock::Pbkdf2(pass("battery staple"), 10_000),
        Lock::Recipient(identity(7).recipient("")),
    ]
}

fn all_keys() -> Vec<KeySource> {
    vec![
        KeySource::Key(raw(0x42)),
        KeySource::Passphrase(pass("correct horse")),
        KeySource::Passphrase(pass("battery staple")),
        KeySource::Identity(identity(7)),
    ]
}

fn small(locks: &[Lock]) -> Vec<u8> {
    let items = [
        secret("db_password", b"hunter2hunter2"),
        secret("token", b"s3cr3t-t0ken"),
    ];
    seal(
        &items,
        locks,
        &WEB1,
        Padding::Exact,
        &mut Counted::new("small"),
    )
    .unwrap()
}

fn content() -> OverlayContent {
    let mut content = OverlayContent {
        host: "web1".into(),
        ..OverlayContent::default()
    };
    let mut vars = Map::new();
    vars.insert("port".into(), Value::Int(8080));
    vars.insert(
        "motd".into(),
        Value::Unsafe("{{ clear-text-of-a-variable }}".into()),
    );
    vars.insert("db".into(), Value::Secret("db_password".into()));
    content.vars = HostVars::new(vars);
    content
        .secrets
        .insert("db_password", Zeroizing::new(b"hunter2hunter2".to_vec()));
    content.files.push(SealedFile {
        name: "templates/app.conf".into(),
        mode: Some(0o600),
        content: Zeroizing::new(b"password = hunter2hunter2\n".to_vec()),
    });
    content
}

fn overlay_bytes(locks: &[Lock]) -> Vec<u8> {
    write_overlay(
        &content(),
        &ROOT,
        locks,
        Padding::Padme,
        Some(&SecretKey::from_seed(&[9; 32])),
        &mut Counted::new("overlay"),
    )
    .unwrap()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

#[test]
fn every_key_opens_what_is_locked_for_all() {
    let sealed = small(&all_locks());
    for key in all_keys() {
        let secrets = open(&sealed, &[key], &WEB1).unwrap();
        assert_eq!(secrets.get_str("db_password"), Some("hunter2hunter2"));
        assert_eq!(
            secrets.names().collect::<Vec<_>>(),
            ["db_password", "token"]
        );
    }
}

#[test]
fn wrong_keys_wrong_places_and_damage_are_told_apart() {
    let sealed = small(&all_locks());
    let only_key = small(&[Lock::Key(raw(1))]);
    let for_host = small(&[Lock::Recipient(identity(7).recipient(""))]);
    let other = Context {
        host: "web2",
        ..WEB1
    };
    let elsewhere = Context {
        base_root: &[0; 32],
        ..WEB1
    };
    let mut damaged_head = only_key.clone();
    damaged_head[150] ^= 1;
    let mut damaged_item = only_key.clone();
    *damaged_item.last_mut().unwrap() ^= 1;
    let cases = [
        open(&sealed, &[], &WEB1),
        open(
            &sealed,
            &[KeySource::Key(raw(2)), KeySource::Passphrase(pass("guess"))],
            &WEB1,
        ),
        open(&only_key, &[KeySource::Passphrase(pass("guess"))], &WEB1),
        open(&for_host, &[KeySource::Identity(identity(8))], &WEB1),
        open(&sealed, &all_keys(), &other),
        open(&sealed, &all_keys(), &elsewhere),
        open(&damaged_head, &[KeySource::Key(raw(1))], &WEB1),
        open(&damaged_item, &[KeySource::Key(raw(1))], &WEB1),
        open(&sealed[..sealed.len() - 1], &all_keys(), &WEB1),
        open(&[&sealed[..], b"x"].concat(), &all_keys(), &WEB1),
        open(b"", &all_keys(), &WEB1),
    ];
    let text: Vec<String> = cases
        .iter()
        .map(|c| c.as_ref().unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(text.join("\n"));
}

/// Writes a section with one stanza of arbitrary bytes and a right digest: what an attacker can always do.
fn forged(stanza: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(b"RUSTSEAL");
    for n in [1u32, 1, stanza.len() as u32, 0] {
        out.extend_from_slice(&n.to_le_bytes());
    }
    out.extend_from_slice(&16u64.to_le_bytes());
    out.extend_from_slice(&((104 + stanza.len() + 16 + 32) as u64).to_le_bytes());
    out.extend_from_slice(&WEB1.digest());
    out.extend_from_slice(&[0; 32]);
    out.extend_from_slice(stanza);
    out.extend_from_slice(&[0; 16]);
    let digest = *blake3::Hasher::new_derive_key("rustle seal 1 2025 head")
        .update(&out)
        .finalize()
        .as_bytes();
    out.extend_from_slice(&digest);
    out
}

fn argon2_stanza(memory: u32, passes: u32, lanes: u32) -> Vec<u8> {
    let mut body = vec![2, 0, 76, 0];
    body.extend_from_slice(&[0; 16]);
    for n in [memory, passes, lanes] {
        body.extend_from_slice(&n.to_le_bytes());
    }
    body.extend_from_slice(&[0; 48]);
    body
}

#[test]
fn absurd_costs_are_refused_before_anything_is_allocated() {
    let key = [KeySource::Passphrase(pass("x"))];
    let mut pbkdf2 = vec![3, 0, 68, 0];
    pbkdf2.extend_from_slice(&[0; 16]);
    pbkdf2.extend_from_slice(&u32::MAX.to_le_bytes());
    pbkdf2.extend_from_slice(&[0; 48]);
    let stanzas = [
        argon2_stanza(u32::MAX, 1, 1),
        argon2_stanza(8192, u32::MAX, 1),
        argon2_stanza(8192, 1, 255),
        argon2_stanza(1, 1, 1),
        pbkdf2,
        vec![9, 0, 0, 0],
        vec![0, 0, 0xff, 0xff],
    ];
    let text: Vec<String> = stanzas
        .iter()
        .map(|s| open(&forged(s), &key, &WEB1).unwrap_err().to_string())
        .collect();
    insta::assert_snapshot!(text.join("\n"));
    // The forgery itself is well formed: with sane costs it is only the wrong key.
    assert!(matches!(
        open(&forged(&argon2_stanza(8192, 1, 1)), &key, &WEB1),
        Err(SealError::WrongKey { .. })
    ));
}

#[test]
fn every_bit_flip_and_every_truncation_of_a_section_is_rejected() {
    let locks = [
        Lock::Key(raw(1)),
        Lock::Recipient(identity(7).recipient("")),
    ];
    let sealed = small(&locks);
    let keys = [KeySource::Key(raw(1)), KeySource::Identity(identity(7))];
    assert!(open(&sealed, &keys, &WEB1).is_ok());
    let mut bytes = sealed.clone();
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&bytes, &keys, &WEB1).is_err(), "bit {bit}");
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for len in 0..sealed.len() {
        assert!(open(&sealed[..len], &keys, &WEB1).is_err(), "length {len}");
    }
}

#[test]
fn a_repaired_digest_does_not_help() {
    // Whoever changes the head can write its digest again, but not without the data key.
    let sealed = small(&[
        Lock::Key(raw(1)),
        Lock::Recipient(identity(7).recipient("")),
    ]);
    let keys = [KeySource::Key(raw(1)), KeySource::Identity(identity(7))];
    let section = Section::parse(&sealed).unwrap();
    let items: usize = 2 * 16 + 14 + 12;
    let digest_at = sealed.len() - items - 32;
    assert_eq!(section.digest(), sealed[digest_at..digest_at + 32]);
    for at in 0..digest_at {
        let mut bytes = sealed.clone();
        bytes[at] ^= 0x10;
        let digest = *blake3::Hasher::new_derive_key("rustle seal 1 2025 head")
            .update(&bytes[..digest_at])
            .finalize()
            .as_bytes();
        bytes[digest_at..digest_at + 32].copy_from_slice(&digest);
        assert!(open(&bytes, &keys, &WEB1).is_err(), "byte {at}");
    }
}

#[test]
fn two_seals_of_the_same_share_nothing_but_the_head() {
    let lock = [Lock::Key(raw(1))];
    let items = [secret("a", &[0; 64])];
    let one = seal(&items, &lock, &WEB1, Padding::Exact, &mut Counted::new("1")).unwrap();
    let two = seal(&items, &lock, &WEB1, Padding::Exact, &mut Counted::new("2")).unwrap();
    assert_eq!(one.len(), two.len());
    assert_eq!(one[..72], two[..72]);
    let common = one[72..]
        .windows(8)
        .filter(|w| contains(&two[72..], w))
        .count();
    // What may be equal are the lengths.
    assert!(common <= 24, "{common}");
}

#[test]
fn requests_that_make_no_sense_are_refused() {
    let lock = [Lock::Key(raw(1))];
    let many = vec![lock[0].clone(); 33];
    let passphrases = vec![Lock::Pbkdf2(pass("x"), 10_000); 5];
    let long = "x".repeat(MAX_NAME + 1);
    let go = |items: &[Item<'_>], locks: &[Lock]| {
        seal(items, locks, &WEB1, Padding::Exact, &mut Counted::new("r"))
            .unwrap_err()
            .to_string()
    };
    let a = secret("a", b"1");
    let absurd = Argon2Cost {
        memory_kib: u32::MAX,
        ..CHEAP
    };
    let text = [
        go(&[a], &[]),
        go(&[a], &many),
        go(&[a], &passphrases),
        go(&[a, a], &lock),
        go(&[secret("", b"")], &lock),
        go(&[secret(&long, b"")], &lock),
        go(
            &[Item {
                mode: Some(0o10000),
                ..a
            }],
            &lock,
        ),
        go(&[a], &[Lock::Open]),
        go(&[a], &[lock[0].clone(), Lock::Open]),
        go(&[a], &[Lock::Passphrase(pass("x"), absurd)]),
        go(&[a], &[Lock::Pbkdf2(pass("x"), 1)]),
        seal(&[a], &lock, &WEB1, Padding::Exact, &mut Broken)
            .unwrap_err()
            .to_string(),
        Passphrase::new(Zeroizing::new(Vec::new()))
            .unwrap_err()
            .to_string(),
    ];
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn key_files_are_read_and_wrong_ones_named_without_their_text() {
    let hex_text = format!("# a key\n\n{}\r\n", hex::encode([0x42; 32]));
    for good in [
        hex_text.as_str(),
        "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=",
        &raw(0x42).to_text(),
    ] {
        assert_eq!(RawKey::parse(good).unwrap().bytes(), &[0x42; 32]);
    }
    assert!(matches!(KeySource::parse(&hex_text), Ok(KeySource::Key(_))));
    let host_key = identity(7).to_text();
    assert!(matches!(
        KeySource::parse(&host_key),
        Ok(KeySource::Identity(_))
    ));
    let line = identity(7).recipient("web1").to_line();
    assert_eq!(
        Recipient::parse_list(&line).unwrap(),
        [identity(7).recipient("web1")]
    );

    let signing = SecretKey::from_seed(&[1; 32]);
    let bad = [
        KeySource::parse("").unwrap_err(),
        KeySource::parse("hunter2").unwrap_err(),
        KeySource::parse(&format!("{hex_text}hunter2")).unwrap_err(),
        KeySource::parse(&signing.to_text()).unwrap_err(),
        KeySource::parse(&signing.public("").to_line()).unwrap_err(),
        KeySource::parse(&line).unwrap_err(),
        Identity::parse(&hex_text).unwrap_err(),
        Recipient::parse_list(&host_key).unwrap_err(),
        Recipient::parse_list(&signing.public("").to_line()).unwrap_err(),
        Recipient::parse_list("rustle-x25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            .unwrap_err(),
    ];
    let text: Vec<String> = bad
        .iter()
        .map(|e| SealError::from(e.clone()).to_string())
        .collect();
    assert!(!text.join("").contains("hunter2"));
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn padding_hides_short_lengths_and_costs_little() {
    let padded = |len: usize| len + Padding::Padme.zeros(len);
    for len in 0..=64 {
        assert_eq!(padded(len), 64);
    }
    assert_eq!((padded(65), padded(72), padded(73)), (72, 72, 80));
    for len in (65..200_000).step_by(97) {
        assert!(
            padded(len) >= len && padded(len) * 100 <= len * 112,
            "{len}"
        );
        assert_eq!(padded(padded(len)), padded(len));
    }
    let _ = Padding::Padme.zeros(usize::MAX);
}

#[test]
fn keys_that_come_over_a_session_open_too() {
    use crate::session::Key;
    let sealed = small(&all_locks());
    let text = |text: Zeroizing<String>| text.as_str().to_owned();
    for key in [
        Key::Raw(text(raw(0x42).to_text())),
        Key::Passphrase("correct horse".into()),
        Key::Identity(text(identity(7).to_text())),
    ] {
        let key = KeySource::from_session(&key).unwrap();
        assert_eq!(open(&sealed, &[key], &WEB1).unwrap().len(), 2);
    }
    assert!(KeySource::from_session(&Key::Raw("hunter2".into())).is_err());
    assert!(KeySource::from_session(&Key::Passphrase(String::new())).is_err());
    assert!(Section::parse(&sealed).unwrap().takes_passphrase());
    let only_key = small(&[Lock::Key(raw(1))]);
    assert!(!Section::parse(&only_key).unwrap().takes_passphrase());
}
