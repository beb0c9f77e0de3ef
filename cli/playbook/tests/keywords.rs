//! Every keyword at every place, with values of every kind: accepted where Ansible accepts it (`scripts/record-keywords`).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use rustle_playbook::play::{Options, Reader};
use rustle_playbook::{Files, Kind, Sources};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    case: String,
    accepted: bool,
    playbook: serde_json::Value,
}

/// The files beside each playbook.
const BESIDE: &[(&str, &str)] = &[
    ("other.yml", "- hosts: localhost\n  gather_facts: false\n"),
    ("tasks.yml", "- debug:\n"),
    ("vars.yml", "a: 1\n"),
    ("roles/r/tasks/main.yml", "- debug:\n"),
];

/// One playbook and what is beside it.
struct Beside(String);

impl Files for Beside {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new("site.yml") {
            return Ok(self.0.clone().into_bytes());
        }
        let found = BESIDE.iter().find(|(name, _)| path == Path::new(name));
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn kind(&self, path: &Path) -> Option<Kind> {
        if self.read(path).is_ok() {
            return Some(Kind::File);
        }
        let inside = |(name, _): &(&str, &str)| Path::new(name).starts_with(path);
        BESIDE.iter().any(inside).then_some(Kind::Folder)
    }

    fn names(&self, _: &Path) -> Vec<String> {
        Vec::new()
    }
}

fn accepts(playbook: &serde_json::Value) -> Result<(), String> {
    let sources = Sources::default();
    let files = Beside(playbook.to_string());
    let options = Options::default();
    let reader = Reader::new(&sources, &files, &options);
    let read = reader.playbook(Path::new("site.yml"));
    read.map(|_| ()).map_err(|problem| problem.to_string())
}

#[test]
fn keywords_are_accepted_where_ansible_accepts_them() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/playbooks");
    let recorded = fs::read_to_string(fixtures.join("keywords.jsonl")).unwrap();
    let known = fs::read_to_string(fixtures.join("keywords-known-differences")).unwrap();
    let mut known: BTreeMap<&str, &str> = known
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split_once(" | ").expect("a case and a reason"))
        .collect();
    let mut wrong = Vec::new();
    let mut total = 0;
    for line in recorded.lines() {
        let case: Case = serde_json::from_str(line).unwrap();
        total += 1;
        let ours = accepts(&case.playbook);
        match (ours.is_ok() == case.accepted, known.remove(&*case.case)) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => wrong.push(format!("{} is equal now", case.case)),
            (false, None) => wrong.push(format!(
                "{}: Ansible {}, we say {ours:?}",
                case.case,
                if case.accepted {
                    "accepts it"
                } else {
                    "refuses it"
                },
            )),
        }
    }
    wrong.extend(known.into_keys().map(|case| format!("no case {case}")));
    assert!(total > 2000, "only {total} cases");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
