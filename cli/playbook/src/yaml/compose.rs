//! From events to values: anchors and aliases, bounds, and the shape of collections.

use std::collections::HashMap;

use libyaml_safer::EventData;

use super::events::Events;
use super::mapping;
use super::node::{Node, NodeValue};
use super::tags::{self, Special};
use super::{Options, syntax};
use crate::problem::Problem;
use crate::source::Position;

/// How deep a document may nest, aliases counted where they are used: as deep as a plan may.
pub(super) const MAX_DEPTH: usize = 100;

/// How many values a document may have, aliases counted where they are used.
const MAX_VALUES: usize = 10_000_000;

/// What an anchor names.
enum Anchor {
    /// A collection that is not finished.
    Open(Position),
    Done(Composed, Position),
}

/// A value, with what the bounds need.
#[derive(Clone)]
pub(super) struct Composed {
    pub(super) node: Node,
    pub(super) special: Special,
    size: usize,
    height: usize,
}

impl Composed {
    pub(super) fn leaf(node: Node, special: Special) -> Composed {
        Composed {
            node,
            special,
            size: 1,
            height: 1,
        }
    }
}

pub(super) struct Composer<'t> {
    pub(super) events: Events<'t>,
    pub(super) options: &'t Options,
    pub(super) warnings: Vec<Problem>,
    pub(super) text: &'t str,
    anchors: HashMap<String, Anchor>,
    values: usize,
}

/// What surrounds a value.
#[derive(Clone, Copy)]
pub(super) struct Place {
    depth: usize,
    is_unsafe: bool,
}

impl<'t> Composer<'t> {
    pub(super) fn new(text: &'t str, events: Events<'t>, options: &'t Options) -> Composer<'t> {
        Composer {
            events,
            options,
            warnings: Vec::new(),
            text,
            anchors: HashMap::new(),
            values: 0,
        }
    }

    /// The only document; an empty text is an empty document.
    pub(super) fn document(&mut self) -> Result<Option<Node>, Problem> {
        self.next()?;
        let (start, _) = self.next()?;
        if matches!(start, EventData::StreamEnd) {
            return Ok(None);
        }
        let place = Place {
            depth: 0,
            is_unsafe: false,
        };
        let (event, at) = self.next()?;
        let root = self.value(event, at, place)?;
        tags::refuse_special(&root)?;
        self.next()?;
        match self.next()? {
            (EventData::StreamEnd, _) => Ok(Some(root.node)),
            (_, at) => Err(
                Problem::error("the file has a second document, and only one is read")
                    .at(at)
                    .over(3)
                    .hint("put it into a file of its own, or remove the `---`"),
            ),
        }
    }

    fn next(&mut self) -> Result<(EventData, Position), Problem> {
        self.events
            .next()
            .map_err(|error| syntax::problem(&error, &self.events, self.text))
    }

    fn count(&mut self, values: usize, at: Position) -> Result<(), Problem> {
        self.values = self.values.saturating_add(values);
        if self.values > MAX_VALUES {
            return Err(Problem::error(format!(
                "the document has more than {MAX_VALUES} values, aliases counted where they are used"
            ))
            .at(at));
        }
        Ok(())
    }

    fn value(&mut self, event: EventData, at: Position, place: Place) -> Result<Composed, Problem> {
        if place.depth > MAX_DEPTH {
            return Err(too_deep(at));
        }
        if let EventData::Alias { anchor } = event {
            return self.alias(&anchor, at, place);
        }
        self.count(1, at)?;
        match event {
            EventData::Scalar {
                anchor,
                tag,
                value,
                style,
                ..
            } => {
                self.open(anchor.as_deref(), at)?;
                let scalar = tags::Scalar {
                    tag: tag.as_deref(),
                    text: value,
                    style: tags::style(style),
                    at,
                };
                let composed = scalar.construct(place.is_unsafe, &mut self.warnings)?;
                self.close(anchor, &composed, at);
                Ok(composed)
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.open(anchor.as_deref(), at)?;
                let tag = tags::collection(tag.as_deref(), true, at)?;
                let composed = self.sequence(tag, at, place)?;
                self.close(anchor, &composed, at);
                Ok(composed)
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.open(anchor.as_deref(), at)?;
                let tag = tags::collection(tag.as_deref(), false, at)?;
                let composed = self.mapping(tag, at, place)?;
                self.close(anchor, &composed, at);
                Ok(composed)
            }
            other => {
                Err(Problem::error(format!("the parser gave {other:?} in place of a value")).at(at))
            }
        }
    }

    fn open(&mut self, anchor: Option<&str>, at: Position) -> Result<(), Problem> {
        let Some(name) = anchor else {
            return Ok(());
        };
        if let Some(Anchor::Open(first) | Anchor::Done(_, first)) = self.anchors.get(name) {
            return Err(
                Problem::error(format!("the anchor `&{name}` is there twice"))
                    .at(at)
                    .over(name.chars().count() + 1)
                    .note(format!("the first one is in line {}", first.line)),
            );
        }
        self.anchors.insert(name.to_owned(), Anchor::Open(at));
        Ok(())
    }

    fn close(&mut self, anchor: Option<String>, composed: &Composed, at: Position) {
        if let Some(name) = anchor {
            self.anchors
                .insert(name, Anchor::Done(composed.clone(), at));
        }
    }

    fn alias(&mut self, name: &str, at: Position, place: Place) -> Result<Composed, Problem> {
        let length = name.chars().count() + 1;
        let found = match self.anchors.get(name) {
            Some(Anchor::Done(found, _)) => found.clone(),
            Some(Anchor::Open(_)) => {
                return Err(Problem::error(format!(
                    "the alias `*{name}` stands inside the value that it names"
                ))
                .at(at)
                .over(length));
            }
            None => {
                let known: Vec<&str> = self.anchors.keys().map(String::as_str).collect();
                let mut problem = Problem::error(format!(
                    "the alias `*{name}` has no anchor `&{name}` before it"
                ))
                .at(at)
                .over(length);
                if let Some(near) = rustle_formats::nearest(name, &known) {
                    problem = problem.hint(format!("there is `&{near}`"));
                }
                return Err(problem);
            }
        };
        if place.depth + found.height > MAX_DEPTH + 1 {
            return Err(too_deep(at));
        }
        self.count(found.size, at)?;
        Ok(found)
    }

    fn sequence(
        &mut self,
        tag: tags::Collection,
        at: Position,
        place: Place,
    ) -> Result<Composed, Problem> {
        let inner = Place {
            depth: place.depth + 1,
            is_unsafe: place.is_unsafe || tag == tags::Collection::Unsafe,
        };
        let (mut items, mut size, mut height) = (Vec::new(), 1, 0);
        loop {
            let (event, at) = self.next()?;
            if matches!(event, EventData::SequenceEnd) {
                break;
            }
            let item = self.value(event, at, inner)?;
            tags::refuse_special(&item)?;
            size += item.size;
            height = height.max(item.height);
            items.push(item.node);
        }
        if tag == tags::Collection::Pairs {
            items = tags::pairs(items, at, &mut self.warnings)?;
        }
        Ok(Composed {
            node: Node::list(items, at),
            special: Special::None,
            size,
            height: height + 1,
        })
    }

    fn mapping(
        &mut self,
        tag: tags::Collection,
        at: Position,
        place: Place,
    ) -> Result<Composed, Problem> {
        let inner = Place {
            depth: place.depth + 1,
            is_unsafe: place.is_unsafe || tag == tags::Collection::Unsafe,
        };
        let mut builder = mapping::Builder::default();
        let (mut size, mut height) = (1, 0);
        loop {
            let (event, key_at) = self.next()?;
            if matches!(event, EventData::MappingEnd) {
                break;
            }
            let mut key = self.value(event, key_at, inner)?;
            if key.special == Special::Default {
                key = Composed::leaf(Node::text("=", key_at), Special::None);
            }
            let (event, at) = self.next()?;
            let value = self.value(event, at, inner)?;
            size += key.size + value.size;
            height = height.max(key.height).max(value.height);
            if key.special == Special::Merge {
                builder.merge(&value.node)?;
                continue;
            }
            tags::refuse_special(&value)?;
            builder.insert(key.node, value.node);
        }
        let map = builder.finish(self.text, self.options.duplicate_keys, &mut self.warnings)?;
        Ok(Composed {
            node: Node {
                value: NodeValue::Map(map.into()),
                at,
            },
            special: Special::None,
            size,
            height: height + 1,
        })
    }
}

fn too_deep(at: Position) -> Problem {
    Problem::error(format!("the document nests deeper than {MAX_DEPTH} levels")).at(at)
}
