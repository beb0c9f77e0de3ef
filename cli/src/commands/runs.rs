//! `rustle runs`: the runs that were recorded on this machine.

use std::fmt::Write as _;

use rustle_runs::{Found, StoreError};

use super::Output;
use crate::console::print;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::recording::{store, verdict};

/// Lists recorded runs, the latest last.
#[derive(Debug, clap::Args)]
pub(crate) struct Runs {
    /// How many. Default: 20; 0: all.
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value_t = 20,
        hide_default_value = true
    )]
    last: usize,
    #[command(flatten)]
    output: Output,
}

impl Runs {
    /// Lists them.
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        let all = store()?.list().map_err(failure)?;
        let from = match self.last {
            0 => 0,
            last => all.len().saturating_sub(last),
        };
        let shown = &all[from..];
        if self.output.json {
            let metas: Vec<_> = shown.iter().map(|found| &found.meta).collect();
            print(&super::json(&metas)?)?;
            return Ok(Exit::Done);
        }
        let mut out = String::new();
        for found in shown {
            line(&mut out, found);
        }
        print(&out)?;
        Ok(Exit::Done)
    }
}

fn line(out: &mut String, found: &Found) {
    let meta = &found.meta;
    let words = ["ok", "changed", "failed", "unreachable"];
    let counts = words.map(|word| {
        let of_word = meta.stats.values().filter(|s| verdict(s) == word);
        (word, of_word.count())
    });
    let told: Vec<String> = counts
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(w, n)| format!("{n} {w}"))
        .collect();
    let end = match meta.exit_code {
        Some(code) => format!("exit {code}"),
        None => "no end".to_owned(),
    };
    let _ = writeln!(
        out,
        "{}  {}  {:>8.1} s  {end:<7}  {}{}  {}",
        meta.run.get(..12).unwrap_or(&meta.run),
        when(meta.started_ms),
        meta.duration_ms as f64 / 1000.0,
        meta.asked.what,
        if meta.check { " (check)" } else { "" },
        told.join(", "),
    );
}

/// A time as people here write it: `2026-11-22 21:35:00 +01:00`.
pub(super) fn when(ms: u64) -> String {
    rustle_runs::local_time(ms)
}

/// What keeps runs from being shown.
pub(super) fn failure(e: StoreError) -> Failure {
    match e {
        StoreError::Unknown => {
            Failure::text(Exit::Usage, "no such run was recorded").hint("`rustle runs` lists them")
        }
        StoreError::Ambiguous(names) => Failure::text(
            Exit::Usage,
            format!(
                "several runs have a name that begins so: {}",
                names.join(", ")
            ),
        ),
        StoreError::Io(path, e) => Failure::io("read", &path)(e),
        StoreError::Line { file, line, why } => Failure::text(
            Exit::Damaged,
            format!("{}:{line}: not an event: {why}", file.display()),
        ),
    }
}
