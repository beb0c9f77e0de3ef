//! `rustle plan` and `rustle parse` the second time: the same words where nothing changed, other ones where anything did.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

struct Repository {
    dir: tempfile::TempDir,
}

impl Repository {
    fn new() -> Repository {
        let repository = Repository {
            dir: tempfile::tempdir().unwrap(),
        };
        repository.put("hosts", "web1 ansible_connection=local\n");
        repository.put(
            "site.yml",
            "- hosts: all\n  gather_facts: false\n  roles: [one]\n  tasks:\n  - import_tasks: \"{{ part | default('part') }}.yml\"\n  - template: {src: a.j2, dest: /tmp/a}\n",
        );
        repository.put("part.yml", "- debug: {msg: part}\n");
        repository.put("other.yml", "- debug: {msg: other}\n");
        repository.put("templates/a.j2", "{{ x | default(1) }}\n");
        repository.put("roles/one/tasks/main.yml", "- debug: {msg: one}\n");
        repository.put(
            "elsewhere/one/tasks/main.yml",
            "- debug: {msg: elsewhere}\n",
        );
        repository.settle();
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("r").join(name)
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// What was changed just now is not kept: waits until it is old enough.
    fn settle(&self) {
        std::thread::sleep(Duration::from_millis(2100));
    }

    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> String {
        let out = Command::new(env!("CARGO_BIN_EXE_rustle"))
            .args(words)
            .current_dir(self.path(""))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{words:?}: {said}");
        String::from_utf8(out.stdout).unwrap()
    }

    fn plan(&self, more: &[&str], variables: &[(&str, &str)]) -> String {
        let words = [&["plan", "-i", "hosts", "site.yml"], more].concat();
        let out = self.run(&words, variables);
        let anew = self.run(&[words.as_slice(), &["--no-cache"]].concat(), variables);
        assert_eq!(out, anew, "what is kept is what is made");
        out
    }

    fn kept(&self) -> Vec<PathBuf> {
        let folder = self.dir.path().join(".cache/rustle/plans");
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }
}

fn write_over(path: &Path, text: &str) {
    let modified = path.metadata().unwrap().modified().unwrap();
    let size = path.metadata().unwrap().len();
    fs::write(path, text).unwrap();
    assert_eq!(path.metadata().unwrap().len(), size);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn the_second_time_is_as_the_first_until_something_changes() {
    let repository = Repository::new();
    let first = repository.plan(&[], &[]);
    assert_eq!(repository.kept().len(), 1);
    assert_eq!(repository.plan(&[], &[]), first);
    assert_eq!(repository.kept().len(), 1);
    // Same size, same time of modification.
    write_over(&repository.path("part.yml"), "- debug: {msg: trap}\n");
    let changed = repository.plan(&[], &[]);
    assert!(changed.contains("trap") && !first.contains("trap"));
    // The setting, the environment, the extra variables.
    let elsewhere = repository.plan(&[], &[("ANSIBLE_ROLES_PATH", "elsewhere")]);
    assert!(elsewhere.contains("\"one\""));
    assert!(
        repository
            .plan(&["-e", "part=other"], &[])
            .contains("other.yml")
    );
    repository.put("ansible.cfg", "[defaults]\nhash_behaviour = merge\n");
    assert_ne!(repository.plan(&[], &[]), changed);
    fs::remove_file(repository.path("ansible.cfg")).unwrap();
    assert_eq!(repository.plan(&[], &[]), changed);
    // A role that is found first now; a file that a folder had not.
    repository.put(
        "hosts",
        "web1 ansible_connection=local\nweb2 ansible_connection=local\n",
    );
    assert!(repository.plan(&[], &[]).contains("web2"));
    repository.put("group_vars/all.yml", "colour: red\n");
    assert!(repository.plan(&[], &[]).contains("colour"));
    repository.put("roles/one/defaults/main.yml", "shape: round\n");
    assert!(repository.plan(&[], &[]).contains("shape"));
    fs::remove_dir_all(repository.path("roles/one")).unwrap();
    let moved = repository.plan(&[], &[("ANSIBLE_ROLES_PATH", "elsewhere")]);
    assert!(moved.contains("msg\": \"elsewhere\""), "{moved}");
}

#[test]
fn what_was_kept_is_used_and_what_is_damaged_is_not() {
    let repository = Repository::new();
    let first = repository.run(&["parse", "site.yml", "hosts"], &[]);
    let kept = repository.kept();
    assert_eq!(kept.len(), 1);
    let before = kept[0].metadata().unwrap().modified().unwrap();
    assert_eq!(repository.run(&["parse", "site.yml", "hosts"], &[]), first);
    // It was not written again.
    assert_eq!(kept[0].metadata().unwrap().modified().unwrap(), before);
    let mut bytes = fs::read(&kept[0]).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&kept[0], bytes).unwrap();
    assert_eq!(repository.run(&["parse", "site.yml", "hosts"], &[]), first);
}

#[test]
fn what_is_young_or_of_the_future_is_not_kept() {
    let repository = Repository::new();
    repository.put("part.yml", "- debug: {msg: young}\n");
    repository.plan(&[], &[]);
    assert!(repository.kept().is_empty());
    let file = File::options()
        .write(true)
        .open(repository.path("part.yml"))
        .unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    repository.settle();
    repository.plan(&[], &[]);
    assert!(repository.kept().is_empty());
}

#[test]
fn secrets_and_chance_are_not_kept() {
    let repository = Repository::new();
    repository.put("pw", "pass\n");
    repository.put("roles/one/vars/main.yml", "hidden: in-the-file\n");
    let vault = ["--vault-password-file", "pw"];
    let encrypt = [
        &["vault", "encrypt"],
        vault.as_slice(),
        &["roles/one/vars/main.yml"],
    ]
    .concat();
    repository.run(&encrypt, &[]);
    repository.settle();
    let words = [&["plan", "-i", "hosts", "site.yml"], vault.as_slice()].concat();
    repository.run(&words, &[]);
    assert!(repository.kept().is_empty());
    fs::remove_file(repository.path("roles/one/vars/main.yml")).unwrap();
    repository.put(
        "part.yml",
        "- import_tasks: \"{{ ['part2'] | random }}.yml\"\n",
    );
    repository.put("part2.yml", "- debug:\n");
    repository.settle();
    repository.plan(&[], &[]);
    assert!(repository.kept().is_empty());
}
