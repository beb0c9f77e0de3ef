//! Templates, expressions, and the variables that they need.

use super::*;

#[test]
fn syntax_is_told_with_its_place() {
    assert_eq!(
        tasks(json!([
            say("{{ 1 + }}"),
            {"module": "debug", "when": ["1 =", "true"]},
            {"module": "debug", "until": "(", "loop_control": {"label": "{% if %}"}},
            {"module": "debug", "loop": "{{ [1 }}", "changed_when": "{{ 1 }", "environment": {"A": "{{ ] }}"}}
        ]))
        .iter()
        .map(|f| f.split(": ").next().unwrap_or_default())
        .collect::<Vec<_>>(),
        [
            "/0/args/msg",
            "/1/when/0",
            "/2/until",
            "/2/loop_control/label",
            "/3/loop",
            "/3/environment/A",
            "/3/changed_when",
        ]
    );
    assert_eq!(
        tasks(json!([say("\n\n{{ 1 + }}")])),
        [
            "/0/args/msg: Syntax error in template: unexpected 'end of print statement' (line 3, column 8)"
        ]
    );
}

#[test]
fn filters_tests_and_lookups_exist() {
    assert_eq!(
        tasks(json!([
            say("{{ 1 | deafult(2) }}"),
            say("{{ 1 is definde }}"),
            say("{{ lookup('sequense', 1) }}{{ query('ansible.builtin.items', []) }}"),
            say("{{ lookup('pipe', 'date') }}")
        ])),
        [
            "/0/args/msg: unknown filter `deafult` (line 1, column 4) (did you mean `default`?)",
            "/1/args/msg: unknown test `definde` (line 1, column 4) (did you mean `defined`?)",
            "/2/args/msg: unknown lookup `sequense` (line 1, column 4) (did you mean `sequence`?)",
            "/3/args/msg: the lookup `pipe` needs the controller, and an artifact runs without one (line 1, column 4)",
        ]
    );
}

#[test]
fn an_undefined_variable_is_named() {
    let found = of_play(json!({
        "vars": {"user": "x"},
        "batches": [{"tasks": [say("{{ usr }}"), say("{{ zzz }}")]}]
    }));
    assert_eq!(
        found,
        [
            "/batches/0/tasks/0/args/msg: `usr` is undefined (line 1, column 4) (did you mean `user`?)".to_owned(),
            undefined("/batches/0/tasks/1/args/msg", "zzz", 4),
        ]
    );
}

#[test]
fn every_layer_defines() {
    let plan: ExecutionPlan = serde_json::from_value(json!({
        "version": 1,
        "extra_vars": {"a": 1},
        "hosts": {"h": {"vars": {"b": 1}}},
        "groups": {"g": {"vars": {"c": 1}}},
        "secrets": [{"name": "d", "env": "D"}],
        "plays": [{
            "vars": {"e": 1},
            "vars_files": [{"f": 1}],
            "batches": [{"tasks": [
                {"block": [{
                    "module": "debug", "vars": {"g": 1}, "register": "h", "loop": [1],
                    "loop_control": {"loop_var": "i", "index_var": "j"},
                    "args": {"msg": "{{ [a, b, c, d, e, f, g, h, i, j, k, l, given] }}"}
                }], "vars": {"k": 1}},
                {"module": "set_fact", "args": {"l": 1}}
            ]}]
        }]
    }))
    .unwrap();
    let given = CheckOptions {
        known_variables: vec!["given".into()],
        ..CheckOptions::default()
    };
    assert_eq!(check(&plan, &given), []);
    assert_eq!(findings(&plan).len(), 1);
}

#[test]
fn magic_variables_and_facts_exist() {
    let found = tasks(json!([say(
        "{{ inventory_hostname }}{{ ansible_anything }}{{ hostvars }}{{ groups }}{{ omit }}{{ vars }}"
    )]));
    assert_eq!(found, Vec::<String>::new());
}

#[test]
fn variables_of_blocks_and_tasks_stay_there() {
    let found = tasks(json!([
        {"block": [say("{{ a }}")], "vars": {"a": 1}},
        {"module": "debug", "args": {"msg": "{{ b }}"}, "vars": {"b": 1}},
        say("{{ a }}"),
        say("{{ b }}"),
        say("{{ item }}")
    ]));
    assert_eq!(
        found,
        [
            undefined("/2/args/msg", "a", 4),
            undefined("/3/args/msg", "b", 4),
            undefined("/4/args/msg", "item", 4),
        ]
    );
}

#[test]
fn what_is_guarded_may_be_undefined() {
    let found = tasks(json!([
        say("{{ a | default(1) }}{{ b.c | d }}{% if c is defined %}{{ c }}{% endif %}"),
        say("{{ a is defined and a == 1 }}{{ [a, b] | select('defined') | list }}"),
        say("{% set s = 1 %}{{ s }}{% for i in [1] %}{{ i }}{% endfor %}{% macro m(p) %}{{ p }}{% endmacro %}{{ m(u) }}"),
        {"module": "debug", "args": {"msg": "{{ a }}"}, "when": "a is defined"},
        {"module": "debug", "args": {"msg": "{{ a }}"}, "when": ["a == 1 or true", "a is defined"]},
        {"module": "debug", "args": {"var": "a"}},
        {"module": "assert", "args": {"that": ["a is defined", "a == 1"]}},
        {"block": [say("{{ a }}")], "when": "a is defined"}
    ]));
    let errors: Vec<&String> = found.iter().filter(|f| !f.starts_with("warning")).collect();
    assert_eq!(errors.len(), 1, "{found:?}");
    assert!(errors[0].starts_with("/4/when/0: `a` is undefined"));
}

#[test]
fn what_may_be_skipped_is_a_warning() {
    let warned = tasks(json!([
        {"module": "debug", "args": {"msg": "{{ a }}"}, "when": "ansible_x"},
        {"module": "debug", "args": {"msg": "{{ a }}"}, "ignore_errors": true},
        {"module": "debug", "args": {"msg": "{{ a }}"}, "tags": ["never"]},
        {"module": "debug", "args": {"msg": "{{ a }}"}, "loop": "{{ ansible_x }}"},
        {"block": [say("{{ a }}")], "rescue": [say("{{ a }}")]}
    ]));
    assert_eq!(warned.len(), 6, "{warned:?}");
    assert!(
        warned.iter().all(|f| f.starts_with("warning")),
        "{warned:?}"
    );
    let sure = tasks(json!([
        {"module": "debug", "args": {"msg": "{{ a }}"}, "when": [true, "true"]},
        {"module": "debug", "args": {"msg": "{{ a }}"}, "loop": [1]},
        {"module": "debug", "when": "a"},
        {"block": [say("x")], "always": [say("{{ a }}")], "rescue": [say("x")]}
    ]));
    assert_eq!(sure.len(), 4, "{sure:?}");
    assert!(sure.iter().all(|f| !f.starts_with("warning")), "{sure:?}");
}

#[test]
fn handlers_count_where_they_are_notified() {
    let found = of_play(json!({
        "handlers": [
            {"name": "used", "module": "debug", "args": {"msg": "{{ a }}"}},
            {"name": "unused", "module": "debug", "args": {"msg": "{{ a }}"}}
        ],
        "batches": [{"tasks": [{"module": "debug", "notify": ["used"]}]}]
    }));
    assert_eq!(
        found,
        [
            undefined("/handlers/0/args/msg", "a", 4),
            undefined("warning /handlers/1/args/msg", "a", 4),
        ]
    );
}

#[test]
fn names_made_in_the_run_end_all_guesses() {
    let made = json!({"module": "set_fact", "args": {"{{ 'a' }}": 1}});
    assert!(tasks(json!([made, say("{{ a }}")])).is_empty());
}

#[test]
fn a_variable_needs_others() {
    let found = of_play(json!({
        "vars": {"dir": "{{ base }}/app", "base": "{{ rooot }}", "root": "/", "idle": "{{ nothing }}"},
        "batches": [{"tasks": [say("{{ dir }}"), say("{{ dir }}"), say("{{ dir | default(1) }}")]}]
    }));
    assert_eq!(
        found,
        [
            "/batches/0/tasks/0/args/msg: `rooot`, which `base` needs, is undefined (line 1, column 4) (did you mean `root`?)"
        ]
    );
}

#[test]
fn variables_may_need_each_other() {
    let circle = json!({
        "vars": {"a": "{{ b }}", "b": "{{ a }}"},
        "batches": [{"tasks": [say("{{ a }}")]}]
    });
    assert!(of_play(circle).is_empty());
}

#[test]
fn a_mistake_in_a_variable_counts_where_it_is_used() {
    let found = of_play(json!({
        "vars": {"used": ["{{ 1 + }}"], "unused": "{{ 1 + }}"},
        "batches": [{"tasks": [say("{{ used }}")]}]
    }));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("/vars/used/0: Syntax error"));
    assert!(found[1].starts_with("warning /vars/unused: Syntax error"));
}

#[test]
fn data_is_no_template() {
    let data = json!([{"module": "debug", "args": {"msg": {"__ansible_unsafe": "{{ oops"}}}]);
    assert!(tasks(data).is_empty());
}

#[test]
fn conditions_of_plays_and_blocks() {
    let found = of_play(json!({
        "when": "a",
        "batches": [{"tasks": [{"block": [say("x")], "when": ["b", "(" ]}]}]
    }));
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], undefined("/when", "a", 1));
    assert_eq!(
        found[1],
        undefined("warning /batches/0/tasks/0/when/0", "b", 1)
    );
    assert!(found[2].starts_with("/batches/0/tasks/0/when/1: Syntax error in expression"));
}

fn templated(args: serde_json::Value) -> ExecutionPlan {
    plan(json!({
        "vars": {"port": 80},
        "batches": [{"tasks": [{"module": "template", "args": args}]}]
    }))
}

#[test]
fn template_files_are_read() {
    let plan = templated(json!({"src": "a.j2", "dest": "/a"}));
    let src = "/plays/0/batches/0/tasks/0/args/src";
    assert!(
        files(
            &plan,
            "{{ port }} {{ template_path }} {{ ansible_managed }}"
        )
        .is_empty()
    );
    // An artifact does not know who packed it.
    assert_eq!(
        files(&plan, "{{ template_host }}"),
        [format!(
            "{src}: a.j2: `template_host` is undefined (line 1, column 4) \
             (no variable, registered result, fact or loop of the plan has this name)"
        )]
    );
    assert_eq!(
        files(&plan, "first\n  {{ prot }}\n"),
        [format!(
            "{src}: a.j2: `prot` is undefined (line 2, column 6) (did you mean `port`?)"
        )]
    );
    assert_eq!(
        files(&plan, "{{ port | uper }}"),
        [format!(
            "{src}: a.j2: unknown filter `uper` (line 1, column 4) (did you mean `upper`?)"
        )]
    );
    assert!(files(&plan, "{% if %}")[0].starts_with(&format!("{src}: a.j2: Syntax error")));
}

#[test]
fn template_files_have_their_own_syntax() {
    let own = templated(json!({
        "src": "a.j2", "dest": "/a", "variable_start_string": "[[", "variable_end_string": "]]"
    }));
    assert!(files(&own, "{{ anything goes }} [[ port ]]").is_empty());
    assert_eq!(files(&own, "[[ prot ]]").len(), 1);
    let header =
        "#jinja2: variable_start_string:'[%', variable_end_string:'%]'\n{{ no }} [% port %]";
    assert!(files(&templated(json!({"src": "a.j2", "dest": "/a"})), header).is_empty());
}

#[test]
fn templates_that_include_others_get_variables_there() {
    let plan = templated(json!({"src": "a.j2", "dest": "/a"}));
    assert!(files(&plan, "{% extends 'base.j2' %}{{ from_base }}").is_empty());
}
