//! `rustle inventory` and `rustle explain` as people call them. What they print of inventories is compared with
//! ansible-inventory in the playbook crate; here are the options, the exit codes and the messages.

use std::fs;
use std::path::Path;
use std::process::Command;

fn rustle(folder: &Path, words: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_rustle"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .env("HOME", "/nonexistent")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| {
        String::from_utf8(bytes)
            .unwrap()
            .replace(&folder.canonicalize().unwrap().display().to_string(), "DIR")
    };
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("hosts", "[web]\nw1 port=1\nw2\n[web:vars]\nport=80\n");
    put("bad", "[web]\nw1 port\n");
    put("group_vars/all.yml", "port: 8080\n");
    put("host_vars/w2.yml", "port: 443\n");
    put(
        "site.yml",
        "- hosts: web\n  name: site\n  vars: {port: 9000}\n  tasks: []\n- hosts: db\n  vars: {port: 1}\n",
    );
    dir
}

#[test]
fn inventories_are_shown() {
    let dir = place();
    let run = |words: &[&str]| rustle(dir.path(), words);
    let (code, out, _) = run(&["inventory", "-i", "hosts", "--host", "w2"]);
    assert_eq!((code, out.as_str()), (0, "{\n    \"port\": 443\n}\n"));
    let (code, out, _) = run(&["inventory", "-i", "hosts", "--graph", "web"]);
    assert_eq!((code, out.as_str()), (0, "@web:\n  |--w1\n  |--w2\n"));
    let (code, out, _) = run(&[
        "inventory",
        "-i",
        "hosts",
        "--list",
        "--yaml",
        "--output",
        "out",
    ]);
    assert_eq!((code, out.as_str()), (0, ""));
    assert!(
        fs::read_to_string(dir.path().join("out"))
            .unwrap()
            .starts_with("all:\n")
    );
    for (words, code) in [
        (&["inventory", "-i", "hosts"][..], 5),
        (&["inventory", "-i", "hosts", "--list", "--graph"], 5),
        (&["inventory", "-i", "hosts", "--host", "nope"], 5),
        (
            &["inventory", "-i", "hosts", "--list", "--limit", "web[9]"],
            1,
        ),
    ] {
        assert_eq!(run(words).0, code, "{words:?}");
    }
    let (code, _, said) = run(&["inventory", "-i", "bad", "--list"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(said, @r#"
    warning: `port` is no variable of a host: key=value is
     --> DIR/bad:2:1
      |
    2 | w1 port
      | ^^^^^^^
    hint: quote values with spaces: key="a b"
    warning: DIR/bad could not be read as an inventory
    warning: no inventory could be read: there is only the implicit localhost
    "#);
}

#[test]
fn every_place_of_a_variable_is_told() {
    let dir = place();
    let words = [
        "explain", "port", "--host", "w2", "-i", "hosts", "-e", "port=5", "site.yml",
    ];
    let (code, out, said) = rustle(dir.path(), &words);
    assert_eq!((code, said.as_str()), (0, ""));
    insta::assert_snapshot!(out, @r#"
       3  a group of the inventory (web)
          DIR/hosts:5:1
          port = 80
       4  group_vars/all beside the inventory (all)
          DIR/group_vars/all.yml:1:7
          port = 8080
       5  group_vars/all beside the playbook (all)
          DIR/group_vars/all.yml:1:7
          port = 8080
       9  host_vars beside the inventory (w2)
          DIR/host_vars/w2.yml:1:7
          port = 443
      10  host_vars beside the playbook (w2)
          DIR/host_vars/w2.yml:1:7
          port = 443
      12  vars of the play (play `site`)
          site.yml:3:16
          port = 9000
    * 22  --extra-vars
          --extra-vars:1:1
          port = "5"
    "#);
    let (code, _, said) = rustle(
        dir.path(),
        &["explain", "port", "--host", "w3", "-i", "hosts"],
    );
    assert_eq!(code, 5);
    insta::assert_snapshot!(said, @r"
    error: `w3` is no host of the inventory
    hint: did you mean `w1`?
    ");
}
