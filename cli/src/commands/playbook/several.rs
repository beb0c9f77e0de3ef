//! Running a playbook on several hosts, or on others than this machine.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use indexmap::IndexMap;
use rustle_controller::local::DiskFiles;
use rustle_formats::event::Event;
use rustle_formats::plan::ExecutionPlan;
use rustle_formats::session::Start;
use rustle_packer::AssetSource;
use rustle_runtime::engine::{Confirm, Controller, Options as EngineOptions};
use zeroize::Zeroizing;

use super::PlaybookCommand;
use super::roster::Roster;
use crate::asset_files;
use crate::expiry::Signing;
use crate::failure::Failure;
use crate::on_hosts::OnHosts;
use crate::plan_reach;
use crate::playbook_source::Parts;
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

impl PlaybookCommand {
    /// Whether the run itself may change files on this machine, so that a task must find them as they are then.
    fn changes_files_here(&self, work: &Work<'_>, roster: &Roster<'_>) -> bool {
        plan_reach::changes_files_here(work.plan, self.running.connection.as_deref())
            || roster.implicit.is_some()
            || plan_reach::names_here(work.options.extra_vars.get("ansible_connection"))
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
