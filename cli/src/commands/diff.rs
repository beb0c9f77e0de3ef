//! `rustle diff`: what changed from one artifact to the next.

use std::fmt::Write as _;
use std::path::PathBuf;

use rustle_packer::{Changes, DiffReport, diff};

use super::{Output, bytes};
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;

/// Compares two artifacts. Ends with code 3 when they differ.
#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The earlier artifact.
    old: PathBuf,
    /// The later artifact.
    new: PathBuf,
    #[command(flatten)]
    output: Output,
}

impl Diff {
    /// Compares them.
    pub(crate) fn run(&self, _: &Console) -> Result<Exit, Failure> {
        let report = diff(&self.old, &self.new)?;
        if self.output.json {
            print(&super::json(&report)?)?;
        } else {
            print(&text(&report))?;
        }
        Ok(if report.same {
            Exit::Done
        } else {
            Exit::Differs
        })
    }
}

fn text(report: &DiffReport) -> String {
    if report.same {
        return "the same plan, assets and runner\n".to_owned();
    }
    let mut out = String::new();
    changes(&mut out, "task", &report.tasks);
    changes(&mut out, "asset", &report.assets);
    if report.plan_changed {
        out.push_str("~ plays, variables or configuration\n");
    }
    let _ = writeln!(
        out,
        "{} of {} frames are shared ({}); a host that has the old one needs {}",
        report.frames_shared,
        report.frames,
        bytes(report.bytes_shared),
        bytes(report.bytes_to_send)
    );
    out
}

fn changes(out: &mut String, what: &str, changes: &Changes) {
    for (sign, names) in [
        ('+', &changes.added),
        ('-', &changes.removed),
        ('~', &changes.changed),
    ] {
        for name in names {
            let _ = writeln!(out, "{sign} {what} {name}");
        }
    }
}
