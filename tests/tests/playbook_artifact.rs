//! A playbook packed for its hosts: the artifact prints and does what ansible-playbook did, and what was vaulted is nowhere in
//! the clear.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use rustle_tests::{run_rustle, said};

const FILES: &[(&str, &str)] = &[
    ("password", "pw\n"),
    ("hosts", "[web]\nweb1\nweb2\n[db]\ndb1\n"),
    ("group_vars/web/vars.yml", "user: bob\n"),
    (
        "group_vars/web/vault.yml",
        "password: FROM-A-VAULTED-FILE\n",
    ),
    ("roles/app/defaults/main.yml", "kind: extra\n"),
    (
        "roles/app/tasks/main.yml",
        "- name: config\n  template: {src: app.j2, dest: '{{ out }}/app.conf', mode: '0600'}\n  notify: reload\n\
         - name: sealed file\n  copy: {src: key.txt, dest: '{{ out }}/key.txt', mode: '0600'}\n\
         - name: plain file\n  copy: {src: motd, dest: '{{ out }}/motd', mode: '0644'}\n\
         - include_tasks: '{{ kind }}.yml'\n",
    ),
    (
        "roles/app/tasks/extra.yml",
        "- debug: msg='on {{ inventory_hostname }} of {{ groups.web }}'\n",
    ),
    (
        "roles/app/handlers/main.yml",
        "- name: reload\n  command: echo reloaded\n",
    ),
    (
        "roles/app/templates/app.j2",
        "user = {{ user }}\npassword = {{ password }}\n",
    ),
    ("roles/app/files/motd", "hello\n"),
    ("roles/app/files/key.txt", "A-VAULTED-ASSET\n"),
    (
        "site.yml",
        "- name: Web servers\n  hosts: web\n  gather_facts: no\n  roles: [app]\n",
    ),
];

/// What ansible-playbook 2.19.14 printed with `--limit web1`.
const PRINTED: &str = "
PLAY [Web servers] *************************************************************

TASK [app : config] ************************************************************
changed: [web1]

TASK [app : sealed file] *******************************************************
changed: [web1]

TASK [app : plain file] ********************************************************
changed: [web1]

TASK [app : include_tasks] *****************************************************
included: FOLDER/roles/app/tasks/extra.yml for web1

TASK [app : debug] *************************************************************
ok: [web1] => {
    \"msg\": \"on web1 of ['web1', 'web2']\"
}

RUNNING HANDLER [app : reload] *************************************************
changed: [web1]

PLAY RECAP *********************************************************************
web1                       : ok=6    changed=4    unreachable=0    failed=0    skipped=0    rescued=0    ignored=0   

";

/// A repository with a role, a vaulted file of variables and a vaulted asset.
fn repository() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, content) in FILES {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir(dir.path().join("out")).unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let vault = at("group_vars/web/vault.yml");
    let done = run_rustle(
        dir.path(),
        &[
            "vault",
            "encrypt",
            "--vault-password-file",
            &at("password"),
            &vault,
            &at("roles/app/files/key.txt"),
        ],
    );
    assert!(done.status.success(), "{}", said(&done));
    let done = run_rustle(dir.path(), &["keygen", "-o", &at("key"), "--symmetric"]);
    assert!(done.status.success(), "{}", said(&done));
    dir
}

fn pack(dir: &Path, more: &[&str]) -> Output {
    let at = |name: &str| dir.join(name).display().to_string();
    let (site, hosts, password, out) =
        (at("site.yml"), at("hosts"), at("password"), at("artifact"));
    let extra = format!("out={}", at("out"));
    let mut args = vec![
        "pack",
        &site,
        "-i",
        &hosts,
        "-e",
        &extra,
        "-o",
        &out,
        "--no-cache",
        "--compress",
        "none",
        "--vault-password-file",
        &password,
    ];
    args.extend_from_slice(more);
    run_rustle(dir, &args)
}

fn start(dir: &Path, more: &[&str]) -> Output {
    Command::new(dir.join("artifact"))
        .args(["--key-file", &dir.join("key").display().to_string()])
        .args(more)
        .env("HOME", dir)
        .output()
        .unwrap()
}

#[test]
fn one_host_runs_as_under_ansible_and_nothing_vaulted_is_readable() {
    let dir = repository();
    let key = dir.path().join("key").display().to_string();
    let packed = pack(dir.path(), &["--host", "web1", "--key-file", &key]);
    assert!(packed.status.success(), "{}", said(&packed));
    let bytes = fs::read(dir.path().join("artifact")).unwrap();
    for secret in ["FROM-A-VAULTED-FILE", "A-VAULTED-ASSET"] {
        let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!found, "{secret} is readable in the artifact");
    }
    let run = start(dir.path(), &[]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    let printed = String::from_utf8_lossy(&run.stdout);
    let folder = dir.path().display().to_string();
    assert_eq!(printed.replace(&folder, "FOLDER"), PRINTED);
    let made = |name: &str| fs::read_to_string(dir.path().join("out").join(name)).unwrap();
    assert_eq!(
        made("app.conf"),
        "user = bob\npassword = FROM-A-VAULTED-FILE\n"
    );
    assert_eq!(made("key.txt"), "A-VAULTED-ASSET\n");
    assert_eq!(made("motd"), "hello\n");
}

#[test]
fn a_group_has_one_base_and_an_overlay_for_each_host() {
    let dir = repository();
    let key = dir.path().join("key").display().to_string();
    let packed = pack(dir.path(), &["--group", "web", "--key-file", &key]);
    assert!(packed.status.success(), "{}", said(&packed));
    let overlays = dir.path().join("artifact.overlays");
    assert_eq!(fs::read_dir(&overlays).unwrap().count(), 2);
    let run = start(dir.path(), &[]);
    assert_eq!(run.status.code(), Some(70), "{}", said(&run));
    let overlay = overlays.join("web2.overlay").display().to_string();
    let run = start(dir.path(), &["--overlay", &overlay]);
    assert!(
        said(&run).contains("web2                       : ok=6    changed=4"),
        "{}",
        said(&run)
    );
}

#[test]
fn what_cannot_be_packed_is_named_where_it_was_written() {
    let dir = repository();
    let refused = |more: &[&str]| {
        let out = pack(dir.path(), more);
        assert!(!dir.path().join("artifact").exists());
        (
            out.status.code(),
            String::from_utf8_lossy(&out.stderr).into_owned(),
        )
    };
    let key = dir.path().join("key").display().to_string();
    let (code, said) = refused(&["--host", "web1"]);
    assert!(code == Some(70) && said.contains("--key-file"), "{said}");
    let (code, said) = refused(&["--group", "db"]);
    assert!(
        code == Some(5) && said.contains("no play has a host that `db` picks"),
        "{said}"
    );
    fs::remove_file(dir.path().join("roles/app/files/motd")).unwrap();
    let (code, said) = refused(&["--host", "web1", "--key-file", &key]);
    assert!(
        code == Some(71) && said.contains("the file `motd` is missing"),
        "{said}"
    );
    assert!(said.contains("roles/app/tasks/main.yml:6:3"), "{said}");
    fs::write(
        dir.path().join("site.yml"),
        "- hosts: web\n  vars_prompt: [{name: release}]\n  tasks: []\n",
    )
    .unwrap();
    let (code, said) = refused(&["--host", "web1", "--key-file", &key]);
    assert!(code == Some(4) && said.contains("site.yml:2:17"), "{said}");
}
