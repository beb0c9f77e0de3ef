//! A machine's policy: whose artifacts run on it, where and until when, by hand and over ssh.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustle_tests::{Sshd, own_mounts, run_rustle, said};

/// A folder with a key, and an /etc of this thread's own in which a policy can be written.
struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    /// None where this process may not mount.
    fn make() -> Option<Machine> {
        if !own_mounts() {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        // An overlay on /etc: what is written there goes with the folder.
        let at = |name: &str| dir.path().join(name);
        for name in ["layers", "etc"] {
            fs::create_dir(at(name)).unwrap();
        }
        let mounted = Command::new("sh")
            .arg("-c")
            .arg(
                "mount -t tmpfs none layers && mkdir layers/upper layers/work && \
                 mount -t overlay -o lowerdir=/etc,upperdir=layers/upper,workdir=layers/work none /etc",
            )
            .current_dir(dir.path())
            .status()
            .unwrap();
        if !mounted.success() {
            eprintln!("left out: needs overlayfs");
            return None;
        }
        let machine = Machine { dir };
        for name in ["ours.key", "theirs.key"] {
            let made = run_rustle(machine.dir.path(), &["keygen", "-o", &machine.path(name)]);
            assert!(made.status.success(), "{}", said(&made));
        }
        fs::write(
            machine.path("plan.json"),
            format!(
                r#"{{"version": 1, "plays": [{{"name": "p", "batches": [{{"tasks": [
                    {{"name": "t", "module": "copy", "args": {{"dest": "{}", "content": "x"}}}}]}}]}}]}}"#,
                machine.path("made")
            ),
        )
        .unwrap();
        Some(machine)
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Writes the policy: our key, and these lines.
    fn policy(&self, more: &str) -> PathBuf {
        let key = fs::read_to_string(self.path("ours.key.pub")).unwrap();
        fs::create_dir_all("/etc/rustle").unwrap();
        let path = PathBuf::from("/etc/rustle/policy");
        fs::write(
            &path,
            format!("# Who may change this machine.\n{key}\n{more}"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        path
    }

    /// Packs with these options, and runs what comes of it.
    fn packed(&self, options: &[&str]) -> Output {
        let (plan, out) = (self.path("plan.json"), self.path("artifact"));
        let mut args = vec!["pack", &plan, "-o", &out, "--no-cache"];
        args.extend_from_slice(options);
        let packed = run_rustle(self.dir.path(), &args);
        assert!(packed.status.success(), "{}", said(&packed));
        let _ = fs::remove_file(self.path("made"));
        Command::new(&out).output().unwrap()
    }

    fn made(&self) -> bool {
        Path::new(&self.path("made")).exists()
    }

    /// Refused with this code and these words, and nothing was changed.
    fn refuses(&self, options: &[&str], code: i32, words: &str) {
        let output = self.packed(options);
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
        assert!(!self.made());
    }

    fn runs(&self, options: &[&str]) {
        let output = self.packed(options);
        assert!(output.status.success(), "{}", said(&output));
        assert!(self.made());
    }
}

fn own_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_str().unwrap().to_owned()
}

#[test]
fn by_hand() {
    let Some(machine) = Machine::make() else {
        return;
    };
    let (ours, theirs) = (machine.path("ours.key"), machine.path("theirs.key"));
    let own = own_name();
    // What an artifact says of itself counts without any policy.
    machine.runs(&["--bind", &own, "--expires", "1h"]);
    machine.refuses(&["--bind", "elsewhere"], 68, "is for elsewhere alone");
    let late = machine.packed(&["--expires", "1s"]);
    assert!(late.status.success(), "{}", said(&late));
    fs::remove_file(machine.path("made")).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1200));
    let late = Command::new(machine.path("artifact")).output().unwrap();
    assert_eq!(late.status.code(), Some(69), "{}", said(&late));
    assert!(said(&late).contains("expired") && !machine.made());

    let path = machine.policy("name frontend\n");
    machine.refuses(&[], 69, "policy");
    machine.refuses(&["--sign", &theirs], 69, "policy");
    machine.runs(&["--sign", &ours]);
    machine.runs(&["--sign", &ours, "--bind", "frontend"]);
    machine.policy("require bound\n");
    machine.refuses(&["--sign", &ours], 69, "does not say which machines");
    machine.runs(&["--sign", &ours, "--bind", &own, "--expires", "7d"]);
    // To look is no run.
    let listed = Command::new(machine.path("artifact"))
        .arg("--list-tasks")
        .output()
        .unwrap();
    assert!(listed.status.success(), "{}", said(&listed));
    // A policy that anybody could have written is none to rely on.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).unwrap();
    machine.refuses(&["--sign", &ours], 69, "others than its owner can write it");
}

#[test]
fn over_ssh() {
    let Some(machine) = Machine::make() else {
        return;
    };
    machine.policy("");
    let sshd = Sshd::start(&machine.dir.path().join("sshd"));
    let site = machine.path("site.yml");
    fs::write(
        &site,
        format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {{content: x, dest: {}}}\n",
            machine.path("made")
        ),
    )
    .unwrap();
    fs::write(
        machine.path("hosts"),
        format!(
            "web ansible_host=127.0.0.1 ansible_port={} ansible_ssh_private_key_file={} ansible_host_key_checking=false\n",
            sshd.port,
            sshd.key()
        ),
    )
    .unwrap();
    let hosts = machine.path("hosts");
    let play = |more: &[&str]| {
        let mut args = vec!["playbook", "-i", &hosts, &site];
        args.extend_from_slice(more);
        run_rustle(machine.dir.path(), &args)
    };
    let output = play(&[]);
    assert!(!output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("policy (/etc/rustle/policy)"),
        "{}",
        said(&output)
    );
    assert!(!machine.made());
    let (ours, theirs) = (machine.path("ours.key"), machine.path("theirs.key"));
    let output = play(&["--sign", &theirs]);
    assert!(
        !output.status.success() && !machine.made(),
        "{}",
        said(&output)
    );
    let output = play(&["--sign", &ours]);
    assert!(
        output.status.success() && machine.made(),
        "{}",
        said(&output)
    );
    fs::remove_file(machine.path("made")).unwrap();
    machine.policy("require alone\n");
    let output = play(&["--sign", &ours]);
    assert!(
        said(&output).contains("bears no signature"),
        "{}",
        said(&output)
    );
    assert!(!machine.made());
}
