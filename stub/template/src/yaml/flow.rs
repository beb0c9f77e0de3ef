//! Scalars: which styles a text may be written in, and writing it, folded at the width.

use super::emit::Emitter;

/// What a text allows.
pub(super) struct Scalar {
    pub(super) multiline: bool,
    pub(super) flow_plain: bool,
    pub(super) block_plain: bool,
    pub(super) single_quoted: bool,
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: Option<&char>) -> bool {
    c.is_none_or(|c| matches!(c, '\0' | ' ' | '\t' | '\r') || is_break(*c))
}

impl Scalar {
    /// Looks at a text.
    pub(super) fn analyse(text: &str, unicode: bool) -> Scalar {
        if text.is_empty() {
            return Scalar {
                multiline: false,
                flow_plain: false,
                block_plain: true,
                single_quoted: true,
            };
        }
        let chars: Vec<char> = text.chars().collect();
        let document = text.starts_with("---") || text.starts_with("...");
        let (mut flow, mut block) = (document, document);
        let (mut special, mut breaks, mut break_space, mut space_break) =
            (false, false, false, false);
        for (index, c) in chars.iter().copied().enumerate() {
            let before_blank = index == 0 || is_blank(chars.get(index - 1));
            let after_blank = is_blank(chars.get(index + 1));
            if index == 0 {
                let indicator = "#,[]{}&*!|>'\"%@`".contains(c) || c == '-' && after_blank;
                flow |= indicator || c == '?' || c == ':';
                block |= indicator || matches!(c, '?' | ':') && after_blank;
            } else {
                let comment = c == '#' && before_blank;
                flow |= ",?[]{}:".contains(c) || comment;
                block |= c == ':' && after_blank || comment;
            }
            breaks |= is_break(c);
            if !(c == '\n' || (' '..='~').contains(&c)) {
                let printable = (c == '\u{85}' || c >= '\u{a0}')
                    && !matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}');
                special |= !printable || !unicode;
            }
            if index > 0 {
                break_space |= c == ' ' && is_break(chars[index - 1]);
                space_break |= is_break(c) && chars[index - 1] == ' ';
            }
        }
        let edge = |c: Option<&char>| c.is_some_and(|c| *c == ' ' || is_break(*c));
        let edges = edge(chars.first()) || edge(chars.last());
        let plain = !edges && !break_space && !space_break && !special && !breaks;
        Scalar {
            multiline: breaks,
            flow_plain: plain && !flow,
            block_plain: plain && !block,
            single_quoted: !break_space && !space_break && !special,
        }
    }
}

impl Emitter<'_> {
    fn write(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn space_before(&mut self) {
        if !self.whitespace {
            self.write(" ");
        }
    }
}

pub(super) fn write_plain(emitter: &mut Emitter<'_>, text: &str, indent: usize, split: bool) {
    emitter.space_before();
    emitter.whitespace = false;
    emitter.indention = false;
    for (space, piece) in runs(text, |c| c == ' ') {
        if space && piece.len() == 1 && split && emitter.column > emitter.style.width {
            emitter.write_indent(indent);
            emitter.whitespace = false;
            emitter.indention = false;
        } else {
            emitter.write(piece);
        }
    }
}

/// A text in runs of characters that are, or are not, of a kind.
fn runs(text: &str, kind: impl Fn(char) -> bool) -> Vec<(bool, &str)> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_kind = kind(first);
        let end = rest.find(|c| kind(c) != is_kind).unwrap_or(rest.len());
        out.push((is_kind, &rest[..end]));
        rest = &rest[end..];
    }
    out
}

pub(super) fn write_single_quoted(
    emitter: &mut Emitter<'_>,
    text: &str,
    indent: usize,
    split: bool,
) {
    emitter.space_before();
    emitter.write("'");
    emitter.whitespace = false;
    emitter.indention = false;
    let mut at = 0;
    for (is_space, piece) in runs(text, |c| c == ' ') {
        let inner = at != 0 && at + piece.len() != text.len();
        at += piece.len();
        if is_space {
            if piece.len() == 1 && emitter.column > emitter.style.width && split && inner {
                emitter.write_indent(indent);
                emitter.whitespace = false;
                emitter.indention = false;
            } else {
                emitter.write(piece);
            }
            continue;
        }
        for (breaks, part) in runs(piece, is_break) {
            if !breaks {
                emitter.write(&part.replace('\'', "''"));
                continue;
            }
            if part.starts_with('\n') {
                emitter.line_break();
            }
            for c in part.chars() {
                if c == '\n' {
                    emitter.line_break();
                } else {
                    emitter.out.push(c);
                    emitter.column = 0;
                    emitter.whitespace = true;
                    emitter.indention = true;
                }
            }
            emitter.write_indent(indent);
            emitter.whitespace = false;
            emitter.indention = false;
        }
    }
    emitter.write("'");
    emitter.whitespace = false;
    emitter.indention = false;
}

pub(super) fn escape(c: char) -> String {
    let short = match c {
        '\0' => "0",
        '\u{7}' => "a",
        '\u{8}' => "b",
        '\t' => "t",
        '\n' => "n",
        '\u{b}' => "v",
        '\u{c}' => "f",
        '\r' => "r",
        '\u{1b}' => "e",
        '"' => "\"",
        '\\' => "\\",
        '\u{85}' => "N",
        '\u{a0}' => "_",
        '\u{2028}' => "L",
        '\u{2029}' => "P",
        c => {
            return match c as u32 {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0x100..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

pub(super) fn write_double_quoted(
    emitter: &mut Emitter<'_>,
    text: &str,
    indent: usize,
    split: bool,
) {
    emitter.space_before();
    emitter.write("\"");
    emitter.whitespace = false;
    emitter.indention = false;
    let chars: Vec<char> = text.chars().collect();
    let unicode = emitter.style.unicode;
    let plain = |c: char| {
        let shown = (' '..='~').contains(&c)
            || unicode
                && (('\u{a0}'..='\u{d7ff}').contains(&c) || ('\u{e000}'..='\u{fffd}').contains(&c));
        shown
            && !matches!(
                c,
                '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
            )
    };
    let mut start = 0;
    for end in 0..=chars.len() {
        let current = chars.get(end).copied();
        if current.is_none_or(|c| !plain(c)) {
            if start < end {
                emitter.write(&chars[start..end].iter().collect::<String>());
                start = end;
            }
            if let Some(c) = current {
                emitter.write(&escape(c));
                start = end + 1;
            }
        }
        let inner = 0 < end && end + 1 < chars.len();
        let length = end.saturating_sub(start);
        if inner
            && (current == Some(' ') || start >= end)
            && emitter.column + length > emitter.style.width
            && split
        {
            if start < end {
                emitter.write(&chars[start..end].iter().collect::<String>());
                start = end;
            }
            emitter.write("\\");
            emitter.write_indent(indent);
            emitter.whitespace = false;
            emitter.indention = false;
            if chars.get(start) == Some(&' ') {
                emitter.write("\\");
            }
        }
    }
    emitter.write("\"");
    emitter.whitespace = false;
    emitter.indention = false;
}
