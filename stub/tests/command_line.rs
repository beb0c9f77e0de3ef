//! The artifact's options, one by one, as a user types them. What is printed was compared with ansible-playbook's on the same
//! playbook (ansible-core 2.19).

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Bench, names, stderr, stdout};

/// A plan that writes a file and says something.
fn bench() -> (Bench, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let tasks = serde_json::json!([
        {"id": "a", "name": "Write it", "module": "copy", "tags": ["write", "files"],
         "args": {"content": "hello {{ who | default('you') }}\n", "dest": dir.path().join("out"), "mode": "0640"}},
        {"id": "b", "name": "Skip it", "module": "debug", "args": {"msg": "never"}, "when": "false", "tags": ["skipme"]},
        {"id": "c", "name": "Inside", "module": "command", "args": {"argv": ["true"]}, "tags": ["blocky"]},
        {"id": "d", "name": "Last", "module": "debug", "args": {"msg": "{{ who | default('you') }} {{ n | default(0) + 1 }}"}}
    ]);
    (Bench::new(&tasks.to_string()), dir)
}

/// The tasks that were run or skipped, in order.
fn tasks(output: &str) -> Vec<&str> {
    output
        .lines()
        .filter_map(|l| l.strip_prefix("TASK ["))
        .filter_map(|l| l.split(']').next())
        .collect()
}

#[test]
fn check_and_diff_change_nothing_and_show_what_would_change() {
    let (bench, dir) = bench();
    let output = bench.run(&["--check", "--diff", "-e", "who=me"]);
    assert_eq!(output.status.code(), Some(0));
    let said = stdout(&output);
    let wanted = format!(
        "--- before\n+++ after: {}\n@@ -0,0 +1 @@\n+hello me\n\nchanged: [localhost]\n",
        dir.path().join("out").display()
    );
    assert!(said.contains(&wanted), "{said}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
    let short = bench.run(&["-CD", "-ewho=me"]);
    assert_eq!(stdout(&short), said);
}

#[test]
fn tasks_are_chosen_by_tag_and_by_name() {
    let (bench, _dir) = bench();
    for (args, wanted) in [
        (&["--tags", "write"][..], &["Write it"][..]),
        (&["--tags", "blocky,write"], &["Write it", "Inside"]),
        (&["-t", "untagged"], &["Last"]),
        (&["--skip-tags", "files,blocky"], &["Skip it", "Last"]),
        (&["--skip-tags=tagged"], &["Last"]),
        (&["--start-at-task", "Inside"], &["Inside", "Last"]),
        (&["--start-at-task", "*side"], &["Inside", "Last"]),
        (&["--tags", "nosuch"], &[]),
    ] {
        let output = bench.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(tasks(&stdout(&output)), wanted, "{args:?}");
    }
    // A host to which nothing happened is not in the recap.
    let none = bench.run(&["--tags", "nosuch"]);
    assert!(!stdout(&none).contains("localhost"), "{}", stdout(&none));
    let unknown = bench.run(&["--start-at-task", "nosuch"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(
        stderr(&unknown).contains("No matching task \"nosuch\" found."),
        "{}",
        stderr(&unknown)
    );
}

#[test]
fn variables_come_as_words_json_or_a_file() {
    let (bench, dir) = bench();
    let file = dir.path().join("vars.yml");
    fs::write(&file, "who: file\nn: 4\n").unwrap();
    let json = dir.path().join("vars.json");
    fs::write(&json, r#"{"who": "json", "n": 5}"#).unwrap();
    let at = |path: &Path| format!("@{}", path.display());
    for (value, wanted) in [
        ("who=words", "words 1"),
        ("who='two words'", "two words 1"),
        (r#"{"who": "inline", "n": 2}"#, "inline 3"),
        (at(&file).as_str(), "file 5"),
        (at(&json).as_str(), "json 6"),
    ] {
        let output = bench.run(&["--extra-vars", value]);
        assert!(
            stdout(&output).contains(&format!("\"msg\": \"{wanted}\"")),
            "{value}: {}",
            stdout(&output)
        );
    }
    let later = bench.run(&["-e", "who=one", "-e", "who=two"]);
    assert!(stdout(&later).contains("two 1"));
    for wrong in ["@/nowhere/vars.yml", r#"{"who": "#] {
        let output = bench.run(&["-e", wrong]);
        assert!(
            matches!(output.status.code(), Some(1 | 64 | 74)),
            "{wrong}: {:?}",
            output.status
        );
        assert_eq!(
            (stdout(&output), stderr(&output).is_empty()),
            (String::new(), false),
            "{wrong}"
        );
    }
}

#[test]
fn results_are_shown_with_v_and_colours_on_a_terminal_only() {
    let (bench, _dir) = bench();
    assert!(!stdout(&bench.run(&[])).contains("=> {\"changed\": true"));
    assert!(stdout(&bench.run(&["-v"])).contains("changed: [localhost] => {\"changed\": true"));
    assert!(!stdout(&bench.run(&[])).contains('\x1b'));
    assert!(stdout(&bench.run(&["--color"])).contains("\x1b[0;32m"));
    if !Command::new("script")
        .arg("--version")
        .output()
        .is_ok_and(|o| o.status.success())
    {
        eprintln!("left out: a terminal (script)");
        return;
    }
    let shell = |more: &str| {
        let mut line = format!("{:?}", bench.command()).replace("env -u ANSIBLE_FORCE_COLOR ", "");
        line.push_str(more);
        let output = Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .output()
            .unwrap();
        stdout(&output)
    };
    let said = shell("");
    assert!(
        said.contains("PLAY RECAP") && said.contains("\x1b[0;32mok: [localhost]"),
        "{said}"
    );
    let plain = shell(" --no-color");
    assert!(
        plain.contains("PLAY RECAP") && !plain.contains('\x1b'),
        "{plain}"
    );
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_happens() {
    let (bench, dir) = bench();
    for (args, wanted) in [
        (
            &["--chekc"][..],
            "unknown option --chekc; did you mean --check?",
        ),
        (&["-Z"], "unknown option -Z (in -Z)"),
        (
            &["playbook.yml"],
            "unexpected argument 'playbook.yml': an artifact takes options only (--help)",
        ),
        (&["--check=yes"], "--check takes no value"),
        (&["--tags"], "--tags needs a value: --tags"),
        (&["--timeout", "soon"], "--timeout"),
        (&["--require-signature"], "--trusted"),
    ] {
        let output = bench.run(args);
        let said = stderr(&output);
        assert_eq!(
            (output.status.code(), stdout(&output)),
            (Some(64), String::new()),
            "{args:?}: {said}"
        );
        assert!(
            said.starts_with("site: ") && said.contains(wanted),
            "{args:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
    assert_eq!(names(dir.path()), Vec::<String>::new());
    assert_eq!(names(&bench.path("journal")), Vec::<String>::new());
}

/// Every file and folder below one, with its content.
fn tree(root: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tree(&path, out);
        }
        out.insert(
            path.display().to_string(),
            fs::read(&path).unwrap_or_default(),
        );
    }
}

#[test]
fn a_run_leaves_its_work_and_its_journal_and_nothing_else() {
    let (bench, dir) = bench();
    let home = bench.path("home");
    fs::create_dir(&home).unwrap();
    let look = || {
        let mut out = BTreeMap::new();
        tree(bench.dir.path(), &mut out);
        tree(dir.path(), &mut out);
        out
    };
    let before = look();
    let mut command = bench.command();
    command
        .env("HOME", &home)
        .env("TMPDIR", bench.path("work"))
        .current_dir(&home);
    assert_eq!(command.output().unwrap().status.code(), Some(0));
    let new: Vec<String> = look()
        .into_keys()
        .filter(|p| !before.contains_key(p))
        .collect();
    let (journal, lock, made) = (
        bench.path("journal"),
        bench.path("lock"),
        dir.path().join("out"),
    );
    let known = |p: &&String| {
        Path::new(p.as_str()).parent() == Some(&journal)
            || **p == lock.display().to_string()
            || **p == made.display().to_string()
    };
    assert_eq!(
        new.iter().filter(|p| !known(p)).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
    assert_eq!(new.len(), 3, "{new:?}");
    // A second run changes nothing but the journal.
    let between = look();
    assert_eq!(bench.run(&[]).status.code(), Some(0));
    let changed: Vec<String> = look()
        .into_iter()
        .filter(|(p, c)| between.get(p) != Some(c) && !p.starts_with(&lock.display().to_string()))
        .map(|(p, _)| p)
        .collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(changed[0].starts_with(&journal.display().to_string()));
}
