//! The shape of rustle-plan 0.1.0, near to ours: plays, batches, tasks with `task_id` and `conditions`.

use std::collections::HashMap;

use super::condition::quoted;
use super::pattern::resolve;
use super::{Converted, Findings, Origins};
use crate::plan::json::{Fault, Kind, Node};
use crate::plan::{BinaryDeployment, ExecutionPlan, Item, PLAN_VERSION, PlayPlan, Task, TaskBatch};
use crate::value::Value;

/// Converts a document of rustle-plan.
pub(in crate::plan) fn rustle_plan(mut root: Node<'_>) -> Result<Converted, Vec<Fault>> {
    let mut findings = Findings::default();
    let plays = root.take("plays");
    let deployments = root.take("binary_deployments");
    let hosts = take_hosts(&mut root, &mut findings);
    let total = root.take("total_tasks");
    let mut plan: ExecutionPlan = findings.decode(root, "the plan").unwrap_or_default();
    plan.version = PLAN_VERSION;
    for host in &hosts {
        plan.hosts.entry(host.clone()).or_default();
    }
    for play in plays.map(Node::into_items).unwrap_or_default() {
        let play = convert_play(play, &hosts, &mut findings);
        plan.plays.extend(play);
    }
    unique_ids(&mut plan);
    apply_options(&mut plan, &mut findings);
    for node in deployments.map(Node::into_items).unwrap_or_default() {
        take_deployment(node, &mut plan, &mut findings);
    }
    gather_facts(&mut plan);
    if let Some(node) = total {
        let count = plan.count_tasks();
        let span = node.span.clone();
        plan.total_tasks = findings.decode(node, "the plan");
        if plan.total_tasks.is_some_and(|total| total != count) {
            findings.unused(
                &span,
                "the field `total_tasks` of the plan",
                &format!("the plan has {count} tasks"),
            );
            plan.total_tasks = None;
        }
    }
    findings.finish(plan, Origins::default())
}

/// The names of the plan's hosts: a list of names; a mapping with variables stays for the typed reading.
fn take_hosts(root: &mut Node<'_>, findings: &mut Findings) -> Vec<String> {
    match root.get("hosts").map(|n| &n.kind) {
        Some(Kind::List(_)) => root
            .take("hosts")
            .and_then(|node| findings.decode(node, "`hosts`"))
            .unwrap_or_default(),
        Some(Kind::Map(members)) => members.iter().map(|m| m.key.to_string()).collect(),
        _ => Vec::new(),
    }
}

fn take_deployment(node: Node<'_>, plan: &mut ExecutionPlan, findings: &mut Findings) {
    let Some(deployment) = findings.decode::<BinaryDeployment>(node, "a binary deployment") else {
        return;
    };
    // What the tool gave to its binaries as variables, the tasks may use.
    if !deployment.embedded_data.variables.is_empty() {
        let all = plan.groups.entry("all".to_owned()).or_default();
        for (name, value) in &deployment.embedded_data.variables {
            all.vars
                .entry(name.clone())
                .or_insert_with(|| value.clone());
        }
    }
    plan.binary_deployments.push(deployment);
}

/// The tool left out whether its playbook gathered facts, which playbooks do unless they say otherwise: facts are
/// gathered where anything reads them.
fn gather_facts(plan: &mut ExecutionPlan) {
    let required = plan
        .binary_deployments
        .iter()
        .any(|d| !d.embedded_data.facts_required.is_empty());
    for play in &mut plan.plays {
        let reads = || crate::plan::json::to_line(play).is_ok_and(|t| t.contains("ansible_"));
        if play.gather_facts.is_none() && (required || reads()) {
            play.gather_facts = Some(true);
        }
    }
}

/// The options that the planner was given and that change what a run does.
fn apply_options(plan: &mut ExecutionPlan, findings: &mut Findings) {
    let Some(Value::Map(options)) = &plan.metadata.planning_options else {
        return;
    };
    let on = |name: &str| options.get(name).and_then(Value::as_bool) == Some(true);
    let (check, diff, ssh) = (on("check_mode"), on("diff_mode"), on("force_ssh"));
    for play in &mut plan.plays {
        if check {
            play.check_mode.get_or_insert(Value::Bool(true));
        }
        if diff {
            play.diff.get_or_insert(Value::Bool(true));
        }
    }
    if ssh {
        findings.unused(
            &(0..0),
            "the planning option `force_ssh`",
            "a packed plan always runs on the host itself",
        );
    }
}

fn convert_play(mut node: Node<'_>, hosts: &[String], findings: &mut Findings) -> Option<PlayPlan> {
    let span = node.span.clone();
    let batches = node.take("batches");
    let handlers = node.take("handlers");
    let rolling = take_rolling(&mut node);
    let explicit_hosts =
        matches!(node.get("hosts").map(|n| &n.kind), Some(Kind::List(l)) if l.is_empty());
    let mut play: PlayPlan = findings.decode(node, "a play")?;
    if let Some(size) = rolling {
        play.strategy = Some("Rolling".to_owned());
        play.serial.get_or_insert(Value::Int(size));
    }
    if explicit_hosts && !hosts.is_empty() {
        findings.unused(
            &span,
            "an empty list `hosts` of a play",
            &format!(
                "the play runs on every host of the plan ({})",
                hosts.join(", ")
            ),
        );
    }
    for batch in batches.map(Node::into_items).unwrap_or_default() {
        let batch = convert_batch(batch, hosts, findings);
        play.batches.extend(batch);
    }
    for handler in handlers.map(Node::into_items).unwrap_or_default() {
        let handler = convert_task(handler, hosts, "a handler", findings);
        play.handlers.extend(handler);
    }
    Some(play)
}

/// Takes `{"Rolling": {"batch_size": N}}` out of a play.
fn take_rolling(node: &mut Node<'_>) -> Option<i64> {
    let size = match node.get("strategy").and_then(Node::variant) {
        Some(("Rolling", Some(inner))) => match inner.get("batch_size").map(|n| &n.kind) {
            Some(Kind::Number(n)) => n.parse().ok()?,
            _ => return None,
        },
        _ => return None,
    };
    node.take("strategy");
    Some(size)
}

fn convert_batch(
    mut node: Node<'_>,
    hosts: &[String],
    findings: &mut Findings,
) -> Option<TaskBatch> {
    let tasks = node.take("tasks");
    let mut batch: TaskBatch = findings.decode(node, "a batch")?;
    for task in tasks.map(Node::into_items).unwrap_or_default() {
        if task.get("block").is_some() {
            batch.tasks.extend(findings.decode::<Item>(task, "a block"));
            continue;
        }
        let task = convert_task(task, hosts, "a task", findings);
        batch.tasks.extend(task.map(|t| Item::Task(Box::new(t))));
    }
    Some(batch)
}

fn convert_task(
    mut node: Node<'_>,
    hosts: &[String],
    what: &str,
    findings: &mut Findings,
) -> Option<Task> {
    let conditions = node.take("conditions");
    let id = node
        .get("task_id")
        .or_else(|| node.get("handler_id"))
        .and_then(Node::as_str)
        .unwrap_or_default()
        .to_owned();
    let mut task: Task = findings.decode(node, what)?;
    for condition in conditions.map(Node::into_items).unwrap_or_default() {
        if let Err(reason) = apply_condition(&mut task, &condition, hosts) {
            findings.faults.push(Fault::at(
                &condition.span,
                format!("task `{id}` ({}) cannot run: {reason}", task.name),
            ));
        }
    }
    Some(task)
}

/// What each condition means:
/// `When` is ours; `Tag` repeats the tags by which the planner chose the task; `SkipTag` keeps the task out of a run
/// that skips one of these tags; `Host` narrows the hosts; `CheckMode {enabled: true}` is written for every task of a plan
/// that was made with `--check`, so that nothing may be changed, and `false` keeps the task out of check mode.
fn apply_condition(task: &mut Task, node: &Node<'_>, hosts: &[String]) -> Result<(), String> {
    let unknown = || "its condition has a form that is unknown".to_owned();
    let (name, inner) = node.variant().ok_or_else(unknown)?;
    let field = |key: &str| inner.and_then(|n| n.get(key));
    let tags = || -> Result<Vec<String>, String> {
        match field("tags").map(|n| &n.kind) {
            Some(Kind::List(items)) => items
                .iter()
                .map(|n| n.as_str().map(str::to_owned).ok_or_else(unknown))
                .collect(),
            _ => Err(format!("its condition `{name}` has no `tags`")),
        }
    };
    match name {
        "When" => {
            let expression = field("expression")
                .and_then(Node::as_str)
                .ok_or("its condition `When` has no `expression`")?;
            task.when.0.push(Value::from(expression));
        }
        "Tag" => {
            for tag in tags()? {
                if !task.tags.contains(&tag) {
                    task.tags.push(tag);
                }
            }
        }
        "SkipTag" => {
            for tag in tags()? {
                let expression = format!("{} not in ansible_skip_tags", quoted(&tag));
                task.when.0.push(Value::Str(expression));
            }
        }
        "Host" => {
            let pattern = field("pattern")
                .and_then(Node::as_str)
                .ok_or("its condition `Host` has no `pattern`")?;
            let chosen = resolve(pattern, hosts, &indexmap::IndexMap::new())
                .map_err(|part| format!("no host of the plan is `{part}`"))?;
            if task.hosts.is_empty() {
                task.hosts = chosen;
            } else {
                task.hosts.retain(|h| chosen.contains(h));
            }
            if task.hosts.is_empty() {
                return Err(format!("the pattern `{pattern}` leaves it no host"));
            }
        }
        "CheckMode" => match field("enabled").map(|n| &n.kind) {
            Some(Kind::Bool(true)) => task.check_mode = Some(Value::Bool(true)),
            Some(Kind::Bool(false)) => task.when.0.push(Value::from("not ansible_check_mode")),
            _ => return Err("its condition `CheckMode` has no `enabled`".to_owned()),
        },
        other => return Err(format!("its condition `{other}` is unknown")),
    }
    Ok(())
}

/// A rolling plan repeats its tasks for every group of hosts; ids stay unique by the name of their batch.
fn unique_ids(plan: &mut ExecutionPlan) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for (index, play) in plan.plays.iter_mut().enumerate() {
        for batch in &mut play.batches {
            let mut renamed: HashMap<String, String> = HashMap::new();
            for item in &mut batch.tasks {
                let Item::Task(task) = item else { continue };
                if task.id.is_empty() {
                    continue;
                }
                if seen.insert(task.id.clone(), index).is_some() {
                    let id = format!("{}@{}", task.id, batch.batch_id);
                    renamed.insert(std::mem::replace(&mut task.id, id.clone()), id);
                }
            }
            if renamed.is_empty() {
                continue;
            }
            for item in &mut batch.tasks {
                let Item::Task(task) = item else { continue };
                for dependency in &mut task.dependencies {
                    if let Some(id) = renamed.get(dependency) {
                        dependency.clone_from(id);
                    }
                }
            }
        }
    }
}
