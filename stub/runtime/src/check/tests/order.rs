//! Ids and dependencies.

use super::*;

#[test]
fn an_id_is_there_once() {
    assert_eq!(
        tasks(json!([{"id": "a", "module": "debug"}, {"id": "a", "module": "debug"}])),
        ["/1/id: two tasks have the id `a`"]
    );
}

#[test]
fn a_dependency_exists() {
    assert_eq!(
        tasks(json!([
            {"id": "prepare", "module": "debug"},
            {"id": "b", "module": "debug", "dependencies": ["perpare"]}
        ])),
        ["/1/dependencies/0: no task has the id `perpare` (did you mean `prepare`?)"]
    );
}

#[test]
fn a_circle_is_named_in_full() {
    assert_eq!(
        tasks(json!([
            {"id": "x", "module": "debug", "dependencies": ["a"]},
            {"id": "a", "module": "debug", "dependencies": ["b"]},
            {"id": "b", "module": "debug", "dependencies": ["c"]},
            {"id": "c", "module": "debug", "dependencies": ["a"]}
        ])),
        [
            "/1/dependencies: the dependencies of task `a` form a circle: a → b → c → a (leave one of these dependencies out)"
        ]
    );
}

#[test]
fn every_circle_is_told() {
    let found = tasks(json!([
        {"id": "a", "module": "debug", "dependencies": ["a"]},
        {"id": "b", "module": "debug", "dependencies": ["c"]},
        {"id": "c", "module": "debug", "dependencies": ["b"]}
    ]));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("a → a"));
    assert!(found[1].contains("b → c → b"));
}

#[test]
fn blocks_stay_together() {
    let found = tasks(json!([
        {"block": [
            {"id": "a1", "module": "debug", "dependencies": ["b1"]},
            {"id": "a2", "module": "debug"}
        ]},
        {"block": [
            {"id": "b1", "module": "debug"},
            {"id": "b2", "module": "debug", "dependencies": ["a2"]}
        ]}
    ]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("circle: a1 → b2 → a1"), "{found:?}");
}

#[test]
fn a_block_keeps_its_order() {
    assert_eq!(
        tasks(json!([{"block": [
            {"id": "a", "module": "debug", "dependencies": ["b"]},
            {"id": "b", "module": "debug"}
        ]}])),
        ["/0/block/0/dependencies/0: the task depends on `b`, which comes later in the same block"]
    );
}

#[test]
fn nothing_waits_for_a_later_play_or_a_handler() {
    let plan: ExecutionPlan = serde_json::from_value(json!({"version": 1, "plays": [
        {
            "batches": [{"tasks": [{"id": "a", "module": "debug", "dependencies": ["b", "h"]}]}],
            "handlers": [{"id": "h", "name": "h", "module": "debug"}]
        },
        {"batches": [{"tasks": [{"id": "b", "module": "debug", "dependencies": ["a"]}]}]}
    ]}))
    .unwrap();
    assert_eq!(
        findings(&plan),
        [
            "/plays/0/batches/0/tasks/0/dependencies/0: the task depends on `b`, which belongs to a later play",
            "/plays/0/batches/0/tasks/0/dependencies/1: the task depends on `h`, which is a handler",
        ]
    );
}

#[test]
fn batches_depend_on_each_other_too() {
    assert_eq!(
        of_play(json!({"batches": [
            {"batch_id": "one", "dependencies": ["two"]},
            {"batch_id": "two", "dependencies": ["one", "tree"]},
            {"batch_id": "three"},
            {"batch_id": "three"}
        ]})),
        [
            "/batches/3/batch_id: two batches of the play have the id `three`",
            "/batches/1/dependencies/1: batch `two` depends on `tree`, and the play has no such batch (did you mean `three`?)",
            "/batches/0/dependencies: the dependencies of batch `one` form a circle: one → two → one (leave one of these dependencies out)",
        ]
    );
}
