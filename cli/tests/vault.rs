//! `rustle vault` as people call it: what is encrypted is decrypted, nothing is lost, exit codes are ansible-vault's.
//! Where RUSTLE_ORACLE names a virtual environment with ansible-core, both read what the other wrote.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        place.put("pw", "secret\n", 0o600);
        place.put("pw2", "other\n", 0o600);
        place.put("plain", "hello\n", 0o640);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn get(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).unwrap().permissions().mode() & 0o777
    }

    fn run_program(&self, program: &Path, words: &[&str], input: &str, editor: &str) -> Output {
        let mut child = Command::new(program)
            .args(words)
            .current_dir(self.0.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", self.0.path())
            .env("EDITOR", editor)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that refuses its arguments reads nothing.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn rustle(&self, words: &[&str], input: &str, editor: &str) -> (i32, String, String) {
        let program = Path::new(env!("CARGO_BIN_EXE_rustle"));
        let words: Vec<&str> = ["vault"].iter().chain(words).copied().collect();
        let output = self.run_program(program, &words, input, editor);
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }
}

#[test]
fn files_go_there_and_back() {
    let place = Place::new();
    let (code, _, _) = place.rustle(&["encrypt", "--vault-id", "dev@pw", "plain"], "", "");
    assert_eq!(code, 0);
    assert!(
        place
            .get("plain")
            .starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n")
    );
    assert_eq!(place.mode("plain"), 0o600);
    let view = [
        "view",
        "--vault-id",
        "x@pw2",
        "--vault-id",
        "dev@pw",
        "plain",
    ];
    assert_eq!(place.rustle(&view, "", "").1, "hello\n");
    let rekey = [
        "rekey",
        "--vault-id",
        "pw",
        "--new-vault-password-file",
        "pw2",
        "plain",
    ];
    assert_eq!(place.rustle(&rekey, "", "").0, 0);
    assert!(
        place
            .get("plain")
            .starts_with("$ANSIBLE_VAULT;1.1;AES256\n")
    );
    let (code, out, said) = place.rustle(&["view", "--vault-id", "pw", "plain"], "", "");
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        said.contains("none of the vault passwords (default) fits"),
        "{said}"
    );
    assert_eq!(
        place
            .rustle(&["decrypt", "--vault-id", "pw2", "plain"], "", "")
            .0,
        0
    );
    assert_eq!(place.get("plain"), "hello\n");
}

#[test]
fn exit_codes_are_ansible_vault_s() {
    let place = Place::new();
    let code = |words: &[&str]| place.rustle(words, "", "true").0;
    assert_eq!(
        code(&[
            "encrypt",
            "--vault-id",
            "a@pw",
            "--vault-id",
            "b@pw2",
            "plain"
        ]),
        5
    );
    assert_eq!(
        code(&[
            "encrypt",
            "--vault-id",
            "a@pw",
            "--encrypt-vault-id",
            "c",
            "plain"
        ]),
        1
    );
    assert_eq!(code(&["encrypt", "--vault-id", "a@nope", "plain"]), 1);
    assert_eq!(code(&["decrypt", "--vault-id", "a@pw", "plain"]), 1);
    assert_eq!(code(&["view", "--vault-id", "a@pw", "nope"]), 1);
    assert_eq!(code(&["create", "--vault-id", "a@pw", "new"]), 5);
    assert_eq!(
        code(&["create", "--skip-tty-check", "--vault-id", "a@pw", "plain"]),
        1
    );
    assert_eq!(code(&["encrypt-string", "--vault-id", "a@pw", ""]), 5);
    assert_eq!(place.get("plain"), "hello\n");
}

#[test]
fn strings_are_written_as_by_ansible_vault() {
    let place = Place::new();
    let words = [
        "encrypt_string",
        "--vault-id",
        "x@pw",
        "-n",
        "a",
        "one",
        "two",
    ];
    let (code, out, said) = place.rustle(&words, "", "");
    assert_eq!(code, 0);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "a: !vault |");
    assert_eq!(lines[1], "          $ANSIBLE_VAULT;1.2;AES256;x");
    assert!(lines.contains(&"!vault |"));
    assert!(said.contains("The last named variable will be \"a\"."));
    let (_, out, _) = place.rustle(
        &["encrypt-string", "--vault-id", "pw", "--stdin-name", "q"],
        "s",
        "",
    );
    assert!(out.starts_with("q: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n"));
}

#[test]
fn an_editor_that_fails_loses_nothing() {
    let place = Place::new();
    place.rustle(&["encrypt", "--vault-id", "dev@pw", "plain"], "", "");
    place.put("plain", &place.get("plain"), 0o640);
    let before = place.get("plain");
    let edit = |editor: &str| place.rustle(&["edit", "--vault-id", "x@pw", "plain"], "", editor);
    assert_eq!(edit("true").0, 0);
    assert_eq!(place.get("plain"), before);
    place.put(
        "crash",
        "#!/bin/sh\necho typed > \"$1\"\nkill -9 $$\n",
        0o755,
    );
    let (code, _, said) = edit("./crash");
    assert_eq!(code, 1);
    assert!(said.contains("plain.rescued0"), "{said}");
    assert_eq!(place.get("plain"), before);
    let rescued = place.rustle(&["view", "--vault-id", "pw", "plain.rescued0"], "", "");
    assert_eq!(rescued.1, "typed\n");
    place.put(
        "append",
        "#!/bin/sh\nls -ld \"$(dirname \"$1\")\" > seen\necho more >> \"$1\"\n",
        0o755,
    );
    assert_eq!(edit("./append").0, 0);
    assert!(place.get("seen").starts_with("drwx------"));
    assert!(
        place
            .get("plain")
            .starts_with("$ANSIBLE_VAULT;1.2;AES256;dev\n")
    );
    assert_eq!(place.mode("plain"), 0o640);
    assert_eq!(
        place
            .rustle(&["view", "--vault-id", "pw", "plain"], "", "")
            .1,
        "hello\nmore\n"
    );
    assert_eq!(edit("/nonexistent").0, 1);
    let new = ["create", "--skip-tty-check", "--vault-id", "pw", "sub/new"];
    assert_eq!(place.rustle(&new, "", "./append").0, 0);
    assert_eq!(
        place
            .rustle(&["view", "--vault-id", "pw", "sub/new"], "", "")
            .1,
        "more\n"
    );
}

#[test]
fn ansible_vault_reads_ours_and_we_read_its() {
    let Some(oracle) = std::env::var_os("RUSTLE_ORACLE") else {
        return;
    };
    let oracle = Path::new(&oracle).join("bin/ansible-vault");
    let place = Place::new();
    place.rustle(&["encrypt", "--vault-id", "dev@pw", "plain"], "", "");
    let seen = place.run_program(&oracle, &["view", "--vault-id", "dev@pw", "plain"], "", "");
    assert_eq!(seen.stdout, b"hello\n");
    place.put("back", "", 0o600);
    let words = [
        "rekey",
        "--vault-id",
        "dev@pw",
        "--new-vault-id",
        "n@pw2",
        "plain",
    ];
    assert!(place.run_program(&oracle, &words, "", "").status.success());
    assert_eq!(
        place
            .rustle(&["view", "--vault-id", "n@pw2", "plain"], "", "")
            .1,
        "hello\n"
    );
    // With a given salt every byte is decided.
    let salted = |program: &Path, words: &[&str]| {
        let output = Command::new(program)
            .args(words)
            .args(["--vault-id", "dev@pw", "-n", "v", "some text"])
            .current_dir(place.0.path())
            .env("ANSIBLE_VAULT_ENCRYPT_SALT", "abc")
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let ours = salted(
        Path::new(env!("CARGO_BIN_EXE_rustle")),
        &["vault", "encrypt-string"],
    );
    assert_eq!(ours, salted(&oracle, &["encrypt_string"]));
}
