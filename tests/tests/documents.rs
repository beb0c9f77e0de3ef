//! `rustle parse | rustle facts | rustle plan | rustle exec` on a machine behind ssh: every step a document of its own.

use std::fs;
use std::path::Path;
use std::process::Output;

use rustle_tests::{Login, Sshd, run_rustle, said};

const SITE: &str = "- hosts: web
  tasks:
    - copy: {content: 'on {{ ansible_facts.system }} for {{ name }} {{ secret }}', dest: '{{ out }}', mode: '0600'}
    - shell: echo {{ inventory_hostname }} {{ groups.web | length }}
      register: said
    - debug: {msg: '{{ lookup(\"pipe\", \"echo asked\") }}'}
      tags: asks
";

struct Setup {
    dir: tempfile::TempDir,
    _sshd: Sshd,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path();
    let sshd = Sshd::start_with(&here.join("sshd"), "127.0.0.1", Login::Key);
    fs::write(
        here.join("hosts"),
        format!(
            "[web]\none name=first\ntwo name=second\n[web:vars]\nansible_host=127.0.0.1\nansible_port={}\nansible_private_key_file={}\n\
             ansible_host_key_checking=false\nout={}/out-{{{{ inventory_hostname }}}}\n",
            sshd.port,
            sshd.key(),
            here.display()
        ),
    )
    .unwrap();
    fs::write(here.join("site.yml"), SITE).unwrap();
    fs::write(here.join("pw"), "x\n").unwrap();
    fs::create_dir(here.join("group_vars")).unwrap();
    fs::write(here.join("group_vars/web.yml"), "secret: under-the-vault\n").unwrap();
    let path = here.join("group_vars/web.yml").display().to_string();
    let password = here.join("pw").display().to_string();
    let done = run_rustle(
        here,
        &[
            "vault",
            "encrypt",
            "--vault-password-file",
            &password,
            &path,
        ],
    );
    assert!(done.status.success(), "{}", said(&done));
    Setup { dir, _sshd: sshd }
}

fn step(here: &Path, args: &[&str], out: &str) -> Output {
    let output = run_rustle(here, args);
    fs::write(here.join(out), &output.stdout).unwrap();
    output
}

#[test]
fn a_plan_is_made_and_executed_in_steps() {
    let setup = setup();
    let here = setup.dir.path();
    let at = |name: &str| here.join(name).display().to_string();
    let (site, hosts, password) = (at("site.yml"), at("hosts"), at("pw"));
    let vault = ["--vault-password-file", password.as_str()];
    let parsed = step(
        here,
        &[&["parse", &site, &hosts][..], &vault].concat(),
        "parsed",
    );
    assert!(parsed.status.success(), "{}", said(&parsed));
    let facts = step(
        here,
        &[
            &["facts", "--cache-file", &at("cache"), &at("parsed")][..],
            &vault,
        ]
        .concat(),
        "enriched",
    );
    assert!(facts.status.success(), "{}", said(&facts));
    let enriched: serde_json::Value = serde_json::from_slice(&facts.stdout).unwrap();
    let machine = &enriched["inventory"]["host_facts"]["two"];
    assert_eq!(machine["ansible_system"], "Linux", "{}", said(&facts));
    assert!(machine["ansible_distribution"].is_string());

    let planned = step(here, &["plan", &at("enriched")], "plan.json");
    assert!(planned.status.success(), "{}", said(&planned));
    for text in [&parsed.stdout, &facts.stdout, &planned.stdout] {
        assert!(!String::from_utf8_lossy(text).contains("under-the-vault"));
    }
    let refused = step(
        here,
        &[
            &["exec", "--binary-mode", "always", &at("plan.json")][..],
            &vault,
        ]
        .concat(),
        "refused",
    );
    assert_eq!(refused.status.code(), Some(4), "{}", said(&refused));
    assert!(!here.join("out-one").exists());

    let deploy = |parallel: &str| -> serde_json::Value {
        let plan = at("plan.json");
        let args = ["deploy", "--verify", "--parallel", parallel, &plan];
        let done = run_rustle(here, &[&args[..], &vault].concat());
        assert!(done.status.success(), "{}", said(&done));
        serde_json::from_slice(&done.stdout).unwrap()
    };
    // Both are one machine, which has all of it once the first of them was served; the runner came with the facts.
    let first = deploy("1");
    let statuses = &first["deployed_binaries"];
    assert!(statuses[0]["bytes_sent"].as_u64().unwrap() > 0, "{first}");
    assert_eq!(statuses[1]["bytes_sent"], 0, "{first}");
    assert_eq!(statuses[1]["verified"], true, "{first}");
    assert_eq!(deploy("2")["compilation_cache_hits"], 2);
    assert!(!here.join("out-one").exists());

    let report = at("report.json");
    let ran = step(
        here,
        &[
            &["exec", &at("plan.json"), "--report-file", &report][..],
            &vault,
        ]
        .concat(),
        "printed",
    );
    assert!(ran.status.success(), "{}", said(&ran));
    assert!(said(&ran).contains("\"msg\": \"asked\""), "{}", said(&ran));
    assert!(
        said(&ran).contains("two                        : ok=4    changed=2"),
        "{}",
        said(&ran)
    );
    let made = |name: &str| fs::read_to_string(here.join(name)).unwrap();
    assert_eq!(made("out-one"), "on Linux for first under-the-vault");
    assert_eq!(made("out-two"), "on Linux for second under-the-vault");
    let report: serde_json::Value = serde_json::from_str(&made("report.json")).unwrap();
    let task = &report["results"][0]["task_results"][2];
    assert_eq!(
        task["hosts"]["one"]["result"]["stdout"], "one 2",
        "{report}"
    );
    let again = step(
        here,
        &[
            &[
                "exec",
                &at("plan.json"),
                "--skip-tags",
                "asks",
                "--binary-timeout",
                "60",
            ][..],
            &vault,
        ]
        .concat(),
        "printed",
    );
    assert!(
        said(&again).contains("two                        : ok=3    changed=1"),
        "{}",
        said(&again)
    );
}

#[test]
fn a_host_that_is_not_there_is_named() {
    let setup = setup();
    let here = setup.dir.path();
    let at = |name: &str| here.join(name).display().to_string();
    fs::remove_file(here.join("group_vars/web.yml")).unwrap();
    let line = "[web]\none ansible_host=127.0.0.1 ansible_port=1 ansible_host_key_checking=false\n";
    fs::write(here.join("hosts"), line).unwrap();
    let parsed = step(here, &["parse", &at("site.yml"), &at("hosts")], "parsed");
    assert!(parsed.status.success(), "{}", said(&parsed));
    let facts = step(here, &["facts", &at("parsed")], "enriched");
    assert!(facts.status.success(), "{}", said(&facts));
    assert!(
        said(&facts).contains("the machine of one is not known: "),
        "{}",
        said(&facts)
    );
    let offline = step(here, &["facts", "--offline", &at("parsed")], "enriched");
    assert!(
        said(&offline).contains("the machine of one is not known\n"),
        "{}",
        said(&offline)
    );
}
