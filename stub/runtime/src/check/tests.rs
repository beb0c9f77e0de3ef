//! One test for each kind of problem, and for what must not be taken for one.

use proptest::prelude::*;
use rustle_formats::plan::ExecutionPlan;
use serde_json::json;

use super::{AssetRequest, CheckOptions, Problem, Severity, Wanted, asset_requests, check};

fn plan(play: serde_json::Value) -> ExecutionPlan {
    serde_json::from_value(json!({"version": 1, "plays": [play]})).unwrap()
}

fn shown(problem: Problem) -> String {
    let level = match problem.severity {
        Severity::Error => "",
        Severity::Warning => "warning ",
    };
    let hint = problem.hint.map(|h| format!(" ({h})")).unwrap_or_default();
    format!("{level}{}: {}{hint}", problem.pointer, problem.message)
}

/// Problems as `pointer: message (hint)`.
fn findings(plan: &ExecutionPlan) -> Vec<String> {
    let problems = check(plan, &CheckOptions::default());
    problems.into_iter().map(shown).collect()
}

fn of_play(play: serde_json::Value) -> Vec<String> {
    findings(&plan(play))
        .into_iter()
        .map(|f| f.replacen("/plays/0", "", 1))
        .collect()
}

fn tasks(tasks: serde_json::Value) -> Vec<String> {
    of_play(json!({"batches": [{"tasks": tasks}]}))
        .into_iter()
        .map(|f| f.replacen("/batches/0/tasks", "", 1))
        .collect()
}

fn say(text: &str) -> serde_json::Value {
    json!({"module": "debug", "args": {"msg": text}})
}

const UNKNOWN: &str = "no variable, registered result, fact or loop of the plan has this name";

fn undefined(at: &str, name: &str, column: u32) -> String {
    format!("{at}: `{name}` is undefined (line 1, column {column}) ({UNKNOWN})")
}

/// The problems with the template files of a plan, where each has this text.
fn files(plan: &ExecutionPlan, text: &str) -> Vec<String> {
    let read = |_: &AssetRequest| Some(text.to_owned());
    let options = CheckOptions {
        as_reached: false,
        template_text: Some(&read),
        ..CheckOptions::default()
    };
    check(plan, &options).into_iter().map(shown).collect()
}

mod analysis;
mod on_tasks;
mod order;
mod properties;
mod roles;
