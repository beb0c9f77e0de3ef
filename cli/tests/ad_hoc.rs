//! `rustle run` against what ansible printed and how it ended, word for word. The records are made by `scripts/record-ad-hoc`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

/// What differs, and why.
const KNOWN: &[(&str, &str)] = &[];

#[derive(Deserialize)]
struct Case {
    args: Vec<String>,
    files: BTreeMap<String, String>,
    exit: i32,
    stdout: String,
    tree: BTreeMap<String, String>,
}

fn plain(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "FOLDER");
    let patterns = [
        (
            r#""(start|end|delta|src|ansible_job_id|results_file)": "[^"]*""#,
            r#""$1": "PLAIN""#,
        ),
        (r"j\d+\.\d+", "JOB"),
    ];
    patterns.iter().fold(text, |text, (pattern, put)| {
        let pattern = regex::Regex::new(pattern).expect("the pattern is right");
        pattern.replace_all(&text, *put).into_owned()
    })
}

fn run(case: &Case) -> (i32, String, BTreeMap<String, String>) {
    let dir = tempfile::Builder::new()
        .prefix("rustle-ad-hoc-")
        .tempdir()
        .unwrap();
    let at = dir.path();
    fs::write(
        at.join("hosts"),
        "localhost ansible_connection=local\n[web]\nlocalhost\n",
    )
    .unwrap();
    for (name, content) in &case.files {
        fs::write(at.join(name), content).unwrap();
    }
    let out = Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(["run", "-i", "hosts"])
        .args(&case.args)
        .current_dir(at)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", at)
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let mut tree = BTreeMap::new();
    for entry in fs::read_dir(at.join("tree"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = format!("tree/{}", entry.file_name().to_string_lossy());
        tree.insert(name, fs::read_to_string(entry.path()).unwrap());
    }
    let stdout = plain(&String::from_utf8_lossy(&out.stdout), at);
    (out.status.code().unwrap_or(-1), stdout, tree)
}

#[test]
fn recorded_tasks_run_as_under_ansible() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/ad-hoc/recorded.json");
    let cases: BTreeMap<String, Case> =
        serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut wrong = Vec::new();
    for (name, case) in &cases {
        let (exit, stdout, tree) = run(case);
        let equal = (exit, &stdout, &tree) == (case.exit, &case.stdout, &case.tree);
        match (equal, KNOWN.iter().find(|(known, _)| known == name)) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => wrong.push(format!("{name} is equal now")),
            (false, None) => wrong.push(format!(
                "{name}: exit {exit}, recorded {}\n--- recorded\n{}\n--- now\n{stdout}\n{tree:?}",
                case.exit, case.stdout
            )),
        }
    }
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}
