//! The block above a failure that says what went wrong and where it was written.

use rustle_formats::Value;
use rustle_formats::plan::Source;

use crate::modules;
use crate::spec::Place;

/// Where the text of playbooks can be read, for the lines around a failing task. An artifact has none.
pub trait Excerpts {
    /// The text of the file, if it can be had.
    fn text(&self, file: &str) -> Option<String>;
}

/// The longest line that is shown whole.
const LONGEST: usize = 120;

/// The block for a failed task or item: text without the final newline.
pub(super) fn describe(
    result: &Value,
    module: &str,
    source: Option<&Source>,
    excerpts: Option<&dyn Excerpts>,
) -> String {
    let (sentence, cause) = sentence(result, module);
    let origin = source.filter(|s| s.line > 0).map(|s| origin(s, excerpts));
    match (cause, origin) {
        (None, None) => format!("[ERROR]: {sentence}\n"),
        (None, Some(origin)) => format!("[ERROR]: {sentence}\n{origin}\n"),
        (Some(cause), None) => format!("[ERROR]: {sentence}\n\n<<< caused by >>>\n\n{cause}\n"),
        (Some(cause), Some(origin)) => {
            format!("[ERROR]: {sentence}\n\nTask failed.\n{origin}\n<<< caused by >>>\n\n{cause}\n")
        }
    }
}

/// The sentence, and its cause where that is told once more.
fn sentence<'a>(result: &'a Value, module: &str) -> (String, Option<&'a str>) {
    // Why something could not be included.
    if let (None, Some(reason)) = (
        result.get("msg"),
        result.get("reason").and_then(Value::as_str),
    ) {
        return (reason.to_owned(), None);
    }
    let msg = result.get("msg").and_then(Value::as_str).unwrap_or("");
    let unreachable = result.get("unreachable").and_then(Value::as_bool) == Some(true);
    if let Some(cause) = msg.strip_prefix("Task failed: ") {
        let again = !unreachable
            && !cause.starts_with("Action failed")
            && !cause.starts_with("Module failed");
        return (msg.to_owned(), again.then_some(cause));
    }
    if unreachable {
        return (format!("Task failed: {msg}"), None);
    }
    let by_condition = result.get("failed_when_result").and_then(Value::as_bool) == Some(true)
        && result.get("rc").and_then(Value::as_i64).unwrap_or(0) == 0;
    let here = modules::find(module).is_some_and(|m| m.spec().place == Place::Engine);
    let who = if here || by_condition {
        "Action"
    } else {
        "Module"
    };
    (
        if msg.is_empty() {
            format!("Task failed: {who} failed.")
        } else {
            format!("Task failed: {who} failed: {msg}")
        },
        None,
    )
}

/// `Origin: FILE:LINE:COLUMN` and, where the file can be read, the line with the two before it.
fn origin(source: &Source, excerpts: Option<&dyn Excerpts>) -> String {
    let mut out = format!("Origin: {}:{}", source.file, source.line);
    if source.column > 0 {
        out.push_str(&format!(":{}", source.column));
    }
    out.push('\n');
    let Some(text) = excerpts.and_then(|e| e.text(&source.file)) else {
        return out;
    };
    let last = source.line as usize;
    let first = last.saturating_sub(2).max(1);
    let digits = last.to_string().len();
    let mut lines = String::new();
    let mut complete = false;
    for (number, line) in text.lines().enumerate().map(|(i, l)| (i + 1, l)) {
        if number > last {
            break;
        }
        if number >= first {
            lines.push_str(format!("{number:>digits$} {}", shortened(line)).trim_end());
            lines.push('\n');
            complete = number == last;
        }
    }
    if complete {
        out.push('\n');
        out.push_str(&lines);
        if source.column > 0 {
            let at = digits + source.column as usize;
            out.push_str(&format!("{:at$}^ column {}\n", "", source.column));
        }
    }
    out
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= LONGEST {
        return line.to_owned();
    }
    let mut out: String = line.chars().take(LONGEST - 3).collect();
    out.push_str("...");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Text(&'static str);
    impl Excerpts for Text {
        fn text(&self, _: &str) -> Option<String> {
            Some(self.0.to_owned())
        }
    }

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn the_place_is_shown() {
        let source = Source {
            file: "a.yml".into(),
            line: 10,
            column: 7,
        };
        let text = Text("1\n2\n3\n4\n5\n6\n7\n    - a:\n        b: c\n    - name: x\n");
        assert_eq!(
            describe(
                &value(r#"{"msg": "bad"}"#),
                "fail",
                Some(&source),
                Some(&text)
            ),
            "[ERROR]: Task failed: Action failed: bad\nOrigin: a.yml:10:7\n\n 8     - a:\n 9         b: c\n\
             10     - name: x\n         ^ column 7\n\n"
        );
        assert_eq!(
            describe(&value(r#"{"msg": "bad"}"#), "fail", Some(&source), None),
            "[ERROR]: Task failed: Action failed: bad\nOrigin: a.yml:10:7\n\n"
        );
    }

    #[test]
    fn causes_are_told_again() {
        assert_eq!(
            describe(
                &value(r#"{"msg": "Task failed: no x"}"#),
                "copy",
                None,
                None
            ),
            "[ERROR]: Task failed: no x\n\n<<< caused by >>>\n\nno x\n"
        );
    }
}
