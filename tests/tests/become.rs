//! Runs that are not root's become other users: by sudo, su, doas and runuser, with and without passwords. What is expected stands
//! here as ansible-playbook 2.19 printed it on the same machine, but for the key in sudo's prompt.

use rustle_tests::{People, rustle, said};
use serde_json::{Value, json};

/// People with `rustle`, the usual playbook, and files with passwords.
fn people(programs: &[&str]) -> Option<People> {
    let people = People::new(programs)?;
    people.has("rustle", &rustle());
    people.write("wrong", "wrong\n");
    for name in ["alice", "root", "bob"] {
        people.write(&format!("{name}.pw"), &format!("{name}pw\n"));
    }
    people.write("hosts", "localhost ansible_connection=local\n");
    Some(people)
}

/// A play of tasks on this machine.
fn play(tasks: &Value) -> String {
    json!([{"hosts": "localhost", "gather_facts": false, "tasks": tasks}]).to_string()
}

/// Runs a playbook; gives its exit code and what it printed, without keys of prompts.
fn run(people: &People, user: &str, tasks: &Value, more: &[&str]) -> (i32, String) {
    people.write("site.yml", &play(tasks));
    let mut command = vec!["rustle", "playbook", "-i", "hosts", "site.yml"];
    command.extend_from_slice(more);
    let output = people.run(user, &command);
    let text = said(&output);
    assert!(
        !text.contains("alicepw") && !text.contains("rootpw"),
        "{text}"
    );
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("key=") {
        plain += &rest[..at + 4];
        plain.push('K');
        rest = &rest[(at + 36).min(rest.len())..];
    }
    plain += rest;
    (output.status.code().unwrap_or(-1), plain)
}

/// Who one is, where, and with which environment.
fn who() -> Value {
    json!([
        {"shell": "id -un; id -gn; env | sort | grep -v 'BECOME-SUCCESS\\|SUDO_[GU]ID'; umask", "become": true, "register": "r"},
        {"debug": {"msg": "<{{ r.stdout_lines | join('|') }}>"}}
    ])
}

/// What [`who`] told.
fn told(text: &str) -> &str {
    let from = text.find("\"<").expect(text);
    let to = text[from..].find(">\"").expect(text);
    &text[from + 2..from + to]
}

#[test]
fn sudo_without_and_with_a_password() {
    let Some(people) = people(&["sudo"]) else {
        return;
    };
    let (code, text) = run(&people, "carol", &who(), &[]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(
        told(&text),
        "root|root|HOME=/root|LC_ALL=C.UTF-8|LOGNAME=root|MAIL=/var/mail/root|\
         PATH=/usr/sbin:/usr/bin:/sbin:/bin|PWD=/plays|SHELL=/bin/bash|\
         SUDO_USER=carol|TERM=unknown|USER=root|0022"
    );
    let (code, text) = run(
        &people,
        "alice",
        &who(),
        &["--become-user", "bob", "--become-password-file", "alice.pw"],
    );
    assert_eq!(code, 0, "{text}");
    let told = told(&text);
    assert!(told.starts_with("bob|bob|HOME=/home/bob|"), "{told}");
    assert!(
        told.contains("|SUDO_USER=alice|") && !told.contains("KEPT"),
        "{told}"
    );

    let fails = |user: &str, more: &[&str], message: &str| {
        let (code, text) = run(&people, user, &who(), more);
        assert_eq!(code, 2, "{text}");
        let expected = format!(
            "fatal: [localhost]: FAILED! => {{\"changed\": false, \"msg\": \"Task failed: {message}\"}}"
        );
        assert!(text.contains(&expected), "{text}");
        assert!(!text.contains("caused by"), "{text}");
    };
    let ended = "Premature end of stream waiting for become success.\\n>>> Standard Error\\n";
    fails(
        "alice",
        &[],
        &format!("{ended}sudo: a password is required"),
    );
    fails("bob", &[], &format!("{ended}sudo: a password is required"));
    fails(
        "alice",
        &["--become-password-file", "wrong"],
        "Duplicate become password prompt encountered waiting for become success.\\n>>> Standard Error\\n\
         [sudo via rustle, key=K] password:\\nSorry, try again.\\n[sudo via rustle, key=K] password:",
    );
    fails(
        "carol",
        &["-e", "ansible_become_exe=/nonesuch"],
        &format!("{ended}/bin/sh: 1: /nonesuch: not found"),
    );
    fails(
        "carol",
        &["--become-method", "nonesuch"],
        "Invalid become method specified, could not find matching plugin: 'nonesuch'. \
         Use `ansible-doc -t become -l` to list available plugins.",
    );
}

#[test]
fn su_asks_wherever_it_likes() {
    let Some(people) = people(&["su"]) else {
        return;
    };
    let su = |user: &str, more: &[&str]| {
        let more = [&["--become-method", "su"], more].concat();
        run(&people, user, &who(), &more)
    };
    let (code, text) = su("alice", &["--become-password-file", "root.pw"]);
    assert_eq!(code, 0, "{text}");
    let told = told(&text);
    assert!(told.starts_with("root|root|HOME=/root|KEPT=yes|"), "{told}");
    assert!(told.contains("|USER=alice|"), "{told}");
    let (code, text) = su(
        "carol",
        &["--become-user", "bob", "--become-password-file", "bob.pw"],
    );
    assert_eq!(code, 0, "{text}");
    let (code, text) = su("alice", &["--become-password-file", "wrong"]);
    assert_eq!(code, 2, "{text}");
    assert!(
        text.contains("waiting for become success.\\n>>> Standard Error\\nPassword: \\nsu: Authentication failure\""),
        "{text}"
    );
    let (code, text) = su("alice", &[]);
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains(
            "UNREACHABLE! => {\"changed\": false, \"msg\": \"Task failed: Timed out waiting for become success.\\n\
             >>> Standard Error\\nPassword:\", \"unreachable\": true}"
        ),
        "{text}"
    );
}

#[test]
fn doas_asks_on_the_terminal() {
    let Some(people) = people(&["doas"]) else {
        return;
    };
    let doas = |user: &str, more: &[&str]| {
        let more = [&["--become-method", "community.general.doas"], more].concat();
        run(&people, user, &who(), &more)
    };
    let (code, text) = doas("carol", &[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        told(&text).starts_with("root|root|DOAS_USER=carol|HOME=/root|"),
        "{text}"
    );
    let (code, text) = doas(
        "alice",
        &["--become-password-file", "alice.pw", "--become-user", "bob"],
    );
    assert_eq!(code, 0, "{text}");
    assert!(
        told(&text).starts_with("bob|bob|DOAS_USER=alice|"),
        "{text}"
    );
    let (code, text) = doas("alice", &["--become-password-file", "wrong"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("doas: Authentication failed"), "{text}");
    let (code, text) = doas("alice", &[]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("doas: Authentication required"), "{text}");
}

#[test]
fn root_becomes_others_by_programs_where_it_is_asked_to() {
    let Some(people) = people(&["sudo", "runuser"]) else {
        return;
    };
    for (more, expected) in [
        (
            vec!["-e", "ansible_become_flags='-H -i'"],
            "|SUDO_USER=root|",
        ),
        (
            vec![
                "--become-method",
                "runuser",
                "-e",
                "ansible_runuser_flags=-l",
            ],
            "|SHELL=/bin/sh|",
        ),
        (
            vec![
                "--become-method",
                "su",
                "-e",
                "ansible_su_flags='-s /bin/sh'",
            ],
            "|HOME=/home/bob|",
        ),
        (vec![], "|LOGNAME=bob|"),
    ] {
        let more = [more, vec!["--become-user", "bob"]].concat();
        let (code, text) = run(&people, "root", &who(), &more);
        assert_eq!(code, 0, "{text}");
        let told = told(&text);
        assert!(
            told.starts_with("bob|bob|") && told.contains(expected),
            "{told}"
        );
    }
}

/// Files and templates of the controller go to the other user through the worker; modules see what their user sees.
#[test]
fn files_that_the_other_user_cannot_read() {
    let Some(people) = people(&["sudo"]) else {
        return;
    };
    people.write("files/secret.bin", &"x".repeat(300_000));
    people.write(
        "templates/t.j2",
        "{{ who }} {{ template_fullpath }} {{ 6 * 7 }}\n",
    );
    people.write("files/run.sh", "#!/bin/sh\necho script as $(id -un) $1\n");
    let hidden = people.run(
        "root",
        &[
            "sh",
            "-c",
            "chown -R carol /plays && chmod -R go= /plays/files /plays/templates",
        ],
    );
    assert!(hidden.status.success());
    let tasks = json!([
        {"copy": {"src": "secret.bin", "dest": "/home/bob/got", "mode": "0600"}, "diff": true},
        {"copy": {"content": "text", "dest": "~/text"}},
        {"template": {"src": "t.j2", "dest": "/home/bob/t"}, "vars": {"who": "me"}},
        {"script": "run.sh one", "register": "s"},
        {"stat": {"path": "~"}, "register": "home"},
        {"setup": {"gather_subset": "!all,min,env"}},
        {"shell": "ls -l got t text | awk '{print $1, $3, $5}'; cat t", "args": {"chdir": "/home/bob"}, "register": "l"},
        {"copy": {"src": "nonesuch", "dest": "/home/bob/x"}, "ignore_errors": true},
        {"copy": {"content": "x", "dest": "/home/carol/x"}, "register": "refused", "ignore_errors": true},
        {"copy": {"content": "never", "dest": "~/predicted"}, "check_mode": true, "register": "c"},
        {"stat": {"path": "~/predicted"}, "register": "p"},
        {"command": "sleep 20", "timeout": 1, "ignore_errors": true},
        {"shell": "pgrep -u bob sleep || echo none", "register": "left"},
        {"debug": {"msg": "{{ [l.stdout, s.stdout, home.stat.pw_name, ansible_facts.user_id, ansible_facts.env.HOME, \
            ansible_facts.env.SUDO_USER, refused is failed, c is changed, p.stat.exists, left.stdout] | join(';') }}"}}
    ]);
    let tasks: Vec<Value> = tasks.as_array().unwrap().clone();
    let (code, text) = run(
        &people,
        "carol",
        &Value::Array(tasks),
        &["-b", "--become-user", "bob"],
    );
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(
            "-rw------- bob 300000\\n-rw-r--r-- bob 28\\n-rw-r--r-- bob 4\\nme /plays/templates/t.j2 42;\
             script as bob one\\n;bob;bob;/home/bob;carol;True;True;False;none"
        ),
        "{text}"
    );
    assert!(
        text.contains("Could not find or access 'nonesuch'"),
        "{text}"
    );
    assert!(text.contains("Timed out after 1 second(s)."), "{text}");
    // Nothing stays behind.
    assert_eq!(people.left(), Vec::<String>::new());
}

#[test]
fn tasks_in_the_background_of_another_user() {
    let Some(people) = people(&["sudo"]) else {
        return;
    };
    let tasks = json!([
        {"shell": "sleep 1; id -un", "async": 20, "poll": 1, "register": "waited"},
        {"shell": "sleep 1; id -un; id -gn", "async": 20, "poll": 0, "register": "job"},
        {"async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "r", "until": "r is finished", "retries": 20, "delay": 1},
        {"shell": "sleep 20", "async": 1, "poll": 1, "register": "late", "ignore_errors": true},
        {"debug": {"msg": "{{ [waited.stdout, r.stdout, job.results_file | dirname, late is failed] | join(';') }}"}}
    ]);
    let (code, text) = run(&people, "carol", &tasks, &["-b", "--become-user", "bob"]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("bob;bob\\nbob;/home/bob/.ansible_async;True"),
        "{text}"
    );
    let (code, text) = run(&people, "alice", &tasks, &["-b"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("sudo: a password is required"), "{text}");
}

/// Variables win over keywords, those of the method over those of all methods, and what the user typed comes last.
#[test]
fn variables_and_keywords() {
    let Some(people) = people(&["sudo"]) else {
        return;
    };
    people.write(
        "show",
        "#!/bin/sh\necho \"ARGS $*\" | sed 's/exec .*//; s/SUCCESS-[a-z]*/K/' >&2\nexit 3\n",
    );
    let done = people.run("root", &["chmod", "755", "/plays/show"]);
    assert!(done.status.success());
    let tasks = json!([{"command": "id", "become": true, "become_exe": "/plays/show", "become_user": "kw", "become_flags": "-kw"}]);
    for (more, expected) in [
        (vec![], "ARGS -kw -u kw /bin/sh -c echo BECOME-K;"),
        (
            vec!["-e", "ansible_become_user=v"],
            "ARGS -kw -u v /bin/sh -c",
        ),
        (
            vec!["-e", "ansible_become_user=v", "-e", "ansible_sudo_user=s"],
            "ARGS -kw -u s /bin/sh",
        ),
        (
            vec!["-e", "ansible_become_flags="],
            "ARGS -u kw /bin/sh -c echo",
        ),
        (
            vec![
                "-e",
                "{ansible_become_flags: '-E -n -H', ansible_become_password: x}",
            ],
            "ARGS -E -H -p [sudo via rustle, key=K] password: -u kw",
        ),
        (
            vec!["-e", "ansible_become_method=su"],
            "ARGS -kw kw -c /bin/sh -c 'echo",
        ),
    ] {
        let (_, text) = run(&people, "carol", &tasks, &more);
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let (code, text) = run(&people, "carol", &tasks, &["-e", "ansible_become=false"]);
    assert_eq!(code, 0, "{text}");
    let tasks = json!([{"command": "id", "become": true}]);
    for (more, expected) in [
        (
            vec!["--become-password-file", "wrong", "-e", "@vars.yml"],
            0,
        ),
        (
            vec![
                "--become-password-file",
                "alice.pw",
                "-e",
                "ansible_become_pass=wrong",
            ],
            2,
        ),
        (
            vec!["-e", "ansible_become_pass=wrong", "-e", "@vars.yml"],
            2,
        ),
    ] {
        people.write("vars.yml", "{ansible_become_password: alicepw}\n");
        let (code, text) = run(&people, "alice", &tasks, &more);
        assert_eq!(code, expected, "{text}");
    }
}

/// Nobody else learns the password: not by the arguments or the environment of a process, not by what the run tells.
#[test]
fn the_password_is_nowhere() {
    let Some(people) = people(&["sudo"]) else {
        return;
    };
    let tasks = json!([
        {"shell": "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c 'alic[e]pw' || true",
         "become": true, "register": "r"},
        {"debug": {"msg": "found {{ r.stdout }}"}},
        {"debug": {"msg": "{{ ansible_become_password }}"}}
    ]);
    people.write("vars.yml", "{ansible_become_password: alicepw}\n");
    let (code, text) = run(&people, "alice", &tasks, &["-e", "@vars.yml", "-vvv"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("found 0"), "{text}");
}
