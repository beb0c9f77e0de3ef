//! The older shape of rustle-deploy: one flat list of tasks, an inventory, and settings of a deployment.

use indexmap::IndexMap;

use super::condition::comparison;
use super::pattern::{members, resolve};
use super::{Converted, Findings, Origins, matters};
use crate::plan::json::{Fault, Kind, Node};
use crate::plan::{
    BinaryDeployment, ExecutionPlan, GroupPlan, HostPlan, Item, PLAN_VERSION, PlanMetadata,
    PlayPlan, Task, TaskBatch,
};
use crate::value::{Map, Value};

/// Keywords that the tool's users wrote among the arguments, and that no module takes.
const KEYWORDS: &[&str] = &[
    "loop",
    "loop_control",
    "register",
    "when",
    "notify",
    "ignore_errors",
    "changed_when",
    "failed_when",
    "become",
    "become_user",
    "environment",
];

/// Converts a document of rustle-deploy.
pub(in crate::plan) fn rustle_deploy(mut root: Node<'_>) -> Result<Converted, Vec<Fault>> {
    let mut findings = Findings::default();
    let mut plan = ExecutionPlan {
        version: PLAN_VERSION,
        ..ExecutionPlan::default()
    };
    if let Some(node) = root.take("metadata") {
        plan.metadata = findings
            .decode::<PlanMetadata>(node, "the metadata")
            .unwrap_or_default();
    }
    if let Some(node) = root.take_some("inventory") {
        inventory(node, &mut plan, &mut findings);
    }
    let mut play = PlayPlan {
        play_id: "play-0".to_owned(),
        name: plan
            .metadata
            .description
            .clone()
            .or_else(|| plan.metadata.plan_id.clone())
            .unwrap_or_default(),
        ..PlayPlan::default()
    };
    if let Some(node) = root.take_some("strategy") {
        play.strategy = findings.decode(node, "the plan");
    }
    facts(&mut root, &mut play, &mut findings);
    deployment(&mut root, &mut plan, &mut play, &mut findings);
    modules(&mut root, &mut findings);
    let hosts: Vec<String> = plan.hosts.keys().cloned().collect();
    let mut batch = TaskBatch {
        batch_id: "batch-0".to_owned(),
        ..TaskBatch::default()
    };
    let mut positions = Vec::new();
    let nodes = root.take("tasks").map(Node::into_items).unwrap_or_default();
    for (position, node) in nodes.into_iter().enumerate() {
        if let Some(task) = task(node, &hosts, &plan.groups, &mut findings) {
            batch.tasks.push(Item::Task(Box::new(task)));
            positions.push(position);
        }
    }
    if gathers_facts(&mut play, &mut batch) {
        positions.remove(0);
    }
    play.batches.push(batch);
    plan.plays.push(play);
    findings.rest(&root, "the plan", "it is unknown");
    let origins = Origins {
        lists: Some(("/plays/0/batches/0/tasks", "/tasks")),
        positions,
    };
    findings.finish(plan, origins)
}

/// A first task that gathers facts is what `gather_facts` of a play is; the task goes, and nothing need wait for it.
fn gathers_facts(play: &mut PlayPlan, batch: &mut TaskBatch) -> bool {
    let Some(Item::Task(first)) = batch.tasks.first() else {
        return false;
    };
    let short = first.module.rsplit('.').next();
    let known = |key: &String| key == "gather_subset";
    let plain = Task {
        id: first.id.clone(),
        name: first.name.clone(),
        module: first.module.clone(),
        args: first.args.clone(),
        timeout: first.timeout.clone(),
        ..Task::default()
    };
    if !matches!(short, Some("setup" | "gather_facts"))
        || **first != plain
        || !first.args.keys().all(known)
    {
        return false;
    }
    play.gather_facts = Some(true);
    play.gather_subset = first.args.get("gather_subset").cloned();
    let id = first.id.clone();
    batch.tasks.remove(0);
    for item in &mut batch.tasks {
        if let Item::Task(task) = item {
            task.dependencies.retain(|d| *d != id);
        }
    }
    true
}

/// A template of facts means that the tasks read facts, which the runner gathers by itself.
fn facts(root: &mut Node<'_>, play: &mut PlayPlan, findings: &mut Findings) {
    let Some(mut template) = root.take_some("facts_template") else {
        return;
    };
    let global = template.take_some("global_facts").is_some();
    let host = template.take_some("host_facts").is_some();
    if global || host {
        play.gather_facts = Some(true);
    }
    if let Some(custom) = template.take_some("custom_facts") {
        for member in custom.into_members() {
            findings.unused(
                &member.key_span,
                &format!("the custom fact `{}`", member.key),
                "commands that give facts are tasks with `register`",
            );
        }
    }
    findings.rest(&template, "`facts_template`", "it is unknown");
}

fn deployment(
    root: &mut Node<'_>,
    plan: &mut ExecutionPlan,
    play: &mut PlayPlan,
    findings: &mut Findings,
) {
    if let Some(node) = root.take_some("deployment_config") {
        findings.rest(
            &node,
            "`deployment_config`",
            "`rustle push` decides how an artifact reaches a host, and leaves nothing but its cache there",
        );
    }
    let Some(mut node) = root.take_some("deployment") else {
        return;
    };
    if let Some(name) = node.take_some("binary_name") {
        plan.binary_deployments.push(BinaryDeployment {
            deployment_id: "deployment-0".to_owned(),
            binary_name: findings.decode(name, "`deployment`").unwrap_or_default(),
            ..BinaryDeployment::default()
        });
    }
    if let Some(Node {
        kind: Kind::Bool(true),
        ..
    }) = node.take("include_facts")
    {
        play.gather_facts = Some(true);
    }
    findings.rest(
        &node,
        "`deployment`",
        "the options of `rustle pack` decide it (--target, --compress)",
    );
}

/// Modules that were to be fetched from somewhere; those of the tool itself are ours.
fn modules(root: &mut Node<'_>, findings: &mut Findings) {
    let why = "only modules of the runner itself are used";
    if let Some(node) = root.take_some("modules") {
        for module in node.into_items() {
            let name = module.get("name").and_then(Node::as_str).unwrap_or("?");
            let source = module.get("source");
            let builtin = source.and_then(Node::as_str) == Some("Builtin");
            if !builtin && source.is_some_and(matters) {
                findings.unused(
                    &module.span,
                    &format!("the source of the module `{name}`"),
                    why,
                );
            }
        }
    }
    if let Some(node) = root.take_some("module_definitions") {
        for member in node.into_members() {
            let builtin = member.value.get("implementation").and_then(Node::as_str);
            if !matches!(builtin, Some("builtin") | None) {
                let field = format!("the definition of the module `{}`", member.key);
                findings.unused(&member.key_span, &field, why);
            }
        }
    }
}

fn inventory(mut node: Node<'_>, plan: &mut ExecutionPlan, findings: &mut Findings) {
    node.take("format");
    if let Some(source) = node.take_some("source") {
        let content = source
            .get("Inline")
            .and_then(|n| n.get("content"))
            .and_then(Node::as_str)
            .map(str::trim);
        if !matches!(content, Some("" | "{}")) {
            findings.unused(
                &source.span,
                "the field `source` of the inventory",
                "only the hosts and groups that the plan itself lists are used",
            );
        }
    }
    for member in node
        .take("hosts")
        .map(Node::into_members)
        .unwrap_or_default()
    {
        let host = host(member.value, findings);
        plan.hosts.insert(member.key.into_owned(), host);
    }
    for member in node
        .take("groups")
        .map(Node::into_members)
        .unwrap_or_default()
    {
        let mut value = member.value;
        let group = GroupPlan {
            vars: decoded(value.take_some("variables"), "a group", findings),
            hosts: decoded(value.take_some("hosts"), "a group", findings),
            children: decoded(value.take_some("children"), "a group", findings),
            priority: 0,
        };
        findings.rest(&value, "a group", "it is unknown");
        for host in &group.hosts {
            plan.hosts.entry(host.clone()).or_default();
        }
        plan.groups.insert(member.key.into_owned(), group);
    }
    let vars: Map = decoded(node.take_some("variables"), "the inventory", findings);
    if !vars.is_empty() {
        let all = plan.groups.entry("all".to_owned()).or_default();
        for (name, value) in vars {
            all.vars.entry(name).or_insert(value);
        }
    }
    for (name, host) in &mut plan.hosts {
        for (group, content) in &plan.groups {
            if group != "all" && content.hosts.contains(name) {
                host.groups.push(group.clone());
            }
        }
    }
    findings.rest(&node, "the inventory", "it is unknown");
}

fn decoded<T: for<'de> serde::Deserialize<'de> + Default>(
    node: Option<Node<'_>>,
    what: &str,
    findings: &mut Findings,
) -> T {
    node.and_then(|n| findings.decode(n, what))
        .unwrap_or_default()
}

/// A host: its address and connection become the variables that say the same.
fn host(mut node: Node<'_>, findings: &mut Findings) -> HostPlan {
    let mut vars: Map = decoded(node.take_some("variables"), "a host", findings);
    let mut set = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            vars.entry(name.to_owned()).or_insert(value);
        }
    };
    if let Some(address) = node.take_some("address") {
        set("ansible_host", findings.decode(address, "a host"));
    }
    if let Some(triple) = node.take_some("target_triple") {
        findings.unused(
            &triple.span,
            "the field `target_triple` of a host",
            "`rustle pack --target` decides it",
        );
    }
    if let Some(mut connection) = node.take_some("connection") {
        if let Some(method) = connection.take_some("method") {
            set(
                "ansible_connection",
                method.as_str().map(|m| Value::Str(m.to_ascii_lowercase())),
            );
        }
        for (theirs, ours) in [
            ("username", "ansible_user"),
            ("port", "ansible_port"),
            ("key_file", "ansible_ssh_private_key_file"),
            ("timeout", "ansible_timeout"),
        ] {
            if let Some(value) = connection.take_some(theirs) {
                set(ours, findings.decode(value, "a connection"));
            }
        }
        findings.rest(
            &connection,
            "a connection",
            "an artifact carries no passwords in clear; give them to `rustle push`",
        );
    }
    findings.rest(&node, "a host", "it is unknown");
    HostPlan {
        vars,
        groups: Vec::new(),
    }
}

fn task(
    mut node: Node<'_>,
    hosts: &[String],
    groups: &IndexMap<String, GroupPlan>,
    findings: &mut Findings,
) -> Option<Task> {
    let span = node.span.clone();
    let conditions = node.take_some("conditions");
    let selector = node.take_some("target_hosts");
    let retry = node.take_some("retry_policy");
    let failure = node.take_some("failure_policy");
    let kind = node.take_some("task_type");
    lift_keywords(&mut node);
    let mut task: Task = findings.decode(node, "a task")?;
    let label = format!("task `{}` ({})", task.id, task.name);
    let mut refuse = |reason: String| {
        findings
            .faults
            .push(Fault::at(&span, format!("{label} cannot run: {reason}")));
    };
    for condition in conditions.map(Node::into_items).unwrap_or_default() {
        let text = |key: &str| {
            condition
                .get(key)
                .and_then(Node::as_str)
                .unwrap_or_default()
        };
        match comparison(text("variable"), text("operator"), condition.get("value")) {
            Ok(expression) => task.when.0.push(Value::Str(expression)),
            Err(reason) => refuse(format!("in its condition, {reason}")),
        }
    }
    if let Some(selector) = selector {
        match select(&selector, hosts, groups) {
            Ok(chosen) => task.hosts = chosen,
            Err(reason) => refuse(reason),
        }
    }
    if let Some(kind) = kind
        && let Some(("Custom", Some(custom))) = kind.variant()
        && let Some(name) = custom.get("module_name").and_then(Node::as_str)
        && name != task.module
    {
        refuse(format!(
            "its `task_type` names the module `{name}`, and its `module` is `{}`",
            task.module
        ));
    }
    if let Some(policy) = failure {
        failure_policy(&policy, &mut task, findings);
    }
    if let Some(policy) = retry {
        retry_policy(policy, &mut task, findings);
    }
    Some(task)
}

/// Moves keywords out of the arguments, and a template's `variables` to the task's.
fn lift_keywords(task: &mut Node<'_>) {
    let template = task
        .get("module")
        .and_then(Node::as_str)
        .is_some_and(|m| m.rsplit('.').next() == Some("template"));
    let Some(mut args) = task.take("args") else {
        return;
    };
    for keyword in KEYWORDS {
        if let Some(value) = args.take(keyword) {
            task.put(keyword, value);
        }
    }
    if template && let Some(variables) = args.take("variables") {
        task.put("vars", variables);
    }
    task.put("args", args);
}

fn select(
    selector: &Node<'_>,
    hosts: &[String],
    groups: &IndexMap<String, GroupPlan>,
) -> Result<Vec<String>, String> {
    let unknown = || "its `target_hosts` has a form that is unknown".to_owned();
    let (kind, inner) = selector.variant().ok_or_else(unknown)?;
    let names = || -> Result<Vec<&str>, String> {
        match inner.map(|n| &n.kind) {
            Some(Kind::List(items)) => items
                .iter()
                .map(|n| n.as_str().ok_or_else(unknown))
                .collect(),
            _ => Err(unknown()),
        }
    };
    let chosen = match kind {
        "All" => return Ok(Vec::new()),
        "Hosts" => {
            let names = names()?;
            if let Some(missing) = names.iter().find(|n| !hosts.iter().any(|h| h == *n)) {
                return Err(format!("no host of the plan is `{missing}`"));
            }
            names.into_iter().map(str::to_owned).collect()
        }
        "Groups" => {
            let mut chosen: Vec<String> = Vec::new();
            for name in names()? {
                if !groups.contains_key(name) && name != "all" {
                    return Err(format!("no group of the plan is `{name}`"));
                }
                for host in members(name, hosts, groups, 0) {
                    if !chosen.contains(&host) {
                        chosen.push(host);
                    }
                }
            }
            chosen
        }
        "Expression" => {
            let pattern = inner.and_then(Node::as_str).ok_or_else(unknown)?;
            resolve(pattern, hosts, groups)
                .map_err(|part| format!("no host or group of the plan is `{part}`"))?
        }
        _ => return Err(unknown()),
    };
    if chosen.is_empty() {
        return Err("its `target_hosts` names no host".to_owned());
    }
    Ok(chosen)
}

fn failure_policy(policy: &Node<'_>, task: &mut Task, findings: &mut Findings) {
    match policy.variant().map(|(name, _)| name) {
        Some("Abort") => {}
        Some("Continue") => {
            task.ignore_errors.get_or_insert(Value::Bool(true));
        }
        other => findings.unused(
            &policy.span,
            &format!("the failure policy `{}`", other.unwrap_or("?")),
            "a failed task ends the run, and nothing is rolled back (see `block` and `rescue`)",
        ),
    }
}

/// `max_attempts` counts all tries, `retries` those after the first.
fn retry_policy(mut policy: Node<'_>, task: &mut Task, findings: &mut Findings) {
    let attempts: u32 = decoded(policy.take_some("max_attempts"), "a retry policy", findings);
    if let Some(delay) = policy.take_some("delay") {
        task.delay = findings
            .decode::<crate::plan::Span>(delay, "a retry policy")
            .map(|span| {
                if span.nanos == 0 {
                    Value::Int(i64::try_from(span.secs).unwrap_or(i64::MAX))
                } else {
                    Value::Float(std::time::Duration::from(span).as_secs_f64())
                }
            });
    }
    if let Some(backoff) = policy.take_some("backoff")
        && backoff.variant().map(|(name, _)| name) != Some("Fixed")
    {
        findings.unused(
            &backoff.span,
            "the field `backoff` of a retry policy",
            "the delay between tries is always the same",
        );
    }
    findings.rest(&policy, "a retry policy", "it is unknown");
    if attempts > 1 {
        let result = task.register.get_or_insert_with(|| {
            let id: String = task
                .id
                .chars()
                .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
                .collect();
            format!("rustle_result_{id}")
        });
        task.until
            .0
            .push(Value::Str(format!("{result} is succeeded")));
        task.retries = Some(Value::Int(i64::from(attempts - 1)));
    }
}
