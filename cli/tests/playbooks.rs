//! `rustle playbook` against what ansible-playbook printed and how it ended, word for word.
//!
//! The records are made by `scripts/record-playbooks`. What differs is listed with its reason in
//! fixtures/playbooks/known-differences; an entry that no longer differs is an error too.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

/// One recorded run.
#[derive(Deserialize)]
struct Case {
    options: Vec<String>,
    extra_vars: serde_json::Value,
    files: BTreeMap<String, String>,
    exit: i32,
    stdout: String,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/playbooks")
}

/// What is printed, without times and temporary names, as the recorder leaves it.
fn plain(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "FOLDER");
    let patterns = [
        (r#""(start|end)": "[^"]*""#, r#""$1": "TIME""#),
        (r#""delta": "[^"]*""#, r#""delta": "TIME""#),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", "TIME"),
        (r"\b0:00:0\d\.\d{6}", "TIME"),
        (r"(ansible-tmp-|ansible_)[\w.-]+", "TEMPORARY"),
        (r#""(ansible_job_id)": "[^"]*""#, r#""$1": "JOB""#),
        (r#""(results_file)": "[^"]*""#, r#""$1": "FILE""#),
        (r"\bj\d+\.\d+\b", "JOB"),
        (r#""\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z""#, r#""TIME""#),
        (
            r#""id": ?"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}""#,
            r#""id": "ID""#,
        ),
    ];
    let text = patterns.iter().fold(text, |text, (pattern, put)| {
        let pattern = regex::Regex::new(pattern).expect("the pattern is right");
        pattern.replace_all(&text, *put).into_owned()
    });
    // Ansible lists hosts in any order.
    let hosts = regex::Regex::new(r"(    hosts \(\d+\):\n)((?:      \S+\n)*)")
        .expect("the pattern is right");
    let sorted = |found: &regex::Captures<'_>| {
        let mut lines: Vec<&str> = found[2].split_inclusive('\n').collect();
        lines.sort_unstable();
        format!("{}{}", &found[1], lines.concat())
    };
    hosts.replace_all(&text, sorted).into_owned()
}

/// Runs a case; what it printed and how it ended.
fn run(case: &Case) -> (i32, String) {
    let dir = tempfile::Builder::new()
        .prefix("rustle-playbook-")
        .tempdir()
        .unwrap();
    for (name, content) in &case.files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_rustle"));
    command
        .args(["playbook", "-i", "hosts.yml", "-c", "local"])
        .args(&case.options)
        .arg("site.yml")
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir.path())
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null());
    if case
        .extra_vars
        .as_object()
        .is_some_and(|vars| !vars.is_empty())
    {
        command.arg("-e").arg(case.extra_vars.to_string());
    }
    let out = command.output().unwrap();
    let stdout = String::from_utf8_lossy(&out.stdout);
    (out.status.code().unwrap_or(-1), plain(&stdout, dir.path()))
}

fn ansible_is_here() -> bool {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).any(|folder| folder.join("ansible-playbook").is_file())
}

fn known() -> BTreeMap<String, String> {
    let text = fs::read_to_string(fixtures().join("known-differences")).unwrap();
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (case, reason) = line.split_once(" | ").expect("a case and a reason");
            (case.to_owned(), reason.to_owned())
        })
        .collect()
}

#[test]
fn recorded_playbooks_run_as_under_ansible() {
    let mut known = known();
    let mut wrong = Vec::new();
    let mut total = 0;
    for entry in fs::read_dir(fixtures()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        // Plugins in Python need Ansible itself, which not every machine has.
        if ["plugins", "python_modules"].contains(&stem.as_str()) && !ansible_is_here() {
            eprintln!("skipped: {stem}, for there is no ansible-playbook in PATH");
            continue;
        }
        let cases: BTreeMap<String, Case> =
            serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        for (name, case) in &cases {
            total += 1;
            let label = format!("{stem}/{name}");
            let (exit, stdout) = run(case);
            let equal = exit == case.exit && stdout == case.stdout;
            match (equal, known.remove(&label)) {
                (true, None) | (false, Some(_)) => {}
                (true, Some(_)) => wrong.push(format!(
                    "{label} is equal now: take it out of known-differences"
                )),
                (false, None) => wrong.push(format!(
                    "{label}: exit {exit}, recorded {}\n--- recorded\n{}\n--- now\n{stdout}",
                    case.exit, case.stdout
                )),
            }
        }
    }
    assert!(total >= 200, "only {total} cases");
    wrong.extend(known.into_keys().map(|case| format!("no case {case}")));
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n\n")
    );
}
