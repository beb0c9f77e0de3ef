//! What the parser found wrong, in words that help: most such errors come from a value that needed quotes.

use libyaml_safer::{Error, Mark};

use super::events::Events;
use super::node::Node;
use crate::problem::Problem;
use crate::source::Position;

const QUOTE_TEMPLATE: &str = "a value that begins with `{{` must be quoted: \"{{ name }}\"";

/// The problem that an error of the parser stands for.
pub(super) fn problem(error: &Error, events: &Events<'_>, text: &str) -> Problem {
    let mark = error.problem_mark().unwrap_or_default();
    let at = events.position(mark);
    let context = error
        .context_mark()
        .map(|mark| (mark, events.position(mark)));
    let line = line(text, mark);
    match error.problem() {
        "mapping values are not allowed in this context" => not_a_mapping(at, line),
        "could not find expected ':'" => {
            let at = context.map_or(at, |(_, at)| at);
            Problem::error("this line is neither `key: value` nor `- item`")
                .at(at)
                .hint("a colon is followed by a blank, and so is the dash of a list's item")
        }
        "found character that cannot start any token" => bad_start(at, line),
        "found unexpected end of stream" => {
            let at = context.map_or(at, |(_, at)| at);
            Problem::error("the quote that opens here is never closed")
                .at(at)
                .over(1)
        }
        "did not find expected key" | "did not find expected '-' indicator" => {
            not_in_block(error.problem(), at, line, context)
        }
        "did not find expected ',' or ']'" => unclosed('[', ']', at, line, context),
        "did not find expected ',' or '}'" => unclosed('{', '}', at, line, context),
        "block sequence entries are not allowed in this context" => Problem::error(
            "a list cannot begin here",
        )
        .at(at)
        .over(1)
        .hint(
            "put `-` on a line of its own, below the key; or quote a value that begins with `- `",
        ),
        other => {
            let what = match error.context() {
                Some(context) => format!("{context}: {other}"),
                None => other.to_owned(),
            };
            let problem = Problem::error(what).at(at);
            match context {
                Some((_, from)) if from != at => problem.note(format!(
                    "it began in line {}, column {}",
                    from.line, from.column
                )),
                _ => problem,
            }
        }
    }
}

/// A list or a mapping as a key: nearly always a template without quotes.
pub(super) fn unhashable(key: &Node, text: &str) -> Problem {
    let line = text
        .split('\n')
        .nth(key.at.line.saturating_sub(1) as usize)
        .unwrap_or("");
    let column = key.at.column as usize;
    let before = column
        .checked_sub(2)
        .and_then(|before| line.chars().nth(before));
    if before == Some('{') && line.chars().nth(column - 1) == Some('{') {
        let at = Position {
            column: key.at.column - 1,
            ..key.at
        };
        return Problem::error("a template must be quoted, or YAML reads it as a mapping")
            .at(at)
            .over(2)
            .hint(QUOTE_TEMPLATE);
    }
    Problem::error(format!("a key cannot be {}", key.kind()))
        .at(key.at)
        .hint("quote it, if it is meant as text")
}

fn not_a_mapping(at: Position, line: &str) -> Problem {
    let problem = Problem::error("a second `key: value` cannot begin here")
        .at(at)
        .over(1);
    let value = line.split_once(": ").map_or("", |(_, value)| value.trim());
    if value.contains(": ") || value.ends_with(':') {
        return problem.hint(format!(
            "quote a value that contains `: `: '{}'",
            value.replace('\'', "''")
        ));
    }
    problem.hint("is this line, or the one before, indented too far? Or does the one before lack its colon or a closing quote?")
}

fn bad_start(at: Position, line: &str) -> Problem {
    let c = line.chars().nth(at.column.saturating_sub(1) as usize);
    match c {
        Some('\t') => Problem::error("a tab cannot indent in YAML")
            .at(at)
            .over(1)
            .hint("use blanks"),
        Some(c @ ('@' | '`' | '%')) => Problem::error(format!("a value cannot begin with `{c}`"))
            .at(at)
            .over(1)
            .hint(format!(
                "quote it: \"{}\"",
                line.chars()
                    .skip(at.column as usize - 1)
                    .collect::<String>()
                    .trim_end()
            )),
        Some(c) => Problem::error(format!("a value cannot begin with `{c}`"))
            .at(at)
            .over(1),
        None => Problem::error("a value cannot begin here").at(at),
    }
}

fn not_in_block(
    what: &str,
    at: Position,
    line: &str,
    context: Option<(Mark, Position)>,
) -> Problem {
    let (expected, collection) = if what.ends_with("key") {
        ("a key", "the mapping")
    } else {
        ("`- `", "the list")
    };
    let mut problem = Problem::error(format!(
        "here must be {expected} of {collection}, or its end"
    ))
    .at(at);
    if let Some((_, from)) = context {
        problem = problem.note(format!(
            "{collection} began in line {}, column {}",
            from.line, from.column
        ));
        if from.column != at.column {
            problem = problem.note(format!("this is column {}", at.column));
        }
    }
    let column = at.column.saturating_sub(1) as usize;
    let before: String = line.chars().take(column).collect();
    let value = before
        .split_once(": ")
        .map_or(before.trim(), |(_, value)| value.trim());
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => problem.hint(format!(
            "a value that begins with a quote must end with it: put the whole value in {}",
            if quote == '"' { "'…'" } else { "\"…\"" }
        )),
        _ if value.starts_with("{{") => problem.hint(QUOTE_TEMPLATE),
        _ => problem.hint("entries of one collection begin in the same column"),
    }
}

fn unclosed(
    open: char,
    close: char,
    at: Position,
    line: &str,
    context: Option<(Mark, Position)>,
) -> Problem {
    let mut problem = Problem::error(format!("here must be `,` or `{close}`")).at(at);
    if let Some((_, from)) = context {
        problem = problem.note(format!(
            "`{open}` is in line {}, column {}",
            from.line, from.column
        ));
    }
    if line.contains("{{") {
        return problem.hint(QUOTE_TEMPLATE);
    }
    problem
}

/// The line that a mark points into.
fn line(text: &str, mark: Mark) -> &str {
    let number = usize::try_from(mark.line).unwrap_or(usize::MAX);
    text.split('\n')
        .nth(number)
        .unwrap_or("")
        .trim_end_matches('\r')
}
