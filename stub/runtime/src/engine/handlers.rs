//! Handlers: notified by name or topic, run once and in the order in which they are written.

use rustle_formats::event::EventKind;
use rustle_formats::plan::Task;

use super::driver::Meeting;
use super::play::{Flow, PlayRun};
use super::runner::Abort;
use super::task::{self, TaskEnd};
use super::{Frame, meta, tags};
use crate::vars::{TaskVars, Templar};

/// Whether a handler answers to a name: its own, with or without its role, or a topic that it listens to.
pub(crate) fn answers(handler: &Task, name: &str) -> (bool, bool) {
    let own = handler.name == name
        || handler.role.as_ref().is_some_and(|role| {
            name.strip_prefix(role.as_str())
                .and_then(|n| n.strip_prefix(" : "))
                == Some(&handler.name)
        });
    (own, handler.listen.iter().any(|l| l == name))
}

/// Notifies the handlers that a task names.
///
/// # Errors
/// Ansible's sentence, where a name is neither a handler nor a topic.
pub(crate) fn notify(
    play: &PlayRun<'_, '_>,
    names: impl Iterator<Item = impl AsRef<str>>,
) -> Result<(), Abort> {
    let handlers = &play.play.handlers;
    for name in names {
        let name = name.as_ref();
        // Of several with one name the last one counts; all that listen do.
        let by_name = handlers.iter().rposition(|h| answers(h, name).0);
        let found: Vec<usize> = (0..handlers.len())
            .filter(|i| Some(*i) == by_name || answers(&handlers[*i], name).1)
            .collect();
        if found.is_empty() {
            return Err(Abort::Error(unknown(name)));
        }
        for index in found {
            if std::mem::replace(&mut play.notified.borrow_mut()[index], true) {
                continue;
            }
            play.run.emit(EventKind::Notified {
                host: play.run.store.host.to_owned(),
                handler: handlers[index].name.clone(),
            });
        }
    }
    Ok(())
}

/// What Ansible says about a name that nobody answers to.
pub(crate) fn unknown(name: &str) -> String {
    format!(
        "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
    )
}

/// Runs the handlers that were notified. Those that a handler notifies follow, if they are written after it; the
/// others wait for the next time.
pub(crate) fn flush(play: &PlayRun<'_, '_>) -> Result<Flow, Abort> {
    if !play.notified.borrow().contains(&true) {
        return Ok(Flow::Next);
    }
    let flow = play.meet(Meeting::Handlers, "")?;
    if flow != Flow::Next {
        return Ok(flow);
    }
    let options = &play.run.store.options;
    let mut flow = Flow::Next;
    for (index, handler) in play.play.handlers.iter().enumerate() {
        if !std::mem::take(&mut play.notified.borrow_mut()[index]) || !play.concerns(&handler.hosts)
        {
            continue;
        }
        let effective = tags::effective(play.play, &[], handler);
        if !tags::selected(&effective, &options.tags, &options.skip_tags) {
            continue;
        }
        play.run.check_stop()?;
        let frame = Frame {
            play: play.play,
            blocks: Vec::new(),
            task: handler,
            handler: true,
        };
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
