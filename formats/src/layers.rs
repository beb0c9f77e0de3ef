//! Variables laid over each other.

use crate::value::{Map, Value};

/// Lays variables over others. Where `merges`, mappings of the same name are merged all the way down; else, and with
/// anything but mappings, the upper value replaces the lower one.
pub fn lay(under: &mut Map, over: &Map, merges: bool) {
    for (name, value) in over {
        match (under.get_mut(name), value) {
            (Some(Value::Map(low)), Value::Map(high)) if merges => lay(low, high, true),
            _ => {
                under.insert(name.clone(), value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn mappings_are_merged_only_where_that_is_wanted() {
        let low = map(r#"{"a": {"x": 1, "y": {"p": 1}, "l": [1]}, "b": 1}"#);
        let high = map(r#"{"a": {"y": {"q": 2}, "l": [2]}, "b": {"z": 1}}"#);
        let laid = |merges| {
            let mut out = low.clone();
            lay(&mut out, &high, merges);
            Value::Map(out).to_string()
        };
        assert_eq!(laid(false), Value::Map(high.clone()).to_string());
        let merged = map(r#"{"a": {"x": 1, "y": {"p": 1, "q": 2}, "l": [2]}, "b": {"z": 1}}"#);
        assert_eq!(laid(true), Value::Map(merged).to_string());
    }
}
