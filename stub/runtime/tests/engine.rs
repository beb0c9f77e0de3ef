//! The engine through its public interface.

mod support;

use rustle_formats::event::EventKind;
use rustle_runtime::engine::Options;
use rustle_runtime::report::{Stream, TextOptions, TextReporter};
use serde_json::json;
use support::{Fake, plan, play};

#[test]
fn a_plan_runs_end_to_end() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = plan(json!([
        {"name": "set", "module": "set_fact", "args": {"a": 1, "b": "{{ a0 }}"}, "vars": {"a0": "x"}},
        {"name": "show", "module": "ansible.builtin.debug", "args": {"msg": "b is {{ b }}"}, "register": "shown"},
        {"name": "again", "module": "debug", "args": {"var": "shown.msg"}},
        {"name": "loop", "module": "debug", "args": {"msg": "{{ item }}"}, "loop": [1, 2], "when": "item != 1"},
        {"name": "no", "module": "fail", "ignore_errors": true},
        {"name": "stop", "module": "fail", "args": {"msg": "enough"}},
        {"name": "never", "module": "ping"}
    ]));
    let summary = fake.run(&plan, Options::default());
    assert_eq!(
        fake.outline(),
        [
            "set: Ok",
            "show: Ok",
            "again: Ok",
            "loop: Ok",
            "no: Failed ignored",
            "stop: Failed"
        ]
    );
    assert_eq!(fake.result("show").get("msg"), Some(&"b is x".into()));
    assert_eq!(
        fake.result("again").get("shown.msg"),
        Some(&"b is x".into())
    );
    assert_eq!(summary.exit_code, 2);
    let stats = summary.stats["localhost"];
    assert_eq!((stats.ok, stats.failed, stats.ignored), (5, 1, 1));
    let events = fake.events.borrow();
    assert!(matches!(events[0].kind, EventKind::RunStarted { .. }));
    assert!(matches!(
        events.last().unwrap().kind,
        EventKind::RunFinished { exit_code: 2, .. }
    ));
    for (i, event) in events.iter().enumerate() {
        assert_eq!(event.seq, i as u64 + 1);
    }
}

#[test]
fn handlers_and_rescue() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = play(json!({
        "name": "test",
        "handlers": [
            {"name": "h1", "module": "debug"},
            {"name": "h2", "module": "debug", "listen": ["topic"]}
        ],
        "batches": [{"tasks": [
            {"name": "change", "module": "debug", "changed_when": true, "notify": ["topic", "h1"]},
            {"name": "b", "block": [{"name": "bad", "module": "fail"}],
             "rescue": [{"name": "why", "module": "debug", "args": {"var": "ansible_failed_task.name"}}],
             "always": [{"name": "anyway", "module": "debug"}]}
        ]}]
    }));
    let summary = fake.run(&plan, Options::default());
    assert_eq!(
        fake.outline(),
        [
            "change: Changed",
            "bad: Failed",
            "why: Ok",
            "anyway: Ok",
            "h1: Ok",
            "h2: Ok"
        ]
    );
    assert_eq!(
        fake.result("why").get("ansible_failed_task.name"),
        Some(&"bad".into())
    );
    let stats = summary.stats["localhost"];
    assert_eq!((stats.rescued, stats.failed, summary.exit_code), (1, 0, 0));
}

#[test]
fn a_cancelled_run_ends_with_its_last_event() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    fake.cancel_after.set(4);
    let plan = plan(json!([
        {"name": "one", "module": "ping"},
        {"name": "two", "module": "ping"}
    ]));
    let summary = fake.run(&plan, Options::default());
    assert_eq!(fake.outline(), ["one: Ok"]);
    assert_eq!(summary.exit_code, 99);
    assert!(matches!(
        fake.events.borrow().last().unwrap().kind,
        EventKind::RunFinished { .. }
    ));
}

#[test]
fn secrets_do_not_reach_events() {
    let dir = tempfile::tempdir().unwrap();
    let mut fake = Fake::new(dir.path());
    fake.secrets.insert("db".into(), "hunter2".into());
    let plan = plan(json!([
        {"name": "use", "module": "debug", "args": {"msg": "pw={{ pw }}"}, "vars": {"pw": {"__rustle_secret": "db"}}},
        {"name": "hidden", "module": "debug", "args": {"msg": "x"}, "no_log": true}
    ]));
    fake.run(&plan, Options::default());
    assert_eq!(fake.result("use").get("msg"), Some(&"pw=********".into()));
    assert!(fake.result("hidden").get("msg").is_none());
    assert!(fake.result("hidden").get("censored").is_some());
}

#[test]
fn timeouts_end_a_task() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = plan(json!([{"name": "slow", "module": "ping", "timeout": 5}]));
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 0);
    assert_eq!(fake.result("slow").get("ping"), Some(&"pong".into()));
}

#[test]
fn a_thousand_tasks_are_quick() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let tasks: Vec<_> = (0..1000)
        .map(|i| {
            json!({"name": format!("t{i}"), "module": "debug", "args": {"msg": "{{ x }} {{ i }}"},
                   "vars": {"i": i}, "when": "x == 'y'"})
        })
        .collect();
    let plan = play(json!({"name": "many", "vars": {"x": "y"}, "batches": [{"tasks": tasks}]}));
    let start = std::time::Instant::now();
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 0);
    // A few milliseconds when optimised; this guards against what grows with the number of tasks.
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
}

#[test]
fn root_becomes_another_user_without_sudo() {
    let dir = tempfile::tempdir().unwrap();
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let fake = Fake::new(dir.path());
    let plan = plan(json!([
        {"name": "who", "module": "command", "args": {"argv": ["/usr/bin/env", "sh", "-c", "id -un; echo $HOME"]},
         "become": true, "become_user": "daemon"},
        {"name": "nobody there", "module": "command", "args": {"argv": ["true"]}, "become": true,
         "become_user": "no-such-user", "ignore_errors": true}
    ]));
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 0);
    let out = fake
        .result("who")
        .get("stdout")
        .and_then(|v| v.as_str().map(str::to_owned));
    assert!(
        out.as_deref().is_some_and(|o| o.starts_with("daemon\n/")),
        "{out:?}"
    );
    let failed = fake.result("nobody there");
    assert_eq!(
        failed.get("msg"),
        Some(
            &"Task failed: cannot become 'no-such-user': there is no such user on this machine"
                .into()
        )
    );
}

#[test]
fn facts_are_gathered_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = play(json!({
        "name": "facts", "gather_facts": true, "gather_subset": ["min"],
        "batches": [{"tasks": [
            {"name": "show", "module": "debug",
             "args": {"msg": "{{ ansible_system }} {{ ansible_facts.system }} {{ ansible_env.HOME }}"}}
        ]}]
    }));
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 0);
    assert_eq!(
        fake.result("show").get("msg"),
        Some(&"Linux Linux /root".into())
    );
}

#[test]
fn variables_are_read_from_files_of_the_plan() {
    let dir = tempfile::tempdir().unwrap();
    let mut fake = Fake::new(dir.path());
    fake.files
        .0
        .insert("vars/v.yml".into(), b"k: \"{{ a }}\"\nyes_: yes\n".to_vec());
    let plan = plan(json!([
        {"name": "read", "module": "include_vars", "args": {"_raw_params": "v.yml"}},
        {"name": "show", "module": "debug", "args": {"msg": "{{ k }} {{ yes_ }}"}, "vars": {"a": 5}},
        {"name": "missing", "module": "include_vars", "args": {"file": "w.yml"}, "ignore_errors": true}
    ]));
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 0);
    assert_eq!(fake.result("show").get("msg"), Some(&"5 True".into()));
}

#[test]
fn what_cannot_be_included_is_said_with_the_places() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = serde_json::from_value(json!({
        "version": 2,
        "base_dir": "/site",
        "roles": {"web": {"path": "roles/web", "tasks": {"main": [
            {"name": "inside", "module": "include_tasks", "args": {"file": "x.yml"}}
        ]}}},
        "plays": [{"name": "p", "batches": [{"tasks": [
            {"block": [{"name": "role", "module": "include_role", "args": {"name": "nobody"}}],
             "rescue": [{"name": "why", "module": "debug", "args": {"var": "ansible_failed_result.reason"}}]},
            {"use_role": {"role": "web"}}
        ]}]}]
    }))
    .unwrap();
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 2);
    assert_eq!(
        fake.result("why").get("ansible_failed_result.reason"),
        Some(&"the role 'nobody' was not found; the plan has web".into())
    );
    assert_eq!(
        fake.result("inside").get("reason"),
        Some(
            &"Could not find or access 'x.yml': the plan has none of /site/roles/web/tasks/x.yml, /site/roles/web/x.yml, /site/tasks/x.yml, /site/x.yml"
                .into()
        )
    );
}

#[test]
fn a_file_that_includes_itself_ends_the_run() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = serde_json::from_value(json!({
        "version": 2,
        "task_files": {"a.yml": [{"name": "again", "module": "include_tasks", "args": {"file": "a.yml"}}]},
        "plays": [{"name": "p", "batches": [{"tasks": [
            {"name": "first", "module": "include_tasks", "args": {"file": "a.yml"}}
        ]}]}]
    }))
    .unwrap();
    let summary = fake.run(&plan, Options::default());
    assert_eq!(summary.exit_code, 1);
    assert!(
        summary
            .aborted
            .as_deref()
            .is_some_and(|why| why.contains("does one include itself?")),
        "{:?}",
        summary.aborted
    );
}

#[test]
fn groups_of_modules_have_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = serde_json::from_value(json!({
        "version": 2,
        "action_groups": {"g": ["ansible.builtin.debug"]},
        "plays": [{"name": "p", "module_defaults": {"group/g": {"msg": "group"}}, "batches": [{"tasks": [
            {"name": "one", "module": "debug"},
            {"name": "two", "module": "debug", "module_defaults": {"debug": {"msg": "own"}}}
        ]}]}]
    }))
    .unwrap();
    assert_eq!(fake.run(&plan, Options::default()).exit_code, 0);
    assert_eq!(fake.result("one").get("msg"), Some(&"group".into()));
    assert_eq!(fake.result("two").get("msg"), Some(&"own".into()));
}

#[test]
fn what_is_included_is_printed_as_ansible_does() {
    let dir = tempfile::tempdir().unwrap();
    let fake = Fake::new(dir.path());
    let plan = serde_json::from_value(json!({
        "version": 2,
        "base_dir": "/site",
        "roles": {"a": {"path": "roles/a", "tasks": {"main": [{"module": "debug", "args": {"msg": "r"}}]}}},
        "task_files": {"inc.yml": [{"module": "debug", "args": {"msg": "x"}}]},
        "plays": [{"name": "localhost", "max_fail_percentage": 10, "batches": [{"tasks": [
            {"module": "include_tasks", "args": {"_raw_params": "inc.yml"}, "loop": [1, 2], "when": "item != 3"},
            {"module": "include_role", "args": {"name": "a"}},
            {"module": "include_tasks", "args": {"_raw_params": "inc.yml"}, "when": false},
            {"module": "include_tasks", "args": {"_raw_params": "absent.yml"}}
        ]}]}]
    }))
    .unwrap();
    fake.run(&plan, Options::default());
    let mut reporter = TextReporter::new(TextOptions {
        verbosity: 0,
        colour: false,
        terminal: None,
    });
    let mut printed = String::new();
    for event in fake.events.borrow().iter() {
        reporter.event(event, &mut |stream, text| {
            if stream == Stream::Out {
                printed.push_str(text);
            }
        });
    }
    let stars = |heading: &str| format!("{heading} {}", "*".repeat(79 - heading.len()));
    let expected = [
        String::new(),
        stars("PLAY [localhost]"),
        String::new(),
        stars("TASK [include_tasks]"),
        "included: /site/inc.yml for localhost => (item=1)".into(),
        "included: /site/inc.yml for localhost => (item=2)".into(),
        String::new(),
        stars("TASK [debug]"),
        "ok: [localhost] => {\n    \"msg\": \"x\"\n}".into(),
        String::new(),
        stars("TASK [debug]"),
        "ok: [localhost] => {\n    \"msg\": \"x\"\n}".into(),
        String::new(),
        stars("TASK [include_role : a]"),
        "included: a for localhost".into(),
        String::new(),
        stars("TASK [a : debug]"),
        "ok: [localhost] => {\n    \"msg\": \"r\"\n}".into(),
        String::new(),
        stars("TASK [include_tasks]"),
        "skipping: [localhost]".into(),
        String::new(),
        stars("TASK [include_tasks]"),
        "[ERROR]: Could not find or access 'absent.yml': the plan has none of /site/absent.yml".into(),
        "fatal: [localhost]: FAILED! => {\"changed\": false, \"include\": \"absent.yml\", \"reason\": \"Could not find or access 'absent.yml': the plan has none of /site/absent.yml\"}".into(),
        String::new(),
        stars("NO MORE HOSTS LEFT"),
        String::new(),
        stars("NO MORE HOSTS LEFT"),
        String::new(),
        stars("PLAY RECAP"),
        "localhost                  : ok=6    changed=0    unreachable=0    failed=1    skipped=1    rescued=0    ignored=0   ".into(),
        String::new(),
        String::new(),
    ];
    assert_eq!(
        printed.lines().collect::<Vec<_>>(),
        expected.join("\n").lines().collect::<Vec<_>>()
    );
}
