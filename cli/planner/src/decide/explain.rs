//! The decisions as people read them.

use std::fmt::Write as _;
use std::path::Path;

use rustle_formats::plan::ExecutionPlan;
use serde::Serialize;

use super::{Decision, Verdict};

/// How many tasks run where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// On their targets.
    pub native: usize,
    /// On their targets, by modules in other languages.
    pub carried: usize,
    /// With the controller's help.
    pub controller: usize,
    /// Nowhere.
    pub refused: usize,
}

impl Counts {
    /// Those of the decisions.
    pub fn of(decisions: &[Decision]) -> Counts {
        let mut out = Counts::default();
        for decision in decisions {
            match decision.verdict {
                Verdict::Native => out.native += 1,
                Verdict::Carried { .. } => out.carried += 1,
                Verdict::Controller { .. } => out.controller += 1,
                Verdict::Refused { .. } => out.refused += 1,
            }
        }
        out
    }
}

/// Task by task: its place, module and hosts, where it runs and why; then the artifacts, and why there are not more (`left`); at
/// the end the counts. `named`: the playbook as the user named it; places beside it are told from there.
pub fn explain(
    plan: &ExecutionPlan,
    decisions: &[Decision],
    left: &[String],
    named: &Path,
) -> String {
    let mut out = String::new();
    let base = plan.base_dir.as_deref().map_or(Path::new(""), Path::new);
    let folder = named.parent().unwrap_or(Path::new(""));
    let beside = |file: &str| match Path::new(file).strip_prefix(base) {
        Ok(rest) if plan.base_dir.is_some() => folder.join(rest).display().to_string(),
        _ => file.to_owned(),
    };
    let mut last = None;
    for decision in decisions {
        if last != Some(decision.play) {
            last = Some(decision.play);
            let play = &plan.plays[decision.play];
            let _ = writeln!(
                out,
                "play `{}`, hosts: {} ({})",
                play.name,
                decision.pattern,
                hosts(&play.hosts)
            );
        }
        line(&mut out, decision, &beside);
    }
    if !plan.binary_deployments.is_empty() || !left.is_empty() {
        out.push_str("\nartifacts\n");
    }
    for made in &plan.binary_deployments {
        let _ = writeln!(
            out,
            "  {}: {} tasks and {} files, {}, for {}",
            made.binary_name,
            made.tasks.len(),
            made.embedded_data.static_files.len(),
            made.execution_mode
                .as_deref()
                .unwrap_or_default()
                .to_lowercase(),
            hosts(&made.target_hosts)
        );
    }
    for why in left {
        let _ = writeln!(out, "  {why}");
    }
    let counts = Counts::of(decisions);
    let all = decisions.len();
    let share = |n: usize| {
        if all == 0 {
            0.0
        } else {
            n as f64 * 100.0 / all as f64
        }
    };
    let carried = match counts.carried {
        0 => String::new(),
        n => format!("{n} in other languages ({:.1} %), ", share(n)),
    };
    let _ = writeln!(
        out,
        "\n{all} tasks: {} native ({:.1} %), {carried}{} with the controller ({:.1} %), {} refused ({:.1} %)",
        counts.native,
        share(counts.native),
        counts.controller,
        share(counts.controller),
        counts.refused,
        share(counts.refused)
    );
    out
}

fn line(out: &mut String, decision: &Decision, beside: &dyn Fn(&str) -> String) {
    let place = decision.source.as_ref().map_or_else(
        || "?".to_owned(),
        |s| format!("{}:{}:{}", beside(&s.file), s.line, s.column),
    );
    let handler = if decision.handler { "handler " } else { "" };
    let _ = write!(
        out,
        "  {place}  {handler}{}  [{}]  ",
        decision.module, decision.pattern
    );
    let _ = match &decision.verdict {
        Verdict::Native => writeln!(out, "native on the target"),
        Verdict::Carried { how } => writeln!(out, "on the target, {how}"),
        Verdict::Controller { why } => writeln!(out, "needs the controller: {why}"),
        Verdict::Refused { why, rewrite } => {
            let rewrite = rewrite
                .as_ref()
                .map_or(String::new(), |r| format!("\n      help: {r}"));
            writeln!(out, "refused: {why}{rewrite}")
        }
    };
}

/// The first hosts, and how many more there are.
fn hosts(names: &[String]) -> String {
    const SHOWN: usize = 5;
    match names.len() {
        0 => "none".to_owned(),
        n if n <= SHOWN => names.join(", "),
        n => format!("{}, and {} more", names[..SHOWN].join(", "), n - SHOWN),
    }
}
