//! The order of a play's batches and tasks: as written, but nothing before what it depends on.

use std::collections::HashMap;

use rustle_formats::plan::{Item, PlayPlan};

/// One item of a batch, in its turn.
pub(crate) struct Turn<'p> {
    /// Index of the batch in the play.
    pub batch: usize,
    /// The item.
    pub content: &'p Item,
}

/// The items of a play in the order in which they run.
///
/// # Errors
/// A sentence that names the circle, where dependencies form one, or a dependency that does not exist.
pub(crate) fn order(play: &PlayPlan) -> Result<Vec<Turn<'_>>, String> {
    let batches: Vec<(&str, &[String])> = play
        .batches
        .iter()
        .map(|b| (b.batch_id.as_str(), b.dependencies.as_slice()))
        .collect();
    let batch_turns = sort(&batches, "batch", true)?;

    let mut turns = Vec::new();
    for batch in batch_turns {
        for content in &play.batches[batch].tasks {
            turns.push(Turn { batch, content });
        }
    }
    if turns.iter().all(|t| dependencies(t.content).is_empty()) {
        return Ok(turns);
    }
    // A block is one item: what depends on a task inside waits for the whole block.
    let ids: Vec<Vec<&str>> = turns.iter().map(|t| ids(t.content)).collect();
    let needs: Vec<Vec<String>> = turns
        .iter()
        .zip(&ids)
        .map(|(t, own)| {
            dependencies(t.content)
                .into_iter()
                .filter(|d| !own.contains(d))
                .map(str::to_owned)
                .collect()
        })
        .collect();
    let nodes: Vec<(Vec<&str>, &[String])> = ids
        .into_iter()
        .zip(&needs)
        .map(|(ids, needs)| (ids, needs.as_slice()))
        .collect();
    let order = sort_named(&nodes, "task", false)?;
    let mut slots: Vec<Option<Turn<'_>>> = turns.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|i| slots[i].take()).collect())
}

fn ids(item: &Item) -> Vec<&str> {
    let mut tasks = Vec::new();
    item.collect(&mut tasks);
    tasks.into_iter().map(|t| t.id.as_str()).collect()
}

fn dependencies(item: &Item) -> Vec<&str> {
    let mut tasks = Vec::new();
    item.collect(&mut tasks);
    tasks
        .into_iter()
        .flat_map(|t| t.dependencies.iter().map(String::as_str))
        .collect()
}

fn sort(nodes: &[(&str, &[String])], what: &str, strict: bool) -> Result<Vec<usize>, String> {
    let named: Vec<(Vec<&str>, &[String])> = nodes
        .iter()
        .map(|(id, needs)| (vec![*id], *needs))
        .collect();
    sort_named(&named, what, strict)
}

/// Indices in an order where what is needed comes first, otherwise as given. `strict` refuses unknown names; tasks may
/// depend on tasks of other plays, which are done already or never.
fn sort_named(
    nodes: &[(Vec<&str>, &[String])],
    what: &str,
    strict: bool,
) -> Result<Vec<usize>, String> {
    let mut index: HashMap<&str, usize> = HashMap::new();
    for (i, (ids, _)) in nodes.iter().enumerate() {
        for id in ids.iter().filter(|id| !id.is_empty()) {
            index.insert(id, i);
        }
    }
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(nodes.len());
    for (ids, wanted) in nodes {
        let mut list = Vec::new();
        for name in *wanted {
            match index.get(name.as_str()) {
                Some(i) => list.push(*i),
                None if strict => {
                    return Err(format!(
                        "{what} '{}' depends on '{name}', which does not exist",
                        ids.first().unwrap_or(&"")
                    ));
                }
                None => {}
            }
        }
        needs.push(list);
    }
    walk(&needs).map_err(|circle| {
        let names: Vec<&str> = circle
            .iter()
            .map(|i| nodes[*i].0.first().copied().unwrap_or("?"))
            .collect();
        format!(
            "the dependencies of {what} '{}' form a circle: {}",
            names.first().unwrap_or(&"?"),
            names.join(" → ")
        )
    })
}

/// Depth first without recursion: a plan may be a chain of 100,000 tasks.
fn walk(needs: &[Vec<usize>]) -> Result<Vec<usize>, Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        No,
        Open,
        Done,
    }
    let mut seen = vec![Seen::No; needs.len()];
    let mut out = Vec::with_capacity(needs.len());
    for start in 0..needs.len() {
        if seen[start] != Seen::No {
            continue;
        }
        seen[start] = Seen::Open;
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        while let Some((node, next)) = path.last_mut() {
            let Some(&need) = needs[*node].get(*next) else {
                seen[*node] = Seen::Done;
                out.push(*node);
                path.pop();
                continue;
            };
            *next += 1;
            match seen[need] {
                Seen::Done => {}
                Seen::No => {
                    seen[need] = Seen::Open;
                    path.push((need, 0));
                }
                Seen::Open => {
                    let from = path.iter().position(|(n, _)| *n == need).unwrap_or(0);
                    let mut circle: Vec<usize> = path[from..].iter().map(|(n, _)| *n).collect();
                    circle.push(need);
                    return Err(circle);
                }
            }
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustle_formats::plan::{Task, TaskBatch};

    fn play(tasks: &[(&str, &[&str])]) -> PlayPlan {
        PlayPlan {
            batches: vec![TaskBatch {
                tasks: tasks
                    .iter()
                    .map(|(id, needs)| {
                        Item::Task(Box::new(Task {
                            id: (*id).into(),
                            dependencies: needs.iter().map(|n| (*n).into()).collect(),
                            ..Task::default()
                        }))
                    })
                    .collect(),
                ..TaskBatch::default()
            }],
            ..PlayPlan::default()
        }
    }

    fn ordered(play: &PlayPlan) -> Result<String, String> {
        order(play).map(|turns| turns.iter().flat_map(|t| ids(t.content)).collect())
    }

    #[test]
    fn what_is_needed_comes_first() {
        let plan = play(&[
            ("a", &["c"]),
            ("b", &[]),
            ("c", &["elsewhere"]),
            ("d", &["a"]),
        ]);
        assert_eq!(ordered(&plan).unwrap(), "cabd");
    }

    #[test]
    fn a_circle_is_named() {
        let plan = play(&[("x", &[]), ("a", &["b"]), ("b", &["c"]), ("c", &["a"])]);
        assert_eq!(
            ordered(&plan).unwrap_err(),
            "the dependencies of task 'a' form a circle: a → b → c → a"
        );
    }
}
