//! A session over ssh survives its connection: no task runs twice, and no event is lost or told twice.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustle_tests::{Moments, Relay, Sshd, pack, plan, rustle_command, said, until};
use serde_json::{Value, json};

struct Setup {
    dir: tempfile::TempDir,
    sshd: Sshd,
    relay: Relay,
}

fn setup() -> Setup {
    let dir = tempfile::tempdir().unwrap();
    let sshd = Sshd::start(&dir.path().join("sshd"));
    let relay = Relay::to(sshd.port);
    Setup { dir, sshd, relay }
}

impl Setup {
    fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A task that takes so long and then says in a file that it ran.
    fn task(&self, n: usize, seconds: f32) -> Value {
        let command = format!("sleep {seconds}; echo {n} >> {}", self.log().display());
        json!({"name": format!("task {n}"), "module": "shell", "args": {"_raw_params": command}})
    }

    fn tasks(&self, count: usize, seconds: f32) -> Value {
        let tasks: Vec<Value> = (1..=count).map(|n| self.task(n, seconds)).collect();
        plan(Value::from(tasks))
    }

    fn start(&self, more: &[&str]) -> Child {
        let text = |path: PathBuf| path.display().to_string();
        let artifact = text(self.dir.path().join("artifact"));
        let known = text(self.dir.path().join("known_hosts"));
        let to = format!("127.0.0.1:{}", self.relay.port);
        let key = self.sshd.key();
        let mut args = vec![
            "push",
            &artifact,
            &to,
            "--ssh-key",
            &key,
            "--no-agent",
            "--accept-new",
        ];
        args.extend(["--known-hosts", &known, "--wait-lock", "60"]);
        args.extend_from_slice(more);
        let mut command = rustle_command(self.dir.path(), &args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// What sessions left in the host's cache.
    fn left(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.sshd.folder.join("cache/rustle/run"));
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|e| e.path()).collect()
    }

    /// The runner's process on the host.
    fn runner(&self) -> Option<u32> {
        let cache = self.sshd.folder.join("cache/rustle").display().to_string();
        let wanted = format!("--session\0{cache}\0");
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let mut pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        pids.find(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).ends_with(&wanted))
        })
    }

    fn in_order(&self, count: usize, output: &Output) {
        let all: Vec<String> = (1..=count).map(|n| n.to_string()).collect();
        assert_eq!(self.lines(), all, "{}", said(output));
        let text = String::from_utf8_lossy(&output.stdout);
        for n in 1..=count {
            let title = format!("TASK [task {n}] ");
            assert_eq!(text.matches(&title).count(), 1, "{n}: {}", said(output));
        }
        assert_eq!(
            text.matches("changed: [").count(),
            count,
            "{}",
            said(output)
        );
        assert!(
            text.contains(&format!("changed={count} ")),
            "{}",
            said(output)
        );
    }
}

fn warnings(output: &Output) -> usize {
    String::from_utf8_lossy(&output.stderr)
        .matches("trying again for")
        .count()
}

#[test]
fn a_run_goes_on_when_the_connection_is_cut_in_the_middle_of_a_task() {
    let s = setup();
    pack(s.dir.path(), &s.tasks(4, 0.7), &[], &[]);
    let push = s.start(&[]);
    until("the first task", || s.lines().len() == 1);
    s.relay.cut();
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    s.in_order(4, &output);
    assert_eq!(warnings(&output), 1, "{}", said(&output));
    assert_eq!(s.relay.connections(), 2);
    until("the end of the runner", || s.runner().is_none());
    assert_eq!(s.left(), Vec::<PathBuf>::new());
}

#[test]
fn many_cuts_at_any_moment_lose_nothing() {
    let s = setup();
    let count = 60;
    pack(s.dir.path(), &s.tasks(count, 0.1), &[], &[]);
    let mut push = s.start(&[]);
    until("the first task", || !s.lines().is_empty());
    let mut moments = Moments::from_environment();
    while push.try_wait().unwrap().is_none() && s.lines().len() < count {
        s.relay.cut();
        std::thread::sleep(Duration::from_millis(400) + moments.before(Duration::from_millis(800)));
    }
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    s.in_order(count, &output);
    assert!(s.relay.connections() > 3);
    assert_eq!(s.left(), Vec::<PathBuf>::new());
}

#[test]
fn a_connection_that_carries_nothing_more_is_given_up() {
    let s = setup();
    pack(s.dir.path(), &s.tasks(3, 7.0), &[], &[]);
    let push = s.start(&["--silent-for", "11"]);
    until("the first task", || s.lines().len() == 1);
    s.relay.stall();
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    s.in_order(3, &output);
    assert!(
        said(&output).contains("has said nothing for 11 seconds"),
        "{}",
        said(&output)
    );
    // The old channel is still open, as far as the host knows; the runner has ended all the same.
    until("the end of the runner", || s.runner().is_none());
    assert_eq!(s.left(), Vec::<PathBuf>::new());
}

#[test]
fn a_transfer_goes_on_where_it_was_cut() {
    let s = setup();
    let mut moments = Moments::from_environment();
    let random: String = (0..400_000)
        .map(|_| format!("{:016x}", moments.next_number()))
        .collect();
    let to = s.dir.path().join("big");
    let tasks = plan(json!([
        {"name": "task 1", "module": "copy", "args": {"src": "big.txt", "dest": to}},
    ]));
    let artifact = pack(
        s.dir.path(),
        &tasks,
        &[("big.txt", &random)],
        &["--compress", "none"],
    );
    let size = fs::metadata(artifact).unwrap().len();
    s.relay.cut_after(size - 3_000_000);
    let push = s.start(&[]);
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert_eq!(fs::read_to_string(to).unwrap(), random);
    assert_eq!(warnings(&output), 1, "{}", said(&output));
    // What had arrived was not sent again, but for a piece or two.
    assert!(
        s.relay.carried() < size + size / 2,
        "{} of {size}",
        s.relay.carried()
    );
}

#[test]
fn a_runner_that_is_killed_is_told_at_once_as_that() {
    let s = setup();
    pack(s.dir.path(), &s.tasks(3, 3.0), &[], &[]);
    let push = s.start(&[]);
    until("the first task", || s.lines().len() == 1);
    let began = Instant::now();
    let pid = s.runner().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-9", &pid])
            .status()
            .unwrap()
            .success()
    );
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("the runner was killed on the host"),
        "{}",
        said(&output)
    );
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(s.left(), Vec::<PathBuf>::new());
}

#[test]
fn who_stops_a_run_leaves_nothing_behind() {
    for cut in [false, true] {
        let s = setup();
        pack(s.dir.path(), &s.tasks(2, 30.0), &[], &[]);
        let push = s.start(&[]);
        until("the runner", || {
            s.runner().is_some() && !s.left().is_empty()
        });
        if cut {
            s.relay.cut();
        }
        let pid = push.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &pid])
                .status()
                .unwrap()
                .success()
        );
        let began = Instant::now();
        let output = push.wait_with_output().unwrap();
        // Stopped between tasks, or in the middle of one, which then has failed.
        let code = output.status.code();
        assert!(
            code == Some(99) || code == Some(2),
            "{cut}: {}",
            said(&output)
        );
        until("the end of the runner", || s.runner().is_none());
        let took = began.elapsed();
        assert!(
            took < Duration::from_secs(15),
            "{cut} {took:?} {}",
            said(&output)
        );
        assert_eq!(s.left(), Vec::<PathBuf>::new());
        assert!(s.lines().is_empty());
    }
}

#[test]
fn a_host_that_stays_away_is_unreachable_and_ends_its_run_by_itself() {
    let s = setup();
    pack(s.dir.path(), &s.tasks(3, 2.0), &[], &[]);
    let push = s.start(&["--reconnect-for", "1"]);
    until("the first task", || s.lines().len() == 1);
    s.relay.refuse(true);
    s.relay.cut();
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("not had again within 1 seconds"),
        "{}",
        said(&output)
    );
    until("the end of the runner", || s.runner().is_none());
    assert_eq!(s.lines(), ["1", "2", "3"]);
    // What nobody heard is kept, and cannot be read without the session's key.
    let left = s.left();
    assert_eq!(left.len(), 1, "{left:?}");
    let journal = fs::read(left[0].join("journal")).unwrap();
    assert!(journal.len() > 200);
    assert!(!journal.windows(6).any(|w| w == b"task 3"));
}

#[test]
fn a_host_that_is_alone_for_too_long_stops() {
    let s = setup();
    pack(s.dir.path(), &s.tasks(40, 0.5), &[], &[]);
    let push = s.start(&["--reconnect-for", "1", "--alone-for", "3"]);
    until("the first task", || s.lines().len() == 1);
    s.relay.refuse(true);
    s.relay.cut();
    let output = push.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    until("the end of the runner", || s.runner().is_none());
    let ran = s.lines().len();
    assert!((3..20).contains(&ran), "{ran}");
}

/// An inventory of these hosts, all of them behind this test's sshd.
fn inventory(s: &Setup, hosts: &[(&str, u16)]) {
    let mut text = format!(
        "all:\n  vars:\n    ansible_host: 127.0.0.1\n    ansible_private_key_file: {}\n    ansible_host_key_checking: false\n  hosts:\n",
        s.sshd.key()
    );
    for (name, port) in hosts {
        text += &format!("    {name}: {{ansible_port: {port}}}\n");
    }
    fs::write(s.dir.path().join("hosts.yml"), text).unwrap();
}

fn playbook(s: &Setup, text: &str, more: &[&str]) -> Child {
    let site = s.dir.path().join("site.yml");
    fs::write(&site, text.replace("LOG", &s.log().display().to_string())).unwrap();
    let hosts = s.dir.path().join("hosts.yml").display().to_string();
    let site = site.display().to_string();
    let mut args = vec!["playbook", "-i", &hosts, &site];
    args.extend_from_slice(more);
    let mut command = rustle_command(s.dir.path(), &args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

const TOGETHER: &str = "- hosts: all
  gather_facts: false
  tasks:
  - shell: sleep 0.2; echo {{ inventory_hostname }} 1 >> LOG; echo {{ inventory_hostname }}
    register: one
    notify: told
  - shell: sleep 0.2; echo {{ inventory_hostname }} 2 >> LOG
  - shell: sleep 0.2; echo {{ hostvars['cut'].one.stdout }} for {{ inventory_hostname }} 3 >> LOG
  - shell: sleep 0.2; echo {{ inventory_hostname }} {{ lookup('pipe', 'echo four') }} >> LOG
  - shell: sleep 0.2; echo {{ inventory_hostname }} 5 >> LOG
    delegate_to: other
    when: inventory_hostname == 'cut'
  handlers:
  - name: told
    shell: sleep 0.2; echo {{ inventory_hostname }} 6 >> LOG
";

#[test]
fn a_play_on_several_hosts_goes_on_in_step_however_one_is_cut() {
    let s = setup();
    inventory(&s, &[("cut", s.relay.port), ("other", s.sshd.port)]);
    let mut run = playbook(&s, TOGETHER, &["--reconnect-pause", "1"]);
    let mut moments = Moments::from_environment();
    while run.try_wait().unwrap().is_none() && s.lines().len() < 11 {
        std::thread::sleep(Duration::from_millis(700) + moments.before(Duration::from_millis(900)));
        // Not before the run has begun there: a first connection that fails is final.
        if !s.lines().is_empty() {
            s.relay.cut();
        }
    }
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let lines = s.lines();
    let steps: Vec<Vec<&str>> = vec![
        vec!["cut 1", "other 1"],
        vec!["cut 2", "other 2"],
        vec!["cut for cut 3", "cut for other 3"],
        vec!["cut four", "other four"],
        vec!["cut 5"],
        vec!["cut 6", "other 6"],
    ];
    let mut rest = lines.as_slice();
    for step in steps {
        let (mut here, after) = (rest[..step.len()].to_vec(), &rest[step.len()..]);
        here.sort();
        assert_eq!(here, step, "{lines:?} {}", said(&output));
        rest = after;
    }
    assert!(rest.is_empty(), "{lines:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(text.matches("TASK [shell]").count(), 5, "{}", said(&output));
    assert_eq!(
        text.matches("changed: [cut").count(),
        6,
        "{}",
        said(&output)
    );
    assert_eq!(
        text.matches("changed: [other]").count(),
        5,
        "{}",
        said(&output)
    );
    assert!(
        said(&output).contains("trying again for 120 seconds"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_host_that_accepts_and_never_answers_delays_nobody_for_long() {
    let s = setup();
    let dumb = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = dumb.local_addr().unwrap().port();
    inventory(&s, &[("dumb", port), ("other", s.sshd.port)]);
    let began = Instant::now();
    let text = "- hosts: all\n  strategy: free\n  gather_facts: false\n  tasks:\n  - shell: echo {{ inventory_hostname }} >> LOG\n";
    let run = playbook(&s, text, &["-T", "4"]);
    until("the host that answers", || s.lines().len() == 1);
    let first = began.elapsed();
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", said(&output));
    assert!(
        said(&output).contains("fatal: [dumb]: UNREACHABLE!"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("other  "), "{}", said(&output));
    assert_eq!(s.lines(), ["other"]);
    assert!(
        began.elapsed() < Duration::from_secs(25),
        "{:?}",
        began.elapsed()
    );
    eprintln!(
        "the other host was done after {first:?}, all after {:?}",
        began.elapsed()
    );
}

/// `rustle` with a state folder of its own.
fn resume(s: &Setup, more: &[&str]) -> Output {
    let mut args = vec!["resume"];
    args.extend_from_slice(more);
    let mut command = rustle_command(s.dir.path(), &args);
    command.env("RUSTLE_STATE_DIR", s.dir.path().join("state"));
    command.output().unwrap()
}

#[test]
fn a_run_whose_controller_was_killed_is_gone_on_with() {
    let s = setup();
    let sleeps = [0.3, 1.1, 2.4, 3.3];
    for (round, seconds) in sleeps.into_iter().enumerate() {
        let _ = fs::remove_file(s.log());
        inventory(&s, &[("cut", s.relay.port), ("other", s.sshd.port)]);
        let site = s.dir.path().join("site.yml");
        let text = TOGETHER.replace("LOG", &s.log().display().to_string());
        fs::write(&site, text).unwrap();
        let hosts = s.dir.path().join("hosts.yml").display().to_string();
        let args = ["playbook", "-i", &hosts, site.to_str().unwrap()];
        let mut command = rustle_command(s.dir.path(), &args);
        command.env("RUSTLE_STATE_DIR", s.dir.path().join("state"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut run = command.spawn().unwrap();
        until("the first task", || !s.lines().is_empty());
        std::thread::sleep(Duration::from_secs_f32(seconds));
        let busy = resume(&s, &[]);
        assert_ne!(busy.status.code(), Some(0), "{}", said(&busy));
        run.kill().unwrap();
        let before = run.wait_with_output().unwrap();
        if before.status.code().is_some() {
            // It was over already.
            continue;
        }
        std::thread::sleep(Duration::from_millis(500));
        let after = resume(&s, &[]);
        let story = format!("{round}: {}\n--- then\n{}", said(&before), said(&after));
        assert_eq!(after.status.code(), Some(0), "{story}");
        let mut lines = s.lines();
        assert_eq!(lines.len(), 11, "{lines:?} {story}");
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 11, "{lines:?} {story}");
        let text = [before.stdout, after.stdout].concat();
        let text = String::from_utf8_lossy(&text);
        assert_eq!(text.matches("TASK [shell]").count(), 5, "{story}");
        assert_eq!(text.matches("changed: [cut").count(), 6, "{story}");
        assert_eq!(text.matches("changed: [other]").count(), 5, "{story}");
        assert_eq!(text.matches("PLAY RECAP").count(), 1, "{story}");
        // Nothing is left to go on with, here or there.
        let none = resume(&s, &[]);
        assert!(
            said(&none).contains("there is no unfinished run"),
            "{}",
            said(&none)
        );
        until("the end of the runners", || s.runner().is_none());
        assert_eq!(s.left(), Vec::<PathBuf>::new(), "{story}");
    }
}

#[test]
fn a_run_whose_playbook_has_changed_is_not_gone_on_with() {
    let s = setup();
    inventory(&s, &[("other", s.sshd.port)]);
    let text = "- hosts: all\n  gather_facts: false\n  tasks:\n  - shell: sleep 1; echo one >> LOG\n  - shell: sleep 1; echo two >> LOG\n";
    let site = s.dir.path().join("site.yml");
    fs::write(&site, text.replace("LOG", &s.log().display().to_string())).unwrap();
    let hosts = s.dir.path().join("hosts.yml").display().to_string();
    let args = ["playbook", "-i", &hosts, site.to_str().unwrap()];
    let mut command = rustle_command(s.dir.path(), &args);
    command.env("RUSTLE_STATE_DIR", s.dir.path().join("state"));
    let mut run = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the first task", || s.lines().len() == 1);
    run.kill().unwrap();
    run.wait().unwrap();
    let right = fs::read_to_string(&site).unwrap();
    fs::write(&site, right.replace("two", "three")).unwrap();
    let refused = resume(&s, &[]);
    assert_ne!(refused.status.code(), Some(0));
    assert!(
        said(&refused).contains("have changed since"),
        "{}",
        said(&refused)
    );
    fs::write(&site, right).unwrap();
    let done = resume(&s, &[]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(s.lines(), ["one", "two"]);
}
