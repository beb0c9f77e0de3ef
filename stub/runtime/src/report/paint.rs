//! Colours and columns of the terminal, as people know them from ansible-playbook.

/// What is said, and so in which colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Done, nothing changed.
    Ok,
    /// Something was changed.
    Changed,
    /// Not done.
    Skipped,
    /// Failed.
    Failed,
    /// The host could not be reached.
    Unreachable,
    /// A warning.
    Warning,
    /// A detail that is usually of no interest.
    Detail,
    /// A place in a difference.
    DiffPlace,
}

impl Colour {
    fn code(self) -> &'static str {
        match self {
            Colour::Ok => "0;32",
            Colour::Changed => "0;33",
            Colour::Skipped | Colour::DiffPlace => "0;36",
            Colour::Failed => "0;31",
            Colour::Unreachable => "1;31",
            Colour::Warning => "1;35",
            Colour::Detail => "1;30",
        }
    }
}

/// Wraps every line of `text` in the colour, the empty piece after a final newline too.
pub fn paint(text: &str, colour: Colour) -> String {
    let code = colour.code();
    let mut out = String::with_capacity(text.len() + 12);
    for (i, line) in text.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        out.push_str("\x1b[");
        out.push_str(code);
        out.push('m');
        out.push_str(line);
        out.push_str("\x1b[0m");
    }
    out
}

/// How many columns of a terminal the text takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(width).sum()
}

/// Columns of one character: none for combining marks, two for wide East Asian ones and pictures.
fn width(c: char) -> usize {
    match c as u32 {
        0x20..=0x2ff => 1,
        0..=0x1f
        | 0x300..=0x36f
        | 0x483..=0x489
        | 0x591..=0x5bd
        | 0x200b..=0x200f
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f
        | 0xfeff => 0,
        0x1100..=0x115f
        | 0x231a..=0x231b
        | 0x2614..=0x2615
        | 0x26a1
        | 0x2705
        | 0x274c
        | 0x2753..=0x2755
        | 0x2795..=0x2797
        | 0x2b50
        | 0x2e80..=0x303e
        | 0x3041..=0x33ff
        | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff
        | 0xa000..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_wrapped() {
        assert_eq!(
            paint("a\nb\n", Colour::Ok),
            "\x1b[0;32ma\x1b[0m\n\x1b[0;32mb\x1b[0m\n\x1b[0;32m\x1b[0m"
        );
    }

    #[test]
    fn columns_are_not_bytes() {
        assert_eq!(columns("aé漢e\u{301}"), 5);
    }
}
