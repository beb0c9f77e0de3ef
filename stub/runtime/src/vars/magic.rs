//! The variables that nobody sets: `inventory_hostname`, `groups`, `ansible_check_mode` and so on. Computed when asked
//! for.

use rustle_formats::{Map, Value};

use super::TaskScope;
use crate::engine::Role;

/// The version of Ansible whose behaviour this is; what `ansible_version` says.
pub(crate) const ANSIBLE_VERSION: (i64, i64, i64) = (2, 19, 14);

/// All names that [`value`] knows, `hostvars`, `vars` and `omit` apart, which the templates' side gives.
pub(crate) const NAMES: &[&str] = &[
    "ansible_check_mode",
    "ansible_collection_name",
    "ansible_dependent_role_names",
    "ansible_diff_mode",
    "ansible_facts",
    "ansible_forks",
    "ansible_play_batch",
    "ansible_play_hosts",
    "ansible_play_hosts_all",
    "ansible_play_name",
    "ansible_play_role_names",
    "ansible_role_name",
    "ansible_role_names",
    "ansible_run_tags",
    "ansible_skip_tags",
    "ansible_verbosity",
    "ansible_version",
    "environment",
    "group_names",
    "groups",
    "inventory_hostname",
    "inventory_hostname_short",
    "play_hosts",
    "playbook_dir",
    "role_name",
    "role_names",
    "role_path",
];

/// The value of a magic variable.
pub(super) fn value(scope: &TaskScope<'_, '_>, name: &str) -> Option<Value> {
    let store = scope.store;
    let options = store.options;
    let texts = |list: &[String]| Value::from(list.to_vec());
    Some(match name {
        "groups" => {
            let mut map = Map::new();
            let known = store.groups.borrow();
            let all = known.all();
            for first in ["all", "ungrouped"] {
                map.insert(
                    first.into(),
                    all.get(first).map_or(Value::Null, |l| texts(l)),
                );
            }
            for (group, hosts) in all {
                map.insert(group.clone(), texts(hosts));
            }
            Value::Map(map)
        }
        "ansible_facts" => Value::Map(namespaced(&store.facts.borrow())),
        "ansible_play_hosts" | "ansible_play_batch" | "play_hosts" => {
            let play = scope.play;
            let list = match name {
                "ansible_play_batch" => &play.batch,
                _ => &play.hosts,
            };
            let gone = play.gone.borrow();
            let failed = play.failed.get();
            let left = list
                .iter()
                .filter(|h| !(gone.contains(h) || failed && *h == store.host));
            Value::List(left.map(|h| h.as_str().into()).collect())
        }
        "ansible_play_hosts_all" => texts(&scope.play.hosts),
        "ansible_play_name" => scope
            .play
            .play
            .map_or(Value::Null, |p| p.name.as_str().into()),
        "ansible_check_mode" => options.check.into(),
        "ansible_diff_mode" => options.diff.into(),
        "ansible_verbosity" => i64::from(options.verbosity).into(),
        "ansible_forks" => options.forks.unwrap_or(5).into(),
        "ansible_version" => version(),
        "ansible_run_tags" if options.tags.is_empty() => Value::from(vec!["all"]),
        "ansible_run_tags" => texts(&options.tags),
        "ansible_skip_tags" => texts(&options.skip_tags),
        "role_name" => match scope.frame?.role() {
            Some(role) => role.short_name().into(),
            None => scope.frame?.role_name()?.into(),
        },
        "ansible_role_name" => match scope.frame?.role() {
            Some(role) => match &role.plan.collection {
                Some(collection) => format!("{collection}.{}", role.short_name()).into(),
                None => role.short_name().into(),
            },
            None => scope.frame?.role_name()?.into(),
        },
        "role_path" => scope.frame?.role()?.path.as_str().into(),
        "ansible_collection_name" => scope.frame?.role()?.plan.collection.as_deref()?.into(),
        "ansible_play_role_names" | "role_names" => Value::from(play_roles(scope)),
        "ansible_dependent_role_names" => Value::from(dependent_roles(scope)),
        "ansible_role_names" => {
            let mut names = dependent_roles(scope);
            names.extend(play_roles(scope));
            let mut known = std::collections::HashSet::new();
            names.retain(|name| known.insert(name.clone()));
            Value::from(names)
        }
        "environment" => Value::List(
            scope
                .frame
                .map(|f| f.environment().cloned().collect())
                .unwrap_or_default(),
        ),
        _ => return None,
    })
}

/// Magic variables that plays, tasks and `set_fact` may set: they stand beside the inventory's.
pub(super) fn weak(scope: &TaskScope<'_, '_>, name: &str) -> Option<Value> {
    let store = scope.store;
    Some(match name {
        "inventory_hostname" => store.host.into(),
        "inventory_hostname_short" => store.host.split('.').next().unwrap_or_default().into(),
        "group_names" => {
            let groups = store.groups.borrow();
            Value::from(groups.names_of(store.host))
        }
        _ => return None,
    })
}

/// Names that have a value only where nobody else gives them one.
pub(super) fn fallback(scope: &TaskScope<'_, '_>, name: &str) -> Option<Value> {
    match name {
        "playbook_dir" => {
            let file = scope.play.play?.source.as_ref()?.file.as_str();
            Some(match file.rsplit_once('/') {
                Some((dir, _)) => dir.into(),
                None => ".".into(),
            })
        }
        "ansible_connection" => Some("local".into()),
        "ansible_host" => Some(scope.store.host.into()),
        "ansible_search_path" => Some(search_path(scope)),
        // The user that the task's keyword names for the connection.
        "ansible_user" => scope.frame?.remote_user().cloned(),
        _ => None,
    }
}

/// Where the task's files are looked for: its roles, the innermost first, the folder of its own file, the playbook's.
fn search_path(scope: &TaskScope<'_, '_>) -> Value {
    let folder = |file: &str| {
        let file = crate::engine::below(scope.store.plan, file);
        file.rsplit_once('/').map(|(folder, _)| folder.to_owned())
    };
    let mut out: Vec<String> = Vec::new();
    let roles = scope.frame.into_iter().flat_map(|f| f.roles().rev());
    out.extend(roles.map(|role| role.path.clone()));
    let task = scope.frame.and_then(|f| f.task.source.as_ref());
    out.extend(task.and_then(|source| folder(&source.file)));
    let play = scope.play.play.and_then(|play| play.source.as_ref());
    out.extend(play.and_then(|source| folder(&source.file)));
    let mut known = std::collections::HashSet::new();
    out.retain(|path| known.insert(path.clone()));
    Value::from(out)
}

/// Facts as `ansible_facts` shows them: without the prefix.
pub(crate) fn namespaced(facts: &Map) -> Map {
    facts
        .iter()
        .map(|(name, value)| {
            let short = match name.strip_prefix("ansible_") {
                Some("local") | None => name.as_str(),
                Some(short) => short,
            };
            let short = if name == "ansible_local" {
                "ansible_local"
            } else {
                short
            };
            (short.to_owned(), value.clone())
        })
        .collect()
}

fn version() -> Value {
    let (major, minor, revision) = ANSIBLE_VERSION;
    let full = format!("{major}.{minor}.{revision}");
    let mut map = Map::new();
    map.insert("string".into(), full.as_str().into());
    map.insert("full".into(), full.as_str().into());
    map.insert("major".into(), major.into());
    map.insert("minor".into(), minor.into());
    map.insert("revision".into(), revision.into());
    Value::Map(map)
}

/// The names of the roles that the play uses: those of its entries, and the labels of its tasks.
fn play_roles(scope: &TaskScope<'_, '_>) -> Vec<String> {
    let used = scope.play.roles.borrow();
    let mut names: Vec<String> = used.iter().map(|role| role.name.to_owned()).collect();
    let Some(play) = scope.play.play else {
        return names;
    };
    let mut tasks = Vec::new();
    for batch in &play.batches {
        for item in &batch.tasks {
            item.collect(&mut tasks);
        }
    }
    for role in tasks.into_iter().filter_map(|t| t.role.as_ref()) {
        if !names.contains(role) {
            names.push(role.clone());
        }
    }
    names
}

/// The names of the roles that the play's roles depend on.
fn dependent_roles(scope: &TaskScope<'_, '_>) -> Vec<String> {
    fn below(role: &Role<'_>, out: &mut Vec<String>) {
        for (_, dependency) in &role.dependencies {
            below(dependency, out);
            if !out.iter().any(|name| name == dependency.name) {
                out.push(dependency.name.to_owned());
            }
        }
    }
    let mut names = Vec::new();
    for role in scope.play.roles.borrow().iter() {
        below(role, &mut names);
    }
    names
}
