//! Events as JSON lines: `{"event": "task_result", "seq": 7, "time_ms": …, fields of the kind…}`.
//!
//! Postcard needs enums tagged from outside, people and `jq` want them tagged inside: this file turns one into the
//! other, both ways.

use serde_json::{Map, Value};

use super::{Event, EventKind};

impl Event {
    /// One line of JSON, without the newline.
    ///
    /// # Errors
    /// None in practice: all events can be written as JSON. A number that JSON lacks (NaN) becomes null.
    pub fn to_json_line(&self) -> Result<String, serde_json::Error> {
        let mut out = Map::new();
        let kind = serde_json::to_value(&self.kind)?;
        if let Value::Object(kind) = kind {
            for (name, fields) in kind {
                out.insert("event".into(), Value::String(snake(&name)));
                out.insert("seq".into(), self.seq.into());
                out.insert("time_ms".into(), self.time_ms.into());
                if let Value::Object(fields) = fields {
                    out.extend(fields);
                }
            }
        }
        serde_json::to_string(&Value::Object(out))
    }

    /// Reads a line that [`Event::to_json_line`] wrote.
    ///
    /// # Errors
    /// Where the line is not an event of this version.
    pub fn from_json_line(line: &str) -> Result<Event, serde_json::Error> {
        use serde::de::Error;
        let mut fields: Map<String, Value> = serde_json::from_str(line)?;
        let mut take = |key: &str| {
            fields
                .shift_remove(key)
                .ok_or_else(|| serde_json::Error::custom(format!("an event without `{key}`")))
        };
        let name = camel(take("event")?.as_str().unwrap_or_default());
        let seq = serde_json::from_value(take("seq")?)?;
        let time_ms = serde_json::from_value(take("time_ms")?)?;
        let mut outer = Map::new();
        outer.insert(name, Value::Object(fields));
        let kind: EventKind = serde_json::from_value(Value::Object(outer))?;
        Ok(Event { seq, time_ms, kind })
    }
}

/// `TaskResult` as `task_result`.
pub(super) fn snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() {
            if i > 0 {
                out.push('_');
            }
            out.push(c.to_ascii_lowercase());
        } else {
            out.push(c);
        }
    }
    out
}

fn camel(name: &str) -> String {
    name.split('_')
        .map(|word| {
            let mut chars = word.chars();
            chars.next().map_or_else(String::new, |c| {
                c.to_ascii_uppercase().to_string() + chars.as_str()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_back() {
        let event = Event {
            seq: 3,
            time_ms: 12,
            kind: EventKind::Rescued {
                host: "web1".into(),
            },
        };
        let line = event.to_json_line().unwrap();
        assert_eq!(
            line,
            r#"{"event":"rescued","seq":3,"time_ms":12,"host":"web1"}"#
        );
        assert_eq!(Event::from_json_line(&line).unwrap(), event);
        let wire = postcard::to_stdvec(&event).unwrap();
        assert_eq!(postcard::from_bytes::<Event>(&wire).unwrap(), event);
    }
}
