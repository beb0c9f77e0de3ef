//! JSON, as Python's `json` module reads it. Ansible reads every file as JSON first, and as YAML only if that fails:
//! so `{"a": 1e3}` is a number in a file of JSON, though text in YAML.

use std::sync::Arc;

use rustle_template::{BigInt, Scalar};

use super::compose::MAX_DEPTH;
use super::node::{Mapping, Node, NodeValue, Style, Text, Vault};
use crate::source::{FileId, Position};

/// The document, if the text is JSON.
pub(super) fn read(text: &str, file: FileId) -> Option<Node> {
    let first = text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes();
    let begins = match first {
        [
            b'{' | b'[' | b'"' | b'0'..=b'9' | b't' | b'f' | b'n' | b'N' | b'I',
            ..,
        ] => true,
        [b'-', next, ..] => next.is_ascii_digit() || *next == b'I',
        _ => false,
    };
    if !begins {
        return None;
    }
    let mut reader = Reader {
        text,
        at: 0,
        line: 1,
        line_start: 0,
        file,
    };
    reader.blanks();
    let node = reader.value(0)?;
    reader.blanks();
    (reader.at == text.len()).then_some(node)
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    line: u32,
    line_start: usize,
    file: FileId,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn position(&self) -> Position {
        let column = self.text[self.line_start..self.at].chars().count();
        Position {
            file: self.file,
            line: self.line,
            column: u32::try_from(column + 1).unwrap_or(u32::MAX),
        }
    }

    fn blanks(&mut self) {
        for byte in self.rest().bytes() {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    self.at += 1;
                    self.line = self.line.saturating_add(1);
                    self.line_start = self.at;
                }
                _ => break,
            }
        }
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        if depth > MAX_DEPTH {
            return None;
        }
        let at = self.position();
        let value = match self.rest().as_bytes().first()? {
            b'{' => self.object(depth, at)?,
            b'[' => self.array(depth)?,
            b'"' => NodeValue::Str(self.text_value(false)?),
            b'-' | b'0'..=b'9' if !self.rest().starts_with("-I") => self.number()?,
            _ => self.word()?,
        };
        Some(Node { value, at })
    }

    fn word(&mut self) -> Option<NodeValue> {
        let words = [
            ("null", NodeValue::Null),
            ("true", NodeValue::Bool(true)),
            ("false", NodeValue::Bool(false)),
            ("NaN", NodeValue::Float(f64::NAN)),
            ("Infinity", NodeValue::Float(f64::INFINITY)),
            ("-Infinity", NodeValue::Float(f64::NEG_INFINITY)),
        ];
        words
            .into_iter()
            .find(|(word, _)| self.take(word))
            .map(|(_, value)| value)
    }

    fn array(&mut self, depth: usize) -> Option<NodeValue> {
        self.at += 1;
        let mut items = Vec::new();
        self.blanks();
        if !self.take("]") {
            loop {
                self.blanks();
                items.push(self.value(depth + 1)?);
                self.blanks();
                if self.take("]") {
                    break;
                }
                self.take(",").then_some(())?;
            }
        }
        Some(NodeValue::List(items.into()))
    }

    fn object(&mut self, depth: usize, at: Position) -> Option<NodeValue> {
        self.at += 1;
        let mut entries = Vec::new();
        self.blanks();
        if !self.take("}") {
            loop {
                self.blanks();
                let at = self.position();
                let key = NodeValue::Str(self.text_value(true)?);
                self.blanks();
                self.take(":").then_some(())?;
                self.blanks();
                entries.push((Node { value: key, at }, self.value(depth + 1)?));
                self.blanks();
                if self.take("}") {
                    break;
                }
                self.take(",").then_some(())?;
            }
        }
        Some(marked(Node::map(entries, at).value))
    }

    /// `-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?`
    fn number(&mut self) -> Option<NodeValue> {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| {
            bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        let mut end = usize::from(bytes[0] == b'-');
        end += match bytes.get(end)? {
            b'0' => 1,
            _ => digits(end),
        };
        if end == usize::from(bytes[0] == b'-') {
            return None;
        }
        let whole = end;
        if bytes.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
            let count = bytes
                .get(end + 1 + sign)
                .map_or(0, |_| digits(end + 1 + sign));
            if count > 0 {
                end += 1 + sign + count;
            }
        }
        let text = &self.rest()[..end];
        self.at += end;
        if end > whole {
            return text.parse().ok().map(NodeValue::Float);
        }
        if let Ok(number) = text.parse() {
            return Some(NodeValue::Int(number));
        }
        match Scalar::resolve(text) {
            Scalar::Big(big) => Some(NodeValue::Big(Arc::<BigInt>::new(big))),
            _ => None,
        }
    }

    /// A string. Ansible trusts values as templates, but not keys.
    fn text_value(&mut self, is_unsafe: bool) -> Option<Text> {
        self.take("\"").then_some(())?;
        let mut out = String::new();
        loop {
            let rest = self.rest();
            let stop = rest.find(|c: char| c == '"' || c == '\\' || c < ' ')?;
            out.push_str(&rest[..stop]);
            self.at += stop;
            match rest.as_bytes()[stop] {
                b'"' => break,
                b'\\' => out.push(self.escape()?),
                _ => return None,
            }
        }
        self.at += 1;
        Some(Text {
            text: out.into(),
            style: Style::Double,
            is_unsafe,
        })
    }

    fn escape(&mut self) -> Option<char> {
        let c = self.rest().chars().nth(1)?;
        self.at += 1 + c.len_utf8();
        Some(match c {
            '"' | '\\' | '/' => c,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let high = self.hex()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                self.take("\\u").then_some(())?;
                let low = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                char::from_u32(0x10000 + ((high - 0xd800) << 10) + low)?
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        let all = digits.bytes().all(|b| b.is_ascii_hexdigit());
        self.at += 4;
        all.then(|| u32::from_str_radix(digits, 16).ok())?
    }
}

/// Ansible's forms of tagged values in JSON.
fn marked(value: NodeValue) -> NodeValue {
    let NodeValue::Map(map) = &value else {
        return value;
    };
    match only_text(map) {
        Some(("__ansible_unsafe", text)) => NodeValue::Str(Text {
            is_unsafe: true,
            ..text.clone()
        }),
        Some(("__ansible_vault", text)) => NodeValue::Vault(Arc::new(Vault {
            ciphertext: text.text.to_string(),
        })),
        _ => value,
    }
}

fn only_text(map: &Mapping) -> Option<(&str, &Text)> {
    let mut entries = map.iter();
    match (entries.next(), entries.next()) {
        (
            Some((
                key,
                Node {
                    value: NodeValue::Str(text),
                    ..
                },
            )),
            None,
        ) => key.as_str().map(|key| (key, text)),
        _ => None,
    }
}
