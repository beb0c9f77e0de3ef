//! What of a run is this machine's own affair, by its plan alone.

use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};
use rustle_formats::{Map, Value};
use rustle_playbook::pattern::LOCALHOST;
use rustle_runtime::engine::waits_for_machines;
use rustle_runtime::report::python_str;

use crate::reach::is_local;

/// Whether a plan for one host needs others all the same: it delegates, or changes the inventory.
pub(crate) fn needs_others(plan: &ExecutionPlan) -> bool {
    let task = |task: &Task| {
        let short = task.module.rsplit('.').next().unwrap_or_default();
        task.delegate_to.is_some() || matches!(short, "add_host" | "group_by" | "synchronize")
    };
    waits_for_machines(plan) || anywhere(plan, &task, &|block| block.delegate_to.is_some())
}

/// Whether tasks or blocks of the plan name this machine as theirs.
fn names_here_within(plan: &ExecutionPlan) -> bool {
    let of_vars = |vars: &Map| names_here(vars.get("ansible_connection"));
    let task = |task: &Task| names_here(task.connection.as_ref()) || of_vars(&task.vars);
    let block = |block: &Block| names_here(block.connection.as_ref()) || of_vars(&block.vars);
    anywhere(plan, &task, &block)
}

/// Whether one of a plan's tasks or blocks is so, wherever it stands.
fn anywhere(
    plan: &ExecutionPlan,
    task: &dyn Fn(&Task) -> bool,
    block: &dyn Fn(&Block) -> bool,
) -> bool {
    fn within(item: &Item, task: &dyn Fn(&Task) -> bool, block: &dyn Fn(&Block) -> bool) -> bool {
        match item {
            Item::Task(one) => task(one),
            Item::Block(one) => {
                let mut inner = one.block.iter().chain(&one.rescue).chain(&one.always);
                block(one) || inner.any(|item| within(item, task, block))
            }
        }
    }
    let batches = plan.plays.iter().flat_map(|p| &p.batches);
    let roles = plan
        .roles
        .values()
        .flat_map(|role| role.tasks.values().flatten());
    let mut items = batches
        .flat_map(|b| &b.tasks)
        .chain(plan.task_files.values().flatten())
        .chain(roles);
    plan.tasks().any(task) || items.any(|item| within(item, task, block))
}

/// Whether a run of the plan may change files on this machine, so that a task must find them as they are then: hosts that are this
/// machine, and tasks that are delegated. `asked`: the kind of connection where nothing names one.
pub(crate) fn changes_files_here(plan: &ExecutionPlan, asked: Option<&str>) -> bool {
    let local = |vars: &Map| names_here(vars.get("ansible_connection"));
    asked.is_some_and(is_local)
        || needs_others(plan)
        || names_here_within(plan)
        || plan.fetches()
        || plan.hosts.values().any(|host| local(&host.vars))
        || plan.groups.values().any(|group| local(&group.vars))
        || plan
            .plays
            .iter()
            .any(|play| names_here(play.connection.as_ref()) || local(&play.vars))
        || plan
            .hosts
            .keys()
            .any(|host| LOCALHOST.contains(&host.as_str()))
}

/// Whether a value names the connection to this machine.
pub(crate) fn names_here(value: Option<&Value>) -> bool {
    value.is_some_and(|v| is_local(&python_str(v)))
}
