//! Roles and files of tasks that something names must be in the plan, as far as their names are known before the run.

use rustle_formats::Value;
use rustle_formats::nearest;
use rustle_formats::plan::{ExecutionPlan, RolePlan};

use super::places::Tree;
use super::{Placed, Problem, did_you_mean};
use crate::engine::{Role, included_files, is_include, is_meta, meta_action};

/// Looks at everything that uses or includes something.
pub(super) fn check(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    for placed in &tree.blocks {
        let Some(used) = &placed.block.use_role else {
            continue;
        };
        let pointer = format!("{}/use_role", placed.pointer);
        let Some(role) = plan.roles.get(&used.role) else {
            let at = format!("{pointer}/role");
            out.push(unknown_role(plan, Problem::new(at, ""), &used.role));
            continue;
        };
        let names = [
            ("tasks_from", used.tasks_from.as_deref()),
            ("vars_from", used.vars_from.as_deref()),
            ("defaults_from", used.defaults_from.as_deref()),
            ("handlers_from", used.handlers_from.as_deref()),
        ];
        for (key, name) in names {
            if let Some(message) = name.and_then(|name| missing(role, &used.role, key, name)) {
                out.push(Problem::new(format!("{pointer}/{key}"), message));
            }
        }
        if !placed.block.block.is_empty() {
            let message = "a block that uses a role has no tasks of its own";
            out.push(Problem::new(format!("{}/block", placed.pointer), message));
        }
    }
    for (key, role) in &plan.roles {
        if let Err(message) = Role::plain(plan, (key, role)) {
            let pointer = format!("/roles/{}/dependencies", super::escaped(key));
            // What is missing was said where it is named.
            if message.contains("recursion") {
                out.push(Problem::new(pointer, message));
            }
        }
    }
    for placed in &tree.tasks {
        if is_include(&placed.task.module) {
            include(plan, tree, placed, out);
        } else if is_meta(&placed.task.module)
            && meta_action(&placed.task.args) == "end_role"
            && placed.home.role.is_none()
            && placed.home.file.is_none()
        {
            let message = "Cannot execute 'end_role' from outside of a role";
            out.push(Problem::of(placed, "", message).refused());
        }
    }
}

/// A text that stands for itself.
fn literal<'v>(placed: &Placed<'v>, keys: &[&'static str]) -> Option<(&'static str, &'v str)> {
    let args = &placed.task.args;
    let (key, value) = keys.iter().find_map(|k| Some((*k, args.get(*k)?)))?;
    match value {
        Value::Str(text) if !text.contains("{{") && !text.contains("{%") => Some((key, text)),
        _ => None,
    }
}

fn include(plan: &ExecutionPlan, tree: &Tree<'_>, placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let (keys, what): (&[&'static str], _) = if placed.task.module.ends_with("include_role") {
        (&["name", "role"], "`include_role` needs the name of a role")
    } else {
        (
            &["file", "_raw_params"],
            "`include_tasks` needs the name of a file",
        )
    };
    if !keys.iter().any(|key| placed.task.args.contains_key(*key)) {
        out.push(Problem::of(placed, "", what));
        return;
    }
    if placed.task.module.ends_with("include_role") {
        let Some((key, name)) = literal(placed, &["name", "role"]) else {
            return;
        };
        let own = placed.home.role.and_then(|key| plan.roles.get(key));
        let collection = own.and_then(|role| role.collection.as_deref());
        let Some((_, role)) = Role::find(plan, name, collection) else {
            let problem = Problem::of(placed, &format!("/args/{key}"), "");
            out.push(unknown_role(plan, problem, name));
            return;
        };
        for key in ["tasks_from", "vars_from", "defaults_from", "handlers_from"] {
            let found =
                literal(placed, &[key]).and_then(|(_, from)| missing(role, name, key, from));
            if let Some(message) = found {
                out.push(Problem::of(placed, &format!("/args/{key}"), message));
            }
        }
        return;
    }
    let Some((key, name)) = literal(placed, &["file", "_raw_params"]) else {
        return;
    };
    let Some(frame) = tree.frame(plan, placed) else {
        return;
    };
    let candidates = included_files(plan, &frame, name);
    if candidates.iter().any(|c| plan.task_files.contains_key(c)) {
        return;
    }
    let paths = plan.task_files.keys();
    let names: Vec<&str> = paths.map(|p| p.rsplit('/').next().unwrap_or(p)).collect();
    let meant = did_you_mean(nearest(name, &names[..names.len().min(1000)]));
    out.push(
        Problem::of(
            placed,
            &format!("/args/{key}"),
            format!("the plan has no file of tasks `{name}`"),
        )
        .note(format!("it was looked for as {}", candidates.join(", ")))
        .hint(meant),
    );
}

fn unknown_role(plan: &ExecutionPlan, mut problem: Problem, name: &str) -> Problem {
    let names: Vec<&str> = plan.roles.keys().map(String::as_str).collect();
    problem.message = format!("the plan has no role `{name}`");
    problem.hint(did_you_mean(nearest(name, &names)))
}

/// What is to be said where a role does not have a file.
fn missing(role: &RolePlan, role_name: &str, key: &str, name: &str) -> Option<String> {
    let stem = crate::engine::stem(name);
    let (part, has) = match key {
        "tasks_from" => ("tasks", role.tasks.contains_key(stem)),
        "vars_from" => ("vars", role.vars.contains_key(stem)),
        "defaults_from" => ("defaults", role.defaults.contains_key(stem)),
        _ => ("handlers", role.handlers.contains_key(stem)),
    };
    (!has).then(|| format!("the role `{role_name}` has no {part} `{name}`"))
}
