//! Machines that go away and come back during a run, over a real sshd that is ended and started again.

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustle_tests::{Sshd, run_rustle, said};

fn run(dir: &Path, sshd: &Sshd, site: &str, more: &[&str]) -> Output {
    let (port, key) = (sshd.port, sshd.key());
    let hosts = format!(
        "all:\n  vars:\n    ansible_host: 127.0.0.1\n    ansible_private_key_file: {key}\n    ansible_host_key_checking: false\n    \
         root: {}\n  hosts:\n    one: {{ansible_port: {port}}}\n    gone: {{ansible_port: 1}}\n    here: {{ansible_connection: local}}\n",
        dir.display()
    );
    fs::write(dir.join("hosts.yml"), hosts).unwrap();
    fs::write(dir.join("site.yml"), site).unwrap();
    let at = |name: &str| dir.join(name).display().to_string();
    let (hosts, site) = (at("hosts.yml"), at("site.yml"));
    let mut args = vec!["playbook", "-i", &hosts, &site];
    args.extend_from_slice(more);
    run_rustle(dir, &args)
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The machine goes away in the middle of a play, and what the play knows stays: facts, registered results, handlers.
#[test]
fn a_play_goes_on_after_a_reboot() {
    let dir = tempfile::tempdir().unwrap();
    let mut sshd = Sshd::start(&dir.path().join("sshd"));
    fs::write(dir.path().join("boot"), "first").unwrap();
    let site = "- hosts: one
  gather_facts: false
  tasks:
    - set_fact: {a: 1}
    - copy: {content: x, dest: \"{{ root }}/x\"}
      register: c
      notify: later
    - reboot:
        reboot_command: touch {{ root }}/please
        search_paths: [/usr/bin, /bin]
        boot_time_command: cat {{ root }}/boot
        reboot_timeout: 60
      register: r
    - debug: {msg: \"{{ a }} {{ c is changed }} {{ r.rebooted }} {{ r is changed }}\"}
    - command: echo {{ inventory_hostname }}
  handlers:
    - name: later
      copy: {content: y, dest: \"{{ root }}/y\"}
";
    let over = AtomicBool::new(false);
    let (please, boot) = (dir.path().join("please"), dir.path().join("boot"));
    let (port, key) = (sshd.port, sshd.key());
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                if fs::remove_file(&please).is_ok() {
                    sshd.stop();
                    std::thread::sleep(Duration::from_millis(700));
                    fs::write(&boot, "second").unwrap();
                    sshd.start_again();
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let beside = Beside { port, key };
        let done = beside.run(dir.path(), site);
        over.store(true, Ordering::Relaxed);
        done
    });
    let text = out(&done);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(
        text.contains("\"msg\": \"1 True True True\""),
        "{}",
        said(&done)
    );
    assert!(text.contains("RUNNING HANDLER [later]"), "{}", said(&done));
    assert_eq!(fs::read_to_string(&boot).unwrap(), "second");
    assert!(dir.path().join("y").exists());
}

/// What is known of a daemon that another thread ends and starts.
struct Beside {
    port: u16,
    key: String,
}

impl Beside {
    fn run(&self, dir: &Path, site: &str) -> Output {
        let hosts = format!(
            "all:\n  hosts:\n    one: {{ansible_host: 127.0.0.1, ansible_port: {}, ansible_private_key_file: {}, \
             ansible_host_key_checking: false, root: {}}}\n",
            self.port,
            self.key,
            dir.display()
        );
        fs::write(dir.join("hosts.yml"), hosts).unwrap();
        fs::write(dir.join("site.yml"), site).unwrap();
        let at = |name: &str| dir.join(name).display().to_string();
        run_rustle(dir, &["playbook", "-i", &at("hosts.yml"), &at("site.yml")])
    }
}

#[test]
fn a_reboot_that_fails_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    fs::write(dir.path().join("boot"), "first").unwrap();
    let site = "- hosts: one
  gather_facts: false
  ignore_errors: true
  tasks:
    - reboot: {reboot_command: no-such-command, search_paths: [/bin]}
    - reboot: {reboot_command: /bin/true, boot_time_command: 'echo no >&2; exit 3'}
    - reboot: {reboot_command: \"/bin/sh -c 'echo no; exit 3'\"}
    - reboot: {reboot_command: /bin/true, boot_time_command: 'cat {{ root }}/boot', reboot_timeout: 1}
    - reboot: {reboot_command: /bin/true, boot_time_command: 'date +%N', reboot_timeout: 1, test_command: 'false'}
    - reboot: {unknown: 1}
- hosts: here
  gather_facts: false
  tasks:
    - reboot: {reboot_command: 'touch {{ root }}/rebooted'}
";
    let done = run(dir.path(), &sshd, site, &[]);
    let text = out(&done);
    for told in [
        "Unable to find command \\\"no-such-command\\\" in search paths: ['/bin']",
        "reboot: failed to get host boot time info, rc: 3, stdout: , stderr: no",
        "Reboot command failed. Error was: 'no, '",
        "Timed out waiting for last boot time check (timeout=1)",
        "Timed out waiting for post-reboot test command (timeout=1)",
        "Unsupported parameters for",
        "Running reboot with local connection would reboot the control node.",
    ] {
        assert!(text.contains(told), "{told} is not in\n{}", said(&done));
    }
    assert!(!dir.path().join("rebooted").exists());
    let checked = run(
        dir.path(),
        &sshd,
        "- hosts: one\n  gather_facts: false\n  tasks: [{reboot: {reboot_command: '/bin/touch {{ root }}/rebooted'}}]\n",
        &["-C"],
    );
    assert!(
        out(&checked).contains("changed: [one]"),
        "{}",
        said(&checked)
    );
    assert!(!dir.path().join("rebooted").exists());
}

/// At arm's length, too, a task may go on in the background, files are sent, and other hosts do what is delegated.
#[test]
fn tasks_around_a_wait_do_what_they_do_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    fs::write(dir.path().join("a.txt"), "a file\n").unwrap();
    fs::write(dir.path().join("t.j2"), "{{ inventory_hostname }}\n").unwrap();
    let site = "- hosts: one
  gather_facts: false
  tasks:
    - wait_for_connection: {timeout: 10}
    - setup: {gather_subset: ['!all', '!min', env]}
    - shell: sleep 0.5; echo done > {{ root }}/background
      async: 20
      poll: 0
      register: job
    - async_status: {jid: \"{{ job.ansible_job_id }}\"}
      register: told
      until: told is finished
      retries: 20
      delay: 1
    - copy: {src: a.txt, dest: \"{{ root }}/sent\"}
    - template: {src: t.j2, dest: \"{{ root }}/made\"}
    - fetch: {src: \"{{ root }}/made\", dest: \"{{ root }}/fetched\", flat: true}
    - command: echo here
      delegate_to: localhost
      register: there
    - debug: {msg: \"{{ there.stdout }} {{ ansible_facts.env.SSH_CONNECTION is defined }}\"}
- hosts: gone
  gather_facts: false
  tasks:
    - wait_for_connection: {timeout: 1}
";
    let done = run(dir.path(), &sshd, site, &[]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(2), "{}", said(&done));
    assert!(text.contains("\"msg\": \"here True\""), "{}", said(&done));
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).unwrap_or_default();
    assert_eq!(read("background"), "done\n");
    assert_eq!(read("sent"), "a file\n");
    assert_eq!(read("fetched"), "one\n");
    assert!(
        text.contains("timed out waiting for ping module test: "),
        "{}",
        said(&done)
    );
    assert!(text.contains("fatal: [gone]: FAILED!"), "{}", said(&done));
}

/// Asked once for all hosts before every task, and for the only host of a play.
#[test]
fn steps_of_several_hosts_are_asked_for_once() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("hosts.yml"),
        "all: {vars: {ansible_connection: local}, hosts: {a: {}, b: {}}}\n",
    )
    .unwrap();
    let site = "- hosts: all
  gather_facts: false
  tasks: [{name: one, debug: {msg: 1}}, {name: two, debug: {msg: 2}}, {name: three, debug: {msg: 3}, changed_when: true, notify: h}]
  handlers: [{name: h, debug: {msg: 4}}]
- hosts: b
  gather_facts: false
  tasks: [{name: four, debug: {msg: 5}}, {name: five, debug: {msg: 6}}]
";
    fs::write(dir.path().join("site.yml"), site).unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let args = [
        "playbook",
        "--step",
        "-i",
        &at("hosts.yml"),
        &at("site.yml"),
    ];
    let mut child = rustle_tests::rustle_command(dir.path(), &args)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let answers = "y\nn\ny\ny\nn\nc\n";
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(answers.as_bytes()).unwrap();
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    let text = out(&done);
    let asked: Vec<&str> = text
        .lines()
        .filter(|l| l.starts_with("Perform task: ") && l.ends_with('*'))
        .filter_map(|l| l.split(" (N)o").next())
        .collect();
    let expected = [
        "Perform task: TASK: one",
        "Perform task: TASK: two",
        "Perform task: TASK: three",
        "Perform task: HANDLER: h",
        "Perform task: TASK: four",
        "Perform task: TASK: five",
    ];
    assert_eq!(asked, expected, "{text}");
    let ran = |name: &str| text.contains(&format!("[{name}] **"));
    let all = ["one", "two", "three", "h", "four", "five"].map(ran);
    assert_eq!(all, [true, false, true, true, false, true], "{text}");
}
