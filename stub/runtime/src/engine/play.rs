//! A play: its hosts, its facts, its batches with blocks, rescue and always, and its handlers.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use rustle_formats::event::EventKind;
use rustle_formats::plan::{PlayPlan, Task};
use rustle_formats::{Map, Value};

use super::driver::{Meeting, Position, Reply, Request};
use super::handlers::{self, Handler};
use super::includes::{self, Wish};
use super::level::Level;
use super::runner::{Abort, Run};
use super::task::{self, TaskEnd};
use super::{Frame, ahead, batches, meta, rehearse, tags};
use crate::context::Staging;
use crate::spec::Reach;
use crate::vars::{PlayVars, TaskScope, TaskVars, Templar};

/// How a play ended for this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlayEnd {
    /// The next play follows.
    Done,
    /// The host failed, or the run was told to end: no play follows.
    Failed,
}

/// What follows after a task or a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The next one.
    Next,
    /// A rescue, or the end of the play.
    Failed,
    /// The end of the play (`meta: end_play`, `end_host`, `end_batch`), without failure.
    EndPlay,
    /// The end of the tasks of this role (`meta: end_role`).
    EndRole,
}

/// A play being run.
pub(crate) struct PlayRun<'a, 'r> {
    pub run: &'a Run<'r>,
    pub index: usize,
    pub play: &'r PlayPlan,
    pub vars: PlayVars<'r>,
    /// Names that tasks notified since handlers were last run.
    pub notified_names: RefCell<Vec<String>>,
    /// The handlers, in the order in which they run; roles that are included add theirs.
    pub handlers: RefCell<Vec<Rc<Handler<'r>>>>,
    /// Whether handlers are being run.
    pub handling: Cell<bool>,
    /// The name of the task that is being run, as it was told.
    pub told_name: RefCell<String>,
    /// What the task that is being run wants to be included.
    pub wishes: RefCell<Vec<Wish>>,
    /// The roles of which a task was done, by what tells their uses apart.
    pub roles_begun: RefCell<HashSet<String>>,
    /// Those that came to their end after that.
    pub(super) roles_done: RefCell<HashSet<String>>,
    /// Whether others run this play too.
    pub shared: bool,
    /// Place of each task in the play, where others must be met; filled when `shared`.
    positions: HashMap<*const Task, u32>,
    passed: Cell<u32>,
    /// How many of the blocks that are being run have a rescue for what fails in them.
    pub(super) rescuers: Cell<usize>,
    /// What is staged, where the play is atomic.
    pub staging: Option<Staging>,
}

/// Runs a play.
pub(crate) fn run_play<'r>(
    run: &Run<'r>,
    index: usize,
    play: &'r PlayPlan,
    gather: &'r Task,
) -> Result<PlayEnd, Abort> {
    let hosts = hosts_of(run, play);
    if !hosts.iter().any(|h| h == run.store.host) {
        run.emit(EventKind::PlaySkipped {
            name: play.name.clone(),
            reason: "no hosts matched".into(),
        });
        return Ok(PlayEnd::Done);
    }
    let turns = batches::order(play).map_err(Abort::Error)?;
    run.store.begin_play();
    let items = play.batches.iter().flat_map(|b| &b.tasks);
    let roles = ahead::roles(run.store.plan, items, &[]).map_err(Abort::Error)?;
    ahead::refuse_impossible(play)?;
    let shared = hosts.len() > 1;
    let play_run = PlayRun {
        run,
        index,
        play,
        vars: PlayVars {
            play: Some(play),
            hosts,
            failed: Cell::new(false),
            roles: RefCell::new(roles.iter().map(|used| used.role.clone()).collect()),
        },
        notified_names: RefCell::default(),
        handlers: RefCell::new(handlers::of_play(play, &roles)),
        handling: Cell::new(false),
        told_name: RefCell::default(),
        wishes: RefCell::default(),
        roles_begun: RefCell::default(),
        roles_done: RefCell::default(),
        shared,
        positions: if shared {
            positions(play)
        } else {
            HashMap::new()
        },
        passed: Cell::new(0),
        rescuers: Cell::new(0),
        staging: (play.atomic == Some(true)).then(Staging::default),
    };
    run.emit(EventKind::PlayStarted {
        play: play.play_id.clone(),
        name: name_of(&play_run),
        hosts: vec![run.store.host.to_owned()],
    });
    play_run.through(&turns, gather)
}

/// The play's name with what is known of variables before it begins.
fn name_of(play: &PlayRun<'_, '_>) -> String {
    let written = &play.play.name;
    if !written.contains("{{") {
        return written.clone();
    }
    let vars = TaskVars::new(TaskScope {
        store: &play.run.store,
        templates: &play.run.templates,
        play: &play.vars,
        frame: None,
    });
    Templar::new(&play.run.templates, &vars).lenient_text(written)
}

/// The hosts of a play by name: all of the plan where it names none.
fn hosts_of(run: &Run<'_>, play: &PlayPlan) -> Vec<String> {
    let groups = &run.store.groups;
    let everybody = groups.all().get("all").cloned().unwrap_or_default();
    let mut hosts: Vec<String> = Vec::new();
    let mut add = |host: &str| {
        if !hosts.iter().any(|h| h == host) {
            hosts.push(host.to_owned());
        }
    };
    if play.hosts.is_empty() {
        everybody.iter().for_each(|h| add(h));
        add(run.store.host);
    }
    for name in &play.hosts {
        if name == "all" || name == "*" {
            everybody.iter().for_each(|h| add(h));
            if everybody.is_empty() {
                add(run.store.host);
            }
        } else if let Some(members) = groups.all().get(name) {
            members.iter().for_each(|h| add(h));
        } else {
            add(name);
        }
    }
    hosts
}

fn positions(play: &PlayPlan) -> HashMap<*const Task, u32> {
    let mut tasks = Vec::new();
    for batch in &play.batches {
        for item in &batch.tasks {
            item.collect(&mut tasks);
        }
    }
    tasks.extend(&play.handlers);
    (0u32..)
        .zip(tasks)
        .map(|(i, t)| (std::ptr::from_ref(t), i))
        .collect()
}

impl<'r> PlayRun<'_, 'r> {
    fn through(&self, turns: &[batches::Turn<'r>], gather: &'r Task) -> Result<PlayEnd, Abort> {
        let mut flow = self.meet(Meeting::PlayStart, "")?;
        if flow == Flow::Next && self.play.gather_facts == Some(true) {
            flow = self.gather(gather)?;
        }
        if let (Flow::Next, Some(staging)) = (flow, &self.staging) {
            rehearse::rehearse(self, staging)?;
        }
        let batches = &self.play.batches;
        let sections = batches.iter().any(|b| b.flush_handlers == Some(true));
        let mut last: Option<usize> = None;
        for turn in turns {
            if flow == Flow::Next {
                flow = self.section_ends(last.filter(|l| *l != turn.batch))?;
            }
            if flow != Flow::Next {
                break;
            }
            last = Some(turn.batch);
            if !self.concerns(&batches[turn.batch].hosts) {
                continue;
            }
            flow = self.item(turn.content, &mut Vec::new())?;
        }
        if flow == Flow::Next {
            flow = self.section_ends(last)?;
        }
        if flow == Flow::EndRole {
            return Err(Abort::Error(
                "Cannot execute 'end_role' from outside of a role".into(),
            ));
        }
        if flow == Flow::Failed {
            self.vars.failed.set(true);
        }
        let force = self.run.store.options.force_handlers || self.play.force_handlers == Some(true);
        if flow == Flow::Next || (flow == Flow::Failed && force) {
            // Once after the tasks and once after what comes last in a play: what handlers notify gets a second turn. A
            // plan with sections has said where the first ones are.
            for _ in 0..if sections { 1 } else { 2 } {
                let end = handlers::flush(self)?;
                if end == Flow::Failed {
                    flow = Flow::Failed;
                    self.vars.failed.set(true);
                    break;
                }
            }
        }
        if flow == Flow::Failed && self.tolerates_none() {
            // Ansible says it when it counts the failed hosts, and again when it finds nobody to go on with.
            self.run.emit(EventKind::NoMoreHosts {});
            self.run.emit(EventKind::NoMoreHosts {});
        }
        self.meet(Meeting::PlayEnd, "")?;
        Ok(match flow {
            Flow::Failed => PlayEnd::Failed,
            _ => PlayEnd::Done,
        })
    }

    /// Whether `max_fail_percentage` ends the play when its only host has failed.
    fn tolerates_none(&self) -> bool {
        let share = self.play.max_fail_percentage.as_ref();
        let share = share.and_then(|v| crate::args::text(v).trim().parse::<f64>().ok());
        !self.shared && share.is_some_and(|share| share < 100.0)
    }

    /// Runs the handlers where a batch ends that wants it.
    fn section_ends(&self, batch: Option<usize>) -> Result<Flow, Abort> {
        match batch.and_then(|b| self.play.batches[b].flush_handlers) {
            Some(true) => handlers::flush(self),
            _ => Ok(Flow::Next),
        }
    }

    fn gather(&self, task: &'r Task) -> Result<Flow, Abort> {
        let options = &self.run.store.options;
        let frame = Frame {
            play: self.play,
            around: Vec::new(),
            task,
            handler: false,
        };
        if !tags::selected(&frame.tags(), &options.tags, &options.skip_tags) {
            return Ok(Flow::Next);
        }
        Ok(match task::run_task(self, &frame)? {
            TaskEnd::Failed { .. } => Flow::Failed,
            TaskEnd::Done => Flow::Next,
        })
    }

    /// Whether a failure that happens now is caught by a rescue.
    pub(crate) fn rescued(&self) -> bool {
        self.rescuers.get() > 0
    }

    /// Whether a list of hosts (empty: all) includes this one.
    pub(crate) fn concerns(&self, hosts: &[String]) -> bool {
        let store = &self.run.store;
        hosts.is_empty()
            || hosts
                .iter()
                .any(|name| store.groups.includes(name, store.host))
    }

    /// Runs a task if the tags select it, and what it includes.
    pub(super) fn task(&self, task: &'r Task, around: &[Level<'r>]) -> Result<Flow, Abort> {
        self.passed.set(
            self.positions
                .get(&std::ptr::from_ref(task))
                .copied()
                .unwrap_or(self.passed.get() + 1),
        );
        if !self.concerns(&task.hosts) {
            return Ok(Flow::Next);
        }
        let frame = Frame {
            play: self.play,
            around: around.to_vec(),
            task,
            handler: self.handling.get(),
        };
        let options = &self.run.store.options;
        if !tags::selected(&frame.tags(), &options.tags, &options.skip_tags)
            || !self.started_at(&frame)
        {
            return Ok(Flow::Next);
        }
        self.run.check_stop()?;
        self.run.store.position.set(self.position());
        if meta::is_meta(&task.module) {
            return meta::run(self, &frame);
        }
        if reaches_out(&task.module) {
            let flow = self.meet(Meeting::Task, &task.id)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        self.run_and_follow(&frame)
    }

    /// Runs a task, and what it includes.
    pub(crate) fn run_and_follow(&self, frame: &Frame<'r>) -> Result<Flow, Abort> {
        let end = task::run_task(self, frame)?;
        match self.done(frame, end)? {
            Flow::Next => includes::follow(self, frame),
            flow => Ok(flow),
        }
    }

    /// What follows from a task's end: a failure is kept for the rescue.
    fn done(&self, frame: &Frame<'r>, end: TaskEnd) -> Result<Flow, Abort> {
        let TaskEnd::Failed { result, fatal } = end else {
            return Ok(Flow::Next);
        };
        if self.shared && fatal {
            // The others must hear of it before they go on.
            self.vars.failed.set(true);
            self.meet(Meeting::Task, &frame.task.id)?;
        }
        self.keep_failure(frame, result);
        Ok(Flow::Failed)
    }

    /// Keeps what a rescue may want to know of a failure.
    pub(crate) fn keep_failure(&self, frame: &Frame<'r>, result: Map) {
        if self.rescuers.get() > 0 {
            let store = &self.run.store;
            store.set(
                "ansible_failed_task",
                failed_task(frame, &self.told_name.borrow()),
            );
            store.set("ansible_failed_result", Value::Map(result));
        }
    }

    /// Whether the run has come to the task that it shall begin with.
    fn started_at(&self, frame: &Frame<'_>) -> bool {
        let mut start_at = self.run.start_at.borrow_mut();
        let Some(wanted) = start_at.as_deref() else {
            return true;
        };
        let name = &*frame.written_name();
        let full = frame.role_name().map(|role| format!("{role} : {name}"));
        let found = wanted == name
            || full.as_deref() == Some(wanted)
            || glob(wanted, name)
            || full.as_deref().is_some_and(|f| glob(wanted, f));
        if found {
            *start_at = None;
        }
        found
    }

    /// The place that the run has come to.
    pub(crate) fn position(&self) -> Position {
        Position {
            play: u32::try_from(self.index).unwrap_or(u32::MAX),
            task: self.passed.get(),
        }
    }

    /// Meets the play's other hosts, if there are any and there is a controller.
    pub(crate) fn meet(&self, meeting: Meeting, task: &str) -> Result<Flow, Abort> {
        if !self.shared {
            return Ok(Flow::Next);
        }
        let reply = self.run.store.driver.ask(Request::Barrier {
            position: self.position(),
            task: task.to_owned(),
            meeting,
            failed: self.vars.failed.get(),
        });
        Ok(match reply {
            Reply::Stop(reason) => {
                self.run.warn(reason);
                Flow::EndPlay
            }
            _ => Flow::Next,
        })
    }
}

/// Whether others can notice when a module runs. Unknown modules can do anything.
fn reaches_out(module: &str) -> bool {
    crate::modules::find(module).is_none_or(|m| m.spec().reach == Reach::Outside)
}

/// `ansible_failed_task`: what a rescue may want to know of the task.
fn failed_task(frame: &Frame<'_>, told: &str) -> Value {
    let task = frame.task;
    let mut map = Map::new();
    let name = if task.name.is_empty() { "" } else { told };
    map.insert("name".into(), name.into());
    map.insert("action".into(), task.module.as_str().into());
    map.insert("args".into(), Value::Map(task.args.clone()));
    map.insert("tags".into(), task.tags.clone().into());
    map.insert("when".into(), Value::List(task.when.0.clone()));
    map.insert("register".into(), task.register.clone().into());
    map.insert("loop".into(), task.loop_.clone().unwrap_or_default());
    map.insert("notify".into(), task.notify.clone().into());
    map.insert("vars".into(), Value::Map(task.vars.clone()));
    map.insert(
        "delegate_to".into(),
        task.delegate_to.clone().unwrap_or_default(),
    );
    Value::Map(map)
}

/// Shell patterns with `*` and `?`, for `--start-at-task`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*' {
            p += 1;
            t += 1;
        } else if p < pattern.len() && pattern[p] == '*' {
            retry = Some((p + 1, t));
            p += 1;
        } else if let Some((after, from)) = retry {
            p = after;
            t = from + 1;
            retry = Some((after, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "abbd", false),
            ("?b*", "ab", true),
            ("*", "", true),
            ("a", "ab", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }
}
