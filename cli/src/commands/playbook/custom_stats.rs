//! What tasks of `set_stats` have counted, told below the recap (`show_custom_stats`).

use indexmap::IndexMap;
use rustle_formats::event::{Event, EventKind, Status};
use rustle_formats::{Map, Value};
use rustle_runtime::report::{Stream, TextReporter};

use super::callbacks::Screen;

/// The statistics of the run as a whole, beside those of hosts.
const RUN: &str = "_run";

/// Prints a run, and its own statistics at the end.
pub(super) struct WithStats {
    pub(super) inner: TextReporter,
    pub(super) stats: CustomStats,
}

/// What was counted so far, by host.
#[derive(Default)]
pub(super) struct CustomStats(IndexMap<String, Map>);

impl Screen for WithStats {
    fn event(&mut self, event: &Event, sink: &mut dyn FnMut(Stream, &str)) {
        self.inner.event(event, sink);
        self.stats.add(event);
        if matches!(&event.kind, EventKind::RunFinished { aborted: None, .. })
            && !self.stats.0.is_empty()
        {
            self.inner.headline("CUSTOM STATS:", sink);
            sink(Stream::Out, &self.stats.text());
        }
    }
}

impl CustomStats {
    /// Takes one event in.
    pub(super) fn add(&mut self, event: &Event) {
        match &event.kind {
            EventKind::ItemResult {
                host,
                status,
                result,
                ..
            }
            | EventKind::TaskResult {
                host,
                status,
                result,
                ..
            } if matches!(status, Status::Ok | Status::Changed) => self.count(host, result),
            _ => {}
        }
    }

    /// Those of hosts by name, and those of the run.
    pub(super) fn parts(&self) -> (Map, Map) {
        let hosts = self.0.iter().filter(|(of, _)| *of != RUN);
        let hosts = hosts.map(|(host, stats)| (host.clone(), Value::Map(stats.clone())));
        (
            hosts.collect(),
            self.0.get(RUN).cloned().unwrap_or_default(),
        )
    }

    fn count(&mut self, host: &str, result: &Value) {
        let Some(Value::Map(told)) = result.get("ansible_stats") else {
            return;
        };
        let flag = |name: &str| told.get(name).and_then(Value::as_bool);
        let (Some(Value::Map(data)), Some(per_host)) = (told.get("data"), flag("per_host")) else {
            return;
        };
        let of = if per_host { host } else { RUN };
        for (name, value) in data {
            let known = self.0.entry(of.to_owned()).or_default();
            let sum = match known.get(name) {
                Some(old) if flag("aggregate") != Some(false) => sum(old, value),
                _ => Some(value.clone()),
            };
            if let Some(sum) = sum {
                known.insert(name.clone(), sum);
            }
        }
    }

    fn text(&self) -> String {
        let mut hosts: Vec<_> = self.0.iter().filter(|(of, _)| *of != RUN).collect();
        hosts.sort_by(|a, b| a.0.cmp(b.0));
        let mut out = String::new();
        for (host, stats) in hosts {
            out.push_str(&format!("\t{host}: {}\n", in_one_line(stats)));
        }
        out.push('\n');
        if let Some(stats) = self.0.get(RUN) {
            out.push_str(&format!("\tRUN: {}\n\n", in_one_line(stats)));
        }
        out
    }
}

/// Two values of one type, as Python adds them; mappings are merged. `None`: what is there stays.
fn sum(old: &Value, new: &Value) -> Option<Value> {
    Some(match (old, new) {
        (Value::Bool(a), Value::Bool(b)) => Value::Int(i64::from(*a) + i64::from(*b)),
        (Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(*b)?),
        (Value::Float(a), Value::Float(b)) => Value::Float(a + b),
        (Value::Str(a) | Value::Unsafe(a), Value::Str(b) | Value::Unsafe(b)) => {
            Value::Str(format!("{a}{b}"))
        }
        (Value::List(a), Value::List(b)) => Value::List(a.iter().chain(b).cloned().collect()),
        (Value::Map(a), Value::Map(b)) => {
            let mut all = a.clone();
            rustle_formats::lay(&mut all, b, true);
            Value::Map(all)
        }
        _ => return None,
    })
}

/// JSON that was laid out by one space a level, without its line ends.
fn in_one_line(stats: &Map) -> String {
    let text = rustle_runtime::report::pretty(stats);
    let lines = text.lines().map(|line| {
        let text = line.trim_start_matches(' ');
        format!("{}{text}", " ".repeat((line.len() - text.len()) / 4))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn values_of_one_type_are_added() {
        let sums = [
            ("1", "2", Some("3")),
            ("[1]", "[2]", Some("[1, 2]")),
            (r#""a""#, r#""b""#, Some(r#""ab""#)),
            (r#"{"a": 1}"#, r#"{"b": 2}"#, Some(r#"{"a": 1, "b": 2}"#)),
            ("true", "true", Some("2")),
            ("1", r#""a""#, None),
        ];
        for (a, b, expected) in sums {
            assert_eq!(sum(&value(a), &value(b)), expected.map(value), "{a} {b}");
        }
    }

    #[test]
    fn they_are_told_in_one_line() {
        let Value::Map(stats) = value(r#"{"b": [1, 2], "a": {"x": {}}}"#) else {
            panic!()
        };
        assert_eq!(
            in_one_line(&stats),
            r#"{ "a": {  "x": {} }, "b": [  1,  2 ]}"#
        );
    }
}
