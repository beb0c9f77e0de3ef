//! What lies in hosts' caches: put there ahead with the files that tasks name, taken away again, and runs that leave no plan there.

use std::fs;
use std::path::Path;
use std::process::Output;

use rustle_tests::{Sshd, run_rustle, said};

struct Setup {
    dir: tempfile::TempDir,
    sshd: Sshd,
}

impl Setup {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn run(&self, args: &[&str]) -> Output {
        run_rustle(self.dir.path(), args)
    }

    fn cache(&self) -> std::path::PathBuf {
        self.sshd.folder.join("cache/rustle")
    }
}

/// A plan that copies 3 MB that do not compress, and says something.
fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let at: &Path = dir.path();
    let sshd = Sshd::start(&at.join("sshd"));
    let mut seed = 7u32;
    let noise: Vec<u8> = (0..3_000_000)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            seed.to_le_bytes()[0]
        })
        .collect();
    fs::write(at.join("noise"), noise).unwrap();
    let site = format!(
        "- hosts: one\n  gather_facts: false\n  tasks:\n    - copy: {{src: noise, dest: '{0}/out', mode: '0600'}}\n      register: c\n    \
         - command: echo {{{{ c is changed }}}}\n      register: r\n    - debug: {{msg: '<{{{{ r.stdout }}}}>'}}\n",
        at.display()
    );
    fs::write(at.join("site.yml"), site).unwrap();
    let hosts = format!(
        "one ansible_host=127.0.0.1 ansible_port={} ansible_private_key_file={} ansible_host_key_checking=false\n",
        sshd.port,
        sshd.key()
    );
    fs::write(at.join("hosts"), hosts).unwrap();
    let setup = Setup { dir, sshd };
    let planned = setup.run(&["plan", "-i", &setup.path("hosts"), &setup.path("site.yml")]);
    assert!(planned.status.success(), "{}", said(&planned));
    fs::write(setup.path("plan.json"), &planned.stdout).unwrap();
    setup
}

#[test]
fn deploy_sends_the_files_that_tasks_name() {
    let s = setup();
    let done = s.run(&["deploy", "--verify", &s.path("plan.json")]);
    assert!(done.status.success(), "{}", said(&done));
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let status = &report["deployed_binaries"][0];
    assert!(
        status["bytes_sent"].as_u64().unwrap() > 3_000_000,
        "{report}"
    );
    assert_eq!(status["verified"], true, "{report}");
    let ran = s.run(&["exec", &s.path("plan.json")]);
    assert!(ran.status.success(), "{}", said(&ran));
    assert_eq!(fs::read(s.path("out")).unwrap().len(), 3_000_000);
    let again = s.run(&["deploy", &s.path("plan.json")]);
    let report: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(report["deployed_binaries"][0]["bytes_sent"], 0, "{report}");
}

#[test]
fn a_run_may_clean_up_behind_itself() {
    let s = setup();
    let ran = s.run(&["exec", "--cleanup-binaries", &s.path("plan.json")]);
    assert!(ran.status.success(), "{}", said(&ran));
    assert!(said(&ran).contains("<True>"), "{}", said(&ran));
    assert!(!s.cache().join("stub").exists() && !s.cache().join("artifacts").exists());
    let ran = s.run(&["exec", &s.path("plan.json")]);
    assert!(ran.status.success(), "{}", said(&ran));
    assert!(s.cache().join("stub").exists());
}

#[test]
fn without_binaries_every_task_is_sent_by_itself() {
    let s = setup();
    let mode = ["exec", "--binary-mode", "never", &s.path("plan.json")];
    let ran = s.run(&mode);
    assert!(ran.status.success(), "{}", said(&ran));
    assert!(said(&ran).contains("<True>"), "{}", said(&ran));
    assert_eq!(fs::read(s.path("out")).unwrap().len(), 3_000_000);
    // Two tasks are for the machine; the third is the controller's own affair. None of what lies there holds the play.
    let artifacts = fs::read_dir(s.cache().join("artifacts")).unwrap();
    assert_eq!(artifacts.count(), 2);
}
