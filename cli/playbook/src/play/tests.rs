//! Against what ansible-playbook lists: fixtures/playbooks/listing.

use std::path::Path;

use serde_json::Value as Json;

use super::*;
use crate::files::tests::Memory;
use crate::problem::Problem;
use crate::source::Sources;

/// A case: its name and its files.
type Case = (String, Vec<(String, String)>);

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/playbooks/listing")
}

fn cases() -> Vec<Case> {
    let mut paths: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .collect();
    paths.sort();
    let mut out: Vec<Case> = Vec::new();
    for path in paths {
        for line in std::fs::read_to_string(path).unwrap().split_inclusive('\n') {
            if let Some(name) = line.strip_prefix("### ") {
                out.push((name.trim_end().to_owned(), Vec::new()));
                continue;
            }
            let files = &mut out.last_mut().expect("a case begins with its name").1;
            match line.strip_prefix("--- ").map(str::trim_end) {
                Some(path) if !path.contains(' ') => files.push((path.to_owned(), String::new())),
                _ => files
                    .last_mut()
                    .expect("a file begins with its path")
                    .1
                    .push_str(line),
            }
        }
    }
    out
}

fn list(files: &[(String, String)]) -> (Sources, Result<String, Problem>) {
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let memory = Memory::new(&files);
    let sources = Sources::default();
    let options = Options::default();
    let result = Reader::new(&sources, &memory, &options).playbook(Path::new("site.yml"));
    let selection = Selection {
        only: ["all", "never"].map(str::to_owned).into(),
        ..Selection::default()
    };
    let text = result.map(|playbook| listing(&outline(&playbook, &selection, &[]), true, true));
    (sources, text)
}

/// A problem as text, with its place in a file.
fn show(sources: &Sources, problem: &Problem) -> String {
    let mut out = match problem.at {
        Some(at) => {
            let line = sources.line(at).unwrap_or_default();
            let caret = " ".repeat(at.column.saturating_sub(1) as usize);
            let path = sources.path(at.file);
            format!(
                "{}:{}:{}: {}\n  {line}\n  {caret}{}\n",
                path.display(),
                at.line,
                at.column,
                problem.message,
                "^".repeat(problem.length.max(1) as usize)
            )
        }
        None => format!("{}\n", problem.message),
    };
    for note in &problem.notes {
        out.push_str(&format!("  note: {note}\n"));
    }
    if let Some(hint) = &problem.hint {
        out.push_str(&format!("  hint: {hint}\n"));
    }
    out
}

/// What differs from Ansible, and why.
const DIFFERENT: &[(&str, &str)] = &[];

#[test]
fn what_ansible_lists() {
    let record = std::fs::read_to_string(folder().join("recorded.json")).unwrap();
    let recorded: Vec<Json> = serde_json::from_str(&record).unwrap();
    let cases = cases();
    assert_eq!(cases.len(), recorded.len());
    let (mut differences, mut messages) = (Vec::new(), Vec::new());
    for ((name, files), expected) in cases.iter().zip(&recorded) {
        assert_eq!(expected["name"], name.as_str());
        let known = DIFFERENT.iter().any(|(case, _)| case == name);
        let (sources, ours) = list(files);
        let problem = match (&ours, expected["output"].as_str()) {
            (Ok(text), Some(output)) => {
                let output = output
                    .strip_prefix("\nplaybook: site.yml\n")
                    .unwrap_or(output);
                (text != output).then(|| format!("ours:{text}theirs:{output}"))
            }
            (Ok(_), None) => Some(format!("accepted; Ansible says {}", expected["error"])),
            (Err(problem), Some(_)) => Some(format!("refused: {}", show(&sources, problem))),
            (Err(problem), None) => {
                messages.push(format!("{name}\n{}", show(&sources, problem)));
                let line = expected["place"][1].as_u64();
                let ours = problem.at.map(|at| u64::from(at.line));
                // Ansible names a task by its first line, and we the word that is wrong.
                let near = match (line, ours) {
                    (Some(theirs), Some(ours)) => ours >= theirs && ours <= theirs + 4,
                    _ => true,
                };
                (!near).then(|| format!("line {ours:?}, theirs {expected}"))
            }
        };
        if let Some(problem) = problem.filter(|_| !known) {
            differences.push(format!("{name}: {problem}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences\n{}",
        differences.len(),
        differences.join("\n")
    );
    insta::assert_snapshot!(messages.join("\n"));
}

fn read(files: &[(&str, &str)]) -> Playbook {
    let memory = Memory::new(files);
    let (sources, options) = (Sources::default(), Options::default());
    let reader = Reader::new(&sources, &memory, &options);
    reader.playbook(Path::new("site.yml")).unwrap()
}

fn only_task(playbook: &Playbook) -> &Task {
    match playbook.plays[0].tasks.as_slice() {
        [Entry::Task(task)] => task,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_forms_of_arguments() {
    let shown = |task: &str| {
        let text = format!("- hosts: all\n  tasks: [{task}]\n");
        let playbook = read(&[("site.yml", &text)]);
        let action = &only_task(&playbook).action;
        let args: Vec<String> = action
            .args
            .iter()
            .map(|(key, value)| format!("{}={}", text_of(key), text_of(value)))
            .collect();
        let free = action.free.as_ref().map(text_of).unwrap_or_default();
        format!("{} [{}] {free}", action.module, args.join(", "))
    };
    assert_eq!(
        shown("{copy: src=a dest='b c'}"),
        "ansible.builtin.copy [src=a, dest=b c] "
    );
    assert_eq!(
        shown("{command: ls -l chdir=/, args: {creates: x, chdir: y}}"),
        "ansible.builtin.command [chdir=/, creates=x] ls -l"
    );
    assert_eq!(
        shown("{local_action: {module: ping, data: x}}"),
        "ansible.builtin.ping [data=x] "
    );
    assert_eq!(
        shown("{action: shell echo a=b}"),
        "ansible.builtin.shell [] echo a=b"
    );
    assert_eq!(
        shown("{ansible.legacy.debug: }"),
        "ansible.builtin.debug [] "
    );
    assert_eq!(
        shown("{meta: flush_handlers}"),
        "ansible.builtin.meta [] flush_handlers"
    );
    assert_eq!(
        shown("{set_fact: 'a=1 b=\"{{ x }} y\"'}"),
        "ansible.builtin.set_fact [a=1, b={{ x }} y] "
    );
}

#[test]
fn candidates_of_dynamic_includes() {
    let playbook = read(&[
        (
            "site.yml",
            "- hosts: all\n  vars: {os: debian}\n  tasks: [{include_vars: '{{ os }}.yml'}]\n",
        ),
        ("vars/debian.yml", "{}"),
    ]);
    assert_eq!(
        only_task(&playbook).candidates[0],
        Path::new("vars/debian.yml")
    );
    let playbook = read(&[
        (
            "site.yml",
            "- hosts: all\n  tasks: [{include_tasks: x.yml}]\n",
        ),
        ("x.yml", "[]"),
    ]);
    assert_eq!(only_task(&playbook).candidates[0], Path::new("x.yml"));
}

#[test]
fn action_groups() {
    let runtime = "collections/ansible_collections/my/coll/meta/runtime.yml";
    let memory = Memory::new(&[(
        runtime,
        "action_groups: {a: [x, other.coll.y, {metadata: {extend_group: b}}], b: [z, {metadata: {extend_group: [a]}}]}",
    )]);
    let (sources, options) = (Sources::default(), Options::default());
    let reader = Reader::new(&sources, &memory, &options);
    assert_eq!(
        reader.action_group("my.coll.a", Path::new("site.yml")),
        ["my.coll.x", "other.coll.y", "my.coll.z"]
    );
}
