//! One task on this host: whether it is done, for which items, and what becomes of its result.

use std::time::Instant;

use rustle_formats::event::{EventKind, Status};
use rustle_formats::{Map, Value};

use super::play::PlayRun;
use super::runner::{Abort, Run, millis};
use super::{Frame, attempt, handlers, includes, keywords, loops, result};
use crate::vars::{TaskScope, TaskVars, Templar};

/// How a task ended, for what follows.
#[derive(Debug)]
pub(crate) enum TaskEnd {
    /// The next task follows.
    Done,
    /// It failed, and the failure is not ignored.
    Failed {
        /// The result, for a rescue.
        result: Map,
        /// Whether the host could not be reached: nothing rescues that.
        unreachable: bool,
    },
}

/// A task's result before it is told and kept.
pub(crate) struct Ended {
    /// The result, as it is registered.
    pub map: Map,
    /// Whether there was a loop.
    pub looped: bool,
    /// Whether events hide it.
    pub no_log: bool,
    /// Of a loop: the items that events hide.
    pub hidden: Vec<bool>,
    /// Whether a failure is ignored, where the keyword was evaluated with the task's others.
    pub ignored: Option<bool>,
    /// The host that it was delegated to.
    pub delegated_to: Option<String>,
}

/// The variables that a task sees.
pub(crate) fn scope<'a, 'r>(play: &'a PlayRun<'_, 'r>, frame: &'a Frame<'r>) -> TaskScope<'a, 'r> {
    TaskScope {
        store: &play.run.store,
        templates: &play.run.templates,
        play: &play.vars,
        frame: Some(frame),
    }
}

/// Tells that a task begins.
pub(crate) fn tell_start(
    play: &PlayRun<'_, '_>,
    frame: &Frame<'_>,
    templar: &Templar<'_, '_>,
) -> Result<(), Abort> {
    let chosen = attempt::module_of(frame, templar)?;
    let written = frame.written_name();
    let nameless_role = includes::is_include_role(&frame.task.module);
    let name = if (nameless_role || chosen.is_some()) && frame.task.name.is_empty() {
        written.into_owned()
    } else {
        templar.lenient_text(&written)
    };
    // Ansible prints the role that is included, not the one that includes it.
    let role = frame.role_name().filter(|_| !nameless_role);
    play.told_name.borrow_mut().clone_from(&name);
    play.run.emit(EventKind::TaskStarted {
        task: frame.task.id.clone(),
        name,
        role: role.map(str::to_owned),
        module: chosen.unwrap_or_else(|| frame.task.module.clone()),
        handler: frame.handler,
        source: frame.task.source.clone(),
    });
    Ok(())
}

/// Runs a task.
pub(crate) fn run_task<'r>(play: &PlayRun<'_, 'r>, frame: &Frame<'r>) -> Result<TaskEnd, Abort> {
    let run = play.run;
    run.templates.begin_task(frame);
    play.wishes.borrow_mut().clear();
    #[cfg(feature = "full")]
    play.choose_files()?;
    let vars = TaskVars::new(scope(play, frame));
    let templar = Templar::new(&run.templates, &vars);
    tell_start(play, frame, &templar)?;
    keywords::throttle(&templar, frame).map_err(Abort::Error)?;
    let started = Instant::now();

    let options = run.store.options;
    let ended = match keywords::modes(&templar, frame, (options.check, options.diff)) {
        Ok(modes) => execute(play, frame, &templar, modes)?,
        Err(message) => Ended {
            map: result::task_failed(&message),
            looped: false,
            no_log: false,
            delegated_to: None,
            hidden: Vec::new(),
            ignored: None,
        },
    };
    finish(play, frame, &templar, ended, started)
}

/// Does the task, once or for each item.
fn execute<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
    modes: (bool, bool),
) -> Result<Ended, Abort> {
    Ok(match loops::items(frame, templar) {
        loops::Items::None => {
            let mut one = attempt::once(play, frame, templar, modes, None)?;
            if includes::is_include(&frame.task.module) {
                one.map.entry("changed".into()).or_insert(false.into());
            }
            one
        }
        loops::Items::Undefined(message) => {
            attempt::once(play, frame, templar, modes, Some(message))?
        }
        loops::Items::Wrong(map) => Ended {
            map,
            looped: false,
            no_log: attempt::no_log(frame, templar),
            delegated_to: None,
            hidden: Vec::new(),
            ignored: None,
        },
        loops::Items::List(list) => loops::run(play, frame, templar, modes, list)?,
    })
}

/// Registers, tells and counts the result, and notifies handlers.
fn finish<'r>(
    play: &PlayRun<'_, 'r>,
    frame: &Frame<'r>,
    templar: &Templar<'_, 'r>,
    ended: Ended,
    started: Instant,
) -> Result<TaskEnd, Abort> {
    let run = play.run;
    let Ended {
        map,
        looped,
        no_log,
        delegated_to,
        hidden,
        ignored,
    } = ended;
    let status = result::status(&map);
    let keyword = match status {
        Status::Failed => Some(("ignore_errors", frame.ignore_errors())),
        Status::Unreachable => Some(("ignore_unreachable", frame.ignore_unreachable())),
        _ => None,
    };
    let ignored = keyword.is_some_and(|(name, value)| match (status, ignored) {
        (Status::Failed, Some(ignored)) => ignored,
        // What cannot be evaluated is taken for true.
        _ => keywords::flag(templar, name, value).unwrap_or(Some(true)) == Some(true),
    });
    if let Some(name) = &frame.task.register {
        run.store.set(name, result::registered(&map));
    }
    if status != Status::Skipped
        && let Some(role) = frame.role()
    {
        play.roles_begun.borrow_mut().insert(role.identity.clone());
    }
    let changed = status == Status::Changed || (ignored && result::is(&map, "changed"));
    if changed {
        notify(play, frame, templar)?;
    }
    let rescued = play.rescued();
    // What an including task brings in is counted when it was found.
    if !(includes::is_include(&frame.task.module) && status == Status::Ok) {
        run.count(&map, ignored, rescued);
    }
    run.emit(EventKind::TaskResult {
        task: frame.task.id.clone(),
        host: run.store.host.to_owned(),
        status,
        ignored,
        looped,
        result: Run::told_in_part(&map, no_log, &hidden),
        duration_ms: millis(started.elapsed()),
        delegated_to,
    });
    if matches!(status, Status::Failed | Status::Unreachable) && !ignored {
        if rescued && status == Status::Failed {
            run.emit(EventKind::Rescued {
                host: run.store.host.to_owned(),
            });
        }
        return Ok(TaskEnd::Failed {
            result: map,
            unreachable: status == Status::Unreachable,
        });
    }
    run.check_stop()?;
    Ok(TaskEnd::Done)
}

/// Notifies the task's handlers; their names may be templates.
fn notify(
    play: &PlayRun<'_, '_>,
    frame: &Frame<'_>,
    templar: &Templar<'_, '_>,
) -> Result<(), Abort> {
    let mut names = Vec::new();
    for written in frame.notify() {
        match templar.value(&Value::Str(written.clone())) {
            Ok(Some(Value::Str(name))) => names.push(name),
            Ok(Some(Value::List(list))) => {
                names.extend(list.iter().filter_map(Value::as_str).map(str::to_owned));
            }
            Ok(_) => {}
            Err(e) => return Err(Abort::Error(e.message)),
        }
    }
    handlers::notify(play, names, frame.handler)
}
