//! What the command line says about mistakes: every message, as people see it.
//!
//! `TRYCMD=overwrite cargo test -p rustle --test messages` writes them anew.

#[test]
fn messages() {
    trycmd::TestCases::new().case("tests/messages/*.trycmd");
}
