//! `docs/modules.md` says what the modules' SPECs say.

#[test]
fn the_page_is_true() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/modules.md");
    let made = rustle_runtime::reference::markdown();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == made,
        "docs/modules.md is old: UPDATE=1 cargo test -p rustle-runtime --test reference"
    );
}
