//! The events of libyaml, which is what Ansible reads with, by way of its port to Rust.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use libyaml_safer::{Error, EventData, Mark, Parser, ScalarStyle};

use crate::source::{FileId, Position};

/// How much of the text the parser sees at once: it keeps what it sees as characters of four bytes.
const CHUNK: usize = 4096;

/// The events of a text, each with its place.
pub(super) struct Events<'t> {
    parser: Parser<Chunks<'t>>,
    file: FileId,
    text: &'t str,
    inserted: &'t [usize],
}

impl<'t> Events<'t> {
    /// `inserted` are the offsets of blanks that are not in the file: see [`separated`].
    pub(super) fn new(text: &'t str, inserted: &'t [usize], file: FileId) -> Events<'t> {
        let mut parser = Parser::new();
        parser.set_input(Chunks::of(text));
        parser.set_encoding(libyaml_safer::Encoding::Utf8);
        Events {
            parser,
            file,
            text,
            inserted,
        }
    }

    /// The next event and where it begins.
    pub(super) fn next(&mut self) -> Result<(EventData, Position), Error> {
        let mut event = self.parser.parse()?;
        let at = self.position(event.start_mark);
        if let EventData::Scalar {
            value,
            style: ScalarStyle::Literal | ScalarStyle::Folded,
            ..
        } = &mut event.data
            && is_open(self.text)
            && event.end_mark.index >= self.text.len() as u64
            && value.ends_with('\n')
        {
            // The break that was added is not the text's.
            value.pop();
        }
        Ok((event.data, at))
    }

    /// Where a mark is in the file.
    pub(super) fn position(&self, mark: Mark) -> Position {
        let mut column = mark.column;
        if !self.inserted.is_empty() {
            let index = usize::try_from(mark.index).unwrap_or(usize::MAX);
            let before = self.text.get(..index).unwrap_or(self.text);
            let line = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
            let added = self.inserted.iter().filter(|at| (line..index).contains(at));
            column = column.saturating_sub(added.count() as u64);
        }
        Position {
            file: self.file,
            line: u32::try_from(mark.line + 1).unwrap_or(u32::MAX),
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }
}

/// A text, handed out in pieces.
struct Chunks<'t> {
    rest: &'t [u8],
    /// What follows it.
    more: &'static [u8],
}

impl<'t> Chunks<'t> {
    fn of(text: &'t str) -> Chunks<'t> {
        Chunks {
            rest: text.as_bytes(),
            more: if is_open(text) { b"\n" } else { b"" },
        }
    }

    /// Goes on to what follows the text.
    fn turn(&mut self) {
        if self.rest.is_empty() {
            self.rest = std::mem::take(&mut self.more);
        }
    }
}

/// Whether a text may end in a block scalar and without a line break. The parser panics there, where libyaml does not; so
/// it sees one.
fn is_open(text: &str) -> bool {
    let last = text.rsplit(['\n', '\r']).next().unwrap_or_default();
    !last.trim().is_empty() && last.len() < text.len() && text.contains(['|', '>'])
}

impl Read for Chunks<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.turn();
        let count = self.rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.rest[..count]);
        self.rest = &self.rest[count..];
        Ok(count)
    }
}

impl BufRead for Chunks<'_> {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.turn();
        Ok(&self.rest[..self.rest.len().min(CHUNK)])
    }

    fn consume(&mut self, count: usize) {
        self.rest = &self.rest[count..];
    }
}

/// The text with a blank between every tag and the comma that follows it, and where the blanks are. Without it the
/// parser panics at `[!tag, x]`, an empty value with a tag, which libyaml accepts. Nearly every text is unchanged.
pub(super) fn separated(text: &str) -> (Cow<'_, str>, Vec<usize>) {
    let mut candidates = candidates(text);
    if candidates.is_empty() {
        return (Cow::Borrowed(text), candidates);
    }
    // A place inside a scalar is no tag. The blanks move nothing across the borders of scalars, so that one look
    // with all of them tells which ones may stay.
    let (trial, places) = insert(text, &candidates);
    let mut parser = Parser::new();
    parser.set_input(Chunks::of(&trial));
    let mut inside = vec![false; places.len()];
    while let Ok(event) = parser.parse() {
        match event.data {
            EventData::StreamEnd => break,
            EventData::Scalar { .. } => {
                let (from, to) = (event.start_mark.index, event.end_mark.index);
                for (place, inside) in places.iter().zip(&mut inside) {
                    *inside |= (from + 1..to).contains(&(*place as u64));
                }
            }
            _ => {}
        }
    }
    let mut inside = inside.into_iter();
    candidates.retain(|_| !inside.next().unwrap_or(false));
    let (text, places) = insert(text, &candidates);
    (Cow::Owned(text), places)
}

/// The offsets of commas that follow what may be a tag.
fn candidates(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let mut out = Vec::new();
    let mut from = 0;
    while let Some(start) = text.get(from..).and_then(|rest| rest.find('!')) {
        let start = from + start;
        // `!<…>` may contain anything.
        let verbatim = bytes.get(start + 1) == Some(&b'<');
        let stop = |b: &u8| b" \t\r\n,[]{}".contains(b) && !(verbatim && b",[]".contains(b));
        let length = bytes[start..].iter().position(stop);
        let end = length.map_or(bytes.len(), |length| start + length);
        if bytes.get(end) == Some(&b',') {
            out.push(end);
        } else if verbatim {
            let closed = bytes[start..end].windows(2).position(|pair| pair == b">,");
            out.extend(closed.map(|at| start + at + 1));
        }
        // What begins as a verbatim tag and does not end as one is looked through again: the scanner may end it anywhere.
        let open = verbatim && !bytes[start..end].contains(&b'>');
        from = if open { start + 2 } else { end };
    }
    out
}

fn insert(text: &str, places: &[usize]) -> (String, Vec<usize>) {
    let mut out = String::with_capacity(text.len() + places.len());
    let mut moved = Vec::with_capacity(places.len());
    let mut from = 0;
    for place in places {
        out.push_str(&text[from..*place]);
        moved.push(out.len());
        out.push(' ');
        from = *place;
    }
    out.push_str(&text[from..]);
    (out, moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_scalar_may_end_with_the_text_whatever_breaks_lines() {
        assert!(is_open("a: |\n b") && is_open(">#z!,\r 3") && is_open("a: >\r\n b"));
        assert!(!is_open("a: |\n b\n") && !is_open("a: b"));
    }

    #[test]
    fn only_tags_are_separated() {
        assert_eq!(separated("[!a, b]").0, "[!a , b]");
        assert_eq!(
            separated("a: Hello !a, b\nb: [!a, 'x !a, y']\n").0,
            "a: Hello !a, b\nb: [!a , 'x !a, y']\n"
        );
        assert_eq!(separated("[x!a, \u{85}!a,").0, "[x!a , \u{85}!a ,");
        assert_eq!(separated("[!<tag:x,y>, b]").0, "[!<tag:x,y> , b]");
        // Found by the fuzzer: the first tag has no end.
        assert_eq!(separated("[Y!<[,!Y,?").0, "[Y!<[,!Y ,?");
        assert!(matches!(separated("a: b").0, Cow::Borrowed(_)));
    }
}
