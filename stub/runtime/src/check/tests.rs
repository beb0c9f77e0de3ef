use rustle_formats::plan::ExecutionPlan;
use serde_json::json;

use super::{CheckOptions, Wanted, asset_requests, check};

fn plan(play: serde_json::Value) -> ExecutionPlan {
    serde_json::from_value(json!({"version": 1, "plays": [play]})).unwrap()
}

/// Findings as `pointer: message (hint)`.
fn findings(plan: &ExecutionPlan) -> Vec<String> {
    check(plan, &CheckOptions::default())
        .into_iter()
        .map(|p| {
            let hint = p.hint.map(|h| format!(" ({h})")).unwrap_or_default();
            format!("{}: {}{hint}", p.pointer, p.message)
        })
        .collect()
}

fn tasks(tasks: serde_json::Value) -> Vec<String> {
    findings(&plan(json!({"batches": [{"tasks": tasks}]})))
        .into_iter()
        .map(|f| f.replacen("/plays/0/batches/0/tasks", "", 1))
        .collect()
}

#[test]
fn modules_and_arguments() {
    assert_eq!(
        tasks(json!([
            {"module": "debg"},
            {"module": "debug", "args": {"mgs": 1}},
            {"module": "debug", "args": {"msg": 1, "var": "x"}, "vars": {"x": 1}},
            {"module": "meta", "args": {"_raw_params": "flush_handler"}},
            {"module": "ansible.builtin.ping", "args": {"data": "{{ 1 }}"}}
        ])),
        [
            "/0/module: unknown module `debg` (did you mean `debug`?)",
            "/1/args/mgs: unknown argument `mgs` for module `debug` (did you mean `msg`?)",
            "/2: module `debug`: parameters are mutually exclusive: msg|var",
            "/3/args: `meta` does not know `flush_handler` (did you mean `flush_handlers`?)",
        ]
    );
}

#[test]
fn templates_and_variables() {
    assert_eq!(
        tasks(json!([
            {"module": "debug", "args": {"msg": "{{ usr }} {{ user | default(usr2) }}"}, "vars": {"user": "x"}},
            {"module": "debug", "args": {"msg": "{{ guarded }}"}, "when": "guarded is defined"},
            {"module": "debug", "args": {"msg": "{{ oops }}"}, "ignore_errors": true},
            {"module": "debug", "when": ["1 =", "true"]},
            {"module": "debug", "args": {"msg": "{{ 1 | nofilter }} {{ ansible_anything }} {{ lookup('pipe', 'x') }}"}},
            {"module": "debug", "args": {"msg": "{{ item.x }} {{ done.rc }}"}, "loop": [1], "register": "done"}
        ])),
        [
            "/0/args/msg: `usr` is undefined (did you mean `user`?)",
            "/3/when/0: Syntax error in expression: chunk after expression (line 1, column 3)",
            "/4/args/msg: there is no filter `nofilter`",
            "/4/args/msg: the lookup `pipe` needs a controller, or does not exist",
        ]
    );
}

#[test]
fn order_handlers_and_the_controller() {
    let plan = plan(json!({
        "hosts": ["a"],
        "handlers": [{"name": "restart web", "module": "debug", "listen": ["web"]}],
        "batches": [{"tasks": [
            {"id": "x", "module": "debug", "dependencies": ["y"], "notify": ["web", "restart wev"]},
            {"id": "y", "module": "debug", "dependencies": ["x"], "delegate_to": "b"},
            {"id": "z", "module": "debug", "dependencies": ["w"], "delegate_to": "localhost"}
        ]}]
    }));
    assert_eq!(
        findings(&plan),
        [
            "/plays/0/batches/0/tasks/0/notify/1: no handler of the play is called `restart wev` (did you mean `restart web`?)",
            "/plays/0/batches/0/tasks/1/delegate_to: the task is delegated to `b`, and an artifact that runs alone cannot reach other hosts (push the plan over ssh, or move the task into a play of that host)",
            "/plays/0/batches/0/tasks/2/dependencies/0: no task has the id `w` (did you mean `x`?)",
            "/plays/0/batches: the dependencies of task 'x' form a circle: x → y → x (leave one of these dependencies out)",
        ]
    );
}

#[test]
fn files_that_tasks_name() {
    // Modules that take files of the controller come with other work; the names are what is tested here.
    let plan = plan(json!({"vars": {"site": "main"}, "batches": [{"tasks": []}]}));
    assert!(asset_requests(&plan).is_empty());
    assert_eq!(super::assets::first_word("run.sh --fast"), "run.sh");
    assert_eq!(
        super::assets::first_word("{{ a b }}/x.sh y"),
        "{{ a b }}/x.sh"
    );
    assert_eq!(super::assets::static_folder("etc/{{ x }}/y"), "etc");
    assert_eq!(
        Wanted::Folder(super::assets::static_folder("{{ x }}")),
        Wanted::Folder(String::new())
    );
}
