//! Overlays beside and inside of artifacts: which ones a runner takes, and what it says of the others.

mod common;

use std::fs;
use std::process::Output;

use common::{Bench, plan, stderr, stdout};
use rustle_formats::artifact::Container;
use rustle_formats::plan::SecretSpec;
use rustle_formats::seal::{
    Lock, OverlayContent, Padding, Passphrase, RawKey, Recipient, SecretMap, write_overlay,
};
use rustle_formats::sign::SecretKey;
use rustle_packer::keys::OsRandom;
use zeroize::Zeroizing;

const TASKS: &str = r#"[{"name": "t", "module": "copy",
    "args": {"dest": "{{ playbook_out }}", "content": "{{ password }}"}}]"#;

/// An artifact that needs an overlay, signed by the key of this number; 0: unsigned.
fn bench(signer: u8) -> Bench {
    let key = SecretKey::from_seed(&[signer; 32]);
    let mut plan = plan(TASKS);
    plan.secrets.push(SecretSpec {
        name: "password".into(),
        ..SecretSpec::default()
    });
    Bench::of(plan, Vec::new(), |request| {
        request.needs_overlay = true;
        // The request outlives the closure; a leak of one key in a test is fine.
        request.signer = (signer > 0).then(|| &*Box::leak(Box::new(key)));
    })
}

fn root(bench: &Bench) -> [u8; 32] {
    let file = fs::File::open(&bench.artifact).unwrap();
    Container::open_file(file).unwrap().root()
}

fn raw() -> RawKey {
    RawKey::from_bytes(&[3; 32])
}

/// Writes an overlay for the host `web1` with a secret.
fn overlay(bench: &Bench, root: &[u8; 32], lock: Lock, signer: Option<u8>) {
    let mut secrets = SecretMap::new();
    secrets.insert("password", Zeroizing::new(b"hidden".to_vec()));
    let content = OverlayContent {
        host: "web1".into(),
        secrets,
        ..OverlayContent::default()
    };
    let signer = signer.map(|n| SecretKey::from_seed(&[n; 32]));
    let bytes = write_overlay(
        &content,
        root,
        &[lock],
        Padding::Exact,
        signer.as_ref(),
        &mut OsRandom,
    )
    .unwrap();
    fs::write(bench.path("overlay"), bytes).unwrap();
}

/// Runs the artifact with the overlay and the key that opens it.
fn run(bench: &Bench, more: &[&str]) -> Output {
    fs::write(bench.path("key"), raw().to_text().as_bytes()).unwrap();
    bench
        .command()
        .arg("--overlay")
        .arg(bench.path("overlay"))
        .arg("--key-file")
        .arg(bench.path("key"))
        .arg("-e")
        .arg(format!("playbook_out={}", bench.path("out").display()))
        .args(more)
        .output()
        .unwrap()
}

/// The overlay is refused with this code and sentence, when running and when verifying.
fn refused(bench: &Bench, more: &[&str], code: i32, said: &str) {
    for verify in [&[][..], &["--verify"]] {
        let output = run(bench, &[more, verify].concat());
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(code), "{verify:?}: {text}");
        assert!(text.contains(said), "{verify:?}: {text}");
        assert!(!bench.path("out").exists());
    }
}

#[test]
fn the_overlay_of_a_signed_base_is_signed_by_the_same_key() {
    let bench = bench(1);
    let base = root(&bench);
    overlay(&bench, &base, Lock::Key(raw()), None);
    refused(&bench, &[], 69, "the overlay is refused: ");
    overlay(&bench, &base, Lock::Key(raw()), Some(2));
    refused(&bench, &[], 69, "the overlay is refused: ");
    overlay(&bench, &base, Lock::Key(raw()), Some(1));
    let verified = run(&bench, &["--verify"]);
    assert!(
        stdout(&verified).contains("the overlay is for the host web1"),
        "{}{}",
        stdout(&verified),
        stderr(&verified)
    );
    let output = run(&bench, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(bench.path("out")).unwrap(), "hidden");
}

#[test]
fn trusted_keys_decide_alone() {
    let bench = bench(1);
    let both = [1, 2].map(|n| SecretKey::from_seed(&[n; 32]).public("").to_line());
    fs::write(bench.path("trusted"), both.join("\n")).unwrap();
    let trusted = bench.path("trusted").display().to_string();
    overlay(&bench, &root(&bench), Lock::Key(raw()), Some(2));
    let output = run(&bench, &["--trusted", &trusted]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    fs::remove_file(bench.path("out")).unwrap();
    overlay(&bench, &root(&bench), Lock::Key(raw()), Some(3));
    refused(
        &bench,
        &["--trusted", &trusted],
        69,
        "the overlay is refused: ",
    );
    overlay(&bench, &root(&bench), Lock::Key(raw()), None);
    refused(
        &bench,
        &["--trusted", &trusted],
        69,
        "the overlay is refused: ",
    );
}

#[test]
fn an_unsigned_base_takes_any_overlay_that_is_its_own() {
    let bench = bench(0);
    overlay(&bench, &[9; 32], Lock::Key(raw()), None);
    refused(&bench, &[], 68, "the overlay belongs to another artifact");
    overlay(&bench, &root(&bench), Lock::Key(raw()), None);
    refused(
        &bench,
        &["--host", "web2"],
        68,
        "the overlay is for the host web1, not for web2",
    );
    let output = run(&bench, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_missing_overlay_is_said_and_a_base_without_one_is_sound() {
    let bench = bench(1);
    let missing = bench.run(&[]);
    assert_eq!(missing.status.code(), Some(70));
    assert!(
        stderr(&missing).contains("this artifact runs only with a host's overlay (--overlay FILE)"),
        "{}",
        stderr(&missing)
    );
    let sound = bench.run(&["--verify"]);
    assert_eq!(sound.status.code(), Some(0), "{}", stderr(&sound));
    assert!(
        stdout(&sound).contains("it runs only with a host's overlay, and has none"),
        "{}",
        stdout(&sound)
    );
}

/// A public key is public: whoever reads it can seal an overlay. So sealing alone must not be enough.
#[test]
fn an_overlay_that_a_stranger_sealed_for_the_host_is_refused() {
    let bench = bench(1);
    let identity = rustle_formats::seal::Identity::from_seed(&[5; 32]);
    let recipients = Recipient::parse_list(&identity.recipient("web1").to_line()).unwrap();
    let lock = Lock::Recipient(recipients[0].clone());
    overlay(&bench, &root(&bench), lock, Some(7));
    fs::write(bench.path("host.key"), identity.to_text().as_bytes()).unwrap();
    let key = bench.path("host.key").display().to_string();
    refused(
        &bench,
        &["--identity", &key],
        69,
        "the overlay is refused: ",
    );
}

#[test]
fn a_wrong_key_in_the_environment_is_told_with_the_forms_that_there_are() {
    let bench = bench(0);
    overlay(&bench, &root(&bench), Lock::Key(raw()), None);
    let output = bench
        .command()
        .arg("--overlay")
        .arg(bench.path("overlay"))
        .env("RUSTLE_ENCRYPTION_KEY", "hunter2-not-a-key")
        .output()
        .unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(70), "{text}");
    assert!(
        text.contains("64 hexadecimal digits or 44 characters of base64"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
}

/// Neither the tasks' programs nor the artifact's own process keep the key where others could read it.
#[test]
fn the_key_of_the_environment_is_nowhere_after_the_start() {
    let key = raw().to_text();
    let key = key.lines().last().unwrap().to_owned();
    let mut plan = plan(
        r#"[{"name": "look", "module": "shell",
             "args": {"cmd": "env; cat -v /proc/$PPID/environ /proc/$PPID/cmdline"}, "register": "out"},
            {"name": "show", "module": "debug", "args": {"var": "out.stdout_lines"}}]"#,
    );
    plan.secrets.push(SecretSpec {
        name: "password".into(),
        ..SecretSpec::default()
    });
    let bench = Bench::of(plan, Vec::new(), |_| {});
    overlay(&bench, &root(&bench), Lock::Key(raw()), None);
    let output = bench
        .command()
        .arg("--overlay")
        .arg(bench.path("overlay"))
        .env("RUSTLE_ENCRYPTION_KEY", &key)
        .env("MARKER_OF_THE_TEST", "seen")
        .output()
        .unwrap();
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}{text}", stderr(&output));
    // Twice, where /proc can be read: in the environment of the program and of the artifact.
    assert!(text.contains("MARKER_OF_THE_TEST=seen"), "{text}");
    assert!(!text.contains(&key), "{text}");
}

/// Asking for a passphrase needs a terminal: without one the message names it among what opens the overlay.
#[test]
fn a_passphrase_opens_from_a_file() {
    let bench = bench(0);
    let phrase = |text: &str| Passphrase::new(Zeroizing::new(text.as_bytes().to_vec())).unwrap();
    let lock = Lock::Pbkdf2(phrase("correct horse"), 10_000);
    overlay(&bench, &root(&bench), lock, None);
    let closed = run(&bench, &[]);
    assert_eq!(closed.status.code(), Some(70), "{}", stderr(&closed));
    assert!(
        stderr(&closed).contains("a passphrase"),
        "{}",
        stderr(&closed)
    );
    fs::write(bench.path("phrase"), "correct horse\n").unwrap();
    let file = bench.path("phrase").display().to_string();
    let open = run(&bench, &["--passphrase-file", &file]);
    assert_eq!(open.status.code(), Some(0), "{}", stderr(&open));
}
