//! Several hosts: each receives its own overlay and nothing of another's; one stream of events, one report for all.

use std::fs;
use std::path::Path;
use std::process::Output;

use rustle_tests::{Sshd, pack, plan, run_rustle, said};
use serde_json::{Value, json};

const OF_ONE: &str = "only-for-web1-9d2f";
const OF_TWO: &str = "only-for-web2-4b7e";

struct Hosts {
    dir: tempfile::TempDir,
    one: Sshd,
    two: Sshd,
}

/// Two hosts with a secret and a variable each, packed once.
fn hosts() -> Hosts {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let path = |name: &str| at(name).display().to_string();
    fs::write(at("one"), OF_ONE).unwrap();
    fs::write(at("two"), OF_TWO).unwrap();
    let plan = json!({
        "version": 1,
        "hosts": {"web1": {"vars": {"own": "variable-of-web1", "key": "{{ secret_one }}", "out": path("out1")}},
                  "web2": {"vars": {"own": "variable-of-web2", "key": "{{ secret_two }}", "out": path("out2")}}},
        "secrets": [{"name": "secret_one", "file": "one", "hosts": ["web1"]},
                    {"name": "secret_two", "file": "two", "hosts": ["web2"]}],
        "plays": [{"name": "p", "hosts": ["web1", "web2"], "batches": [{"tasks": [
            {"name": "keep", "module": "copy",
             "args": {"dest": "{{ out }}", "content": "{{ own }} {{ key }}\n", "mode": "0600"}},
        ]}]}]
    });
    let made = run_rustle(dir.path(), &["keygen", "-o", &path("k"), "--symmetric"]);
    assert!(made.status.success(), "{}", said(&made));
    let made = run_rustle(dir.path(), &["keygen", "-o", &path("site.key")]);
    assert!(made.status.success(), "{}", said(&made));
    let (key, site) = (path("k"), path("site.key"));
    pack(
        dir.path(),
        &plan,
        &[],
        &["--key-file", &key, "--sign", &site],
    );
    let one = Sshd::start(&at("host1"));
    let two = Sshd::start(&at("host2"));
    Hosts { dir, one, two }
}

impl Hosts {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn push(&self, hosts: &[&str], more: &[&str]) -> Output {
        let (artifact, known, key) = (self.path("artifact"), self.path("known"), self.path("k"));
        let trusted = self.path("site.key.pub");
        let (k1, k2) = (self.one.key(), self.two.key());
        let mut args = vec!["push", &artifact];
        args.extend_from_slice(hosts);
        args.extend_from_slice(&["-i", &k1, "-i", &k2, "--no-agent", "--accept-new"]);
        args.extend_from_slice(&[
            "--known-hosts",
            &known,
            "--key-file",
            &key,
            "--trusted",
            &trusted,
        ]);
        args.extend_from_slice(&["--wait-lock", "60"]);
        args.extend_from_slice(more);
        run_rustle(self.dir.path(), &args)
    }
}

/// All files below a folder that hold one of these texts.
fn holding(folder: &Path, needles: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, needles));
            continue;
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let has = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|w| w == needle);
        if needles.iter().any(has) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn each_host_gets_its_own_and_nothing_else() {
    let hosts = hosts();
    assert!(Path::new(&hosts.path("artifact.overlays/web1.overlay")).exists());
    let (one, two) = (
        format!("web1={}", hosts.one.destination()),
        format!("web2={}", hosts.two.destination()),
    );
    let (events, report) = (hosts.path("events"), hosts.path("report"));
    let output = hosts.push(&[&one, &two], &["--events", &events, "--report", &report]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let read = |name: &str| fs::read_to_string(hosts.path(name)).unwrap();
    assert_eq!(read("out1"), format!("variable-of-web1 {OF_ONE}\n"));
    assert_eq!(read("out2"), format!("variable-of-web2 {OF_TWO}\n"));
    assert!(
        text.contains("web1 | ") && text.contains("web2 | "),
        "{text}"
    );

    // Not the sealed overlay, not the variables, not the secrets: nothing of a host is left on it, its own neither.
    let sealed = ["web1", "web2"].map(|name| {
        let file = hosts.path(&format!("artifact.overlays/{name}.overlay"));
        fs::read(file).unwrap()[300..332].to_vec()
    });
    let mut needles = [OF_ONE, OF_TWO, "variable-of"]
        .map(|t| t.as_bytes().to_vec())
        .to_vec();
    needles.extend(sealed);
    for sshd in [&hosts.one, &hosts.two] {
        assert!(sshd.folder.join("cache/rustle/artifacts").is_dir());
        assert_eq!(holding(&sshd.folder, &needles), Vec::<String>::new());
    }

    check_outputs(&read("events"), &read("report"));
    for text in [read("events"), read("report"), text] {
        assert!(!text.contains(OF_ONE) && !text.contains(OF_TWO), "{text}");
    }
}

/// One stream whose lines name the host, and one document with both reports.
fn check_outputs(events: &str, report: &str) {
    for name in ["web1", "web2"] {
        let own: Vec<Value> = events
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap())
            .filter(|e| e["target"] == json!(name))
            .collect();
        assert_eq!(own[0]["event"], json!("run_started"));
        assert_eq!(own.last().unwrap()["event"], json!("run_finished"));
        let numbers: Vec<u64> = own.iter().map(|e| e["seq"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (1..=own.len() as u64).collect::<Vec<_>>());
    }
    let report: Value = serde_json::from_str(report).unwrap();
    assert_eq!(
        (&report["version"], &report["exit_code"]),
        (&json!(1), &json!(0))
    );
    for name in ["web1", "web2"] {
        let own = &report["hosts"][name];
        assert_eq!(own["report"]["success"], json!(true), "{report}");
        assert_eq!(own["report"]["hosts"], json!([name]));
        assert_eq!(own["error"], json!(null));
    }
}

#[test]
fn who_a_host_is_must_be_known() {
    let hosts = hosts();
    let to = hosts.one.destination();
    let unknown = hosts.push(&[&to], &[]);
    let text = said(&unknown);
    assert_eq!(unknown.status.code(), Some(64), "{text}");
    assert!(
        text.contains(&format!("write NAME={to} for the plan's host NAME")),
        "{text}"
    );
    let wrong = hosts.push(&[&format!("web3={to}")], &[]);
    assert!(
        said(&wrong).contains("the plan has no host `web3`; its hosts are web1, web2"),
        "{}",
        said(&wrong)
    );
    // The other host's overlay under this one's name.
    let other = hosts.path("artifact.overlays/web2.overlay");
    let swapped = hosts.push(&[&to], &["--host", "web1", "--overlay", &other]);
    assert!(
        said(&swapped).contains("the overlay is for the host web2, not for web1"),
        "{}",
        said(&swapped)
    );
    fs::remove_file(&other).unwrap();
    let missing = hosts.push(&[&format!("web2={to}")], &[]);
    assert!(
        said(&missing).contains("and web2 has none: there is no "),
        "{}",
        said(&missing)
    );
    assert!(!Path::new(&hosts.path("out1")).exists() && !Path::new(&hosts.path("out2")).exists());
    let own = hosts.push(&[&to], &["--host", "web1"]);
    assert_eq!(own.status.code(), Some(0), "{}", said(&own));
}

#[test]
fn a_host_that_cannot_be_reached_is_in_the_report() {
    let hosts = hosts();
    let one = format!("web1={}", hosts.one.destination());
    let report = hosts.path("report");
    let output = hosts.push(&[&one, "web2=127.0.0.1:1"], &["--report", &report]);
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    let report: Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    assert_eq!(report["exit_code"], json!(4));
    assert_eq!(report["hosts"]["web1"]["exit_code"], json!(0));
    let error = report["hosts"]["web2"]["error"].as_str().unwrap();
    assert!(error.contains("cannot connect"), "{error}");
}

#[test]
fn events_on_standard_output_are_alone_there() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let tasks = json!([{"name": "hello", "module": "debug", "args": {"msg": "hello"}}]);
    let artifact = pack(dir.path(), &plan(tasks), &[], &[])
        .display()
        .to_string();
    let known = dir.path().join("known").display().to_string();
    let (to, key) = (sshd.destination(), sshd.key());
    let args = [
        "push",
        &artifact,
        &to,
        "-i",
        &key,
        "--no-agent",
        "--accept-new",
        "--known-hosts",
        &known,
        "--wait-lock",
        "60",
        "--events",
        "-",
    ];
    let output = run_rustle(dir.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        assert!(event["event"].is_string() && event.get("target").is_none());
    }
}

#[test]
fn an_artifact_with_a_sidecar_is_pushed_whole_and_then_in_part() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let out = dir.path().join("out");
    let big: String = (0..60_000)
        .map(|n: u64| format!("line {}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    let packed = |text: &str| {
        let tasks = json!([
            {"name": "big", "module": "copy", "args": {"src": "big", "dest": out}},
            {"name": "small", "module": "copy", "args": {"src": "small", "dest": dir.path().join("out2")}}]);
        pack(
            dir.path(),
            &plan(tasks),
            &[("big", &big), ("small", text)],
            &["--stream"],
        )
    };
    let artifact = packed("one");
    let sidecar = format!("{}.rustle-data", artifact.display());
    assert!(Path::new(&sidecar).exists());
    let known = dir.path().join("known").display().to_string();
    let (to, key, artifact) = (
        sshd.destination(),
        sshd.key(),
        artifact.display().to_string(),
    );
    let args = [
        "push",
        &artifact,
        &to,
        "-i",
        &key,
        "--no-agent",
        "--accept-new",
        "--known-hosts",
        &known,
        "--wait-lock",
        "60",
        "-v",
    ];
    let first = run_rustle(dir.path(), &args);
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert_eq!(fs::read_to_string(&out).unwrap(), big);

    packed("two");
    let second = run_rustle(dir.path(), &args);
    assert_eq!(second.status.code(), Some(0), "{}", said(&second));
    assert_eq!(fs::read_to_string(dir.path().join("out2")).unwrap(), "two");
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    let sent: u64 = text
        .lines()
        .find_map(|l| {
            l.strip_suffix(" bytes sent")?
                .rsplit(' ')
                .next()?
                .parse()
                .ok()
        })
        .unwrap();
    assert!(sent < 50_000, "{sent}");

    fs::remove_file(&sidecar).unwrap();
    let missing = run_rustle(dir.path(), &args);
    assert_ne!(missing.status.code(), Some(0));
    assert!(said(&missing).contains("sidecar"), "{}", said(&missing));
}
