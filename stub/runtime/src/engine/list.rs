//! What a run would do, without doing it: `--list-tasks`.

use rustle_formats::plan::{Block, ExecutionPlan, Item, PlayPlan, Source};

use super::{Options, tags};

/// A task as `--list-tasks` shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedTask {
    /// Index of its play.
    pub play: usize,
    /// Its id.
    pub id: String,
    /// Its name, with the role before it; not templated.
    pub name: String,
    /// Its tags with those that it inherits, sorted.
    pub tags: Vec<String>,
    /// Where it was written.
    pub source: Option<Source>,
}

/// The tasks that the options' tags select, in the order of the plan. `meta` tasks are left out, as Ansible does.
pub fn list_tasks(plan: &ExecutionPlan, options: &Options) -> Vec<ListedTask> {
    let mut out = Vec::new();
    for (index, play) in plan.plays.iter().enumerate() {
        let Ok(turns) = super::batches::order(play) else {
            continue;
        };
        for turn in turns {
            add(
                index,
                play,
                turn.content,
                &mut Vec::new(),
                options,
                &mut out,
            );
        }
    }
    out
}

fn add<'p>(
    index: usize,
    play: &'p PlayPlan,
    item: &'p Item,
    blocks: &mut Vec<&'p Block>,
    options: &Options,
    out: &mut Vec<ListedTask>,
) {
    match item {
        Item::Block(block) => {
            blocks.push(block);
            for inner in block.block.iter().chain(&block.rescue).chain(&block.always) {
                add(index, play, inner, blocks, options, out);
            }
            blocks.pop();
        }
        Item::Task(task) => {
            let mut effective = tags::effective(play, blocks, task);
            if super::meta::is_meta(&task.module)
                || !tags::selected(&effective, &options.tags, &options.skip_tags)
            {
                return;
            }
            effective.sort_unstable();
            let name = if task.name.is_empty() {
                &task.module
            } else {
                &task.name
            };
            out.push(ListedTask {
                play: index,
                id: task.id.clone(),
                name: match &task.role {
                    Some(role) if !role.is_empty() => format!("{role} : {name}"),
                    _ => name.clone(),
                },
                tags: effective.into_iter().map(str::to_owned).collect(),
                source: task.source.clone(),
            });
        }
    }
}
