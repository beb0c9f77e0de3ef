//! Builds the runner stub of this machine's kind and hands it to the command line, compressed.
//!
//! One `cargo install --path cli` must give a `rustle` that packs without a compiler, so the stub is built here, by a
//! cargo of its own with a target folder of its own (the outer cargo holds the lock of the other one), and included in
//! the binary. Fully static: musl where its standard library is installed, else glibc with crt-static. A release build has it
//! in both flavours; others, which must be quick, in the full one only.
//!
//! Environment: `RUSTLE_SKIP_STUB=1` leaves the stub out (for check, clippy and editors); `RUSTLE_STUB_FILE=FILE`
//! with `RUSTLE_STUB_TRIPLE` takes one that exists; `RUSTLE_STUB_TARGET` and `RUSTLE_STUB_PROFILE` choose others.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What the stub is made of: a change here makes it anew.
const SOURCES: &[&str] = &["stub", "formats", "Cargo.lock", "Cargo.toml"];

/// Switches, which are inputs as well.
const SWITCHES: &[&str] = &[
    "RUSTLE_SKIP_STUB",
    "RUSTLE_STUB_FILE",
    "RUSTLE_STUB_TRIPLE",
    "RUSTLE_STUB_TARGET",
    "RUSTLE_STUB_PROFILE",
    "RUSTLE_STUB_LEVEL",
];

/// A stub that was built or given.
struct Built {
    triple: String,
    profile: String,
    flavour: &'static str,
    bytes: Vec<u8>,
}

fn main() -> Outcome<()> {
    let manifest = PathBuf::from(needed("CARGO_MANIFEST_DIR")?);
    let root = manifest
        .parent()
        .ok_or("cli/ has no parent folder")?
        .to_owned();
    println!("cargo::rerun-if-changed=build.rs");
    for source in SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    for switch in SWITCHES {
        println!("cargo::rerun-if-env-changed={switch}");
    }

    let built = if flag("RUSTLE_SKIP_STUB") {
        Vec::new()
    } else if let Some(file) = env::var_os("RUSTLE_STUB_FILE").filter(|f| !f.is_empty()) {
        println!("cargo::rerun-if-changed={}", Path::new(&file).display());
        vec![Built {
            triple: env::var("RUSTLE_STUB_TRIPLE")
                .map_err(|_| "RUSTLE_STUB_FILE needs RUSTLE_STUB_TRIPLE")?,
            profile: "given".to_owned(),
            flavour: "Full",
            bytes: fs::read(&file).map_err(|e| format!("RUSTLE_STUB_FILE: {e}"))?,
        }]
    } else {
        build(&root)?
    };
    write(&built)
}

/// Writes the compressed stubs and what is known of them, for `include!`.
fn write(built: &[Built]) -> Outcome<()> {
    let out = PathBuf::from(needed("OUT_DIR")?);
    let mut text = String::from("static STUBS: &[Embedded] = &[\n");
    for stub in built {
        let blob = out.join(format!("stub-{}.zst", stub.flavour));
        fs::write(&blob, zstd::bulk::compress(&stub.bytes, level())?)?;
        text.push_str(&format!(
            "Embedded {{ triple: {:?}, profile: {:?}, flavour: Flavour::{}, size: {}, blake3: {:?}, \
             compressed: include_bytes!({:?}) }},\n",
            stub.triple,
            stub.profile,
            stub.flavour,
            stub.bytes.len(),
            blake3::hash(&stub.bytes).to_hex().as_str(),
            blob.display().to_string(),
        ));
    }
    text.push_str("];\n");
    fs::write(out.join("stub.rs"), text)?;
    Ok(())
}

/// How hard to compress: a release build once and for all, others quickly.
fn level() -> i32 {
    let given = env::var("RUSTLE_STUB_LEVEL")
        .ok()
        .and_then(|l| l.parse().ok());
    given.unwrap_or(if release() { 19 } else { 1 })
}

fn release() -> bool {
    env::var("PROFILE").is_ok_and(|p| p == "release")
}

fn flag(name: &str) -> bool {
    env::var_os(name).is_some_and(|v| !v.is_empty() && v != "0")
}

fn needed(name: &str) -> Outcome<OsString> {
    env::var_os(name).ok_or_else(|| format!("{name} is not set: not run by cargo?").into())
}

/// Builds the stub for the first kind of target that works.
fn build(root: &Path) -> Outcome<Vec<Built>> {
    let host = env::var("TARGET")?;
    let profile = env::var("RUSTLE_STUB_PROFILE")
        .unwrap_or_else(|_| if release() { "stub" } else { "stub-dev" }.to_owned());
    let flavours = match release() {
        true => &["Full", "Core"][..],
        false => &["Full"],
    };
    let mut failures = String::new();
    for triple in candidates(&host) {
        let built: Result<Vec<Built>, String> = flavours
            .iter()
            .map(|flavour| build_one(root, &triple, &profile, flavour).map_err(|e| e.to_string()))
            .collect();
        match built {
            Ok(built) => return Ok(built),
            Err(failure) => {
                println!("cargo::warning=the stub could not be built for {triple}");
                failures.push_str(&failure);
            }
        }
    }
    Err(format!(
        "no stub could be built. RUSTLE_SKIP_STUB=1 leaves it out; `rustle pack` then needs `--stub`.\n{failures}"
    )
    .into())
}

fn build_one(root: &Path, triple: &str, profile: &str, flavour: &'static str) -> Outcome<Built> {
    let mut cargo = nested_cargo(root, triple, profile)?;
    if flavour == "Core" {
        cargo.arg("--no-default-features");
    }
    let output = cargo.output()?;
    if !output.status.success() {
        return Err(describe(triple, &output).into());
    }
    Ok(Built {
        triple: triple.to_owned(),
        profile: profile.to_owned(),
        flavour,
        bytes: fs::read(executable(triple, profile)?)?,
    })
}

/// The targets to try: musl's static binaries run on every Linux, glibc's crt-static ones nearly so.
fn candidates(host: &str) -> Vec<String> {
    if let Ok(chosen) = env::var("RUSTLE_STUB_TARGET") {
        return vec![chosen];
    }
    let mut out = Vec::new();
    if let Some((arch, abi)) = host.split_once("-unknown-linux-gnu") {
        let musl = format!("{arch}-unknown-linux-musl{abi}");
        if has_std(&musl) {
            out.push(musl);
        } else {
            println!(
                "cargo::warning=the standard library for {musl} is not installed (`rustup target add {musl}`): \
                 the stub is built with glibc, statically; it is larger"
            );
        }
    }
    out.push(host.to_owned());
    out
}

/// Whether the compiler has a standard library for this target.
fn has_std(triple: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(out) = Command::new(rustc)
        .args(["--print", "target-libdir", "--target", triple])
        .output()
    else {
        return false;
    };
    let folder = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    fs::read_dir(folder).is_ok_and(|entries| {
        entries
            .flatten()
            .any(|e| e.file_name().to_string_lossy().starts_with("libstd-"))
    })
}

/// The folder of the nested builds: beside the outer profile's own, so that they last as long as it does.
fn target_dir() -> Outcome<PathBuf> {
    let out = PathBuf::from(needed("OUT_DIR")?);
    // OUT_DIR is TARGET/PROFILE/build/NAME-HASH/out.
    let profile = out
        .ancestors()
        .nth(3)
        .ok_or("OUT_DIR is not where cargo puts it")?;
    Ok(profile.join("stub-target"))
}

fn executable(triple: &str, profile: &str) -> Outcome<PathBuf> {
    Ok(target_dir()?.join(triple).join(profile).join("rustle-stub"))
}

/// The nested cargo, without a trace of the outer one: flags, wrappers and metadata of the outer build would override
/// what the stub needs, and make it depend on who builds.
fn nested_cargo(root: &Path, triple: &str, profile: &str) -> Outcome<Command> {
    let mut cargo = Command::new(needed("CARGO")?);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if (text.starts_with("CARGO") || text.starts_with("RUST") || text.starts_with("DEP_"))
            && !kept(&text)
        {
            cargo.env_remove(&name);
        }
    }
    for name in [
        "TARGET",
        "HOST",
        "PROFILE",
        "OPT_LEVEL",
        "DEBUG",
        "NUM_JOBS",
        "OUT_DIR",
    ] {
        cargo.env_remove(name);
    }
    cargo
        .current_dir(root)
        .args(["build", "--quiet", "--locked", "--package", "rustle-stub"])
        .args(["--profile", profile, "--target", triple])
        .arg("--target-dir")
        .arg(target_dir()?)
        .env("CARGO_ENCODED_RUSTFLAGS", rust_flags(root, triple)?);
    c_compiler(&mut cargo, triple);
    Ok(cargo)
}

/// Variables of cargo's and rustup's that the nested build is meant to see: where things are, and how to fetch them.
fn kept(name: &str) -> bool {
    const EXACT: &[&str] = &["CARGO", "CARGO_HOME", "CARGO_MAKEFLAGS", "RUSTC"];
    const FAMILIES: &[&str] = &[
        "RUSTUP_",
        "CARGO_HTTP_",
        "CARGO_NET_",
        "CARGO_REGISTRIES_",
        "CARGO_REGISTRY_",
        "CARGO_SOURCE_",
    ];
    EXACT.contains(&name) || FAMILIES.iter().any(|f| name.starts_with(f))
}

/// The flags of the nested build, in cargo's encoded form. Paths of this machine are left out of the stub, so that two
/// checkouts give the same bytes.
fn rust_flags(root: &Path, triple: &str) -> Outcome<String> {
    let text = fs::read_to_string(root.join("stub/rustflags"))?;
    let mut flags: Vec<String> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    flags.push(format!("--remap-path-prefix={}=rustle", root.display()));
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|h| h.join(".cargo")));
    if let Some(home) = home {
        flags.push(format!("--remap-path-prefix={}=cargo", home.display()));
        // A registry's folder has a long name, which would stand before every source file's. Later flags win.
        for registry in registries(&home) {
            flags.push(format!("--remap-path-prefix={}=crates", registry.display()));
        }
    }
    if triple.contains("-linux-") {
        flags.push("-Ctarget-feature=+crt-static".to_owned());
    }
    Ok(flags.join("\x1f"))
}

/// The folders with the sources of each registry.
fn registries(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.join("registry/src"));
    let mut found: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .collect();
    found.sort();
    found
}

/// Where the target is musl and there is no compiler for it, the host's own `cc` does: its headers are glibc's, but what
/// the few C libraries of the stub take from them is the same in both, once glibc's extras are switched off.
fn c_compiler(cargo: &mut Command, triple: &str) {
    let Some((arch, _)) = triple.split_once("-unknown-linux-musl") else {
        return;
    };
    let under = triple.replace('-', "_");
    let given = [
        format!("CC_{triple}"),
        format!("CC_{under}"),
        "TARGET_CC".to_owned(),
    ];
    let native = env::var("HOST").is_ok_and(|h| h.starts_with(&format!("{arch}-")));
    if given.iter().any(|v| env::var_os(v).is_some())
        || !native
        || in_path(&format!("{arch}-linux-musl-gcc"))
        || in_path("musl-gcc")
    {
        return;
    }
    cargo.env(format!("CC_{under}"), "cc").env(
        format!("CFLAGS_{under}"),
        "-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0 -fno-stack-protector -U_GNU_SOURCE -D_DEFAULT_SOURCE -std=gnu11",
    );
}

fn in_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

/// The end of what the nested cargo said.
fn describe(triple: &str, output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines.len().saturating_sub(60);
    format!(
        "--- {triple}: {}\n{}\n",
        output.status,
        lines[last..].join("\n")
    )
}
