//! The text reporter against what ansible-playbook printed for the same events (`scripts/record-transcripts`).

use std::fs;
use std::path::PathBuf;

use rustle_formats::event::Event;
use rustle_runtime::report::{Excerpts, Stream, TextOptions, TextReporter};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/transcripts")
}

struct Fixtures;

impl Excerpts for Fixtures {
    fn text(&self, file: &str) -> Option<String> {
        fs::read_to_string(folder().join(file)).ok()
    }
}

fn replay(name: &str, verbosity: u8, colour: bool) -> String {
    let options = TextOptions {
        verbosity,
        colour,
        terminal: None,
    };
    let mut reporter = TextReporter::new(options).with_excerpts(Box::new(Fixtures));
    let mut out = String::new();
    let events = fs::read_to_string(folder().join(format!("{name}.jsonl"))).unwrap();
    for line in events.lines() {
        let event = Event::from_json_line(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        reporter.event(&event, &mut |stream, text| {
            if stream == Stream::Out {
                out.push_str(text);
            }
        });
    }
    out
}

#[test]
fn what_ansible_printed() {
    let mut compared = 0;
    for (play, mode, verbosity, colour) in [
        ("results", "plain", 0, false),
        ("results", "verbose", 1, false),
        ("results", "colour", 0, true),
        ("differences", "plain", 0, false),
        ("differences", "diff", 0, false),
        ("differences", "colour", 0, true),
    ] {
        let name = format!("{play}.{mode}");
        let expected = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
        let printed = replay(&name, verbosity, colour);
        for (number, (ours, theirs)) in printed.lines().zip(expected.lines()).enumerate() {
            assert_eq!(ours, theirs, "{name}, line {}", number + 1);
            compared += 1;
        }
        assert_eq!(printed.len(), expected.len(), "{name}");
    }
    assert!(compared > 1000, "{compared} lines");
}
