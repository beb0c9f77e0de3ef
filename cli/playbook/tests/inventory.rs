//! Every inventory of fixtures/inventory gives what ansible-inventory gave, byte for byte.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustle_playbook::Sources;
use rustle_playbook::config::{Config, Environment};
use rustle_playbook::inventory::{Action, Refusal, Request, answer};
use rustle_playbook::vault::{PasswordSource, Prompt, Vault, load_all};
use rustle_playbook::words;
use zeroize::Zeroizing;

#[derive(serde::Deserialize)]
struct Recorded {
    command: String,
    exit: i32,
    stdout: String,
    #[allow(dead_code)]
    stderr: String,
}

struct Nobody;

impl Prompt for Nobody {
    fn ask(&mut self, _: &str) -> Option<Zeroizing<String>> {
        None
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/inventory")
        .canonicalize()
        .unwrap()
}

/// One command line of ansible-inventory: exit code, standard output, and what was said.
fn run(case: &Path, command: &str) -> (i32, String, String) {
    let mut words = words::split(command).unwrap();
    let mut variables: HashMap<String, String> = HashMap::new();
    while let Some((name, value)) = words.first().and_then(|w| w.split_once('=')) {
        if name.starts_with('-') {
            break;
        }
        variables.insert(name.to_owned(), value.to_owned());
        words.remove(0);
    }
    let environment = Environment {
        variables,
        directory: case.to_owned(),
        home: Some("/nonexistent".into()),
    };
    let sources = Sources::default();
    let config = match Config::load(&environment, &sources) {
        Ok((config, _)) => config,
        Err(e) => return (5, String::new(), e.to_string()),
    };
    let Some(request) = request(&words) else {
        return (5, String::new(), "no action, or several".to_owned());
    };
    let vault = vault(&config);
    match answer(&request, &config, &sources, &vault) {
        Ok(answer) => {
            let said = answer.problems.iter().map(|p| format!("{p}\n")).collect();
            (0, answer.text, said)
        }
        Err(e) => {
            let code = match e {
                Refusal::Options(_) => 5,
                Refusal::Content(_) => 1,
                Refusal::Variables(_) => 4,
            };
            (code, String::new(), e.problem().to_string())
        }
    }
}

fn request(words: &[String]) -> Option<Request> {
    let mut out = Request {
        sources: Vec::new(),
        limit: None,
        action: Action::List,
        yaml: false,
        export: false,
        vars: false,
        extra: Vec::new(),
        playbook_dir: None,
    };
    let mut actions = 0;
    let mut group = None;
    let mut words = words.iter().cloned();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-i" => out.sources.push(words.next().unwrap()),
            "-e" => out.extra.push(words.next().unwrap()),
            "--limit" => out.limit = words.next(),
            "--playbook-dir" => out.playbook_dir = words.next(),
            "--yaml" => out.yaml = true,
            "--export" => out.export = true,
            "--vars" => out.vars = true,
            "--list" => actions += 1,
            "--graph" => {
                actions += 1;
                out.action = Action::Graph(None);
            }
            "--host" => {
                actions += 1;
                out.action = Action::Host(words.next().unwrap());
            }
            other if !other.starts_with('-') => group = Some(other.to_owned()),
            other => panic!("{other}"),
        }
    }
    if let Action::Graph(name) = &mut out.action {
        *name = group;
    }
    (actions == 1).then_some(out)
}

fn vault(config: &Config) -> Vault {
    let sources: Vec<(String, PasswordSource)> = config
        .path("DEFAULT_VAULT_PASSWORD_FILE")
        .map(|p| ("default".to_owned(), PasswordSource::File(p)))
        .into_iter()
        .collect();
    Vault {
        secrets: load_all(&sources, &mut Nobody).secrets,
        match_id: false,
        ..Vault::default()
    }
}

/// The interpreter of the implicit localhost is that of Ansible itself, which Rustle does not have.
fn without_interpreter(text: &str) -> String {
    text.lines()
        .filter(|l| !l.contains("\"ansible_python_interpreter\""))
        .map(|l| format!("{l}\n"))
        .collect::<String>()
        .replace(
            "\"ansible_connection\": \"local\",\n}",
            "\"ansible_connection\": \"local\"\n}",
        )
}

#[test]
fn as_ansible_inventory() {
    let mut wrong = Vec::new();
    let (mut cases, mut commands) = (0, 0);
    let mut entries: Vec<PathBuf> = fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    entries.sort();
    for case in entries.iter().filter(|p| p.join("recorded.json").exists()) {
        let recorded: Vec<Recorded> =
            serde_json::from_str(&fs::read_to_string(case.join("recorded.json")).unwrap()).unwrap();
        cases += 1;
        for expected in recorded {
            commands += 1;
            let (code, out, said) = run(case, &expected.command);
            let stdout = without_interpreter(&expected.stdout);
            if code == expected.exit && out == stdout {
                continue;
            }
            wrong.push(format!(
                "{} $ {}\nexit {} instead of {}\n{}{}",
                case.file_name().unwrap().to_string_lossy(),
                expected.command,
                code,
                expected.exit,
                difference(&stdout, &out),
                said
            ));
        }
    }
    assert!(cases >= 60, "{cases} cases");
    assert!(
        wrong.is_empty(),
        "{} of {commands} commands differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The first lines that differ.
fn difference(expected: &str, got: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), got.lines().collect());
    let Some(at) = (0..a.len().max(b.len())).find(|i| a.get(*i) != b.get(*i)) else {
        return "only the last line's end differs\n".to_owned();
    };
    let show = |lines: &[&str]| {
        lines
            .iter()
            .skip(at)
            .take(4)
            .map(|l| format!("    {l}\n"))
            .collect::<String>()
    };
    format!(
        "  line {}, Ansible:\n{}  Rustle:\n{}",
        at + 1,
        show(&a),
        show(&b)
    )
}

#[test]
fn ten_thousand_hosts_are_quick() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = String::from("[web]\n");
    for n in 0..10_000 {
        text.push_str(&format!(
            "web{n:05} ansible_host=10.{}.{}.1 rack={}\n",
            n / 256,
            n % 256,
            n % 40
        ));
    }
    text.push_str("[web:vars]\nport=80\n[all:vars]\nx=1\n");
    fs::write(dir.path().join("hosts"), text).unwrap();
    fs::create_dir(dir.path().join("group_vars")).unwrap();
    fs::write(dir.path().join("group_vars/all.yml"), "a: 1\nb: [1, 2]\n").unwrap();
    let start = std::time::Instant::now();
    let (code, out, _) = run(dir.path(), "-i hosts --list");
    let took = start.elapsed();
    assert_eq!(code, 0);
    assert_eq!(out.matches("ansible_host").count(), 10_000);
    // Without optimisation and on a busy machine; measured figures are in docs/benchmarks.md.
    assert!(took.as_secs() < 60, "{took:?}");
    eprintln!("10,000 hosts: {took:?}");
}
