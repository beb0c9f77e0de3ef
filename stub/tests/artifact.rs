//! The artifact as a command-line program: what it prints, what it leaves behind, how it ends.

mod common;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{Bench, names, plan, stderr, stdout};
use rustle_formats::event::Event;
use rustle_formats::report::ExecutionReport;
use rustle_formats::sign::SecretKey;
use rustle_packer::AssetSource;

const TWO: &str = r#"[
    {"id": "t1", "name": "say", "module": "debug", "args": {"msg": "hello"}, "tags": ["a"]},
    {"id": "t2", "name": "do", "module": "command", "args": {"argv": ["true"]}, "tags": ["b", "c"]}]"#;

#[test]
fn a_run_prints_what_ansible_prints_and_leaves_its_journal_only() {
    let bench = Bench::new(TWO);
    let output = bench.run(&[]);
    let banner = |text: &str| format!("{text} {}", "*".repeat(79 - text.len()));
    assert_eq!(
        stdout(&output),
        format!(
            "\n{}\n\n{}\nok: [localhost] => {{\n    \"msg\": \"hello\"\n}}\n\n{}\nchanged: [localhost]\n\n{}\n{}\n\n",
            banner("PLAY [one]"),
            banner("TASK [say]"),
            banner("TASK [do]"),
            banner("PLAY RECAP"),
            "localhost                  : ok=2    changed=1    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   "
        )
    );
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    assert_eq!(bench.left_behind(), Vec::<String>::new());
    assert_eq!(names(&bench.path("journal")).len(), 1);
}

#[test]
fn report_and_events_say_the_same() {
    let bench = Bench::new(TWO);
    let report = bench.path("report.json");
    let output = bench.run(&["--events", "-", "--report", report.to_str().unwrap()]);
    let events: Vec<Event> = stdout(&output)
        .lines()
        .map(|l| Event::from_json_line(l).unwrap())
        .collect();
    assert!(
        events
            .iter()
            .enumerate()
            .all(|(i, e)| e.seq == i as u64 + 1)
    );
    let report: ExecutionReport = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert!(report.success && report.finished);
    assert_eq!(report.results[0].task_results.len(), 2);
    assert_eq!(report.stats["localhost"].changed, 1);
}

#[test]
fn failures_have_ansibles_code() {
    let bench =
        Bench::new(r#"[{"id": "t", "name": "no", "module": "fail", "args": {"msg": "enough"}}]"#);
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stdout(&output)
            .contains("fatal: [localhost]: FAILED! => {\"changed\": false, \"msg\": \"enough\"}\n")
    );
}

#[test]
fn listing_and_selecting() {
    let bench = Bench::new(TWO);
    assert_eq!(
        stdout(&bench.run(&["--list-tasks"])),
        "\nplaybook: test\n\n  play #1 (all): one\tTAGS: []\n    tasks:\n      say\tTAGS: [a]\n      do\tTAGS: [b, c]\n"
    );
    assert_eq!(
        stdout(&bench.run(&["--list-tags"])),
        "\nplaybook: test\n\n  play #1 (all): one\tTAGS: []\n      TASK TAGS: [a, b, c]\n"
    );
    let only = stdout(&bench.run(&["--tags", "b"]));
    assert!(only.contains("TASK [do]") && !only.contains("TASK [say]"));
    assert!(!stdout(&bench.run(&["-C"])).contains("changed: ["));
}

#[test]
fn inspecting_unpacking_and_verifying() {
    let key: &'static SecretKey = Box::leak(Box::new(SecretKey::from_seed(&[7; 32])));
    let bench = Bench::of(
        plan(TWO),
        vec![
            AssetSource::bytes("files/motd", *b"welcome\n"),
            AssetSource::bytes("top", vec![7u8; 3 << 20]),
        ],
        |request| request.signer = Some(key),
    );
    let json: serde_json::Value =
        serde_json::from_slice(&bench.run(&["--inspect", "--json"]).stdout).unwrap();
    assert_eq!(json["assets"][0]["path"], "files/motd");
    assert_eq!(json["tasks"], 2);
    assert!(stdout(&bench.run(&["--inspect"])).contains("files/motd"));

    let out = bench.path("out");
    let unpacked = bench.run(&["--extract", out.to_str().unwrap()]);
    assert_eq!(unpacked.status.code(), Some(0), "{}", stderr(&unpacked));
    assert_eq!(fs::read(out.join("files/motd")).unwrap(), b"welcome\n");
    assert_eq!(fs::read(out.join("top")).unwrap(), vec![7u8; 3 << 20]);
    assert_eq!(
        bench
            .run(&["--extract", out.to_str().unwrap()])
            .status
            .code(),
        Some(74)
    );

    let trusted = bench.path("trusted");
    fs::write(&trusted, key.public("me").to_line() + "\n").unwrap();
    let other = bench.path("other");
    fs::write(
        &other,
        SecretKey::from_seed(&[8; 32]).public("you").to_line(),
    )
    .unwrap();
    let verify =
        |file: &std::path::Path| bench.run(&["--verify", "--trusted", file.to_str().unwrap()]);
    assert!(stdout(&verify(&trusted)).starts_with("verified: "));
    assert_eq!(verify(&other).status.code(), Some(69));
    let run = bench.run(&["--require-signature", "--trusted", other.to_str().unwrap()]);
    assert_eq!((run.status.code(), stdout(&run)), (Some(69), String::new()));
}

#[test]
fn what_is_wrong_with_an_artifact_is_told_apart() {
    let stub = common::stub();
    let bare = Command::new(&stub).output().unwrap();
    assert_eq!(bare.status.code(), Some(67));
    assert!(
        stderr(&bare).contains("this is a bare runner of Rustle"),
        "{}",
        stderr(&bare)
    );
    assert_eq!(
        Command::new(&stub)
            .arg("--help")
            .output()
            .unwrap()
            .status
            .code(),
        Some(0)
    );

    let bench = Bench::of(
        plan(TWO),
        vec![AssetSource::bytes("top", vec![9u8; 100_000])],
        |_| {},
    );
    let whole = fs::read(&bench.artifact).unwrap();
    let slot = fs::read(stub).unwrap().len();
    let missing = "payload missing (stripped or truncated?)";

    fs::write(&bench.artifact, &whole[..whole.len() - 200]).unwrap();
    let cut = bench.run(&[]);
    assert!(
        matches!(cut.status.code(), Some(65 | 66)),
        "{}",
        stderr(&cut)
    );
    fs::write(&bench.artifact, &whole[..slot]).unwrap();
    let gone = bench.run(&[]);
    assert_eq!(
        (gone.status.code(), stderr(&gone)),
        (Some(66), format!("site: {missing}\n"))
    );

    let mut flipped = whole.clone();
    let last = flipped.len() - 4000;
    flipped[last] ^= 1;
    fs::write(&bench.artifact, &flipped).unwrap();
    assert_eq!(bench.run(&["--verify"]).status.code(), Some(65));

    fs::write(&bench.artifact, &whole).unwrap();
    if Command::new("strip")
        .arg(&bench.artifact)
        .status()
        .is_ok_and(|s| s.success())
    {
        let stripped = bench.run(&[]);
        assert!(stderr(&stripped).contains(missing), "{}", stderr(&stripped));
    }
}

#[test]
fn a_payload_for_another_machine_is_refused() {
    let bench = Bench::of(plan(TWO), Vec::new(), |r| {
        r.target = "riscv64gc-unknown-linux-musl".to_owned()
    });
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(68));
    assert!(stderr(&output).contains("the payload is for riscv64gc-unknown-linux-musl"));
}

const SLEEP: &str = r#"[{"id": "t", "name": "sleep", "module": "command", "args": {"argv": ["sleep", "30"]}},
                        {"id": "u", "name": "never", "module": "debug", "args": {"msg": "x"}}]"#;

/// Waits until the run holds the lock.
fn until_locked(bench: &Bench) {
    let begun = Instant::now();
    while names(&bench.path("work")).is_empty() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the run does not begin"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
}

#[test]
fn two_runs_do_not_interleave() {
    let bench = Bench::new(SLEEP);
    let mut first = bench.command().stdout(Stdio::null()).spawn().unwrap();
    until_locked(&bench);
    let second = bench.run(&[]);
    assert_eq!(second.status.code(), Some(75));
    assert!(
        stderr(&second).contains(&format!("process {} holds", first.id())),
        "{}",
        stderr(&second)
    );
    first.kill().unwrap();
    first.wait().unwrap();
}

#[test]
fn a_killed_run_is_cleaned_up_by_the_next() {
    let bench = Bench::new(SLEEP);
    let mut first = bench.command().stdout(Stdio::null()).spawn().unwrap();
    until_locked(&bench);
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().signal(), Some(9));
    assert_eq!(bench.left_behind().len(), 1);
    let second = bench.run(&["--start-at-task", "never", "--wait-lock", "5"]);
    assert_eq!(
        second.status.code(),
        Some(0),
        "{}{}",
        stdout(&second),
        stderr(&second)
    );
    assert_eq!(bench.left_behind(), Vec::<String>::new());
}

#[test]
fn signals_end_a_run_in_order() {
    for (signal, code) in [
        (rustix::process::Signal::INT, 99),
        (rustix::process::Signal::TERM, 143),
    ] {
        let bench = Bench::new(SLEEP);
        let report = bench.path("report.json");
        let child = bench
            .command()
            .arg("--report")
            .arg(&report)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until_locked(&bench);
        let begun = Instant::now();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10));
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert!(!stdout(&output).contains("TASK [never]"));
        assert_eq!(bench.left_behind(), Vec::<String>::new());
        let report: ExecutionReport = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
        assert_eq!(report.exit_code, Some(code as u8));
        assert!(report.aborted.is_some() && !report.success);
    }
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let bench = Bench::new(
        r#"[
        {"id": "a", "name": "a", "module": "debug", "args": {"msg": "x"}},
        {"id": "b", "name": "b", "module": "command", "args": {"argv": ["touch", "done"]}}]"#,
    );
    let mut child = bench
        .command()
        .current_dir(bench.dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(bench.path("done").exists());
}

#[test]
fn unusable_places_are_named() {
    let bench = Bench::new(TWO);
    let output = bench.run(&["--work-dir", "/proc/1"]);
    assert_eq!(output.status.code(), Some(74));
    assert!(
        stderr(&output).contains("no place for temporary files"),
        "{}",
        stderr(&output)
    );
    let output = bench.run(&["--report", "/nonexistent/report"]);
    assert_eq!(
        (output.status.code(), stdout(&output)),
        (Some(74), String::new())
    );
    let output = bench.run(&["--tgas", "x"]);
    assert_eq!(output.status.code(), Some(64));
    assert_eq!(
        stderr(&output),
        "site: unknown option --tgas; did you mean --tags?\n"
    );
}

#[test]
fn a_time_limit_ends_the_run() {
    let bench = Bench::new(SLEEP);
    let begun = Instant::now();
    let output = bench.run(&["--timeout", "1"]);
    assert!(begun.elapsed() < Duration::from_secs(15));
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}
