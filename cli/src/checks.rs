//! Places what is wrong with a plan: in the playbook that it was made from where that is known, else in the plan itself.

use rustle_formats::plan::Source;
use rustle_runtime::check::{Problem, Severity};

use crate::diagnostic::{Diagnostic, Level, Location};
use crate::plan_input::{PlanInput, SourceLines, limited};

/// A problem, and more about it, one line each.
pub(crate) struct Noted {
    /// What is wrong.
    pub(crate) problem: Problem,
    /// More about it.
    pub(crate) notes: Vec<String>,
}

impl From<Problem> for Noted {
    fn from(problem: Problem) -> Noted {
        let label = label(problem.task.as_deref(), problem.name.as_deref());
        // A message that names the task need not be told which one it is about.
        let told = problem
            .task
            .iter()
            .chain(&problem.name)
            .filter(|n| !n.is_empty())
            .any(|n| {
                ['`', '\'', '"']
                    .iter()
                    .any(|q| problem.message.contains(&format!("{q}{n}{q}")))
            });
        let mut notes: Vec<String> = label.filter(|_| !told).into_iter().collect();
        notes.extend(problem.notes.iter().cloned());
        Noted { notes, problem }
    }
}

/// A task as messages name it.
pub(crate) fn label(id: Option<&str>, name: Option<&str>) -> Option<String> {
    match (id.unwrap_or_default(), name.unwrap_or_default()) {
        ("", "") => None,
        ("", name) => Some(format!("in task `{name}`")),
        (id, "") => Some(format!("in task `{id}`")),
        (id, name) => Some(format!("in task `{id}` ({name})")),
    }
}

/// The problems as messages, in the order of their places.
pub(crate) fn diagnostics(input: &PlanInput, problems: Vec<Noted>) -> Vec<Diagnostic> {
    let pointers: Vec<(String, bool)> = problems
        .iter()
        .map(|p| (p.problem.pointer.clone(), p.problem.key))
        .collect();
    let places = input.locate(&pointers);
    let mut lines = SourceLines::default();
    let mut placed: Vec<(usize, usize, Diagnostic)> = problems
        .into_iter()
        .zip(places)
        .map(|(Noted { problem, notes }, place)| {
            let order = place.as_ref().map_or((0, 0), |p| (p.line, p.column));
            let location = match &problem.source {
                Some(source) if source.line > 0 => {
                    Some(in_source(input, source, &problem, &mut lines))
                }
                _ => place,
            };
            let level = match problem.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
            };
            let mut out = Diagnostic::new(level, problem.message).at(location);
            out.notes = notes;
            out.hint = problem.hint;
            (order.0, order.1, out)
        })
        .collect();
    placed.sort_by_key(|(line, column, _)| (*line, *column));
    limited(placed.into_iter().map(|(_, _, d)| d).collect())
}

/// The place in a playbook. A task's source is its first line; what is to blame is looked for in the lines of the task.
fn in_source(
    input: &PlanInput,
    source: &Source,
    problem: &Problem,
    lines: &mut SourceLines,
) -> Location {
    let (mut line, mut column) = (source.line as usize, source.column as usize);
    let mut length = 1;
    let word = problem.pointer.rsplit('/').next().unwrap_or_default();
    if problem.pointer.contains("/args/") {
        let found = (line..line + 40).find_map(|n| {
            let text = lines.line(&input.folder, &source.file, n)?;
            let rest = text.trim_start();
            let is_next_task = n > line && rest.starts_with("- ");
            if is_next_task {
                return Some(None);
            }
            let key = rest.strip_prefix("- ").unwrap_or(rest);
            let after = key.strip_prefix(word)?;
            after.starts_with(':').then(|| {
                let at = text.len() - key.len();
                Some((n, text[..at].chars().count() + 1))
            })
        });
        if let Some(Some((n, at))) = found {
            (line, column) = (n, at);
            length = word.chars().count();
        }
    }
    Location {
        file: source.file.clone(),
        line,
        column,
        length,
        text: lines.line(&input.folder, &source.file, line),
    }
}
