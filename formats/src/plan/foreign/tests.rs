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
      "version": 1,
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
