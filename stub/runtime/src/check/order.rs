//! Ids, and what depends on what. The engine keeps the order of the document but for dependencies; a block is one item
//! of that order, so that what depends on a task inside waits for the whole block.

use std::collections::HashMap;

use rustle_formats::nearest;
use rustle_formats::order;
use rustle_formats::plan::{ExecutionPlan, PlayPlan};

use super::places::Tree;
use super::{Placed, Problem, did_you_mean};

/// The most names that a misspelt one is compared with: each comparison costs.
const MAX_COMPARED: usize = 1000;

/// Ids are unique, dependencies name what comes before, and nothing waits for itself.
pub(super) fn check(plan: &ExecutionPlan, tree: &Tree<'_>, out: &mut Vec<Problem>) {
    let by_id = ids(tree, out);
    for at in 0..tree.tasks.len() {
        check_dependencies(tree, &by_id, at, out);
    }
    let mut first = 0;
    for play in 0..plan.plays.len() {
        let end = first
            + tree.tasks[first..]
                .iter()
                .take_while(|p| p.play == play)
                .count();
        circles(&tree.tasks[first..end], first, &by_id, out);
        first = end;
    }
    for (p, play) in plan.plays.iter().enumerate() {
        check_batches(p, play, out);
    }
}

fn ids<'p>(tree: &Tree<'p>, out: &mut Vec<Problem>) -> HashMap<&'p str, usize> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(tree.tasks.len());
    for (i, placed) in tree.tasks.iter().enumerate() {
        let id = placed.task.id.as_str();
        if id.is_empty() {
            continue;
        }
        match by_id.get(id) {
            Some(first) => out.push(
                Problem::of(placed, "/id", format!("two tasks have the id `{id}`")).note(format!(
                    "the other one is at {}",
                    tree.tasks[*first].pointer
                )),
            ),
            None => {
                by_id.insert(id, i);
            }
        }
    }
    by_id
}

fn check_dependencies(
    tree: &Tree<'_>,
    by_id: &HashMap<&str, usize>,
    at: usize,
    out: &mut Vec<Problem>,
) {
    let placed = &tree.tasks[at];
    for (i, dependency) in placed.task.dependencies.iter().enumerate() {
        let below = format!("/dependencies/{i}");
        let Some(on) = by_id.get(dependency.as_str()).copied() else {
            let message = format!("no task has the id `{dependency}`");
            out.push(Problem::of(placed, &below, message).hint(nearest_id(by_id, dependency)));
            continue;
        };
        let other = &tree.tasks[on];
        let same_item = other.item == placed.item && other.play == placed.play;
        let (what, note) = if other.handler && !placed.handler {
            (
                "which is a handler",
                "handlers run when they are notified, after the tasks of their play",
            )
        } else if other.play > placed.play {
            (
                "which belongs to a later play",
                "plays run in the order in which they are written",
            )
        } else if same_item && !placed.handler && on > at {
            (
                "which comes later in the same block",
                "the tasks of a block run in the order in which they are written",
            )
        } else {
            continue;
        };
        let message = format!("the task depends on `{dependency}`, {what}");
        out.push(Problem::of(placed, &below, message).note(note));
    }
}

fn nearest_id(by_id: &HashMap<&str, usize>, id: &str) -> Option<String> {
    if by_id.len() > MAX_COMPARED {
        return None;
    }
    let mut names: Vec<&str> = by_id.keys().copied().collect();
    order::sort(&mut names);
    did_you_mean(nearest(id, &names))
}

/// Circles among the tasks of a play; `first` is the index of the first of them.
fn circles(
    tasks: &[Placed<'_>],
    first: usize,
    by_id: &HashMap<&str, usize>,
    out: &mut Vec<Problem>,
) {
    if tasks.iter().all(|t| t.task.dependencies.is_empty()) {
        return;
    }
    // A node is an item of the play; handlers stand alone, behind the items.
    let items = tasks
        .iter()
        .filter_map(|t| t.item)
        .max()
        .map_or(0, |m| m + 1);
    let node = |i: usize| tasks[i].item.unwrap_or(items + i);
    let mut needs: Vec<Vec<(usize, usize)>> = vec![Vec::new(); items + tasks.len()];
    for (i, placed) in tasks.iter().enumerate() {
        for dependency in &placed.task.dependencies {
            let Some(to) = by_id
                .get(dependency.as_str())
                .and_then(|to| to.checked_sub(first))
            else {
                continue;
            };
            // Inside a block the order is written; a task that waits for itself never runs.
            if to < tasks.len() && (node(to) != node(i) || to == i) {
                needs[node(i)].push((node(to), i));
            }
        }
    }
    for circle in find_circles(&needs) {
        let name = |task: usize| match tasks[task].task.id.as_str() {
            "" => tasks[task].task.name.as_str(),
            id => id,
        };
        let Some((_, blamed)) = circle.first() else {
            continue;
        };
        let names = circle.iter().chain(circle.first()).map(|(_, t)| name(*t));
        let message = format!(
            "the dependencies of task `{}` form a circle: {}",
            name(*blamed),
            names.collect::<Vec<_>>().join(" → ")
        );
        out.push(
            Problem::of(&tasks[*blamed], "/dependencies", message)
                .at_key()
                .hint(Some("leave one of these dependencies out".to_owned())),
        );
    }
}

/// Circles in a graph, at least one of each knot of them: as pairs of a node and the label of the edge that leaves it.
/// Without recursion: a plan may be a chain of 100,000 tasks.
fn find_circles(needs: &[Vec<(usize, usize)>]) -> Vec<Vec<(usize, usize)>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        /// On the way, at this depth.
        Open(usize),
        Done,
    }
    let mut seen = vec![Seen::No; needs.len()];
    let mut found = Vec::new();
    for start in 0..needs.len() {
        if seen[start] != Seen::No {
            continue;
        }
        let mut way: Vec<(usize, usize)> = vec![(start, 0)];
        seen[start] = Seen::Open(0);
        while let Some((at, next)) = way.last_mut() {
            let node = *at;
            let Some((to, _)) = needs[node].get(*next).copied() else {
                seen[node] = Seen::Done;
                way.pop();
                continue;
            };
            *next += 1;
            match seen[to] {
                Seen::No => {
                    seen[to] = Seen::Open(way.len());
                    way.push((to, 0));
                }
                // Circles through a node that one was found through already add nothing that helps.
                Seen::Open(from) => {
                    let circle: Vec<(usize, usize)> = way[from..]
                        .iter()
                        .map(|(n, next)| (*n, needs[*n][next - 1].1))
                        .collect();
                    for (n, _) in &way[from..] {
                        seen[*n] = Seen::Done;
                    }
                    found.push(circle);
                    way.truncate(from);
                }
                Seen::Done => {}
            }
        }
    }
    found
}

/// Batches have ids of their own, and dependencies among themselves.
fn check_batches(play_index: usize, play: &PlayPlan, out: &mut Vec<Problem>) {
    let at = |b: usize, below: &str| format!("/plays/{play_index}/batches/{b}{below}");
    let mut by_id: HashMap<&str, usize> = HashMap::new();
    for (b, batch) in play.batches.iter().enumerate() {
        let id = batch.batch_id.as_str();
        if !id.is_empty() && by_id.insert(id, b).is_some() {
            let message = format!("two batches of the play have the id `{id}`");
            out.push(Problem::new(at(b, "/batch_id"), message));
        }
    }
    let mut names: Vec<&str> = by_id.keys().copied().collect();
    order::sort(&mut names);
    let mut needs: Vec<Vec<(usize, usize)>> = vec![Vec::new(); play.batches.len()];
    for (b, batch) in play.batches.iter().enumerate() {
        for (i, dependency) in batch.dependencies.iter().enumerate() {
            if let Some(to) = by_id.get(dependency.as_str()) {
                needs[b].push((*to, b));
                continue;
            }
            let message = format!(
                "batch `{}` depends on `{dependency}`, and the play has no such batch",
                batch.batch_id
            );
            let compared = &names[..names.len().min(MAX_COMPARED)];
            out.push(
                Problem::new(at(b, &format!("/dependencies/{i}")), message)
                    .hint(did_you_mean(nearest(dependency, compared))),
            );
        }
    }
    for circle in find_circles(&needs) {
        let id = |batch: usize| play.batches[batch].batch_id.as_str();
        let ids = circle.iter().chain(circle.first()).map(|(b, _)| id(*b));
        let first = circle.first().map_or(0, |(b, _)| *b);
        let message = format!(
            "the dependencies of batch `{}` form a circle: {}",
            id(first),
            ids.collect::<Vec<_>>().join(" → ")
        );
        out.push(
            Problem::new(at(first, "/dependencies"), message)
                .at_key()
                .hint(Some("leave one of these dependencies out".to_owned())),
        );
    }
}
