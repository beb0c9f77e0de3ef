//! Places what is wrong with a plan: in the playbook that it was made from where that is known, else in the plan itself.

use rustle_formats::plan::Source;

use crate::diagnostic::{Diagnostic, Location};
use crate::plan_input::{PlanInput, SourceLines, limited};

/// Something wrong with a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Problem {
    /// Where in the plan, as a JSON pointer.
    pub(crate) pointer: String,
    /// Whether the key there is to blame, rather than its value.
    pub(crate) key: bool,
    /// Where in the playbook.
    pub(crate) source: Option<Source>,
    /// What is wrong.
    pub(crate) message: String,
    /// More about it.
    pub(crate) notes: Vec<String>,
    /// What may help.
    pub(crate) hint: Option<String>,
}

/// The problems as messages, in the order of their places.
pub(crate) fn diagnostics(input: &PlanInput, problems: Vec<Problem>) -> Vec<Diagnostic> {
    let pointers: Vec<(String, bool)> = problems
        .iter()
        .map(|p| (p.pointer.clone(), p.key))
        .collect();
    let places = input.locate(&pointers);
    let mut lines = SourceLines::default();
    let mut placed: Vec<(usize, usize, Diagnostic)> = problems
        .into_iter()
        .zip(places)
        .map(|(problem, place)| {
            let order = place.as_ref().map_or((0, 0), |p| (p.line, p.column));
            let location = match &problem.source {
                Some(source) if !source.file.is_empty() => {
                    Some(in_source(input, source, &problem, &mut lines))
                }
                _ => place,
            };
            let mut out = Diagnostic::error(problem.message).at(location);
            out.notes = problem.notes;
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
