//! `rustle verify`: every byte of an artifact against its digests, and its signature against trusted keys. Executes nothing.

use std::path::{Path, PathBuf};

use rustle_formats::seal::Overlay;
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
}

/// Checks every byte of an artifact and that trusted keys signed it, before it is sent anywhere.
pub(crate) fn trusted_and_intact(artifact: &Path, trusted: &[PathBuf]) -> Result<(), Failure> {
    Verify {
        artifact: artifact.to_owned(),
        trusted: trusted.to_vec(),
        integrity_only: false,
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
                .map_err(|e| self.untrusted(&e.to_string()))?;
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
        };
        self.check_overlay(&artifact, &trusted, &mut verdict)?;
        Ok(verdict)
    }

    fn check_overlay(
        &self,
        artifact: &OpenArtifact,
        trusted: &[PublicKey],
        verdict: &mut Verdict,
    ) -> Result<(), Failure> {
        let bytes = artifact
            .overlay()
            .map_err(|e| failure::artifact(&self.artifact, &e))?;
        let Some(bytes) = bytes else { return Ok(()) };
        let damaged = |e: &dyn std::fmt::Display| {
            Failure::text(
                Exit::Damaged,
                format!("{}: overlay: {e}", self.artifact.display()),
            )
        };
        let overlay = Overlay::parse(&bytes).map_err(|e| damaged(&e))?;
        overlay
            .check_for(&artifact.root(), None)
            .map_err(|e| damaged(&e))?;
        overlay.verify_items().map_err(|e| damaged(&e))?;
        verdict.overlay_host = Some(overlay.host().to_owned());
        if !self.integrity_only {
            let key = overlay
                .verify(trusted)
                .map_err(|e| self.untrusted(&format!("overlay: {e}")))?;
            verdict.overlay_signer = Some(key.to_line());
        }
        Ok(())
    }

    fn untrusted(&self, why: &str) -> Failure {
        Failure::text(
            Exit::Untrusted,
            format!("{}: {why}", self.artifact.display()),
        )
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
        print(&text)?;
        Ok(Exit::Done)
    }
}
