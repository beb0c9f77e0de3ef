//! The strategies `free` and `host_pinned`: hosts do not wait for each other.

use rustle_formats::plan::PlayPlan;
use rustle_runtime::engine::{Reply, Request};

use super::member::Standing;
use super::play::{Coordinator, Stop};

/// Whether a strategy lets hosts go on alone.
pub(super) fn is_free(strategy: &str) -> bool {
    let short = strategy
        .strip_prefix("ansible.builtin.")
        .unwrap_or(strategy);
    matches!(short, "free" | "host_pinned")
}

impl Coordinator<'_> {
    /// Runs the play on a batch, whose engines have begun with it.
    pub(super) fn run_free(&mut self, play: &PlayPlan, batch: &[usize]) -> Result<(), Stop> {
        let strategy = play.strategy.as_deref().unwrap_or_default();
        let pinned = strategy.ends_with("host_pinned");
        let forks = self.fleet.forks.max(1);
        let mut turn = 0;
        loop {
            let mut moved = false;
            // Everybody in turn, so that nobody waits for ever where there are more hosts than forks; who keeps a fork
            // needs no turns.
            let first = if pinned { 0 } else { turn };
            for step in 0..batch.len() {
                let member = batch[(first + step) % batch.len()];
                moved |= self.attend(batch, member, forks, pinned);
            }
            turn = (turn + 1) % batch.len().max(1);
            if moved {
                continue;
            }
            let working = |m: &usize| self.members[*m].standing == Standing::Working;
            if batch.iter().any(working) {
                self.pump()?;
            } else if !self.release_parked(batch) {
                return Ok(());
            }
        }
    }

    /// Answers a host that waits, if it may go on; whether it was answered.
    fn attend(&mut self, batch: &[usize], member: usize, forks: usize, pinned: bool) -> bool {
        if self.is_to_judge(member) {
            let before = self.members[member].asked.is_some();
            self.judge(batch, &[member]);
            return before && self.members[member].asked.is_none();
        }
        if self.members[member].at_includes() {
            let count = match &self.members[member].asked {
                Some((_, Request::Includes { keys })) => u32::try_from(keys.len()).unwrap_or(0),
                _ => 0,
            };
            self.members[member].answer(|_| Reply::Order((0..count).collect()));
            return true;
        }
        if !self.members[member].at_turn() {
            return false;
        }
        if self.state.ended || self.state.batch_ended {
            self.members[member].answer(Reply::EndPlay);
            return true;
        }
        if self.busy(batch, pinned, member) >= forks || self.is_throttled(batch, member) {
            return false;
        }
        self.members[member].answer(Reply::Go);
        true
    }

    /// Whether as many do the task as `throttle` lets.
    fn is_throttled(&self, batch: &[usize], member: usize) -> bool {
        let (task, throttle) = match &self.members[member].asked {
            Some((_, Request::Turn { task, throttle, .. })) if *throttle > 0 => (task, *throttle),
            _ => return false,
        };
        let doing = |m: &&usize| {
            let host = &self.members[**m];
            host.standing == Standing::Working && host.task == *task
        };
        batch.iter().filter(doing).count() >= throttle as usize
    }

    /// How many hosts hold one of the forks.
    fn busy(&self, batch: &[usize], pinned: bool, except: usize) -> usize {
        let holds = |m: &&usize| {
            let host = &self.members[**m];
            let begun = pinned && !host.task.is_empty() && host.at_turn();
            **m != except && (host.standing == Standing::Working || begun)
        };
        batch.iter().filter(holds).count()
    }
}
