//! Runners of two flavours in one catalogue.

mod common;

use common::{named_elf, tiny_elf};
use rustle_packer::{Catalogue, Flavour};

const TRIPLE: &str = "x86_64-unknown-linux-musl";

#[test]
fn the_smallest_that_has_what_is_needed_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let add = |catalogue: &mut Catalogue, name: &str, bytes: Vec<u8>| {
        let file = dir.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        catalogue.add(&file, Some(TRIPLE)).unwrap()
    };
    let folder = dir.path().join("stubs");
    let mut catalogue = Catalogue::open(&folder).unwrap();
    let core = add(
        &mut catalogue,
        "a",
        named_elf(&format!("{TRIPLE} 1.0.0 core")),
    );
    assert_eq!(
        (core.flavour, core.version.as_str()),
        (Flavour::Core, "1.0.0")
    );
    let error = catalogue
        .find(TRIPLE, Flavour::Full)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with(&format!("no full runner for {TRIPLE}")) && error.contains("(core)"),
        "{error}"
    );

    // One that does not say what it has was made when there was one flavour.
    let full = add(&mut catalogue, "b", tiny_elf(true, false));
    assert_eq!(full.flavour, Flavour::Full);
    let catalogue = Catalogue::open(&folder).unwrap();
    assert_eq!(catalogue.list().len(), 2);
    for flavour in [Flavour::Core, Flavour::Full] {
        let (found, _) = catalogue.find("x86_64-linux", flavour).unwrap();
        assert_eq!(found.flavour, flavour);
    }
}

#[test]
fn an_unknown_flavour_is_not_guessed() {
    let bytes = named_elf(&format!("{TRIPLE} 1.0.0 tiny"));
    assert_eq!(rustle_packer::catalogue::stub_name(&bytes), None);
}
