//! Becoming another user on a host that is reached over ssh, by sudo with a password: a real sshd and real accounts, in an overlay of this
//! machine.

use std::net::TcpListener;
use std::process::Output;

use rustle_tests::{People, rustle, said};

/// Starts an sshd that takes alice's key, runs the playbook with the arguments, and ends the daemon.
const SCRIPT: &str = r#"
port=$1; shift
mkdir -p /run/sshd /plays/ssh
[ -e /plays/ssh/key ] || ssh-keygen -q -t ed25519 -N '' -f /plays/ssh/key
[ -e /plays/ssh/host ] || ssh-keygen -q -t ed25519 -N '' -f /plays/ssh/host
printf '%s\n' "Port $port" 'ListenAddress 127.0.0.1' 'HostKey /plays/ssh/host' 'AuthorizedKeysFile /plays/ssh/key.pub' \
    'PidFile none' 'StrictModes no' 'UsePAM no' >/plays/ssh/config
chmod 644 /plays/ssh/key.pub
"$(command -v sshd || echo /usr/sbin/sshd)" -D -f /plays/ssh/config &
daemon=$!
for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break; sleep 0.05; done
cat >hosts <<EOF
web ansible_host=127.0.0.1 ansible_port=$port ansible_user=alice ansible_ssh_private_key_file=/plays/ssh/key ansible_host_key_checking=false
EOF
rustle playbook -i hosts site.yml "$@"
code=$?
kill $daemon
exit $code
"#;

fn people() -> Option<People> {
    let people = People::new(&["sudo", "sshd"])?;
    people.has("rustle", &rustle());
    people.write("alice.pw", "alicepw\n");
    people.write("wrong.pw", "wrong\n");
    people.write("run.sh", SCRIPT);
    Some(people)
}

fn run(people: &People, site: &str, more: &[&str]) -> Output {
    // The daemon takes it as soon as it is free.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    let port = port.unwrap().port().to_string();
    people.write("site.yml", site);
    let mut command = vec!["bash", "run.sh", port.as_str()];
    command.extend_from_slice(more);
    people.run("root", &command)
}

const SITE: &str = "- hosts: web
  gather_facts: false
  tasks:
    - shell: id -un; id -un >> /tmp/whos
      register: plain
    - shell: id -un
      become: true
      register: root
    - command: id -un
      become: true
      become_user: bob
      register: bob
    - copy: {content: x, dest: /root/by-root}
      become: true
    - debug: {msg: \"<{{ [plain, root, bob] | map(attribute='stdout') | join(' ') }}>\"}
";

#[test]
fn sudo_with_a_password_over_ssh() {
    let Some(people) = people() else {
        return;
    };
    let done = run(&people, SITE, &["--become-password-file", "alice.pw"]);
    let text = said(&done);
    assert_eq!(done.status.code(), Some(0), "{text}");
    assert!(text.contains("<alice root bob>"), "{text}");
    assert!(!text.contains("alicepw"), "{text}");

    let inventory = ["-e", "ansible_become_password=alicepw"];
    let done = run(&people, SITE, &inventory);
    assert!(said(&done).contains("<alice root bob>"), "{}", said(&done));

    let wrong = run(&people, SITE, &["--become-password-file", "wrong.pw"]);
    let text = said(&wrong);
    assert_eq!(wrong.status.code(), Some(2), "{text}");
    assert!(
        text.contains("Duplicate become password prompt")
            || text.contains("Incorrect sudo password"),
        "{text}"
    );
    let none = run(&people, SITE, &[]);
    assert!(
        said(&none).contains("a password is required")
            || said(&none).contains("Missing sudo password"),
        "{}",
        said(&none)
    );
}

/// The same where each task is a session of its own.
#[test]
fn sudo_with_a_password_at_arms_length() {
    let Some(people) = people() else {
        return;
    };
    let site = format!("{SITE}    - wait_for_connection: {{timeout: 5}}\n");
    let done = run(&people, &site, &["--become-password-file", "alice.pw"]);
    let text = said(&done);
    assert_eq!(done.status.code(), Some(0), "{text}");
    assert!(text.contains("<alice root bob>"), "{text}");
}
