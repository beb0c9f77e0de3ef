//! The kernel's command line.

use rustle_formats::{Map, Value};

use super::Source;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let Some(text) = source.text("/proc/cmdline") else {
        return;
    };
    let mut last = Map::new();
    let mut all = Map::new();
    for word in words(&text) {
        let (key, value) = match word.split_once('=') {
            Some((key, value)) => (key.to_owned(), Value::from(value)),
            None => (word.clone(), true.into()),
        };
        last.insert(key.clone(), value.clone());
        // A key that is there more than once has a list of values.
        match all.get_mut(&key) {
            None => {
                all.insert(key, value);
            }
            Some(Value::List(list)) => list.push(value),
            Some(first) => *first = Value::List(vec![first.clone(), value]),
        }
    }
    facts.insert("ansible_cmdline".into(), Value::Map(last));
    facts.insert("ansible_proc_cmdline".into(), Value::Map(all));
}

/// Words at white space; quotes hold them together.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in text.trim().chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
