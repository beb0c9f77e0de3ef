//! Decodes typed data from a [`Node`], so that a mistake carries the place where it was made.

use std::fmt;
use std::ops::Range;

use serde::de::{self, DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::node::{Kind, Member, Node};
use crate::nearest;

/// The name under which a task or block asks this decoder which of the two it is (see `Item`).
pub(in crate::plan) const ITEM: &str = "$rustle::Item";

/// A mistake and, once known, its place.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plan) struct Fault {
    /// The bytes that are to blame.
    pub(in crate::plan) span: Option<Range<usize>>,
    /// What is wrong.
    pub(in crate::plan) message: String,
    /// What was probably meant.
    pub(in crate::plan) hint: Option<String>,
}

impl Fault {
    /// A mistake at this place.
    pub(in crate::plan) fn at(span: &Range<usize>, message: impl Into<String>) -> Fault {
        Fault {
            span: Some(span.clone()),
            message: message.into(),
            hint: None,
        }
    }

    /// With a hint.
    pub(in crate::plan) fn hint(mut self, hint: impl Into<String>) -> Fault {
        self.hint = Some(hint.into());
        self
    }

    fn or_at(mut self, span: &Range<usize>) -> Fault {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault {
            span: None,
            message: message.to_string(),
            hint: None,
        }
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format!(
            "expected {}, found {}",
            wanted(&expected.to_string()),
            shown(found)
        ))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let hint = match nearest(field, expected) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => {
                let mut names = expected.to_vec();
                names.sort_unstable();
                format!("the fields here are {}", names.join(", "))
            }
        };
        Self::custom(format!("unknown field `{field}`")).hint(hint)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::custom(format!("the field `{field}` is there twice"))
    }
}

/// What was expected, in JSON's words.
fn wanted(expected: &str) -> &str {
    match expected {
        "a sequence" => "a list",
        "a map" => "a mapping",
        "u32" | "u64" | "i64" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        name if name.starts_with("struct ") => "a mapping",
        other => other,
    }
}

/// What was found, in JSON's words and shortened.
fn shown(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Str(text) => {
            let short: String = text.chars().take(60).collect();
            let dots = if short.len() < text.len() { "…" } else { "" };
            format!("the string {short:?}{dots}")
        }
        de::Unexpected::Unit | de::Unexpected::Option => "null".into(),
        de::Unexpected::Bool(b) => format!("`{b}`"),
        de::Unexpected::Unsigned(n) => format!("the number {n}"),
        de::Unexpected::Signed(n) => format!("the number {n}"),
        de::Unexpected::Float(n) => format!("the number {n}"),
        de::Unexpected::Seq => "a list".into(),
        de::Unexpected::Map => "a mapping".into(),
        other => other.to_string(),
    }
}

impl<'de, 't> de::Deserializer<'de> for &'de Node<'t> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Bool(b) => visitor.visit_bool(*b),
            Kind::Number(text) => number(text, visitor),
            Kind::Text(text) => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(members) => visitor.visit_map(Members {
                rest: members.iter(),
                current: None,
            }),
        }
        .map_err(|fault| fault.or_at(&self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if let Kind::List(_) = self.kind {
            // A structure read from a list would tell its fields apart by their order.
            let fault: Fault = de::Error::invalid_type(de::Unexpected::Seq, &"a mapping");
            return Err(fault.or_at(&self.span));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == ITEM {
            visitor.visit_enum(Choice(self))
        } else {
            visitor.visit_newtype_struct(self)
        }
        .map_err(|fault| fault.or_at(&self.span))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.kind {
            Kind::Text(text) => {
                visitor.visit_enum(de::value::BorrowedStrDeserializer::<Fault>::new(text))
            }
            _ => self.deserialize_any(visitor),
        }
        .map_err(|fault| fault.or_at(&self.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

fn number<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value, Fault> {
    if let Ok(n) = text.parse::<u64>() {
        visitor.visit_u64(n)
    } else if let Ok(n) = text.parse::<i64>() {
        visitor.visit_i64(n)
    } else if let Ok(n) = text.parse::<f64>() {
        visitor.visit_f64(n)
    } else {
        Err(de::Error::custom(format!("`{text}` is not a number")))
    }
}

struct Items<'de, 't>(std::slice::Iter<'de, Node<'t>>);

impl<'de> SeqAccess<'de> for Items<'de, '_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|node| {
                seed.deserialize(node)
                    .map_err(|fault| fault.or_at(&node.span))
            })
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Members<'de, 't> {
    rest: std::slice::Iter<'de, Member<'t>>,
    current: Option<&'de Node<'t>>,
}

impl<'de> MapAccess<'de> for Members<'de, '_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(member) = self.rest.next() else {
            return Ok(None);
        };
        self.current = Some(&member.value);
        seed.deserialize(de::value::BorrowedStrDeserializer::<Fault>::new(
            &member.key,
        ))
        .map(Some)
        .map_err(|fault| fault.or_at(&member.key_span))
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let node = self
            .current
            .take()
            .ok_or_else(|| <Fault as de::Error>::custom("a value without a key"))?;
        seed.deserialize(node)
            .map_err(|fault| fault.or_at(&node.span))
    }
}

/// Tells a task from a block.
struct Choice<'de, 't>(&'de Node<'t>);

impl<'de, 't> EnumAccess<'de> for Choice<'de, 't> {
    type Error = Fault;
    type Variant = Content<'de, 't>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'de, 't>), Fault> {
        let name = if crate::plan::task::BLOCK_KEYS
            .iter()
            .any(|key| self.0.get(key).is_some())
        {
            "block"
        } else {
            "task"
        };
        let value = seed.deserialize(de::value::BorrowedStrDeserializer::<Fault>::new(name))?;
        Ok((value, Content(self.0)))
    }
}

struct Content<'de, 't>(&'de Node<'t>);

impl<'de> VariantAccess<'de> for Content<'de, '_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        Err(de::Error::custom("expected a task or a block"))
    }
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        seed.deserialize(self.0)
    }
    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self.0, visitor)
    }
    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self.0, visitor)
    }
}
