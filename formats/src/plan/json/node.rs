//! A JSON text as a tree that knows where each part stands.
//!
//! The ordinary way of reading a plan does without it. It is built when something is wrong, to say where, and for the
//! plans of other tools, whose fields are taken one by one.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::decode::Fault;
use crate::value::MAX_DEPTH;

/// A value and its place in the text.
#[derive(Debug)]
pub(in crate::plan) struct Node<'t> {
    /// The bytes of the text that it covers.
    pub(in crate::plan) span: Range<usize>,
    /// What it is.
    pub(in crate::plan) kind: Kind<'t>,
}

/// What a value is.
#[derive(Debug)]
pub(in crate::plan) enum Kind<'t> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it is written.
    Number(&'t str),
    /// Text, with escapes resolved.
    Text(Cow<'t, str>),
    /// An array.
    List(Vec<Node<'t>>),
    /// An object, in the order of the text; a repeated key is kept.
    Map(Vec<Member<'t>>),
}

/// A key and its value.
#[derive(Debug)]
pub(in crate::plan) struct Member<'t> {
    /// The bytes of the text that the key covers, quotes included.
    pub(in crate::plan) key_span: Range<usize>,
    /// The key.
    pub(in crate::plan) key: Cow<'t, str>,
    /// The value.
    pub(in crate::plan) value: Node<'t>,
}

impl<'t> Node<'t> {
    /// Reads a text that serde_json has found to be well-formed. `None` where it is not.
    pub(in crate::plan) fn parse(text: &'t str) -> Option<Node<'t>> {
        let mut parser = Parser { text, at: 0 };
        let node = parser.value(0)?;
        parser.blank();
        (parser.at == text.len()).then_some(node)
    }

    /// The value of a key; the last one where it is repeated, as JSON readers have it.
    pub(in crate::plan) fn get(&self, key: &str) -> Option<&Node<'t>> {
        match &self.kind {
            Kind::Map(members) => members
                .iter()
                .rev()
                .find(|m| m.key == key)
                .map(|m| &m.value),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub(in crate::plan) fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Text(t) => Some(t),
            _ => None,
        }
    }

    /// The first repeated key of an object, at any depth.
    pub(super) fn repeated(&self) -> Option<Fault> {
        match &self.kind {
            Kind::List(items) => items.iter().find_map(Node::repeated),
            Kind::Map(members) => {
                let mut seen = HashSet::with_capacity(members.len());
                members.iter().find_map(|m| {
                    if seen.insert(&m.key) {
                        m.value.repeated()
                    } else {
                        Some(Fault::at(&m.key_span, super::repeats::repeated(&m.key)))
                    }
                })
            }
            _ => None,
        }
    }

    /// The place of what a JSON pointer names: of its key, if it is the value of one, and of its value.
    pub(in crate::plan) fn find(&self, pointer: &str) -> Option<Found> {
        let mut found = Found {
            key: None,
            value: self.span.clone(),
        };
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let part = part.replace("~1", "/").replace("~0", "~");
            match &node.kind {
                Kind::Map(members) => {
                    let member = members.iter().rev().find(|m| m.key == part)?;
                    found.key = Some(member.key_span.clone());
                    node = &member.value;
                }
                Kind::List(items) => {
                    node = items.get(part.parse::<usize>().ok()?)?;
                    found.key = None;
                }
                _ => return None,
            }
            found.value = node.span.clone();
        }
        Some(found)
    }
}

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::plan) struct Found {
    /// The bytes of its key.
    pub(in crate::plan) key: Option<Range<usize>>,
    /// Its own bytes.
    pub(in crate::plan) value: Range<usize>,
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn blank(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t'))
            .count();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips blanks and takes this byte, if it comes next.
    fn eat(&mut self, byte: u8) -> bool {
        self.blank();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Option<Node<'t>> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.blank();
        let start = self.at;
        let kind = match self.peek()? {
            b'{' => self.map(depth)?,
            b'[' => self.list(depth)?,
            b'"' => Kind::Text(self.string()?),
            _ => self.word()?,
        };
        Some(Node {
            span: start..self.at,
            kind,
        })
    }

    fn map(&mut self, depth: usize) -> Option<Kind<'t>> {
        self.at += 1;
        let mut members = Vec::new();
        if self.eat(b'}') {
            return Some(Kind::Map(members));
        }
        loop {
            self.blank();
            let start = self.at;
            let key = self.string()?;
            let key_span = start..self.at;
            if !self.eat(b':') {
                return None;
            }
            let value = self.value(depth + 1)?;
            members.push(Member {
                key_span,
                key,
                value,
            });
            if self.eat(b'}') {
                return Some(Kind::Map(members));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn list(&mut self, depth: usize) -> Option<Kind<'t>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Some(Kind::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Some(Kind::List(items));
            }
            if !self.eat(b',') {
                return None;
            }
        }
    }

    fn string(&mut self) -> Option<Cow<'t, str>> {
        let start = self.at;
        if self.peek()? != b'"' {
            return None;
        }
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        let mut at = start + 1;
        loop {
            match bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        self.at = at + 1;
        if escaped {
            serde_json::from_str(self.text.get(start..self.at)?)
                .ok()
                .map(Cow::Owned)
        } else {
            self.text.get(start + 1..at).map(Cow::Borrowed)
        }
    }

    fn word(&mut self) -> Option<Kind<'t>> {
        let rest = &self.text.as_bytes()[self.at..];
        let len = rest
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
            .count();
        let word = self.text.get(self.at..self.at + len)?;
        self.at += len;
        match word {
            "null" => Some(Kind::Null),
            "true" => Some(Kind::Bool(true)),
            "false" => Some(Kind::Bool(false)),
            "" => None,
            number => Some(Kind::Number(number)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_exact() {
        let text = "{\"a\": [1, {\"b/c\": \"x\\ny\"}], \"d\": -1.5e3}";
        let node = Node::parse(text).unwrap();
        let found = node.find("/a/1/b~1c").unwrap();
        assert_eq!(&text[found.key.unwrap()], "\"b/c\"");
        assert_eq!(&text[found.value], "\"x\\ny\"");
        assert_eq!(&text[node.find("/d").unwrap().value], "-1.5e3");
        assert_eq!(node.find("/a/2"), None);
        assert!(Node::parse("{\"a\": }").is_none());
        assert!(Node::parse("[1] 2").is_none());
        assert!(Node::parse(&"[".repeat(500)).is_none());
    }
}
