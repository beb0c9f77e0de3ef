use crate::plan::json::{Reading, Shape, read};
use crate::plan::{ExecutionPlan, Task};
use crate::value::Value;

fn warnings(reading: &Reading) -> Vec<String> {
    reading
        .warnings
        .iter()
        .map(|w| {
            format!(
                "{}:{} {} ({}x)",
                w.place.line, w.place.column, w.message, w.count
            )
        })
        .collect()
}

fn tasks(plan: &ExecutionPlan) -> Vec<&Task> {
    plan.tasks().collect()
}

const PLAN: &str = r#"{
  "metadata": {"rustle_plan_version": "0.1.0", "planning_options": {"diff_mode": true}, "mood": "good"},
  "plays": [{
    "play_id": "play-0", "name": "p", "strategy": {"Rolling": {"batch_size": 1}}, "serial": null, "hosts": [],
    "batches": [
      {"batch_id": "b0", "hosts": ["a"], "tasks": [
        {"task_id": "t", "name": "first", "module": "debug", "hosts": ["a"], "dependencies": [],
         "conditions": [{"When": {"expression": "x"}}, {"Tag": {"tags": ["web"]}}, {"SkipTag": {"tags": ["slow"]}},
                        {"CheckMode": {"enabled": false}}],
         "tags": [], "risk_level": "High", "execution_order": 0, "zeal": 1}
      ], "parallel_groups": [], "dependencies": [], "estimated_duration": null},
      {"batch_id": "b1", "hosts": ["b"], "tasks": [
        {"task_id": "t", "name": "first", "module": "debug", "hosts": [], "conditions": [{"Host": {"pattern": "b*"}}], "zeal": 2},
        {"task_id": "u", "name": "next", "module": "debug", "dependencies": ["t"]}
      ]}
    ],
    "handlers": [{"handler_id": "h", "name": "restart", "module": "debug", "args": {}, "conditions": [], "execution_order": 0}],
    "estimated_duration": {"secs": 1, "nanos": 5}
  }],
  "binary_deployments": [{"deployment_id": "g", "embedded_data": {"variables": {"v": 1}}}],
  "total_tasks": 3, "parallelism_score": 0.5, "hosts": ["a", "b"]
}"#;

#[test]
fn rustle_plan_keeps_its_meaning() {
    let reading = read(PLAN).unwrap();
    assert_eq!(reading.shape, Shape::RustlePlan);
    insta::assert_snapshot!(warnings(&reading).join("\n"), @r#"
    2:89 the field `mood` of the plan has no effect: it is unknown (1x)
    3:13 an empty list `hosts` of a play has no effect: the play runs on every host of the plan (a, b) (1x)
    10:66 the field `zeal` of a task has no effect: it is unknown (2x)
    "#);
    let plan = &reading.plan;
    let tasks = tasks(plan);
    assert_eq!(
        tasks[0].when.0,
        [
            "x",
            "'slow' not in ansible_skip_tags",
            "not ansible_check_mode"
        ]
        .map(Value::from)
    );
    assert_eq!(tasks[0].tags, ["web"]);
    assert_eq!(
        (tasks[1].id.as_str(), &tasks[1].hosts[..]),
        ("t@b1", &["b".to_owned()][..])
    );
    assert_eq!(tasks[2].dependencies, ["t@b1"]);
    assert_eq!(tasks[3].id, "h");
    assert_eq!(plan.plays[0].serial, Some(Value::Int(1)));
    assert_eq!(plan.plays[0].diff, Some(Value::Bool(true)));
    assert_eq!(plan.groups["all"].vars["v"], Value::Int(1));
    assert_eq!(plan.hosts.len(), 2);
    // A condition reads `ansible_skip_tags`.
    assert_eq!(plan.plays[0].gather_facts, Some(true));
}

#[test]
fn conditions_that_mean_nothing_are_refused() {
    let text = PLAN.replace("{\"pattern\": \"b*\"}", "{\"pattern\": \"c*\"}");
    let errors = read(&text).unwrap_err();
    assert_eq!(
        errors[0].message,
        "task `t` (first) cannot run: no host of the plan is `c*`"
    );
    assert_eq!(errors[0].place.line, 13);
}

const DEPLOY: &str = r#"{
  "metadata": {"plan_id": "p", "description": "d", "tags": ["x"]},
  "tasks": [
    {"id": "a", "name": "A", "task_type": "Command", "module": "stat",
     "args": {"path": "{{ item }}", "loop": ["x", "y"]}, "dependencies": [],
     "conditions": [{"variable": "ansible_system", "operator": "Equals", "value": "Linux"}],
     "target_hosts": {"Groups": ["web"]}, "timeout": 30,
     "retry_policy": {"max_attempts": 4, "delay": 2, "backoff": "Exponential"}, "failure_policy": "Continue"},
    {"id": "b", "name": "B", "task_type": "Template", "module": "template",
     "args": {"src": "x.j2", "dest": "/x", "variables": {"v": true}}, "dependencies": ["a"],
     "target_hosts": "All", "failure_policy": "Rollback"}
  ],
  "inventory": {"format": "Json", "source": {"Inline": {"content": "{}"}}, "variables": {"site": "s"},
    "groups": {"web": {"hosts": ["h"], "variables": {"g": 1}, "children": []}},
    "hosts": {"h": {"address": "h.example", "variables": {"n": 1}, "target_triple": "x86_64-unknown-linux-gnu",
      "connection": {"method": "Ssh", "username": "deploy", "password": "hunter2", "port": 22}}}},
  "strategy": "Linear",
  "facts_template": {"global_facts": ["hostname"], "host_facts": [], "custom_facts": {"z": {"command": "z"}}},
  "deployment_config": {"target_path": "/tmp/x"},
  "modules": [{"name": "stat", "source": "Builtin"}, {"name": "own", "source": {"File": {"path": "own.rs"}}}]
}"#;

#[test]
fn rustle_deploy_keeps_its_meaning() {
    let reading = read(DEPLOY).unwrap();
    assert_eq!(reading.shape, Shape::RustleDeploy);
    insta::assert_snapshot!(warnings(&reading).join("\n"), @r#"
    15:85 the field `target_triple` of a host has no effect: `rustle pack --target` decides it (1x)
    16:61 the field `password` of a connection has no effect: an artifact carries no passwords in clear; give them to `rustle push` (1x)
    18:87 the custom fact `z` has no effect: commands that give facts are tasks with `register` (1x)
    19:25 the field `target_path` of `deployment_config` has no effect: `rustle push` decides how an artifact reaches a host, and leaves nothing but its cache there (1x)
    20:54 the source of the module `own` has no effect: only modules of the runner itself are used (1x)
    8:65 the field `backoff` of a retry policy has no effect: the delay between tries is always the same (1x)
    11:47 the failure policy `Rollback` has no effect: a failed task ends the run, and nothing is rolled back (see `block` and `rescue`) (1x)
    "#);
    insta::assert_snapshot!(reading.plan.to_json().unwrap(), @r#"
    {
      "version": 5,
      "metadata": {
        "description": "d",
        "plan_id": "p",
        "tags": [
          "x"
        ]
      },
      "plays": [
        {
          "play_id": "play-0",
          "name": "d",
          "strategy": "Linear",
          "batches": [
            {
              "batch_id": "batch-0",
              "tasks": [
                {
                  "id": "a",
                  "name": "A",
                  "module": "stat",
                  "args": {
                    "path": "{{ item }}"
                  },
                  "hosts": [
                    "h"
                  ],
                  "when": [
                    "ansible_system == 'Linux'"
                  ],
                  "loop": [
                    "x",
                    "y"
                  ],
                  "register": "rustle_result_a",
                  "until": [
                    "rustle_result_a is succeeded"
                  ],
                  "retries": 3,
                  "delay": 2,
                  "ignore_errors": true,
                  "timeout": 30
                },
                {
                  "id": "b",
                  "name": "B",
                  "module": "template",
                  "args": {
                    "src": "x.j2",
                    "dest": "/x"
                  },
                  "dependencies": [
                    "a"
                  ],
                  "vars": {
                    "v": true
                  }
                }
              ]
            }
          ],
          "gather_facts": true
        }
      ],
      "hosts": {
        "h": {
          "vars": {
            "n": 1,
            "ansible_host": "h.example",
            "ansible_connection": "ssh",
            "ansible_user": "deploy",
            "ansible_port": 22
          },
          "groups": [
            "web"
          ]
        }
      },
      "groups": {
        "web": {
          "vars": {
            "g": 1
          },
          "hosts": [
            "h"
          ],
          "priority": 0
        },
        "all": {
          "vars": {
            "site": "s"
          },
          "priority": 0
        }
      }
    }
    "#);
    let place = reading.places(
        DEPLOY,
        &[("/plays/0/batches/0/tasks/1/args/dest".to_owned(), false)],
    )[0]
    .clone()
    .unwrap();
    assert_eq!((place.line, place.column), (10, 38));
}

#[test]
fn unknown_hosts_and_operators_are_refused() {
    let text = DEPLOY
        .replace("{\"Groups\": [\"web\"]}", "{\"Groups\": [\"db\"]}")
        .replace("Equals", "Resembles");
    let errors = read(&text).unwrap_err();
    let messages: Vec<&str> = errors.iter().map(|e| e.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "task `a` (A) cannot run: in its condition, the operator `Resembles` is unknown",
            "task `a` (A) cannot run: no group of the plan is `db`"
        ]
    );
}

#[test]
fn a_first_task_that_gathers_facts_is_the_play_s() {
    let text = DEPLOY
        .replace(
            "{\"id\": \"a\"",
            "{\"id\": \"f\", \"module\": \"setup\", \"args\": {\"gather_subset\": [\"all\"]}, \"timeout\": 3},\n    {\"id\": \"a\"",
        )
        .replace("\"dependencies\": [\"a\"]", "\"dependencies\": [\"a\", \"f\"]");
    let reading = read(&text).unwrap();
    let play = &reading.plan.plays[0];
    assert_eq!(play.gather_subset, Some(Value::from(vec!["all"])));
    let tasks = tasks(&reading.plan);
    assert_eq!(tasks.len(), 2);
    assert_eq!(tasks[1].dependencies, ["a"]);
    let pointer = "/plays/0/batches/0/tasks/1/args/dest".to_owned();
    let place = reading.places(&text, &[(pointer, false)])[0]
        .clone()
        .unwrap();
    assert_eq!(place.line, 11);
}

/// Every field of the seeds' ExecutionPlan, PlayPlan, BinaryDeployment and RuntimeConfig, with a value of its own.
const SEEDS: &str = r#"{
  "metadata": {"created_at": "2025-01-02T03:04:05Z", "rustle_plan_version": "0.1.0", "playbook_hash": "aa", "inventory_hash": "bb",
    "planning_options": {"limit": "web*", "forks": 7, "strategy": "BinaryHybrid", "nested": {"x": [1, 2.5, null]}}},
  "plays": [{
    "play_id": "play-9", "name": "n", "strategy": "BinaryOnly", "serial": 2, "hosts": ["h1", "h2"],
    "batches": [{
      "batch_id": "b-1", "hosts": ["h1"], "parallel_groups": [["t1"], ["t2"]], "dependencies": ["b-0"],
      "estimated_duration": {"secs": 4, "nanos": 5},
      "tasks": [{
        "task_id": "t1", "name": "T", "module": "debug", "args": {"msg": "m", "deep": {"a": [true]}}, "hosts": ["h1"],
        "dependencies": ["t0"], "tags": ["x"], "notify": ["h"], "execution_order": 3, "can_run_parallel": false,
        "estimated_duration": {"secs": 1, "nanos": 0}, "risk_level": "Critical"}]}],
    "handlers": [{"handler_id": "hd", "name": "h", "module": "debug", "args": {"msg": "k"}, "execution_order": 1}],
    "estimated_duration": {"secs": 6, "nanos": 7}}],
  "binary_deployments": [{
    "deployment_id": "d", "target_hosts": ["h1"], "binary_name": "bin", "tasks": ["t1"], "modules": ["debug"],
    "embedded_data": {"execution_plan": "{\"a\":1}", "static_files": [{"src_path": "s", "dest_path": "d", "checksum": "c", "size": 9}],
      "variables": {"v": {"w": 1}}, "facts_required": ["f"]},
    "execution_mode": "Hybrid", "estimated_size": 5258240,
    "compilation_requirements": {"target_arch": "x86_64", "static_linking": true}}],
  "runtime": {"controller_endpoint": "http://c", "execution_timeout": {"secs": 30, "nanos": 500000000}, "report_interval": {"secs": 8, "nanos": 0},
    "cleanup_on_completion": false, "log_level": "debug", "heartbeat_interval": {"secs": 2, "nanos": 1}, "max_retries": 4},
  "total_tasks": 1, "estimated_duration": {"secs": 12, "nanos": 10000000}, "estimated_compilation_time": {"secs": 30, "nanos": 500000000},
  "parallelism_score": 0.25, "network_efficiency_score": 1.0
}"#;

#[test]
fn the_seeds_interfaces_lose_nothing() {
    let theirs: serde_json::Value = serde_json::from_str(SEEDS).unwrap();
    let reading = read(SEEDS).unwrap();
    assert_eq!(warnings(&reading), [] as [&str; 0]);
    let text = reading.plan.to_json().unwrap();
    let ours: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_within(&theirs, &ours, "");
    // And once more, through the wire and through our own shape.
    let wire = postcard::to_stdvec(&reading.plan).unwrap();
    assert_eq!(
        postcard::from_bytes::<ExecutionPlan>(&wire).unwrap(),
        reading.plan
    );
    assert_eq!(ExecutionPlan::from_json(&text).unwrap(), reading.plan);
}

/// Every leaf of the one is in the other, under the same names; ids have one name for tasks and handlers.
fn assert_within(theirs: &serde_json::Value, ours: &serde_json::Value, at: &str) {
    use serde_json::Value::{Array, Object};
    match (theirs, ours) {
        (Object(theirs), Object(ours)) => {
            for (key, value) in theirs {
                let key = match key.as_str() {
                    "task_id" | "handler_id" => "id",
                    other => other,
                };
                let found = ours
                    .get(key)
                    .unwrap_or_else(|| panic!("{at}/{key} is lost"));
                assert_within(value, found, &format!("{at}/{key}"));
            }
        }
        (Array(theirs), Array(ours)) => {
            assert_eq!(theirs.len(), ours.len(), "{at}");
            for (i, (a, b)) in theirs.iter().zip(ours).enumerate() {
                assert_within(a, b, &format!("{at}/{i}"));
            }
        }
        _ => assert_eq!(theirs, ours, "{at}"),
    }
}
