//! Reading YAML 1.1: blocks, flows, all scalar styles, anchors and merges. What is rare (tags with meaning,
//! directives, complex keys) is an error that says so, never a guess.

mod scalar;

use std::collections::HashMap;

use self::scalar::{plain_end, quoted_length};
use super::resolve::resolve;
use crate::Error;
use crate::value::{Dict, Key, Value};

/// How deep a document may nest.
const MAX_DEPTH: usize = 100;

/// How many nodes aliases may add, so that a few lines do not become gigabytes.
const MAX_NODES: usize = 1_000_000;

/// The documents of a text.
pub(crate) fn parse(text: &str) -> Result<Vec<Value>, Error> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut parser = Parser {
        lines: text.split('\n').collect(),
        at: 0,
        column: 0,
        anchors: HashMap::new(),
        nodes: 0,
        depth: 0,
    };
    parser.stream()
}

struct Parser<'t> {
    lines: Vec<&'t str>,
    at: usize,
    column: usize,
    anchors: HashMap<String, Value>,
    nodes: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn error(&self, message: &str) -> Error {
        Error::value(format!(
            "{message}\n  in \"<unicode string>\", line {}, column {}",
            self.at + 1,
            self.column + 1
        ))
    }

    /// The rest of the current line.
    fn rest(&self) -> &'t str {
        self.lines
            .get(self.at)
            .and_then(|line| line.get(self.column..))
            .unwrap_or("")
    }

    fn at_end(&self) -> bool {
        self.at >= self.lines.len()
    }

    fn next_line(&mut self) {
        self.at += 1;
        self.column = 0;
    }

    /// Goes to the next thing that is neither space nor comment. True if that is on another line.
    fn skip(&mut self) -> bool {
        let mut moved = false;
        while !self.at_end() {
            let rest = self.rest();
            let trimmed = rest.trim_start_matches([' ', '\t']);
            let spaced = trimmed.len() < rest.len() || self.column == 0;
            self.column += rest.len() - trimmed.len();
            if !(trimmed.is_empty() || trimmed.starts_with('#') && spaced) {
                break;
            }
            self.next_line();
            moved = true;
        }
        moved
    }

    fn at_document_mark(&self) -> bool {
        let line = self.lines.get(self.at).copied().unwrap_or("");
        self.column == 0 && (is_mark(line, "---") || is_mark(line, "..."))
    }

    fn stream(&mut self) -> Result<Vec<Value>, Error> {
        let mut documents = Vec::new();
        loop {
            self.skip();
            while !self.at_end() && self.rest().starts_with('%') {
                self.next_line();
                self.skip();
            }
            if self.at_end() {
                return Ok(documents);
            }
            if self.at_document_mark() {
                let end = is_mark(self.rest(), "...");
                self.column += 3;
                if end {
                    continue;
                }
            }
            self.anchors.clear();
            self.skip();
            let value = if self.at_end() || self.at_document_mark() {
                Value::None
            } else {
                self.block(-1)?
            };
            documents.push(value);
            self.skip();
            if !self.at_end() && !self.at_document_mark() {
                return Err(self.error("expected '<document start>', but found something else"));
            }
        }
    }

    /// A node whose lines are indented by more than `indent`.
    fn block(&mut self, indent: isize) -> Result<Value, Error> {
        self.depth += 1;
        self.nodes += 1;
        if self.depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(self.error("the document is too deep or too large"));
        }
        let value = self.block_node(indent);
        self.depth -= 1;
        value
    }

    fn block_node(&mut self, indent: isize) -> Result<Value, Error> {
        let moved = self.skip();
        if self.at_end() || self.at_document_mark() || (moved && self.column as isize <= indent) {
            return Ok(Value::None);
        }
        let (anchor, tag) = self.properties()?;
        if anchor.is_some() || tag.is_some() {
            let line = self.at;
            self.skip();
            let outside = self.at_end() || (self.at != line && self.column as isize <= indent);
            let value = if outside {
                Value::None
            } else {
                self.content(indent)?
            };
            let value = apply_tag(value, tag.as_deref()).map_err(|message| self.error(&message))?;
            if let Some(anchor) = anchor {
                self.anchors.insert(anchor, value.clone());
            }
            return Ok(value);
        }
        self.content(indent)
    }

    /// `&anchor` and `!tag`.
    fn properties(&mut self) -> Result<(Option<String>, Option<String>), Error> {
        let (mut anchor, mut tag) = (None, None);
        loop {
            let rest = self.rest();
            let end = rest.find([' ', '\t', ',', ']', '}']).unwrap_or(rest.len());
            if rest.starts_with('&') && anchor.is_none() {
                anchor = Some(rest[1..end].to_owned());
            } else if rest.starts_with('!') && tag.is_none() {
                tag = Some(rest[..end].to_owned());
            } else {
                return Ok((anchor, tag));
            }
            // A key with an anchor belongs to a mapping; the anchor is the key's then. Rare enough to refuse.
            self.column += end;
            let after = self.rest();
            self.column += after.len() - after.trim_start_matches([' ', '\t']).len();
        }
    }

    fn content(&mut self, indent: isize) -> Result<Value, Error> {
        let rest = self.rest();
        if is_entry(rest, '-') {
            return self.sequence();
        }
        if is_entry(rest, '?') {
            return Err(self.error("complex mapping keys are not supported here"));
        }
        if rest.starts_with(['|', '>']) {
            return self.literal(indent).map(Value::from);
        }
        if self.key_here()?.is_some() {
            return self.mapping();
        }
        if rest.starts_with('*') {
            return self.alias();
        }
        if rest.starts_with(['[', '{']) {
            return self.flow(0);
        }
        let text = self.scalar(indent, false)?;
        Ok(if text.plain {
            resolve(&text.text)
        } else {
            Value::from(text.text)
        })
    }

    fn alias(&mut self) -> Result<Value, Error> {
        let rest = &self.rest()[1..];
        let end = rest.find([' ', '\t', ',', ']', '}']).unwrap_or(rest.len());
        let name = &rest[..end];
        let value = self
            .anchors
            .get(name)
            .cloned()
            .ok_or_else(|| self.error(&format!("found undefined alias '{name}'")))?;
        self.column += 1 + end;
        Ok(value)
    }

    fn sequence(&mut self) -> Result<Value, Error> {
        let column = self.column;
        let mut items = Vec::new();
        while !self.at_end()
            && self.column == column
            && is_entry(self.rest(), '-')
            && !self.at_document_mark()
        {
            self.column += 1;
            items.push(self.block(column as isize)?);
            self.skip();
        }
        if !self.at_end() && self.column > column && !self.at_document_mark() {
            return Err(self.error("expected <block end>, but found something else"));
        }
        Ok(Value::list(items))
    }

    /// If a key stands here: the key, and the offset of what follows its colon.
    fn key_here(&mut self) -> Result<Option<(Value, usize)>, Error> {
        let rest = self.rest();
        let (key, length) = match rest.chars().next() {
            Some(quote @ ('\'' | '"')) => {
                let Some(length) = quoted_length(rest, quote) else {
                    return Ok(None);
                };
                let inner = &rest[1..length - 1];
                let key = if quote == '\'' {
                    inner.replace("''", "'")
                } else {
                    self.unescape(inner)?
                };
                (Value::from(key), length)
            }
            Some('[' | '{' | '#' | '|' | '>' | '%' | '@' | '`' | ',' | ']' | '}') | None => {
                return Ok(None);
            }
            Some('*') => {
                let end = rest.find([' ', ':']).unwrap_or(rest.len());
                match self.anchors.get(&rest[1..end]) {
                    Some(value) => (value.clone(), end),
                    None => return Ok(None),
                }
            }
            Some(_) => {
                let Some(end) = plain_end(rest, false).filter(|end| rest[*end..].starts_with(':'))
                else {
                    return Ok(None);
                };
                (resolve(rest[..end].trim_end()), end)
            }
        };
        let after = rest[length..].trim_start_matches(' ');
        let colon = rest.len() - after.len();
        let is_key = after.starts_with(':')
            && after[1..]
                .chars()
                .next()
                .is_none_or(|c| c == ' ' || c == '\t');
        Ok(is_key.then_some((key, colon + 1)))
    }

    fn mapping(&mut self) -> Result<Value, Error> {
        let column = self.column;
        let dict = Dict::new();
        let mut merges = Vec::new();
        while !self.at_end() && self.column == column && !self.at_document_mark() {
            let Some((key, length)) = self.key_here()? else {
                return Err(self.error("could not find expected ':'"));
            };
            let is_merge = key.as_str() == Some("<<") && self.rest().starts_with("<<");
            self.column += length;
            let line = self.at;
            self.skip();
            let nested = self.at != line;
            // A sequence may stand as far left as the key that it belongs to.
            let value = if nested
                && self.column == column
                && is_entry(self.rest(), '-')
                && !self.at_document_mark()
            {
                self.sequence()?
            } else if self.at_end() || nested && self.column <= column {
                Value::None
            } else {
                if !nested
                    && !self
                        .rest()
                        .starts_with(['\'', '"', '[', '{', '*', '&', '!', '|', '>'])
                {
                    let line_has_key = self.key_here()?.is_some();
                    if line_has_key || is_entry(self.rest(), '-') {
                        return Err(self.error("mapping values are not allowed here"));
                    }
                }
                self.block(column as isize)?
            };
            if is_merge {
                merges.push(value)
            } else {
                dict.insert(self.key(key)?, value)
            }
            self.skip();
        }
        if !self.at_end() && self.column > column && !self.at_document_mark() {
            return Err(self.error("expected <block end>, but found something else"));
        }
        self.merge(dict, merges)
    }

    fn key(&self, key: Value) -> Result<Key, Error> {
        Key::new(key).map_err(|_| self.error("found unhashable key"))
    }

    /// `<<`: entries from other mappings come first, and what is written here wins.
    fn merge(&mut self, dict: Dict, merges: Vec<Value>) -> Result<Value, Error> {
        if merges.is_empty() {
            return Ok(Value::Dict(dict));
        }
        let merged = Dict::new();
        for merge in merges {
            let sources = match merge {
                Value::List(list) => list.to_vec(),
                other => vec![other],
            };
            for source in sources.into_iter().rev() {
                let Value::Dict(source) = source else {
                    return Err(self.error("expected a mapping or list of mappings for merging"));
                };
                for (key, value) in source.pairs() {
                    merged.insert(self.key(key)?, value);
                }
            }
        }
        for (key, value) in dict.pairs() {
            merged.insert(self.key(key)?, value);
        }
        Ok(Value::Dict(merged))
    }

    fn flow(&mut self, depth: usize) -> Result<Value, Error> {
        self.nodes += 1;
        if depth + self.depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(self.error("the document is too deep or too large"));
        }
        self.skip();
        let (anchor, tag) = self.properties()?;
        self.skip();
        let value = match self.rest().chars().next() {
            None => return Err(self.error("expected a node, but found the end of the stream")),
            Some('[') => self.flow_sequence(depth)?,
            Some('{') => self.flow_mapping(depth)?,
            Some('*') => self.alias()?,
            Some(',' | ']' | '}') => Value::None,
            Some(_) => {
                let text = self.scalar(-1, true)?;
                if text.plain {
                    resolve(&text.text)
                } else {
                    Value::from(text.text)
                }
            }
        };
        let value = apply_tag(value, tag.as_deref()).map_err(|message| self.error(&message))?;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn flow_sequence(&mut self, depth: usize) -> Result<Value, Error> {
        self.column += 1;
        let mut items = Vec::new();
        loop {
            self.skip();
            if self.take(']') {
                return Ok(Value::list(items));
            }
            let item = self.flow(depth + 1)?;
            self.skip();
            // `[a: b]` is a list of a mapping of one entry.
            if self.take(':') {
                let dict = Dict::new();
                let value = self.flow(depth + 1)?;
                dict.insert(self.key(item)?, value);
                items.push(Value::Dict(dict));
            } else {
                items.push(item);
            }
            self.skip();
            if !self.take(',') && !self.rest().starts_with(']') {
                return Err(self.error("expected ',' or ']'"));
            }
        }
    }

    fn flow_mapping(&mut self, depth: usize) -> Result<Value, Error> {
        self.column += 1;
        let dict = Dict::new();
        let mut merges = Vec::new();
        loop {
            self.skip();
            if self.take('}') {
                return self.merge(dict, merges);
            }
            let is_merge = self.rest().starts_with("<<");
            let key = self.flow(depth + 1)?;
            self.skip();
            let value = if self.take(':') {
                self.flow(depth + 1)?
            } else {
                Value::None
            };
            if is_merge {
                merges.push(value)
            } else {
                dict.insert(self.key(key)?, value)
            }
            self.skip();
            if !self.take(',') && !self.rest().starts_with('}') {
                return Err(self.error("expected ',' or '}'"));
            }
        }
    }

    fn take(&mut self, c: char) -> bool {
        let found = self.rest().starts_with(c);
        self.column += usize::from(found);
        found
    }
}

fn is_mark(line: &str, mark: &str) -> bool {
    line.strip_prefix(mark)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

/// True for `- ` and `? ` at the beginning of a block entry.
fn is_entry(text: &str, indicator: char) -> bool {
    text.strip_prefix(indicator)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
}

fn apply_tag(value: Value, tag: Option<&str>) -> Result<Value, String> {
    match tag {
        None | Some("!" | "!!map" | "!!seq" | "!unsafe") => Ok(value),
        Some("!!str") => match value {
            Value::Str(_) => Ok(value),
            Value::None => Ok(Value::str("")),
            other => crate::value::to_text(&other)
                .map(Value::from)
                .map_err(|error| error.message().to_owned()),
        },
        Some("!!int" | "!!float" | "!!bool" | "!!null") => Ok(match &value {
            Value::Str(text) => resolve(text),
            _ => value,
        }),
        Some(tag) => Err(format!(
            "could not determine a constructor for the tag '{tag}'"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse(text) {
            Ok(documents) => format!("{documents:?}"),
            Err(error) => error.message().lines().next().unwrap_or("").to_owned(),
        }
    }

    #[test]
    fn documents() {
        assert_eq!(
            read("a: 1\nb:\n- x\n- y: 2\n  z: 'q'\nc: {d: [1, 2], e}\n"),
            "[{'a': 1, 'b': ['x', {'y': 2, 'z': 'q'}], 'c': {'d': [1, 2], 'e': None}}]"
        );
        assert_eq!(read("--- 1\n--- 2\n"), "[1, 2]");
        assert_eq!(
            read("a: |\n  x\n   y\n\n  z\nb: >-\n  x\n  y\n\n  z\n"),
            "[{'a': 'x\\n y\\n\\nz\\n', 'b': 'x y\\nz'}]"
        );
        assert_eq!(
            read("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2 # two\n"),
            "[{'a': {'b': 1}, 'c': {'b': 1, 'd': 2}}]"
        );
        assert_eq!(read("\"a\\tb\\u00e9\": 'it''s'"), "[{'a\\tbé': \"it's\"}]");
        assert_eq!(read("plain\n  text\n\n  more"), "['plain text\\nmore']");
        assert_eq!(read("- - 1\n  - 2\n-\n  a: b"), "[[[1, 2], {'a': 'b'}]]");
        assert_eq!(read("a: b: c"), "mapping values are not allowed here");
        assert_eq!(read("[1, 2"), "expected ',' or ']'");
        assert_eq!(
            read("url: http://x:80/y\ntime: 12:30:45"),
            "[{'url': 'http://x:80/y', 'time': 45045}]"
        );
    }
}
