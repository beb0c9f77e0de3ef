//! Modules, arguments, keywords, handlers, and what needs a controller.

use super::*;

#[test]
fn modules_and_arguments() {
    assert_eq!(
        tasks(json!([
            {"module": "debg"},
            {"module": "debug", "args": {"mgs": 1}},
            {"module": "debug", "args": {"msg": 1, "var": "x"}, "vars": {"x": 1}},
            {"module": "meta", "args": {"_raw_params": "flush_handler"}},
            {"module": "meta"},
            {"module": "ansible.builtin.ping", "args": {"data": "{{ 1 }}"}},
            {"module": ""},
            {"module": "zzzzzzzz"}
        ])),
        [
            "/0/module: unknown module `debg` (did you mean `debug`?)",
            "/1/args/mgs: unknown argument `mgs` for module `debug` (did you mean `msg`?)",
            "/2: module `debug`: parameters are mutually exclusive: msg|var",
            "/3/args/_raw_params: `meta` has no action `flush_handler` (did you mean `flush_handlers`?)",
            "/4: `meta` needs an action (the actions are clear_facts, clear_host_errors, end_batch, end_host, end_play, end_role, flush_handlers, noop, refresh_inventory, reset_connection)",
            "/6: the task has no module",
            "/7/module: unknown module `zzzzzzzz` (docs/modules.md lists the modules that there are)",
        ]
    );
}

#[test]
fn an_argument_that_may_be_omitted_excludes_nothing() {
    let omitted =
        json!([{"module": "debug", "args": {"msg": "x", "var": "{{ y | default(omit) }}"}}]);
    assert!(tasks(omitted).is_empty());
}

#[test]
fn keys_of_arguments_are_escaped() {
    let odd = json!([{"module": "debug", "args": {"a/b~c": 1}}]);
    assert!(tasks(odd)[0].starts_with("/0/args/a~1b~0c: "));
}

#[test]
fn an_unknown_key_is_blamed_itself() {
    let plan = plan(json!({"batches": [{"tasks": [
        {"id": "t", "name": "Say", "module": "debug", "args": {"mgs": 1},
         "source": {"file": "site.yml", "line": 3, "column": 5}}
    ]}]}));
    let problem = &check(&plan, &CheckOptions::default())[0];
    assert!(problem.key);
    assert_eq!(problem.task.as_deref(), Some("t"));
    assert_eq!(problem.name.as_deref(), Some("Say"));
    assert_eq!(problem.source.as_ref().map(|s| s.line), Some(3));
}

#[test]
fn defaults_of_modules_are_arguments_too() {
    let found = of_play(json!({
        "module_defaults": {"debug": {"verbosity": "high"}, "group/aws": {}, "dbug": {}},
        "batches": [{"tasks": [say("x")]}]
    }));
    assert!(found[0].starts_with("/batches/0/tasks/0: argument `verbosity` of module `debug`:"));
    assert_eq!(
        found[1..],
        [
            "/module_defaults/group~1aws: the plan does not say which modules `group/aws` has (name each module, or list the group in `action_groups`)",
            "warning /module_defaults/dbug: `module_defaults` for the unknown module `dbug` (did you mean `debug`?)",
        ]
    );
}

#[test]
fn set_fact_sets_variables() {
    assert_eq!(
        tasks(json!([{"module": "set_fact", "args": {"a-b": 1, "good": 2}}])),
        ["/0/args/a-b: `set_fact` sets variables, and `a-b` is no name of one"]
    );
}

#[test]
fn keywords_have_types() {
    assert_eq!(
        tasks(json!([
            {"module": "debug", "retries": "often", "delay": "{{ 1 }}", "timeout": "12"},
            {"module": "debug", "become": "perhaps", "no_log": "yes"},
            {"module": "debug", "environment": ["x"]},
            {"module": "debug", "when": [1, "true"]},
            {"module": "debug", "register": "a b"}
        ])),
        [
            "/0/retries: `retries` takes a number, not `often`",
            "/1/become: `become` takes a boolean, not `perhaps`",
            "/2/environment: `environment` takes a mapping, not a list",
            "/3/when/0: `when` takes expressions, not `1`",
            "/4/register: `register` takes the name of a variable, and `a b` is none",
        ]
    );
}

#[test]
fn keywords_of_blocks_and_plays_have_types() {
    assert_eq!(
        of_play(json!({
            "max_fail_percentage": "few",
            "batches": [{"tasks": [{"run_once": "maybe", "block": [say("x")]}]}]
        })),
        [
            "/max_fail_percentage: `max_fail_percentage` takes a number, not `few`",
            "/batches/0/tasks/0/run_once: `run_once` takes a boolean, not `maybe`",
        ]
    );
}

#[test]
fn loops_take_lists() {
    assert_eq!(
        tasks(json!([
            {"module": "debug", "loop": {"a": 1}},
            {"module": "debug", "loop": "users"},
            {"module": "debug", "loop": 3},
            {"module": "debug", "loop": [1], "loop_control": {"loop_var": "1x", "pause": "long"}}
        ])),
        [
            "/0/loop: `loop` takes a list, not a mapping (the filter `dict2items` makes a list of a mapping)",
            "/1/loop: `loop` takes a list, not the text `users` (write `[\"users\"]` for one item, or `{{ users }}` for a variable)",
            "/2/loop: `loop` takes a list, not `3`",
            "/3/loop_control/pause: `pause` takes a number, not `long`",
            "/3/loop_control/loop_var: `loop_var` takes the name of a variable, and `1x` is none",
        ]
    );
}

#[test]
fn handlers_answer_to_names_and_topics() {
    assert_eq!(
        of_play(json!({
            "handlers": [
                {"id": "h1", "name": "restart web", "module": "debug", "listen": ["web"], "role": "r"},
            ],
            "batches": [{"tasks": [
                {"module": "debug", "notify": ["web", "restart web", "r : restart web", "{{ 'x' }}"]},
                {"module": "debug", "notify": ["restart wev", "h1"]},
                {"block": [say("x")], "notify": ["webb"]}
            ]}]
        })),
        [
            "/batches/0/tasks/1/notify/0: no handler of the play is called `restart wev` (did you mean `restart web`?)",
            "/batches/0/tasks/1/notify/1: no handler of the play is called `h1` (a handler is notified by its name: `restart web`)",
            "/batches/0/tasks/2/notify/0: no handler of the play is called `webb` (did you mean `web`?)",
        ]
    );
}

#[test]
fn handlers_belong_to_their_play() {
    let plan: ExecutionPlan = serde_json::from_value(json!({"version": 1, "plays": [
        {"handlers": [{"name": "h", "module": "debug"}]},
        {"batches": [{"tasks": [{"module": "debug", "notify": ["h"]}]}]}
    ]}))
    .unwrap();
    assert_eq!(
        findings(&plan),
        ["/plays/1/batches/0/tasks/0/notify/0: no handler of the play is called `h`"]
    );
}

#[test]
fn other_hosts_are_out_of_reach() {
    let found = of_play(json!({
        "hosts": ["a"],
        "batches": [{"tasks": [
            {"module": "debug", "delegate_to": "b"},
            {"module": "debug", "delegate_to": "a"},
            {"module": "debug", "delegate_to": "localhost"},
            {"module": "debug", "delegate_to": "{{ inventory_hostname }}"},
            {"block": [say("x")], "delegate_to": "c"}
        ]}]
    }));
    assert_eq!(
        found,
        [
            "/batches/0/tasks/0/delegate_to: the task is delegated to `b`, and an artifact that runs alone cannot reach other hosts (push the plan over ssh, or make it a task of a play whose only host is `b`)",
            "/batches/0/tasks/4/block/0: the task is delegated to `c`, and an artifact that runs alone cannot reach other hosts (push the plan over ssh, or make it a task of a play whose only host is `c`)",
        ]
    );
}

#[test]
fn a_controller_lifts_what_only_it_can_do() {
    let plan = plan(json!({"hosts": ["a"], "batches": [{"tasks": [
        {"module": "debug", "delegate_to": "b"}
    ]}]}));
    let options = CheckOptions {
        attached: true,
        ..CheckOptions::default()
    };
    assert!(check(&plan, &options).is_empty());
}

#[test]
fn one_for_all_is_done_by_each() {
    let found = of_play(json!({
        "hosts": ["a", "b"],
        "batches": [{"tasks": [{"module": "debug", "run_once": true}]}]
    }));
    assert_eq!(
        found,
        [
            "warning /batches/0/tasks/0/run_once: `run_once` in a play of 2 hosts: started by hand, each of them does the task"
        ]
    );
}

#[test]
fn modules_of_the_controller_are_refused_with_the_reason() {
    let found = tasks(
        json!([{"module": "fetch"}, {"module": "import_tasks"}, {"module": "include_tasks"}]),
    );
    assert_eq!(
        found,
        [
            "/1/module: an artifact cannot run the module `import_tasks`: a plan holds the tasks themselves",
            "/2: `include_tasks` needs the name of a file",
            "/0/module: an artifact cannot run the module `fetch`: it brings files to the controller",
        ]
    );
}

#[test]
fn nobody_answers_a_question() {
    let found = tasks(json!([
        {"module": "pause", "args": {"prompt": "Sure?"}},
        {"module": "pause"},
        {"module": "pause", "args": {"seconds": 1, "prompt": "Wait"}}
    ]));
    let asked: Vec<&String> = found.iter().filter(|f| f.contains("answers")).collect();
    assert_eq!(asked.len(), 2, "{found:?}");
    assert!(asked[0].starts_with("/0/args/prompt: `pause` asks a question"));
    assert!(asked[1].starts_with("/1: `pause` waits for a key"));
}

#[test]
fn files_that_tasks_name() {
    let plan = plan(json!({"vars": {"site": "main"}, "batches": [{"tasks": [
        {"module": "template", "args": {"src": "{{ site }}/{{ item }}.j2", "dest": "/x"}, "loop": ["a", "b"]},
        {"module": "copy", "args": {"src": "etc/{{ ansible_hostname }}", "dest": "/x"}}
    ]}]}));
    let wanted: Vec<Wanted> = asset_requests(&plan)
        .into_iter()
        .map(|r| r.wanted)
        .collect();
    assert_eq!(
        wanted,
        [
            Wanted::File("main/a.j2".into()),
            Wanted::File("main/b.j2".into()),
            Wanted::Folder("etc".into()),
        ]
    );
    assert_eq!(super::super::assets::first_word("run.sh --fast"), "run.sh");
    assert_eq!(
        super::super::assets::first_word("{{ a b }}/x.sh y"),
        "{{ a b }}/x.sh"
    );
}
