//! Tells the runner which target it was built for (a payload for another one is refused), and the linker what keeps the
//! release stub small. What the linker does not know is left out: the stub is larger then, and does the same.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=link.ld");
    let target = env::var("TARGET").unwrap_or_default();
    println!("cargo::rustc-env=RUSTLE_STUB_TARGET={target}");
    link_options();
}

/// Adds the options that the linker knows.
fn link_options() {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    // The profile `stub` is the one that is optimised for size; it is also the one that never unwinds.
    if !is("CARGO_CFG_TARGET_ENV", "musl") || !(is("OPT_LEVEL", "z") || is("OPT_LEVEL", "s")) {
        return;
    }
    let option = |argument: &str| println!("cargo::rustc-link-arg-bins={argument}");
    let mut help = linker_help(&[]);
    // The linker that comes with Rust, where it does: the same for the same Rust, whatever the machine has.
    if let Some(choice) = own_linker() {
        let its = linker_help(&choice);
        if its.contains("--icf") {
            help = its;
            choice.iter().for_each(|argument| option(argument));
            option("-Wl,--icf=all");
        }
    }
    if let Some(folder) = env::var_os("CARGO_MANIFEST_DIR").filter(|_| help.contains("--script")) {
        let script = Path::new(&folder).join("link.ld");
        option(&format!("-Wl,--script={}", script.display()));
        option("-Wl,--no-eh-frame-hdr");
    }
    // Relative relocations in 1/30 of the space. The program relocates itself, by the start code of musl 1.2.4.
    if rust_minor() >= RUST_WITH_MUSL_1_2_5 {
        if help.contains("--pack-dyn-relocs") {
            option("-Wl,--pack-dyn-relocs=relr");
        } else if help.contains("pack-relative-relocs") {
            option("-Wl,-z,pack-relative-relocs");
        }
    }
}

/// Rust 1.93 brought musl 1.2.5; those before have 1.2.3.
const RUST_WITH_MUSL_1_2_5: u32 = 93;

/// What makes `cc` use the lld of the Rust toolchain; nothing where another linker was asked for or there is no lld.
fn own_linker() -> Option<[String; 2]> {
    if env::var_os("RUSTC_LINKER").is_some() {
        return None;
    }
    let host = env::var("HOST").ok()?;
    let root = rustc(&["--print", "sysroot"])?;
    let folder = Path::new(root.trim()).join(format!("lib/rustlib/{host}/bin/gcc-ld"));
    let there = folder.join("ld.lld").is_file();
    there.then(|| [format!("-B{}", folder.display()), "-fuse-ld=lld".to_owned()])
}

/// What the linker says of its options; empty where it cannot be asked.
fn linker_help(choice: &[String]) -> String {
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    Command::new(linker)
        .args(choice)
        .arg("-Wl,--help")
        .output()
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default()
}

/// The compiler's minor version: 95 for 1.95.0. 0 where it cannot be told.
fn rust_minor() -> u32 {
    rustc(&["-V"])
        .and_then(|text| text.split('.').nth(1)?.parse().ok())
        .unwrap_or(0)
}

/// What the compiler prints.
fn rustc(arguments: &[&str]) -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?)
        .args(arguments)
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()
}
