//! `rustle audit`: what was run where and by whom, each entry chained to the last by its digest.

use std::fmt::Write as _;

use rustle_runs::{AuditError, Deed, Entry};

use super::Output;
use crate::console::print;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::recording::audit;

/// Shows the audit log after checking its chain; ends with 65 where a line was changed, taken out or put in.
#[derive(Debug, clap::Args)]
pub(crate) struct AuditCommand {
    /// Check that this digest, which was kept elsewhere, is still one of the chain.
    #[arg(long, value_name = "BLAKE3")]
    contains: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl AuditCommand {
    /// Shows it.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let audit = audit()?;
        let log = audit.verify().map_err(|e| match e {
            AuditError::Io(e) => Failure::io("read", audit.path())(e),
            AuditError::Broken { line, why } => Failure::text(
                Exit::Damaged,
                format!(
                    "{}:{line}: the log was changed: {why}",
                    audit.path().display()
                ),
            ),
        })?;
        if let Some(wanted) = &self.contains {
            let known = log.entries.iter().any(|e| e.previous == *wanted);
            if !known && log.last != *wanted {
                return Err(Failure::text(
                    Exit::Damaged,
                    format!(
                        "no line of {} has the digest {wanted}",
                        audit.path().display()
                    ),
                )
                .hint("the log was begun anew, or lines at its end were taken away"));
            }
        }
        let mut out = String::new();
        if self.output.json {
            out = super::json(&log.entries)?;
        } else {
            log.entries.iter().for_each(|entry| line(&mut out, entry));
            let _ = writeln!(
                out,
                "{} entries, all as written; last {}",
                log.entries.len(),
                log.last
            );
        }
        print(&out)?;
        Ok(Exit::Done)
    }
}

fn line(out: &mut String, entry: &Entry) {
    let who = &entry.who;
    let by = match &who.sudo_user {
        Some(person) => format!("{} (sudo by {person})", who.user),
        None => who.user.clone(),
    };
    let short = |run: &str| run.get(..12).unwrap_or(run).to_owned();
    let _ = match &entry.deed {
        Deed::Started {
            run,
            what,
            check,
            hosts,
            root,
        } => writeln!(
            out,
            "{} {} {by}@{}: {what}{} on {}{}",
            entry.time,
            short(run),
            who.machine,
            if *check { " (check)" } else { "" },
            hosts.join(", "),
            root.as_ref()
                .map_or(String::new(), |r| format!(", artifact {r}")),
        ),
        Deed::Ended {
            run,
            exit_code,
            hosts,
        } => {
            let told: Vec<String> = hosts.iter().map(|(h, v)| format!("{h} {v}")).collect();
            writeln!(
                out,
                "{} {} ended with {exit_code}: {}",
                entry.time,
                short(run),
                told.join(", ")
            )
        }
    };
}
