//! One, ten and fifty hosts with addresses of their own, near and far, and what can happen to them in the middle of a play.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use rustle_tests::{RealHosts, run_rustle, rustle_command, said, until};

/// Ends what still runs on a host of the run, as `kill -9` does.
const KILL_RUNNER: &str = "pkill -9 -f -- --session";

fn play(dir: &Path, hosts: &str, tasks: &str) -> String {
    let site = format!("- hosts: {hosts}\n  gather_facts: false\n  tasks:\n{tasks}");
    let path = dir.join("site.yml");
    fs::write(&path, site).unwrap();
    path.display().to_string()
}

fn args<'a>(inventory: &'a str, site: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "playbook",
        "-i",
        inventory,
        site,
        "-f",
        "50",
        "--silent-for",
        "11",
        "--reconnect-for",
        "20",
    ];
    own.iter().chain(more).copied().collect()
}

fn inventory(dir: &Path) -> String {
    dir.join("hosts.ini").display().to_string()
}

fn run(dir: &Path, hosts: &str, tasks: &str, more: &[&str]) -> Output {
    let (inventory, site) = (inventory(dir), play(dir, hosts, tasks));
    run_rustle(dir, &args(&inventory, &site, more))
}

fn begin(dir: &Path, hosts: &str, tasks: &str, more: &[&str]) -> Child {
    let (inventory, site) = (inventory(dir), play(dir, hosts, tasks));
    let mut command = rustle_command(dir, &args(&inventory, &site, more));
    command.env("RUSTLE_STATE_DIR", dir.join("state"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A host's line of the recap.
fn recap<'t>(text: &'t str, host: &str) -> &'t str {
    let line = |l: &&str| l.split_whitespace().next() == Some(host) && l.contains(" : ");
    text.lines().find(line).unwrap_or_default()
}

const LOGGED: &str =
    "  - shell: echo begun >> /var/log/of-test; sleep 3; echo done >> /var/log/of-test
  - copy: {content: x, dest: /var/log/after}
  - command: cat /var/log/of-test
    register: r
  - debug: {msg: \"{{ r.stdout_lines }}\"}
";

#[test]
fn fifty_hosts_know_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let Some(hosts) = RealHosts::up(dir.path(), "10.211.50", 50) else {
        return;
    };
    let tasks = "  - copy: {content: \"{{ inventory_hostname }}\\n\", dest: /etc/who}
  - command: hostname
    register: r
  - debug: {msg: \"{{ ansible_play_hosts | map('extract', hostvars) | map(attribute='r.stdout') | unique | length }} names\"}
";
    let done = run(dir.path(), "all", tasks, &[]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(text.matches("\"msg\": \"50 names\"").count(), 50, "{text}");
    assert_eq!(text.matches("ok=3    changed=2").count(), 50, "{text}");
    assert_eq!(hosts.inside("h37", "cat /etc/who"), "h37\n");
}

/// Ten hosts, ten faults: they share the hosts, because those take their time to come up.
#[test]
fn ten_hosts_and_what_happens_to_them() {
    let dir = tempfile::tempdir().unwrap();
    let Some(hosts) = RealHosts::up(dir.path(), "10.211.10", 10) else {
        return;
    };
    one_and_ten_near_and_far(dir.path(), &hosts);
    in_the_middle_of_a_task(dir.path(), &hosts);
    in_the_middle_of_a_transfer(dir.path(), &hosts);
    between_tasks(dir.path(), &hosts);
    a_controller_that_is_killed(dir.path(), &hosts);
    keys_and_silence(dir.path(), &hosts);
}

fn one_and_ten_near_and_far(dir: &Path, hosts: &RealHosts) {
    let tasks = "  - command: hostname\n  - copy: {content: \"{{ inventory_hostname }}\", dest: /etc/who}\n";
    for delay in ["0", "20"] {
        let set = hosts.script(&["delay", delay]);
        assert!(set.status.success(), "{}", said(&set));
        for (pattern, count) in [("h1", 1), ("all", 10)] {
            let done = run(dir, pattern, tasks, &[]);
            assert_eq!(
                done.status.code(),
                Some(0),
                "{delay} {pattern}: {}",
                said(&done)
            );
            assert_eq!(
                out(&done).matches(" ok=2 ").count(),
                count,
                "{}",
                said(&done)
            );
        }
    }
    hosts.script(&["delay", "0"]);
}

/// h1 loses its cable for longer than a connection may be silent, h2 its power, h3 its runner; the others do not notice.
fn in_the_middle_of_a_task(dir: &Path, hosts: &RealHosts) {
    let run = begin(dir, "h1,h2,h3,h4", LOGGED, &[]);
    let begun = |host: &str| hosts.inside(host, "cat /var/log/of-test 2>/dev/null") == "begun\n";
    until("the task", || {
        ["h1", "h2", "h3"].iter().all(|host| begun(host))
    });
    hosts.script(&["cut", "h1"]);
    hosts.script(&["stop", "h2"]);
    hosts.inside("h3", KILL_RUNNER);
    hosts.script(&["start", "h2"]);
    std::thread::sleep(Duration::from_secs(13));
    hosts.script(&["heal", "h1"]);
    let done = run.wait_with_output().unwrap();
    let text = out(&done);
    assert_eq!(done.status.code(), Some(4), "{}", said(&done));
    for host in ["h1", "h4"] {
        assert!(
            recap(&text, host).contains("ok=4 "),
            "{host} {}",
            said(&done)
        );
        assert_eq!(
            hosts.inside(host, "cat /var/log/of-test"),
            "begun\ndone\n",
            "{host}"
        );
    }
    for host in ["h2", "h3"] {
        assert!(
            recap(&text, host).contains("unreachable=1"),
            "{host} {}",
            said(&done)
        );
        assert_eq!(
            hosts.inside(host, "ls /var/log/after 2>/dev/null"),
            "",
            "{host}"
        );
    }
    assert!(
        said(&done).contains("the runner was killed on the host"),
        "{}",
        said(&done)
    );
}

/// The link is slow, and is cut while a file is under way.
fn in_the_middle_of_a_transfer(dir: &Path, hosts: &RealHosts) {
    let chance = fs::File::open("/dev/urandom").unwrap();
    let mut large = fs::File::create(dir.join("large")).unwrap();
    std::io::copy(&mut std::io::Read::take(chance, 48 << 20), &mut large).unwrap();
    hosts.script(&["delay", "20"]);
    let before = hosts.script(&["traffic"]).stdout;
    let sent = |told: &[u8]| {
        let text = String::from_utf8_lossy(told);
        let first = text
            .split_whitespace()
            .next()
            .and_then(|n| n.parse::<u64>().ok());
        first.unwrap_or(0)
    };
    let run = begin(
        dir,
        "h5",
        "  - copy: {src: large, dest: /var/log/large}\n",
        &[],
    );
    until("the file to be under way", || {
        sent(&hosts.script(&["traffic"]).stdout) > sent(&before) + (4 << 20)
    });
    hosts.script(&["cut", "h5"]);
    std::thread::sleep(Duration::from_secs(3));
    hosts.script(&["heal", "h5"]);
    let done = run.wait_with_output().unwrap();
    hosts.script(&["delay", "0"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    let size = hosts.inside("h5", "stat -c %s /var/log/large");
    assert_eq!(size.trim(), (48 << 20).to_string(), "{}", said(&done));
}

/// The cable is out while nothing is done on the host.
fn between_tasks(dir: &Path, hosts: &RealHosts) {
    let tasks = "  - shell: echo one >> /var/log/between
  - pause: {seconds: 4}
  - shell: echo two >> /var/log/between
";
    let run = begin(dir, "h6", tasks, &[]);
    until("the first task", || {
        hosts.inside("h6", "cat /var/log/between 2>/dev/null") == "one\n"
    });
    hosts.script(&["cut", "h6"]);
    std::thread::sleep(Duration::from_secs(3));
    hosts.script(&["heal", "h6"]);
    let done = run.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert_eq!(hosts.inside("h6", "cat /var/log/between"), "one\ntwo\n");
}

fn a_controller_that_is_killed(dir: &Path, hosts: &RealHosts) {
    let mut run = begin(dir, "h7,h8", LOGGED, &[]);
    until("the task", || {
        hosts.inside("h8", "cat /var/log/of-test 2>/dev/null") == "begun\n"
    });
    run.kill().unwrap();
    let before = run.wait_with_output().unwrap();
    let mut command = rustle_command(dir, &["resume"]);
    command.env("RUSTLE_STATE_DIR", dir.join("state"));
    let after = command.output().unwrap();
    let story = format!("{}\n--- then\n{}", said(&before), said(&after));
    assert_eq!(after.status.code(), Some(0), "{story}");
    for host in ["h7", "h8"] {
        assert_eq!(
            hosts.inside(host, "cat /var/log/of-test"),
            "begun\ndone\n",
            "{story}"
        );
        assert!(recap(&out(&after), host).contains("ok=4 "), "{story}");
    }
}

/// A host with another key than is known is refused; one that accepts and says nothing is given up.
fn keys_and_silence(dir: &Path, hosts: &RealHosts) {
    let known = fs::read_to_string(dir.join("hosts/known_hosts")).unwrap();
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(dir.join("another"))
        .status();
    assert!(made.unwrap().success());
    let another = fs::read_to_string(dir.join("another.pub")).unwrap();
    let another: Vec<&str> = another.split(' ').take(2).collect();
    let changed = known.lines().map(|line| match line.split_once(' ') {
        Some((host, _)) if host.ends_with(".19") => format!("{host} {}\n", another.join(" ")),
        _ => format!("{line}\n"),
    });
    fs::create_dir_all(dir.join(".ssh")).unwrap();
    fs::write(dir.join(".ssh/known_hosts"), changed.collect::<String>()).unwrap();
    let mute = TcpListener::bind((hosts.own_address(), 0)).unwrap();
    let port = mute.local_addr().unwrap().port();
    let inventory = fs::read_to_string(dir.join("hosts.ini")).unwrap();
    let inventory = inventory
        .replace("checking=false", "checking=true")
        .replacen(
            "[all]\n",
            &format!(
                "[all]\nmute ansible_host={} ansible_port={port}\n",
                hosts.own_address()
            ),
            1,
        );
    fs::write(dir.join("hosts.ini"), inventory).unwrap();
    let begun = std::time::Instant::now();
    let done = run(dir, "h9,h10,mute", "  - command: hostname\n", &["-T", "2"]);
    let text = out(&done);
    assert_eq!(done.status.code(), Some(4), "{}", said(&done));
    assert!(recap(&text, "h10").contains("ok=1 "), "{}", said(&done));
    for host in ["h9", "mute"] {
        assert!(
            recap(&text, host).contains("unreachable=1"),
            "{host} {}",
            said(&done)
        );
    }
    assert!(begun.elapsed() < Duration::from_secs(15), "{}", said(&done));
    let refused = text.lines().find(|line| line.starts_with("fatal: [h9]"));
    assert!(
        refused.is_some_and(|line| line.contains("key")),
        "{}",
        said(&done)
    );
}
