//! TOML inventories: tables of groups, as in YAML ones, with `children` as a list of names.

use std::sync::Arc;

use toml_edit::{Array, Datetime, Document, InlineTable, Item, Table, Value};

use crate::problem::Problem;
use crate::source::{FileId, Position};
use crate::yaml::{Node, NodeValue};

/// The groups of a TOML file, in the form that a YAML inventory has.
///
/// # Errors
/// Where it is no TOML, or `children` is no list of names.
pub(super) fn read(text: &str, file: FileId) -> Result<Node, Problem> {
    let places = Places::new(text, file);
    let document = Document::parse(text).map_err(|error| {
        Problem::error(format!("this is no TOML: {}", error.message())).at(places.of(error.span()))
    })?;
    let groups = places.table(document.as_table());
    let Some(map) = groups.as_map() else {
        return Ok(groups);
    };
    let entries = map
        .iter()
        .map(|(name, body)| Ok((name.clone(), group(name, body)?)));
    let entries = entries.collect::<Result<_, Problem>>()?;
    Ok(Node::map(entries, groups.at))
}

/// A group whose children are a mapping, as in YAML.
fn group(name: &Node, body: &Node) -> Result<Node, Problem> {
    let Some(map) = body.as_map() else {
        return Ok(body.clone());
    };
    let entries = map.iter().map(|(key, value)| {
        let value = match key.as_str() {
            Some("children") => children(name, value)?,
            _ => value.clone(),
        };
        Ok((key.clone(), value))
    });
    Ok(Node::map(entries.collect::<Result<_, Problem>>()?, body.at))
}

fn children(name: &Node, value: &Node) -> Result<Node, Problem> {
    let Some(list) = value.as_list() else {
        return Err(Problem::error(format!(
            "`children` of the group `{}` must be a list, and is {}",
            name.as_str().unwrap_or_default(),
            value.kind()
        ))
        .at(value.at)
        .hint("write children = [\"NAME\", …]"));
    };
    let nothing = |child: &Node| Node {
        value: NodeValue::Null,
        at: child.at,
    };
    let entries = list.iter().map(|child| (child.clone(), nothing(child)));
    Ok(Node::map(entries.collect(), value.at))
}

/// Finds lines and columns of bytes.
struct Places<'t> {
    text: &'t str,
    file: FileId,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl<'t> Places<'t> {
    fn new(text: &'t str, file: FileId) -> Places<'t> {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Places { text, file, lines }
    }

    fn of(&self, span: Option<std::ops::Range<usize>>) -> Position {
        let at = span.map_or(0, |span| span.start);
        let line = self.lines.partition_point(|begin| *begin <= at).max(1);
        let before = self.text.get(self.lines[line - 1]..at).unwrap_or_default();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            file: self.file,
            line: count(line),
            column: count(before.chars().count() + 1),
        }
    }

    fn table(&self, table: &Table) -> Node {
        let entries = table.iter().map(|(name, item)| {
            let at = table.key(name).and_then(|key| key.span());
            (Node::text(name, self.of(at)), self.item(item))
        });
        Node::map(entries.collect(), self.of(table.span()))
    }

    fn inline(&self, table: &InlineTable) -> Node {
        let entries = table.iter().map(|(name, value)| {
            let at = table.key(name).and_then(|key| key.span());
            (Node::text(name, self.of(at)), self.value(value))
        });
        Node::map(entries.collect(), self.of(table.span()))
    }

    fn item(&self, item: &Item) -> Node {
        match item {
            Item::Table(table) => self.table(table),
            Item::ArrayOfTables(tables) => {
                let items = tables.iter().map(|table| self.table(table));
                Node::list(items.collect(), self.of(item.span()))
            }
            Item::Value(value) => self.value(value),
            Item::None => Node {
                value: NodeValue::Null,
                at: self.of(None),
            },
        }
    }

    fn array(&self, array: &Array) -> Node {
        let items = array.iter().map(|value| self.value(value));
        Node::list(items.collect(), self.of(array.span()))
    }

    fn value(&self, value: &Value) -> Node {
        let at = self.of(value.span());
        let value = match value {
            Value::String(text) => return Node::text(text.value().as_str(), at),
            Value::Integer(number) => NodeValue::Int(*number.value()),
            Value::Float(number) => NodeValue::Float(*number.value()),
            Value::Boolean(flag) => NodeValue::Bool(*flag.value()),
            Value::Datetime(time) => NodeValue::Time(shown(time.value())),
            Value::Array(array) => return self.array(array),
            Value::InlineTable(table) => return self.inline(table),
        };
        Node { value, at }
    }
}

/// A date or time as Python's `str()` shows it: a fraction has six digits.
fn shown(time: &Datetime) -> Arc<str> {
    let mut parts = Vec::new();
    parts.extend(time.date.map(|date| date.to_string()));
    parts.extend(time.time.map(|time| {
        let second = time.second.unwrap_or(0);
        let micros = time.nanosecond.unwrap_or(0) / 1000;
        let whole = format!("{:02}:{:02}:{second:02}", time.hour, time.minute);
        match micros {
            0 => whole,
            _ => format!("{whole}.{micros:06}"),
        }
    }));
    let mut out = parts.join(" ");
    if let Some(offset) = time.offset {
        let minutes = match offset {
            toml_edit::Offset::Z => 0,
            toml_edit::Offset::Custom { minutes } => minutes,
        };
        let sign = if minutes < 0 { '-' } else { '+' };
        let minutes = minutes.abs();
        out.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Sources;

    fn read_text(text: &str) -> Result<Node, String> {
        let sources = Sources::default();
        let file = sources.add("hosts.toml", text);
        read(text, file).map_err(|p| {
            let at = p.at.unwrap();
            format!("{}:{}: {p}", at.line, at.column)
        })
    }

    #[test]
    fn groups_have_places_and_children_are_names() {
        let root =
            read_text("[web]\nchildren = [\"a\"]\n[web.hosts]\n\"h[1:2]\" = {port = 2}\n").unwrap();
        let web = root.as_map().unwrap().get("web").unwrap().as_map().unwrap();
        let (child, nothing) = &web
            .get("children")
            .unwrap()
            .as_map()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        assert_eq!(child.as_str(), Some("a"));
        assert_eq!((child.at.line, child.at.column), (2, 13));
        assert!(nothing.is_null());
        let (host, vars) = web
            .get("hosts")
            .unwrap()
            .as_map()
            .unwrap()
            .iter()
            .next()
            .unwrap();
        assert_eq!(host.as_str(), Some("h[1:2]"));
        assert_eq!(host.at.line, 4);
        assert_eq!(
            vars.as_map().unwrap().get("port").unwrap().value,
            NodeValue::Int(2)
        );
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        insta::assert_snapshot!(read_text("[a]\nchildren = \"x\"\n").unwrap_err(), @"2:12: `children` of the group `a` must be a list, and is text");
        assert!(
            read_text("[b]\nhosts = [\n")
                .unwrap_err()
                .contains("this is no TOML")
        );
    }

    #[test]
    fn times_are_shown_as_python_shows_them() {
        let time = |text: &str| shown(&text.parse().unwrap()).to_string();
        assert_eq!(
            time("2020-01-02T03:04:05.5Z"),
            "2020-01-02 03:04:05.500000+00:00"
        );
        assert_eq!(
            time("2020-01-02T03:04:05-01:30"),
            "2020-01-02 03:04:05-01:30"
        );
        assert_eq!(time("03:04:05"), "03:04:05");
        assert_eq!(time("2020-01-02"), "2020-01-02");
    }
}
