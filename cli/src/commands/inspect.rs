//! `rustle inspect`: what an artifact says of itself. Nothing is run, and the signature is shown, not believed.

use std::fmt::Write as _;
use std::path::PathBuf;

use rustle_packer::{Inspection, inspect};

use super::{Output, bytes};
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;

/// Shows plan, tasks, assets, sizes, hashes and signer.
#[derive(Debug, clap::Args)]
pub(crate) struct Inspect {
    /// The artifact.
    artifact: PathBuf,
    #[command(flatten)]
    output: Output,
    /// Print the whole plan as JSON, as it is packed.
    #[arg(long, conflicts_with = "json")]
    plan: bool,
}

impl Inspect {
    /// Shows it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        if self.plan {
            let plan = rustle_packer::open_artifact(&self.artifact)?
                .plan()
                .map_err(|e| crate::failure::artifact(&self.artifact, &e))?;
            let text = plan
                .to_json()
                .map_err(|e| Failure::text(Exit::Machine, format!("cannot write JSON: {e}")))?;
            print(&text)?;
            return Ok(Exit::Done);
        }
        let found = inspect(&self.artifact)?;
        if self.output.json {
            print(&super::json(&found)?)?;
        } else {
            let name = self.artifact.display().to_string();
            print(&text(&name, &found, console.verbose > 0))?;
        }
        Ok(Exit::Done)
    }
}

fn text(name: &str, i: &Inspection, all: bool) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: String| {
        let _ = writeln!(out, "{key:<10} {value}");
    };
    line("artifact", format!("{name} ({})", bytes(i.size)));
    if !i.manifest.name.is_empty() {
        line("plan", i.manifest.name.clone());
    }
    line("target", i.manifest.target.clone());
    line("packed by", i.manifest.tool.clone());
    line("root", format!("blake3:{}", i.root));
    line("file", format!("sha256:{}", i.sha256));
    line(
        "signer",
        match (&i.signer_id, &i.signer) {
            (Some(id), Some(key)) => format!("{id} ({key}), not checked: see `rustle verify`"),
            _ => "none: not signed".to_owned(),
        },
    );
    line(
        "payload",
        format!(
            "{} ({}), runner {}",
            bytes(i.payload_size),
            i.placement,
            bytes(i.stub_size)
        ),
    );
    if let Some(present) = i.sidecar_present {
        let where_ = if present { "" } else { ", MISSING" };
        line("sidecar", format!("{}{where_}", bytes(i.sidecar_size)));
    }
    if i.overlay_size > 0 || i.needs_overlay {
        let needed = if i.needs_overlay {
            ", needed to run"
        } else {
            ""
        };
        line("overlay", format!("{}{needed}", bytes(i.overlay_size)));
    }
    if let Some(overlay) = &i.overlay {
        let host = match overlay.host.as_str() {
            "" => "any host",
            host => host,
        };
        let signer = overlay.signer_id.as_deref().unwrap_or("nobody");
        let locks = match overlay.locks.as_slice() {
            [] => "nothing".to_owned(),
            locks => locks.join(", "),
        };
        let signed = format!("for {host}, opens with {locks}, signed by {signer} (not checked)");
        line("", signed);
        if let Some(why) = &overlay.refused {
            line("", format!("it will not run: {why}"));
        }
    }
    line(
        "contents",
        format!(
            "{} in {} files; {} frames, {} stored ({} {})",
            bytes(i.manifest.total_bytes),
            i.manifest.files,
            i.frames.count,
            bytes(i.frames.stored),
            format!("{:?}", i.manifest.method).to_lowercase(),
            i.manifest.level
        ),
    );
    if !i.manifest.hosts.is_empty() {
        line("hosts", i.manifest.hosts.join(", "));
    }
    let tasks: usize = i.plays.iter().map(|p| p.tasks.len()).sum();
    let _ = writeln!(
        out,
        "\n{} plays, {tasks} tasks and handlers:",
        i.plays.len()
    );
    plays(&mut out, i, all);
    let _ = writeln!(out, "\n{} assets:", i.assets.len());
    assets(&mut out, i, all);
    out
}

/// What is shown of a long list without `-v`.
const SHORT: usize = 40;

fn plays(out: &mut String, i: &Inspection, all: bool) {
    for play in &i.plays {
        let hosts = if play.hosts.is_empty() {
            "all hosts".to_owned()
        } else {
            play.hosts.join(", ")
        };
        let _ = writeln!(out, "  play {} ({hosts})", or_dash(&play.name));
        let shown = if all { play.tasks.len() } else { SHORT };
        for task in play.tasks.iter().take(shown) {
            let name = if task.name.is_empty() {
                &task.id
            } else {
                &task.name
            };
            let tags = if task.tags.is_empty() {
                String::new()
            } else {
                format!("  [{}]", task.tags.join(", "))
            };
            let _ = writeln!(out, "    {:<14} {}{tags}", task.module, or_dash(name));
        }
        more(out, play.tasks.len(), shown, "tasks");
    }
}

fn assets(out: &mut String, i: &Inspection, all: bool) {
    let shown = if all { i.assets.len() } else { SHORT };
    for asset in i.assets.iter().take(shown) {
        let size = asset.size.map_or(String::new(), bytes);
        let digest = asset
            .blake3
            .as_deref()
            .map_or("", |d| &d[..d.len().min(16)]);
        let target = match &asset.target {
            Some(target) => format!(" -> {target}"),
            None => String::new(),
        };
        let _ = writeln!(
            out,
            "  {} {size:>10}  {digest:<16}  {}{target}",
            asset.mode, asset.path
        );
    }
    more(out, i.assets.len(), shown, "assets");
}

fn more(out: &mut String, count: usize, shown: usize, what: &str) {
    if count > shown {
        let _ = writeln!(
            out,
            "    … and {} more {what} (-v shows all)",
            count - shown
        );
    }
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
