//! `rustle verify`: every byte of an artifact against its digests, and its signature against trusted keys. Executes nothing.

use std::path::{Path, PathBuf};

use rustle_formats::artifact::{MAX_OVERLAY, flags};
use rustle_formats::seal::{Overlay, OverlayError};
use rustle_formats::sign::{PublicKey, verify_root};
use rustle_packer::keys::load_trusted_keys;
use rustle_packer::{OpenArtifact, open_artifact};
use serde::Serialize;

use super::Output;
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::{self, Failure};

/// Checks an artifact.
#[derive(Debug, clap::Args)]
pub(crate) struct Verify {
    /// The artifact.
    artifact: PathBuf,
    /// A file of trusted public keys (site.key.pub). May be given several times.
    #[arg(long, value_name = "FILE", required_unless_present = "integrity_only")]
    trusted: Vec<PathBuf>,
    /// Check the bytes alone: whoever made the artifact may have made the digests too.
    #[arg(long, conflicts_with = "trusted")]
    integrity_only: bool,
    /// Check this overlay of a host in place of one in the artifact.
    #[arg(long, value_name = "FILE")]
    overlay: Option<PathBuf>,
    /// How many threads work; 0: as many as there are cores.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    threads: usize,
    #[command(flatten)]
    output: Output,
}

/// What was found.
#[derive(Serialize)]
struct Verdict {
    /// Whether all is well. Otherwise nothing is printed but the error.
    ok: bool,
    root: String,
    signer: Option<String>,
    overlay_signer: Option<String>,
    overlay_host: Option<String>,
    /// Whether it runs only with an overlay, and none was there to be checked.
    overlay_missing: bool,
}

/// Checks every byte of an artifact and that trusted keys signed it, before it is sent anywhere.
pub(crate) fn trusted_and_intact(artifact: &Path, trusted: &[PathBuf]) -> Result<(), Failure> {
    Verify {
        artifact: artifact.to_owned(),
        trusted: trusted.to_vec(),
        integrity_only: false,
        overlay: None,
        threads: 0,
        output: Output { json: false },
    }
    .verdict()
    .map(|_| ())
}

impl Verify {
    /// Checks it.
    pub(crate) fn run(&self, _: &Console) -> Result<Exit, Failure> {
        self.report(&self.verdict()?)
    }

    fn verdict(&self) -> Result<Verdict, Failure> {
        let mut trusted: Vec<PublicKey> = Vec::new();
        for file in &self.trusted {
            trusted.extend(load_trusted_keys(file)?);
        }
        let artifact = open_artifact(&self.artifact)?;
        let threads = match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        // The signature is looked at first: of a stranger's artifact, nothing more need be read.
        let signer = if self.integrity_only {
            None
        } else {
            let key = verify_root(&trusted, &artifact.root(), artifact.signature().as_ref())
                .map_err(|e| {
                    self.untrusted(&self.artifact.display().to_string(), &e.to_string())
                })?;
            Some(key.to_line())
        };
        artifact
            .verify_all(threads)
            .map_err(|e| failure::artifact(&self.artifact, &e))?;
        let mut verdict = Verdict {
            ok: true,
            root: artifact.root().iter().map(|b| format!("{b:02x}")).collect(),
            signer,
            overlay_signer: None,
            overlay_host: None,
            overlay_missing: false,
        };
        self.check_overlay(&artifact, &trusted, &mut verdict)?;
        Ok(verdict)
    }

    /// Checks the overlay in the artifact, or the one that was named, by the rules that the runner has.
    fn check_overlay(
        &self,
        artifact: &OpenArtifact,
        trusted: &[PublicKey],
        verdict: &mut Verdict,
    ) -> Result<(), Failure> {
        let (name, bytes) = match &self.overlay {
            Some(file) => (
                file.display().to_string(),
                Some(read_overlay(file).map_err(Failure::io("read", file))?),
            ),
            None => (
                format!("{}: overlay", self.artifact.display()),
                artifact
                    .attached_overlay()
                    .map_err(|e| failure::artifact(&self.artifact, &e))?,
            ),
        };
        verdict.overlay_missing = bytes.is_none() && artifact.header().has(flags::NEEDS_OVERLAY);
        let Some(bytes) = bytes else { return Ok(()) };
        let refused = |e: OverlayError| match exit_of(&e) {
            Exit::Untrusted => self.untrusted(&name, &e.to_string()),
            exit => Failure::text(exit, format!("{name}: {e}")),
        };
        let overlay = Overlay::parse(&bytes).map_err(refused)?;
        overlay.check_for(&artifact.root(), None).map_err(refused)?;
        overlay.verify_items().map_err(refused)?;
        // Without trusted keys: what the runner refuses is not intact, though nothing is said about whose key it is.
        let key = overlay
            .verify_beside(trusted, artifact.signature().as_ref())
            .map_err(refused)?;
        verdict.overlay_host = Some(overlay.host().to_owned());
        if !self.integrity_only {
            let key = key.and_then(|id| trusted.iter().find(|k| k.id() == id));
            verdict.overlay_signer = key.map(PublicKey::to_line);
        }
        Ok(())
    }

    fn untrusted(&self, name: &str, why: &str) -> Failure {
        Failure::text(Exit::Untrusted, format!("{name}: {why}"))
            .hint("`rustle inspect` shows the signer; trust a key only when you know whose it is")
    }

    fn report(&self, verdict: &Verdict) -> Result<Exit, Failure> {
        if self.output.json {
            print(&super::json(verdict)?)?;
            return Ok(Exit::Done);
        }
        let mut text = format!(
            "{}: intact, root {}\n",
            self.artifact.display(),
            verdict.root
        );
        match &verdict.signer {
            Some(line) => text.push_str(&format!("signed by {line}\n")),
            None => text.push_str("signature not checked: anybody may have made it\n"),
        }
        if let Some(host) = &verdict.overlay_host {
            let host = if host.is_empty() { "any host" } else { host };
            let by = match &verdict.overlay_signer {
                Some(line) => format!(", signed by {line}"),
                None => String::new(),
            };
            text.push_str(&format!("overlay for {host}: intact{by}\n"));
        }
        if verdict.overlay_missing {
            text.push_str("it runs only with a host's overlay, and has none\n");
        }
        print(&text)?;
        Ok(Exit::Done)
    }
}

/// The exit code for an overlay that is refused.
pub(super) fn exit_of(error: &OverlayError) -> Exit {
    match error {
        OverlayError::Signature(_) => Exit::Untrusted,
        OverlayError::OtherBase | OverlayError::OtherHost { .. } => Exit::Unfit,
        _ => Exit::Damaged,
    }
}

/// Reads a file that holds an overlay, at most as much as one may have.
fn read_overlay(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(file)?
        .take(MAX_OVERLAY + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}
