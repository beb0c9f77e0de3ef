//! The block above a failure that says what went wrong and where it was written.

use rustle_formats::Value;
use rustle_formats::plan::Source;

use super::python::python_str;
use crate::modules;
use crate::spec::Place;

/// Where the text of playbooks can be read, for the lines around a failing task. An artifact has none.
pub trait Excerpts {
    /// The text of the file, if it can be had.
    fn text(&self, file: &str) -> Option<String>;

    /// Why the task that stands at `task` failed with `message`, outermost cause first: each with its own place. `None`
    /// where nothing more is known than the message.
    fn causes(&self, _task: &Source, _module: &str, _message: &str) -> Option<Vec<Cause>> {
        None
    }
}

/// One of the causes of a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The sentence.
    pub message: String,
    /// Where what it speaks of is written.
    pub at: Option<Source>,
    /// What stands below the place: what can be done about it.
    pub help: Option<String>,
}

/// The longest line that is shown whole, with its number.
const LONGEST: usize = 120;

/// The block for a failed task or item: text without the final newline.
pub fn describe(
    result: &Value,
    module: &str,
    source: Option<&Source>,
    excerpts: Option<&dyn Excerpts>,
) -> String {
    let (sentence, cause) = sentence(result, module);
    if let (Some(known), Some(source)) = (excerpts, source)
        && let Some(causes) = known.causes(source, module, &sentence)
    {
        return chain(&sentence, &causes, excerpts);
    }
    let origin = source.filter(|s| s.line > 0).map(|s| origin(s, excerpts));
    match (cause, origin) {
        (None, None) => format!("[ERROR]: {sentence}\n"),
        (None, Some(origin)) => format!("[ERROR]: {sentence}\n{origin}\n"),
        (Some(cause), None) => format!("[ERROR]: {sentence}\n\n<<< caused by >>>\n\n{cause}\n"),
        (Some(cause), Some(origin)) => {
            let first = match cause.ends_with('\n') {
                true => "Task failed: Action failed.",
                false => "Task failed.",
            };
            format!("[ERROR]: {sentence}\n\n{first}\n{origin}\n<<< caused by >>>\n\n{cause}\n")
        }
    }
}

/// Each cause in a paragraph of its own; a single one is the sentence itself.
fn chain(sentence: &str, causes: &[Cause], excerpts: Option<&dyn Excerpts>) -> String {
    let paragraph = |cause: &Cause| {
        let mut out = cause.at.as_ref().map_or_else(String::new, |at| {
            let mut place = origin(at, excerpts);
            place.push('\n');
            place
        });
        if let Some(help) = &cause.help {
            out.push_str(&format!("{help}\n\n"));
        }
        out
    };
    if let [only] = causes {
        return format!("[ERROR]: {sentence}\n{}", paragraph(only));
    }
    let told: Vec<String> = causes
        .iter()
        .map(|cause| format!("{}\n{}", cause.message, paragraph(cause)))
        .collect();
    format!(
        "[ERROR]: {sentence}\n\n{}",
        told.join("<<< caused by >>>\n\n")
    )
}

/// What is wrong with a loop's items is told without any "Task failed".
const OF_LOOPS: [&str; 3] = [
    "The `loop` value must ",
    "The lookup plugin '",
    "Error rendering template: ",
];
/// How the sentences begin that the engine's own modules say of their arguments.
const OF_ARGUMENTS: [&str; 7] = [
    "This action (",
    "argument 'var' is of type ",
    "parameters are mutually exclusive: ",
    "missing required arguments: ",
    "Unsupported parameters for (",
    "No key/value pairs provided",
    "Invalid options for ",
];

/// Whether a failure came before its module had anything to show.
pub(super) fn is_early(msg: &str) -> bool {
    let begins = |known: &[&str]| known.iter().any(|k| msg.starts_with(k));
    msg.starts_with("Task failed: ") || begins(&OF_LOOPS) || begins(&OF_ARGUMENTS)
}

/// The sentence, and its cause where that is told once more.
fn sentence(result: &Value, module: &str) -> (String, Option<String>) {
    // Why something could not be included.
    if let (None, Some(reason)) = (
        result.get("msg"),
        result.get("reason").and_then(Value::as_str),
    ) {
        return (reason.to_owned(), None);
    }
    // A module whose part on the controller says it in other words.
    if let Some(told) = result.get("_ansible_told").and_then(Value::as_str) {
        return (told.to_owned(), None);
    }
    let msg = result.get("msg").map_or_else(String::new, python_str);
    let unreachable = result.get("unreachable").and_then(Value::as_bool) == Some(true);
    if let Some(cause) = msg.strip_prefix("Task failed: ") {
        let alone = [
            "Action failed",
            "Module failed",
            "Timed out ",
            "Timeout ",
            "Premature end of stream waiting for become ",
            "Duplicate become password prompt ",
            "Invalid become method specified",
            "Missing ",
            "Incorrect ",
            "Action '",
            "couldn't resolve module/action",
            "module (",
        ];
        let again = !unreachable && !alone.iter().any(|a| cause.starts_with(a));
        let cause = again.then(|| cause.to_owned());
        return (msg, cause);
    }
    if unreachable {
        return (format!("Task failed: {msg}"), None);
    }
    if OF_LOOPS.iter().any(|l| msg.starts_with(l)) {
        return (msg, None);
    }
    // What a module has printed is no result: the caller could not do its part.
    if msg.starts_with("Module result deserialization failed") {
        let cause = format!("{msg} See stdout/stderr for the returned output.\n");
        return (format!("Task failed: Action failed: {msg}"), Some(cause));
    }
    let here = modules::find(module).is_some_and(|m| m.spec().place == Place::Engine);
    if msg.starts_with("This action (") || (here && is_early(&msg)) {
        return (format!("Task failed: {msg}"), None);
    }
    // A module that failed says why, and its command, if it ran one, ended badly: else a condition made it a failure.
    let judged = result.get("failed_when_result").and_then(Value::as_bool) == Some(true);
    let by_condition = match result.get("rc").and_then(Value::as_i64) {
        Some(code) => code == 0,
        None => judged,
    };
    let censored = result.get("censored").is_some();
    let who = if here || module == "raw" || by_condition || (msg.is_empty() && !censored) {
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
            lines.push_str(shortened(&format!("{number:>digits$} {line}")).trim_end());
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
