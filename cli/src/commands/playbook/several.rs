//! Running a playbook on several hosts, or on others than this machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;
use rustle_controller::local::DiskFiles;
use rustle_formats::event::Event;
use rustle_formats::plan::{Block, ExecutionPlan, Item, Task};
use rustle_formats::session::Start;
use rustle_formats::{Map, Value};
use rustle_packer::AssetSource;
use rustle_playbook::pattern::LOCALHOST;
use rustle_runtime::engine::{Confirm, Controller, Options as EngineOptions};
use rustle_runtime::report::python_str;
use zeroize::Zeroizing;

use super::PlaybookCommand;
use super::roster::Roster;
use crate::asset_files;
use crate::expiry::Signing;
use crate::failure::Failure;
use crate::on_hosts::OnHosts;
use crate::playbook_source::Parts;
use crate::reach::is_local;
use crate::unfinished::Unfinished;

/// What is to be done.
pub(super) struct Work<'w> {
    pub(super) parts: &'w Parts<'w>,
    pub(super) plan: &'w ExecutionPlan,
    pub(super) secrets: IndexMap<String, Zeroizing<String>>,
    /// A private folder that goes when the run is over.
    pub(super) folder: &'w Path,
    pub(super) emit: &'w dyn Fn(&Event),
    /// Asks whether to do a task.
    pub(super) confirm: &'w dyn Fn(&str) -> Confirm,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) options: EngineOptions,
    pub(super) files: DiskFiles,
    /// The folder that files are named from.
    pub(super) base: &'w Path,
    /// What goes along with the plan in any case: modules in other languages.
    pub(super) carried: Vec<AssetSource>,
    pub(super) controller: &'w dyn Controller,
    pub(super) signing: Option<Signing>,
    /// What lets the run be gone on with after it was killed.
    pub(super) unfinished: Option<&'w Unfinished>,
}

/// Whether a plan for one host needs others all the same: it delegates, or changes the inventory.
pub(super) fn needs_others(plan: &ExecutionPlan) -> bool {
    let task = |task: &Task| {
        let short = task.module.rsplit('.').next().unwrap_or_default();
        let needed = ["add_host", "group_by", "reboot", "wait_for_connection"];
        task.delegate_to.is_some() || needed.contains(&short)
    };
    anywhere(plan, &task, &|block| block.delegate_to.is_some())
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

impl PlaybookCommand {
    /// Whether the run itself may change files on this machine, so that a task must find them as they are then: hosts that are this
    /// machine, and tasks that are delegated.
    fn changes_files_here(&self, work: &Work<'_>, roster: &Roster<'_>) -> bool {
        let plan = work.plan;
        let here = ["ansible_connection"];
        let local = |vars: &Map| here.iter().any(|name| names_here(vars.get(*name)));
        let asked = self.running.connection.as_deref();
        asked.is_some_and(is_local)
            || needs_others(plan)
            || names_here_within(plan)
            || plan.fetches()
            || roster.implicit.is_some()
            || local(&work.options.extra_vars)
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

    /// Runs a plan on all of its hosts; gives ansible-playbook's exit code.
    pub(super) fn several(&self, work: Work<'_>, roster: &mut Roster<'_>) -> Result<u8, Failure> {
        roster.folder = work.folder.to_owned();
        let ahead = match self.changes_files_here(&work, roster) {
            true => None,
            false => Some(asset_files::at_hand(
                work.plan,
                work.base,
                &crate::disk::is_vaulted,
            )),
        };
        let (mut assets, near) = ahead.map_or((Vec::new(), None), |a| (a.assets, Some(a.near)));
        if near.is_some() {
            assets.extend(work.carried.iter().cloned());
        }
        let config = &work.parts.surroundings.config;
        let forks = self.running.forks.map(|n| n as usize);
        let forks = forks.or_else(|| config.text("DEFAULT_FORKS")?.parse().ok());
        let options = work.options;
        OnHosts {
            plan: work.plan,
            assets,
            start: Start {
                check: options.check,
                diff: options.diff,
                verbosity: options.verbosity,
                tags: options.tags,
                skip_tags: options.skip_tags,
                start_at_task: options.start_at_task,
                extra_vars: options.extra_vars,
                force_handlers: options.force_handlers,
                unknown_handlers: options.unknown_handlers,
                broken_conditionals: options.broken_conditionals,
                step: options.step,
                near,
                ..Start::default()
            },
            forks,
            files: work.files,
            controller: work.controller,
            secrets: work.secrets,
            folder: work.folder,
            emit: work.emit,
            confirm: options.step.then_some(work.confirm),
            stop: work.stop,
            run_id: options.run_id,
            patience: self.running.reconnect.patience(),
            signing: work.signing,
            unfinished: work.unfinished,
        }
        .run(roster)
    }
}

/// Whether a value names the connection to this machine.
fn names_here(value: Option<&Value>) -> bool {
    value.is_some_and(|v| is_local(&python_str(v)))
}
