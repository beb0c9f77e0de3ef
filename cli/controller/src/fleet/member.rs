//! A host of the run: its session, what it waits for, and what is known of it.

use std::sync::Arc;
use std::thread::JoinHandle;

use rustle_formats::session::{Bytes, Down};
use rustle_formats::{Map, Value};
use rustle_runtime::engine::{Outcome, Reply, Request, Since, Update};

use crate::orders::Orders;

/// Where a host's session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has none yet.
    Idle,
    /// Its engine works.
    Working,
    /// It has asked and waits for leave to go on.
    Waiting,
    /// It has come to its end.
    Ended,
}

/// A host.
pub(super) struct Member {
    /// Its name in the inventory.
    pub name: String,
    pub standing: Standing,
    /// What it waits for, with the question's number.
    pub asked: Option<(u64, Request)>,
    /// How the last thing that it told of has ended.
    pub outcome: Outcome,
    /// Its facts.
    pub facts: Map,
    /// What its tasks set.
    pub vars: Map,
    /// What it learns with the next answer.
    pub updates: Vec<Update>,
    /// The task that it was given leave for last.
    pub task: String,
    /// Whether the next task fails without being done.
    pub doomed: bool,
    /// Whom it does a task for: a member and the number of its question. Such a host has no part in any play.
    pub errand: Option<(usize, u64)>,
    /// What came of that task.
    pub result: Option<Map>,
    /// Whether its session is on this machine, in place of one that could not be had.
    pub stands_in: bool,
    pub orders: Option<Arc<Orders>>,
    pub thread: Option<JoinHandle<()>>,
}

impl Member {
    /// A host without a session.
    pub(super) fn new(name: &str) -> Member {
        Member {
            name: name.to_owned(),
            standing: Standing::Idle,
            asked: None,
            outcome: Outcome::Fine,
            facts: Map::new(),
            vars: Map::new(),
            updates: Vec::new(),
            task: String::new(),
            doomed: false,
            errand: None,
            result: None,
            stands_in: false,
            orders: None,
            thread: None,
        }
    }

    /// Whether a rescue would catch a failure where it waits.
    pub(super) fn is_rescued(&self) -> bool {
        matches!(
            self.asked,
            Some((
                _,
                Request::Turn { rescued: true, .. } | Request::Done { rescued: true, .. }
            ))
        )
    }

    /// Whether it waits for leave to run a task.
    pub(super) fn at_turn(&self) -> bool {
        matches!(self.asked, Some((_, Request::Turn { .. })))
    }

    /// Whether it waits to hear what its task's end means.
    pub(super) fn at_done(&self) -> bool {
        matches!(self.asked, Some((_, Request::Done { .. })))
    }

    /// Whether it waits to hear in which order to include.
    pub(super) fn at_includes(&self) -> bool {
        matches!(self.asked, Some((_, Request::Includes { .. })))
    }

    /// The play that it waits to begin with.
    pub(super) fn at_play(&self) -> Option<usize> {
        match self.asked {
            Some((_, Request::Play { index, .. })) => Some(index as usize),
            _ => None,
        }
    }

    /// Where it waits to run a task.
    pub(super) fn place(&self) -> Option<(&[u32], &str)> {
        match &self.asked {
            Some((_, Request::Turn { place, task, .. })) => Some((place, task)),
            _ => None,
        }
    }

    /// Takes in what it tells of itself.
    pub(super) fn learn(&mut self, since: &Since) {
        self.outcome = since.outcome;
        if since.outcome == Outcome::ClearFacts {
            self.facts.clear();
        }
        self.facts.extend(since.facts.clone());
        self.vars.extend(since.vars.clone());
    }

    /// Takes in what others do to it.
    pub(super) fn receive(&mut self, update: Update) {
        match &update {
            Update::Facts(facts) => self.facts.extend(facts.clone()),
            Update::Vars(vars) => self.vars.extend(vars.clone()),
            Update::ClearFacts => self.facts.clear(),
            _ => {}
        }
        if self.standing != Standing::Ended {
            self.updates.push(update);
        }
    }

    /// Answers what it waits for.
    pub(super) fn answer(&mut self, reply: impl FnOnce(Vec<Update>) -> Reply) {
        let Some((id, request)) = self.asked.take() else {
            return;
        };
        if let Request::Turn { task, .. } = request {
            self.task = task;
        }
        self.standing = Standing::Working;
        self.outcome = Outcome::Fine;
        let updates = std::mem::take(&mut self.updates);
        self.say(id, &reply(updates));
    }

    /// Answers a question that it asked beside its work.
    pub(super) fn say(&self, id: u64, reply: &Reply) {
        let Some(orders) = &self.orders else { return };
        let body = postcard::to_stdvec(reply).map_err(|e| e.to_string());
        let body = body.map(Bytes::from);
        orders.send(Down::Answer { id, body });
    }

    /// What it tells of other hosts.
    pub(super) fn about(since: &Since) -> Vec<(&str, Update)> {
        let facts = since.about.iter();
        let vars = since.about_vars.iter();
        let facts = facts.filter_map(|(host, facts)| match facts {
            Value::Map(facts) => Some((host.as_str(), Update::Facts(facts.clone()))),
            _ => None,
        });
        let vars = vars.filter_map(|(host, vars)| match vars {
            Value::Map(vars) => Some((host.as_str(), Update::Vars(vars.clone()))),
            _ => None,
        });
        facts.chain(vars).collect()
    }
}
