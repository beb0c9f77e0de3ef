//! `rustle analyze-compatibility`: what keeps tasks from running on their targets alone, and what to write instead.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rustle_planner::decide::{Counts, Decision, Verdict};
use rustle_playbook::Position;
use rustle_playbook::play::Play;
use rustle_playbook::refactor::{Delegation, delegations};
use serde::Serialize;

use super::plan::judge;
use crate::console::{Console, print};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{Input, SourceOptions, planned, with_playbook};
use crate::playbook_source as source;
use crate::playbook_source::Parts;
use crate::surroundings::refused;

/// Shows which tasks are delegated, need the controller or are refused, each with its place and what to write instead.
#[derive(Debug, clap::Args)]
pub(crate) struct AnalyzeCompatibility {
    /// The playbook; `-`: standard input.
    #[arg(value_name = "PLAYBOOK")]
    playbook: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: SourceOptions,
}

/// One task that is spoken of.
#[derive(Debug, Serialize)]
struct Finding {
    place: String,
    task: String,
    /// Why, or whom it is delegated to.
    what: String,
    suggestion: String,
}

/// What was found, by kind.
#[derive(Debug, Default, Serialize)]
struct Findings {
    delegate_to_localhost: Vec<Finding>,
    delegate_to_other_host: Vec<Finding>,
    needs_controller: Vec<Finding>,
    refused: Vec<Finding>,
    counts: Counts,
}

impl AnalyzeCompatibility {
    /// Shows it.
    pub(crate) fn run(&self, console: &Console) -> Result<Exit, Failure> {
        let Input::Playbook(path, text) = Input::read(&self.playbook)? else {
            return Err(Failure::text(
                Exit::Refused,
                format!("{} is a document and no playbook", self.playbook.display()),
            ));
        };
        with_playbook(&path, text, &self.options, console, |parts| {
            let targets = source::targets(parts, &self.options.chosen(), console);
            let targets = targets.map_err(|p| refused(&p, &parts.surroundings.sources))?;
            let mut made = planned(parts, &self.options, targets, console)?;
            let decisions = judge(&mut made).decisions;
            let base = made.plan.base_dir.clone().unwrap_or_default();
            let found = findings(parts, &decisions, Path::new(&base));
            if self.json {
                print(&super::json(&found)?)?;
            } else {
                print(&text_of(&found, &path.display().to_string()))?;
            }
            for wrong in &made.problems {
                console.say(&wrong.message);
            }
            Ok(Exit::Done)
        })
    }
}

/// `base`: the playbook's folder, absolute.
fn findings(parts: &Parts<'_>, decisions: &[Decision], base: &Path) -> Findings {
    let sources = &parts.surroundings.sources;
    let place = |at: Position| {
        let source = sources.source(at);
        format!("{}:{}:{}", source.file, source.line, source.column)
    };
    let mut out = Findings {
        counts: Counts::of(decisions),
        ..Findings::default()
    };
    let mut told: BTreeMap<String, ()> = BTreeMap::new();
    for play in &parts.playbook.plays {
        for delegation in delegations(play) {
            let place = place(delegation.task.at);
            if told.insert(place.clone(), ()).is_some() {
                continue;
            }
            let finding = Finding {
                place,
                task: delegation.title(),
                what: format!("delegate_to: {}", delegation.to),
                suggestion: suggestion(&delegation, play),
            };
            match delegation.is_local() {
                true => out.delegate_to_localhost.push(finding),
                false => out.delegate_to_other_host.push(finding),
            }
        }
    }
    let folder = parts.path.parent().unwrap_or(Path::new(""));
    for decision in decisions {
        let Some(source) = &decision.source else {
            continue;
        };
        // As the user named the playbook.
        let file = match Path::new(&source.file).strip_prefix(base) {
            Ok(below) => folder.join(below),
            Err(_) => PathBuf::from(&source.file),
        };
        let place = format!("{}:{}:{}", file.display(), source.line, source.column);
        let (list, what, suggestion) = match &decision.verdict {
            Verdict::Native | Verdict::Carried { .. } => continue,
            Verdict::Controller { why } if why.starts_with("`delegate_to") => continue,
            Verdict::Controller { why } if why.starts_with("which host `delegate_to") => continue,
            Verdict::Controller { why } => (
                &mut out.needs_controller,
                why.clone(),
                instead(why).to_owned(),
            ),
            Verdict::Refused { why, rewrite } => (
                &mut out.refused,
                why.clone(),
                rewrite.clone().unwrap_or_default(),
            ),
        };
        if told.insert(place.clone(), ()).is_none() {
            list.push(Finding {
                place,
                task: if decision.name.is_empty() {
                    decision.module.clone()
                } else {
                    decision.name.clone()
                },
                what,
                suggestion,
            });
        }
    }
    out
}

fn suggestion(delegation: &Delegation<'_>, play: &Play) -> String {
    let bare: String = delegation.to.split_whitespace().collect();
    if bare == "{{inventory_hostname}}" || play.hosts == [delegation.to.as_str()] {
        return "take it out: the play runs there anyway".to_owned();
    }
    if delegation.is_template() {
        return "name the host, or make it a play for the hosts that are meant".to_owned();
    }
    if !delegation.is_local() {
        return format!(
            "make it a task of a play whose hosts are `{}`",
            delegation.to
        );
    }
    match delegation.task.action.builtin() {
        Some("uri" | "wait_for" | "assert" | "ping") => {
            "move it to a play for localhost that comes first".to_owned()
        }
        Some("add_host" | "group_by") => "consider a play for the controller of its own".to_owned(),
        _ => "move it to a play for localhost, before or behind this one".to_owned(),
    }
}

/// What to write in place of what needs the controller.
fn instead(why: &str) -> &'static str {
    [
        (
            "lookup `",
            "give the value with --extra-vars when packing, or in group_vars/",
        ),
        ("asks the controller", "give the items in a variable"),
        ("`hostvars`", "put what is shared into group_vars/"),
        ("`run_once`", "make it a play for one host"),
        ("`throttle`", "use `serial` on the play"),
        ("somebody answers", "give `seconds` or `minutes`"),
        ("connection: local", "make it a play for localhost"),
        (
            "it brings files",
            "let the target send the file, or fetch it in a play of its own",
        ),
    ]
    .into_iter()
    .find_map(|(part, instead)| why.contains(part).then_some(instead))
    .unwrap_or("put it into a play of its own, which the controller runs")
}

fn text_of(found: &Findings, path: &str) -> String {
    let mut out = String::new();
    let mut group = |mark: &str, list: &[Finding], one: &str, many: &str, with_reason: bool| {
        if list.is_empty() {
            return;
        }
        let what = if list.len() == 1 { one } else { many };
        let _ = writeln!(out, "{mark} {} {what} found", list.len());
        for finding in list {
            let why = if with_reason {
                format!(": {}", finding.what)
            } else {
                String::new()
            };
            let hint = match finding.suggestion.as_str() {
                "" => String::new(),
                text => format!(" - {text}"),
            };
            let _ = writeln!(out, "   {}: {}{why}{hint}", finding.place, finding.task);
        }
        out.push('\n');
    };
    group(
        "⚠️ ",
        &found.delegate_to_localhost,
        "instance of delegate_to: localhost",
        "instances of delegate_to: localhost",
        false,
    );
    group(
        "❌",
        &found.delegate_to_other_host,
        "instance of delegate_to: other_host",
        "instances of delegate_to: other_host",
        true,
    );
    group(
        "⚠️ ",
        &found.needs_controller,
        "other task that needs the controller",
        "other tasks that need the controller",
        true,
    );
    group(
        "❌",
        &found.refused,
        "task that cannot run",
        "tasks that cannot run",
        true,
    );
    let delegated =
        !found.delegate_to_localhost.is_empty() || !found.delegate_to_other_host.is_empty();
    if delegated {
        let _ = writeln!(
            out,
            "Suggested refactoring available: rustle refactor --fix-delegates {path}\n"
        );
    }
    let Counts {
        native,
        carried,
        controller,
        refused,
    } = found.counts;
    let all = native + carried + controller + refused;
    let other = match carried {
        0 => String::new(),
        n => format!("{n} in other languages, "),
    };
    let _ = writeln!(
        out,
        "{all} tasks: {native} native, {other}{controller} with the controller, {refused} refused"
    );
    out
}
