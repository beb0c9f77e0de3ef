//! Ids are unique, dependencies name what exists, and nothing waits for itself.

use std::collections::HashMap;

use rustle_formats::nearest;
use rustle_formats::plan::ExecutionPlan;

use super::Problem;
use super::walk::Placed;

/// More names than this are not searched for the one that was meant.
const MAX_NAMES: usize = 1000;

pub(super) fn check(plan: &ExecutionPlan, placed: &[Placed<'_>], out: &mut Vec<Problem>) {
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (i, task) in placed.iter().enumerate() {
        let id = task.frame.task.id.as_str();
        if !id.is_empty() && by_id.insert(id, i).is_some() {
            out.push(task.problem("/id", format!("two tasks have the id `{id}`")));
        }
    }
    for task in placed {
        for (i, needed) in task.frame.task.dependencies.iter().enumerate() {
            if by_id.contains_key(needed.as_str()) {
                continue;
            }
            let mut found = task.problem(
                &format!("/dependencies/{i}"),
                format!("no task has the id `{needed}`"),
            );
            if by_id.len() < MAX_NAMES {
                let names: Vec<&str> = by_id.keys().copied().collect();
                found.hint = nearest(needed, &names).map(|m| format!("did you mean `{m}`?"));
            }
            out.push(found);
        }
    }
    for (p, play) in plan.plays.iter().enumerate() {
        if let Err(message) = crate::engine::check_order(play) {
            out.push(Problem {
                task: None,
                name: None,
                source: play.source.clone(),
                pointer: format!("/plays/{p}/batches"),
                key: true,
                message,
                hint: Some("leave one of these dependencies out".into()),
            });
        }
    }
}
