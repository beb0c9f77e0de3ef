//! Handlers: notified by name or topic, run once and in the order in which they are written.

use rustle_formats::Value;
use rustle_formats::event::EventKind;

use super::driver::Meeting;
use super::play::{Flow, PlayRun};
use super::runner::Abort;
use super::task::{self, TaskEnd};
use super::{Frame, meta};
use crate::vars::{TaskVars, Templar};

/// The names of a play's handlers, templated: a name is looked for among these. One that cannot be templated answers
/// to nobody.
fn names(play: &PlayRun<'_, '_>) -> Vec<String> {
    let handlers = &play.play.handlers;
    if !handlers.iter().any(|h| h.name.contains("{{")) {
        return handlers.iter().map(|h| h.name.clone()).collect();
    }
    handlers
        .iter()
        .map(|handler| {
            let frame = Frame::of_handler(play.play, handler);
            let vars = TaskVars::new(task::scope(play, &frame));
            let templar = Templar::new(&play.run.templates, &vars);
            let name = templar.value(&Value::Str(handler.name.clone()));
            name.ok()
                .flatten()
                .map_or_else(String::new, |n| crate::args::text(&n))
        })
        .collect()
}

/// The handlers that answer to a name: of those that are called so one, and all that listen to it.
fn answering(play: &PlayRun<'_, '_>, name: &str) -> Vec<usize> {
    let handlers = &play.play.handlers;
    let names = play.handler_names.get_or_init(|| names(play));
    let called = |i: usize| {
        let with_role = || {
            let rest = name.strip_prefix(handlers[i].role.as_deref()?)?;
            rest.strip_prefix(" : ")
        };
        !names[i].is_empty() && (names[i] == name || with_role() == Some(&names[i]))
    };
    // Handlers come in groups, one for each role and one for the play: the last group wins, in it the first handler.
    let mut by_name: Option<usize> = None;
    for i in 0..handlers.len() {
        if called(i) && by_name.is_none_or(|j| handlers[j].role != handlers[i].role) {
            by_name = Some(i);
        }
    }
    (0..handlers.len())
        .filter(|i| Some(*i) == by_name || handlers[*i].listen.iter().any(|l| l == name))
        .collect()
}

/// Keeps the names that a changed task notifies, for the next time that handlers are run.
///
/// # Errors
/// Ansible's sentence, where a name is neither a handler nor a topic.
pub(crate) fn notify(play: &PlayRun<'_, '_>, names: Vec<String>, now: bool) -> Result<(), Abort> {
    for name in names {
        let found = answering(play, &name);
        if found.is_empty() {
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
fn mark(play: &PlayRun<'_, '_>, handlers: &[usize]) {
    for index in handlers {
        if !std::mem::replace(&mut play.notified.borrow_mut()[*index], true) {
            play.run.emit(EventKind::Notified {
                host: play.run.store.host.to_owned(),
                handler: play.handler_names.get_or_init(|| names(play))[*index].clone(),
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

/// Runs the handlers that were notified, whatever tags the run was asked for. Those that a handler notifies follow, if they are written after it; the
/// others wait for the next time.
pub(crate) fn flush(play: &PlayRun<'_, '_>) -> Result<Flow, Abort> {
    let names = play.notified_names.take();
    for name in &names {
        mark(play, &answering(play, name));
    }
    if !play.notified.borrow().contains(&true) {
        return Ok(Flow::Next);
    }
    let flow = play.meet(Meeting::Handlers, "")?;
    if flow != Flow::Next {
        return Ok(flow);
    }
    let mut flow = Flow::Next;
    for (index, handler) in play.play.handlers.iter().enumerate() {
        if !std::mem::take(&mut play.notified.borrow_mut()[index]) || !play.concerns(&handler.hosts)
        {
            continue;
        }
        play.run.check_stop()?;
        let frame = Frame::of_handler(play.play, handler);
        if meta::is_meta(&handler.module) {
            let vars = TaskVars::new(task::scope(play, &frame));
            task::tell_start(play, &frame, &Templar::new(&play.run.templates, &vars));
            continue;
        }
        if let TaskEnd::Failed { .. } = task::run_task(play, &frame)? {
            flow = Flow::Failed;
            break;
        }
    }
    Ok(flow)
}
