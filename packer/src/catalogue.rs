//! The stub catalogue: a folder of runners, one or more for each target triple, with an index.
//!
//! A runner is checked when it is added (is it one? for that processor? is its slot empty?) and when it is taken out (are its bytes
//! those that were added?), so that a broken folder shows here and not on a target.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use goblin::elf::Elf;
use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};
use goblin::elf::program_header::PT_INTERP;
use rustle_formats::artifact::section;
use serde::{Deserialize, Serialize};

use crate::PackError;
use crate::place::find_empty_slot;

/// The ELF section in which a runner may name itself: its triple, its version, its flavour, with spaces between, in UTF-8.
pub const NAME_SECTION: &[u8] = b".rustle.stub";

const INDEX: &str = "index.json";
const INDEX_VERSION: u32 = 1;
/// A runner with more bytes than this is refused.
const MAX_STUB: u64 = 256 << 20;

/// What of Rustle a runner has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavour {
    /// What most plans use: smaller.
    Core,
    /// Everything.
    #[default]
    Full,
}

impl Flavour {
    /// Its name: `core` or `full`.
    pub fn name(self) -> &'static str {
        match self {
            Flavour::Core => "core",
            Flavour::Full => "full",
        }
    }

    /// The flavour of that name.
    pub fn named(name: &str) -> Option<Flavour> {
        [Flavour::Core, Flavour::Full]
            .into_iter()
            .find(|f| f.name() == name)
    }
}

/// What a runner says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubName {
    /// Its target triple.
    pub triple: String,
    /// Its version.
    pub version: String,
    /// Its flavour.
    pub flavour: Flavour,
}

/// What the catalogue knows of a runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StubInfo {
    /// The target triple.
    pub triple: String,
    /// The runner's own version; empty when it does not say.
    pub version: String,
    /// What it has. Default: everything.
    #[serde(default)]
    pub flavour: Flavour,
    /// Its bytes.
    pub size: u64,
    /// The BLAKE3 hash of its content, in hexadecimal.
    pub blake3: String,
    /// Whether it needs no dynamic linker.
    #[serde(rename = "static")]
    pub is_static: bool,
    /// The file in the catalogue's folder.
    pub file: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    version: u32,
    stubs: Vec<StubInfo>,
}

/// An open catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    dir: PathBuf,
    stubs: Vec<StubInfo>,
}

/// Short names and the triples that they stand for, the preferred one first.
const SHORT_NAMES: &[(&str, &[&str])] = &[
    (
        "x86_64-linux",
        &["x86_64-unknown-linux-musl", "x86_64-unknown-linux-gnu"],
    ),
    (
        "aarch64-linux",
        &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"],
    ),
    (
        "arm64-linux",
        &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"],
    ),
    (
        "i686-linux",
        &["i686-unknown-linux-musl", "i686-unknown-linux-gnu"],
    ),
    (
        "armv7-linux",
        &[
            "armv7-unknown-linux-musleabihf",
            "armv7-unknown-linux-gnueabihf",
        ],
    ),
    (
        "riscv64-linux",
        &[
            "riscv64gc-unknown-linux-musl",
            "riscv64gc-unknown-linux-gnu",
        ],
    ),
    (
        "ppc64le-linux",
        &[
            "powerpc64le-unknown-linux-musl",
            "powerpc64le-unknown-linux-gnu",
        ],
    ),
    (
        "s390x-linux",
        &["s390x-unknown-linux-musl", "s390x-unknown-linux-gnu"],
    ),
    (
        "x86_64-windows",
        &["x86_64-pc-windows-gnu", "x86_64-pc-windows-msvc"],
    ),
    ("x86_64-macos", &["x86_64-apple-darwin"]),
    ("aarch64-macos", &["aarch64-apple-darwin"]),
    ("x86_64-freebsd", &["x86_64-unknown-freebsd"]),
];

/// The triples that a target's name may stand for, the preferred one first: itself, when it is a triple.
pub fn triples_for(name: &str) -> Vec<String> {
    match SHORT_NAMES.iter().find(|(short, _)| *short == name) {
        Some((_, triples)) => triples.iter().map(|&t| t.to_owned()).collect(),
        None => vec![name.to_owned()],
    }
}

/// The short names of targets.
pub fn short_names() -> impl Iterator<Item = &'static str> {
    SHORT_NAMES.iter().map(|(short, _)| *short)
}

impl StubInfo {
    /// Its triple, with its flavour where that is not everything.
    fn label(&self) -> String {
        match self.flavour {
            Flavour::Full => self.triple.clone(),
            Flavour::Core => format!("{} (core)", self.triple),
        }
    }
}

impl Catalogue {
    /// Opens the catalogue in `dir`. A folder that is not there is an empty catalogue.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub fn open(dir: &Path) -> Result<Self, PackError> {
        let path = dir.join(INDEX);
        let stubs = match fs::read(&path) {
            Ok(bytes) => {
                let index: Index = serde_json::from_slice(&bytes).map_err(|e| {
                    PackError::Stub(format!("{} cannot be read: {e}", path.display()))
                })?;
                if index.version != INDEX_VERSION {
                    return Err(PackError::Stub(format!(
                        "{} has version {}",
                        path.display(),
                        index.version
                    )));
                }
                index.stubs
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(PackError::io("read", &path)(e)),
        };
        Ok(Self {
            dir: dir.to_owned(),
            stubs,
        })
    }

    /// All runners, by triple.
    pub fn list(&self) -> &[StubInfo] {
        &self.stubs
    }

    /// The smallest runner for a target (a triple or a short name) that has what `needed` has: what is known of it, and its
    /// bytes.
    ///
    /// # Errors
    /// When there is none, or its file is not the one that was added.
    pub fn find(&self, target: &str, needed: Flavour) -> Result<(StubInfo, Vec<u8>), PackError> {
        let triples = triples_for(target);
        let found = triples.iter().find_map(|triple| {
            let of_triple = self.stubs.iter().filter(|s| s.triple == *triple);
            of_triple
                .filter(|s| s.flavour >= needed)
                .min_by_key(|s| s.flavour)
        });
        let Some(info) = found else {
            let known: Vec<String> = self.stubs.iter().map(StubInfo::label).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(PackError::NoStub(format!(
                "no {} runner for {target} in {} (there: {known})",
                needed.name(),
                self.dir.display()
            )));
        };
        let path = self.dir.join(&info.file);
        let bytes = fs::read(&path).map_err(PackError::io("read", &path))?;
        if blake3::hash(&bytes).to_hex().as_str() != info.blake3 {
            return Err(PackError::Stub(format!(
                "{} is not the file that was added",
                path.display()
            )));
        }
        Ok((info.clone(), bytes))
    }

    /// Adds the runner in `file`, in place of one for the same triple and of the same flavour. Its triple is `triple`, else what the runner says itself,
    /// else what its file is called (`rustle-stub-TRIPLE`).
    ///
    /// # Errors
    /// When it is no runner, or not one for that triple, or the folder cannot be written.
    pub fn add(&mut self, file: &Path, triple: Option<&str>) -> Result<StubInfo, PackError> {
        let meta = fs::metadata(file).map_err(PackError::io("read", file))?;
        if meta.len() > MAX_STUB {
            return Err(PackError::Stub(format!(
                "{} has more than 256 MiB",
                file.display()
            )));
        }
        let bytes = fs::read(file).map_err(PackError::io("read", file))?;
        let info = examine(&bytes, triple.map(str::to_owned), file)?;
        fs::create_dir_all(&self.dir).map_err(PackError::io("make the folder", &self.dir))?;
        self.write(&info.file, &bytes)?;
        self.stubs.retain(|s| s.file != info.file);
        self.stubs.push(info.clone());
        self.stubs.sort_by(|a, b| a.file.cmp(&b.file));
        let index = Index {
            version: INDEX_VERSION,
            stubs: self.stubs.clone(),
        };
        let text = serde_json::to_vec_pretty(&index).map_err(|e| PackError::Stub(e.to_string()))?;
        self.write(INDEX, &text)?;
        Ok(info)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), PackError> {
        let path = self.dir.join(name);
        let write = || -> std::io::Result<()> {
            let mut temp = tempfile::NamedTempFile::new_in(&self.dir)?;
            temp.write_all(bytes)?;
            temp.as_file().sync_all()?;
            temp.persist(&path)?;
            Ok(())
        };
        write().map_err(PackError::io("write", &path))
    }
}

/// What a runner says of itself in [`NAME_SECTION`].
pub fn stub_name(stub: &[u8]) -> Option<StubName> {
    let found = section(stub, NAME_SECTION).ok()??;
    let start = usize::try_from(found.offset).ok()?;
    let len = usize::try_from(found.len).ok().filter(|&n| n <= 256)?;
    let text = std::str::from_utf8(stub.get(start..start.checked_add(len)?)?).ok()?;
    let mut words = text.trim_end_matches(['\0', '\n']).split(' ');
    Some(StubName {
        triple: words.next()?.to_owned(),
        version: words.next()?.to_owned(),
        // Runners that do not say were made before there were two.
        flavour: words.next().map_or(Some(Flavour::Full), Flavour::named)?,
    })
}

fn examine(bytes: &[u8], triple: Option<String>, file: &Path) -> Result<StubInfo, PackError> {
    find_empty_slot(bytes)?;
    let named = stub_name(bytes);
    let from_file = || {
        file.file_name()?
            .to_str()?
            .strip_prefix("rustle-stub-")
            .map(str::to_owned)
    };
    let triple = triple.map(|t| triples_for(&t).swap_remove(0));
    let triple = triple
        .or_else(|| named.as_ref().map(|n| n.triple.clone()))
        .or_else(from_file);
    let triple = triple.ok_or_else(|| {
        PackError::Stub(format!(
            "{} does not say its triple: give it, or call it rustle-stub-TRIPLE",
            file.display()
        ))
    })?;
    let sound = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if triple.is_empty() || triple.starts_with('.') || !triple.chars().all(sound) {
        return Err(PackError::Stub(format!("{triple:?} is no triple")));
    }
    if let Some(own) = &named
        && own.triple != triple
    {
        return Err(PackError::Stub(format!(
            "{} is a runner for {}, not {triple}",
            file.display(),
            own.triple
        )));
    }
    let elf = Elf::parse(bytes).map_err(|e| PackError::Stub(e.to_string()))?;
    let machine = match triple.split('-').next().unwrap_or_default() {
        "x86_64" => Some(EM_X86_64),
        "aarch64" => Some(EM_AARCH64),
        "i586" | "i686" => Some(EM_386),
        arm if arm.starts_with("arm") => Some(EM_ARM),
        risc if risc.starts_with("riscv") => Some(EM_RISCV),
        "powerpc64" | "powerpc64le" => Some(EM_PPC64),
        "s390x" => Some(EM_S390),
        _ => None,
    };
    if machine.is_some_and(|m| m != elf.header.e_machine) {
        return Err(PackError::Stub(format!(
            "{} is for another processor than {triple}",
            file.display()
        )));
    }
    let flavour = named.as_ref().map(|n| n.flavour).unwrap_or_default();
    Ok(StubInfo {
        file: match flavour {
            Flavour::Full => format!("rustle-stub-{triple}"),
            Flavour::Core => format!("rustle-stub-{triple}-core"),
        },
        triple,
        version: named.map(|n| n.version).unwrap_or_default(),
        flavour,
        size: bytes.len() as u64,
        blake3: blake3::hash(bytes).to_hex().to_string(),
        is_static: !elf.program_headers.iter().any(|p| p.p_type == PT_INTERP),
    })
}
