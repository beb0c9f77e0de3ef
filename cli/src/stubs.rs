//! Which runner is packed: one that the user names, one from the catalogue, or the one inside this program.

use std::path::{Path, PathBuf};

use rustle_packer::catalogue::stub_name;
use rustle_packer::{Catalogue, Flavour, StubInfo};

use crate::diagnostic::Diagnostic;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::targets;

include!(concat!(env!("OUT_DIR"), "/stub.rs"));

/// A runner and its target.
pub(crate) struct Runner {
    /// Its target triple.
    pub(crate) triple: String,
    /// What it has.
    pub(crate) flavour: Flavour,
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

/// A runner inside this program.
#[derive(Debug)]
pub(crate) struct Embedded {
    /// Its target triple.
    pub(crate) triple: &'static str,
    /// The cargo profile that it was built with.
    pub(crate) profile: &'static str,
    /// What it has.
    pub(crate) flavour: Flavour,
    /// Its bytes.
    pub(crate) size: usize,
    /// Its BLAKE3.
    pub(crate) blake3: &'static str,
    compressed: &'static [u8],
}

/// The runners inside this program, all for one target.
pub(crate) fn embedded() -> &'static [Embedded] {
    STUBS
}

impl Embedded {
    /// The smallest that has what is needed, for that triple or for this machine's own kind.
    fn find(triple: Option<&str>, needed: Flavour) -> Option<&'static Embedded> {
        STUBS
            .iter()
            .filter(|s| triple.is_none_or(|t| t == s.triple))
            .filter(|s| s.flavour >= needed)
            .min_by_key(|s| s.flavour)
    }

    fn unpack(&self) -> Result<Runner, Failure> {
        let bytes = zstd::bulk::decompress(self.compressed, self.size)
            .ok()
            .filter(|bytes| bytes.len() == self.size)
            .ok_or_else(|| {
                Failure::text(
                    Exit::Stub,
                    "the runner inside this program cannot be unpacked: the program is damaged",
                )
            })?;
        Ok(Runner {
            triple: self.triple.to_owned(),
            flavour: self.flavour,
            bytes,
        })
    }
}

/// A flavour as options name it.
pub(crate) fn flavour(name: &str) -> Result<Flavour, String> {
    Flavour::named(name).ok_or_else(|| "flavours are core and full".to_owned())
}

/// The runner in a file, for `target` if one is asked for.
pub(crate) fn from_file(file: &Path, target: Option<&str>) -> Result<Runner, Failure> {
    let bytes = std::fs::read(file).map_err(Failure::io("read", file))?;
    let (own, flavour) = stub_name(&bytes).map_or((None, Flavour::Full), |name| {
        (Some(name.triple), name.flavour)
    });
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
    Ok(Runner {
        triple,
        flavour,
        bytes,
    })
}

/// The smallest runner for a target that has what is needed: from the catalogue, which may be newer, else from this
/// program. `None` is this machine's own kind.
pub(crate) fn find(
    target: Option<&str>,
    needed: Flavour,
    dir: &StubDir,
) -> Result<Runner, Failure> {
    let Some(target) = target else {
        return match Embedded::find(None, needed) {
            Some(inside) => inside.unpack(),
            None => find(Some(&own_kind()), needed, dir),
        };
    };
    let triples = targets::resolve(target)?;
    let catalogue = dir.catalogue()?;
    for triple in &triples {
        let fits = |s: &&StubInfo| s.flavour >= needed && s.triple == *triple;
        if let Some(catalogue) = &catalogue
            && catalogue.list().iter().any(|s| fits(&s))
        {
            let (info, bytes) = catalogue.find(triple, needed)?;
            return Ok(Runner {
                triple: info.triple,
                flavour: info.flavour,
                bytes,
            });
        }
        if let Some(inside) = Embedded::find(Some(triple), needed) {
            return inside.unpack();
        }
    }
    let mut diagnostic = Diagnostic::error(format!("no {} runner for {target}", needed.name()));
    if let Some(dir) = dir.path() {
        diagnostic = diagnostic.note(format!("looked in {}", dir.display()));
    }
    diagnostic = diagnostic.note(match embedded().first() {
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
