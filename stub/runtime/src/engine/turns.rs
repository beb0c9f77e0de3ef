//! Keeping in step with the other hosts of a run: where this host stands, and asking for leave to go on.

use rustle_formats::Value;
use rustle_formats::plan::PlayPlan;

use super::driver::{Reply, Request};
use super::play::{Flow, PlayRun};
use super::runner::Abort;
use super::task::{self, TaskEnd};
use super::together::{Once, Outcome};
use super::{Frame, keywords, meta};
use crate::vars::{TaskVars, Templar};

/// The step that handlers stand behind: after everything at the same place.
pub(super) const LAST: u32 = u32::MAX;

/// How a play begins for this host.
pub(super) struct Begun {
    /// Its hosts.
    pub hosts: Vec<String>,
    /// Those that run now.
    pub batch: Vec<String>,
    /// Those that have failed already.
    pub gone: Vec<String>,
}

impl super::runner::Run<'_> {
    /// Asks for leave to begin with a play; none where it is not for this host.
    ///
    /// # Errors
    /// Where nobody answers.
    pub(super) fn begin_play(&self, index: usize) -> Result<Option<Begun>, Abort> {
        let reply = self.store.driver.ask(Request::Play {
            index: u32::try_from(index).unwrap_or(u32::MAX),
            since: self.store.since(Outcome::Fine),
        });
        match reply {
            Reply::Play {
                hosts,
                batch,
                gone,
                updates,
            } => {
                self.store.apply(updates);
                Ok(Some(Begun { hosts, batch, gone }))
            }
            Reply::Pass(updates) => {
                self.store.apply(updates);
                Ok(None)
            }
            other => Err(unanswered(other)),
        }
    }
}

/// What comes of an answer that is none.
fn unanswered(reply: Reply) -> Abort {
    match reply {
        Reply::Refused(why) => Abort::Error(why),
        _ => Abort::Error("the controller answers what was not asked".to_owned()),
    }
}

impl<'r> PlayRun<'_, 'r> {
    /// Goes one level deeper into the order of the play.
    pub(super) fn enter(&self, step: u32) {
        self.place.borrow_mut().push(step);
    }

    /// Comes back from there.
    pub(super) fn leave(&self) {
        self.place.borrow_mut().pop();
    }

    /// Asks for leave to run a task; what follows in its place where this host does not.
    pub(super) fn turn(&self, frame: &Frame<'r>) -> Result<Option<Flow>, Abort> {
        if !self.shared {
            return Ok(None);
        }
        let vars = TaskVars::new(task::scope(self, frame));
        let templar = Templar::new(&self.run.templates, &vars);
        let flag =
            |name, value: Option<&Value>| keywords::flag(&templar, name, value) == Ok(Some(true));
        let is_meta = meta::is_meta(&frame.task.module);
        let once = if is_meta {
            match meta::for_all(meta::action(&frame.task.args)) {
                true => Once::Alone,
                false => Once::No,
            }
        } else if flag("run_once", frame.run_once()) {
            Once::ForAll
        } else if is_add_host(&frame.task.module) {
            Once::Alone
        } else {
            Once::No
        };
        let fatal = !is_meta
            && (once != Once::No || flag("any_errors_fatal", frame.any_errors_fatal()))
            && !flag("ignore_errors", frame.ignore_errors());
        self.fatal.set(fatal);
        self.once.set(once != Once::No);
        if self.alone.get() && !is_meta && !is_add_host(&frame.task.module) && !self.has_news() {
            return Ok(None);
        }
        let reply = self.run.store.driver.ask(Request::Turn {
            place: self.place.borrow().clone(),
            task: frame.task.id.clone(),
            once,
            rescued: self.rescued(),
            // What steers the engine is told host by host.
            throttle: if is_meta {
                1
            } else {
                throttle(&templar, frame)
            },
            since: self.run.store.since(Outcome::Fine),
        });
        self.heed(reply, Flow::Next).map(|(flow, go)| match go {
            true => None,
            false => Some(flow),
        })
    }

    /// Tells how a task ended where that concerns others, and hears what it means here.
    pub(super) fn settle(&self, frame: &Frame<'r>, end: TaskEnd) -> Result<Flow, Abort> {
        let (own, outcome) = match end {
            TaskEnd::Done => (Flow::Next, Outcome::Fine),
            TaskEnd::Failed {
                result,
                unreachable,
            } => {
                if !unreachable {
                    self.keep_failure(frame, result);
                }
                match (unreachable, self.rescued()) {
                    (true, _) => (Flow::Unreachable, Outcome::Unreachable),
                    (false, true) => (Flow::Failed, Outcome::Caught),
                    (false, false) => (Flow::Failed, Outcome::Failed),
                }
            }
        };
        let concerns = self.once.get()
            || self.fatal.get()
            || self.play.max_fail_percentage.is_some()
            || !matches!(outcome, Outcome::Fine | Outcome::Caught);
        // Alone, a host's success concerns nobody.
        let concerns = concerns && !(self.alone.get() && outcome == Outcome::Fine);
        if !self.shared || !concerns {
            return Ok(own);
        }
        if !matches!(outcome, Outcome::Fine | Outcome::Caught) {
            self.vars.failed.set(true);
        }
        self.done(outcome, own)
    }

    /// Whether other hosts' variables were set, which their coordinator must know before anybody asks for them.
    fn has_news(&self) -> bool {
        self.run.store.tells_of_others()
    }

    /// Tells how something ended, and hears what it means here.
    pub(super) fn done(&self, outcome: Outcome, own: Flow) -> Result<Flow, Abort> {
        if !self.shared {
            return Ok(own);
        }
        if outcome == Outcome::RefreshInventory {
            // The inventory may not know this host any more, which is said at its next turn.
            self.alone.set(false);
        }
        let reply = self.run.store.driver.ask(Request::Done {
            fatal: self.fatal.get(),
            rescued: self.rescued(),
            since: self.run.store.since(outcome),
        });
        self.heed(reply, own).map(|(flow, _)| flow)
    }

    /// In which order to follow what a task wants to be included, with the step of each.
    pub(super) fn order(&self, keys: Vec<String>) -> Result<Vec<u32>, Abort> {
        let count = keys.len();
        if !self.shared || self.alone.get() {
            return Ok((0u32..).take(count).collect());
        }
        match self.run.store.driver.ask(Request::Includes { keys }) {
            Reply::Order(order) if order.len() == count => Ok(order),
            other => Err(unanswered(other)),
        }
    }

    /// What an answer means: what follows, and whether it was plain leave to go on.
    fn heed(&self, reply: Reply, own: Flow) -> Result<(Flow, bool), Abort> {
        let (updates, flow, go) = match reply {
            Reply::Go(updates) => {
                // Who could not be reached and may go on tries again with the next task.
                let flow = if own == Flow::Unreachable {
                    self.vars.failed.set(false);
                    Flow::Next
                } else {
                    own
                };
                (updates, flow, true)
            }
            Reply::Pass(updates) => (updates, Flow::Next, false),
            Reply::Fail(updates) => {
                self.vars.failed.set(!self.rescued());
                (updates, Flow::Failed, false)
            }
            Reply::EndPlay(updates) => (updates, Flow::EndPlay, false),
            other => return Err(unanswered(other)),
        };
        self.vars.follow(&updates);
        self.run.store.apply(updates);
        Ok((flow, go))
    }
}

fn is_add_host(module: &str) -> bool {
    crate::modules::find(module).is_some_and(|m| m.spec().name == "add_host")
}

fn throttle(templar: &Templar<'_, '_>, frame: &Frame<'_>) -> u32 {
    let mut blocks = frame.blocks().filter_map(|b| b.throttle.as_ref());
    let written = frame.task.throttle.as_ref().or_else(|| blocks.next_back());
    let written = written.or(frame.play.throttle.as_ref());
    let Some(written) = written else { return 0 };
    let value = templar.value(written).ok().flatten().unwrap_or_default();
    crate::args::text(&value).trim().parse().unwrap_or(0)
}

/// Whether a play goes on after its last task has failed, as far as one host alone can tell.
pub(super) fn tolerates(play: &PlayPlan) -> bool {
    let share = play.max_fail_percentage.as_ref();
    let share = share.and_then(|v| crate::args::text(v).trim().parse::<f64>().ok());
    share.is_none_or(|share| share >= 100.0)
}
