//! Results of tasks as YAML, for people: texts of several lines in literal blocks, as libyaml writes them.

use rustle_formats::Value as Data;

use super::emit::{Emitter, Style, emit};
use super::flow::escape;
use crate::Error;
use crate::value::Value;

/// Columns between the tab stops of texts that are shown.
const TAB: usize = 8;

/// How results are written: the widths of Ansible's display.
pub(super) fn style(pretty: bool) -> Style {
    Style {
        indent: if pretty { 4 } else { 2 },
        flow: Some(false),
        literal: Some(pretty),
        ..Style::default()
    }
}

/// A result as YAML, without indentation. With `pretty` it is for reading: what would keep a text of several lines out of
/// a literal block (tabs, spaces at the ends of lines, characters that are not printed) is put right, so that not every
/// byte of it is told.
///
/// # Errors
/// Where the data is nested too deeply.
pub fn yaml_result(data: &Data, pretty: bool) -> Result<String, Error> {
    let text = emit(&Value::from_formats(data, false), &style(pretty))?;
    // A block that keeps its last newlines needs an end.
    Ok(match text.ends_with("\n\n") {
        true => text + "...\n",
        false => text,
    })
}

/// A text of several lines, so that it can be a literal block.
fn readable(text: &str) -> String {
    let mut out = String::new();
    for line in text.split('\n') {
        let mut column = 0;
        let mut shown = String::new();
        for c in line.chars() {
            if c == '\t' {
                let missing = TAB - column % TAB;
                shown.extend(std::iter::repeat_n(' ', missing));
                column += missing;
            } else {
                column += 1;
                if !is_control(c) {
                    shown.push(c);
                }
            }
        }
        out.push_str(shown.trim_end());
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

fn is_control(c: char) -> bool {
    c < ' ' || ('\u{7f}'..'\u{a0}').contains(&c) && c != '\u{85}'
}

/// Whether a character is written as it is, to libyaml.
fn is_printable(c: char) -> bool {
    (' '..='~').contains(&c)
        || matches!(c, '\u{85}' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

/// Whether a literal block can hold it.
fn fits_block(text: &str) -> bool {
    !text.is_empty()
        && !text.ends_with(' ')
        && !text.contains(" \n")
        && text.chars().all(|c| c == '\n' || is_printable(c))
}

impl Emitter<'_> {
    /// Writes a text in the way that results have, where that is another than in other documents. `simple`: it stands
    /// where nothing but one line can.
    pub(super) fn write_result_text(&mut self, text: &str, indent: usize, simple: bool) -> bool {
        let Some(pretty) = self.style.literal else {
            return false;
        };
        let several = text.contains('\n');
        if !several && text.chars().all(is_printable) {
            return false;
        }
        let put_right = if several && pretty {
            readable(text)
        } else {
            text.to_owned()
        };
        if several && !simple && fits_block(&put_right) {
            self.write_literal(&put_right, indent);
        } else {
            self.write_escaped(&put_right, indent, !simple);
        }
        true
    }

    fn write_literal(&mut self, text: &str, indent: usize) {
        let mut hints = String::from("|");
        if text.starts_with([' ', '\n']) {
            hints.push_str(&self.style.indent.to_string());
        }
        if !text.ends_with('\n') {
            hints.push('-');
        } else if text == "\n" || text.ends_with("\n\n") {
            hints.push('+');
        }
        self.indicator(&hints, true, false, false);
        let lines = text.strip_suffix('\n').unwrap_or(text);
        for line in lines.split('\n') {
            self.line_break();
            if !line.is_empty() {
                self.write_indent(indent);
                self.out.push_str(line);
                self.column += line.chars().count();
            }
            self.whitespace = false;
            self.indention = false;
        }
        self.line_break();
    }

    fn write_escaped(&mut self, text: &str, indent: usize, split: bool) {
        self.indicator("\"", true, false, false);
        let chars: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (index, c) in chars.iter().copied().enumerate() {
            let inner = 0 < index && index + 1 < chars.len();
            if c == ' ' {
                if split && !after_space && inner && self.column > self.style.width {
                    self.write_indent(indent);
                    if chars[index + 1] == ' ' {
                        self.out.push('\\');
                        self.column += 1;
                    }
                } else {
                    self.out.push(' ');
                    self.column += 1;
                }
                after_space = true;
                continue;
            }
            let shown = if is_printable(c)
                && !matches!(c, '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}')
            {
                c.to_string()
            } else {
                escape(c)
            };
            self.column += shown.chars().count();
            self.out.push_str(&shown);
            after_space = false;
        }
        self.indicator("\"", false, false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str, pretty: bool) -> String {
        yaml_result(&serde_json::from_str(json).unwrap(), pretty).unwrap()
    }

    /// As ansible-core 2.19.14 prints them with `callback_result_format = yaml`.
    #[test]
    fn texts_of_several_lines() {
        let data = r##"{"a":"two\nlines\n","c":"one\n\n","d":"  lead\nx","e":"tab\tin\nnext","f":"trail  \nnext  ",
            "j":"a\rb","k":"\u0001ctl\nx","n":"\n","o":"\n\n x","p":{"r":["l\nm",{"s":"t\nu"}]},"q":"wide 😀\nx"}"##;
        insta::assert_snapshot!(shown(data, true), @r#"
        a: |-
            two
            lines
        c: |-
            one
        d: |4-
              lead
            x
        e: |-
            tab     in
            next
        f: |-
            trail
            next
        j: "a\rb"
        k: |-
            ctl
            x
        n: ""
        o: |4-


             x
        p:
            r:
            - |-
                l
                m
            -   s: |-
                    t
                    u
        q: "wide \U0001F600\nx"
        "#);
        insta::assert_snapshot!(shown(data, false), @r#"
        a: |
          two
          lines
        c: |+
          one

        d: |2-
            lead
          x
        e: "tab\tin\nnext"
        f: "trail  \nnext  "
        j: "a\rb"
        k: "\x01ctl\nx"
        n: |2+

        o: |2-


           x
        p:
          r:
          - |-
            l
            m
          - s: |-
              t
              u
        q: "wide \U0001F600\nx"
        "#);
    }

    #[test]
    fn long_texts_are_folded_between_words() {
        let long = format!("{{\"m\":\"{}\\tend\"}}", "a word ".repeat(14));
        insta::assert_snapshot!(shown(&long, false), @r#"
        m: "a word a word a word a word a word a word a word a word a word a word a word a
          word a word a word \tend"
        "#);
    }
}
