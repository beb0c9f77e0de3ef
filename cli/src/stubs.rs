//! Which runner is packed: one that the user names, one from the catalogue, or the one inside this program.

use std::path::{Path, PathBuf};

use rustle_packer::Catalogue;
use rustle_packer::catalogue::stub_name;

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::targets;

mod inside {
    include!(concat!(env!("OUT_DIR"), "/stub.rs"));
}

/// A runner and its target.
pub(crate) struct Runner {
    /// Its target triple.
    pub(crate) triple: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Where runners are looked for.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StubDir {
    /// The folder of runners. Default: $RUSTLE_STUB_DIR, else rustle/stubs in the user's data folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) stub_dir: Option<PathBuf>,
}

impl StubDir {
    /// The folder, where there is any.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
        self.stub_dir
            .clone()
            .or_else(|| set("RUSTLE_STUB_DIR").map(PathBuf::from))
            .or_else(|| {
                set("XDG_DATA_HOME")
                    .map(PathBuf::from)
                    .or_else(|| set("HOME").map(|h| Path::new(&h).join(".local/share")))
                    .map(|data| data.join("rustle/stubs"))
            })
    }

    /// The catalogue in the folder.
    pub(crate) fn catalogue(&self) -> Result<Option<Catalogue>, Failure> {
        Ok(self.path().map(|dir| Catalogue::open(&dir)).transpose()?)
    }
}

/// What is known of the runner inside this program.
pub(crate) fn embedded() -> Option<Embedded> {
    (!inside::TRIPLE.is_empty()).then_some(Embedded {
        triple: inside::TRIPLE,
        profile: inside::PROFILE,
        size: inside::LENGTH,
        blake3: inside::BLAKE3,
    })
}

/// The runner inside this program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedded {
    /// Its target triple.
    pub(crate) triple: &'static str,
    /// The cargo profile that it was built with.
    pub(crate) profile: &'static str,
    /// Its bytes.
    pub(crate) size: usize,
    /// Its BLAKE3.
    pub(crate) blake3: &'static str,
}

fn unpack_embedded() -> Result<Vec<u8>, Failure> {
    zstd::bulk::decompress(inside::COMPRESSED, inside::LENGTH)
        .ok()
        .filter(|bytes| bytes.len() == inside::LENGTH)
        .ok_or_else(|| {
            Failure::text(
                Exit::Stub,
                "the runner inside this program cannot be unpacked: the program is damaged",
            )
        })
}

/// The runner in a file, for `target` if one is asked for.
pub(crate) fn from_file(file: &Path, target: Option<&str>) -> Result<Runner, Failure> {
    let bytes = std::fs::read(file).map_err(Failure::io("read", file))?;
    let own = stub_name(&bytes).map(|(triple, _)| triple);
    let wanted = target.map(targets::resolve).transpose()?;
    let triple = match (own, wanted) {
        (Some(own), Some(wanted)) if !wanted.contains(&own) => {
            return Err(Failure::text(
                Exit::Stub,
                format!(
                    "{} is a runner for {own}, not for {}",
                    file.display(),
                    wanted.join(" or ")
                ),
            ));
        }
        (Some(own), _) => own,
        (None, Some(wanted)) => wanted.into_iter().next().unwrap_or_default(),
        (None, None) => {
            return Err(Failure::text(
                Exit::Stub,
                format!("{} does not say its target", file.display()),
            )
            .hint("say it with --target"));
        }
    };
    Ok(Runner { triple, bytes })
}

/// The runner for a target: from the catalogue, which may be newer, else from this program. `None` is this machine's own kind.
pub(crate) fn find(target: Option<&str>, dir: &StubDir) -> Result<Runner, Failure> {
    let Some(target) = target else {
        if embedded().is_some() {
            return Ok(Runner {
                triple: inside::TRIPLE.to_owned(),
                bytes: unpack_embedded()?,
            });
        }
        return find(Some(&own_kind()), dir);
    };
    let triples = targets::resolve(target)?;
    let catalogue = dir.catalogue()?;
    for triple in &triples {
        if let Some(catalogue) = &catalogue
            && catalogue.list().iter().any(|s| s.triple == *triple)
        {
            let (info, bytes) = catalogue.find(triple)?;
            return Ok(Runner {
                triple: info.triple,
                bytes,
            });
        }
        if embedded().is_some_and(|e| e.triple == triple) {
            return Ok(Runner {
                triple: triple.clone(),
                bytes: unpack_embedded()?,
            });
        }
    }
    let mut diagnostic = Diagnostic::error(format!("no runner for {target}"));
    if let Some(dir) = dir.path() {
        diagnostic = diagnostic.note(format!("looked in {}", dir.display()));
    }
    diagnostic = diagnostic.note(match embedded() {
        Some(inside) => format!("this program has one inside for {}", inside.triple),
        None => "this program was built without one inside".to_owned(),
    });
    let triple = triples.first().map_or(target, String::as_str);
    Err(Failure::new(
        Exit::Stub,
        diagnostic.hint(format!(
            "build one with `rustle stub build {triple}`, or add one with `rustle stub add FILE`"
        )),
    ))
}

/// The short name of this machine's kind.
fn own_kind() -> String {
    let arch = match std::env::consts::ARCH {
        "x86" => "i686",
        "arm" => "armv7",
        "powerpc64" => "ppc64le",
        other => other,
    };
    format!("{arch}-{}", std::env::consts::OS)
}
