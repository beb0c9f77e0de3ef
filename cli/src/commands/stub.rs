//! `rustle stub`: the runners that plans are packed behind.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustle_packer::{Catalogue, Flavour, StubInfo};
use serde::Serialize;

use super::{Output, bytes};
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::stubs::{StubDir, embedded, flavour};
use crate::targets;

/// Runners, one for each target.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Stub {
    /// Show the runners that there are.
    List(List),
    /// Build a runner from Rustle's sources with cargo, and add it.
    Build(Build),
    /// Add a runner from a file.
    Add(Add),
}

impl Stub {
    /// Does it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        match self {
            Stub::List(list) => list.run(console),
            Stub::Build(build) => build.run(console),
            Stub::Add(add) => add.run(console),
        }
    }
}

/// Shows the runners.
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    dir: StubDir,
    #[command(flatten)]
    output: Output,
}

/// One runner of the list.
#[derive(Serialize)]
struct Row {
    triple: String,
    flavour: Flavour,
    size: u64,
    blake3: String,
    /// Where it is: a file, or inside the program.
    place: String,
}

impl List {
    fn run(&self, _: &Console) -> Result<Exit, Failure> {
        let mut rows = Vec::new();
        for inside in embedded() {
            rows.push(Row {
                triple: inside.triple.to_owned(),
                flavour: inside.flavour,
                size: inside.size as u64,
                blake3: inside.blake3.to_owned(),
                place: format!("inside this program (profile {})", inside.profile),
            });
        }
        if let (Some(dir), Some(catalogue)) = (self.dir.path(), self.dir.catalogue()?) {
            rows.extend(catalogue.list().iter().map(|stub| Row {
                triple: stub.triple.clone(),
                flavour: stub.flavour,
                size: stub.size,
                blake3: stub.blake3.clone(),
                place: dir.join(&stub.file).display().to_string(),
            }));
        }
        if self.output.json {
            print(&super::json(&rows)?)?;
            return Ok(Exit::Done);
        }
        let mut text = String::new();
        for row in &rows {
            let digest: String = row.blake3.chars().take(16).collect();
            text.push_str(&format!(
                "{:<32} {} {:>9}  {digest}  {}\n",
                row.triple,
                row.flavour.name(),
                bytes(row.size),
                row.place
            ));
        }
        if rows.is_empty() {
            text.push_str("no runners: see `rustle stub build` and `rustle stub add`\n");
        }
        print(&text)?;
        Ok(Exit::Done)
    }
}

/// Adds a runner.
#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// The runner's file.
    file: PathBuf,
    /// Its target. Default: what it says itself, else what its name says (rustle-stub-TRIPLE).
    #[arg(long, value_name = "TARGET")]
    target: Option<String>,
    #[command(flatten)]
    dir: StubDir,
}

impl Add {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let triple = match &self.target {
            Some(name) => targets::resolve(name)?.into_iter().next(),
            None => None,
        };
        let info = add(&self.dir, &self.file, triple.as_deref())?;
        console.info(&format!("added {} ({})", info.triple, bytes(info.size)));
        Ok(Exit::Done)
    }
}

fn add(dir: &StubDir, file: &Path, triple: Option<&str>) -> Result<StubInfo, Failure> {
    let folder = dir.path().ok_or_else(|| {
        Failure::text(
            Exit::Usage,
            "there is no folder for runners: no home is set",
        )
        .hint("give one with --stub-dir")
    })?;
    Ok(Catalogue::open(&folder)?.add(file, triple)?)
}

/// Builds a runner. The only command that runs a compiler.
#[derive(Debug, clap::Args)]
pub(crate) struct Build {
    /// The target: a triple, or a short name for its static one.
    target: String,
    /// Rustle's sources. Default: the folder that this is run in.
    #[arg(long, value_name = "DIR", default_value = ".")]
    source: PathBuf,
    /// The cargo profile.
    #[arg(long, value_name = "PROFILE", default_value = "stub")]
    profile: String,
    /// What of Rustle it has: `core` or `full`.
    #[arg(long, value_name = "FLAVOUR", default_value = "full", value_parser = flavour)]
    flavour: Flavour,
    /// Build with `cargo zigbuild`, which brings a C compiler and a linker for most targets.
    #[arg(long)]
    zig: bool,
    #[command(flatten)]
    dir: StubDir,
}

impl Build {
    fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let triple = targets::resolve(&self.target)?.swap_remove(0);
        if !self.source.join("stub/Cargo.toml").is_file() {
            return Err(Failure::text(
                Exit::Usage,
                format!("{} does not hold Rustle's sources", self.source.display()),
            )
            .hint("say where they are with --source"));
        }
        let target_dir = self.source.join("target/stubs");
        let mut cargo = self.cargo(&triple, &target_dir)?;
        console.detail(&format!("running {cargo:?}"));
        let status = cargo.status().map_err(|e| {
            Failure::text(Exit::Machine, format!("cannot run cargo: {e}"))
                .hint("building runners needs Rust: https://rustup.rs")
        })?;
        if !status.success() {
            return Err(Failure::text(
                Exit::Stub,
                format!("no runner for {triple} could be built: cargo ended with {status}"),
            )
            .hint(format!(
                "`rustup target add {triple}` installs its standard library; --zig needs cargo-zigbuild"
            )));
        }
        let file = target_dir
            .join(&triple)
            .join(profile_folder(&self.profile))
            .join("rustle-stub");
        let info = add(&self.dir, &file, Some(&triple))?;
        console.info(&format!("added {} ({})", info.triple, bytes(info.size)));
        Ok(Exit::Done)
    }

    fn cargo(&self, triple: &str, target_dir: &Path) -> Result<Command, Failure> {
        let mut cargo = Command::new("cargo");
        cargo
            .current_dir(&self.source)
            .arg(if self.zig { "zigbuild" } else { "build" })
            .args(["--locked", "--package", "rustle-stub", "--target", triple])
            .args(["--profile", &self.profile])
            .arg("--target-dir")
            .arg(std::path::absolute(target_dir).unwrap_or_else(|_| target_dir.to_owned()));
        if self.flavour == Flavour::Core {
            cargo.arg("--no-default-features");
        }
        let file = self.source.join("stub/rustflags");
        let text = std::fs::read_to_string(&file).map_err(Failure::io("read", &file))?;
        let lines = text
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'));
        let mut flags: Vec<String> = lines.map(str::to_owned).collect();
        // Two checkouts give the same bytes only when no path of theirs is in the runner.
        let here = std::path::absolute(&self.source).unwrap_or_else(|_| self.source.clone());
        flags.push(format!("--remap-path-prefix={}=rustle", here.display()));
        if triple.contains("-linux-") {
            flags.push("-Ctarget-feature=+crt-static".to_owned());
        }
        cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        Ok(cargo)
    }
}

/// The folder that cargo gives a profile.
fn profile_folder(profile: &str) -> &str {
    match profile {
        "dev" | "test" => "debug",
        "bench" => "release",
        other => other,
    }
}
