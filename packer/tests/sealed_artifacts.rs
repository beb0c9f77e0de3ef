//! A plan with secrets, packed whole: the secrets are nowhere to be seen, and every change of a signed artifact's overlay shows.

mod common;

use common::request;
use rustle_formats::artifact::Container;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::seal::{KeySource, Lock, Overlay, RawKey};
use rustle_formats::sign::{SecretKey, verify_root};
use rustle_packer::keys::OsRandom;
use rustle_packer::overlay::{
    HostData, OverlayOptions, SecretSources, build_overlay, check_secrets,
};
use rustle_packer::{PackError, Placement, Silent, pack};
use zeroize::Zeroizing;

const PLAN: &str = r#"{
    "hosts": {"web1": {"vars": {"only_web1": "variable-of-web1"}}, "web2": {"vars": {"only_web2": "variable-of-web2"}}},
    "secrets": [{"name": "db_password", "env": "DB", "hosts": ["web1"]}, {"name": "other", "env": "OTHER", "hosts": ["web2"]}],
    "plays": [{"name": "p", "hosts": ["web1"], "batches": [{"tasks": [
        {"name": "t", "module": "copy", "args": {"dest": "/x", "content": {"__rustle_secret": "db_password"}}}
    ]}]}]
}"#;

fn signer() -> SecretKey {
    SecretKey::from_seed(&[7; 32])
}

fn keys() -> [KeySource; 1] {
    [KeySource::Key(RawKey::from_bytes(&[9; 32]))]
}

/// Packs the plan with the overlay of web1, signed.
fn packed(placement: Placement) -> Vec<u8> {
    let mut plan: ExecutionPlan = serde_json::from_str(PLAN).unwrap();
    assert_eq!(check_secrets(&plan), []);
    let data = HostData::split(&mut plan);
    let env = |name: &str| Some(Zeroizing::new(format!("secret-from-{name}").into_bytes()));
    let sources = SecretSources {
        folder: std::path::Path::new("."),
        env: &env,
    };
    let secrets = data.read_secrets(&["web1", "web2"], &sources).unwrap();
    let content = data.content("web1", &secrets, &[]).unwrap();
    let options = OverlayOptions {
        locks: vec![Lock::Key(RawKey::from_bytes(&[9; 32]))],
        signer: Some(signer()),
        ..OverlayOptions::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let key = signer();
    let mut request = request(&output);
    request.plan = plan.into();
    request.placement = placement;
    request.needs_overlay = true;
    request.signer = Some(&key);
    request.overlay = Some(Box::new(|root| {
        build_overlay(&content, root, &options, &mut OsRandom)
            .map_err(|e| PackError::Request(e.to_string()))
    }));
    pack(request, &mut Silent).unwrap();
    std::fs::read(output).unwrap()
}

/// What a runner does that was told whom to trust.
fn opens(bytes: &[u8]) -> Result<(), String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let trusted = [signer().public("")];
    let container = Container::open_file(bytes.to_vec()).map_err(|e| text(&e))?;
    verify_root(&trusted, &container.root(), container.signature().as_ref())
        .map_err(|e| text(&e))?;
    container.verify_all(1).map_err(|e| text(&e))?;
    let sealed = container
        .overlay()
        .map_err(|e| text(&e))?
        .ok_or("no overlay")?;
    let overlay = Overlay::parse(&sealed).map_err(|e| text(&e))?;
    overlay
        .check_for(&container.root(), Some("web1"))
        .map_err(|e| text(&e))?;
    overlay.verify(&trusted).map_err(|e| text(&e))?;
    overlay.verify_items().map_err(|e| text(&e))?;
    let open = overlay.open(&keys()).map_err(|e| text(&e))?;
    assert_eq!(
        open.secrets().get_str("db_password"),
        Some("secret-from-DB")
    );
    assert_eq!(open.secrets().len(), 1);
    Ok(())
}

#[test]
fn nothing_that_belongs_to_a_host_is_in_clear_and_nothing_of_another_host_is_there_at_all() {
    for placement in [Placement::Append, Placement::ElfSection] {
        let bytes = packed(placement);
        opens(&bytes).unwrap();
        let container = Container::open_file(bytes.clone()).unwrap();
        let plan = format!("{:?}", container.plan().unwrap());
        for needle in ["secret-from", "variable-of", "only_web", "OTHER"] {
            let found = bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
            assert!(!found && !plan.contains(needle), "{needle}");
        }
    }
}

#[test]
fn every_bit_of_the_overlay_and_of_what_follows_it_counts() {
    for placement in [Placement::Append, Placement::ElfSection] {
        let bytes = packed(placement);
        let from = Container::open_file(bytes.clone())
            .unwrap()
            .slot()
            .overlay_offset as usize;
        let mut bad = bytes.clone();
        for bit in from * 8..bytes.len() * 8 {
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(opens(&bad).is_err(), "{placement:?}: bit {bit}");
            bad[bit / 8] ^= 1 << (bit % 8);
        }
        for len in from..bytes.len() {
            assert!(opens(&bytes[..len]).is_err(), "{placement:?}: length {len}");
        }
        assert!(opens(&[&bytes[..], b"junk"].concat()).is_err());
    }
}

#[test]
fn an_overlay_moved_to_another_base_is_refused_though_slot_and_footer_fit() {
    let one = Container::open_file(packed(Placement::Append)).unwrap();
    let moved = one.overlay().unwrap().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let key = signer();
    let mut request = request(&output);
    request.signer = Some(&key);
    request.overlay = Some(Box::new(|_| Ok(moved)));
    pack(request, &mut Silent).unwrap();
    let bytes = std::fs::read(output).unwrap();
    let two = Container::open_file(bytes.clone()).unwrap();
    two.verify_all(1).unwrap();
    assert_ne!(one.root(), two.root());
    assert_eq!(
        opens(&bytes).unwrap_err(),
        "the overlay belongs to another artifact"
    );
}

#[test]
fn a_base_that_needs_an_overlay_can_be_verified_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let output = dir.path().join("out");
    let mut request = request(&output);
    request.needs_overlay = true;
    pack(request, &mut Silent).unwrap();
    let container = Container::open_file(std::fs::read(&output).unwrap()).unwrap();
    container.verify_all(1).unwrap();
    assert!(container.attached_overlay().unwrap().is_none());
    assert!(container.overlay().is_err());
}
