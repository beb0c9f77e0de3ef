//! Tells the runner which target it was built for: a payload for another one is refused.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=RUSTLE_STUB_TARGET={target}");
    println!("cargo::rerun-if-changed=build.rs");
}
