//! What is wrong, where, and what may help: rendered for people as rustc does it.

use std::fmt::Write as _;

/// How grave it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// Nothing was done.
    Error,
    /// It was done, but not all has an effect.
    Warning,
    /// Good to know.
    Note,
}

/// A place in a file, with the line that stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Location {
    /// The file, as the user named it.
    pub(crate) file: String,
    /// The line, from 1; 0: the file as a whole.
    pub(crate) line: usize,
    /// The column in characters, from 1; 0: the line as a whole.
    pub(crate) column: usize,
    /// How many characters are to blame.
    pub(crate) length: usize,
    /// The line's text, where it is at hand.
    pub(crate) text: Option<String>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    /// How grave it is.
    pub(crate) level: Level,
    /// What is wrong.
    pub(crate) message: String,
    /// Where.
    pub(crate) location: Option<Location>,
    /// More about it, one line each.
    pub(crate) notes: Vec<String>,
    /// What may help.
    pub(crate) hint: Option<String>,
}

impl Diagnostic {
    /// A message without a place.
    pub(crate) fn new(level: Level, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            level,
            message: message.into(),
            location: None,
            notes: Vec::new(),
            hint: None,
        }
    }

    /// An error without a place.
    pub(crate) fn error(message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Level::Error, message)
    }

    /// With a place.
    pub(crate) fn at(mut self, location: Option<Location>) -> Diagnostic {
        self.location = location;
        self
    }

    /// With a hint.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Diagnostic {
        self.hint = Some(hint.into());
        self
    }

    /// With one more line about it.
    pub(crate) fn note(mut self, note: impl Into<String>) -> Diagnostic {
        self.notes.push(note.into());
        self
    }

    /// The text that is printed, with a final newline.
    pub(crate) fn render(&self, color: bool) -> String {
        let paint = Paint(color);
        let (name, style) = match self.level {
            Level::Error => ("error", RED),
            Level::Warning => ("warning", YELLOW),
            Level::Note => ("note", GREEN),
        };
        let mut out = format!(
            "{}: {}\n",
            paint.with(style, name),
            paint.with(BOLD, &printable(&self.message))
        );
        let width = self
            .location
            .as_ref()
            .map_or(1, |l| l.line.to_string().len());
        if let Some(location) = &self.location {
            render_location(&mut out, location, width, paint, style);
        }
        for note in &self.notes {
            let _ = writeln!(
                out,
                "{} {} {}",
                " ".repeat(width),
                paint.with(BLUE, "="),
                printable(note)
            );
        }
        if let Some(hint) = &self.hint {
            let _ = writeln!(out, "{}: {}", paint.with(CYAN, "hint"), printable(hint));
        }
        out
    }
}

fn render_location(out: &mut String, l: &Location, width: usize, paint: Paint, style: &str) {
    let mut place = printable(&l.file);
    if l.line > 0 {
        let _ = write!(place, ":{}", l.line);
        if l.column > 0 {
            let _ = write!(place, ":{}", l.column);
        }
    }
    let margin = " ".repeat(width);
    let _ = writeln!(out, "{margin}{} {place}", paint.with(BLUE, "-->"));
    let (Some(text), true) = (&l.text, l.line > 0) else {
        return;
    };
    let bar = paint.with(BLUE, "|");
    let window = Window::new(text, l.column.max(1), l.length);
    let number = paint.with(BLUE, &l.line.to_string());
    let _ = writeln!(out, "{margin} {bar}");
    let _ = writeln!(out, "{number} {bar} {}", window.text);
    if l.column > 0 {
        let _ = writeln!(
            out,
            "{margin} {bar} {}{}",
            " ".repeat(window.start),
            paint.with(style, &"^".repeat(window.length))
        );
    }
}

/// The part of a line that fits on a terminal, around the place that is meant. A plan may be one line of 100 MB.
struct Window {
    text: String,
    start: usize,
    length: usize,
}

/// The most characters of a line that are shown.
const SHOWN: usize = 110;

impl Window {
    fn new(line: &str, column: usize, length: usize) -> Window {
        let before = column - 1;
        let skip = if before > SHOWN * 2 / 3 {
            before - SHOWN / 3
        } else {
            0
        };
        let mut shown: String = line.chars().skip(skip).take(SHOWN).collect();
        let taken = shown.chars().count();
        shown = shown.chars().map(visible).collect();
        let more = line.chars().nth(skip + taken).is_some();
        let (lead, dots) = if skip > 0 { ("…", 1) } else { ("", 0) };
        let start = before.min(skip + taken) - skip;
        Window {
            start: start + dots,
            length: length.clamp(1, taken.saturating_sub(start).max(1)),
            text: format!("{lead}{}{}", shown.trim_end(), if more { "…" } else { "" }),
        }
    }
}

/// A character as one column: what a terminal would act upon is replaced.
fn visible(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// A text from outside, without what a terminal would act upon. Line breaks stay.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\n' { c } else { visible(c) })
        .collect()
}

const RED: &str = "1;31";
const YELLOW: &str = "1;33";
const GREEN: &str = "1;32";
const BLUE: &str = "1;34";
const CYAN: &str = "1;36";
const BOLD: &str = "1";

#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    fn with(self, style: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{style}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_like_rustc() {
        let shown = Diagnostic::error("unknown argument `onwer` for module `copy`")
            .at(Some(Location {
                file: "roles/web/tasks/main.yml".into(),
                line: 14,
                column: 7,
                length: 5,
                text: Some("      onwer: root".into()),
            }))
            .hint("did you mean `owner`?")
            .render(false);
        insta::assert_snapshot!(shown, @r"
        error: unknown argument `onwer` for module `copy`
          --> roles/web/tasks/main.yml:14:7
           |
        14 |       onwer: root
           |       ^^^^^
        hint: did you mean `owner`?
        ");
    }

    #[test]
    fn long_lines_and_control_characters_are_tamed() {
        let line = format!("{}\x1b[31m\"here\"{}", "x".repeat(500), "y".repeat(500));
        let shown = Diagnostic::error("bad\x1b[0m")
            .at(Some(Location {
                file: "p".into(),
                line: 1,
                column: 506,
                length: 6,
                text: Some(line),
            }))
            .render(false);
        assert!(!shown.contains('\x1b'));
        let lines: Vec<&str> = shown.lines().collect();
        let caret = lines[4].chars().position(|c| c == '^').unwrap();
        assert_eq!(
            lines[3].chars().skip(caret).take(6).collect::<String>(),
            "\"here\""
        );
        assert!(lines[3].chars().count() < 130);
    }
}
