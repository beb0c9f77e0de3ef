//! Differences as `--diff` shows them: the unified format with three lines of context.

use rustle_formats::{Map, Value};

use super::json_text::pretty;
use super::matching::{Run, runs};
use super::paint::{Colour, paint};
use super::python::python_str;

/// Lines that are shown around a change.
const CONTEXT: usize = 3;

/// The text of a result's `diff`, which is a mapping or a list of them. Empty where there is nothing to show.
pub fn render(diff: &Value, colour: bool) -> String {
    match diff {
        Value::List(list) => list.iter().map(|one| render(one, colour)).collect(),
        Value::Map(map) => render_one(map, colour),
        _ => String::new(),
    }
}

fn render_one(diff: &Map, colour: bool) -> String {
    let mut out = String::new();
    for (key, which) in [("dst", "destination"), ("src", "source")] {
        if truthy(diff.get(&format!("{key}_binary"))) {
            out.push_str(&format!(
                "diff skipped: {which} file appears to be binary\n"
            ));
        }
        if let Some(limit) = diff
            .get(&format!("{key}_larger"))
            .filter(|l| truthy(Some(l)))
        {
            out.push_str(&format!(
                "diff skipped: {which} file size is greater than {}\n",
                python_str(limit)
            ));
        }
    }
    if let (Some(before), Some(after)) = (diff.get("before"), diff.get("after")) {
        let (before, after) = (side(before), side(after));
        out.push_str(&unified(
            &before,
            &after,
            &header("before", diff.get("before_header")),
            &header("after", diff.get("after_header")),
            colour,
        ));
    }
    if let Some(prepared) = diff.get("prepared") {
        out.push_str(&side(prepared));
    }
    out
}

fn truthy(value: Option<&Value>) -> bool {
    !matches!(
        value,
        None | Some(Value::Null | Value::Bool(false) | Value::Int(0))
    )
}

/// One side as text: mappings as JSON over several lines.
fn side(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Map(map) => pretty(map) + "\n",
        other => python_str(other),
    }
}

fn header(which: &str, given: Option<&Value>) -> String {
    match given.filter(|v| !v.is_null()) {
        Some(text) => format!("{which}: {}", python_str(text)),
        None => which.to_owned(),
    }
}

/// The unified difference of two texts with an empty line behind it; nothing where they are the same.
fn unified(before: &str, after: &str, from: &str, to: &str, colour: bool) -> String {
    let a: Vec<&str> = before.split_inclusive('\n').collect();
    let b: Vec<&str> = after.split_inclusive('\n').collect();
    let groups = groups(&changes(&runs(&a, &b), a.len(), b.len()), a.len());
    if groups.is_empty() {
        return String::new();
    }
    let mut out = Out {
        text: String::new(),
        colour,
    };
    out.line("--- ", from, Some(Colour::Failed));
    out.line("+++ ", to, Some(Colour::Ok));
    for group in groups {
        let place = format!(
            "-{} +{} @@",
            range(group.a.0, group.a.1),
            range(group.b.0, group.b.1)
        );
        out.line("@@ ", &place, Some(Colour::DiffPlace));
        let mut at = group.a.0;
        for change in &group.changes {
            for line in &a[at..change.a.0] {
                out.line(" ", line, None);
            }
            for line in &a[change.a.0..change.a.1] {
                out.line("-", line, Some(Colour::Failed));
            }
            for line in &b[change.b.0..change.b.1] {
                out.line("+", line, Some(Colour::Ok));
            }
            at = change.a.1;
        }
        for line in &a[at..group.a.1] {
            out.line(" ", line, None);
        }
    }
    out.text.push('\n');
    out.text
}

struct Out {
    text: String,
    colour: bool,
}

impl Out {
    fn line(&mut self, mark: &str, line: &str, colour: Option<Colour>) {
        let heading = matches!(mark, "--- " | "+++ " | "@@ ");
        let mut text = format!("{mark}{line}");
        if !text.ends_with('\n') {
            text.push('\n');
            if !heading {
                text.push_str("\\ No newline at end of file\n");
            }
        }
        match colour.filter(|_| self.colour) {
            Some(colour) => self.text.push_str(&paint(&text, colour)),
            None => self.text.push_str(&text),
        }
    }
}

/// Lines `a` of the first text are replaced by lines `b` of the second; either may be empty.
#[derive(Debug, Clone, Copy)]
struct Change {
    a: (usize, usize),
    b: (usize, usize),
}

/// What stands between the runs.
fn changes(runs: &[Run], a_len: usize, b_len: usize) -> Vec<Change> {
    let mut out = Vec::new();
    let (mut a, mut b) = (0, 0);
    let end = Run {
        a: a_len,
        b: b_len,
        len: 0,
    };
    for run in runs.iter().chain([&end]) {
        if a < run.a || b < run.b {
            out.push(Change {
                a: (a, run.a),
                b: (b, run.b),
            });
        }
        a = run.a + run.len;
        b = run.b + run.len;
    }
    out
}

/// Changes that are shown together, with the ranges that they and their context cover.
struct Group {
    a: (usize, usize),
    b: (usize, usize),
    changes: Vec<Change>,
}

fn groups(changes: &[Change], a_len: usize) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for change in changes {
        match out.last_mut() {
            Some(group)
                if group
                    .changes
                    .last()
                    .is_some_and(|last| change.a.0 - last.a.1 <= 2 * CONTEXT) =>
            {
                group.changes.push(*change);
            }
            _ => {
                let lead = change.a.0.min(CONTEXT);
                out.push(Group {
                    a: (change.a.0 - lead, 0),
                    b: (change.b.0 - lead, 0),
                    changes: vec![*change],
                });
            }
        }
    }
    for group in &mut out {
        if let Some(last) = group.changes.last() {
            let trail = (a_len - last.a.1).min(CONTEXT);
            group.a.1 = last.a.1 + trail;
            group.b.1 = last.b.1 + trail;
        }
    }
    out
}

/// A range of lines as the unified format writes it.
fn range(from: usize, to: usize) -> String {
    match to - from {
        0 => format!("{from},0"),
        1 => format!("{}", from + 1),
        len => format!("{},{len}", from + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(json: &str, colour: bool) -> String {
        render(&serde_json::from_str(json).unwrap(), colour)
    }

    #[test]
    fn a_new_file() {
        assert_eq!(
            show(
                r#"{"before": "", "after": "a\nb\n", "after_header": "/x"}"#,
                false
            ),
            "--- before\n+++ after: /x\n@@ -0,0 +1,2 @@\n+a\n+b\n\n"
        );
    }

    #[test]
    fn missing_final_newlines() {
        assert_eq!(
            show(r#"{"before": "a\nb\nc\n", "after": "a\nB\nc"}"#, false),
            "--- before\n+++ after\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+c\n\\ No newline at end of file\n\n"
        );
    }

    #[test]
    fn mappings_and_colours() {
        assert_eq!(
            show(r#"{"before": {"s": 1}, "after": {"s": 2}}"#, true),
            "\x1b[0;31m--- before\x1b[0m\n\x1b[0;31m\x1b[0m\x1b[0;32m+++ after\x1b[0m\n\x1b[0;32m\x1b[0m\
             \x1b[0;36m@@ -1,3 +1,3 @@\x1b[0m\n\x1b[0;36m\x1b[0m {\n\
             \x1b[0;31m-    \"s\": 1\x1b[0m\n\x1b[0;31m\x1b[0m\x1b[0;32m+    \"s\": 2\x1b[0m\n\x1b[0;32m\x1b[0m }\n\n"
        );
    }

    #[test]
    fn nothing_to_show() {
        assert_eq!(show(r#"{"before": "a", "after": "a"}"#, false), "");
        assert_eq!(
            show(r#"{"src_binary": 1}"#, false),
            "diff skipped: source file appears to be binary\n"
        );
        assert_eq!(show(r#"[{"prepared": "p\n"}, {}]"#, false), "p\n");
    }
}
