//! Handlers: notified by name or topic, run once and in the order in which they are written.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use rustle_formats::Value;
use rustle_formats::event::EventKind;
use rustle_formats::order;
use rustle_formats::plan::{PlayPlan, Task};

use super::ahead::Used;
use super::level::Level;
use super::play::{Flow, PlayRun};
use super::role::Role;
use super::runner::Abort;
use super::task;
use super::turns::LAST;
use super::{Frame, meta};
use crate::vars::{TaskVars, Templar};

/// A handler of a play.
pub(crate) struct Handler<'r> {
    task: &'r Task,
    around: Vec<Level<'r>>,
    /// Handlers come in groups, one for each role and one for the play.
    group: usize,
    /// Its name, templated when it is first looked for.
    name: OnceCell<String>,
    notified: Cell<bool>,
}

impl<'r> Handler<'r> {
    fn frame(&self, play: &PlayRun<'_, 'r>) -> Frame<'r> {
        Frame {
            play: play.play,
            around: self.around.clone(),
            task: self.task,
            handler: true,
        }
    }

    /// Its name; one that cannot be templated answers to nobody.
    fn name(&self, play: &PlayRun<'_, 'r>) -> &str {
        self.name.get_or_init(|| {
            if !self.task.name.contains("{{") {
                return self.task.name.clone();
            }
            let frame = self.frame(play);
            let vars = TaskVars::new(task::scope(play, &frame));
            let templar = Templar::new(&play.run.templates, &vars);
            match templar.value(&Value::Str(self.task.name.clone())) {
                Ok(name) => name.as_ref().map(crate::args::text).unwrap_or_default(),
                Err(e) => {
                    if self.task.listen.is_empty() {
                        play.run.warn(format!(
                            "Handler '{}' is unusable because it has no listen topics and the name could not be templated (host-specific variables are not supported in handler names). The error: {}",
                            self.task.name, e.message
                        ));
                    }
                    String::new()
                }
            }
        })
    }

    /// The names of its role, long and short.
    fn role_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.task.role.iter().cloned().collect();
        let role = self.around.iter().rev().find_map(|level| match level {
            Level::Role(role) => Some(role),
            _ => None,
        });
        if let Some(role) = role {
            names.push(role.name.to_owned());
            names.push(role.short_name().to_owned());
        }
        names
    }

    /// Its name as it is told: with the role before it.
    fn told(&self, play: &PlayRun<'_, 'r>) -> String {
        match self.role_names().first() {
            Some(role) => format!("{role} : {}", self.name(play)),
            None => self.name(play).to_owned(),
        }
    }

    fn is_called(&self, play: &PlayRun<'_, 'r>, wanted: &str) -> bool {
        let own = self.name(play);
        !own.is_empty() && self.is_meant(own, wanted)
    }

    /// Whether it listens to a topic.
    fn listens(&self, topic: &str) -> bool {
        self.task.listen.iter().any(|own| self.is_meant(own, topic))
    }

    /// Whether `wanted` is `own`, or `own` with the name of its role before it.
    fn is_meant(&self, own: &str, wanted: &str) -> bool {
        own == wanted
            || self.role_names().iter().any(|role| {
                let rest = wanted.strip_prefix(role.as_str());
                rest.and_then(|r| r.strip_prefix(" : ")) == Some(own)
            })
    }
}

/// The handlers that a play has when it begins: those of the roles that it lists, its own, those of imported roles.
pub(crate) fn of_play<'r>(play: &'r PlayPlan, roles: &[Used<'r>]) -> Vec<Rc<Handler<'r>>> {
    let mut out = Vec::new();
    for used in roles.iter().filter(|used| !used.imported) {
        of_role(&used.role, &used.around, &mut out);
    }
    let mut label: Option<&Option<String>> = None;
    for task in &play.handlers {
        let next = label != Some(&task.role);
        label = Some(&task.role);
        push(task, &[], next, &mut out);
    }
    for used in roles.iter().filter(|used| used.imported) {
        of_role(&used.role, &used.around, &mut out);
    }
    out
}

fn push<'r>(
    task: &'r Task,
    around: &[Level<'r>],
    next_group: bool,
    out: &mut Vec<Rc<Handler<'r>>>,
) {
    let group = out.last().map_or(0, |h| h.group) + usize::from(next_group);
    out.push(Rc::new(Handler {
        task,
        around: around.to_vec(),
        group,
        name: OnceCell::new(),
        notified: Cell::new(false),
    }));
}

/// The handlers of a role, after those of the roles that it depends on.
fn of_role<'r>(role: &Rc<Role<'r>>, around: &[Level<'r>], out: &mut Vec<Rc<Handler<'r>>>) {
    let mut around = around.to_vec();
    around.push(Level::Role(role.clone()));
    for (entry, dependency) in &role.dependencies {
        around.push(Level::Block(entry));
        of_role(dependency, &around, out);
        around.pop();
    }
    for (i, task) in role.handlers.iter().enumerate() {
        push(task, &around, i == 0, out);
    }
}

/// All handlers with what is around them.
pub(crate) fn frames<'r>(play: &PlayRun<'_, 'r>) -> Vec<Frame<'r>> {
    let handlers = play.handlers.borrow();
    handlers.iter().map(|handler| handler.frame(play)).collect()
}

/// Adds the handlers of a role that was included.
pub(crate) fn add<'r>(play: &PlayRun<'_, 'r>, role: &Rc<Role<'r>>, around: &[Level<'r>]) {
    of_role(role, around, &mut play.handlers.borrow_mut());
}

/// The handlers that answer to a name: of those that are called so one, and those that listen to it. The last group comes
/// first, in it the first handler; of listeners with one name only one answers.
fn answering<'r>(play: &PlayRun<'_, 'r>, name: &str) -> Vec<Rc<Handler<'r>>> {
    let handlers = play.handlers.borrow();
    let mut sorted: Vec<&Rc<Handler<'r>>> = handlers.iter().collect();
    order::sort_by_key(&mut sorted, |h| std::cmp::Reverse(h.group));
    let called = sorted.iter().find(|h| h.is_called(play, name));
    let mut out: Vec<Rc<Handler<'r>>> = called.into_iter().map(|h| (*h).clone()).collect();
    let mut seen: Vec<&str> = Vec::new();
    for handler in &sorted {
        if !handler.listens(name) {
            continue;
        }
        let own = handler.task.name.as_str();
        if !own.is_empty() && seen.contains(&own) {
            continue;
        }
        seen.push(own);
        if !out.iter().any(|known| Rc::ptr_eq(known, handler)) {
            out.push((*handler).clone());
        }
    }
    out
}

/// Keeps the names that a changed task notifies, for the next time that handlers are run.
///
/// # Errors
/// Ansible's sentence, where a name is neither a handler nor a topic.
pub(crate) fn notify(play: &PlayRun<'_, '_>, names: Vec<String>, now: bool) -> Result<(), Abort> {
    for name in names {
        let found = answering(play, &name);
        if found.is_empty() {
            if play.run.store.options.unknown_handlers {
                play.run.warn(unknown(&name));
                continue;
            }
            return Err(Abort::Error(unknown(&name)));
        }
        if now {
            mark(play, &found);
        } else if !play.notified_names.borrow().contains(&name) {
            play.notified_names.borrow_mut().push(name);
        }
    }
    Ok(())
}

/// Marks handlers to be run, and tells it.
fn mark<'r>(play: &PlayRun<'_, 'r>, handlers: &[Rc<Handler<'r>>]) {
    for handler in handlers {
        if !handler.notified.replace(true) {
            play.run.emit(EventKind::Notified {
                host: play.run.store.host.to_owned(),
                handler: handler.told(play),
            });
        }
    }
}

/// What Ansible says about a name that nobody answers to.
fn unknown(name: &str) -> String {
    format!(
        "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
    )
}

/// Runs the handlers that were notified, whatever tags the run was asked for. Those that a handler notifies follow, if
/// they are written after it; the others wait for the next time.
pub(crate) fn flush(play: &PlayRun<'_, '_>) -> Result<Flow, Abort> {
    mark_notified(play);
    run_marked(play)
}

/// Marks the handlers that were notified.
pub(crate) fn mark_notified(play: &PlayRun<'_, '_>) {
    let names = play.notified_names.take();
    for name in &names {
        mark(play, &answering(play, name));
    }
}

/// Runs the handlers that are marked.
pub(crate) fn run_marked(play: &PlayRun<'_, '_>) -> Result<Flow, Abort> {
    if !play.handlers.borrow().iter().any(|h| h.notified.get()) {
        return Ok(Flow::Next);
    }
    let outer = play.handling.replace(true);
    play.enter(LAST);
    let flow = run_notified(play);
    play.leave();
    play.handling.set(outer);
    flow
}

fn run_notified(play: &PlayRun<'_, '_>) -> Result<Flow, Abort> {
    let mut index = 0;
    loop {
        // A handler that includes a role adds handlers behind it.
        let Some(handler) = play.handlers.borrow().get(index).cloned() else {
            return Ok(Flow::Next);
        };
        index += 1;
        if !handler.notified.replace(false) || !play.concerns(&handler.task.hosts) {
            continue;
        }
        play.run.check_stop()?;
        let frame = handler.frame(play);
        play.enter(u32::try_from(index).unwrap_or(LAST));
        let flow = run_one(play, &frame)?;
        play.leave();
        if flow != Flow::Next {
            return Ok(flow);
        }
    }
}

fn run_one<'r>(play: &PlayRun<'_, 'r>, frame: &Frame<'r>) -> Result<Flow, Abort> {
    if let Some(flow) = play.turn(frame)? {
        return Ok(flow);
    }
    if meta::is_meta(&frame.task.module) {
        return meta::run(play, frame);
    }
    play.run_and_follow(frame)
}
