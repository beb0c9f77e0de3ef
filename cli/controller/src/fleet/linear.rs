//! The strategy `linear`: all hosts of a batch meet before every task.
//!
//! The tasks of a play have an order, and every host says where in it the task stands that it comes to. The first of
//! those tasks is the next one, for the hosts that have come to it; the others wait.

use rustle_formats::Value;
use rustle_formats::plan::{ExecutionPlan, RolePlan};
use rustle_runtime::engine::{Confirm, Once, Outcome, Reply, Request, Update};

use super::member::Standing;
use super::play::{Coordinator, Stop};

impl Coordinator<'_> {
    /// Runs the play on a batch, whose engines have begun with it.
    pub(super) fn run_linear(&mut self, batch: &[usize]) -> Result<(), Stop> {
        loop {
            self.meet(batch)?;
            self.dispatch_ended(batch);
            self.meet(batch)?;
            // The only host of a play asks for no turns, and tells of its failures outside of any step.
            if batch.iter().any(|m| self.is_to_judge(*m)) {
                self.judge(batch, batch);
                continue;
            }
            let Some(step) = self.next_step(batch) else {
                if self.release_parked(batch) {
                    continue;
                }
                return Ok(());
            };
            if self.is_wanted(&step) {
                self.step(batch, &step)?;
            } else {
                self.let_pass(&step);
            }
        }
    }

    /// Those that come to the task which is the first in the order of the play.
    fn next_step(&self, batch: &[usize]) -> Option<Vec<usize>> {
        let places = batch.iter().filter_map(|m| self.members[*m].place());
        let first = places.min()?;
        let at = batch.iter().copied();
        Some(
            at.filter(|m| self.members[*m].place() == Some(first))
                .collect(),
        )
    }

    /// Ends the play for those that wait for leave to run a task when it is over.
    fn dispatch_ended(&mut self, batch: &[usize]) {
        let over = self.state.ended || self.state.batch_ended;
        for member in batch {
            if self.members[*member].doomed && self.members[*member].at_turn() {
                self.members[*member].doomed = false;
                if !self.members[*member].is_rescued() {
                    self.put_out(*member, Outcome::Failed);
                    self.state.broken = true;
                }
                self.members[*member].answer(Reply::Fail);
                continue;
            }
            if (over || self.dropped.contains(member)) && self.members[*member].at_turn() {
                self.members[*member].answer(Reply::EndPlay);
            }
        }
    }

    /// Whether the task that hosts have come to is to be done, where somebody is asked. Nobody is for what steers the run.
    fn is_wanted(&mut self, hosts: &[usize]) -> bool {
        let (Some(confirm), true) = (self.fleet.confirm, self.state.asks) else {
            return true;
        };
        let first = hosts.first().and_then(|m| self.members[*m].place());
        let plan = self.fleet.plan;
        let task = first.and_then(|(_, id)| plan.tasks().find(|task| task.id == id));
        let Some(task) = task.filter(|task| task.module.rsplit('.').next() != Some("meta")) else {
            return true;
        };
        let included = task.args.get("name").and_then(Value::as_str);
        let name = match (task.name.as_str(), included) {
            ("", Some(role)) if task.module.rsplit('.').next() == Some("include_role") => {
                format!("{} : {role}", task.module)
            }
            ("", _) => task.module.clone(),
            (name, _) => name.to_owned(),
        };
        let mut handlers = plan.plays.iter().flat_map(|play| &play.handlers);
        let of_roles = plan.roles.values().flat_map(|role| role.handlers.values());
        let handler =
            handlers.any(|h| h.id == task.id) || of_roles.flatten().any(|h| h.id == task.id);
        let kind = if handler { "HANDLER" } else { "TASK" };
        let within = |role: &&RolePlan| {
            let of_role = ExecutionPlan {
                roles: [(String::new(), (*role).clone())].into_iter().collect(),
                ..ExecutionPlan::default()
            };
            of_role.tasks().any(|t| t.id == task.id)
        };
        let role = task.role.clone();
        let role = role.or_else(|| plan.roles.values().find(within).map(|r| r.name.clone()));
        let answer = match role {
            Some(role) => confirm(&format!("{kind}: {role} : {name}")),
            None => confirm(&format!("{kind}: {name}")),
        };
        self.state.asks = answer != Confirm::All;
        answer != Confirm::No
    }

    /// One task on the hosts that have come to it.
    fn step(&mut self, batch: &[usize], hosts: &[usize]) -> Result<(), Stop> {
        let Some((&first, _)) = hosts.split_first() else {
            return Ok(());
        };
        let (once, throttle) = match &self.members[first].asked {
            Some((_, Request::Turn { once, throttle, .. })) => (*once, *throttle as usize),
            _ => (Once::No, 0),
        };
        let runners = match once {
            Once::No => hosts,
            _ => &hosts[..1],
        };
        let limit = match throttle {
            0 => self.fleet.forks,
            throttle => throttle.min(self.fleet.forks),
        };
        let place = self.members[first]
            .place()
            .map(|(p, t)| (p.to_vec(), t.to_owned()));
        self.story.begin_step(first);
        let known = (once == Once::ForAll).then(|| {
            (
                self.members[first].facts.clone(),
                self.members[first].vars.clone(),
            )
        });
        self.run_some(runners, limit.max(1))?;
        let failed = self.conclude_step(batch, runners)?;
        if let Some((facts, vars)) = known {
            self.share(batch, first, &facts, &vars);
        }
        if once == Once::ForAll && failed {
            self.doom(batch, first);
        }
        if let (Some((place, task)), true) = (place, once != Once::No) {
            let still = |m: &&usize| self.members[**m].place() == Some((&place, &task));
            let others: Vec<usize> = hosts[1..].iter().filter(still).copied().collect();
            self.let_pass(&others);
        }
        Ok(())
    }

    /// Gives leave to so many at a time, until all have come back.
    fn run_some(&mut self, runners: &[usize], limit: usize) -> Result<(), Stop> {
        let mut next = runners.iter();
        let mut working: Vec<usize> = Vec::new();
        loop {
            while working.len() < limit
                && let Some(member) = next.next()
            {
                self.members[*member].answer(Reply::Go);
                working.push(*member);
            }
            if working.is_empty() {
                return Ok(());
            }
            self.pump()?;
            working.retain(|m| self.members[*m].standing == Standing::Working);
        }
    }

    /// Answers what hosts ask when they have done a task, until all have come to the next one; whether a failure became
    /// everybody's.
    fn conclude_step(&mut self, batch: &[usize], runners: &[usize]) -> Result<bool, Stop> {
        let mut failed = false;
        loop {
            self.meet(runners)?;
            if runners.iter().any(|m| self.is_to_judge(*m)) {
                failed |= self.judge(batch, runners);
            } else if runners.iter().any(|m| self.members[*m].at_includes()) {
                self.order_includes(runners);
            } else {
                return Ok(failed);
            }
        }
    }

    /// A failed `run_once` fails the others twice under Ansible: a rescue that they have does not help them.
    fn doom(&mut self, batch: &[usize], first: usize) {
        for member in batch.iter().copied().filter(|m| *m != first) {
            if !self.is_out(member) {
                self.members[member].doomed = true;
            }
        }
    }

    /// Gives what was wanted to be included its order: as the hosts come, and for each as it asked. What several hosts
    /// want is one.
    fn order_includes(&mut self, runners: &[usize]) {
        let mut keys: Vec<String> = Vec::new();
        let mut orders: Vec<(usize, Vec<u32>)> = Vec::new();
        for member in runners {
            let Some((_, Request::Includes { keys: wanted })) = &self.members[*member].asked else {
                continue;
            };
            let mut order = Vec::new();
            for key in wanted {
                let known = keys.iter().position(|k| k == key);
                let step = known.unwrap_or_else(|| {
                    keys.push(key.clone());
                    keys.len() - 1
                });
                order.push(u32::try_from(step).unwrap_or(u32::MAX));
            }
            orders.push((*member, order));
        }
        self.story.tell_included(&|member, count| {
            let order = orders.iter().find(|(m, _)| *m == member);
            order
                .and_then(|(_, o)| o.get(count))
                .copied()
                .unwrap_or(u32::MAX)
        });
        for (member, order) in orders {
            self.members[member].answer(|_| Reply::Order(order));
        }
    }

    /// Gives all hosts what one did for all.
    fn share(
        &mut self,
        batch: &[usize],
        first: usize,
        facts: &rustle_formats::Map,
        vars: &rustle_formats::Map,
    ) {
        let new = |now: &rustle_formats::Map, before: &rustle_formats::Map| {
            let changed = now.iter().filter(|(k, v)| before.get(*k) != Some(v));
            changed
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect::<rustle_formats::Map>()
        };
        let facts = new(&self.members[first].facts, facts);
        let vars = new(&self.members[first].vars, vars);
        for member in batch.iter().copied().filter(|m| *m != first) {
            if self.unreachable.contains(&member) {
                continue;
            }
            if !facts.is_empty() {
                self.members[member].receive(Update::Facts(facts.clone()));
            }
            if !vars.is_empty() {
                self.members[member].receive(Update::Vars(vars.clone()));
            }
        }
    }

    /// Lets those go on that one has done a task for.
    fn let_pass(&mut self, others: &[usize]) {
        for member in others {
            if self.failed.contains(member) {
                self.members[*member].answer(Reply::Fail);
            } else if self.state.ended || self.state.batch_ended {
                self.members[*member].answer(Reply::EndPlay);
            } else {
                self.members[*member].answer(Reply::Pass);
            }
        }
    }

    /// Whether a host waits to hear what its task's end means; who is parked has heard.
    pub(super) fn is_to_judge(&self, member: usize) -> bool {
        let host = &self.members[member];
        host.at_done()
            && !(host.outcome == Outcome::Unreachable && self.unreachable.contains(&member))
    }

    /// Ends the play for those that could not be reached; whether there were any.
    pub(super) fn release_parked(&mut self, batch: &[usize]) -> bool {
        let mut any = false;
        for member in batch {
            if self.members[*member].at_done() {
                self.members[*member].answer(Reply::EndPlay);
                any = true;
            }
        }
        any
    }
}
