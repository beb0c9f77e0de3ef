//! `meta`: tasks that steer the engine itself.

use rustle_formats::event::{EventKind, Status};
use rustle_formats::{Map, Value};

use super::play::{Flow, PlayRun};
use super::runner::Abort;
use super::task;
use super::together::Outcome;
use super::{Frame, handlers};
use crate::vars::{TaskVars, Templar};

/// Whether a module is `meta`.
pub(crate) fn is_meta(module: &str) -> bool {
    matches!(
        module,
        "meta" | "ansible.builtin.meta" | "ansible.legacy.meta"
    )
}

/// All that `meta` can be asked for.
pub(crate) const ACTIONS: &[&str] = &[
    "clear_facts",
    "clear_host_errors",
    "end_batch",
    "end_host",
    "end_play",
    "end_role",
    "flush_handlers",
    "noop",
    "refresh_inventory",
    "reset_connection",
];

/// Whether one host does it for all that come to it: it acts on the whole play.
pub(super) fn for_all(action: &str) -> bool {
    matches!(
        action,
        "clear_facts" | "clear_host_errors" | "end_batch" | "end_play" | "refresh_inventory"
    )
}

/// What a `meta` task asks for.
pub(crate) fn action(args: &Map) -> &str {
    ["_raw_params", "free_form"]
        .iter()
        .find_map(|name| args.get(*name))
        .and_then(Value::as_str)
        .unwrap_or_default()
        .trim()
}

/// Runs a `meta` task.
pub(crate) fn run<'r>(play: &PlayRun<'_, 'r>, frame: &Frame<'r>) -> Result<Flow, Abort> {
    let action = action(&frame.task.args);
    let vars = TaskVars::new(task::scope(play, frame));
    let templar = Templar::new(&play.run.templates, &vars);
    task::tell_start(play, frame, &templar)?;
    if !ACTIONS.contains(&action) {
        return Err(Abort::Error(format!(
            "invalid meta action requested: {action}"
        )));
    }
    let conditional = !matches!(action, "noop" | "refresh_inventory" | "reset_connection");
    if !conditional && frame.when().next().is_some() {
        play.run
            .warn(format!("{action} task does not support when conditional"));
    }
    if conditional {
        for condition in frame.when() {
            match templar.condition(condition) {
                Ok(true) => {}
                Ok(false) => {
                    skip(play, frame, action);
                    return if for_all(action) {
                        play.done(Outcome::Fine, Flow::Next)
                    } else {
                        Ok(Flow::Next)
                    };
                }
                Err(e) => return Err(Abort::Error(e.message)),
            }
        }
    }
    let host = play.run.store.host;
    match action {
        "flush_handlers" if frame.handler => Err(Abort::Error(
            "flush_handlers cannot be used as a handler".to_owned(),
        )),
        "flush_handlers" => {
            handlers::mark_notified(play);
            steered(play, &format!("triggered running handlers for {host}"));
            handlers::run_marked(play)
        }
        "end_play" => {
            steered(play, "ending play");
            play.done(Outcome::EndPlay, Flow::EndPlay)
        }
        "end_batch" => {
            steered(play, "ending batch");
            play.done(Outcome::EndBatch, Flow::EndPlay)
        }
        "end_host" => {
            steered(play, &format!("ending play for {host}"));
            play.done(Outcome::EndHost, Flow::EndPlay)
        }
        "end_role" => Ok(Flow::EndRole),
        "clear_host_errors" => {
            steered(play, "cleared host errors");
            play.done(Outcome::ClearErrors, Flow::Next)
        }
        "refresh_inventory" => {
            steered(play, "inventory successfully refreshed");
            play.done(Outcome::RefreshInventory, Flow::Next)
        }
        "clear_facts" => {
            steered(play, "facts cleared");
            play.run.store.clear_facts();
            play.done(Outcome::ClearFacts, Flow::Next)
        }
        _ => {
            steered(play, &action.replace('_', " "));
            Ok(Flow::Next)
        }
    }
}

/// Tells what a `meta` task did.
fn steered(play: &PlayRun<'_, '_>, message: &str) {
    play.run.emit(EventKind::Steered {
        host: play.run.store.host.to_owned(),
        message: message.to_owned(),
    });
}

/// Tells that a condition kept a `meta` task from doing anything.
fn skip(play: &PlayRun<'_, '_>, frame: &Frame<'_>, action: &str) {
    let host = play.run.store.host;
    let (msg, reason) = match action {
        "clear_facts" => (
            action.to_owned(),
            format!(
                "clear_facts conditional evaluated to False, not clearing facts and fact cache for {host}"
            ),
        ),
        "clear_host_errors" => (
            action.to_owned(),
            "clear_host_errors conditional evaluated to False, not clearing host error state"
                .to_owned(),
        ),
        "flush_handlers" => (
            action.to_owned(),
            format!(
                "flush_handlers conditional evaluated to False, not running handlers for {host}"
            ),
        ),
        "end_host" => (
            format!("end_host conditional evaluated to false, continuing execution for {host}"),
            format!("end_host conditional evaluated to False, continuing execution for {host}"),
        ),
        _ => {
            let what = match action {
                "end_play" => ", continuing play".to_owned(),
                "end_batch" => ", continuing current batch".to_owned(),
                // Ansible forgot the space.
                _ => format!(
                    "continuing role {} for {host}",
                    frame.role_name().unwrap_or_default()
                ),
            };
            (
                action.to_owned(),
                format!("{action} conditional evaluated to False{what}"),
            )
        }
    };
    steered(play, &reason);
    let mut result = Map::new();
    result.insert("msg".into(), msg.into());
    result.insert("skip_reason".into(), reason.into());
    result.insert("skipped".into(), true.into());
    play.run.emit(EventKind::TaskResult {
        task: frame.task.id.clone(),
        host: host.to_owned(),
        status: Status::Skipped,
        ignored: false,
        looped: false,
        result: Value::Map(result),
        duration_ms: 0,
        delegated_to: None,
    });
}
