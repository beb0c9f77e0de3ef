//! Reading JMESPath.

use crate::value::Value;

/// An expression.
#[derive(Debug, Clone)]
pub(super) enum Node {
    Current,
    Field(String),
    Literal(Value),
    Index(i64),
    Slice([Option<i64>; 3]),
    /// The right side of the left one's result.
    Sub(Box<Node>, Box<Node>),
    /// The right side for each element of the left one's list.
    Project(Box<Node>, Box<Node>),
    /// The right side for each value of the left one's mapping.
    ProjectValues(Box<Node>, Box<Node>),
    /// The right side for those elements for which the condition holds.
    Filter(Box<Node>, Box<Node>, Box<Node>),
    /// One level of lists taken apart.
    Flatten(Box<Node>),
    List(Vec<Node>),
    Hash(Vec<(String, Node)>),
    Or(Box<Node>, Box<Node>),
    And(Box<Node>, Box<Node>),
    Not(Box<Node>),
    Compare(&'static str, Box<Node>, Box<Node>),
    Pipe(Box<Node>, Box<Node>),
    Call(String, Vec<Node>),
    /// `&expression`, for functions.
    Reference(Box<Node>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    Quoted(String),
    Raw(String),
    Json(String),
    Number(i64),
    Sign(&'static str),
    End,
}

/// How deep expressions may nest.
const MAX_DEPTH: usize = 100;

const SIGNS: [&str; 25] = [
    "[?", "[]", "||", "&&", "==", "!=", "<=", ">=", "[", "]", "{", "}", "(", ")", ".", "*", ",",
    ":", "@", "&", "|", "!", "<", ">", "-",
];

/// Reads an expression.
pub(super) fn parse(text: &str) -> Result<Node, String> {
    let mut parser = Parser {
        tokens: tokens(text)?,
        at: 0,
        depth: 0,
    };
    let node = parser.expression(0)?;
    match parser.peek() {
        Token::End => Ok(node),
        other => Err(format!(
            "Invalid token: Parse error, unexpected {other:?} in {text}"
        )),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (token, length) = match c {
            'a'..='z' | 'A'..='Z' | '_' => {
                let end = rest
                    .find(|c: char| !(c == '_' || c.is_ascii_alphanumeric()))
                    .unwrap_or(rest.len());
                (Token::Name(rest[..end].to_owned()), end)
            }
            '"' | '\'' | '`' => quoted(rest, c)?,
            '0'..='9' => number(rest)?,
            '-' if rest[1..].starts_with(|c: char| c.is_ascii_digit()) => number(rest)?,
            _ => {
                let sign = SIGNS
                    .iter()
                    .find(|sign| rest.starts_with(**sign))
                    .ok_or_else(|| {
                        format!("Bad jmespath expression: Unknown token {c} in {text}")
                    })?;
                (Token::Sign(sign), sign.len())
            }
        };
        out.push(token);
        rest = &rest[length..];
    }
    out.push(Token::End);
    Ok(out)
}

fn number(rest: &str) -> Result<(Token, usize), String> {
    let digits = rest[1..]
        .find(|c: char| !c.is_ascii_digit())
        .map_or(rest.len(), |end| end + 1);
    let number = rest[..digits]
        .parse()
        .map_err(|_| format!("{} is too large", &rest[..digits]))?;
    Ok((Token::Number(number), digits))
}

fn quoted(rest: &str, quote: char) -> Result<(Token, usize), String> {
    let mut escaped = false;
    let end = rest[1..]
        .char_indices()
        .find(|(_, c)| {
            let ends = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        })
        .map(|(at, _)| at + 1)
        .ok_or_else(|| format!("Bad jmespath expression: Unclosed {quote} delimiter: {rest}"))?;
    let inner = &rest[1..end];
    let token = match quote {
        '"' => Token::Quoted(
            serde_json::from_str(&rest[..=end])
                .map_err(|e| format!("Bad jmespath expression: {e}: {inner}"))?,
        ),
        '\'' => Token::Raw(inner.replace("\\'", "'")),
        _ => Token::Json(inner.replace("\\`", "`")),
    };
    Ok((token, end + 1))
}

fn literal(text: &str) -> Result<Value, String> {
    let text = text.trim_start();
    match serde_json::from_str(text) {
        Ok(json) => Ok(Value::from_json(&json, false)),
        // Before there were raw strings, what is no JSON stood for itself.
        Err(_) if !text.starts_with(['{', '[', '"']) => Ok(Value::str(text)),
        Err(error) => Err(format!("Bad jmespath expression: {error}: {text}")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

/// How strongly an operator binds what stands before it.
fn binding(token: &Token) -> u32 {
    match token {
        Token::Sign("|") => 1,
        Token::Sign("||") => 2,
        Token::Sign("&&") => 3,
        Token::Sign("==" | "!=" | "<" | "<=" | ">" | ">=") => 5,
        Token::Sign("[]") => 9,
        Token::Sign("[?") => 21,
        Token::Sign("*") => 20,
        Token::Sign(".") => 40,
        Token::Sign("{") => 50,
        Token::Sign("[") => 55,
        Token::Sign("(") => 60,
        _ => 0,
    }
}

/// Below this nothing is part of a projection.
const PROJECTION: u32 = 10;

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn is(&mut self, sign: &str) -> bool {
        let found = matches!(self.peek(), Token::Sign(s) if *s == sign);
        self.at += usize::from(found);
        found
    }

    fn must(&mut self, sign: &str) -> Result<(), String> {
        match self.is(sign) {
            true => Ok(()),
            false => Err(format!("expected {sign}, found {:?}", self.peek())),
        }
    }

    fn boxed(&mut self, binding: u32) -> Result<Box<Node>, String> {
        self.expression(binding).map(Box::new)
    }

    fn expression(&mut self, least: u32) -> Result<Node, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".into());
        }
        let mut node = self.prefix()?;
        while binding(self.peek()) > least {
            node = self.infix(node)?;
        }
        self.depth -= 1;
        Ok(node)
    }

    fn prefix(&mut self) -> Result<Node, String> {
        Ok(match self.next() {
            Token::Raw(text) => Node::Literal(Value::from(text)),
            Token::Json(text) => Node::Literal(literal(&text)?),
            Token::Name(name) if self.is("(") => Node::Call(name, self.list(")")?),
            Token::Name(name) | Token::Quoted(name) => Node::Field(name),
            Token::Sign("@") => Node::Current,
            Token::Sign("&") => Node::Reference(self.boxed(0)?),
            Token::Sign("!") => Node::Not(self.boxed(45)?),
            Token::Sign("(") => {
                let inner = self.expression(0)?;
                self.must(")")?;
                inner
            }
            Token::Sign("*") => {
                Node::ProjectValues(Box::new(Node::Current), Box::new(self.projected(20)?))
            }
            Token::Sign("[]") => {
                let flat = Node::Flatten(Box::new(Node::Current));
                Node::Project(Box::new(flat), Box::new(self.projected(9)?))
            }
            Token::Sign("[?") => self.filter(Node::Current)?,
            Token::Sign("{") => Node::Hash(self.pairs()?),
            Token::Sign("[") => match self.peek() {
                Token::Number(_) | Token::Sign(":") => self.index(Node::Current)?,
                Token::Sign("*")
                    if matches!(self.tokens.get(self.at + 1), Some(Token::Sign("]"))) =>
                {
                    self.at += 2;
                    Node::Project(Box::new(Node::Current), Box::new(self.projected(20)?))
                }
                _ => Node::List(self.list("]")?),
            },
            other => return Err(format!("Parse error: unexpected {other:?}")),
        })
    }

    fn infix(&mut self, left: Node) -> Result<Node, String> {
        let left = Box::new(left);
        Ok(match self.next() {
            Token::Sign("|") => Node::Pipe(left, self.boxed(1)?),
            Token::Sign("||") => Node::Or(left, self.boxed(2)?),
            Token::Sign("&&") => Node::And(left, self.boxed(3)?),
            Token::Sign(sign @ ("==" | "!=" | "<" | "<=" | ">" | ">=")) => {
                Node::Compare(sign, left, self.boxed(5)?)
            }
            Token::Sign(".") => match self.is("*") {
                true => Node::ProjectValues(left, Box::new(self.projected(20)?)),
                false => Node::Sub(left, Box::new(self.after_dot(40)?)),
            },
            Token::Sign("[]") => {
                Node::Project(Box::new(Node::Flatten(left)), Box::new(self.projected(9)?))
            }
            Token::Sign("[?") => self.filter(*left)?,
            Token::Sign("[") => match self.peek() {
                Token::Number(_) | Token::Sign(":") => self.index(*left)?,
                _ => {
                    self.must("*")?;
                    self.must("]")?;
                    Node::Project(left, Box::new(self.projected(20)?))
                }
            },
            other => return Err(format!("Parse error: unexpected {other:?}")),
        })
    }

    /// What follows a dot: a name, a call, or several of them at once.
    fn after_dot(&mut self, least: u32) -> Result<Node, String> {
        match self.peek() {
            Token::Name(_) | Token::Quoted(_) | Token::Sign("*") => self.expression(least),
            Token::Sign("[") => {
                self.at += 1;
                Ok(Node::List(self.list("]")?))
            }
            Token::Sign("{") => {
                self.at += 1;
                Ok(Node::Hash(self.pairs()?))
            }
            other => Err(format!("Parse error: unexpected {other:?} after a dot")),
        }
    }

    /// What is done with each element of a projection.
    fn projected(&mut self, least: u32) -> Result<Node, String> {
        match self.peek() {
            token if binding(token) < PROJECTION => Ok(Node::Current),
            Token::Sign("[" | "[?") => self.expression(least),
            Token::Sign(".") => {
                self.at += 1;
                self.after_dot(least)
            }
            other => Err(format!(
                "Parse error: unexpected {other:?} after a projection"
            )),
        }
    }

    fn filter(&mut self, left: Node) -> Result<Node, String> {
        let condition = self.expression(0)?;
        self.must("]")?;
        let right = match self.peek() {
            Token::Sign("[]") => Node::Current,
            _ => self.projected(21)?,
        };
        Ok(Node::Filter(
            Box::new(left),
            Box::new(right),
            Box::new(condition),
        ))
    }

    /// An index or a slice; the bracket is open.
    fn index(&mut self, left: Node) -> Result<Node, String> {
        let mut parts = [None; 3];
        let mut colons = 0;
        loop {
            match self.next() {
                Token::Number(number) => parts[colons] = Some(number),
                Token::Sign(":") if colons < 2 => colons += 1,
                Token::Sign("]") => break,
                other => return Err(format!("Parse error: unexpected {other:?} in brackets")),
            }
        }
        if colons == 0 {
            let index = Node::Index(parts[0].unwrap_or(0));
            return Ok(Node::Sub(Box::new(left), Box::new(index)));
        }
        if parts[2] == Some(0) {
            return Err("slice step cannot be 0".into());
        }
        let sliced = Node::Sub(Box::new(left), Box::new(Node::Slice(parts)));
        Ok(Node::Project(
            Box::new(sliced),
            Box::new(self.projected(20)?),
        ))
    }

    fn list(&mut self, close: &str) -> Result<Vec<Node>, String> {
        let mut out = Vec::new();
        if self.is(close) {
            return match close {
                ")" => Ok(out),
                _ => Err("Parse error: an empty list".into()),
            };
        }
        loop {
            out.push(self.expression(0)?);
            if self.is(close) {
                return Ok(out);
            }
            self.must(",")?;
        }
    }

    fn pairs(&mut self) -> Result<Vec<(String, Node)>, String> {
        let mut out = Vec::new();
        loop {
            let (Token::Name(key) | Token::Quoted(key)) = self.next() else {
                return Err("Parse error: a key is expected".into());
            };
            self.must(":")?;
            out.push((key, self.expression(0)?));
            if self.is("}") {
                return Ok(out);
            }
            self.must(",")?;
        }
    }
}
