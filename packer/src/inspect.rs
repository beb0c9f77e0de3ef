//! What an artifact holds, as plain data for a terminal or for JSON.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustle_formats::artifact::{ArtifactError, Container, Entry, Kind, Manifest, Placement, flags};
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::seal::Overlay;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{PackError, sidecar_path};

/// An artifact opened from a file, with its sidecar where it has one.
pub type OpenArtifact = Container<Arc<File>>;

/// Opens the artifact at `path`, and the sidecar beside it if there is one. A missing sidecar is no error yet: what lies in it cannot
/// be read.
///
/// # Errors
/// As `Container::open_file`; and for a sidecar that belongs to another artifact.
pub fn open_artifact(path: &Path) -> Result<OpenArtifact, PackError> {
    let file = File::open(path).map_err(PackError::io("open", path))?;
    let mut container = Container::open_file(Arc::new(file)).map_err(PackError::artifact(path))?;
    if container.header().has(flags::SIDECAR) {
        let beside = sidecar_path(path);
        match File::open(&beside) {
            Ok(file) => container
                .attach_sidecar(Box::new(file))
                .map_err(PackError::artifact(&beside))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(PackError::io("open", &beside)(e)),
        }
    }
    Ok(container)
}

/// Everything that an artifact says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// The file's bytes.
    pub size: u64,
    /// The SHA-256 of the file, in hexadecimal: what `sha256sum` prints.
    pub sha256: String,
    /// The root, in hexadecimal.
    pub root: String,
    /// The format's version.
    pub format: u32,
    /// `append` or `elf-section`.
    pub placement: &'static str,
    /// Bytes of the runner.
    pub stub_size: u64,
    /// Bytes of the payload.
    pub payload_size: u64,
    /// Bytes of the sidecar; 0 without one.
    pub sidecar_size: u64,
    /// Whether the sidecar is beside the artifact; `None` without one.
    pub sidecar_present: Option<bool>,
    /// Bytes of the overlay; 0 without one.
    pub overlay_size: u64,
    /// What the overlay in it says of itself; `None` without one.
    pub overlay: Option<OverlayLine>,
    /// Whether it runs only with an overlay.
    pub needs_overlay: bool,
    /// The public key of who claims to have signed, in hexadecimal. Not checked here.
    pub signer: Option<String>,
    /// The id of that key.
    pub signer_id: Option<String>,
    /// The manifest.
    pub manifest: Manifest,
    /// How many frames hold contents, and how many bytes they are before and after compression.
    pub frames: FrameSums,
    /// The plays and their tasks.
    pub plays: Vec<PlayLine>,
    /// The assets.
    pub assets: Vec<AssetLine>,
}

/// The overlay that lies in an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverlayLine {
    /// The host that it is for; empty: any.
    pub host: String,
    /// The id of the key of who claims to have signed it. Not checked here.
    pub signer_id: Option<String>,
    /// What opens it, for people.
    pub locks: Vec<String>,
    /// Why a runner that was told no trusted keys refuses it, if it does.
    pub refused: Option<String>,
}

/// Sums over frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FrameSums {
    /// How many.
    pub count: u32,
    /// Bytes in the file.
    pub stored: u64,
    /// Bytes when decompressed.
    pub plain: u64,
}

/// A play.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlayLine {
    /// Its name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Its tasks and handlers, blocks opened.
    pub tasks: Vec<TaskLine>,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskLine {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its module.
    pub module: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// An asset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AssetLine {
    /// Its path; bytes that are not UTF-8 are written as `\xNN`.
    pub path: String,
    /// `file`, `dir`, `symlink` or `hardlink`.
    pub kind: &'static str,
    /// Permission bits, in octal.
    pub mode: String,
    /// The bytes of a file.
    pub size: Option<u64>,
    /// The BLAKE3 hash of a file, in hexadecimal.
    pub blake3: Option<String>,
    /// What a link points to.
    pub target: Option<String>,
}

pub(crate) fn printable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.escape_ascii().to_string(),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

impl AssetLine {
    pub(crate) fn of(entry: &Entry) -> Self {
        let mut line = Self {
            path: printable(&entry.path),
            kind: "dir",
            mode: format!("{:04o}", entry.mode),
            size: None,
            blake3: None,
            target: None,
        };
        match &entry.kind {
            Kind::Dir => {}
            Kind::File { size, digest, .. } => {
                (line.kind, line.size, line.blake3) = ("file", Some(*size), Some(hex(digest)));
            }
            Kind::Symlink { target } => {
                (line.kind, line.target) = ("symlink", Some(printable(target)))
            }
            Kind::Hardlink { to } => (line.kind, line.target) = ("hardlink", Some(printable(to))),
        }
        line
    }
}

/// Inspects the artifact at `path`. Reads the whole file once, for its SHA-256; checks what it reads, but not every frame.
///
/// # Errors
/// As [`open_artifact`], and for damaged tables or an unreadable plan.
pub fn inspect(path: &Path) -> Result<Inspection, PackError> {
    let container = open_artifact(path)?;
    let damaged = PackError::artifact(path);
    let header = *container.header();
    let slot = *container.slot();
    let plan = container.plan().map_err(damaged)?;
    let mut assets = Vec::with_capacity(container.asset_count() as usize);
    for page in 0..container.page_count() {
        let page = container.page(page).map_err(PackError::artifact(path))?;
        assets.extend(page.iter().map(AssetLine::of));
    }
    let data = &container.table().records()[..header.data_frames as usize];
    let signature = container.signature();
    Ok(Inspection {
        size: std::fs::metadata(path)
            .map_err(PackError::io("read", path))?
            .len(),
        sha256: sha256_of(path)?,
        root: hex(&container.root()),
        format: rustle_formats::artifact::FORMAT_VERSION,
        placement: match slot.placement {
            Placement::Append => "append",
            Placement::ElfSection => "elf-section",
        },
        stub_size: slot.payload_offset,
        payload_size: slot.payload_len,
        sidecar_size: header.sidecar_len,
        sidecar_present: header
            .has(flags::SIDECAR)
            .then(|| !container.lacks_sidecar()),
        overlay_size: slot.overlay_len,
        overlay: overlay_of(&container).map_err(PackError::artifact(path))?,
        needs_overlay: header.has(flags::NEEDS_OVERLAY),
        signer: signature.map(|s| hex(&s.signer)),
        signer_id: signature.map(|s| s.key_id().to_string()),
        manifest: container.manifest().clone(),
        frames: FrameSums {
            count: header.data_frames,
            stored: data.iter().map(|r| u64::from(r.stored_len)).sum(),
            plain: data.iter().map(|r| u64::from(r.plain_len)).sum(),
        },
        plays: plays_of(&plan),
        assets,
    })
}

/// Reads the overlay in an artifact. One that is damaged in itself, though its digest is right, is told as refused.
fn overlay_of(container: &OpenArtifact) -> Result<Option<OverlayLine>, ArtifactError> {
    let Some(bytes) = container.attached_overlay()? else {
        return Ok(None);
    };
    let overlay = match Overlay::parse(&bytes) {
        Ok(overlay) => overlay,
        Err(e) => {
            return Ok(Some(OverlayLine {
                host: String::new(),
                signer_id: None,
                locks: Vec::new(),
                refused: Some(e.to_string()),
            }));
        }
    };
    let checked = overlay
        .check_for(&container.root(), None)
        .and_then(|()| overlay.verify_items())
        .and_then(|()| overlay.verify_beside(&[], container.signature().as_ref()));
    Ok(Some(OverlayLine {
        host: overlay.host().to_owned(),
        signer_id: overlay.signature().map(|s| s.key_id().to_string()),
        locks: overlay.section().locks(),
        refused: checked.err().map(|e| e.to_string()),
    }))
}

fn plays_of(plan: &ExecutionPlan) -> Vec<PlayLine> {
    plan.plays
        .iter()
        .map(|play| {
            // The iterator over tasks belongs to plans: one of this play alone.
            let alone = ExecutionPlan {
                plays: vec![play.clone()],
                ..ExecutionPlan::default()
            };
            let line = |t: &rustle_formats::plan::Task| TaskLine {
                id: t.id.clone(),
                name: t.name.clone(),
                module: t.module.clone(),
                tags: t.tags.clone(),
            };
            PlayLine {
                name: play.name.clone(),
                hosts: play.hosts.clone(),
                tasks: alone.tasks().map(line).collect(),
            }
        })
        .collect()
}

fn sha256_of(path: &Path) -> Result<String, PackError> {
    let mut file = File::open(path).map_err(PackError::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let n = file
            .read(&mut buffer)
            .map_err(PackError::io("read", path))?;
        if n == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..n]);
    }
}
