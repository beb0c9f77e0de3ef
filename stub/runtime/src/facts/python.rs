//! The machine's Python, where it has one. Rustle needs none; playbooks ask for it, to name packages and paths by its version.

use std::path::Path;
use std::process::{Command, Stdio};

use rustle_formats::{Map, Value};

use super::Source;

/// Where Ansible's own search finds the interpreter on most systems.
const PLACES: &[&str] = &[
    "/usr/bin/python3",
    "/usr/libexec/platform-python",
    "/usr/local/bin/python3",
];

/// Prints what is known of an interpreter, in one line. Without `site`, which takes most of its start.
const ASK: &str = "import sys; v = sys.version_info; \
                   print(v[0], v[1], v[2], v[3], v[4], sys.implementation.name)";

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    // An interpreter below another root is not this machine's to run.
    let places = PLACES.iter().filter(|_| source.root == Path::new("/"));
    let Some(executable) = places.copied().find(|place| source.exists(place)) else {
        return;
    };
    let asked = Command::new(executable)
        .args(["-I", "-S", "-c", ASK])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    if let Ok(answer) = asked {
        told(executable, &String::from_utf8_lossy(&answer.stdout), facts);
    }
}

/// Reads the answer; what is no answer gives no facts.
fn told(executable: &str, answer: &str, facts: &mut Map) {
    let words: Vec<&str> = answer.split_whitespace().collect();
    let [major, minor, micro, level, serial, kind] = words[..] else {
        return;
    };
    let number = |word: &str| word.parse().map_or(Value::Null, Value::Int);
    let info = [
        ("major", number(major)),
        ("minor", number(minor)),
        ("micro", number(micro)),
        ("releaselevel", level.into()),
        ("serial", number(serial)),
    ];
    let mut python = Map::new();
    python.insert(
        "version".into(),
        Value::Map(
            info.iter()
                .map(|(k, v)| ((*k).to_owned(), v.clone()))
                .collect(),
        ),
    );
    let list = info.into_iter().map(|(_, value)| value).collect();
    python.insert("version_info".into(), Value::List(list));
    python.insert("executable".into(), executable.into());
    // Every Python 3 that is still kept has it.
    python.insert("has_sslcontext".into(), true.into());
    python.insert("type".into(), kind.into());
    facts.insert("ansible_python".into(), Value::Map(python));
    facts.insert(
        "ansible_python_version".into(),
        format!("{major}.{minor}.{micro}").into(),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_becomes_facts() {
        let mut facts = Map::new();
        told("/usr/bin/python3", "3 11 2 final 0 cpython\n", &mut facts);
        assert_eq!(facts["ansible_python_version"], "3.11.2".into());
        let python = facts["ansible_python"].as_map().unwrap();
        assert_eq!(python["version"].as_map().unwrap()["minor"], Value::Int(11));
        assert_eq!(python["type"], "cpython".into());
    }

    #[test]
    fn what_is_no_answer_gives_no_facts() {
        let mut facts = Map::new();
        told("/usr/bin/python3", "command not found\n", &mut facts);
        assert!(facts.is_empty());
    }
}
