//! What the end of a task on one host means for the others.

use rustle_formats::event::EventKind;
use rustle_runtime::engine::{Outcome, Reply, Request, Update};

use super::play::Coordinator;

impl Coordinator<'_> {
    /// Takes a host out of the play, and tells the others.
    pub(super) fn put_out(&mut self, member: usize, outcome: Outcome) {
        let new = match outcome {
            Outcome::Unreachable => self.unreachable.insert(member),
            _ => self.failed.insert(member),
        };
        if new {
            self.tell_gone(member);
        }
    }

    /// Tells the others that a host takes no part in the play any more.
    fn tell_gone(&mut self, member: usize) {
        let name = self.members[member].name.clone();
        for other in self.state.everybody.clone() {
            if other != member {
                self.members[other].receive(Update::Gone(vec![name.clone()]));
            }
        }
    }

    /// Decides what the end of a task means, and answers those that have told how it ended; whether a failure became
    /// everybody's.
    pub(super) fn judge(&mut self, batch: &[usize], runners: &[usize]) -> bool {
        let told: Vec<usize> = runners
            .iter()
            .copied()
            .filter(|m| self.is_to_judge(*m))
            .collect();
        let mut bad = false;
        let mut fatal = false;
        for member in told.iter().copied() {
            if let Some((_, Request::Done { fatal: f, .. })) = &self.members[member].asked {
                fatal |= *f;
            }
            let outcome = self.members[member].outcome;
            bad |= matches!(
                outcome,
                Outcome::Failed | Outcome::Unreachable | Outcome::Caught
            );
            self.note(batch, member, outcome);
        }
        let too_many = self.too_many(batch.len());
        let all = (fatal && bad) || too_many;
        let mut victims = Vec::new();
        if all {
            victims = self.fail_all(batch, &told);
        }
        if too_many {
            // Ansible says it when it counts the failed hosts, and again when it finds nobody to go on with.
            self.story.end_step();
            self.story.tell(EventKind::NoMoreHosts {});
            self.story.tell(EventKind::NoMoreHosts {});
        }
        for member in told {
            // Who cannot be reached waits for the end of the play, or for `meta: clear_host_errors`.
            if self.unreachable.contains(&member) {
                continue;
            }
            if victims.contains(&member) {
                self.members[member].answer(Reply::Fail);
            } else {
                self.members[member].answer(Reply::Go);
            }
        }
        all
    }

    /// What an outcome means by itself.
    fn note(&mut self, batch: &[usize], member: usize, outcome: Outcome) {
        match outcome {
            Outcome::Failed | Outcome::Unreachable => self.put_out(member, outcome),
            Outcome::EndHost => self.tell_gone(member),
            Outcome::EndPlay => self.state.ended = true,
            Outcome::EndBatch => self.state.batch_ended = true,
            Outcome::ClearErrors => self.forgive(batch),
            Outcome::ClearFacts => self.forget_facts(member),
            Outcome::RefreshInventory => self.drop_unknown(),
            Outcome::Fine | Outcome::Caught => {}
        }
    }

    /// Takes hosts out of the play that the inventory does not have any more.
    fn drop_unknown(&mut self) {
        let known = self.roster.groups();
        let all = known.iter().find(|(name, _)| name == "all");
        let Some((_, all)) = all else { return };
        for member in self.state.batch.clone() {
            let name = &self.members[member].name;
            if !all.contains(name) && name != "localhost" {
                self.dropped.insert(member);
            }
        }
    }

    /// Whether more hosts have failed than the play tolerates.
    fn too_many(&self, size: usize) -> bool {
        let play = &self.fleet.plan.plays[self.play];
        let Some(value) = &play.max_fail_percentage else {
            return false;
        };
        let Ok(percentage) = rustle_runtime::report::python_str(value)
            .trim()
            .parse::<f64>()
        else {
            return false;
        };
        self.failed.len() as f64 / size as f64 > percentage / 100.0
    }

    /// Makes a failure everybody's; gives those of whom a rescue or nothing is left.
    fn fail_all(&mut self, batch: &[usize], told: &[usize]) -> Vec<usize> {
        let mut victims = Vec::new();
        for member in batch.iter().copied() {
            let outcome = self.members[member].outcome;
            if told.contains(&member) && outcome != Outcome::Fine {
                self.state.broken |= outcome != Outcome::Caught;
                continue;
            }
            if self.is_out(member) {
                continue;
            }
            if self.members[member].is_rescued() {
                // It is no more among the play's hosts, not for itself either.
                self.state.doomed.push(member);
                let name = self.members[member].name.clone();
                self.members[member].receive(Update::Gone(vec![name]));
                self.tell_gone(member);
            } else {
                self.state.broken = true;
                self.put_out(member, Outcome::Failed);
            }
            if !told.contains(&member) && self.members[member].at_turn() {
                self.members[member].answer(Reply::Fail);
            }
            victims.push(member);
        }
        victims
    }

    /// `meta: clear_host_errors`.
    fn forgive(&mut self, batch: &[usize]) {
        let out: Vec<usize> = self
            .failed
            .iter()
            .chain(&self.unreachable)
            .copied()
            .collect();
        let names: Vec<String> = out.iter().map(|m| self.members[*m].name.clone()).collect();
        let parked: Vec<usize> = self.unreachable.iter().copied().collect();
        self.failed.clear();
        self.state.doomed.clear();
        self.unreachable.clear();
        for other in self.state.everybody.clone() {
            self.members[other].receive(Update::Back(names.clone()));
        }
        for member in parked {
            if batch.contains(&member) && self.members[member].at_done() {
                self.members[member].answer(Reply::Go);
            }
        }
    }

    /// `meta: clear_facts`.
    fn forget_facts(&mut self, by: usize) {
        for other in self.state.everybody.clone() {
            if other != by {
                self.members[other].receive(Update::ClearFacts);
            }
        }
    }
}
