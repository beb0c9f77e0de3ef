//! What an artifact cannot do by itself: there is no controller, and there are no other hosts.

use std::collections::HashSet;

use rustle_formats::Value;
use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, Way, carried};

use super::places::Tree;
use super::{Placed, Problem};
use crate::engine::Frame;
use crate::vars::Groups;

/// Ansible's modules that act on the controller or on the playbook itself, and why an artifact has none of them.
const CONTROLLER: &[(&str, &str)] = &[
    ("add_host", "it changes the controller's inventory"),
    ("fetch", "it brings files to the controller"),
    ("group_by", "it changes the controller's inventory"),
    ("import_playbook", PLANNER),
    ("import_role", PLANNER),
    ("import_tasks", PLANNER),
    ("reboot", "it waits until the machine answers again"),
    (
        "synchronize",
        "it copies between the controller and the target",
    ),
    (
        "wait_for_connection",
        "it waits until the controller can reach the machine",
    ),
];

const PLANNER: &str = "a plan holds the tasks themselves";

/// Why only the controller can do what a module does, if that is known.
pub fn reason(module: &str) -> Option<&'static str> {
    let short = module.rsplit('.').next().unwrap_or(module);
    CONTROLLER
        .iter()
        .find(|(name, _)| *name == short)
        .map(|(_, why)| *why)
}

/// Looks for tasks that need the controller or another host.
pub(super) fn check(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    let actions: HashSet<&str> = carried(plan)
        .filter(|module| module.way == Way::Action)
        .map(|module| module.name)
        .collect();
    let mut groups = None;
    let mut by_play: Vec<Option<Vec<String>>> = vec![None; plan.plays.len()];
    for placed in &tree.tasks {
        check_prompt(placed, out);
        check_module(placed, out);
        if actions.contains(placed.task.module.as_str()) {
            let message = format!(
                "an artifact cannot run the module `{}`: it has a part that runs on the controller",
                placed.task.module
            );
            out.push(Problem::of(placed, "/module", message));
        }
        let task = placed.task;
        if task.delegate_to.is_none() && task.run_once.is_none() && placed.blocks.is_empty() {
            continue;
        }
        let Some(frame) = tree.frame(plan, placed) else {
            continue;
        };
        if frame.delegate_to().is_none() && frame.run_once().is_none() {
            continue;
        }
        let groups = groups.get_or_insert_with(|| Groups::of(plan));
        let hosts = by_play[placed.play].get_or_insert_with(|| hosts(&frame, groups));
        check_delegation(&frame, placed, hosts, out);
        check_once(&frame, placed, hosts, out);
    }
}

/// Modules that there are, and that an artifact without a controller has no use for.
fn check_module(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let module = &placed.task.module;
    if crate::modules::find(module).is_some()
        && let Some(why) = reason(module)
    {
        let message = format!("an artifact cannot run the module `{module}`: {why}");
        out.push(Problem::of(placed, "/module", message));
    }
}

fn check_prompt(placed: &Placed<'_>, out: &mut Vec<Problem>) {
    let task = placed.task;
    let pause = matches!(
        task.module.as_str(),
        "pause" | "ansible.builtin.pause" | "ansible.legacy.pause"
    );
    if !pause || task.args.contains_key("seconds") || task.args.contains_key("minutes") {
        return;
    }
    let (below, what) = if task.args.contains_key("prompt") {
        ("/args/prompt", "asks a question")
    } else {
        ("", "waits for a key")
    };
    out.push(
        Problem::of(
            placed,
            below,
            format!("`pause` {what}, and an artifact runs without anybody who answers"),
        )
        .hint(Some("give `seconds` or `minutes`".to_owned())),
    );
}

/// The literal text of a keyword.
fn literal(value: Option<&Value>) -> Option<&str> {
    value
        .and_then(Value::as_str)
        .filter(|t| !t.is_empty() && !t.contains("{{") && !t.contains("{%"))
}

/// The hosts of a play by name.
fn hosts(frame: &Frame<'_>, groups: &Groups) -> Vec<String> {
    let everybody = groups.all().get("all").map_or(&[][..], Vec::as_slice);
    let mut out = Vec::new();
    if frame.play.hosts.is_empty() {
        out.extend_from_slice(everybody);
    }
    for name in &frame.play.hosts {
        match groups.all().get(if name == "*" { "all" } else { name }) {
            Some(members) => out.extend_from_slice(members),
            None => out.push(name.clone()),
        }
    }
    order::sort(&mut out);
    out.dedup();
    out
}

fn check_delegation(
    frame: &Frame<'_>,
    placed: &Placed<'_>,
    hosts: &[String],
    out: &mut Vec<Problem>,
) {
    let Some(to) = literal(frame.delegate_to()) else {
        return;
    };
    let here = matches!(to, "localhost" | "127.0.0.1" | "::1");
    if here || hosts == [to.to_owned()] {
        return;
    }
    let below = if placed.task.delegate_to.is_some() {
        "/delegate_to"
    } else {
        ""
    };
    out.push(
        Problem::of(
            placed,
            below,
            format!("the task is delegated to `{to}`, and an artifact that runs alone cannot reach other hosts"),
        )
        .hint(Some(format!(
            "push the plan over ssh, or make it a task of a play whose only host is `{to}`"
        ))),
    );
}

fn check_once(frame: &Frame<'_>, placed: &Placed<'_>, hosts: &[String], out: &mut Vec<Problem>) {
    if frame.run_once() != Some(&Value::Bool(true)) {
        return;
    }
    let count = hosts.len();
    if count > 1 {
        out.push(
            Problem::of(
                placed,
                if placed.task.run_once.is_some() { "/run_once" } else { "" },
                format!("`run_once` in a play of {count} hosts: started by hand, each of them does the task"),
            )
            .note("hosts that are pushed to together do it once")
            .warning(),
        );
    }
}
