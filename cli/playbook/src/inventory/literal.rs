//! Values of ini inventories: Python literals, as `ast.literal_eval` reads them. What is no literal is text.

use std::sync::Arc;

use rustle_template::BigInt;

use crate::source::Position;
use crate::yaml::{Node, NodeValue};

/// Deeper nesting is text.
const MAX_DEPTH: usize = 60;

/// What a value means.
pub(super) fn value(text: &str, at: Position) -> Node {
    let mut reader = Reader {
        rest: text.trim_start_matches([' ', '\t']),
        at,
        depth: 0,
    };
    match reader.whole() {
        Some(node) => node,
        None => Node::text(text, at),
    }
}

struct Reader<'a> {
    rest: &'a str,
    at: Position,
    depth: usize,
}

impl Reader<'_> {
    fn node(&self, value: NodeValue) -> Node {
        Node { value, at: self.at }
    }

    fn whole(&mut self) -> Option<Node> {
        // Outside of brackets a line break would end the expression.
        let first = self.item()?;
        self.space(false);
        let node = if self.rest.starts_with(',') {
            let mut items = vec![first];
            while self.eat(',') {
                self.space(false);
                if self.ended() {
                    break;
                }
                items.push(self.item()?);
                self.space(false);
            }
            Node::list(items, self.at)
        } else {
            first
        };
        self.space(false);
        self.ended().then_some(node)
    }

    /// Nothing but white space, line ends and a comment.
    fn ended(&self) -> bool {
        let rest = self.rest.trim_start();
        rest.is_empty() || (rest.starts_with('#') && !rest.contains('\n'))
    }

    fn space(&mut self, inside: bool) {
        loop {
            self.rest = self.rest.trim_start_matches(|c: char| {
                c == ' ' || c == '\t' || c == '\u{c}' || (inside && c == '\n')
            });
            if inside && self.rest.starts_with('#') {
                let end = self.rest.find('\n').unwrap_or(self.rest.len());
                self.rest = &self.rest[end..];
            } else {
                return;
            }
        }
    }

    fn eat(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn item(&mut self) -> Option<Node> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let node = match self.rest.chars().next()? {
            '[' => {
                self.eat('[');
                let items = self.items(']')?.0;
                Some(Node::list(items, self.at))
            }
            '(' => {
                self.eat('(');
                let (mut items, comma) = self.items(')')?;
                if items.len() == 1 && !comma {
                    items.pop()
                } else {
                    Some(Node::list(items, self.at))
                }
            }
            '{' => {
                self.eat('{');
                self.mapping()
            }
            '.' if self.rest.starts_with("...") => {
                self.rest = &self.rest[3..];
                Some(Node::text("...", self.at))
            }
            '+' | '-' => self.signed(),
            c if c.is_ascii_digit() || c == '.' => self.number(false),
            _ => self.word_or_text(),
        };
        self.depth -= 1;
        node
    }

    /// Items up to a closing bracket, and whether a comma stands behind the last.
    fn items(&mut self, close: char) -> Option<(Vec<Node>, bool)> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            self.space(true);
            if self.eat(close) {
                return Some((items, comma));
            }
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.item()?);
            self.space(true);
            comma = self.eat(',');
        }
    }

    fn mapping(&mut self) -> Option<Node> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut comma = true;
        loop {
            self.space(true);
            if self.eat('}') {
                return Some(Node::map(entries, self.at));
            }
            if !comma {
                return None;
            }
            let key = self.item()?;
            if matches!(key.value, NodeValue::List(_) | NodeValue::Map(_)) {
                return None;
            }
            self.space(true);
            if !self.eat(':') {
                return if entries.is_empty() {
                    self.set(key)
                } else {
                    None
                };
            }
            self.space(true);
            let value = self.item()?;
            match entries.iter_mut().find(|(k, _)| k.value == key.value) {
                Some(entry) => entry.1 = value,
                None => entries.push((key, value)),
            }
            self.space(true);
            comma = self.eat(',');
        }
    }

    /// The rest of a set, which becomes a list.
    fn set(&mut self, first: Node) -> Option<Node> {
        let mut items = vec![first];
        self.space(true);
        if self.eat(',') {
            for item in self.items('}')?.0 {
                if !items.iter().any(|i| i.value == item.value) {
                    items.push(item);
                }
            }
        } else if !self.eat('}') {
            return None;
        }
        Some(Node::list(items, self.at))
    }

    fn signed(&mut self) -> Option<Node> {
        let mut negative = false;
        loop {
            if self.eat('-') {
                negative = !negative;
                // One sign only: `--1` is an expression.
                self.space(false);
                break;
            } else if self.eat('+') {
                self.space(false);
                break;
            }
        }
        let c = self.rest.chars().next()?;
        if !(c.is_ascii_digit() || c == '.') {
            return None;
        }
        self.number(negative)
    }

    fn number(&mut self, negative: bool) -> Option<Node> {
        let end = number_end(self.rest);
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        // A complex number becomes text.
        if let Some(number) = word.strip_suffix(['j', 'J']) {
            let sign = if negative { "-" } else { "" };
            let number: f64 = number.parse().ok()?;
            return Some(Node::text(format!("{sign}{number}j"), self.at));
        }
        // `1_000` is a number, `1__0` and `_1` are not.
        if word.ends_with('_') || word.contains("__") {
            return None;
        }
        let digits = word.replace('_', "");
        let lower = digits.to_ascii_lowercase();
        let (base, body) = match lower.get(..2) {
            Some("0x") => (16, &lower[2..]),
            Some("0o") => (8, &lower[2..]),
            Some("0b") => (2, &lower[2..]),
            _ => (10, lower.as_str()),
        };
        if body.is_empty() {
            return None;
        }
        if base != 10 || body.chars().all(|c| c.is_ascii_digit()) {
            let leading_zero = base == 10 && body.len() > 1 && body.starts_with('0');
            if leading_zero && body.chars().any(|c| c != '0') {
                return None;
            }
            let big = BigInt::parse(body, base)?;
            let big = if negative { big.negated() } else { big };
            return Some(self.node(match big.to_i64() {
                Some(small) => NodeValue::Int(small),
                None => NodeValue::Big(Arc::new(big)),
            }));
        }
        let float: f64 = body.parse().ok()?;
        Some(self.node(NodeValue::Float(if negative { -float } else { float })))
    }

    fn word_or_text(&mut self) -> Option<Node> {
        for (word, value) in [
            ("None", NodeValue::Null),
            ("True", NodeValue::Bool(true)),
            ("False", NodeValue::Bool(false)),
        ] {
            if let Some(rest) = self.rest.strip_prefix(word)
                && !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric())
            {
                self.rest = rest;
                return Some(self.node(value));
            }
        }
        if let Some(rest) = self.rest.strip_prefix("set()") {
            self.rest = rest;
            return Some(Node::list(Vec::new(), self.at));
        }
        let mut text = self.string()?;
        // Strings side by side are one.
        loop {
            let before = self.rest;
            self.space(self.depth > 1);
            if !self
                .rest
                .starts_with(['"', '\'', 'r', 'R', 'u', 'U', 'b', 'B'])
            {
                self.rest = before;
                return Some(Node::text(text, self.at));
            }
            text.push_str(&self.string()?);
        }
    }

    fn string(&mut self) -> Option<String> {
        let prefix = self.rest.find(['"', '\''])?;
        let raw = match &self.rest[..prefix] {
            // Bytes become text.
            "" | "u" | "U" | "b" | "B" => false,
            "r" | "R" | "br" | "bR" | "Br" | "BR" | "rb" | "rB" | "Rb" | "RB" => true,
            _ => return None,
        };
        self.rest = &self.rest[prefix..];
        let quote = self.rest.chars().next()?;
        let triple = [quote, quote, quote].iter().collect::<String>();
        let (close, long) = if self.rest.starts_with(&triple) {
            (triple, true)
        } else {
            (quote.to_string(), false)
        };
        self.rest = &self.rest[close.len()..];
        let mut out = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(close.as_str()) {
                self.rest = rest;
                return Some(out);
            }
            let c = self.rest.chars().next()?;
            self.rest = &self.rest[c.len_utf8()..];
            match c {
                '\n' if !long => return None,
                '\\' if raw => {
                    let next = self.rest.chars().next()?;
                    self.rest = &self.rest[next.len_utf8()..];
                    out.extend(['\\', next]);
                }
                '\\' => self.escape(&mut out)?,
                c => out.push(c),
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Option<()> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        let simple = match c {
            '\n' => return Some(()),
            '\\' | '\'' | '"' => c,
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            '0'..='7' => {
                let more = self
                    .rest
                    .bytes()
                    .take(2)
                    .take_while(|b| (b'0'..=b'7').contains(b));
                let length = more.count();
                let digits = format!("{c}{}", &self.rest[..length]);
                self.rest = &self.rest[length..];
                char::from_u32(u32::from_str_radix(&digits, 8).ok()?)?
            }
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            'U' => self.code(8)?,
            'N' => return None,
            other => {
                out.push('\\');
                other
            }
        };
        out.push(simple);
        Some(())
    }

    fn code(&mut self, length: usize) -> Option<char> {
        let digits = self.rest.get(..length)?;
        let code = u32::from_str_radix(digits, 16).ok()?;
        self.rest = &self.rest[length..];
        char::from_u32(code)
    }
}

/// Where a number that begins here ends. What follows decides whether it was one.
fn number_end(text: &str) -> usize {
    let mut before = ' ';
    let based = text.get(..2).is_some_and(|p| matches!(p, "0x" | "0X"));
    for (at, c) in text.char_indices() {
        let exponent = !based && matches!(before, 'e' | 'E') && matches!(c, '+' | '-');
        if !(c == '_' || c == '.' || c.is_alphanumeric() || exponent) {
            return at;
        }
        before = c;
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::source::Sources;

    fn read(text: &str) -> NodeValue {
        let file = Sources::default().add("hosts", "");
        let at = Position {
            file,
            line: 1,
            column: 1,
        };
        value(text, at).value
    }

    #[test]
    fn literals_are_python_s() {
        use NodeValue::{Bool, Float, Int, Null};
        for (text, expected) in [
            ("1", Int(1)),
            ("-3", Int(-3)),
            ("+1", Int(1)),
            ("- 1", Int(-1)),
            ("0x1f", Int(31)),
            ("0o17", Int(15)),
            ("0b11", Int(3)),
            ("1_000", Int(1000)),
            ("00", Int(0)),
            ("1.5", Float(1.5)),
            (".5", Float(0.5)),
            ("5.", Float(5.0)),
            ("1e3", Float(1000.0)),
            ("True", Bool(true)),
            ("False", Bool(false)),
            ("None", Null),
            ("1 # c", Int(1)),
            ("(1)", Int(1)),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        for text in [
            "0644",
            "0x",
            "1__0",
            "true",
            "yes",
            "a b",
            "a # b",
            "[1, 2",
            "'x",
            "1 + 2",
            "1L",
            "{1: 2, 3}",
            "nope()",
        ] {
            assert!(
                matches!(&read(text), NodeValue::Str(t) if *t.text == *text),
                "{text}"
            );
        }
        let said = |text: &str| match read(text) {
            NodeValue::Str(t) => t.text.to_string(),
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(said("'a' \"b\""), "ab");
        assert_eq!(said(r#""a\tb\x41\u00e9\q""#), "a\tbAé\\q");
        assert_eq!(said("r'a\\n'"), "a\\n");
        assert_eq!(said("'''x'''"), "x");
        assert_eq!(said("\"a\" # comment"), "a");
        assert!(matches!(read("[1, 'a', {'b': (1, 2)}]"), NodeValue::List(l) if l.len() == 3));
        assert!(matches!(read("1, 2"), NodeValue::List(l) if l.len() == 2));
        assert!(matches!(
            read("123456789012345678901234567890"),
            NodeValue::Big(_)
        ));
    }

    proptest! {
        #[test]
        fn anything_is_a_value(text in "[\\[\\](){}'\"\\\\a-e0-9,.:+ \n_-]{0,40}") {
            read(&text);
        }
    }
}
