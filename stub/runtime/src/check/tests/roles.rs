//! Roles, and files of tasks that are included.

use super::*;

fn whole(plan: serde_json::Value) -> Vec<String> {
    findings(&serde_json::from_value(plan).unwrap())
}

fn debug(text: &str) -> serde_json::Value {
    say(text)
}

#[test]
fn what_roles_hand_on_is_defined() {
    let found = whole(json!({
        "version": 2,
        "roles": {"web": {
            "path": "roles/web",
            "defaults": {"main": {"port": 80}},
            "vars": {"main": {"conf": "{{ dir }}/x"}},
            "handlers": {"main": [{"name": "restart", "module": "debug"}]},
            "tasks": {"main": [
                debug("{{ port }} {{ conf }} {{ given }} {{ playful }} {{ role_path }}"),
                {"module": "include_tasks", "args": {"_raw_params": "more.yml"}, "vars": {"x": 1}},
                {"module": "meta", "args": {"_raw_params": "end_role"}},
                {"module": "debug", "notify": ["restart"]},
                debug("{{ nowhere_at_all }}")
            ]}
        }},
        "task_files": {"roles/web/tasks/more.yml": [debug("{{ x }} {{ port }}")]},
        "plays": [{
            "vars": {"playful": 1, "dir": "/"},
            "batches": [{"tasks": [
                {"use_role": {"role": "web", "params": {"given": 1}}},
                {"module": "include_role", "args": {"name": "web"}},
                {"module": "debug", "args": {"msg": "{{ port }}"}, "changed_when": true, "notify": ["web : restart", "restart"]}
            ]}]
        }]
    }));
    assert_eq!(
        found,
        [undefined(
            "/roles/web/tasks/main/4/args/msg",
            "nowhere_at_all",
            4
        )]
    );
}

#[test]
fn what_is_not_in_the_plan_is_named() {
    let found = whole(json!({
        "version": 2,
        "roles": {"web": {"path": "roles/web", "tasks": {"main": [
            {"module": "include_tasks", "args": {"file": "mor.yml"}}
        ]}}},
        "task_files": {"roles/web/tasks/more.yml": []},
        "plays": [{"batches": [{"tasks": [
            {"use_role": {"role": "wep"}},
            {"use_role": {"role": "web", "tasks_from": "other"}},
            {"module": "include_role", "args": {"name": "db"}},
            {"module": "include_role", "args": {"name": "web", "vars_from": "x.yml"}},
            {"module": "include_role", "args": {"name": "{{ any }}"}, "vars": {"any": "web"}},
            {"module": "include_tasks", "args": {"_raw_params": "none.yml"}},
            {"module": "meta", "args": {"_raw_params": "end_role"}}
        ]}]}]
    }));
    insta::assert_snapshot!(found.join("\n"), @r#"
    /plays/0/batches/0/tasks/0/use_role/role: the plan has no role `wep` (did you mean `web`?)
    /plays/0/batches/0/tasks/1/use_role/tasks_from: the role `web` has no tasks `other`
    /plays/0/batches/0/tasks/2/args/name: the plan has no role `db`
    /plays/0/batches/0/tasks/3/args/vars_from: the role `web` has no vars `x.yml`
    /plays/0/batches/0/tasks/5/args/_raw_params: the plan has no file of tasks `none.yml` (did you mean `more.yml`?)
    /plays/0/batches/0/tasks/6: Cannot execute 'end_role' from outside of a role
    /roles/web/tasks/main/0/args/file: the plan has no file of tasks `mor.yml` (did you mean `more.yml`?)
    "#);
}

#[test]
fn files_of_roles_are_asked_for_where_the_role_has_them() {
    let plan: ExecutionPlan = serde_json::from_value(json!({
        "version": 2,
        "roles": {"web": {"path": "roles/web", "defaults": {"main": {"name": "a"}}, "tasks": {"main": [
            {"module": "copy", "args": {"src": "a.conf", "dest": "/x"}},
            {"module": "copy", "args": {"src": "sub/{{ name }}", "dest": "/x"}}
        ]}}},
        "plays": [{"batches": [{"tasks": [{"use_role": {"role": "web"}}]}]}]
    }))
    .unwrap();
    let asked: Vec<(Wanted, Vec<String>)> = asset_requests(&plan)
        .into_iter()
        .map(|r| (r.wanted, r.folders))
        .collect();
    let folders = vec!["roles/web".to_owned()];
    assert_eq!(
        asked,
        [
            (Wanted::File("a.conf".into()), folders.clone()),
            (Wanted::Folder("sub".into()), folders)
        ]
    );
}

#[test]
fn groups_of_modules_need_members() {
    let found = whole(json!({
        "version": 2,
        "action_groups": {"known": ["ansible.builtin.debug"]},
        "plays": [{
            "module_defaults": {"group/known": {"msg": "x"}, "group/other": {"msg": "x"}},
            "batches": [{"tasks": [{"module": "debug"}]}]
        }]
    }));
    assert_eq!(
        found,
        [
            "/plays/0/module_defaults/group~1other: the plan does not say which modules `group/other` has (name each module, or list the group in `action_groups`)"
        ]
    );
}
