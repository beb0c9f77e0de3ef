//! A span of time, in the two ways in which documents write it.

use std::fmt;
use std::time::Duration;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A span of time, as the seeds' tools write it: `{"secs": 2, "nanos": 600000000}`. A plain number of seconds reads too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span {
    /// Whole seconds.
    pub secs: u64,
    /// Nanoseconds on top, below 1,000,000,000.
    pub nanos: u32,
}

impl Span {
    /// So many whole seconds.
    pub const fn from_secs(secs: u64) -> Span {
        Span { secs, nanos: 0 }
    }
}

impl From<Span> for Duration {
    fn from(span: Span) -> Duration {
        Duration::new(span.secs, span.nanos.min(999_999_999))
    }
}

/// Both forms; postcard only ever carries the pair.
struct SpanVisitor;

impl<'de> Visitor<'de> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds, or {\"secs\": …, \"nanos\": …}")
    }
    fn visit_u64<E>(self, secs: u64) -> Result<Span, E> {
        Ok(Span { secs, nanos: 0 })
    }
    fn visit_f64<E: de::Error>(self, secs: f64) -> Result<Span, E> {
        Duration::try_from_secs_f64(secs)
            .map(|d| Span {
                secs: d.as_secs(),
                nanos: d.subsec_nanos(),
            })
            .map_err(|_| E::invalid_value(de::Unexpected::Float(secs), &self))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Span, A::Error> {
        let pair = Pair::deserialize(de::value::MapAccessDeserializer::new(map))?;
        check(pair)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    secs: u64,
    #[serde(default)]
    nanos: u32,
}

fn check<E: de::Error>(pair: Pair) -> Result<Span, E> {
    if pair.nanos > 999_999_999 {
        return Err(E::custom(format!(
            "`nanos` is {}, a second has 1000000000",
            pair.nanos
        )));
    }
    Ok(Span {
        secs: pair.secs,
        nanos: pair.nanos,
    })
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            d.deserialize_any(SpanVisitor)
        } else {
            check(Pair::deserialize(d)?)
        }
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A span of time: seconds, or seconds and nanoseconds.",
            "oneOf": [
                {"type": "number", "minimum": 0},
                {
                    "type": "object",
                    "properties": {
                        "secs": {"type": "integer", "minimum": 0},
                        "nanos": {"type": "integer", "minimum": 0, "maximum": 999_999_999}
                    },
                    "required": ["secs"],
                    "additionalProperties": false
                }
            ]
        })
    }
}
