//! The recorded playbook runs cover the language: every keyword of plays, blocks, tasks and handlers is in one of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rustle_playbook::play::KEYWORDS;
use serde_json::Value;

/// Keywords that no recorded run can have, and why.
const WITHOUT: &[(&str, &str)] = &[
    ("debugger", "it asks on a terminal"),
    ("vars_prompt", "it asks on a terminal"),
];

/// The keys of all mappings in the YAML of a file.
fn keys(text: &str, found: &mut BTreeSet<String>) {
    for line in text.lines() {
        // Flow mappings as well: every word before a colon.
        for part in line.split([',', '{', '-']) {
            if let Some((key, _)) = part.split_once(':') {
                let key = key.trim().trim_matches(['"', '\'']);
                found.insert(key.rsplit('.').next().unwrap_or(key).to_owned());
            }
        }
    }
}

#[test]
fn every_keyword_is_in_a_recorded_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/playbooks");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let cases: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for case in cases.as_object().unwrap().values() {
            for (name, text) in case["files"].as_object().unwrap() {
                if name.ends_with(".yml") && name != "hosts.yml" {
                    keys(text.as_str().unwrap(), &mut found);
                }
            }
        }
    }
    let missing: Vec<&str> = KEYWORDS
        .iter()
        .map(|keyword| keyword.name)
        .filter(|name| !found.contains(*name) && WITHOUT.iter().all(|(w, _)| w != name))
        .collect();
    assert!(missing.is_empty(), "no recorded run has {missing:?}");
}
