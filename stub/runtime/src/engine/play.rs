//! A play: its hosts, its facts, its batches with blocks, rescue and always, and its handlers.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use rustle_formats::event::EventKind;
use rustle_formats::plan::{PlayPlan, Task};
use rustle_formats::{Map, Value};

use super::driver::Confirm;
use super::handlers::{self, Handler};
use super::includes::{self, Wish};
use super::level::Level;
use super::runner::{Abort, Run};
use super::task;
use super::{Frame, ahead, batches, meta, rehearse, tags, turns};
use crate::args::text;
use crate::context::Staging;
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
    /// The end of the play: the host cannot be reached.
    Unreachable,
}

/// A play being run.
pub(crate) struct PlayRun<'a, 'r> {
    pub run: &'a Run<'r>,
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
    /// Whether the driver is asked before every task.
    stepping: Cell<bool>,
    /// What the task that is being run wants to be included.
    pub wishes: RefCell<Vec<Wish>>,
    /// The roles of which a task was done, by what tells their uses apart.
    pub roles_begun: RefCell<HashSet<String>>,
    /// Those that came to their end after that.
    pub(super) roles_done: RefCell<HashSet<String>>,
    /// Whether somebody keeps this host in step with others.
    pub shared: bool,
    /// Whether the play has no other host, so that it needs no leave for its tasks.
    pub(super) alone: Cell<bool>,
    /// The place of what is being run in the order of the play.
    pub(super) place: RefCell<Vec<u32>>,
    /// Whether a failure of the task that is being run ends the play for all.
    pub(super) fatal: Cell<bool>,
    /// Whether the task that is being run is done for all hosts.
    pub(super) once: Cell<bool>,
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
    let shared = run.store.options.attended;
    let (hosts, batch, gone) = if shared {
        match run.begin_play(index)? {
            Some(begun) => (begun.hosts, begun.batch, begun.gone),
            None => return Ok(PlayEnd::Done),
        }
    } else {
        let hosts = hosts_of(run, play);
        if !hosts.iter().any(|h| h == run.store.host) {
            run.emit(EventKind::PlaySkipped {
                name: play.name.clone(),
                reason: "no hosts matched".into(),
            });
            return Ok(PlayEnd::Done);
        }
        (hosts.clone(), hosts, Vec::new())
    };
    let turns = batches::order(play).map_err(Abort::Error)?;
    run.store.begin_play();
    let items = play.batches.iter().flat_map(|b| &b.tasks);
    let roles = ahead::roles(run.store.plan, items, &[]).map_err(Abort::Error)?;
    let play_run = PlayRun {
        run,
        play,
        alone: Cell::new(shared && hosts.len() == 1 && !run.store.options.step),
        vars: PlayVars {
            play: Some(play),
            hosts,
            batch,
            gone: RefCell::new(gone),
            failed: Cell::new(false),
            roles: RefCell::new(roles.iter().map(|used| used.role.clone()).collect()),
            chosen: RefCell::default(),
        },
        notified_names: RefCell::default(),
        handlers: RefCell::new(handlers::of_play(play, &roles)),
        handling: Cell::new(false),
        told_name: RefCell::default(),
        stepping: Cell::new(run.store.options.step),
        wishes: RefCell::default(),
        roles_begun: RefCell::default(),
        roles_done: RefCell::default(),
        shared,
        place: RefCell::default(),
        fatal: Cell::new(false),
        once: Cell::new(false),
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
    let groups = run.store.groups.borrow();
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

/// The place behind the section that a play has come to.
fn end_of(turns: &[batches::Turn<'_>], batch: Option<usize>) -> u32 {
    let last = turns.iter().rposition(|turn| Some(turn.batch) == batch);
    last.map_or(0, |at| u32::try_from(at + 1).unwrap_or(turns::LAST))
}

impl<'r> PlayRun<'_, 'r> {
    #[cfg(feature = "full")]
    /// Looks again which files `vars_files` means for this host.
    pub(crate) fn choose_files(&self) -> Result<(), Abort> {
        if self.play.vars_choices.is_empty() {
            return Ok(());
        }
        let (store, templates) = (&self.run.store, &self.run.templates);
        crate::vars::choose(store, templates, &self.vars, self.play).map_err(Abort::Error)
    }

    fn through(&self, turns: &[batches::Turn<'r>], gather: &'r Task) -> Result<PlayEnd, Abort> {
        let mut flow = Flow::Next;
        if self.play.gather_facts == Some(true) && !self.run.store.knows_enough() {
            self.enter(0);
            flow = self.gather(gather)?;
            self.leave();
        }
        if let (Flow::Next, Some(staging)) = (flow, &self.staging) {
            rehearse::rehearse(self, staging)?;
        }
        let batches = &self.play.batches;
        let sections = batches.iter().any(|b| b.flush_handlers == Some(true));
        let mut last: Option<usize> = None;
        let mut step = 0;
        for turn in turns {
            if flow == Flow::Next {
                self.enter(step);
                flow = self.section_ends(last.filter(|l| *l != turn.batch))?;
                self.leave();
            }
            if flow != Flow::Next {
                break;
            }
            last = Some(turn.batch);
            step += 1;
            if !self.concerns(&batches[turn.batch].hosts) {
                continue;
            }
            self.enter(step);
            flow = self.item(turn.content, &mut Vec::new())?;
            self.leave();
        }
        if flow == Flow::Next {
            self.enter(step);
            flow = self.section_ends(last)?;
            self.leave();
        }
        if flow == Flow::EndRole {
            return Err(Abort::Error(
                "Cannot execute 'end_role' from outside of a role".into(),
            ));
        }
        if flow == Flow::Failed {
            self.vars.failed.set(true);
        }
        let options = self.run.store.options;
        let force = self.play.force_handlers.unwrap_or(options.force_handlers);
        if flow == Flow::Next || (flow == Flow::Failed && force) {
            // Once after the tasks and once after what comes last in a play: what handlers notify gets a second turn. A
            // plan with sections has said where the first ones are.
            for _ in 0..if sections { 1 } else { 2 } {
                self.enter(if sections {
                    end_of(turns, last)
                } else {
                    turns::LAST
                });
                let end = handlers::flush(self)?;
                self.leave();
                if end == Flow::Failed {
                    flow = Flow::Failed;
                    self.vars.failed.set(true);
                    break;
                }
            }
        }
        if flow == Flow::Failed && !self.shared && !turns::tolerates(self.play) {
            // Ansible says it when it counts the failed hosts, and again when it finds nobody to go on with.
            self.run.emit(EventKind::NoMoreHosts {});
            self.run.emit(EventKind::NoMoreHosts {});
        }
        Ok(match flow {
            Flow::Failed | Flow::Unreachable if !self.shared => PlayEnd::Failed,
            _ => PlayEnd::Done,
        })
    }

    /// Runs the handlers where a batch ends that wants it.
    fn section_ends(&self, batch: Option<usize>) -> Result<Flow, Abort> {
        match batch.and_then(|b| self.play.batches[b].flush_handlers) {
            Some(true) => handlers::flush(self),
            _ => Ok(Flow::Next),
        }
    }

    fn gather(&self, task: &'r Task) -> Result<Flow, Abort> {
        let frame = Frame {
            play: self.play,
            around: Vec::new(),
            task,
            handler: false,
        };
        if !self.selects(&frame) || !self.confirmed(&frame) {
            return Ok(Flow::Next);
        }
        if let Some(flow) = self.turn(&frame)? {
            return Ok(flow);
        }
        let end = task::run_task(self, &frame)?;
        if matches!(end, task::TaskEnd::Done) {
            self.run.store.note_gathered();
        }
        self.settle(&frame, end)
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
                .any(|name| store.groups.borrow().includes(name, store.host))
    }

    /// Whether the run's tags select a task, whose own may be templates.
    pub(super) fn selects(&self, frame: &Frame<'r>) -> bool {
        let options = &self.run.store.options;
        let tags = frame.tags();
        if !tags.iter().any(|tag| tag.contains("{{")) {
            return tags::selected(&tags, &options.tags, &options.skip_tags);
        }
        let vars = TaskVars::new(task::scope(self, frame));
        let templar = Templar::new(&self.run.templates, &vars);
        let mut rendered: Vec<String> = Vec::new();
        for tag in tags {
            match templar.value(&Value::Str(tag.to_owned())) {
                Ok(Some(Value::List(list))) => rendered.extend(list.iter().map(text)),
                Ok(Some(one)) => {
                    rendered.extend(text(&one).split(',').map(|t| t.trim().to_owned()));
                }
                _ => rendered.push(tag.to_owned()),
            }
        }
        let tags: Vec<&str> = rendered.iter().map(String::as_str).collect();
        tags::selected(&tags, &options.tags, &options.skip_tags)
    }

    /// Runs a task if the tags select it, and what it includes.
    pub(super) fn task(&self, task: &'r Task, around: &[Level<'r>]) -> Result<Flow, Abort> {
        if !self.concerns(&task.hosts) {
            return Ok(Flow::Next);
        }
        let frame = Frame {
            play: self.play,
            around: around.to_vec(),
            task,
            handler: self.handling.get(),
        };
        if !self.selects(&frame) || !self.started_at(&frame) {
            return Ok(Flow::Next);
        }
        self.run.check_stop()?;
        if let Some(flow) = self.turn(&frame)? {
            return Ok(flow);
        }
        if meta::is_meta(&task.module) {
            return meta::run(self, &frame);
        }
        if !self.confirmed(&frame) {
            return Ok(Flow::Next);
        }
        self.run_and_follow(&frame)
    }

    /// Runs a task, and what it includes.
    pub(crate) fn run_and_follow(&self, frame: &Frame<'r>) -> Result<Flow, Abort> {
        let end = task::run_task(self, frame)?;
        match self.settle(frame, end)? {
            Flow::Next => includes::follow(self, frame),
            flow => Ok(flow),
        }
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

    /// Whether a task is to be done, where each is asked for.
    fn confirmed(&self, frame: &Frame<'_>) -> bool {
        // An artifact never asks.
        if !cfg!(feature = "full") || !self.stepping.get() {
            return true;
        }
        let name = frame.written_name();
        let name = match frame.role_name() {
            Some(role) => ["TASK: ", role, " : ", &name].concat(),
            None => ["TASK: ", &name].concat(),
        };
        let answer = self.run.store.driver.confirm(&name);
        self.stepping.set(answer != Confirm::All);
        answer != Confirm::No
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
