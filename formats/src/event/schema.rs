//! The JSON Schema of an event's line. The types are tagged from outside, the lines from inside, so the schema is turned
//! as the lines are.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Value, json};

use super::{Event, EventKind};

impl JsonSchema for Event {
    fn schema_name() -> Cow<'static, str> {
        "Event".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = EventKind::json_schema(generator).to_value();
        let lines: Vec<Value> = kinds
            .get("oneOf")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(line)
            .collect();
        schemars::json_schema!({
            "description": "One line of the event stream.",
            "oneOf": lines
        })
    }
}

/// The schema of one kind's line.
fn line(kind: &Value) -> Option<Value> {
    let (name, fields) = kind.get("properties")?.as_object()?.iter().next()?;
    let mut properties = serde_json::Map::new();
    properties.insert("event".into(), json!({"const": super::json::snake(name)}));
    properties.insert(
        "seq".into(),
        json!({"type": "integer", "minimum": 1, "description": "Counts from 1 in a run, without gaps."}),
    );
    properties.insert(
        "time_ms".into(),
        json!({"type": "integer", "minimum": 0, "description": "Milliseconds since 1970."}),
    );
    let mut required = vec![json!("event"), json!("seq"), json!("time_ms")];
    if let Some(own) = fields.get("properties").and_then(Value::as_object) {
        properties.extend(own.clone());
    }
    if let Some(own) = fields.get("required").and_then(Value::as_array) {
        required.extend(own.iter().cloned());
    }
    let mut out = json!({"type": "object", "properties": properties, "required": required});
    if let Some(about) = kind.get("description") {
        out["description"] = about.clone();
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_line() {
        let schema = schemars::schema_for!(Event).to_value();
        let lines = schema["oneOf"].as_array().unwrap();
        let names: Vec<&str> = lines
            .iter()
            .map(|l| l["properties"]["event"]["const"].as_str().unwrap())
            .collect();
        assert!(names.contains(&"run_started") && names.contains(&"run_finished"));
        assert!(names.len() > 8, "{names:?}");
    }
}
